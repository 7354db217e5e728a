"""`python -m edgevoice.cli` is the command `edgevoice`."""

import sys

from edgevoice.cli import main

sys.exit(main())

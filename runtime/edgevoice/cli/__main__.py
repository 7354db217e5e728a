"""`python -m edgevoice.cli` is the command `edgevoice`."""

import sys

from edgevoice.cli.program import main

sys.exit(main())

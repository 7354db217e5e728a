"""`python -m edgevoice_export.cli` is the command `edgevoice-export`."""

import sys

from edgevoice_export.cli import main

sys.exit(main())

"""`python -m edgevoice.compat.disvoice`."""

from __future__ import annotations

import sys

from edgevoice.compat.disvoice.script import main

sys.exit(main())

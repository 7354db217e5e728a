"""`python -m edgevoice.compat.disvoice`: where DisVoice has a script of its own."""

from __future__ import annotations

import sys

sys.exit("edgevoice.compat.disvoice: DisVoice's script is not available; use its class RepLearning, or edgevoice extract")

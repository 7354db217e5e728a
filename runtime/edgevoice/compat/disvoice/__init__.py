"""DisVoice's interface to its representation-learning features.

    from edgevoice.compat.disvoice import RepLearning   # in place of: from disvoice import RepLearning

The networks are DisVoice's own. Its weights are not part of EdgeVoice: `edgevoice-export import-disvoice` makes model
folders of an installed DisVoice or of its wheel.
"""

from __future__ import annotations

from edgevoice.compat.disvoice.aespeech import AEspeech
from edgevoice.compat.disvoice.replearning import RepLearning

__all__ = ["AEspeech", "RepLearning"]

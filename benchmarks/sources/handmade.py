"""Hand-made features of other libraries."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from unittest import mock

import numpy as np
import soundfile

from benchmarks.sources.vectors import Vector


class HandMade:
    """The 136 mid-term features of pyAudioAnalysis, averaged over the recording.

    Means and standard deviations, over 1 s, of 68 short-term features of 50 ms: 34 and their differences. Windows do not
    overlap.
    """

    name = "hand-made (pyAudioAnalysis)"
    origin = ""

    @property
    def key(self) -> str:
        """What the vectors depend on."""
        return f"pyAudioAnalysis {version('pyAudioAnalysis')}"

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (136,)."""
        from pyAudioAnalysis import MidTermFeatures

        samples, rate = soundfile.read(path, dtype="int16")
        with mock.patch.object(np, "int", int, create=True):  # gone from NumPy 1.24 on, but still used there
            middle, _, _ = MidTermFeatures.mid_feature_extraction(samples, rate, rate, rate, 0.05 * rate, 0.05 * rate)
        return np.asarray(middle.mean(axis=1), np.float32)


class OpenSmile:
    """Functionals of openSMILE.

    88 of eGeMAPSv02 (F. Eyben et al., IEEE Trans. Affective Computing 7(2), 2016), or 6373 of ComParE_2016 (B. Schuller et
    al., Interspeech 2016).
    """

    origin = ""

    def __init__(self, name: str) -> None:
        import opensmile

        self.name = name
        self._smile = opensmile.Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel.Functionals)

    @property
    def key(self) -> str:
        """What the vectors depend on."""
        return f"{self.name} opensmile {version('opensmile')}"

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (functionals,)."""
        return self._smile.process_file(str(path)).to_numpy(np.float32)[0]

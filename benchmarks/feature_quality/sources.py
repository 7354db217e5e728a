"""Feature sets beside those of `label_efficiency`: openSMILE's, and those of a linear code."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.feature_quality.linearcode import LinearCode
from benchmarks.label_efficiency.vectors import Progress, Vector, vectors
from edgevoice.audio.files import open_source
from edgevoice.audio.resampling import resampled
from edgevoice.config import ModelConfig
from edgevoice.features import functionals
from edgevoice.frontend import FrontEnd
from edgevoice.levels import find_level
from edgevoice.windows import Windower, Windows


class Source(Protocol):
    """A way to turn a recording into a vector."""

    name: str

    @property
    def key(self) -> str:
        """What the vectors depend on."""
        ...

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (dimensions,)."""
        ...


class Named:
    """Another source under another name."""

    def __init__(self, name: str, source: Any) -> None:
        self.name, self._source = name, source

    @property
    def key(self) -> str:
        """What the vectors depend on."""
        return str(self._source.key)

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording."""
        return np.asarray(self._source(path), np.float32)


class OpenSmile:
    """Functionals of openSMILE.

    88 of eGeMAPSv02 (F. Eyben et al., IEEE Trans. Affective Computing 7(2), 2016), or 6373 of ComParE_2016 (B. Schuller et
    al., Interspeech 2016).
    """

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


class LinearFunctionals:
    """A linear code used as an autoencoder is: functionals of its numbers and of its reconstruction error by band."""

    def __init__(self, code: LinearCode, config: ModelConfig) -> None:
        self._code, self._config = code, config
        self.name = f"PCA-{code.units}"

    @property
    def key(self) -> str:
        """What the vectors depend on."""
        return f"linear functionals, the code first {self._code.digest()} {self._config.level} {self._config.audio}"

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording, (4 x (units + bands),): functionals of the code, then of the errors, as of models."""
        values = self._code.describe(self.spectrograms(path))
        return np.concatenate([functionals(part) for part in np.split(values, [self._code.units], axis=1)])

    def spectrograms(self, path: Path) -> Vector:
        """What a model is given of a recording at `running` level: (n, 1, bands, columns)."""
        audio = self._config.audio
        with open_source(path) as source:
            samples = np.concatenate([np.empty(0, np.float32), *resampled(source, audio.rate, None)])
        samples = np.pad(samples, (0, max(0, audio.window - len(samples))))
        windower = Windower(self._config, find_level("running", self._config.level), audio.hop, 8)
        front = FrontEnd(self._config.spectrogram, audio)
        scratch = front.scratch()

        def spectrograms(windows: Windows) -> Vector:
            return front.compute(windows.samples, windows.offset, windows.gain, scratch)

        return np.concatenate(windower.push(samples, spectrograms))[:, None]


def vectors_by_folder(source: Source, folder: Path, files: Sequence[str], cache: Path, progress: Progress = iter) -> Vector:
    """As `vectors`, but kept subfolder by subfolder, so that a run that was stopped loses little.

    Args:
        source: how vectors are made.
        folder: of the recordings.
        files: paths in it, the files of one subfolder beside each other.
        cache: folder to keep vectors in.
        progress: wraps the list of files while their vectors are made.

    Raises:
        ValueError: a vector has NaN or infinity.
    """
    groups: dict[str, list[str]] = {}
    for file in files:
        groups.setdefault(Path(file).parent.as_posix(), []).append(file)
    done = iter(progress(files))

    def counted(group: Sequence[str]) -> Sequence[str]:
        for _ in group:
            next(done)
        return group

    made = [vectors(source, folder, counted(group), cache) for group in groups.values()]  # type: ignore[arg-type]
    for _ in done:  # lets the bar reach its end
        pass
    rows = np.concatenate(made)
    if not np.isfinite(rows).all():
        raise ValueError(f"{source.name}: NaN or infinity in the vectors of {folder}")
    return rows

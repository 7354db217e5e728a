"""Compares networks in ONNX Runtime with the expected outputs, on windows of a recording or of a synthetic voice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevoice.config import ModelConfig
from edgevoice.errors import ModelError
from edgevoice.inference import FRONT_END
from edgevoice.sessions import check_graph, open_graph
from edgevoice_export.data.corpus import read_file
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.data.sampler import WindowSampler

BATCHES = (1, 2, 7)
_SECONDS = 10
TOLERANCE = 1e-5
_FRONT_END_TOLERANCE = 1e-3  # of bands that are nearly empty; it computes in float32

Images = NDArray[np.float32]
Outputs = dict[str, NDArray[np.floating]]
Compute = Callable[[Images], Outputs]
"""Computes bottleneck, error and reconstruction, by name, from spectrograms, float32 (n, 1, bands, columns)."""


class VerificationError(ModelError):
    """A model folder would not give the outputs of its source, so it was not written."""

    exit_code = 1


@dataclass(frozen=True)
class Verification:
    """The result of a comparison of networks with their reference."""

    differences: dict[str, float]
    """The largest of each output, over all windows and batch sizes."""
    windows: int

    @property
    def batches(self) -> str:
        """The batch sizes, in words."""
        *smaller, all_at_once = map(str, _batches(self.windows))
        return f"{', '.join(smaller)} and {all_at_once}" if smaller else all_at_once

    @property
    def difference(self) -> float:
        """The largest of all differences; NaN where an output was not a number."""
        return float(np.max(list(self.differences.values())))

    def passed(self, tolerance: float = TOLERANCE) -> bool:
        """Whether all differences are within the tolerance."""
        return self.difference <= tolerance

    def require(self, name: str, tolerance: float = TOLERANCE) -> None:
        """Raise VerificationError where a difference is above the tolerance; the message names the model."""
        if not self.passed(tolerance):
            found = ", ".join(f"{output} {value:.1e}" for output, value in self.differences.items())
            raise VerificationError(f"{name}: PyTorch and ONNX Runtime differ by more than {tolerance:g}: {found}")


def outputs_of(read: Callable[[str], bytes]) -> Compute:
    """A function that computes the outputs of an encoder and a decoder, on one thread of the CPU.

    `read` gives the content of a file by its name: `ModelFolder.read`, or that of graphs that are in no folder yet.
    """
    encoder, decoder = (open_graph(read(name)) for name in ("encoder.onnx", "decoder.onnx"))

    def compute(spectrograms: Images) -> Outputs:
        (bottleneck,) = encoder.run(["bottleneck"], {"spectrogram": spectrograms})
        inputs = {"bottleneck": bottleneck, "spectrogram": spectrograms}
        error, reconstruction = decoder.run(["error", "reconstruction"], inputs)
        return {"bottleneck": bottleneck, "error": error, "reconstruction": reconstruction}

    return compute


def verify(compute: Compute, reference: Compute, spectrograms: Images, *, together: bool = False) -> Verification:
    """Compare outputs with those of a reference, in batches of several sizes, from single windows to all of them.

    The windows are float32 (n, 1, bands, columns), n at least 1. `together`: whether the outputs of a window depend on the
    others of its batch, in the reference too.
    """
    differences = dict.fromkeys(("bottleneck", "error", "reconstruction"), 0.0)
    expected = None if together else reference(spectrograms)
    for batch in _batches(len(spectrograms)):
        for first in range(0, len(spectrograms), batch):
            part = slice(first, first + batch)
            found = compute(spectrograms[part])
            wanted = reference(spectrograms[part]) if expected is None else {k: v[part] for k, v in expected.items()}
            for name, worst in differences.items():
                differences[name] = float(np.maximum(worst, np.abs(found[name] - wanted[name]).max()))
    return Verification(differences, len(spectrograms))


def verify_front_end(read: Callable[[str], bytes], preprocessing: Preprocessing, name: str) -> None:
    """Compare `frontend.onnx` with NumPy's front end; VerificationError, which names the model, where they differ."""
    windows, session = falling_noise(preprocessing.audio.window), open_graph(read(FRONT_END))
    check_graph(session, FRONT_END, {"samples": windows.shape[1:]}, {"spectrogram": (1, *preprocessing.shape)})
    (found,) = session.run(["spectrogram"], {"samples": windows})
    difference = float(np.abs(found[:, 0] - preprocessing.front_end.compute(windows)).max())
    if not difference <= _FRONT_END_TOLERANCE:
        raise VerificationError(f"{name}: {FRONT_END} and NumPy's front end differ by {difference:.1e}")


def falling_noise(size: int) -> NDArray[np.float32]:
    """Noise that falls by 90 dB in seven windows (7, size), so that it has all levels of speech."""
    falling = 10 ** np.linspace(0, -4.5, 7 * size)
    noise = 0.3 * np.random.default_rng(0).standard_normal(7 * size)
    return (falling * noise).astype(np.float32).reshape(7, size)


def default_tolerance(config: ModelConfig) -> float:
    """Largest difference allowed between a model folder in ONNX Runtime and its weights in PyTorch.

    With 8-bit weights that is the rounding of what goes into their products: twice the drift that was found.
    """
    if "compact" not in config.origin:
        return TOLERANCE
    return 2 * float(max(drift["largest"] for drift in config.origin["compact"]["drift"].values()))


def _batches(windows: int) -> tuple[int, ...]:
    return (*(batch for batch in BATCHES if batch < windows), windows)


def recorded_spectrograms(path: Path, preprocessing: Preprocessing, most: int) -> NDArray[np.float32]:
    """Spectrograms of windows of a recording, evenly spaced: float32 (at most `most`, 1, bands, columns).

    Raises:
        AudioError: the recording cannot be read, or is shorter than one window.
    """
    audio = preprocessing.audio
    return _spectrograms(read_file(path, audio.rate, audio.window), preprocessing, most)


def synthetic_spectrograms(preprocessing: Preprocessing, most: int) -> NDArray[np.float32]:
    """Spectrograms of a synthetic voice, always the same: a gliding buzz through moving resonances, pauses and breath."""
    rate, seconds = preprocessing.audio.rate, max(_SECONDS, 8 * preprocessing.audio.window / preprocessing.audio.rate)
    time = np.arange(int(rate * seconds)) / rate
    pitch = 120 * 2 ** (0.5 * np.sin(2 * np.pi * 0.7 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = np.zeros_like(time)
    for harmonic in range(1, int(rate / 2 / 180)):
        frequency = harmonic * pitch
        strength = sum(
            np.exp(-(((frequency - centre * (1 + 0.3 * np.sin(2 * np.pi * speed * time))) / 150) ** 2))
            for centre, speed in ((500, 1.1), (1500, 1.7), (2500, 0.9), (3500, 0.5))
        )
        voice += (strength + 0.02) / harmonic * np.sin(harmonic * phase)
    voice *= np.clip(np.sin(2 * np.pi * 1.3 * time) + 0.3, 0, 1)
    voice += 1e-3 * np.random.default_rng(0).standard_normal(len(time))
    samples = np.rint(voice / np.abs(voice).max() * 16000).astype(np.int16)
    return _spectrograms(samples, preprocessing, most)


def _spectrograms(samples: NDArray[np.int16], preprocessing: Preprocessing, most: int) -> NDArray[np.float32]:
    windows = WindowSampler([samples], preprocessing)
    return windows.spectrograms(windows.grid(preprocessing.level.default, most))

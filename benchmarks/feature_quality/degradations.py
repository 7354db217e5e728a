"""Changes of the sound that keep the speech, and how far static vectors move under them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy import signal

Samples = NDArray[np.float64]
Degradation = Callable[[Samples, int], Samples]
"""From samples (n,) and their rate to changed samples (n,), or fewer."""

Floats = NDArray[np.floating]

MIDDLE = (5, 95)
"""Percentiles outside of which values are clipped."""

HEADROOM = 0.25
"""Louder recordings are turned down to this peak, so that a gain of 12 dB does not clip."""

CLEAN = "as recorded"


def noisy(samples: Samples, _: int) -> Samples:
    """Add white noise, 20 dB below the mean power of the recording; the noise is the same for every recording."""
    power = np.mean(np.square(samples)) / 100
    return samples + np.sqrt(power) * np.random.default_rng(0).standard_normal(len(samples))


def telephone(samples: Samples, rate: int) -> Samples:
    """Simulate a narrow-band telephone: 300 to 3400 Hz at 8 kHz, then back at the rate of the recording."""
    narrow = 8000
    # Forwards and backwards, so that nothing moves in time: -6 dB at the edges, 48 dB an octave.
    band = signal.butter(4, (300, 3400), "bandpass", fs=narrow, output="sos")
    filtered = signal.sosfiltfilt(band, soxr.resample(samples, rate, narrow))
    return _fit(soxr.resample(filtered, narrow, rate), len(samples))


def coded(file_format: str, subtype: str, delay: int = 0, **options: Any) -> Degradation:
    """Encode with a lossy codec, all as soundfile names it, and decode.

    `delay` are samples that the decoder puts before the first where the file does not tell how many they are.
    """

    def degrade(samples: Samples, rate: int) -> Samples:
        file = io.BytesIO()
        soundfile.write(file, samples, rate, format=file_format, subtype=subtype, **options)
        file.seek(0)
        decoded, _ = soundfile.read(file)
        return _fit(decoded[delay if len(decoded) > len(samples) else 0 :], len(samples))

    return degrade


def opus(kilobits: float) -> Degradation:
    """Encode as Opus at a bit rate in kbit/s, and decode."""
    return coded("OGG", "OPUS", compression_level=1 - (kilobits - 6) / 250)  # libsndfile: 6 to 256 kbit/s


def mp3(kilobits: float) -> Degradation:
    """Encode as MP3 at a constant bit rate in kbit/s, and decode, at sampling rates of 16 kHz to 24 kHz."""
    # libsndfile: 8 to 160 kbit/s. Below 40 kbit/s a frame has no room for LAME's tag, from which decoders know the delay of
    # the encoder and of their own filter bank.
    options = {"compression_level": 1 - (kilobits - 8) / 152, "bitrate_mode": "CONSTANT"}
    return coded("MP3", "MPEG_LAYER_III", 576 + 529, **options)


DEGRADATIONS: dict[str, Degradation] = {
    "gain +12 dB": lambda samples, _: samples * 10 ** (12 / 20),
    "gain -12 dB": lambda samples, _: samples / 10 ** (12 / 20),
    "noise, 20 dB SNR": noisy,
    "telephone band": telephone,
    "Opus, 24 kbit/s": opus(24),
    "Opus, 64 kbit/s": opus(64),
    "MP3, 32 kbit/s": mp3(32),
    "MP3, 64 kbit/s": mp3(64),
    "start 100 ms later": lambda samples, rate: samples[rate // 10 :],
}


def degraded_folders(data: Path, files: Sequence[str], cache: Path) -> dict[str, Path]:
    """Folders with some recordings of a folder under the same paths: one as recorded, and one for each degradation."""
    changes: dict[str, Degradation] = {CLEAN: lambda samples, _: samples, **DEGRADATIONS}
    made_by = hashlib.sha256(Path(__file__).read_bytes() + str(data.resolve()).encode()).hexdigest()[:12]
    folders = {name: cache / f"degraded-{made_by}" / f"{place}" for place, name in enumerate(changes)}
    for file in files:
        if all((folder / file).is_file() for folder in folders.values()):
            continue
        samples, rate = soundfile.read(data / file, dtype="float64")
        samples = samples * min(1.0, HEADROOM / np.abs(samples).max())
        for name, degrade in changes.items():
            path = folders[name] / file
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, degrade(samples, rate), rate, format="FLAC", subtype="PCM_24")
    return folders


def _fit(samples: Samples, length: int) -> Samples:
    """Cut to a length, or pad with zeros."""
    return np.pad(samples[:length], (0, max(0, length - len(samples))))


def movements(
    corpus: Floats, clean: Floats, changed: Mapping[str, Floats], *, clipped: bool = False
) -> dict[str, dict[str, float]]:
    """How far vectors move under each change: |z' - z| / |z|, z being standardised over the corpus.

    The mean over recordings, and its standard error: the recordings have different speakers. Where it is clipped, values
    outside the `MIDDLE` of their dimension count as its ends: a few recordings whose values lie far out then do not make
    every other difference look small.

    Args:
        corpus: (all recordings, dimensions); dimensions that do not vary are left out.
        clean: (recordings, dimensions).
        changed: the same recordings' vectors after each change.
        clipped: see above.
    """
    rows = corpus.astype(np.float64)
    if clipped:
        rows = np.clip(rows, *np.percentile(rows, MIDDLE, axis=0))
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    used = spread > 0
    found = {}
    for name, vectors in changed.items():
        still, moved = ((each[:, used] - centre[used]) / spread[used] for each in (clean, vectors))
        change = np.linalg.norm(moved - still, axis=1) / np.linalg.norm(still, axis=1)
        found[name] = {"mean": float(change.mean()), "error": float(change.std(ddof=1) / np.sqrt(len(change)))}
    return found


def one_each(speakers: Sequence[str], most: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw two different recordings of each of some speakers: their indices, (chosen,) each."""
    random = np.random.default_rng(seed)
    names = np.array(speakers)
    several = [name for name in sorted(set(speakers)) if (names == name).sum() > 1]
    chosen = sorted(random.choice(several, min(most, len(several)), replace=False).tolist())
    pairs = [random.choice(np.flatnonzero(names == name), 2, replace=False) for name in chosen]
    first, second = np.array(pairs, np.int64).T
    return first, second

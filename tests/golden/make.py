"""Make the golden numbers again: python tests/golden/make.py

DisVoice's are what its own code, version 0.1.10, gives for the recordings of `recordings.py`; pip downloads its wheel,
and what it imports must be installed (the extras `export`, `disvoice` and `bench`). Levels and spectrogram are computed here
from their definitions, with NumPy and librosa alone: nothing of EdgeVoice is imported.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import librosa
import numpy as np
import soundfile
from recordings import write_recordings

HERE = Path(__file__).parent
SPEECH = HERE.parent / "data" / "speech.wav"
WINDOWS = 12
WINDOW, HOP, STEP = 8000, 4000, 800
MEAN_RATE, DECAY, PEAK_FLOOR = 0.05, 0.998, 0.001


def disvoice(scratch: Path) -> dict[str, np.ndarray]:
    """What DisVoice gives: `CAE|RAE/static|dynamic/name of the recording`, float32."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), "disvoice==0.1.10"]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(next(scratch.glob("disvoice-*.whl"))) as wheel:
        wheel.extractall(scratch)
    recordings = write_recordings(SPEECH, scratch)
    script = HERE.parent / "compat" / "disvoice" / "disvoicepackage.py"
    subprocess.run([sys.executable, script, scratch / "disvoice", scratch / "out.npz", *recordings.values()], check=True)
    names = list(recordings)
    with np.load(scratch / "out.npz") as results:
        parts = {key: key.rsplit("/", 1) for key in results}
        return {f"{kind}/{names[int(number)]}": results[key].astype(np.float32) for key, (kind, number) in parts.items()}


def definition() -> dict[str, np.ndarray]:
    """The running level of the first windows, and the spectrogram of each at its level."""
    samples, rate = soundfile.read(SPEECH, dtype="float32")
    mean, peak, levels = None, 0.0, []
    for step in samples[: len(samples) // STEP * STEP].astype(np.float64).reshape(-1, STEP):
        mean = step.mean() if mean is None else mean + MEAN_RATE * (step.mean() - mean)
        peak = max(DECAY * peak, np.abs(step - mean).max(), PEAK_FLOOR)
        levels.append((mean, 1 / peak))
    last = [(HOP * k + WINDOW) // STEP - 1 for k in range(WINDOWS)]
    offset, gain = np.array([levels[k] for k in last]).T
    windows = np.stack([samples[HOP * k : HOP * k + WINDOW].astype(np.float64) for k in range(WINDOWS)])
    windows = (windows - offset[:, None]) * gain[:, None]
    options = {"sr": rate, "n_fft": 512, "hop_length": 64, "n_mels": 128, "pad_mode": "constant"}
    power = np.stack([librosa.feature.melspectrogram(y=window, **options) for window in windows])
    spectrogram = (np.log(np.maximum(power, 1e-10)) + 50.527256) / 57.3834559
    return {"offset": offset, "gain": gain, "spectrogram": spectrogram.astype(np.float32)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        np.savez_compressed(HERE / "disvoice.npz", **disvoice(Path(scratch)))
    np.savez_compressed(HERE / "definition.npz", **definition())

"""DisVoice's package, and its weights as model folders."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

_WHEEL = "disvoice-0.1.10-py3-none-any.whl"
_SHA256 = "28cfa663a1987a06c4f62f20270e63e5fe44fdd73ab814dcce8aba7b390b51c1"
_NEEDED = ("torch", "onnx", "librosa", "pandas", "scipy", "matplotlib")


@pytest.fixture(scope="session")
def disvoice_wheel(pytestconfig: pytest.Config) -> Path:
    """The published wheel, kept in pytest's cache folder."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"running DisVoice beside EdgeVoice needs {', '.join(missing)}")
    folder = pytestconfig.cache.mkdir("disvoice")  # type: ignore[union-attr]
    wheel = folder / _WHEEL
    if not wheel.exists():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), "disvoice==0.1.10"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if not wheel.exists():
            pytest.skip(f"DisVoice's package could not be downloaded: {result.stderr.strip().splitlines()[-1:]}")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == _SHA256
    return wheel


@pytest.fixture(scope="session")
def disvoice_models(disvoice_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `disvoice-cae-256` and `disvoice-rae-256`."""
    from edgevoice_export.publish.disvoice import find_published, import_published

    folder = tmp_path_factory.mktemp("disvoice")
    for published in find_published(disvoice_wheel):
        import_published(published, folder)
    return folder


@pytest.fixture(scope="session")
def recordings(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Recordings on which a front end could differ from DisVoice's, of 3 s."""
    samples, rate = soundfile.read(speech, dtype="int16")
    samples = samples[16000:64000]
    silence = samples.copy()
    silence[20000:32000] = 0
    centred = silence.astype(np.int32)
    loud = np.flatnonzero(np.abs(centred) > 1000)
    while excess := int(centred.sum()):
        centred[loud[: abs(excess)]] -= np.sign(excess)
    stereo = np.stack([samples, np.roll(samples, 500)], axis=1)
    written = {
        "as it is": (samples, rate, "PCM_16"),
        "digital silence that the mean moves": (silence, rate, "PCM_16"),
        "digital silence that stays zero": (centred.astype(np.int16), rate, "PCM_16"),
        "an offset": (samples // 2 + np.int16(1500), rate, "PCM_16"),
        "two channels at 22.05 kHz": (stereo, 22050, "PCM_16"),
        "eight bits": (samples / 2.0**15, rate, "PCM_U8"),
        "32 bits": (samples / 2.0**15 * 0.7, rate, "PCM_32"),
        "floats": ((samples / 2.0**15 * 0.3).astype(np.float32), rate, "FLOAT"),
        "floats at 8 kHz": ((samples[::2] / 2.0**15).astype(np.float32), 8000, "FLOAT"),
    }
    folder = tmp_path_factory.mktemp("recordings")
    paths = {}
    for number, (name, (signal, at, subtype)) in enumerate(written.items()):
        paths[name] = folder / f"{number}.wav"
        soundfile.write(paths[name], signal, at, subtype=subtype)
    return paths

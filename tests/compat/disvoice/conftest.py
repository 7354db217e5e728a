"""DisVoice's package, and its weights as model folders."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from golden.recordings import write_recordings

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
def recordings(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Recordings on which a front end could differ from DisVoice's, of 3 s."""
    return write_recordings(speech, tmp_path_factory.mktemp("recordings"))

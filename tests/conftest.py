"""What many tests share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevoice
from microphone.virtualmicrophone import VirtualMicrophone, missing

ROOT = Path(__file__).resolve().parents[1]

# A shell that puts a job into the background has it ignore Ctrl-C, and all processes that the job starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The core, `pytest -m core`, needs the extra `cpu` and pytest, and none of the other packages of the tests.
if find_spec("hypothesis"):
    from hypothesis import settings

    # The same examples every time; `nightly` draws new ones, and prints what makes one that fails come again.
    settings.register_profile("edgevoice", deadline=None, derandomize=True)
    settings.register_profile("nightly", deadline=None, max_examples=1000, print_blob=True)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "edgevoice"))


def pytest_addoption(parser: pytest.Parser) -> None:
    if find_spec("pytest_timeout") is None:
        parser.addini("timeout", "without pytest-timeout, tests have no limit")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if config.getoption("markexpr") == "core" and collection_path.parent == ROOT / "tests":
        return collection_path.name != "test_core.py"
    return None


@pytest.fixture
def any_name() -> None:
    """Skip a test of file names in a console that knows ASCII only."""
    if sys.getfilesystemencoding() != "utf-8":
        pytest.skip("the system's file names are not UTF-8")


@pytest.fixture(scope="session")
def root() -> Path:
    """Root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with the reference recordings and numbers, which are not part of the project."""
    folder = ROOT.parent / "shared"
    if not (folder / "reference").is_dir():
        pytest.skip("the folder `shared` with reference recordings is not beside the checkout")
    return folder


@pytest.fixture(scope="session")
def speech() -> Path:
    """Synthetic speech, 16 kHz, one channel."""
    return ROOT / "tests" / "data" / "speech.wav"


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a small random model folder; keyword arguments change sections of its `model.json`."""

    from tinymodel import make_tiny_model

    def make(**changes: Any) -> Path:
        return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny", **changes)

    return make


@pytest.fixture(scope="session")
def tiny_model(make_model: Callable[..., Path]) -> Path:
    """A small random model folder."""
    return make_model()


@pytest.fixture(scope="session")
def tiny(tiny_model: Path) -> edgevoice.Extractor:
    """That model, loaded."""
    return edgevoice.load(tiny_model)


@pytest.fixture(scope="session")
def noise() -> np.ndarray:
    """Ten seconds of noise that grows louder and then quieter, float32 at 16 kHz."""
    rng = np.random.default_rng(7)
    envelope = 0.3 * np.sin(np.linspace(0, np.pi, 160_000)) ** 2 + 0.01
    return (rng.standard_normal(160_000) * envelope + 0.02).astype(np.float32)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def disvoice_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DisVoice 0.1.10 as published, downloaded."""
    folder = tmp_path_factory.mktemp("disvoice")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), "disvoice==0.1.10"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip("DisVoice 0.1.10 cannot be downloaded here")
    return folder / "disvoice-0.1.10-py3-none-any.whl"


@pytest.fixture(scope="session")
def disvoice_models(disvoice_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model folders made from DisVoice's published weights."""
    pytest.importorskip("torch", reason="the export extra is not installed")
    from edgevoice_export.cli import main

    folder = tmp_path_factory.mktemp("disvoice-models")
    assert main(["import-disvoice", str(disvoice_wheel), "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def virtual_microphone() -> Iterator[Callable[..., VirtualMicrophone]]:
    """Make a virtual microphone on an audio server of its own; the arguments are VirtualMicrophone's."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(VirtualMicrophone(*arguments, **options))


@pytest.fixture(scope="session")
def voice() -> np.ndarray:
    """Ten seconds of loud noise, int16 at 16 kHz: no two blocks are alike."""
    return np.random.default_rng(3).integers(-9000, 9000, 160_000).astype(np.int16)

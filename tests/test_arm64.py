"""Every shipped model on ARM64, which most edge devices are: emulated, so that numbers and bits count, and time does not.

`.ci/arm64` makes the machine. The processors: a Cortex-A72, as on a Raspberry Pi 4; one with all newer instructions but the
scalable ones; and one with those (SVE, SME) as well, where ONNX Runtime's kernels give a window other bits in a batch than
alone. The last takes ten times as long to emulate, and is one of the slow tests.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import edgevoice

pytestmark = pytest.mark.timeout(3600)

MODELS = ("cae-256", "cae-64", "light-256", "light-64", "rae-256", "rae-64", "lamprou-64")
MACHINES = ("cortex-a72", "max,sve=off,sme=off", pytest.param("max", marks=pytest.mark.slow))


class Run(NamedTuple):
    found: dict[str, dict[str, bool]]
    frames: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of `cae-256` that has 8-bit weights."""
    pytest.importorskip("torch", reason="the export extra is not installed")
    from edgevoice_export.cli import main

    folder = tmp_path_factory.mktemp("arm64")
    assert main(["compact", "cae-256", "--out", str(folder / "cae-256-int8")]) == 0
    return folder


@pytest.fixture(scope="module", params=MACHINES)
def emulated(request: pytest.FixtureRequest, root: Path, speech: Path, place: Path) -> Run:
    """What the models give on an emulated processor."""
    machine, emulator = root / ".arm64", shutil.which("qemu-aarch64-static")
    if emulator is None:
        pytest.skip("qemu-aarch64-static is not installed (.ci/packages installs it)")
    if not (machine / "complete").exists():
        pytest.skip("there is no emulated machine (.ci/arm64 makes one)")
    out = place / f"{request.param}.npz"
    models = [*(root / "models" / name for name in MODELS), place / "cae-256-int8"]
    command = [
        *(emulator, "-cpu", request.param, "-L", machine / "root", machine / "root" / "usr" / "bin" / "python3.11", "-s"),
        *(root / "tests" / "arm64program.py", machine / "site", root / "runtime", speech, out, *models),
    ]
    environment = {"LC_ALL": "C.UTF-8", "HOME": str(place), "PYTHONHOME": str(machine / "root" / "usr")}
    result = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, check=False, timeout=3000
    )
    assert result.returncode == 0, result.stderr
    with np.load(out) as frames:
        return Run(json.loads(result.stdout), dict(frames))


def here(model: str | Path, speech: Path, count: int) -> np.ndarray:
    """The first frames of this machine."""
    return edgevoice.load(model).extract(speech).values[:count]


def test_offline_and_live_have_the_same_bits(emulated: Run) -> None:
    assert emulated.found.keys() == {*MODELS, "cae-256-int8"}
    assert [name for name, found in emulated.found.items() if not found["same bits"]] == []


def test_frames_are_those_of_this_machine(emulated: Run, speech: Path) -> None:
    for name in MODELS:
        frames = emulated.frames[name]
        assert len(frames) >= (1 if name == "lamprou-64" else 4)
        assert np.abs(frames - here(name, speech, len(frames))).max() < 1e-5, name


def test_weights_of_8_bits_hold(emulated: Run, place: Path, speech: Path) -> None:
    """The kernels differ, and round what goes into a product in another way; what 8 bits cost stays what it is here."""
    frames = emulated.frames["cae-256-int8"]
    whole, rounded = here("cae-256", speech, len(frames)), here(place / "cae-256-int8", speech, len(frames))
    assert np.abs(frames - whole).mean() < 1.2 * np.abs(rounded - whole).mean()

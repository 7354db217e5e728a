"""Programs frozen with PyInstaller, run where there is no Python: files, a microphone, a head, one model, nothing sent."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import edgevoice
from heads.conftest import write_corpus
from microphone.virtualmicrophone import VirtualMicrophone, speak

pytest.importorskip("PyInstaller", reason="PyInstaller is not installed")

pytestmark = pytest.mark.timeout(600)

PROGRAM = """
import json
import sys
import time
from pathlib import Path

import edgevoice

extractor = edgevoice.load("cae-64")
told = {"models": [folder.path.name for folder in edgevoice.list_models()], "frames": []}
if len(sys.argv) > 1:
    features = extractor.extract(sys.argv[1])
    head = edgevoice.load_head(Path(__file__).with_name("head.onnx"))
    told["frames"] = features.values.tolist()
    told["decisions"] = [decision.to_dict() for decision in head.decide(features)]
    time.sleep(float(sys.argv[2]))
else:
    with edgevoice.Microphone(extractor, seconds=3.0) as microphone:
        print(microphone.device.name, file=sys.stderr, flush=True)
        told["frames"] = [frame.values.tolist() for frame in microphone]
print(json.dumps(told))
"""


SIDECAR = """
import sys

from edgevoice.cli import main

sys.exit(main())
"""


@pytest.fixture(scope="module")
def head(root: Path, tmp_path_factory: pytest.TempPathFactory) -> edgevoice.Head:
    """A head for `cae-64`."""
    for package in ("sklearn", "onnx", "pyarrow"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    folder = tmp_path_factory.mktemp("head")
    labels = write_corpus(folder)
    return edgevoice.fit(labels, label="voice", group="speaker", model="cae-64", features=folder / "frames.parquet")


@pytest.fixture(scope="module")
def pyinstaller(root: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Freeze the program in an environment that holds the wheel and little else; return what to run."""
    folder = tmp_path_factory.mktemp("freezing")
    venv.create(folder / "environment", with_pip=True)
    binaries = folder / "environment" / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(binaries / "python"), "-m", "pip", "install", "--quiet", "--constraint", str(root / "constraints.txt")]
    subprocess.run([*pip, f"{wheel}[cpu,mic]", "pyinstaller"], check=True, capture_output=True)

    def freeze(place: Path, program: str, *options: str, configuration: str = "{}") -> Path:
        (place / "app.py").write_text(program)
        make = [str(binaries / "pyi-makespec"), *options, "app.py"]
        subprocess.run(make, cwd=place, check=True, capture_output=True)
        spec = (place / "app.spec").read_text()
        assert "hooksconfig={}" in spec
        (place / "app.spec").write_text(spec.replace("hooksconfig={}", f"hooksconfig={configuration}"))
        command = [str(binaries / "pyinstaller"), "--noconfirm", "--log-level", "ERROR", "app.spec"]
        subprocess.run(command, cwd=place, check=True, capture_output=True)
        return place / "dist" / "app"

    return freeze


@pytest.fixture(scope="module")
def program(pyinstaller: Callable[..., Path], head: edgevoice.Head, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program in a folder, all models and a head with it: what `pyinstaller --add-data head.onnx:. app.py` makes."""
    place = tmp_path_factory.mktemp("folder")
    (place / "head.onnx").write_bytes(head.data)
    return pyinstaller(place, PROGRAM, "--add-data", f"head.onnx{os.pathsep}.") / "app"


def bare(home: Path, **more: str) -> dict[str, str]:
    """An environment without Python."""
    home.mkdir()
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", **more}


def check(told: dict[str, Any], speech: Path) -> None:
    expected = edgevoice.load("cae-64").extract(speech).values
    assert np.array(told["frames"], np.float32).tobytes() == expected.tobytes()


def test_a_frozen_program_computes_what_python_computes_and_sends_nothing(
    program: Path, head: edgevoice.Head, root: Path, speech: Path, tmp_path: Path
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    environment = bare(tmp_path / "home")
    traced = ["strace", "-f", "-qq", "-e", "trace=socket,connect,sendto", "-o", str(tmp_path / "calls")]
    done = subprocess.run(
        [*traced, program, speech, "11"], cwd="/", env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    check(told, speech)
    expected = head.decide(edgevoice.load("cae-64").extract(speech))
    assert len(expected) > 10
    assert told["decisions"] == [decision.to_dict() for decision in expected]
    assert told["models"] == sorted(path.name for path in (root / "models").iterdir())
    assert re.findall(r"AF_INET6?", (tmp_path / "calls").read_text()) == []
    assert list((tmp_path / "home").iterdir()) == []
    inside = {path.name for path in program.parent.rglob("*")}
    assert "model.json" in inside
    assert not inside & {"network.pt", "history.png", "example.png", "pandas", "matplotlib", "torch", "pytest"}
    assert not inside & {"sklearn", "scipy", "onnx", "pyarrow"}


def test_a_frozen_program_hears_the_microphone(
    program: Path, virtual_microphone: Callable[..., VirtualMicrophone], voice: np.ndarray, tmp_path: Path
) -> None:
    microphone = virtual_microphone("pipe")
    process = subprocess.Popen(
        [program],
        cwd="/",
        env={**microphone.environment, "PATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def talk() -> None:
        """Until the program has ended: how long it takes to begin depends on the machine."""
        with microphone.writer() as writer:
            for start in itertools.cycle(range(0, 160_000, 16_000)):
                if process.poll() is not None:
                    return
                speak(writer, voice[start : start + 16_000].tobytes(), 16_000)

    talking = threading.Thread(target=talk)
    talking.start()
    out, errors = process.communicate(timeout=300)
    talking.join()
    assert process.returncode == 0, errors
    frames = np.array(json.loads(out)["frames"], np.float32)
    assert frames.shape == (11, 192)
    assert np.isfinite(frames).all()
    assert len(np.unique(frames[:, 0])) == 11, "the same again and again: no sound came in"


def test_one_file_with_one_model_beside_a_program_on_node(
    pyinstaller: Callable[..., Path], head: edgevoice.Head, root: Path, speech: Path, tmp_path: Path
) -> None:
    """The command line as a sidecar, which `examples/sidecar.mjs` starts as Electron's main process would."""
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    program = pyinstaller(tmp_path, SIDECAR, "--onefile", configuration='{"edgevoice": {"models": ["cae-64"]}}')
    assert program.is_file()
    environment = bare(tmp_path / "home")
    listed = subprocess.run([program, "models", "--json"], cwd="/", env=environment, capture_output=True, check=True)
    assert [model["name"] for model in json.loads(listed.stdout)] == ["cae-64"]
    (tmp_path / "head.onnx").write_bytes(head.data)
    samples, _ = soundfile.read(speech, dtype="int16")
    words = [program, "--head", tmp_path / "head.onnx"]
    command = [shutil.which("node"), root / "examples" / "sidecar.mjs", *words]
    done = subprocess.run(command, cwd="/", env=environment, input=samples.tobytes(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    decisions = head.decide(edgevoice.load("cae-64").extract(speech))
    lines = [line.split() for line in done.stdout.decode().splitlines()]
    assert [said for _, said in lines[:6]] == ["listening"] * 6
    assert [(float(end), said) for end, said in lines[6:]] == [(decision.end, decision.label) for decision in decisions]

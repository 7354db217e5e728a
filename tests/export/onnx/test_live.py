"""The graph with a state gives the frames of `Stream`."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from edgevoice import ArgumentError, Extractor, ModelFolder, load
from edgevoice_export.cli import main
from edgevoice_export.onnx.graph import TRANSFORMS
from edgevoice_export.onnx.live import convert_to_live, describe

Run = Callable[[np.ndarray, np.ndarray, np.ndarray], list[Any]]
"""Samples, lost steps and state in, all outputs out."""


def by_onnxruntime(path: Path, open_session: Callable[[str], Any] = onnxruntime.InferenceSession) -> Run:
    session = open_session(str(path))
    return lambda samples, lost, state: list(session.run(None, {"samples": samples, "lost": lost, "state": state}))


def by_reference(path: Path) -> Run:
    return by_onnxruntime(path, ReferenceEvaluator)


def by_openvino(path: Path) -> Run:
    core = pytest.importorskip("openvino").Core()
    compiled = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda samples, lost, state: [*compiled({"samples": samples, "lost": lost, "state": state}).to_tuple()]


def by_tract(path: Path) -> Run:
    model = pytest.importorskip("tract").onnx().load(str(path)).into_model().into_runnable()
    return lambda samples, lost, state: [value.to_numpy() for value in model.run([samples, lost, state])]


class Live:
    """Sources of one session, hop by hop."""

    def __init__(
        self, folder: ModelFolder, transform: Any = "stft", runtime: Callable[[Path], Run] = by_onnxruntime
    ) -> None:
        self.model = convert_to_live(folder, transform)
        with TemporaryDirectory() as place:
            path = Path(place) / "live.onnx"
            path.write_bytes(self.model.SerializeToString())
            self.run = runtime(path)
        self.facts = describe(folder)
        self.extractor = load(folder.path)

    def frames(self, hops: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, bool, bool]]:
        """What the graph gives for one source."""
        state, found = np.zeros((1, self.facts["state"]), np.float32), []
        for samples, lost in hops:
            values, ready, silent, gap, state = self.run(samples[None], lost[None], state)
            if ready[0, 0]:
                found.append((values[0], bool(silent[0, 0]), bool(gap[0, 0])))
        return found

    def expected(self, hops: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, bool, bool]]:
        """What `Stream` gives."""
        stream, step, found = self.extractor.stream(rate=self.facts["rate"]), self.facts["step"], []
        for samples, lost in hops:
            for k, gone in enumerate(lost):
                block = stream.skip(step) if gone else stream.push(samples[k * step : (k + 1) * step])
                found += [(frame.values, frame.silent, frame.gap) for frame in block]
        return found

    def make(self, seed: int, hops: int, loudness: float, rate: float) -> list[tuple[np.ndarray, np.ndarray]]:
        rng, steps = np.random.default_rng(seed), self.facts["hop"] // self.facts["step"]
        made = []
        for _ in range(hops):
            loud = loudness * 10 ** rng.uniform(-2, 0)
            noise = loud * rng.standard_normal(self.facts["hop"]) + 0.05 * loudness
            made.append((noise.astype(np.float32), rng.random(steps) < rate))
        return made


def same(found: Any, expected: Any, tolerance: float = 1e-5) -> None:
    assert [flags for _, *flags in found] == [flags for _, *flags in expected]
    for (values, *_), (wanted, *_) in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, wanted, rtol=tolerance, atol=tolerance)


@pytest.fixture(scope="module")
def live(tiny: Extractor) -> Live:
    return Live(tiny.folder)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.integers(1, 7), st.sampled_from([0, 1e-5, 0.01, 0.3]), st.sampled_from([0, 0.1, 0.6, 1]))
def test_frames_of_stream(live: Live, seed: int, hops: int, loudness: float, rate: float) -> None:
    source = live.make(seed, hops, loudness, rate)
    same(live.frames(source), live.expected(source))


@pytest.mark.parametrize("name", ["cae-256", "cae-64", "light-256", "light-64", "rae-256", "rae-64", "lamprou-64"])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_shipped_models(name: str, transform: Any, speech: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = Live(load(name).folder, transform)
    assert capfd.readouterr() == ("", "")
    names = [node.name for node in model.model.graph.node]
    assert all(names)
    assert len(set(names)) == len(names)
    source = recording(model, speech)
    same(model.frames(source), model.expected(source))


RUNTIMES = [(by_reference, "stft"), (by_reference, "convolution"), (by_tract, "stft"), (by_tract, "convolution")]


@pytest.mark.parametrize(("runtime", "transform"), [*RUNTIMES, (by_openvino, "convolution")])
def test_other_runtimes(runtime: Callable[[Path], Run], transform: Any, speech: Path) -> None:
    model = Live(load("cae-64").folder, transform, runtime)
    source = recording(model, speech)
    same(model.frames(source), model.expected(source))


def recording(model: Live, speech: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    hop, steps = model.facts["hop"], model.facts["hop"] // model.facts["step"]
    samples = np.resize(soundfile.read(speech, dtype="float32")[0], 5 * hop).reshape(5, hop)
    return [(block, np.arange(steps) == k if k == 2 else np.zeros(steps, np.bool_)) for k, block in enumerate(samples)]


def test_a_fixed_gain(make_model: Callable[..., Path]) -> None:
    model = Live(ModelFolder.open(make_model(level={"default": 2.5})))
    source = model.make(3, 5, 0.2, 0.2)
    same(model.frames(source), model.expected(source))


def test_refuses_what_cannot_be_live(make_model: Callable[..., Path]) -> None:
    folder = ModelFolder.open(make_model(level={"default": "utterance"}))
    with pytest.raises(ArgumentError):
        convert_to_live(folder)


def test_command_without_pytorch(tiny: Extractor, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None\nfrom edgevoice_export.cli import main; sys.exit(main(sys.argv[1:]))\n"
    )
    path, vectors = tmp_path / "tiny.onnx", tmp_path / "vectors"
    words = ["live", str(tiny.folder.path), "-o", str(path), "--vectors", str(vectors)]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads((tmp_path / "tiny.onnx.json").read_text())
    assert facts == describe(tiny.folder)
    kept = {item.key: item.value for item in onnx.load(path).metadata_props}
    assert json.loads(kept["names"]) == facts["names"] == tiny.layout.names
    # The vectors say all that another program needs to try itself.
    stated = json.loads((vectors / "vectors.json").read_text())
    with wave.open(str(vectors / "samples.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (facts["rate"], 1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
    lost = np.array(stated["lost"], bool).reshape(-1, facts["hop"] // facts["step"])
    assert lost.any()
    found = Live(tiny.folder).frames(list(zip(samples.reshape(-1, facts["hop"]), lost, strict=True)))
    values = np.fromfile(vectors / "frames.f32", "<f4").reshape(-1, len(facts["names"]))
    same(found, list(zip(values, stated["silent"], stated["gap"], strict=True)))
    assert main(["live", str(tiny.folder.path), "-o", str(path)]) == 2
    for out, more in ((tiny.folder.path / "encoder.onnx", ["--force"]), (path.with_name("samples.wav"), [])):
        assert main(["live", str(tiny.folder.path), "-o", str(out), "--vectors", str(tmp_path), *more]) == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tiny.onnx", "tiny.onnx.json", "vectors"]

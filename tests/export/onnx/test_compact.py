"""Model folders with 8-bit weights: how far they drift, that they say so, and that they are used as any other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from onnx import helper

import edgevoice
from edgevoice import ModelFolder
from edgevoice.modelfolder import find_model
from edgevoice_export.cli import main
from edgevoice_export.onnx import compact
from edgevoice_export.onnx.compact import Difference, compact_graph
from edgevoice_export.onnx.halves import BlockCodes
from edgevoice_export.training.weights import unpack_weights
from onnxgraphs import graph, run

X = np.random.default_rng(1).standard_normal((9, 1024)).astype(np.float32)


@pytest.fixture(scope="module")
def source() -> ModelFolder:
    return find_model("cae-256")


@pytest.fixture(scope="module")
def made(source: ModelFolder, speech: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """It is made without PyTorch."""
    out = tmp_path_factory.mktemp("models") / "small"
    program = "import sys; sys.modules['torch'] = None\nfrom edgevoice_export.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["compact", str(source.path), "--out", str(out), "--audio", str(speech)]
    subprocess.run([sys.executable, "-c", program, *words], check=True, capture_output=True)
    return ModelFolder.open(out)


@given(
    weights=st_numpy.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, 3).map(lambda blocks: 64 * blocks)),
        elements=st.floats(-(2.0**20), 2.0**20, width=32, allow_subnormal=False),
        fill=st.sampled_from([0.0, 1.0, -1e-20]),
    )
)
def test_a_weight_is_off_by_half_a_scale_at_most(weights: np.ndarray) -> None:
    codes = BlockCodes.of(weights)
    assert codes.codes.min() >= 1
    error = np.abs(codes.weights() - weights).reshape(*codes.scales.shape, 64)
    assert (error <= 0.5001 * codes.scales[:, :, None]).all()
    largest = np.abs(weights).reshape(*codes.scales.shape, 64).max(axis=2)
    assert (codes.scales[largest > 0] <= largest[largest > 0] / 126.9).all()


def test_a_product_of_codes_is_that_of_the_weights(make_product: Callable[..., onnx.ModelProto]) -> None:
    model = make_product()
    before = run(model, X)
    assert compact_graph(model) == ["w"]
    assert [node.op_type for node in model.graph.node] == ["MatMulNBits"]
    drift = Difference.between(run(model, X), before)
    assert 0 < drift.relative < 0.02


@pytest.fixture
def make_product() -> Callable[..., onnx.ModelProto]:
    def make(rows: int = 256, columns: int = 1024, bias: bool = True, **attributes: float) -> onnx.ModelProto:
        rng = np.random.default_rng(0)
        arrays = {"w": rng.standard_normal((rows, columns)), "b": rng.standard_normal(rows)}
        inputs = ["x", "w", *(["b"] if bias else [])]
        node = helper.make_node("Gemm", inputs, ["y"], **({"transB": 1} | attributes))
        return graph([node], {name: arrays[name].astype(np.float32) for name in inputs[1:]}, ["n", columns])

    return make


@pytest.mark.parametrize(
    "changes", [{"rows": 255}, {"columns": 1025}, {"transB": 0}, {"alpha": 2.0}, {"beta": 0.5}, {"transA": 1}], ids=str
)
def test_products_that_stay_as_they_are(make_product: Callable[..., onnx.ModelProto], changes: dict[str, float]) -> None:
    model = make_product(**changes)
    before = model.SerializeToString()
    assert compact_graph(model) == []
    assert model.SerializeToString() == before


def test_it_says_what_it_is(made: ModelFolder, source: ModelFolder) -> None:
    config = made.config
    made.verify()
    assert config.name == "cae-256-int8"
    stated = config.origin["compact"]
    assert stated["model"] == f"cae-256 {find_model('cae-256').config.version}"
    assert stated["files"] == {name: source.config.files[name] for name in ("encoder.onnx", "decoder.onnx")}
    assert stated["weights"] == {"encoder.onnx": ("linear.weight",), "decoder.onnx": ("decoder.linear.weight",)}
    assert config.origin["trained_on"] == source.config.origin["trained_on"]
    card = (made.path / "README.md").read_text(encoding="utf-8")
    for name in stated["files"]:
        size = (made.path / name).stat().st_size
        assert size < 0.65 * (source.path / name).stat().st_size
        assert str(size) in card
    assert "windows of speech.wav" in card


def test_it_drifts_by_what_it_says(made: ModelFolder, source: ModelFolder, speech: Path) -> None:
    ours, theirs = (edgevoice.load(folder.path).extract(speech) for folder in (made, source))
    stated = made.config.origin["compact"]["drift"]
    for name in ("bottleneck", "error"):
        drift = Difference.between(getattr(ours, name), getattr(theirs, name))
        assert drift.rms == pytest.approx(stated[name]["rms"], rel=0.3)
        assert drift.largest == pytest.approx(stated[name]["largest"], rel=0.5)
    assert 0 < Difference.between(ours.bottleneck, theirs.bottleneck).relative < 0.015


def test_it_is_verified_and_trained_from(made: ModelFolder, source: ModelFolder, speech: Path) -> None:
    assert main(["verify", str(made.path), "--audio", str(speech)]) == 0
    assert main(["verify", str(made.path), "--audio", str(speech), "--tolerance", "1e-5"]) == 1
    ours, theirs = unpack_weights(made), unpack_weights(source)
    for name, tensor in theirs.tensors.items():
        difference = (ours.tensors[name] - tensor).abs().max()
        assert difference <= (tensor.abs().max() / 250 if name.endswith("linear.weight") else 0)


def test_a_package_has_no_weights_as_they_were_trained(source: ModelFolder, tmp_path: Path) -> None:
    shutil.copytree(source.path, tmp_path / "model", ignore=shutil.ignore_patterns("network.pt"))
    assert main(["compact", str(tmp_path / "model"), "--out", str(tmp_path / "small"), "--windows", "7"]) == 0
    assert not ModelFolder.open(tmp_path / "small").config.training


def test_what_is_refused(
    made: ModelFolder,
    source: ModelFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def code(model: Path, out: Path, windows: int = 7) -> int:
        return main(["compact", str(model), "--out", str(out), "--windows", str(windows)])

    assert code(made.path, tmp_path / "twice") == 2
    assert code(source.path, source.path) == 2
    assert code(source.path, tmp_path, 6) == 2
    with monkeypatch.context() as patched:
        patched.setattr(compact, "_SMALLEST", 1 << 30)
        assert code(source.path, tmp_path / "none") == 2
    monkeypatch.setattr(compact, "LIMIT", 1e-4)
    assert code(source.path, tmp_path / "far") == 1
    assert list(tmp_path.iterdir()) == []

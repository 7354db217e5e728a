"""Model folders: found, listed, verified, broken in every way."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

import edgevoice
from edgevoice import ModelConfig, ModelFilesError, ModelNotFoundError, config
from edgevoice.modelfolder import search_path, shipped_models, user_models
from fewerexamples import fewer_examples


@pytest.fixture
def broken(make_model: Callable[..., Path]) -> Path:
    """A model folder to damage."""
    return make_model()


@pytest.fixture
def library(tmp_path: Path, broken: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of model folders, searched first."""
    monkeypatch.setenv("EDGEVOICE_MODELS", str(tmp_path))
    shutil.copytree(broken, tmp_path / "mine")
    return tmp_path


def put(folder: Path, name: str, content: bytes) -> None:
    """Replace a network, and its digest with it."""
    (folder / name).write_bytes(content)
    data = json.loads((folder / "model.json").read_text())
    data["files"][name] = "sha256:" + hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(data))


def test_by_name_and_by_path(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for model in ("mine", library / "mine", str(library / "mine")):
        assert edgevoice.find_model(model).path == library / "mine"
    monkeypatch.chdir(library)
    assert edgevoice.find_model("./mine").config.name == "tiny"
    assert "mine" in [folder.path.name for folder in edgevoice.list_models()]


def test_the_first_of_a_name_is_taken(
    library: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(library / "mine", other / "mine")
    monkeypatch.setenv("EDGEVOICE_MODELS", f"{other}{os.pathsep}{library}")
    assert edgevoice.find_model("mine").path == other / "mine"
    assert [folder.path for folder in edgevoice.list_models() if folder.path.name == "mine"] == [other / "mine"]


def test_the_search_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEVOICE_MODELS", raising=False)
    assert search_path() == [user_models(), shipped_models()]


def test_a_checkout_uses_its_own_models(root: Path) -> None:
    if Path(edgevoice.__file__).resolve().parents[2] != root:
        pytest.skip("EdgeVoice is installed, not run from the checkout")
    assert shipped_models() == root / "models"


@pytest.mark.parametrize("name", ["nowhere", "", ".", "..", "/nowhere/model", "a/b", "no\0thing", "x" * 300])
def test_a_model_that_is_not_there(name: str, library: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"known models: .*mine"):
        edgevoice.load(name)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "name", "message"),
    [
        (Path.unlink, "encoder.onnx", r"encoder\.onnx: cannot be read"),
        (Path.unlink, "decoder.onnx", r"decoder\.onnx: cannot be read"),
        (Path.unlink, "model.json", "not a model folder|no model"),
        (_alter, "encoder.onnx", "is not the file that"),
        (_alter, "decoder.onnx", "is not the file that"),
        (_pipe, "encoder.onnx", "no regular file"),
        (_pipe, "model.json", "not a model folder|no model"),
    ],
)
def test_a_folder_that_was_damaged(broken: Path, damage: Callable[[Path], object], name: str, message: str) -> None:
    folder = edgevoice.find_model(broken)
    damage(broken / name)
    with pytest.raises(ModelFilesError if name.endswith("onnx") else ModelNotFoundError, match=message):
        edgevoice.load(broken)
    if name.endswith("onnx"):
        with pytest.raises(ModelFilesError, match=message):
            folder.verify()


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x09" * 400])
def test_a_network_that_is_none(broken: Path, content: bytes) -> None:
    put(broken, "encoder.onnx", content)
    with pytest.raises(ModelFilesError, match=r"encoder\.onnx"):
        edgevoice.load(broken)


def identity(name: str, output: str, *shape: int | str) -> bytes:
    node = helper.make_node("Identity", [name], [output])
    values = [helper.make_tensor_value_info(value, TensorProto.FLOAT, shape) for value in (name, output)]
    graph = helper.make_graph([node], "identity", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


@pytest.mark.parametrize(
    "content",
    [
        identity("image", "bottleneck", "n", 1, 128, 126),
        identity("spectrogram", "code", "n", 1, 128, 126),
        identity("spectrogram", "bottleneck", "n", 1, 128, 126),
        identity("spectrogram", "bottleneck", 1, 1, 128, 126),
        identity("spectrogram", "bottleneck", "n", 8),
    ],
)
def test_a_network_of_another_shape(broken: Path, content: bytes) -> None:
    put(broken, "encoder.onnx", content)
    with pytest.raises(ModelFilesError, match=r"encoder\.onnx: "):
        edgevoice.load(broken)


def test_a_user_without_a_home_has_the_shipped_models(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", fail)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert search_path() == [library, shipped_models()]


def test_a_broken_folder_among_others_is_not_listed(library: Path) -> None:
    (library / "folder" / "model.json").mkdir(parents=True)
    (library / "broken").mkdir()
    (library / "broken" / "model.json").write_text("{")
    names = [folder.path.name for folder in edgevoice.list_models()]
    assert "mine" in names
    assert "broken" not in names


def _varint(number: int) -> bytes:
    return bytes([number & 127 | 128]) + _varint(number >> 7) if number > 127 else bytes([number])


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


@pytest.mark.parametrize("way", ["initializer", "attribute", "subgraph", "sparse", "function", "second graph", "long key"])
def test_weights_in_another_file_are_found_wherever_a_tensor_can_be(way: str, broken: Path) -> None:
    # The value before its key, which is as good in protobuf.
    tensor = _field(13, _field(2, b"weights.bin") + _field(1, b"location")) + b"\x70\x01"
    node = _field(1, _field(5, _field(5, tensor)))
    added = {
        "initializer": _field(7, _field(5, tensor)),
        "attribute": _field(7, node),
        "subgraph": _field(7, _field(1, _field(5, _field(6, node)))),
        "sparse": _field(7, _field(15, _field(1, tensor))),
        "function": _field(25, _field(7, _field(5, _field(5, tensor)))),
        "long key": _field(7, _field(5 + (1 << 29), tensor)),  # protobuf keeps 32 bits of it
        "second graph": _field(7, b"") + _field(7, _field(5, b"\x70\x01")),
    }
    put(broken, "encoder.onnx", (broken / "encoder.onnx").read_bytes() + added[way])
    with pytest.raises(ModelFilesError, match="must contain its own"):
        edgevoice.load(broken)


@pytest.mark.parametrize("end", [b"\x3a", b"\x3a\xff\xff\xff\xff\x0f", b"\x80" * 11, b"\x3b"])
def test_what_is_no_onnx_file_is_refused(end: bytes, broken: Path) -> None:
    put(broken, "encoder.onnx", (broken / "encoder.onnx").read_bytes() + end)
    with pytest.raises(ModelFilesError, match="is no ONNX file"):
        edgevoice.load(broken)


def test_many_keys_are_read_in_linear_time() -> None:
    many = ", ".join(f'"k{k}": 1' for k in range(100_000))
    with pytest.raises(edgevoice.ModelConfigError):
        ModelConfig.from_dict(json.loads("{" + many + "}"))
    pairs = [(f"k{k}", 1) for k in range(200_000)]
    with pytest.raises(edgevoice.ModelConfigError, match="twice"):
        config._unique([*pairs, ("k199999", 2)])


@fewer_examples(25)
@given(
    changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=8),
    end=st.integers(0, 400),
)
def test_a_mutated_network_is_a_model_error_or_computes(
    changes: list[tuple[int, int]], end: int, tiny_model: Path, noise: np.ndarray
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = shutil.copytree(tiny_model, Path(place) / "tiny")
        content = bytearray((folder / "encoder.onnx").read_bytes())
        for at, value in changes:
            content[at % min(len(content), 600)] = value  # most of the file is weights
        put(folder, "encoder.onnx", bytes(content[: len(content) - end]))
        with contextlib.suppress(edgevoice.ModelError, edgevoice.ProviderError, edgevoice.DeviceMemoryError):
            edgevoice.load(folder).encode(noise[:8000])

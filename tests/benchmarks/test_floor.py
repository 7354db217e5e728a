"""Products are counted as arithmetic says, and the floor is made of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.floor import Arithmetic, Floor, _best, _rates, main, operator_times
from edgevoice import Extractor, ModelFolder


def folder_with(tmp_path: Path, node: Any, shape: list[int], **weights: np.ndarray) -> Any:
    """Something with the `read` of a model folder, and one network of one operator."""
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(array if array.dtype == np.uint8 else array.astype(np.float32), name)
            for name, array in weights.items()
        ],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)

    class Folder:
        def locate(self, name: str) -> Path:
            (tmp_path / name).write_bytes(model.SerializeToString())
            return tmp_path / name

    return Folder()


@pytest.mark.parametrize(
    ("node", "shape", "weights", "operations", "size"),
    [
        ({"op_type": "Conv", "pads": [1, 1, 1, 1]}, (1, 3, 8, 9), {"w": (5, 3, 3, 3)}, 2 * 5 * 8 * 9 * 27, 4 * 135),
        ({"op_type": "ConvTranspose"}, (1, 3, 8, 9), {"w": (3, 5, 2, 2)}, 2 * 3 * 8 * 9 * 20, 4 * 60),
        ({"op_type": "MatMul"}, (2, 7), {"w": (7, 11)}, 2 * 2 * 7 * 11, 4 * 77),
        ({"op_type": "Gemm", "transB": 1}, (2, 7), {"w": (11, 7), "b": (11,)}, 2 * 2 * 7 * 11, 4 * 88),
        ({"op_type": "LSTM", "hidden_size": 6}, (5, 1, 4), {"w": (1, 24, 4), "r": (1, 24, 6)}, 2 * 5 * 240, 4 * 240),
        ({"op_type": "Relu"}, (5, 1, 4), {}, 0, 0),
    ],
    ids=lambda value: value["op_type"] if isinstance(value, dict) and "op_type" in value else "",
)
def test_counts(
    tmp_path: Path, node: dict[str, Any], shape: tuple[int, ...], weights: dict[str, Any], operations: int, size: int
) -> None:
    made = helper.make_node(inputs=["x", *weights], outputs=["y"], **node)
    arrays = {name: np.ones(dimensions) for name, dimensions in weights.items()}
    folder = folder_with(tmp_path, made, list(shape), **arrays)
    assert Arithmetic.count(folder, "encoder.onnx", {"x": np.ones(shape, np.float32)}) == Arithmetic(operations, size)


def test_counts_weights_of_8_bits(tmp_path: Path) -> None:
    attributes = {"K": 64, "N": 11, "bits": 8, "block_size": 32, "accuracy_level": 4}
    node = helper.make_node("MatMulNBits", ["x", "w", "s", "", "", "b"], ["y"], domain="com.microsoft", **attributes)
    arrays = {"w": np.ones((11, 2, 32), np.uint8), "s": np.ones((11, 2)), "b": np.ones(11)}
    folder = folder_with(tmp_path, node, [3, 64], **arrays)
    found = Arithmetic.count(folder, "encoder.onnx", {"x": np.ones((3, 64), np.float32)})
    assert found == Arithmetic(2 * 3 * 64 * 11, 64 * 11 + 4 * 22 + 4 * 11)


def test_operators_of_the_network_that_is_run(tiny: Extractor, noise: np.ndarray) -> None:
    images = {"spectrogram": tiny.spectrogram(noise[:8000])[:, None]}
    times = operator_times(tiny.folder, "encoder.onnx", images, threads=1, runs=3)
    assert {name.split()[0] for name in times} == {"ReduceMean", "MatMul"}
    assert list(times.values()) == sorted(times.values(), reverse=True)


def test_operator_times_are_medians_in_seconds_after_a_warm_up(tiny: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    durations = [900] * 10 + [5, 7, 100]
    traced = [
        {"name": f"{node}_kernel_time", "args": {"op_name": "MatMul"}, "dur": factor * duration}
        for duration in durations
        for node, factor in (("small", 1), ("large", 2))
    ]
    monkeypatch.setattr("benchmarks.floor._trace", lambda *_, **__: traced)
    times = operator_times(tiny.folder, "encoder.onnx", {}, threads=1, runs=3)
    assert list(times) == ["MatMul large", "MatMul small"]
    assert list(times.values()) == pytest.approx([14e-6, 7e-6])


def test_nothing_is_left_where_it_was_run(
    tiny_model: Path, make_model: Callable[..., Path], noise: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = ModelFolder.open(tiny_model)
    Arithmetic.count(folder, "encoder.onnx", {"spectrogram": np.zeros((1, 1, 128, 126), np.float32)})
    assert not list(tmp_path.iterdir())


def test_floor_is_products_and_weights_one_after_the_other() -> None:
    floor = Floor(sgemm=100e9, read=50e9)
    assert floor.seconds(Arithmetic(100_000_000, 5_000_000)) == pytest.approx(1.1e-3)
    assert floor.best(Floor(90e9, 60e9)) == Floor(100e9, 60e9)


def test_rates_are_work_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.floor._best", lambda run: (run(), 0.5)[1])
    assert _rates(4 * 512 * 100) == {"sgemm": 4 * 512**3, "read": 2 * 4 * 512 * 100}


def test_the_best_of_many_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, durations = [0.0], iter([0.25, 0.125, 0.5])

    def run() -> None:
        clock[0] += next(durations)

    monkeypatch.setattr("benchmarks.floor.time.perf_counter", lambda: clock[0])
    assert _best(run) == 0.125


def test_rates_come_from_a_process_of_their_own() -> None:
    floor = Floor.measure(1_000_000, threads=1)
    assert min(floor.sgemm, floor.read) > 0


def test_table(tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Floor, "measure", lambda *_, **__: Floor(sgemm=2048e3, read=4096e3))
    monkeypatch.setattr(sys, "argv", ["floor", "--model", str(tiny_model), "--rounds", "3"])
    main()
    _, _, rates, _, _, encoder, decoder, *operators = capsys.readouterr().out.splitlines()
    assert rates == "products 0 Gop/s, weights 0 GB/s"
    # One product with a matrix of 128 x 8: its multiplications and additions take 1 ms at this rate, its bytes as long.
    name, again, floor, ratio, _, _ = encoder.split()
    assert (name, floor) == ("encoder.onnx", "2.000")
    assert float(ratio) == pytest.approx(float(again) / 2, abs=0.01)
    assert decoder.split()[0] == "decoder.onnx"
    assert any("MatMul" in line for line in operators)

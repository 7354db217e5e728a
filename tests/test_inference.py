"""What is asked of ONNX Runtime, and what is made of its answers, without a GPU."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevoice
from edgevoice import DeviceMemoryError, MissingPackageError, ModelFilesError, ProviderError
from fakeonnxruntime import CPU, CUDA, FakeRuntime

BATCHES = [1, 2, 4, 8, 16, 32, 64]


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeRuntime:
    """A fake `onnxruntime` with CUDA."""
    fake = FakeRuntime(str(tmp_path / "site" / "onnxruntime" / "__init__.py"))
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)  # type: ignore[arg-type]
    return fake


@pytest.fixture
def install(tmp_path: Path, runtime: FakeRuntime) -> Callable[[str], None]:
    """Leave the traces of an installed distribution beside the fake."""

    def install(name: str) -> None:
        (tmp_path / "site" / f"{name}-1.31.0.dist-info").mkdir(parents=True)

    return install


class TestOptions:
    """How sessions are made."""

    def test_cpu(self, runtime: FakeRuntime, tiny_model: Path) -> None:
        edgevoice.load(tiny_model, threads=3)
        assert len(runtime.sessions) == 2
        for session in runtime.sessions:
            assert session.providers == [(CPU, {})]
            options: Any = session.options
            assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
            assert options.enable_cpu_mem_arena is False
            assert options.entries == {"session.intra_op.allow_spinning": "0"}
            assert session.batches == []
            assert not session.fallback
        assert runtime.preloaded == 0

    @pytest.mark.parametrize(("device", "number"), [("cuda", "0"), ("cuda:0", "0"), ("cuda:3", "3")])
    def test_cuda(self, runtime: FakeRuntime, tiny_model: Path, device: str, number: str) -> None:
        extractor = edgevoice.load(tiny_model, device=device)
        assert extractor.device == device
        for session in runtime.sessions:
            (name, options), (rest, _) = session.providers
            assert (name, rest) == (CUDA, CPU)
            assert options == {"device_id": number, "cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
            assert not session.fallback

    def test_decoder_is_loaded_only_for_errors(self, runtime: FakeRuntime, tiny_model: Path) -> None:
        edgevoice.load(tiny_model, device="cuda", descriptors="bottleneck")
        assert [session.is_encoder for session in runtime.sessions] == [True]


class TestCannotBeUsed:
    """Never another device than the one that was asked for."""

    def test_no_runtime(self, monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
        monkeypatch.setitem(sys.modules, "onnxruntime", None)  # type: ignore[arg-type]
        with pytest.raises(MissingPackageError, match=r"pip install onnxruntime, or 'onnxruntime-gpu\[cuda,cudnn\]'"):
            edgevoice.load(tiny_model)

    def test_runtime_without_cuda(self, runtime: FakeRuntime, install: Callable[[str], None], tiny_model: Path) -> None:
        runtime.available = ["AzureExecutionProvider", CPU]
        install("onnxruntime")
        with pytest.raises(ProviderError, match=r"'cuda' needs 'onnxruntime-gpu\[cuda,cudnn\]': .*\(onnxruntime\) has only"):
            edgevoice.load(tiny_model, device="cuda")
        assert not runtime.sessions

    def test_silent_use_of_the_cpu(self, runtime: FakeRuntime, tiny_model: Path) -> None:
        runtime.used = [CPU]
        with pytest.raises(ProviderError, match="'cuda:1' was asked for, but ONNX Runtime would use CPUExecutionProvider"):
            edgevoice.load(tiny_model, device="cuda:1")

    def test_provider_that_does_not_start(self, runtime: FakeRuntime, tiny_model: Path) -> None:
        runtime.refusal = "CUDA failure 100: no CUDA-capable device is detected\nsecond line"
        with pytest.raises(ProviderError, match=r"'cuda' cannot be used: CUDA failure 100: .* detected$"):
            edgevoice.load(tiny_model, device="cuda")

    def test_network_that_does_not_load(self, runtime: FakeRuntime, tiny_model: Path) -> None:
        runtime.refusal = "Protobuf parsing failed"
        for device in ("cpu", "cuda"):
            with pytest.raises(ModelFilesError, match="cannot load it: Protobuf parsing failed"):
                edgevoice.load(tiny_model, device=device)


class TestBothPackages:
    """onnxruntime and onnxruntime-gpu overwrite each other."""

    def test_warns_where_load_was_called(self, install: Callable[[str], None], tiny_model: Path) -> None:
        install("onnxruntime")
        install("onnxruntime_gpu")
        with pytest.warns(RuntimeWarning, match="pip uninstall -y onnxruntime onnxruntime-gpu") as caught:
            edgevoice.load(tiny_model)
        assert {warning.filename for warning in caught} == {__file__}

    @pytest.mark.parametrize("name", ["onnxruntime", "onnxruntime_gpu", "onnxruntime_genai"])
    def test_one_is_as_it_should_be(self, install: Callable[[str], None], tiny_model: Path, name: str) -> None:
        install(name)
        install("onnxruntime_extensions")
        edgevoice.load(tiny_model)  # warnings are errors

    def test_is_an_error_when_cuda_is_gone(
        self, runtime: FakeRuntime, install: Callable[[str], None], tiny_model: Path
    ) -> None:
        install("onnxruntime")
        install("onnxruntime_gpu")
        runtime.available = [CPU]
        with pytest.raises(ProviderError, match=r"\(onnxruntime, onnxruntime-gpu\) has only CPUExecutionProvider"):
            edgevoice.load(tiny_model, device="cuda")


class TestBatches:
    """CUDA sees few shapes: each new one costs a search for kernels."""

    @pytest.mark.parametrize(
        ("count", "filled"),
        [(1, [1]), (2, [2]), (3, [4]), (9, [16]), (33, [64]), (64, [64]), (65, [64, 1]), (150, [64, 64, 32])],
    )
    def test_fills_up(
        self, runtime: FakeRuntime, tiny_model: Path, noise: np.ndarray, count: int, filled: list[int]
    ) -> None:
        windows = np.lib.stride_tricks.sliding_window_view(noise, 8000)[:count]
        extractor, plain = edgevoice.load(tiny_model, device="cuda"), edgevoice.load(tiny_model)
        encoder, decoder = runtime.sessions[:2]
        described = extractor.describe(windows)
        assert encoder.batches == decoder.batches == [1, *filled]
        assert described.tobytes() == plain.describe(windows).tobytes()

    def test_extract_goes_by_full_batches(self, runtime: FakeRuntime, tiny_model: Path, noise: np.ndarray) -> None:
        extractor = edgevoice.load(tiny_model, device="cuda")
        frames = len(extractor.extract((noise, 16000), hop=0.05))
        batches = runtime.sessions[0].batches[1:]
        assert frames == 191
        assert set(batches) <= set(BATCHES)
        assert batches == [64, 64, 64]  # the last one is filled up


class TestBits:
    """On the CPU a window has the same bits in any batch, or is run alone."""

    @pytest.fixture
    def windows(self, noise: np.ndarray) -> np.ndarray:
        return np.lib.stride_tricks.sliding_window_view(noise, 8000)[::2000][:21]

    @pytest.mark.parametrize("sizes", [{8}, {5}, {2, 3}, set(range(2, 65))])
    def test_live_is_offline_whatever_batches_do(
        self, runtime: FakeRuntime, tiny_model: Path, noise: np.ndarray, windows: np.ndarray, sizes: set[int]
    ) -> None:
        runtime.batch_sizes_with_other_bits = sizes
        extractor = edgevoice.load(tiny_model)
        assert extractor.batches == (8 not in sizes)
        described = extractor.describe(windows)
        assert described.tobytes() == b"".join(extractor.describe(window).tobytes() for window in windows)
        live = [extractor.stream(), extractor.stream()]
        blocks = [live[0].push(noise), *(live[1].push(chunk) for chunk in np.array_split(noise, 300))]
        assert np.concatenate([block.values for block in blocks[1:]]).tobytes() == blocks[0].values.tobytes()
        assert extractor.extract((noise, 16000), jobs=3).values.tobytes() == blocks[0].values.tobytes()

    def test_each_size_is_tried_once_and_only_when_it_is_used(
        self, runtime: FakeRuntime, tiny_model: Path, noise: np.ndarray, windows: np.ndarray
    ) -> None:
        extractor = edgevoice.load(tiny_model)
        encoder = runtime.sessions[0]
        extractor.describe(noise[:8000])
        assert encoder.batches == [1]
        extractor.describe(windows[:8])
        assert encoder.batches == [1, 1, 1, 8, 8]
        extractor.describe(windows[:8])
        assert encoder.batches[5:] == [8]

    def test_other_devices_are_not_held_to_it(self, runtime: FakeRuntime, tiny_model: Path, windows: np.ndarray) -> None:
        runtime.batch_sizes_with_other_bits = {32}
        extractor = edgevoice.load(tiny_model, device="cuda")
        assert extractor.batches
        extractor.describe(windows)
        assert runtime.sessions[0].batches == [1, 32]


class TestQuiet:
    """Nothing of ONNX Runtime's own is printed or sent that was not asked for."""

    def test_errors_only_before_sessions_have_a_severity_of_their_own(
        self, runtime: FakeRuntime, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        edgevoice.load(tiny_model)
        assert runtime.severity is None  # whoever imported it before has decided
        monkeypatch.delitem(sys.modules, "onnxruntime")
        monkeypatch.setattr("builtins.__import__", _importing(runtime))
        edgevoice.load(tiny_model)
        assert runtime.severity == 3
        assert {session.options.log_severity_level for session in runtime.sessions} == {3}

    @pytest.mark.parametrize("device", ["cpu", "cuda:7"])
    def test_a_real_session_says_nothing(self, tiny_model: Path, tmp_path: Path, device: str) -> None:
        home = tmp_path / "home"
        home.mkdir()
        code = (
            "import sys, numpy, edgevoice\n"
            "try: edgevoice.load(sys.argv[1], device=sys.argv[2]).describe(numpy.zeros((3, 8000), numpy.float32))\n"
            "except edgevoice.ProviderError: pass\n"
        )
        names = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
        environment = {name: os.environ[name] for name in names if name in os.environ} | {"HOME": str(home)}
        command = [sys.executable, "-c", code, str(tiny_model), device]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert (result.stdout, result.stderr) == ("", "")
        assert list(home.iterdir()) == []


def _importing(runtime: FakeRuntime) -> Callable[..., Any]:
    original = builtins.__import__

    def importing(name: str, *arguments: Any, **settings: Any) -> Any:
        return runtime if name == "onnxruntime" else original(name, *arguments, **settings)

    return importing


class TestFailures:
    """A run that fails says on which device, and what to do."""

    @pytest.mark.parametrize(
        "message", ["CUDA out of memory", "Failed to allocate memory for requested buffer of size 17", "bad_alloc"]
    )
    def test_memory(self, runtime: FakeRuntime, tiny_model: Path, noise: np.ndarray, message: str) -> None:
        extractor = edgevoice.load(tiny_model)
        runtime.failure = message
        with pytest.raises(DeviceMemoryError, match="1 windows at once do not fit into the memory of cpu"):
            extractor.encode(noise[:8000])

    def test_anything_else(self, runtime: FakeRuntime, tiny_model: Path, noise: np.ndarray) -> None:
        extractor = edgevoice.load(tiny_model, device="cuda")
        runtime.failure = "CUDNN_STATUS_EXECUTION_FAILED\nmore"
        with pytest.raises(ProviderError, match=r"failed on cuda: CUDNN_STATUS_EXECUTION_FAILED$"):
            extractor.encode(noise[:8000])

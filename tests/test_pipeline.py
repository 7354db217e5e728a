"""A device that makes the spectrograms too, tried with the CPU as that device: the same graphs, bound to main memory."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.frontend import FrontEnd
from edgevoice.pipeline import DevicePipeline, HostPipeline
from edgevoice.providers import PROVIDERS
from edgevoice_export.data.preprocessing import Preprocessing
from edgevoice_export.onnx.frontend import front_end_graph

SIZES = (1, 2, 4, 8)


@pytest.fixture
def with_graph(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model with a front end by convolution."""
    folder = shutil.copytree(tiny_model, tmp_path / "tiny")
    content = front_end_graph(
        Preprocessing.of(edgevoice.ModelFolder.open(folder).config), "convolution", 9
    ).SerializeToString()
    (folder / "frontend.onnx").write_bytes(content)
    data = json.loads((folder / "model.json").read_text())
    data["files"]["frontend.onnx"] = "sha256:" + hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(data))
    return folder


@pytest.fixture
def as_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU as a device with fixed batch sizes that makes the spectrograms."""
    changes = {"graph_front_end": True, "sizes": SIZES, "batch": 8, "exact": False, "concurrent": False}
    changed = dataclasses.replace(PROVIDERS["cpu"], **changes)
    monkeypatch.setitem(PROVIDERS, "cpu", changed)


def test_the_cpu_itself_uses_numpy(with_graph: Path) -> None:
    assert isinstance(edgevoice.load(with_graph)._pipeline, HostPipeline)


@pytest.mark.usefixtures("as_device")
def test_a_device_without_the_graph_gets_numpys_spectrograms(tiny_model: Path, speech: Path) -> None:
    extractor = edgevoice.load(tiny_model)
    assert isinstance(extractor._pipeline, HostPipeline)
    assert len(extractor.extract(speech)) > 0


@pytest.mark.parametrize("descriptors", ["all", "bottleneck", "error"])
def test_all_that_is_computed_is_the_same(
    descriptors: Any, with_graph: Path, speech: Path, request: pytest.FixtureRequest
) -> None:
    plain = edgevoice.load(with_graph, descriptors=descriptors)
    expected = plain.extract(speech)
    request.getfixturevalue("as_device")
    extractor = edgevoice.load(with_graph, descriptors=descriptors)
    assert isinstance(extractor._pipeline, DevicePipeline)
    features = extractor.extract(speech)
    np.testing.assert_allclose(features.values, expected.values, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(features.position, expected.position)
    windows = np.random.default_rng(0).uniform(-1, 1, (19, 8000)).astype(np.float32)
    for count in (1, 3, 8, 19):
        np.testing.assert_allclose(extractor.encode(windows[:count]), plain.encode(windows[:count]), rtol=0, atol=1e-4)
        np.testing.assert_allclose(extractor.describe(windows[:count]), plain.describe(windows[:count]), rtol=0, atol=1e-4)
    np.testing.assert_allclose(extractor.spectrogram(windows), plain.spectrogram(windows), rtol=0, atol=2e-4)
    if descriptors != "bottleneck":
        np.testing.assert_allclose(extractor.reconstruct(windows), plain.reconstruct(windows), rtol=0, atol=1e-4)


@pytest.mark.usefixtures("as_device")
@pytest.mark.parametrize("name", ["cae-256", "cae-64", "light-256", "light-64", "rae-256", "rae-64", "lamprou-64"])
def test_shipped_models_have_a_front_end_for_devices(name: str, speech: Path) -> None:
    extractor = edgevoice.load(name)
    assert isinstance(extractor._pipeline, DevicePipeline)
    samples = soundfile.read(speech, dtype="float32")[0]
    loud = np.resize(samples, 5 * extractor.config.audio.window)
    windows = (loud / np.abs(loud).max()).reshape(5, -1)
    found = extractor.describe(windows)
    host = HostPipeline(
        extractor._networks, FrontEnd(extractor.config.spectrogram, extractor.config.audio), extractor.layout, 8
    )
    np.testing.assert_allclose(found, host.describe(windows.astype(np.float32)), rtol=0, atol=1e-4)
    typical = extractor.config.typical
    assert typical is None or min(typical.spread) > 0


@pytest.mark.usefixtures("as_device")
def test_what_is_returned_is_new(with_graph: Path) -> None:
    extractor = edgevoice.load(with_graph)
    windows = np.random.default_rng(1).uniform(-1, 1, (2, 8000)).astype(np.float32)
    first = extractor.describe(windows[:1])
    kept = first.copy()
    assert (extractor.describe(windows[1:]) != first).any()
    np.testing.assert_array_equal(first, kept)


@pytest.mark.usefixtures("as_device")
def test_a_stream_and_a_batcher_go_through_the_device(with_graph: Path, speech: Path) -> None:
    extractor = edgevoice.load(with_graph)
    samples = np.random.default_rng(2).uniform(-0.1, 0.1, 30_000).astype(np.float32)
    stream, batcher = extractor.stream(), extractor.batcher()
    alone = stream.push(samples)
    members = [extractor.stream(batcher=batcher) for _ in range(3)]
    for member in members:
        member.push(samples)
    batcher.flush()
    taken: dict[object, list[np.ndarray]] = {member: [] for member in members}
    for member, features in batcher.take():
        taken[member].append(features.values)
    for values in taken.values():
        np.testing.assert_allclose(np.concatenate(values), alone.values, rtol=0, atol=1e-5)


@pytest.mark.usefixtures("as_device")
def test_threads_have_buffers_of_their_own(with_graph: Path) -> None:
    extractor = edgevoice.load(with_graph)
    windows = np.random.default_rng(3).uniform(-1, 1, (4, 8000)).astype(np.float32)
    expected = [extractor.describe(window) for window in windows]
    wrong: list[bool] = []

    def work(number: int) -> None:
        wrong.extend(bool((extractor.describe(windows[number]) != expected[number]).any()) for _ in range(50))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wrong) == 200
    assert not any(wrong)


@pytest.mark.usefixtures("as_device")
def test_out_of_memory_is_an_error_of_its_own_and_the_next_call_works(
    with_graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor = edgevoice.load(with_graph)
    window = np.zeros(8000, np.float32)
    expected = extractor.describe(window)
    chain: Any = extractor._pipeline._local.chains[1]

    def fail(*_: object) -> None:
        raise RuntimeError("Failed to allocate memory for requested buffer of size 1000000")

    with monkeypatch.context() as patched:
        patched.setattr(chain, "_compute", fail)
        with pytest.raises(edgevoice.DeviceMemoryError, match="1 windows at once do not fit into the memory of cpu"):
            extractor.describe(window)
        patched.setattr(chain, "_compute", lambda *_: (_ for _ in ()).throw(RuntimeError("illegal address")))
        with pytest.raises(edgevoice.ProviderError, match="ONNX Runtime failed on cpu: illegal address"):
            extractor.describe(window)
    np.testing.assert_array_equal(extractor.describe(window), expected)


def test_numbers_that_are_not_finite_are_an_error(
    tiny_model: Path, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor = edgevoice.load(tiny_model)
    stream = extractor.stream()
    monkeypatch.setattr(extractor._networks, "encode", lambda images: np.full((len(images), 8), np.nan, np.float32))
    for call in (
        lambda: stream.push(noise),
        lambda: extractor.encode(noise[:8000]),
        lambda: extractor.extract((noise, 16000)),
    ):
        with pytest.raises(edgevoice.ModelUseError):
            call()

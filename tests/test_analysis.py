"""Blocks of windows on several threads: the same bits, bounded, and nothing left behind."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgevoice.analysis import Concurrent, Pipeline
from hypothesis import given
from hypothesis import strategies as st

import edgevoice
from edgevoice import Extractor, Features
from edgevoice.features import Layout
from edgevoice.windows import Windows
from fewerexamples import fewer_examples

LAYOUT = Layout(bottleneck=1, error=0, rate=16000, window=4)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def block(number: int) -> Windows:
    one = np.array([number])
    return Windows(np.full((1, 4), number, np.float32), one, one, one * 1.0, one * 1.0, one < 0, one < 0, one * 1.0)


class Doubling:
    """Stands for front end and networks: the descriptor of a window is twice its first sample."""

    shape = (1, 1)
    on_device = False

    def __init__(self, before: Callable[[int], object] = lambda _: None) -> None:
        self._before = before

    def scratch(self) -> None: ...

    def compute(self, windows: Any, offset: Any, gain: Any, scratch: Any, out: Any) -> None:  # noqa: ARG002
        self._before(int(offset[0]))
        out[:] = windows[:, :1, None]

    def encode(self, images: np.ndarray) -> np.ndarray:
        return 2 * images[:, 0, 0]


def compute(blocks: Iterable[Windows], workers: int, before: Callable[[int], object] = lambda _: None) -> list[float]:
    double: Any = Doubling(before)
    with Concurrent(Pipeline(double, double, LAYOUT, 1), workers) as analysis:
        features = Features.join([*map(analysis.run, blocks), analysis.finish()], LAYOUT)
    return features.values[:, 0].tolist()


@pytest.mark.parametrize("workers", [2, 5])
def test_features_come_in_the_order_of_the_blocks(workers: int) -> None:
    ended = threading.Event()

    def before(number: int) -> None:
        if number == 3:
            ended.wait(60)  # until a later block is through
        if number == 4:
            ended.set()

    assert compute(map(block, range(20)), workers, before) == [2.0 * k for k in range(20)]
    assert compute(iter(()), workers) == []


@pytest.mark.parametrize("workers", [2, 4])
def test_as_many_blocks_as_workers_are_computed_at_once(workers: int) -> None:
    meeting = threading.Barrier(workers, timeout=60)
    assert len(compute(map(block, range(3 * workers)), workers, lambda _: meeting.wait())) == 3 * workers


def test_what_is_overwritten_later_was_copied() -> None:
    windows = block(0)

    def reused() -> Iterator[Windows]:
        for k in range(12):
            windows.samples[:] = k
            yield windows

    assert compute(reused(), 3) == [2.0 * k for k in range(12)]


@given(workers=st.integers(2, 6), count=st.integers(0, 40))
def test_few_batches_wait(workers: int, count: int) -> None:
    double: Any = Doubling()
    with Concurrent(Pipeline(double, double, LAYOUT, 1), workers) as analysis:
        given_out = 0
        for taken, windows in enumerate(map(block, range(count)), 1):
            given_out += len(analysis.run(windows))
            assert taken - given_out <= 2 * workers
        assert given_out + len(analysis.finish()) == count


@pytest.mark.parametrize("failing", [0, 1, 7, 29])
@pytest.mark.parametrize("workers", [2, 4])
def test_an_error_comes_out(workers: int, failing: int) -> None:
    def before(number: int) -> None:
        if number == failing:
            raise edgevoice.ProviderError("no more")

    with pytest.raises(edgevoice.ProviderError, match="no more"):
        compute(map(block, range(30)), workers, before)


def test_an_interrupt_comes_out() -> None:
    def before(number: int) -> None:
        if number == 9:
            _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt):
        compute(map(block, range(100_000)), 3, before)


def parts(features: Features) -> list[bytes]:
    names = ("values", "index", "position", "silent", "gap", "loudness", "offset", "gain")
    return [getattr(features, name).tobytes() for name in names]


@fewer_examples(25)
@given(
    workers=st.integers(1, 5),
    length=st.integers(8000, 160_000),
    hop=st.sampled_from([None, 0.05, 0.3, 0.5, 0.75]),
    level=st.sampled_from(["running", "window", 2.0]),
)
def test_any_workers_give_the_bits_of_a_stream(
    tiny: Extractor, noise: np.ndarray, workers: int, length: int, hop: float | None, level: Any
) -> None:
    features = tiny.extract((noise[:length], 16000), workers=workers, hop=hop, level=level)
    stream = tiny.stream(hop=hop, level=level)
    live = Features.join([stream.push(noise[:length]), stream.finish()], tiny.layout)
    assert parts(features) == parts(live)


def test_bad_samples_and_interrupts_end_an_extraction(tiny: Extractor, noise: np.ndarray) -> None:
    samples = np.tile(noise, 3)
    samples[-100] = np.nan
    with pytest.raises(edgevoice.SamplesError):
        tiny.extract((samples, 16000), workers=4)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiny.extract((np.tile(noise, 3), 16000), workers=4, progress=interrupt)


def test_one_worker_for_the_threads_of_one_computation(
    tiny_model: Path, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[int] = []

    def concurrent(pipeline: Pipeline, workers: int) -> Concurrent:
        chosen.append(workers)
        return Concurrent(pipeline, workers)

    monkeypatch.setattr("edgevoice.extractor.Concurrent", concurrent)
    for cores, threads in ((5, 1), (5, 2), (5, 8), (128, 1), (128, 32), (128, 200)):
        monkeypatch.setattr("edgevoice.extractor.usable_cores", lambda cores=cores: cores)
        edgevoice.load(tiny_model, threads=threads).extract((noise[:16_000], 16000))
    assert chosen == [5, 2, 8, 4]  # never more than 8; one worker is none


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "2", 5000])
def test_workers_that_are_none(tiny: Extractor, noise: np.ndarray, workers: Any) -> None:
    with pytest.raises(edgevoice.ArgumentError, match="workers"):
        tiny.extract((noise, 16000), workers=workers)

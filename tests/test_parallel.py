"""Blocks of windows on several threads: the same bits, bounded, and nothing left behind."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgevoice
from edgevoice import Extractor, Features
from edgevoice.features import Layout
from edgevoice.parallel import analysed, default_workers
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
    return Windows(np.full((1, 4), number, np.float32), one, one, one * 1.0, one * 1.0, one < 0, one < 0)


class Doubling:
    """An analysis of windows of one number: twice that number."""

    def __init__(self, before: Callable[[int], object] = lambda _: None) -> None:
        self._before = before

    def run(self, windows: Windows) -> Features:
        self._before(int(windows.number[0]))
        values = 2 * windows.samples[:, :1]
        return Features(values, windows.number, windows.start, windows.silent, windows.gap, LAYOUT)

    def finish(self) -> list[Features]:
        return []

    def reset(self) -> None: ...


def compute(blocks: Iterator[Windows], workers: int, before: Callable[[int], object] = lambda _: None) -> list[float]:
    return [float(features.values[0, 0]) for features in analysed(blocks, lambda: Doubling(before), workers)]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_features_come_in_the_order_of_the_blocks(workers: int) -> None:
    ended = threading.Event()

    def before(number: int) -> None:
        if number == 3 and workers > 1:
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


@given(workers=st.integers(1, 6), count=st.integers(0, 40), read=st.integers(0, 40))
def test_few_blocks_are_taken_ahead(workers: int, count: int, read: int) -> None:
    taken = 0

    def blocks() -> Iterator[Windows]:
        nonlocal taken
        for k in range(count):
            taken += 1
            yield block(k)

    before = threading.active_count()
    frames = analysed(blocks(), Doubling, workers)
    for given_out, _ in enumerate(zip(range(read), frames, strict=False), 1):
        assert taken <= given_out + 2 * workers
        assert threading.active_count() - before <= min(workers, taken) - 1
    frames.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("failing", [0, 1, 7, 29])
@pytest.mark.parametrize("workers", [1, 2, 4])
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
    return [getattr(features, name).tobytes() for name in ("values", "index", "start", "silent", "gap")]


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


def test_window_by_window_too(make_model: Callable[..., Path], noise: np.ndarray) -> None:
    extractor = edgevoice.load(make_model(batch_independent=False))
    alone = parts(extractor.extract((noise, 16000), workers=1))
    assert parts(extractor.extract((noise, 16000), workers=3)) == alone


def test_bad_samples_and_interrupts_end_an_extraction(tiny: Extractor, noise: np.ndarray) -> None:
    samples = np.tile(noise, 3)
    samples[-100] = np.nan
    with pytest.raises(edgevoice.SamplesError):
        tiny.extract((samples, 16000), workers=4)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiny.extract((np.tile(noise, 3), 16000), workers=4, progress=interrupt)


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The workers of each extraction, on a machine with five cores."""
    found: list[int] = []

    def seen(blocks: Any, new_analysis: Any, workers: int) -> Any:
        found.append(workers)
        return analysed(blocks, new_analysis, workers)

    monkeypatch.setattr("edgevoice.extractor.analysed", seen)
    monkeypatch.setattr("edgevoice.parallel.usable_cores", lambda: 5)
    return found


def test_one_worker_for_the_threads_of_one_computation(tiny_model: Path, noise: np.ndarray, chosen: list[int]) -> None:
    for threads in (1, 2, 8):
        edgevoice.load(tiny_model, threads=threads).extract((noise[:16_000], 16000))
    assert chosen == [5, 2, 1]


def test_few_workers_on_many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevoice.parallel.usable_cores", lambda: 128)
    assert [default_workers(threads) for threads in (1, 32, 200)] == [8, 4, 1]


def test_windows_that_belong_together_have_one_worker(
    make_model: Callable[..., Path], noise: np.ndarray, chosen: list[int]
) -> None:
    edgevoice.load(make_model(windows="together")).extract((noise[:16_000], 16000), workers=3)
    assert chosen == [1]


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "2", 5000])
def test_workers_that_are_none(tiny: Extractor, noise: np.ndarray, workers: Any) -> None:
    with pytest.raises(edgevoice.ArgumentError, match="workers"):
        tiny.extract((noise, 16000), workers=workers)

"""Windows of many owners, computed together: the bits of each alone, in order, and nobody gets another's."""

from __future__ import annotations

import _thread
import gc
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgevoice
from edgevoice import ArgumentError, Batcher, Extractor, Features, ModelUseError, ProviderError, Stream, StreamError
from edgevoice.features import Group, Layout
from edgevoice.inference import Networks
from edgevoice.pipeline import Pipeline
from edgevoice.windows import FACTS, Windows
from fewerexamples import fewer_examples

RATES = [16000, 8000, 44100, 16000, 48000]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())  # of earlier tests, which may end meanwhile
    yield
    gc.collect()  # a batcher that nobody holds any more ends its threads
    for thread in set(threading.enumerate()) - before:
        thread.join(60)  # one may be the last to hold it, and ends by itself
    assert set(threading.enumerate()) <= before


@pytest.fixture(params=[True, False], ids=["batches", "window by window"])
def extractor(tiny_model: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Extractor:
    if not request.param:
        monkeypatch.setattr(Networks, "_has_same_bits", lambda *_: False)
    return edgevoice.load(tiny_model)


def parts(blocks: Iterable[Features]) -> list[bytes]:
    """All that features say, as bytes."""
    blocks = list(blocks)
    return [np.concatenate([block.values for block in blocks]).tobytes()] + [
        np.concatenate([block.fact(name) for block in blocks]).tobytes() for name in FACTS.names or ()
    ]


def alone(stream: Stream, samples: np.ndarray, lost: int) -> list[bytes]:
    half = len(samples) // 2
    return parts([stream.push(samples[:half]), stream.skip(lost), stream.push(samples[half:]), stream.finish()])


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("pause", [1, 3, 1000])
def test_bits_are_those_of_streams_alone(extractor: Extractor, noise: np.ndarray, pause: int, threads: int) -> None:
    settings: list[dict[str, Any]] = [{"rate": rate, "hop": 0.25 + 0.05 * (k % 3)} for k, rate in enumerate(RATES)]
    recordings = [np.roll(noise, 7000 * k)[: 90_000 + 5000 * k] for k in range(len(RATES))]
    losses = [0, 3000, 0, 30_000, 1]
    expected = [
        alone(extractor.stream(**chosen), samples, lost)
        for chosen, samples, lost in zip(settings, recordings, losses, strict=True)
    ]
    batcher = extractor.batcher(threads)
    streams = [extractor.stream(**chosen, batcher=batcher) for chosen in settings]
    taken: dict[Stream, list[Features]] = {stream: [] for stream in streams}

    def take() -> None:
        batcher.flush()
        for stream, features in batcher.take():
            assert len(features)
            taken[stream].append(features)

    queues = [
        [*np.array_split(samples[: len(samples) // 2], 17), lost, *np.array_split(samples[len(samples) // 2 :], 5)]
        for samples, lost in zip(recordings, losses, strict=True)
    ]
    for number, turn in enumerate(zip(*queues, strict=True)):
        for stream, chunk in zip(streams, turn, strict=True):
            given = stream.skip(chunk) if isinstance(chunk, int) else stream.push(chunk)
            assert len(given) == 0
        if number % pause == 0:
            take()
    for stream in streams:
        assert len(stream.finish()) == 0
    take()
    assert [parts(taken[stream]) for stream in streams] == expected
    assert list(batcher.take()) == []


@fewer_examples(25)
@given(
    jobs=st.integers(1, 5),
    length=st.integers(8000, 160_000),
    hop=st.sampled_from([None, 0.05, 0.3, 0.5, 0.75]),
    level=st.sampled_from(["running", "window", 2.0]),
)
def test_any_jobs_give_the_bits_of_a_stream(
    tiny: Extractor, noise: np.ndarray, jobs: int, length: int, hop: float | None, level: Any
) -> None:
    features = tiny.extract((noise[:length], 16000), jobs=jobs, hop=hop, level=level)
    stream = tiny.stream(hop=hop, level=level)
    assert parts([features]) == parts([stream.push(noise[:length]), stream.finish()])


def interrupted_at(line: int, call: Callable[[], object]) -> bool:
    """Call something, with a KeyboardInterrupt at a line of the batcher or the stream; False if there are fewer."""
    seen = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal seen
        if Path(frame.f_code.co_filename).name not in ("batcher.py", "stream.py"):
            return None
        if event == "line":
            seen += 1
            if seen == line:
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False


@pytest.mark.parametrize("threads", [0, 2])
def test_an_interrupt_at_any_line_gives_no_owner_the_frames_of_another(
    tiny: Extractor, noise: np.ndarray, threads: int
) -> None:
    recordings = [np.roll(noise, 9000 * k)[:32_000] for k in range(2)]
    expected = [tiny.stream().push(samples) for samples in recordings]
    line = 0
    while True:
        line += 1 if threads == 0 else 7
        batcher = tiny.batcher(threads)
        streams = [tiny.stream(batcher=batcher) for _ in recordings]
        found: dict[Stream, list[Features]] = {stream: [] for stream in streams}

        def use() -> None:
            for first in (0, 16_000):
                for stream, samples in zip(streams, recordings, strict=True):  # noqa: B023
                    stream.push(samples[first : first + 16_000])
                batcher.flush()  # noqa: B023
                for stream, features in batcher.take():  # noqa: B023
                    found[stream].append(features)  # noqa: B023

        if not interrupted_at(line, use):
            break
        batcher.flush()
        for stream, features in batcher.take():
            found[stream].append(features)
        lost = {False: 0, True: 0}
        for stream, right in zip(streams, expected, strict=True):
            for features in found[stream]:
                assert features.values.tobytes() == right.values[features.index].tobytes()
                assert features.gain.tobytes() == right.gain[features.index].tobytes()
            indices = [index for features in found[stream] for index in features.index.tolist()]
            assert indices == sorted(set(indices))
            lost[stream.failure is not None] += stream.frames - len(indices)
        assert lost[False] <= 4, "more than what was on its way to the caller, and the streams do not know"
        batcher.close()
    assert line > 100


def test_reset_drops_what_waits(tiny: Extractor, noise: np.ndarray) -> None:
    batcher = tiny.batcher()
    one, other = tiny.stream(batcher=batcher), tiny.stream(batcher=batcher)
    for stream in (one, other):
        stream.push(noise[:30_000])
    one.reset()
    one.push(noise[40_000:60_000])
    batcher.flush()
    taken: dict[Stream, list[Features]] = {one: [], other: []}
    for stream, features in batcher.take():
        taken[stream].append(features)
    assert parts(taken[one]) == parts([tiny.stream().push(noise[40_000:60_000])])
    assert parts(taken[other]) == parts([tiny.stream().push(noise[:30_000])])


def test_what_is_taken_stays(tiny: Extractor, noise: np.ndarray) -> None:
    batcher = tiny.batcher()
    stream = tiny.stream(batcher=batcher)
    stream.push(noise[:20_000])
    batcher.flush()
    ((_, features),) = batcher.take()
    before = parts([features])
    stream.push(noise[20_000:90_000])
    batcher.flush()
    assert len(list(batcher.take())) > 0
    assert parts([features]) == before


def test_refuses_what_a_stream_refuses_and_other_batchers(tiny: Extractor, tiny_model: Path) -> None:
    with pytest.raises(ModelUseError):
        tiny.stream(level="utterance", batcher=tiny.batcher())
    with pytest.raises(ArgumentError, match="one that this extractor made"):
        tiny.stream(batcher=edgevoice.load(tiny_model).batcher())
    for wrong in (-1, 1.5, True, "2", 5000):
        with pytest.raises(ArgumentError, match="threads"):
            tiny.batcher(wrong)  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match="jobs"):
            tiny.extract((np.zeros(8000), 16000), jobs=wrong)  # type: ignore[arg-type]


def test_two_threads_at_once_are_refused(tiny: Extractor, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    batcher = tiny.batcher()
    stream, other = tiny.stream(batcher=batcher), tiny.stream(batcher=batcher)
    refused: list[BaseException] = []

    def second() -> None:
        for call in (batcher.flush, lambda: next(batcher.take()), lambda: other.push(noise[:8000])):
            try:
                call()
            except StreamError as error:
                refused.append(error)

    def describe(*arguments: Any) -> Any:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        return original(*arguments)

    original = batcher.pipeline.describe
    monkeypatch.setattr(batcher.pipeline, "describe", describe)
    stream.push(noise[:8000])
    batcher.flush()
    assert len(refused) == 3
    monkeypatch.undo()
    assert [(owner, len(features)) for owner, features in batcher.take()] == [(stream, 1)]


def test_all_owners_of_a_batch_that_failed_know_and_the_others_go_on(
    make_model: Callable[..., Path], noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor = edgevoice.load(make_model())
    batcher = extractor.batcher()
    failed = [extractor.stream(batcher=batcher) for _ in range(2)]
    later = extractor.stream(batcher=batcher)

    def fail(*_: object) -> Any:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(batcher.pipeline, "describe", fail)
        for stream in failed:
            stream.push(noise[:10_000])
        batcher.flush()
    later.push(noise)
    later.finish()
    batcher.flush()
    with pytest.raises(MemoryError):
        list(batcher.take())
    found = list(batcher.take())
    assert {owner for owner, _ in found} == {later}
    assert parts(features for _, features in found) == parts([extractor.extract((noise, 16000))])
    for stream in failed:
        assert isinstance(stream.failure, MemoryError)
        with pytest.raises(StreamError):
            stream.push(noise)
        stream.reset()
        stream.push(noise[:8000])


class Doubling(Pipeline):
    """Stands for front end and networks: the descriptor of a window is twice its first sample."""

    def __init__(self, before: Callable[[int], object] = lambda _: None) -> None:
        networks: Any = type("Networks", (), {"window": 4})
        super().__init__(networks, Layout((Group("bottleneck", 1),), 16000, 4), 1)
        self._before = before

    def _run(self, samples: np.ndarray, wanted: Any, offset: Any, gain: Any) -> list[np.ndarray]:  # noqa: ARG002
        self._before(int(samples[0, 0]))
        return [2 * samples[:, :1]]


def anyone() -> Any:
    """An owner to whom a failure is nothing."""
    return type("Anyone", (), {"fail": lambda *_: None})()


def window(number: int) -> Windows:
    return Windows(np.full((1, 4), number, np.float32), np.zeros(1, FACTS))


def compute(count: int, threads: int, before: Callable[[int], object] = lambda _: None) -> list[float]:
    batcher, owner, found = Batcher(Doubling(before), threads), anyone(), []
    try:
        for k in range(count):
            batcher.put(owner, window(k))
            found += [features.values.item() for _, features in batcher.take(wait=False)]
        return found + [features.values.item() for _, features in batcher.take()]
    finally:
        batcher.close()


@pytest.mark.parametrize("threads", [2, 5])
def test_features_come_in_the_order_of_the_windows(threads: int) -> None:
    ended = threading.Event()

    def before(number: int) -> None:
        if number == 3:
            ended.wait(60)  # until a later one is through
        if number == 4:
            ended.set()

    assert compute(20, threads, before) == [2.0 * k for k in range(20)]


@pytest.mark.parametrize("threads", [2, 4])
def test_as_many_batches_as_threads_are_computed_at_once(threads: int) -> None:
    meeting = threading.Barrier(threads, timeout=60)
    assert len(compute(3 * threads, threads, lambda k: k < threads and meeting.wait())) == 3 * threads


@given(threads=st.integers(1, 6), count=st.integers(0, 40))
@fewer_examples(30)
def test_few_batches_wait(threads: int, count: int) -> None:
    batcher, owner, taken = Batcher(Doubling(), threads), anyone(), 0
    for k in range(count):
        batcher.put(owner, window(k))
        taken += len(list(batcher.take(wait=False)))
    assert taken + len(list(batcher.take())) == count
    waiting = threading.Event()
    slow = Batcher(Doubling(lambda _: waiting.wait(60)), threads)
    for k in range(2 * threads):
        slow.put(owner, window(k))  # one more would wait
    waiting.set()
    for each in (batcher, slow):
        each.close()


@pytest.mark.parametrize("failing", [0, 1, 7, 29])
@pytest.mark.parametrize("threads", [0, 2, 4])
def test_an_error_comes_out(threads: int, failing: int) -> None:
    def before(number: int) -> None:
        if number == failing:
            raise ProviderError("no more")

    with pytest.raises(ProviderError):
        compute(30, threads, before)


def test_an_interrupt_comes_out() -> None:
    def before(number: int) -> None:
        if number == 9:
            _thread.interrupt_main()

    with pytest.raises(KeyboardInterrupt):
        compute(100_000, 3, before)


def test_where_no_thread_is_to_be_had_the_calling_one_computes(
    tiny: Extractor, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    expected = parts([tiny.extract((noise, 16000), jobs=1)])
    monkeypatch.setattr(threading.Thread, "start", start)
    assert parts([edgevoice.load(tiny.folder).extract((noise, 16000), jobs=3)]) == expected


def test_short_recordings_share_batches(tiny_model: Path, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = edgevoice.load(tiny_model)
    batcher = extractor.batcher()
    monkeypatch.setattr(batcher.pipeline, "size", 64)
    sizes: list[int] = []
    describe = batcher.pipeline.describe
    monkeypatch.setattr(batcher.pipeline, "describe", lambda *a: (sizes.append(len(a[0])), describe(*a))[1])
    streams = [extractor.stream(batcher=batcher) for _ in range(20)]
    for stream in streams:
        stream.push(noise[:32_000])
        stream.finish()
    batcher.flush()
    assert sum(len(features) for _, features in batcher.take()) == 20 * 7
    assert sizes == [64, 64, 12]


def test_bad_samples_and_interrupts_end_an_extraction(tiny: Extractor, noise: np.ndarray) -> None:
    samples = np.tile(noise, 3)
    samples[-100] = np.nan
    with pytest.raises(edgevoice.SamplesError):
        tiny.extract((samples, 16000), jobs=4)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiny.extract((np.tile(noise, 3), 16000), jobs=4, progress=interrupt)


def test_one_job_for_the_threads_of_one_computation(
    tiny_model: Path, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[int] = []
    batcher = Extractor.batcher
    monkeypatch.setattr(Extractor, "batcher", lambda self, threads=0: (chosen.append(threads), batcher(self))[1])
    for cores, threads in ((5, 1), (5, 2), (5, 8), (128, 1), (128, 32), (128, 200)):
        monkeypatch.setattr("edgevoice.extractor.usable_cores", lambda cores=cores: cores)
        edgevoice.load(tiny_model, threads=threads).extract((noise[:16_000], 16000))
    assert chosen == [5, 2, 0, 8, 4, 0]  # never more than 8; a single job is done by the calling thread

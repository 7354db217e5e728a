"""Streams of a group give what they would give alone, bit for bit."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevoice
from edgevoice import ArgumentError, Extractor, Features, ModelUseError, Stream, StreamError
from edgevoice.inference import Networks

RATES = [16000, 8000, 44100, 16000, 48000]


def parts(blocks: list[Features]) -> list[bytes]:
    """All that features say, as bytes."""
    names = ("values", "index", "position", "silent", "gap", "loudness", "offset", "gain")
    return [np.concatenate([getattr(block, name) for block in blocks]).tobytes() for name in names]


def alone(stream: Stream, samples: np.ndarray, lost: int) -> list[bytes]:
    half = len(samples) // 2
    return parts([stream.push(samples[:half]), stream.skip(lost), stream.push(samples[half:]), stream.finish()])


@pytest.fixture(params=[True, False], ids=["batches", "window by window"])
def extractor(tiny_model: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Extractor:
    if not request.param:
        monkeypatch.setattr(Networks, "_has_same_bits", lambda *_: False)
    return edgevoice.load(tiny_model)


@pytest.mark.parametrize("pause", [1, 3, 1000])
def test_bits_are_those_of_streams_alone(extractor: Extractor, noise: np.ndarray, pause: int) -> None:
    settings: list[dict[str, Any]] = [{"rate": rate, "hop": 0.25 + 0.05 * (k % 3)} for k, rate in enumerate(RATES)]
    recordings = [np.roll(noise, 7000 * k)[: 90_000 + 5000 * k] for k in range(len(RATES))]
    losses = [0, 3000, 0, 30_000, 1]
    expected = [
        alone(extractor.stream(**chosen), samples, lost)
        for chosen, samples, lost in zip(settings, recordings, losses, strict=True)
    ]
    group = extractor.group()
    streams = [extractor.stream(**chosen, group=group) for chosen in settings]
    collected: dict[Stream, list[Features]] = {stream: [] for stream in streams}

    def collect() -> None:
        for stream, features in group.collect():
            assert len(features)
            collected[stream].append(features)

    queues = [
        [*np.array_split(samples[: len(samples) // 2], 17), lost, *np.array_split(samples[len(samples) // 2 :], 5)]
        for samples, lost in zip(recordings, losses, strict=True)
    ]
    for number, turn in enumerate(zip(*queues, strict=True)):
        for stream, chunk in zip(streams, turn, strict=True):
            given = stream.skip(chunk) if isinstance(chunk, int) else stream.push(chunk)
            assert len(given) == 0
        if number % pause == 0:
            collect()
    for stream in streams:
        assert len(stream.finish()) == 0
    collect()
    assert [parts(collected[stream]) for stream in streams] == expected
    assert group.collect() == []


def test_reset_drops_what_waits(tiny: Extractor, noise: np.ndarray) -> None:
    group = tiny.group()
    one, other = tiny.stream(group=group), tiny.stream(group=group)
    for stream in (one, other):
        stream.push(noise[:30_000])
    one.reset()
    one.push(noise[40_000:60_000])
    collected = dict(group.collect())
    assert parts([collected[one]]) == parts([tiny.stream().push(noise[40_000:60_000])])
    assert parts([collected[other]]) == parts([tiny.stream().push(noise[:30_000])])


def test_reset_drops_what_waits_in_a_group_that_was_left(tiny: Extractor, noise: np.ndarray) -> None:
    left, group = tiny.group(), tiny.group()
    stream, kept = tiny.stream(group=left), tiny.stream(group=left)
    for one in (stream, kept):
        one.push(noise[:30_000])
        one.join(group)
    stream.reset()
    stream.push(noise[40_000:60_000])
    assert parts([dict(group.collect())[stream]]) == parts([tiny.stream().push(noise[40_000:60_000])])
    assert [(one, parts([features])) for one, features in left.collect()] == [
        (kept, parts([tiny.stream().push(noise[:30_000])]))
    ]


def test_what_is_collected_stays(tiny: Extractor, noise: np.ndarray) -> None:
    group = tiny.group()
    stream = tiny.stream(group=group)
    stream.push(noise[:20_000])
    ((_, features),) = group.collect()
    before = features.values.copy()
    stream.push(noise[20_000:90_000])
    group.collect()
    assert features.values.tobytes() == before.tobytes()


def test_refuses_what_a_stream_refuses_and_other_groups(tiny: Extractor, tiny_model: Path) -> None:
    with pytest.raises(ModelUseError, match="utterance"):
        tiny.stream(level="utterance", group=tiny.group())
    with pytest.raises(ArgumentError, match="one that this extractor made"):
        tiny.stream(group=edgevoice.load(tiny_model).group())


def test_two_threads_at_once_are_refused(tiny: Extractor, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    group = tiny.group()
    stream, other = tiny.stream(group=group), tiny.stream(group=group)
    refused: list[BaseException] = []

    def second() -> None:
        for call in (group.collect, lambda: other.push(noise[:8000])):
            try:
                call()
            except StreamError as error:
                refused.append(error)

    def compute(*arguments: Any) -> Any:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        return original(*arguments)

    original = group.pipeline.front_end.compute
    monkeypatch.setattr(group.pipeline.front_end, "compute", compute)
    stream.push(noise[:8000])
    assert [str(error)[:44] for error in refused] == ["a group and its streams belong to one thread"] * 2
    monkeypatch.undo()
    assert len(dict(group.collect())[stream]) == 1


def test_streams_that_are_dropped_are_gone(tiny: Extractor, noise: np.ndarray) -> None:
    group = tiny.group()
    stream = tiny.stream(group=group)
    stream.push(noise[:8000])
    group.collect()
    gone = weakref.ref(stream)
    gc.disable()
    try:
        del stream
        assert gone() is None
    finally:
        gc.enable()

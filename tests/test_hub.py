"""Many live sources in an asyncio program: the frames of streams, errors where they belong, nothing lost in silence."""

from __future__ import annotations

import asyncio
import gc
import inspect
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgevoice
from edgevoice import (
    ArgumentError,
    AudioFormatError,
    DeviceError,
    Extractor,
    Frame,
    Hub,
    ModelUseError,
    SamplesError,
    Source,
    StreamError,
)
from edgevoice.audio.rawpcm import PcmBytes
from edgevoice.pipeline import HostPipeline


def run(program: Coroutine[Any, Any, Any]) -> Any:
    """What a program gives, which must end."""
    return asyncio.run(asyncio.wait_for(program, timeout=60))


def within(**settings: Any) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Callable[..., None]]:
    """A test that is given a hub with these settings."""

    def of(program: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        names = [name for name in inspect.signature(program).parameters if name != "hub"]

        def test(tiny: Extractor, **fixtures: Any) -> None:
            async def inside() -> None:
                async with Hub(tiny, **settings) as hub:
                    await program(hub, **{name: tiny if name == "tiny" else fixtures[name] for name in names})

            run(inside())

        parameters = dict.fromkeys(["tiny", *names])
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        test.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in parameters])  # type: ignore[attr-defined]
        return test

    return of


async def frames_of(source: Source) -> list[Frame]:
    return [frame async for frame in source]


def said(frames: list[Frame]) -> list[tuple[Any, ...]]:
    """All that frames say, bit for bit."""
    return [(f.index, f.position, f.silent, f.gap, f.loudness, f.offset, f.gain, f.values.tobytes()) for f in frames]


def test_frames_are_those_of_streams_of_their_own(tiny: Extractor, noise: np.ndarray) -> None:
    settings: list[dict[str, Any]] = [{"rate": 16000}, {"rate": 8000, "hop": 0.3}, {"rate": 44100, "channels": 2}] * 3
    recordings = [np.roll(noise, 5000 * k)[:70_000] for k in range(len(settings))]

    def pieces(k: int) -> list[np.ndarray]:
        whole = np.stack([recordings[k]] * 2, axis=1) if settings[k].get("channels") else recordings[k]
        return np.array_split(whole, 40 + k)

    expected = []
    for k, chosen in enumerate(settings):
        stream = tiny.stream(**chosen)
        blocks = [
            *map(stream.push, pieces(k)[:20]),
            stream.skip(4000 + k),
            *map(stream.push, pieces(k)[20:]),
            stream.finish(),
        ]
        expected.append(said([frame for block in blocks for frame in block]))

    async def client(hub: Hub, k: int) -> list[Frame]:
        async with hub.source(**settings[k]) as source:
            reading = asyncio.create_task(frames_of(source))
            for place, piece in enumerate(pieces(k)):
                if place == 20:
                    source.skip(4000 + k)
                buffer = piece.copy()
                source.push(buffer)
                buffer[:] = np.nan  # a caller may use its buffer again at once
                await asyncio.sleep(0.001 * (k % 3))
            source.finish()
            return await reading

    async def program() -> list[list[Frame]]:
        async with Hub(tiny) as hub:
            return await asyncio.gather(*(client(hub, k) for k in range(len(settings))))

    found = run(program())
    assert [said(frames) for frames in found] == expected
    assert all(expected)


def test_a_source_says_how_much_completes_the_next_window(tiny: Extractor) -> None:
    async def program() -> tuple[list[int], float]:
        async with Hub(tiny) as hub, hub.source() as source:
            counts = []
            for _ in range(3):
                source.push(np.full(source.wanted - 1, 0.1, np.float32))
                assert (source.wanted, source.behind) == (1, 0)
                source.push(np.full(1, 0.1, np.float32))
                assert source.wanted == 0
                counts.append((await anext(source)).index)
            return counts, hub.window_time

    counts, seconds = run(program())
    assert counts == [0, 1, 2]
    assert 0 < seconds < 60


@given(cuts=st.lists(st.integers(0, 40_000), max_size=12), dtype=st.sampled_from(["int16", "float32", "uint8"]))
def test_bytes_may_be_cut_anywhere(tiny: Extractor, noise: np.ndarray, cuts: list[int], dtype: str) -> None:
    whole = noise[:10_000]
    samples = {
        "int16": (whole * 32767).astype("<i2"),
        "float32": whole.astype("<f4"),
        "uint8": (whole * 127 + 128).astype("u1"),
    }[dtype]
    stream = tiny.stream(16000)
    expected = said([*stream.push(samples), *stream.finish()])
    content = samples.tobytes()

    async def program() -> list[Frame]:
        async with Hub(tiny) as hub:
            source = hub.source(16000, dtype=dtype)
            for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), len(content)], strict=True):
                source.push(memoryview(content)[first:last])
            source.finish()
            return await frames_of(source)

    assert said(run(program())) == expected


@within()
async def test_pushes_of_any_types_may_follow_each_other(hub: Hub, noise: np.ndarray, tiny: Extractor) -> None:
    whole = np.round(noise[:60_000] * 127) / 128  # exact in all types
    casts: list[Callable[[np.ndarray], np.ndarray]] = [
        lambda x: (x * 2**15).astype(np.int16),
        lambda x: (x * 2**15).astype(">i2"),
        lambda x: (x * 2.0**31).astype(np.int32),
        lambda x: (x * 128 + 128).astype(np.uint8),
        lambda x: x.astype(np.float64),
        lambda x: x.astype(np.float32),
    ]
    source = hub.source()
    for k, piece in enumerate(np.array_split(whole, 50)):
        buffer = casts[(k + k // 6) % len(casts)](piece)
        source.push(buffer)
        buffer[:] = 0
    source.finish()
    assert said(await frames_of(source)) == said(list(tiny.stream().push(whole)))


@within()
async def test_what_is_wrong_with_a_push_is_raised_there_and_the_source_goes_on(hub: Hub, noise: np.ndarray) -> None:
    one, other = (hub.source(16000, dtype="float32") for _ in range(2))
    sound = noise[:9000].tobytes()
    for source in (one, other):
        source.push(sound[:-1])
    nan = np.full(10, np.nan, np.float32)
    for wrong in (nan, sound[-1:] + nan.tobytes()[:-1], np.zeros((10, 2), np.float32), np.zeros(3, np.complex64)):
        with pytest.raises(SamplesError):
            one.push(wrong)  # type: ignore[arg-type]
    for source in (one, other):
        source.push(sound[-1:])
    for count in (-1, 1.5, 10**19, 10**400):
        with pytest.raises(ArgumentError):
            one.skip(count)  # type: ignore[arg-type]
    content, one._pcm = noise[9000:20_000].tobytes(), PcmBytes(1, "float32")
    one.push(content[:-5])
    with pytest.raises(SamplesError):
        one.push(b"\0" + np.full(9, np.nan, np.float32).tobytes() + b"\0")  # neither samples, nor parts of one
    one.push(content[-5:])
    other.push(noise[9000:20_000])
    for source in (one, other):
        source.finish()
        with pytest.raises(StreamError, match="push after finish"):
            source.push(noise)
    found = said(await frames_of(one))
    assert found == said(await frames_of(other))
    assert found


@within()
async def test_bytes_that_are_no_samples_end_their_source_alone(hub: Hub, noise: np.ndarray, speech: Path) -> None:
    good, wave, cut = hub.source(16000), hub.source(16000), hub.source(16000)
    good.push(noise[:9000])
    for content in (speech.read_bytes()[:4000], b"\0\0"):
        with pytest.raises(AudioFormatError, match="begins like"):
            wave.push(content)
    with pytest.raises(AudioFormatError, match="begins like"):
        await anext(wave)
    cut.push(b"\0\0\0")
    with pytest.raises(AudioFormatError, match="1 bytes into a sample of 2"):
        cut.finish()
    good.finish()
    assert len(await frames_of(good)) == 1


@within(backlog=3.0)
async def test_too_much_that_waits_is_refused_and_nothing_of_it_taken(hub: Hub, noise: np.ndarray) -> None:
    second, source = noise[:16_000], hub.source(16000)
    with pytest.raises(StreamError, match=r"4.0 s of audio would wait at this source, more than the backlog of 3 s"):
        source.push(np.tile(second, 4))  # though nothing waits yet
    for _ in range(2):
        source.push(second)
    while source.behind < 7 * 0.25 or source.behind == 2:  # until all is computed: 7 frames, which nobody reads
        await asyncio.sleep(0.005)
    before = source.behind
    with pytest.raises(StreamError, match="would wait"):
        source.push(np.tile(second, 2))
    assert source.behind == before
    for _ in range(7):
        await anext(source)
    source.push(np.tile(second, 2))  # there is room again
    source.finish()
    assert len(await frames_of(source)) == 8
    assert source.behind == 0


@pytest.mark.parametrize("hop", [None, 30.0])
def test_a_source_that_can_wait_is_held_back(tiny: Extractor, noise: np.ndarray, hop: float | None) -> None:
    async def program() -> tuple[int, float, int]:
        most, kept = 0.0, 0
        async with Hub(tiny, backlog=2.0) as hub:
            source = hub.source(16000, hop=hop)
            reading = asyncio.create_task(frames_of(source))
            for piece in np.array_split(np.tile(noise, 8)[:480_000], 300):
                source.push(piece)
                most, kept = max(most, source.behind), max(kept, len(source._steps))
                await source.drain()
                await asyncio.sleep(0.002)
            source.finish()
            return len(await reading), most, kept

    count, most, kept = run(program())
    assert count == (1 if hop else (480_000 - 8000) // 4000 + 1)
    assert most < 2.0
    assert kept < 50  # of 300: a long hop keeps no sound until its window is due


@within()
async def test_a_failure_of_the_device_is_raised_at_the_sources_that_it_hit(
    hub: Hub, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BrokenError(DeviceError):
        pass

    def describe(*_: object) -> None:
        raise BrokenError("it broke")

    hit, calm = hub.source(16000), hub.source(16000)
    with monkeypatch.context() as patched:
        patched.setattr(HostPipeline, "describe", describe)
        hit.push(noise[:9000])
        with pytest.raises(BrokenError):
            await anext(hit)
    with pytest.raises(BrokenError):
        hit.push(noise[:10])
    calm.push(noise[:9000])
    calm.finish()
    assert len(await frames_of(calm)) == 1


@within()
async def test_a_source_that_vanishes_leaves_the_others(hub: Hub, noise: np.ndarray, tiny: Extractor) -> None:
    async def vanish() -> None:
        async with hub.source(16000) as source:
            source.push(noise[:30_000])
            await anext(source)
            await asyncio.sleep(3600)

    tasks = [asyncio.create_task(vanish()) for _ in range(5)]
    stays = hub.source(16000)
    for piece in np.array_split(noise[:60_000], 30):
        stays.push(piece)
        await asyncio.sleep(0.002)
        if tasks:
            tasks.pop().cancel()
    stays.finish()
    stream = tiny.stream(16000)
    assert said(await frames_of(stays)) == said([*stream.push(noise[:60_000]), *stream.finish()])
    forgotten = weakref.ref(hub.source(16000))
    gc.collect()
    assert forgotten() is None


@within()
async def test_closing_ends_the_reading(hub: Hub, noise: np.ndarray) -> None:
    source = hub.source(16000)
    reading = asyncio.create_task(frames_of(source))
    await asyncio.sleep(0)
    source.close()
    source.close()
    assert await reading == []
    with pytest.raises(StreamError, match="push after close"):
        source.push(noise)


def test_the_end_of_a_hub_is_raised_at_its_sources(tiny: Extractor, noise: np.ndarray) -> None:
    async def program() -> None:
        hub = Hub(tiny)
        with pytest.raises(StreamError, match="has not begun"):
            hub.source(16000)
        async with hub:
            source = hub.source(16000)
            source.push(noise[:20_000])
            reading = asyncio.create_task(frames_of(source))
            await asyncio.sleep(0)
            close, ended = hub._pool.close, []  # type: ignore[union-attr]
            hub._pool.close = lambda: ended.append(source.ended) or close()  # type: ignore[func-returns-value, union-attr]
        assert ended == [True]  # not only once the threads have ended, which may be cancelled
        with pytest.raises(StreamError, match="the hub has ended"):
            await reading
        with pytest.raises(StreamError, match="the hub has ended"):
            source.push(noise)
        with pytest.raises(StreamError, match="has ended"):
            hub.source(16000)
        with pytest.raises(StreamError, match="entered only once"):
            async with hub:
                pass

    run(program())


@within()
async def test_arguments_are_checked(hub: Hub, tiny: Extractor) -> None:
    for wrong in (0, -1, float("inf"), "3", True):
        with pytest.raises(ArgumentError, match="backlog"):
            Hub(tiny, backlog=wrong)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="dtype"):
        hub.source(16000, dtype="int24")
    with pytest.raises(ArgumentError, match="rate"):
        hub.source(0)
    with pytest.raises(ModelUseError, match="utterance"):
        hub.source(16000, level="utterance")
    source = hub.source(np.float32(16000), 2.0)  # type: ignore[arg-type]
    source.push(np.zeros((1600, 2), np.float32))
    assert source.wanted == 8000 - 1600


@within(threads=1, backlog=10_000.0)
async def test_one_source_delays_no_other(hub: Hub, noise: np.ndarray) -> None:
    """Hours of audio in one push, and single lost samples without end: the others get their frames meanwhile."""
    hour, crumbs, calm = hub.source(100), hub.source(16000), hub.source(16000)
    hour.push(np.tile(noise, 3)[:360_000])
    for k in range(3000):
        crumbs.skip(1)
        crumbs.push(noise[k : k + 1])
    for piece in np.array_split(noise[:80_000], 10):
        calm.push(piece)
    calm.finish()
    assert len(await frames_of(calm)) == 19
    assert hour.behind > 1000


@within(backlog=2.0)
async def test_lost_samples_wait_for_nothing(hub: Hub, noise: np.ndarray, tiny: Extractor) -> None:
    source, stream = hub.source(16000), tiny.stream()
    source.push(noise[:16_000])
    source.skip(3600 * 16_000)
    source.push(noise[:160])
    source.push(noise[160:16_000])
    source.finish()
    expected = [stream.push(noise[:16_000]), stream.skip(3600 * 16_000), stream.push(noise[:16_000]), stream.finish()]
    assert said(await frames_of(source)) == said([frame for block in expected for frame in block])


@within(threads=1)
async def test_any_failure_of_a_round_reaches_its_sources_and_the_thread_goes_on(
    hub: Hub, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("take", "flush", "put"):
        hit = hub.source(16000)
        with monkeypatch.context() as patched:
            patched.setattr(edgevoice.Batcher, place, lambda *_: (_ for _ in ()).throw(MemoryError()).send(None))
            hit.push(noise[:9000])
            with pytest.raises(MemoryError):
                await anext(hit)
    calm = hub.source(16000)
    calm.push(noise[:9000])
    calm.finish()
    assert len(await frames_of(calm)) == 1

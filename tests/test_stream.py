"""A stream gives what `extract` gives, bit for bit, however the audio comes in."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import edgevoice
from edgevoice import Extractor, Features, Stream
from fewerexamples import fewer_examples

CHUNKS = st.one_of(
    st.integers(0, 40),
    st.sampled_from([0, 1, 17, 509, 4000, 8000, 24_000]),
    st.integers(0, 40_000),
)
LEVELS = st.sampled_from([None, "running", "window", 1.0, 3.5])


def fed(stream: Stream, samples: np.ndarray, sizes: Iterable[int]) -> list[Features]:
    """What a stream gives for samples cut at these sizes, the rest at once, and its end."""
    blocks, at = [], 0
    for size in sizes:
        blocks.append(stream.push(samples[at : at + size]))
        at += size
    return [*blocks, stream.push(samples[at:]), stream.finish()]


def parts(blocks: Features | list[Features]) -> list[bytes]:
    """All that features say, as bytes."""
    blocks = [blocks] if isinstance(blocks, Features) else blocks
    names = ("values", "index", "position", "silent", "gap", "loudness", "offset", "gain")
    return [np.concatenate([getattr(block, name) for block in blocks]).tobytes() for name in names]


@given(sizes=st.lists(CHUNKS, max_size=12), level=LEVELS, hop=st.sampled_from([None, 0.05, 0.25, 0.35, 0.7]))
def test_any_chunks_give_the_bits_of_extract(
    tiny: Extractor, noise: np.ndarray, sizes: list[int], level: Any, hop: float | None
) -> None:
    expected = tiny.extract((noise, 16000), level=level, hop=hop)
    assert parts(fed(tiny.stream(level=level, hop=hop), noise, sizes)) == parts(expected)


@given(
    sizes=st.lists(CHUNKS, max_size=8),
    rate=st.sampled_from([8000, 11025, 22050, 44100, 48000, 44101]),
    level=LEVELS,
)
@fewer_examples(30)
def test_any_chunks_give_the_bits_of_extract_when_resampled(
    tiny: Extractor, noise: np.ndarray, sizes: list[int], rate: int, level: Any
) -> None:
    expected = tiny.extract((noise, rate), level=level)
    assert parts(fed(tiny.stream(rate, level=level), noise, sizes)) == parts(expected)


@given(length=st.integers(0, 30_000), hop=st.sampled_from([0.05, 0.25, 0.5, 0.75]))
def test_windows_are_where_the_definition_puts_them(tiny: Extractor, noise: np.ndarray, length: int, hop: float) -> None:
    samples = round(hop * 16000)
    blocks = fed(tiny.stream(hop=hop), noise[:length], [])
    frames = [frame for block in blocks for frame in block]
    assert len(frames) == max(0, (length - 8000) // samples + 1)
    for k, frame in enumerate(frames):
        assert (frame.index, frame.position) == (k, samples * k)
        assert (frame.start, frame.end) == (frame.position / 16000, (frame.position + 8000) / 16000)
        assert not frame.gap


def test_channels_are_averaged_or_chosen(tiny: Extractor, noise: np.ndarray) -> None:
    other = noise[::-1]
    stereo = np.stack([noise, other], axis=1)
    for samples in (stereo, np.asfortranarray(stereo)):
        mean = ((noise.astype(np.float64) + other) / 2).astype(np.float32)
        assert parts(fed(tiny.stream(channels=2), samples, [100, 30_000])) == parts(tiny.extract((mean, 16000)))
        for k, channel in enumerate((noise, other)):
            chosen = fed(tiny.stream(channels=2, channel=k), samples, [7])
            assert parts(chosen) == parts(tiny.extract((channel.copy(), 16000)))
            assert parts(tiny.extract((samples, 16000), channel=k)) == parts(chosen)


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 9, 32])
def test_many_channels_have_the_same_bits_in_any_layout(tiny: Extractor, channels: int) -> None:
    samples = np.random.default_rng(channels).standard_normal((20_000, channels)).astype(np.float32)
    expected = parts(tiny.extract((samples, 16000)))
    for layout in (samples, np.asfortranarray(samples), np.repeat(samples, 2, axis=0)[::2], samples.view(np.matrix)):
        assert parts(fed(tiny.stream(channels=channels), layout, [1, 2, 3, 5000])) == expected


def test_integers_are_scaled_and_inputs_left_alone(tiny: Extractor, noise: np.ndarray) -> None:
    for dtype, zero, scale in ((np.int16, 0, 2**15), (np.int32, 0, 2**31), (np.uint8, 128, 128)):
        integers = (noise.astype(np.float64) * scale * 0.5 + zero).astype(dtype)
        floats = ((integers.astype(np.float64) - zero) / scale).astype(np.float32)
        before = integers.copy()
        assert parts(fed(tiny.stream(), integers, [999])) == parts(tiny.extract((floats, 16000)))
        assert (integers == before).all()
    read_only = noise.copy()
    read_only.flags.writeable = False
    assert parts(fed(tiny.stream(), read_only, [999])) == parts(tiny.extract((noise.astype(np.float64), 16000)))


def test_reset_gives_the_same_bytes(tiny: Extractor, noise: np.ndarray) -> None:
    stream = tiny.stream(rate=22050)
    first = parts(fed(stream, noise, [5000]))
    stream.reset()
    stream.push(noise[:3210])
    stream.skip(50_000)
    stream.reset()
    assert stream.lost == stream.position == 0
    assert parts(fed(stream, noise, [77])) == first


def test_threads_share_an_extractor(tiny: Extractor, noise: np.ndarray) -> None:
    recordings = [np.roll(noise, 5000 * k) for k in range(8)]
    expected = [parts(tiny.extract((samples, 16000))) for samples in recordings]
    results: list[Any] = [None] * 8
    begin = threading.Barrier(8)

    def work(k: int) -> None:
        begin.wait()
        blocks = fed(tiny.stream(), recordings[k], [1000] * 160)
        codes = tiny.encode(recordings[k][:8000])
        results[k] = parts(blocks), codes.tobytes()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(8):
        assert results[k] == (expected[k], tiny.encode(recordings[k][:8000]).tobytes())


class TestSkip:
    """Lost samples."""

    @given(cuts=st.lists(st.integers(0, 30_000), min_size=1, max_size=6), hop=st.sampled_from([None, 0.05, 0.6]))
    def test_any_gaps_account_for_every_window(self, tiny: Extractor, cuts: list[int], hop: float | None) -> None:
        samples = np.random.default_rng(3).standard_normal(200_000).astype(np.float32) * 0.1
        stream, at, blocks, lost = tiny.stream(hop=hop), 0, [], np.zeros(len(samples), bool)
        for k, cut in enumerate(cuts):
            lost[at : at + cut] = bool(k % 2)
            blocks.append(stream.skip(cut) if k % 2 else stream.push(samples[at : at + cut]))
            at += cut
        blocks.append(stream.finish())
        step = 4000 if hop is None else round(hop * 16000)
        windows = [lost[first : first + 8000] for first in range(0, at - 7999, step)]
        frames = [frame for block in blocks for frame in block]
        assert [frame.index for frame in frames] == [k for k, window in enumerate(windows) if not window.all()]
        assert [frame.gap for frame in frames] == [window.any() for window in windows if not window.all()]
        assert len(frames) + stream.lost == len(windows)
        assert all(np.isfinite(block.values).all() for block in blocks)

    def test_lost_samples_stand_as_zeros(self, tiny: Extractor, noise: np.ndarray) -> None:
        silenced = noise.copy()
        silenced[30_000:33_000] = 0
        stream = tiny.stream(level=2.0)
        blocks = [stream.push(noise[:30_000]), stream.skip(3000), stream.push(noise[33_000:]), stream.finish()]
        expected = tiny.extract((silenced, 16000), level=2.0)
        assert np.concatenate([block.values for block in blocks]).tobytes() == expected.values.tobytes()

    def test_they_do_not_move_the_running_level(self, tiny: Extractor) -> None:
        tone = (0.01 * np.sin(np.arange(16_000 * 8) / 5)).astype(np.float32)
        stream = tiny.stream()
        stream.push(tone)
        stream.skip(16_000 * 600)
        after = stream.push(tone)
        whole = tiny.extract((tone, 16000))
        assert not after.gap[-1]
        np.testing.assert_allclose(after.values[-1], whole.values[-1], rtol=2e-3, atol=2e-3)

    @pytest.mark.parametrize("rate", [8000, 44100, 48000])
    def test_hours_lost_take_no_time_and_keep_positions(self, tiny: Extractor, noise: np.ndarray, rate: int) -> None:
        stream = tiny.stream(rate)
        hours = 3600 * rate * 24
        blocks = [stream.push(noise), stream.skip(hours), stream.push(noise), stream.finish()]
        total = (2 * len(noise) + hours) * 16000 // rate
        frames = [frame for block in blocks for frame in block]
        assert len(frames) + stream.lost == (total - 8000) // 4000 + 1
        assert stream.position == 2 * len(noise) + hours
        gap = len(noise) * 16000 // rate, -(-(len(noise) + hours) * 16000 // rate)
        for frame in frames:
            assert frame.gap == (frame.position < gap[1] and frame.position + 8000 > gap[0])

    def test_in_several_calls_as_in_one(self, tiny: Extractor, noise: np.ndarray) -> None:
        results = []
        for pieces in ([60_000], [1, 59_999], [20_000] * 3, [0, 60_000]):
            stream = tiny.stream(48000)
            blocks = [stream.push(noise[:70_000]), *(stream.skip(piece) for piece in pieces), stream.push(noise)]
            results.append((parts([*blocks, stream.finish()]), stream.lost))
        assert all(result == results[0] for result in results)


class TestRefusals:
    """What a stream does not take leaves it as it was."""

    @pytest.mark.parametrize(
        "chunk",
        [
            np.array([0.0, np.nan], np.float32),
            np.array([np.inf], np.float32),
            np.array([1e9], np.float32),
            np.zeros(3, np.int8),
            np.zeros(3, np.complex64),
            np.zeros(3, np.float16),
            np.zeros((3, 2), np.float32),
            np.zeros((3, 1, 1), np.float32),
            np.float32(0),
            [0.0, 0.1],
            b"\0\0",
            None,
        ],
    )
    def test_chunks(self, tiny: Extractor, noise: np.ndarray, chunk: Any) -> None:
        stream = tiny.stream()
        blocks = [stream.push(noise[:50_001])]
        with pytest.raises(edgevoice.SamplesError):
            stream.push(chunk)
        blocks += [stream.push(noise[50_001:]), stream.finish()]
        assert parts(blocks) == parts(tiny.extract((noise, 16000)))

    def test_after_the_end(self, tiny: Extractor, noise: np.ndarray) -> None:
        stream = tiny.stream()
        stream.finish()
        for call in (lambda: stream.push(noise), lambda: stream.skip(1), stream.finish):
            with pytest.raises(edgevoice.StreamError, match="after finish"):
                call()
        stream.reset()
        assert len(stream.push(noise))

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("rate", (0, 16000.5, 10**7)),
            ("channels", (0, 1.5)),
            ("channel", (1, -1)),
            ("level", ("loud", 0)),
            ("hop", (0, 0.01, -0.25, float("nan"), "0.25", True)),
        ],
    )
    def test_arguments(self, tiny: Extractor, name: str, values: tuple[Any, ...]) -> None:
        for value in values:
            with pytest.raises(edgevoice.ArgumentError, match=name):
                tiny.stream(**{name: value})

    def test_what_needs_the_whole_audio(self, tiny: Extractor) -> None:
        with pytest.raises(edgevoice.ModelUseError, match="whole audio"):
            tiny.stream(level="utterance")


def test_a_failed_computation_ends_the_stream(
    make_model: Callable[..., Path], noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor = edgevoice.load(make_model())
    stream, encode = extractor.stream(), extractor._networks.encode

    def fail(spectrograms: np.ndarray) -> np.ndarray:
        raise edgevoice.ProviderError("out of order")

    stream.push(noise[:20_000])
    monkeypatch.setattr(extractor._networks, "encode", fail)
    with pytest.raises(edgevoice.ProviderError):
        stream.push(noise[20_000:])
    monkeypatch.setattr(extractor._networks, "encode", encode)
    for call in (lambda: stream.push(noise), lambda: stream.skip(1), stream.finish):
        with pytest.raises(edgevoice.StreamError, match="after a failure"):
            call()
    stream.reset()
    assert parts([stream.push(noise), stream.finish()]) == parts(extractor.extract((noise, 16000)))


def test_a_stream_keeps_no_more_memory_the_longer_it_runs(tiny: Extractor, noise: np.ndarray) -> None:
    stream = tiny.stream(48000)
    for _ in range(3):
        stream.push(noise)
    tracemalloc.start()
    try:
        stream.push(noise)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20):
            stream.push(noise)
            stream.skip(1000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000


@given(
    rate=st.sampled_from([8000, 16000, 22050, 44100, 48000]),
    hop=st.sampled_from([None, 0.1, 0.5, 0.75]),
    pieces=st.lists(st.integers(1, 9000), min_size=1, max_size=12),
    lost=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_no_frame_comes_before_it_is_due(
    tiny: Extractor, noise: np.ndarray, rate: int, hop: float | None, pieces: list[int], lost: list[bool]
) -> None:
    stream = tiny.stream(rate, hop=hop)
    for count, gone in zip(pieces, lost, strict=False):
        due = stream.due
        frames = stream.skip(count) if gone else stream.push(noise[:count])
        if stream.position < due:
            assert len(frames) == 0
        elif rate == 16_000 and not gone:
            assert len(frames) > 0, "without resampling it comes at once"


def test_lost_samples_take_the_time_of_a_step(tiny: Extractor, noise: np.ndarray) -> None:
    """Gaps that are behind are not looked at again: their number does not grow."""
    for rate in (16_000, 8000):
        stream = tiny.stream(rate)
        for k in range(2000):
            stream.skip(1)
            stream.push(noise[k : k + 1])
            assert len(stream._windower._gaps) < 500
        assert stream.position == 4000
    stream = tiny.stream()
    assert len(stream.skip(16_000 * 3600 * 24 * 365)) == 0
    assert stream.lost == 4 * 3600 * 24 * 365 - 1
    for count in (10**19, -1, 1.5):
        with pytest.raises(edgevoice.ArgumentError):
            stream.skip(count)
    assert stream.push(noise[:16_000])[-1].position == 16_000 * 3600 * 24 * 365 + 8000


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_what_the_program_asks_of_numpys_warnings_changes_nothing(tiny: Extractor, speech: Path, rate: int) -> None:
    samples = soundfile.read(speech, dtype="float64")[0] * 1e-3
    expected = parts([tiny.stream(rate).push(samples)])
    with np.errstate(all="raise"):
        stream = tiny.stream(rate)
        found = [stream.push(samples)]
        stream.skip(100)
        stream.finish()
        tiny.extract((samples, rate), level="utterance").functionals()
        tiny.describe(samples[:8000])
    assert parts(found) == expected

"""Arrays of samples, and resampling."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgevoice import ArgumentError, SamplesError
from edgevoice.audio.samples import Resampler, check_channel, check_rate, check_samples, mix
from fewerexamples import fewer_examples


def test_full_scale() -> None:
    assert check_samples(np.array([-32768, 0, 16384], np.int16)).tolist() == [-1, 0, 0.5]
    assert check_samples(np.array([-(2**31), 2**30], np.int32)).tolist() == [-1, 0.5]
    assert check_samples(np.array([0, 128, 192], np.uint8)).tolist() == [-1, 0, 0.5]
    assert check_samples(np.array([-1.5, 0.1])).tolist() == [-1.5, np.float32(0.1)]


@given(
    arrays.arrays(
        st.sampled_from(["i2", "i4", "u1", "f4", "f8", "i8", "?", "U1", "c8", "M8[s]", ">i2", ">f4"]),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
def test_any_array_is_converted_or_refused(samples: np.ndarray) -> None:
    try:
        result = check_samples(samples)
    except SamplesError:
        return
    assert result.dtype == np.float32
    assert result.shape == samples.shape
    assert np.isfinite(result).all()
    if samples.dtype.kind in "iu":
        assert (np.abs(result) <= 1).all()


def test_the_message_says_what_is_expected() -> None:
    for samples, words in (
        (np.zeros(3, np.int64), "int64.*int16, int32"),
        (np.zeros((3, 2)), r"\(3, 2\).*1 channel"),
        (np.array([np.nan]), "NaN or infinity"),
        (np.array([1e6]), "1e.06.*full scale of 1"),
        ([0.0], "list.*NumPy array"),
        (np.ma.masked_invalid([0.0, np.nan]), "masked.*fill them"),
    ):
        with pytest.raises(SamplesError, match=words):
            check_samples(samples, channels=1)


def test_mixing() -> None:
    stereo = np.array([[1, 0], [0.5, -0.5]], np.float32)
    assert mix(stereo, None).tolist() == [0.5, 0]
    assert mix(stereo, 1).tolist() == [0, -0.5]
    assert mix(stereo[:, 0], None).tolist() == [1, 0.5]


def test_channels_and_rates() -> None:
    with pytest.raises(ArgumentError, match="counted from 0"):
        check_channel(2, 2)
    with pytest.raises(ArgumentError, match="whole number, 0 or more"):
        check_channel(-1, 2)
    for rate in (0, True, 10**9):
        with pytest.raises(ArgumentError, match="hertz"):
            check_rate(rate)
    assert (check_rate(16000), check_channel(1, 2), check_channel(None, 2)) == (16000, 1, None)


def test_samples_that_lie_across() -> None:
    with pytest.raises(SamplesError, match=r"\(2, 480\).*2 channel\(s\).*transpose\?"):
        check_samples(np.zeros((2, 480)), channels=2)
    for shape in ((2, 65), (2, 1025), (1025, 1025)):
        with pytest.raises(SamplesError, match="transpose"):
            check_samples(np.zeros(shape))
    for shape in ((2, 64), (65, 65), (0, 65)):
        assert check_samples(np.zeros(shape)).shape == shape


@given(
    sizes=st.lists(st.sampled_from([0, 1, 17, 160, 509, 4410, 30_000]), max_size=10),
    rate=st.sampled_from([8000, 16000, 22050, 44100, 48000, 96000]),
)
@fewer_examples(40)
def test_chunks_give_the_bits_of_one_call(sizes: list[int], rate: int) -> None:
    samples = np.random.default_rng(0).standard_normal(50_000).astype(np.float32)
    resampler, parts, at = Resampler(rate, 16000), [], 0
    for size in sizes:
        parts.append(resampler.push(samples[at : at + size]))
        at += size
    parts += [resampler.push(samples[at:]), resampler.finish()]
    whole = samples if rate == 16000 else soxr.resample(samples, rate, 16000)
    assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize("rate", [100, 700, 8000, 11025, 16000, 44100, 44101, 48000])
def test_skipping_is_pushing_zeros(rate: int) -> None:
    count = 7 * rate + 9000
    heard = np.random.default_rng(0).standard_normal(rate).astype(np.float32)
    pushed, skipped = Resampler(rate, 16000), Resampler(rate, 16000)
    expected = [pushed.push(heard), pushed.push(np.zeros(count, np.float32)), pushed.push(heard), pushed.finish()]
    got = [skipped.push(heard)]
    before, zeros, after = skipped.skip(count)
    assert isinstance(zeros, int)
    got += [before, np.zeros(zeros, np.float32), after, skipped.push(heard), skipped.finish()]
    left, right = np.concatenate(expected), np.concatenate(got)
    assert len(left) == len(right)
    # soxr interpolates its filter for rates without a small common period, and rounds differently as it goes on.
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-5)


def test_a_resampler_that_was_reset_is_like_a_new_one() -> None:
    samples = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    used, new = Resampler(44100, 16000), Resampler(44100, 16000)
    used.push(samples[:999])
    used.reset()
    for each in (samples, samples[::-1]):
        assert used.push(each).tobytes() == new.push(each).tobytes()

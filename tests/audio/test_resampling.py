"""Resampling."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.audio.samples import Resampler
from fewerexamples import fewer_examples


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


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 44101, 48000])
def test_skipping_is_pushing_zeros(rate: int) -> None:
    count = 7 * rate + 123
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

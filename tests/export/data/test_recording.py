from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.levels import LEVELS
from edgevoice_export.data.sampler import Recording
from edgevoice_export.networks import ARCHITECTURES

SAMPLES = np.random.default_rng(0).integers(-(2**15), 2**15, 9000).astype(np.int16)
FLOATS = SAMPLES.astype(np.float32) / np.float32(32768)


@given(start=st.integers(0, 9500), length=st.integers(0, 9500), shortest=st.sampled_from([0, 9200]))
def test_slices_are_those_of_an_array(start: int, length: int, shortest: int):
    recording = Recording(SAMPLES, shortest)
    whole = np.pad(FLOATS, (0, max(0, shortest - 9000)))
    assert len(recording) == len(whole)
    np.testing.assert_array_equal(recording[start : start + length], whole[start : start + length])
    np.testing.assert_array_equal(recording[start:], whole[start:])


@pytest.mark.parametrize("level", LEVELS)
@given(start=st.integers(0, 1000))
def test_levels_are_those_of_an_array(level: str, start: int):
    config = ARCHITECTURES["cae"].preprocessing.level
    expected = LEVELS[level](config).track(FLOATS)(start, start + 8000)
    assert LEVELS[level](config).track(Recording(SAMPLES))(start, start + 8000) == expected  # type: ignore[arg-type]

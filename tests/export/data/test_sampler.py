from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgevoice
from edgevoice.inference import Networks
from edgevoice.levels import LEVELS
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.data.corpus import Corpus, split_speakers
from edgevoice_export.data.sampler import Recording, WindowSampler
from edgevoice_export.networks import ARCHITECTURES

CAE = ARCHITECTURES["cae"]
UTTERANCES = (0, 1, 4)
SAMPLES = np.random.default_rng(0).integers(-(2**15), 2**15, 9000).astype(np.int16)
FLOATS = SAMPLES.astype(np.float32) / np.float32(32768)


@pytest.fixture(scope="module")
def windows(corpus: Corpus) -> WindowSampler:
    return WindowSampler(corpus.recordings(UTTERANCES), CAE.preprocessing)


def lengths(corpus: Corpus) -> np.ndarray:
    return np.diff(corpus.bounds)[list(UTTERANCES)]


@given(
    speakers=st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=40).filter(lambda names: len(set(names)) > 1),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 99),
)
def test_split_has_every_utterance_once_and_no_speaker_twice(speakers: list[str], share: float, seed: int):
    training, validation = split_speakers(tuple(speakers), share, seed)
    assert sorted([*training, *validation]) == list(range(len(speakers)))
    assert len(training)
    assert len(validation)
    assert not {speakers[k] for k in training} & {speakers[k] for k in validation}
    again = split_speakers(tuple(speakers), share, seed)
    np.testing.assert_array_equal(validation, again[1])


def test_grid_is_every_window_of_the_hop(windows: WindowSampler, corpus: Corpus):
    draw = windows.grid("running")
    expected = [(u, 4000 * k) for u in range(3) for k in range((lengths(corpus)[u] - 8000) // 4000 + 1)]
    assert list(zip(draw.recordings.tolist(), draw.starts.tolist(), strict=True)) == expected
    assert len(windows.grid("running", 3)) == 3


def test_draws_reach_every_place_and_stay_inside(windows: WindowSampler, corpus: Corpus):
    draw = windows.draw(3000, ("running", "utterance"), 1.0, np.random.default_rng(0))
    last = lengths(corpus)[draw.recordings] - 8000
    assert (draw.starts >= 0).all()
    assert (draw.starts <= last).all()
    room = dict(enumerate(lengths(corpus) - 7999))
    for u, places in room.items():
        assert np.mean(draw.recordings == u) == pytest.approx(places / sum(room.values()), abs=0.04)
    assert {"running", "utterance"} == set(draw.levels)
    decibels = 20 * np.log10(draw.gains)
    assert np.abs(decibels).max() <= 1
    assert decibels.std() == pytest.approx(1 / np.sqrt(3), rel=0.1)


def test_changes_are_drawn_as_often_as_they_stand_in_the_list(windows: WindowSampler):
    listed = ("mp3", "noise", "noise")
    changes = windows.draw(3000, ("running",), 1.0, np.random.default_rng(0), 0.3, listed).changes
    counts = Counter(change.kind for change in changes if change is not None)
    assert counts.keys() == set(listed)
    assert counts["mp3"] == pytest.approx(300, abs=80)
    assert counts["noise"] == pytest.approx(600, abs=110)


def test_runtime_sees_the_same_spectrograms(
    windows: WindowSampler, corpus: Corpus, audio_folder: Path, exported: ModelFolder
):
    """What a network is validated on is what `extract` computes."""
    networks = Networks(exported)
    for level in ("running", "utterance"):
        features = edgevoice.load(exported.path).extract(audio_folder / "carla" / "one.wav", level=level)
        draw = windows.grid(level)[-len(features) :]
        np.testing.assert_allclose(features.bottleneck, networks.encode(windows.spectrograms(draw)), atol=1e-5)


@pytest.mark.parametrize("level", LEVELS)
@given(start=st.integers(0, 1000))
def test_levels_are_those_of_an_array(level: str, start: int):
    config = CAE.preprocessing.level
    expected = LEVELS[level](config).track(FLOATS)(start, start + 8000)
    assert LEVELS[level](config).track(Recording(SAMPLES))(start, start + 8000) == expected  # type: ignore[arg-type]

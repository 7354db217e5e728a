"""Training of the 74 x 200 network: on short recordings, with cross-entropy, until it gets no better."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import edgevoice
from edgevoice.inference import Networks
from edgevoice_export.data.corpus import Corpus, read_corpus
from edgevoice_export.data.sampler import WindowSampler
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.publish.card import Description
from edgevoice_export.publish.export import export_checkpoint
from edgevoice_export.training.loop import BEST, CHECKPOINT, Settings, train
from edgevoice_export.training.runs import Checkpoint
from edgevoice_export.training.steps import reconstruction_loss

ARCHITECTURE = ARCHITECTURES["lamprou"]
SETTINGS = Settings("lamprou", 64, epochs=2, epoch_windows=8, batch=4, decay=0.0, loss="bce", jitter_db=0.0, validation=0.34)


@pytest.fixture(scope="module")
def short(audio_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Recordings of a second or so, at 8 kHz: all below a window of 3.75 s."""
    return read_corpus(audio_folder, 8000, 1, cache=tmp_path_factory.mktemp("cache"))


def windows(corpus: Corpus) -> WindowSampler:
    return WindowSampler(corpus.recordings(range(len(corpus))), ARCHITECTURE.preprocessing)


def test_short_recordings_are_filled_up(short: Corpus) -> None:
    found = windows(short)
    grid, drawn = found.grid("window"), found.draw(20, ("window",), 0.0, np.random.default_rng(0))
    assert len(grid) == len(short)
    assert set(grid.starts.tolist()) == set(drawn.starts.tolist()) == {0}
    spectrograms = found.spectrograms(grid)
    assert spectrograms.shape == (len(short), 1, 200, 74)
    longest = int(np.diff(short.bounds).max())
    silence = spectrograms[..., longest // 400 + 1 : 73]  # of zeros, less the mean of the window: in the lowest bin alone
    assert np.abs(silence[:, :, 1:]).max() < 1e-6 < spectrograms.max()


def test_trained_and_exported_as_any_other(short: Corpus, audio_folder: Path, tmp_path: Path) -> None:
    assert train(SETTINGS, short, tmp_path / "run")
    history = Checkpoint.read(tmp_path / "run" / CHECKPOINT).history
    assert [row.epoch for row in history] == [1, 2]
    assert all(0 < row.validation["window"] < 1 for row in history)

    folder, verification = export_checkpoint(tmp_path / "run" / BEST, short, tmp_path / "tiny", Description("tiny"))
    assert verification.passed()
    features = edgevoice.load(folder.path).extract(audio_folder / "carla" / "one.wav", pad=True)
    place = short.files.index("carla/one.wav")
    seen = windows(short).spectrograms(windows(short).grid("window"))[[place]]
    np.testing.assert_allclose(features.bottleneck, Networks(folder).encode(seen), atol=1e-5)
    np.testing.assert_allclose(features.bottleneck.sum(axis=1), 1, atol=1e-5)  # a softmax


def test_a_loud_tone_has_a_loss() -> None:
    assert reconstruction_loss("bce", torch.tensor([0.5]), torch.tensor([1.3])).item() == pytest.approx(np.log(2))


def test_ends_early(short: Corpus, tmp_path: Path) -> None:
    """At such a rate the loss soon gets no better."""
    settings = dataclasses.replace(SETTINGS, epochs=30, epoch_windows=4, rate=10.0, warmup=0.0, patience=2)
    assert train(settings, short, tmp_path)
    losses = [row.validation["window"] for row in Checkpoint.read(tmp_path / CHECKPOINT).history]
    assert len(losses) == int(np.argmin(losses)) + 3 < 30
    assert train(settings, short, tmp_path, resume=True)
    assert len(Checkpoint.read(tmp_path / CHECKPOINT).history) == len(losses)

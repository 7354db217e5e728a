"""A small corpus, and a model trained on it in a few steps."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.modelfolder import ModelFolder

if find_spec("torch"):  # graphs are made, and tested, without PyTorch too
    import torch

    from edgevoice_export.data.corpus import Corpus, read_corpus
    from edgevoice_export.publish.card import Description
    from edgevoice_export.publish.export import export_checkpoint
    from edgevoice_export.training.loop import BEST, train
    from shortrun import SETTINGS


def voice(seconds: float, rate: int, seed: int) -> np.ndarray:
    """A buzz with pauses and some noise, float64 (samples,)."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    buzz = np.sin(2 * np.pi * (100 + 40 * seed) * time + 3 * np.sin(2 * np.pi * 3 * time))
    return 0.4 * buzz * (np.sin(2 * np.pi * 2 * time) > -0.5) + 0.01 * rng.standard_normal(len(time))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Sums on several threads would depend on how many there are."""
    if find_spec("torch"):
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def audio_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three speakers, a folder each; formats, rates and channels differ."""
    folder = tmp_path_factory.mktemp("audio")
    for number, speaker in enumerate(("anna", "ben", "carla")):
        (folder / speaker).mkdir()
        soundfile.write(folder / speaker / "one.wav", voice(1.3, 16000, number), 16000)
        stereo = np.stack([voice(1.1, 8000, number), voice(1.1, 8000, number + 5)], axis=1)
        soundfile.write(folder / speaker / "two.flac", stereo, 8000)
    return folder


@pytest.fixture(scope="session")
def corpus(audio_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return read_corpus(audio_folder, 16000, 8000, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def trained(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run."""
    folder = tmp_path_factory.mktemp("trained")
    assert train(SETTINGS, corpus, folder)
    return folder


@pytest.fixture(scope="session")
def exported(trained: Path, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """The model folder made of it."""
    out = tmp_path_factory.mktemp("models") / "cae-64"
    folder, _ = export_checkpoint(trained / BEST, corpus, out, Description("cae-64", data="buzzes"))
    return folder

"""The figure of a recording."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.cli import main
from edgevoice.plotting.overview import draw_overview


@pytest.mark.parametrize(("descriptors", "panels"), [("all", 5), ("bottleneck", 3), ("error", 4)])
def test_one_panel_for_each_part(tiny_model: Path, speech: Path, descriptors: Any, panels: int) -> None:
    extractor = edgevoice.load(tiny_model, descriptors=descriptors)
    samples, rate = soundfile.read(speech, dtype="float32")
    figure = draw_overview(extractor, samples, extractor.extract((samples, rate)), "title")
    assert len(figure.axes) == panels + panels - 1  # each image has a bar
    assert figure.axes[0].get_title(loc="left") == "title"
    assert figure.axes[panels - 1].get_xlabel() == "seconds"
    assert all(bar.get_ylabel() for bar in figure.axes[panels:])
    edges = {axes.get_position().bounds[::2] for axes in figure.axes[:panels]}
    assert len(edges) == 1, "all panels have the same time axis"
    figure.draw_without_rendering()


def test_the_picture_shows_the_numbers(tiny: edgevoice.Extractor, noise: np.ndarray) -> None:
    features = tiny.extract((noise, 16000))
    figure = draw_overview(tiny, noise, features)
    shown = figure.axes[4].images[0].get_array()
    np.testing.assert_allclose(shown, np.log10(features.error.T + 1e-9), rtol=1e-6)


@pytest.mark.parametrize("level", [None, "utterance", "window", 0.5])
def test_the_spectrograms_are_those_of_the_windows_at_their_own_level(
    tiny: edgevoice.Extractor, noise: np.ndarray, level: str | float | None
) -> None:
    samples = (noise * np.linspace(0.02, 1, len(noise)) + 0.01).astype(np.float32)[: 9 * 8000]  # no more than is drawn
    features = tiny.extract((samples, 16000), level=level)
    figure = draw_overview(tiny, samples, features, level=level)
    taken, rebuilt = (np.split(axes.images[0].get_array(), len(samples) // 8000, axis=1) for axes in figure.axes[1:3])
    error = [np.mean((one - other) ** 2, axis=1) for one, other in zip(taken, rebuilt, strict=True)]
    # The level is applied in float32 here.
    np.testing.assert_allclose(error, features.error[features.position % 8000 == 0], rtol=1e-3)


def test_time_is_that_of_the_whole_recording(tiny: edgevoice.Extractor, noise: np.ndarray) -> None:
    features = tiny.extract((noise, 16000), start=1.0, end=2.5)
    figure = draw_overview(tiny, noise[16000:40000], features)
    assert figure.axes[0].get_xlim() == (1.0, 2.5)
    assert figure.axes[0].collections[0].get_datalim(figure.axes[0].transData).x0 == pytest.approx(1.0, abs=1e-3)
    assert figure.axes[1].images[0].get_extent()[:2] == [1.0, 2.5]
    assert figure.axes[4].images[0].get_extent()[:2] == [1.25, 2.5]


def test_blocks_give_the_picture_of_the_whole(tiny: edgevoice.Extractor, noise: np.ndarray) -> None:
    features = tiny.extract((noise, 16000))
    whole = draw_overview(tiny, noise, features)
    parts = draw_overview(tiny, lambda: iter(np.array_split(noise, 7)), features)
    for one, other in zip(whole.axes[1:5], parts.axes[1:5], strict=True):
        np.testing.assert_allclose(one.images[0].get_array(), other.images[0].get_array(), rtol=1e-5, atol=1e-6)
    for one, other in zip(whole.axes[:1], parts.axes[:1], strict=True):
        np.testing.assert_array_equal(
            one.collections[0].get_paths()[0].vertices, other.collections[0].get_paths()[0].vertices
        )


def test_a_long_recording_is_drawn_in_the_memory_of_a_short_one(tiny: edgevoice.Extractor) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 16000).astype(np.float32)
    features = tiny.extract((np.tile(samples, 10), 16000))
    peaks = []
    for seconds in (30, 120):
        tracemalloc.start()
        figure = draw_overview(tiny, lambda seconds=seconds: (samples for _ in range(seconds)), features)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert figure.axes[1].images[0].get_array().shape == (128, 1200)
    assert peaks[1] < 1.1 * peaks[0]


def test_a_name_with_a_dollar_sign_can_be_drawn(speech: Path, tiny_model: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "5$ and $x_{.wav", tmp_path / "out.png"
    path.write_bytes(speech.read_bytes())
    assert main(["plot", str(path), "-o", str(out), "--end", "2", "--model", str(tiny_model)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_silence_and_one_frame_can_be_drawn(tiny: edgevoice.Extractor) -> None:
    samples = np.zeros(8000, np.float32)
    draw_overview(tiny, samples, tiny.extract((samples, 16000))).draw_without_rendering()


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_the_command(tiny_model: Path, speech: Path, tmp_path: Path, suffix: str, magic: bytes) -> None:
    path = tmp_path / f"out.{suffix}"
    assert main(["plot", str(speech), "-o", str(path), "--model", str(tiny_model), "--start", "1", "--end", "3"]) == 0
    assert path.read_bytes().startswith(magic)


def test_the_command_refuses_other_formats(tiny_model: Path, speech: Path, tmp_path: Path) -> None:
    assert main(["plot", str(speech), "-o", str(tmp_path / "out.docx"), "--model", str(tiny_model)]) == 2
    assert main(["plot", "nowhere.wav", "-o", str(tmp_path / "out.png"), "--model", str(tiny_model)]) == 1
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib(tiny: edgevoice.Extractor, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(edgevoice.MissingPackageError, match=r"edgevoice\[plot\]"):
        draw_overview(tiny, noise, tiny.extract((noise, 16000)))

"""The figure of a recording."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.cli import main
from edgevoice.plotting.figurefile import PictureOptions
from edgevoice.plotting.recordings import draw_overview


@pytest.mark.parametrize(("descriptors", "panels"), [("all", 6), ("bottleneck", 3), ("error", 5)])
def test_one_panel_for_each_part(tiny_model: Path, speech: Path, descriptors: Any, panels: int) -> None:
    extractor = edgevoice.load(tiny_model, descriptors=descriptors)
    samples, rate = soundfile.read(speech, dtype="float32")
    figure = draw_overview(extractor, [samples], extractor.extract((samples, rate)), "title")
    images = panels - 1 - (descriptors != "bottleneck")  # samples and error are curves
    assert len(figure.axes) == panels + images  # each image has a bar
    assert figure.axes[0].get_title(loc="left") == "title"
    assert figure.axes[panels - 1].get_xlabel() == "seconds"
    assert all(bar.get_ylabel() for bar in figure.axes[panels:])
    figure.draw_without_rendering()
    edges = {axes.get_position().bounds[::2] for axes in figure.axes[:panels]}
    assert len(edges) == 1, "all panels have the same time axis"


def test_the_picture_shows_the_numbers(tiny: edgevoice.Extractor, noise: np.ndarray) -> None:
    features = tiny.extract((noise, 16000))
    figure = draw_overview(tiny, [noise], features)
    taken, rebuilt, difference, code = (axes.images[0] for axes in figure.axes[1:5])
    np.testing.assert_allclose(difference.get_array(), rebuilt.get_array() - taken.get_array(), atol=1e-9)
    typical = (features.bottleneck - features.bottleneck.mean(axis=0)) / (features.bottleneck.std(axis=0) + 1e-9)
    np.testing.assert_allclose(code.get_array(), typical.T, rtol=1e-4, atol=1e-4)
    assert code.get_clim() == (-3, 3)
    (curve,) = figure.axes[5].lines
    decibels = tiny.config.spectrogram.divisor * 10 / np.log(10)
    np.testing.assert_allclose(curve.get_ydata(), decibels * np.sqrt(features.error.mean(axis=1)), rtol=1e-5)
    assert curve.get_xdata() == pytest.approx((features.start + features.end) / 2), "a frame is at its window's middle"


@pytest.mark.parametrize("level", [None, "utterance", "window", 0.5])
def test_the_spectrograms_are_those_of_the_windows_at_their_own_level(
    tiny: edgevoice.Extractor, noise: np.ndarray, level: str | float | None
) -> None:
    samples = (noise * np.linspace(0.02, 1, len(noise)) + 0.01).astype(np.float32)[: 9 * 8000]  # no more than is drawn
    features = tiny.extract((samples, 16000), level=level)
    figure = draw_overview(tiny, [samples], features)
    taken, rebuilt = (np.split(axes.images[0].get_array(), len(samples) // 8000, axis=1) for axes in figure.axes[1:3])
    decibels = tiny.config.spectrogram.divisor * 10 / np.log(10)
    error = [np.mean((one - other) ** 2, axis=1) / decibels**2 for one, other in zip(taken, rebuilt, strict=True)]
    # The level is applied in float32 here.
    np.testing.assert_allclose(error, features.error[features.position % 8000 == 0], rtol=1e-3)


def test_time_is_that_of_the_whole_recording(tiny: edgevoice.Extractor, noise: np.ndarray) -> None:
    features = tiny.extract((noise, 16000), start=1.0, end=2.5)
    figure = draw_overview(tiny, [noise[16000:40000]], features)
    assert figure.axes[0].get_xlim() == (1.0, 2.5)
    assert figure.axes[0].collections[0].get_datalim(figure.axes[0].transData).x0 == pytest.approx(1.0, abs=1e-3)
    assert figure.axes[1].images[0].get_extent()[:2] == [1.0, 2.5]
    assert figure.axes[4].images[0].get_extent()[:2] == [1.125, 2.375]


def test_blocks_give_the_picture_of_the_whole(tiny: edgevoice.Extractor, noise: np.ndarray) -> None:
    features = tiny.extract((noise, 16000))
    whole = draw_overview(tiny, [noise], features)
    parts = draw_overview(tiny, np.array_split(noise, 7), features)
    for one, other in zip(whole.axes[1:5], parts.axes[1:5], strict=True):
        np.testing.assert_allclose(one.images[0].get_array(), other.images[0].get_array(), rtol=1e-5, atol=1e-6)
    one, other = (figure.axes[0].collections[0].get_paths()[0].vertices for figure in (whole, parts))
    np.testing.assert_array_equal(one, other)


def test_a_long_recording_is_drawn_in_the_memory_of_a_short_one(tiny: edgevoice.Extractor) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 16000).astype(np.float32)
    peaks = []
    for seconds in (30, 120):
        features = tiny.extract((np.tile(samples, seconds), 16000))
        tracemalloc.start()
        figure = draw_overview(tiny, (samples for _ in range(seconds)), features)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert figure.axes[1].images[0].get_array().shape == (128, 1200)
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.usefixtures("any_name")
@pytest.mark.parametrize("name", ["5$ and $x_{", r"x$\foo$", "測試 عربي \U00013000 \x07", "a\nb"])
def test_a_name_of_any_letters_can_be_drawn(speech: Path, tiny_model: Path, tmp_path: Path, name: str) -> None:
    path, out = tmp_path / f"{name}.wav", tmp_path / "out.png"
    path.write_bytes(speech.read_bytes())
    with mpl.rc_context({"text.usetex": True}):  # a user's own setting, which takes names for LaTeX
        assert main(["plot", str(path), "-o", str(out), "--end", "2", "--model", str(tiny_model)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_silence_and_one_frame_can_be_drawn(tiny: edgevoice.Extractor) -> None:
    samples = np.zeros(8000, np.float32)
    figure = draw_overview(tiny, [samples], tiny.extract((samples, 16000)))
    figure.draw_without_rendering()
    assert [text.get_text() for text in figure.axes[5].get_legend().get_texts()] == ["silent"]


def test_lost_windows_leave_room_and_gaps_are_marked(tiny: edgevoice.Extractor, noise: np.ndarray) -> None:
    stream = tiny.stream()
    stream.push(noise[:16_000])
    stream.skip(24_000)
    features = stream.push(noise[16_000:32_000])
    features = features[features.position > 0]
    axes = edgevoice.plot(features).axes[0]
    assert features.gap.any()
    assert axes.images[0].get_array().shape[1] == features.index[-1] - features.index[0] + 1
    (marked,) = axes.collections
    edges = np.concatenate([path.vertices[[0, 2], 0] for path in marked.get_paths()])
    middle = ((features.start + features.end) / 2)[features.gap]
    assert edges.min() == pytest.approx(middle.min() - 0.125)
    assert edges.max() == pytest.approx(middle.max() + 0.125)


def test_a_recording_is_drawn_by_its_path(tiny: edgevoice.Extractor, speech: Path) -> None:
    with np.errstate(all="raise"):  # a program's own
        figure = edgevoice.plot(speech, tiny, style="dark", size=(4, 3), dpi=50, title="")
        content = figure._repr_png_()
    assert content.startswith(b"\x89PNG")
    assert figure.axes[0].get_title(loc="left") == ""
    assert figure.get_facecolor() == (0, 0, 0, 1)
    assert figure.axes[5].xaxis.get_ticklabels()[0].get_color() == "white", "ticks are made late, in the same style"


@pytest.mark.parametrize(
    "options",
    [{"dpi": 0}, {"dpi": "120"}, {"size": (0, 5)}, {"size": 5}, {"size": (90, 90), "dpi": 1000}, {"style": "light"}],
)
def test_impossible_options(options: dict[str, Any]) -> None:
    with pytest.raises(edgevoice.ArgumentError):
        PictureOptions(**options)


def test_what_cannot_be_drawn(tiny: edgevoice.Extractor, noise: np.ndarray) -> None:
    wrong: Any
    for wrong in ([], [1], 5, edgevoice.load("cae-64").extract((noise, 16000))):  # features of another model
        with pytest.raises(edgevoice.ArgumentError):
            edgevoice.plot(wrong, tiny)


def test_the_commands_options(tiny_model: Path, speech: Path, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    words = ["plot", str(speech), "-o", str(tmp_path / "out.png"), "--model", str(tiny_model), "--end", "1"]
    assert main([*words, "--size", "5x4", "--dpi", "60", "--style", "dark", "--title", "mine"]) == 0
    with image.open(tmp_path / "out.png") as picture:
        assert (picture.size, picture.getpixel((0, 0))[:3]) == ((300, 240), (0, 0, 0))
    for wrong in (["--dpi", "5"], ["--size", "0x3"]):
        assert main([*words, "--force", *wrong]) == 2
    with pytest.raises(SystemExit, match="2"):
        main([*words, "--force", "--size", "5"])


def test_the_command_refuses_other_formats(tiny_model: Path, speech: Path, tmp_path: Path) -> None:
    assert main(["plot", str(speech), "-o", str(tmp_path / "out.docx"), "--model", str(tiny_model)]) == 2
    assert main(["plot", "nowhere.wav", "-o", str(tmp_path / "out.png"), "--model", str(tiny_model)]) == 1
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib(tiny: edgevoice.Extractor, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(edgevoice.MissingPackageError, match="pip install matplotlib"):
        draw_overview(tiny, [noise], tiny.extract((noise, 16000)))


def test_where_matplotlib_finds_no_folder_of_its_own(tmp_path: Path, speech: Path, tiny_model: Path) -> None:
    code = f"""
import sys, tempfile
from edgevoice.cli import main

def none(*_, **__):
    raise OSError(30, "Read-only file system")

tempfile.mkdtemp = none
sys.exit(main(["plot", {str(speech)!r}, "-o", "out.png", "--model", {str(tiny_model)!r}]))
"""
    environment = os.environ | {"MPLCONFIGDIR": str(tiny_model / "model.json")}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]  # matplotlib may have a word of its own before it
    assert last.startswith("edgevoice: a figure: cannot be written"), result.stderr
    assert "set the MPLCONFIGDIR" in last

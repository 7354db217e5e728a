"""Several recordings in one figure, from Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.cli import main

pytest.importorskip("matplotlib", reason="the plot extra is not installed")
from edgevoice.plotting.recordings import draw_comparison


@pytest.fixture
def folder(tmp_path: Path, noise: np.ndarray) -> Path:
    (tmp_path / "in").mkdir()
    for k, name in enumerate(("a", "b", "$c")):
        soundfile.write(tmp_path / "in" / f"{name}.wav", noise[1000 * k : 40_000 + 8000 * k], 16_000)
    return tmp_path / "in"


def test_all_have_the_same_colours_and_the_same_time(tiny: edgevoice.Extractor, noise: np.ndarray) -> None:
    recordings = [(f"{k} s", tiny.extract((noise[: 16_000 * k], 16_000))) for k in (1, 3, 5)]
    figure = draw_comparison(recordings, "all", tiny)
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 6
    for column in (panels[0::2], panels[1::2]):
        assert len({axes.images[0].get_clim() for axes in column}) == 1
        assert {axes.get_xlim() for axes in panels} == {(0, 5)}
    assert [axes.get_ylabel() for axes in figure.axes if not axes.images] == [
        "bottleneck, standard deviations",
        "error, log10 of the mean square",
    ]
    shown = [axes.images[0].get_array() for axes in panels[1::2]]
    for (_, features), image in zip(recordings, shown, strict=True):
        np.testing.assert_allclose(image, np.log10(features.error.T + 1e-9), rtol=1e-5)


def test_features_draw_themselves(tiny: edgevoice.Extractor, noise: np.ndarray) -> None:
    features = tiny.extract((noise, 16_000))
    figure = edgevoice.plot(features)
    bottleneck, error = (figure.axes[k].images[0].get_array() for k in (0, 1))
    np.testing.assert_allclose(error, np.log10(features.error.T + 1e-9), rtol=1e-5)
    assert np.abs(np.asarray(bottleneck).mean(axis=1)).max() < 1e-3
    assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(edgevoice.ArgumentError, match="no frame"):
        edgevoice.plot(features[:0])


def test_the_command_draws_files_folders_and_an_index(folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    (folder / "rows.csv").write_text("file,start,end\na.wav,0,1\na.wav,1,2\nb.wav,0.5,\n")
    model = ["--model", str(tiny_model)]
    for k, words in enumerate(([str(folder)], ["--index", str(folder / "rows.csv")], [str(folder / "a.wav")])):
        out = tmp_path / f"{k}.png"
        assert main(["plot", *words, "-o", str(out), *model]) == 0
        assert out.read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_read_is_named_and_the_others_are_drawn(
    folder: Path, tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.wav").write_bytes(b"RIFF")
    out = tmp_path / "out.png"
    assert main(["plot", str(folder), "-o", str(out), "--model", str(tiny_model)]) == 1
    assert "broken.wav" in capsys.readouterr().err
    assert out.exists()
    for path in folder.glob("[ab$]*.wav"):
        if path.name != "broken.wav":
            path.unlink()
    assert main(["plot", str(folder), "-o", str(tmp_path / "none.png"), "--model", str(tiny_model)]) == 1
    assert not (tmp_path / "none.png").exists()


def test_too_many_are_refused(tiny: edgevoice.Extractor, noise: np.ndarray) -> None:
    features = tiny.extract((noise, 16_000))
    with pytest.raises(edgevoice.ArgumentError):
        draw_comparison([("a", features)] * 25)


@pytest.mark.parametrize(
    ("kind", "magic", "recipe"),
    [
        ("png", b"\x89PNG", b"edgevoice.recipe"),
        ("svg", b"<?xml", b'"model": "tiny"'),
        ("pdf", b"%PDF", b"/Subject"),
    ],
)
def test_what_made_the_numbers_is_in_the_picture(
    folder: Path, tmp_path: Path, tiny_model: Path, kind: str, magic: bytes, recipe: bytes
) -> None:
    out = tmp_path / f"out.{kind}"
    words = ["plot", str(folder / "a.wav"), "-o", str(out), "--model", str(tiny_model), "--start", "1", "--end", "2"]
    assert main(words) == 0
    content = out.read_bytes()
    assert content.startswith(magic)
    assert recipe in content
    assert b"/Type3" not in content, "fonts of a PDF are of Type 42"
    if kind == "png":
        image = pytest.importorskip("PIL.Image")
        with image.open(out) as picture:
            told = json.loads(picture.text["edgevoice.recipe"])
        assert told["model"] == edgevoice.find_model(tiny_model).config.name


def test_an_index_without_a_row_is_an_error(tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.csv").write_text("file\n")
    out = str(tmp_path / "out.png")
    assert main(["plot", "--index", str(tmp_path / "rows.csv"), "-o", out, "--model", str(tiny_model)]) == 2
    assert "lists no recording" in capsys.readouterr().err

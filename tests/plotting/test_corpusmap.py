"""A table as a picture."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import edgevoice
from edgevoice.cli import main

pytest.importorskip("matplotlib", reason="the plot extra is not installed")
from edgevoice.heads.fitting import draw_confusion
from edgevoice.plotting.corpusmap import draw_map, principal_components
from edgevoice.plotting.recordings import draw_comparison


@given(rows=st.integers(3, 60), columns=st.integers(2, 30), seed=st.integers(0, 99))
def test_components_are_those_of_the_singular_values(rows: int, columns: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    points, shares = principal_components(values, 2)
    scaled = (values - values.mean(axis=0, dtype=np.float64)) / values.std(axis=0, dtype=np.float64)
    left, singular, _ = np.linalg.svd(scaled, full_matrices=False)
    np.testing.assert_allclose(np.abs(points), np.abs(left[:, :2] * singular[:2]), atol=1e-6 * singular[0] * rows)
    np.testing.assert_allclose(shares, singular[:2] ** 2 / (singular**2).sum(), atol=1e-9)


def test_columns_that_do_not_vary_are_left_out() -> None:
    values = np.array([[1, 0, 5], [1, 1, 5], [1, 2, 5]], np.float32)
    points, shares = principal_components(values, 2)
    assert points[:, 0] == pytest.approx([-1.2247, 0, 1.2247], abs=1e-3)
    assert shares.tolist() == pytest.approx([1, 0])
    with pytest.raises(edgevoice.ArgumentError, match="same numbers"):
        principal_components(values[:1].repeat(3, axis=0), 2)
    with pytest.raises(edgevoice.ArgumentError):
        draw_map(values[:1])


def test_names_have_a_legend_and_numbers_a_bar() -> None:
    values = np.random.default_rng(0).normal(size=(60, 5))
    names = draw_map(values, [f"{k % 25:04}" for k in range(60)], "speaker", "corpus")
    legend = [text.get_text() for text in names.legends[0].get_texts()]
    assert len(legend) == 21
    assert legend[0] == "5 others (10)"
    assert names.legends[0].get_title().get_text() == "speaker"
    assert len(names.axes) == 1
    bar = draw_map(values, [str(k / 2) for k in range(59)] + [None], "loudness")
    assert [axes.get_ylabel() for axes in bar.axes][1] == "loudness (dB of full scale)"
    few = draw_map(values, [k % 3 for k in range(60)], "dialect")
    assert len(few.axes[0].lines) == 3, "an ellipse for each"
    assert not names.axes[0].lines
    looks = {(tuple(one.get_facecolor()[0]), one.get_paths()[0].vertices.tobytes()) for one in names.axes[0].collections}
    assert len(looks) == 21, "colours and shapes tell all groups apart"
    assert [text.get_text() for text in few.legends[0].get_texts()] == ["0 (20)", "1 (20)", "2 (20)"]


def test_long_names_and_small_pictures_stay_readable(tiny: edgevoice.Extractor, noise: np.ndarray) -> None:
    name = "/".join(f"a folder of recordings {k}" for k in range(9))
    groups = [f"{name} {k % 3}" for k in range(60)]
    features = tiny.extract((noise, 16_000))
    head: Any = SimpleNamespace(labels=(name, "b"), about={"column": "label"})
    head.scores = {"value": 0.5, "interval": (0.1, 0.9), "chance": 0.5, "confusion": [[3, 1], [1, 3]]}
    for figure in (
        draw_map(np.random.default_rng(0).normal(size=(60, 5)), groups, "speaker", name),
        edgevoice.plot((noise, 16_000), tiny, title=name, size=(8, 5)),
        draw_comparison([(name, features), (name, features)], name, tiny),
        draw_confusion(head),
    ):
        figure.draw_without_rendering()
        panel: Any = figure.axes[0]
        texts = [*panel.get_yticklabels(), panel._left_title, *(text for one in figure.legends for text in one.get_texts())]
        boxes = [text.get_window_extent() for text in texts if text.get_text()]
        assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in boxes)
        assert panel.get_position().width > 0.25
        for axes in figure.axes:
            ends = [label.get_window_extent() for label in axes.get_yticklabels() if axes.images and label.get_text()]
            ends.sort(key=lambda box: box.y0)
            assert all(one.y1 <= other.y0 for one, other in itertools.pairwise(ends))


def test_many_rows_are_thinned_and_the_title_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevoice.plotting.corpusmap._MOST", 50)
    figure = draw_map(np.random.default_rng(0).normal(size=(500, 4)), list(range(500)), "k")
    assert len(figure.axes[0].collections[-1].get_offsets()) == 50
    assert "50 of 500 rows" in figure.axes[0].get_title(loc="left")


@pytest.mark.parametrize("kind", ["csv", "parquet/", "npy"])
def test_the_command_reads_every_format(
    tmp_path: Path, noise: np.ndarray, tiny_model: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "parquet" in kind:
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    rows = ["file,speaker"]
    for k in range(6):
        soundfile.write(tmp_path / f"{k}.wav", noise[4000 * k : 4000 * k + 20_000], 16_000)
        rows.append(f"{k}.wav,s{k % 2}")
    (tmp_path / "index.csv").write_text("\n".join(rows))
    table = f"{tmp_path}/table.{kind}"
    words = ["extract", "--index", str(tmp_path / "index.csv"), "--static", "-o", table, "--model", str(tiny_model)]
    assert main(words) == 0
    capsys.readouterr()
    out = tmp_path / "map.png"
    code = main(["map", table, "-o", str(out), "--colour", "speaker"])
    if kind == "npy":
        assert code == 2
        assert "has no such column; it has none" in capsys.readouterr().err
    else:
        assert code == 0, capsys.readouterr().err
        assert b"edgevoice.recipe" in out.read_bytes()
        assert main(["map", table, "-o", str(out)]) == 2  # it is there
        assert main(["map", table, "-o", str(out), "--force", "--color", "age"]) == 2
        assert "it has" in capsys.readouterr().err


def test_a_table_that_is_not_there_or_empty_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.csv").write_text("file,bottleneck_0\n")
    for name, code, told in (("gone.csv", 1, "no such table"), ("empty.csv", 2, "has no rows")):
        assert main(["map", str(tmp_path / name), "-o", str(tmp_path / "map.png"), "--colour", "x"]) == code
        assert capsys.readouterr().err.endswith(f"{told}{', so there is nothing to draw' * (code == 2)}\n")


@pytest.mark.parametrize("groups", [2, 3])
def test_lda_separates_groups(groups: int) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    rng = np.random.default_rng(0)
    cells = [str(k % groups) for k in range(60)]
    values = rng.normal(size=(60, 40))
    values[:, 7] += 6 * np.array(cells, float)
    panel = draw_map(values, cells, "who", method="lda").axes[0]
    centres = [np.asarray(one.get_offsets())[:, 0].mean() for one in panel.collections]
    spread = max(np.asarray(one.get_offsets())[:, 0].std() for one in panel.collections)
    assert np.diff(sorted(centres)).min() > 3 * spread
    assert panel.get_xlabel() == "direction 1 that separates who"
    assert panel.get_ylabel().startswith(("first principal", "direction 2")[groups - 2])


@pytest.mark.parametrize("cells", [None, ["a"] * 30, [str(k) for k in range(30)], [k / 2 for k in range(30)]])
def test_lda_needs_groups(cells: list[str] | None) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    with pytest.raises(edgevoice.ArgumentError, match="lda separates groups"):
        draw_map(np.random.default_rng(0).normal(size=(30, 4)), cells, method="lda")


def test_umap_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(30, 4))
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(edgevoice.MissingPackageError, match="pip install umap-learn"):
        draw_map(values, method="umap")
    fake = SimpleNamespace(UMAP=lambda **_: SimpleNamespace(fit_transform=lambda rows: rows[:, 1::2].astype(np.float32)))
    monkeypatch.setitem(sys.modules, "umap", fake)
    assert draw_map(values, method="umap").axes[0].get_xlabel() == "first dimension of UMAP"

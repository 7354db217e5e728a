"""Features and corpora as tables of pandas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.corpus.index import Failure, Row, read_index
from edgevoice.recipe import Reading

pandas = pytest.importorskip("pandas")


@pytest.fixture
def corpus(tmp_path: Path, noise: np.ndarray) -> Path:
    folder = tmp_path / "corpus"
    (folder / "anna").mkdir(parents=True)
    soundfile.write(folder / "anna" / "one.wav", noise[:40000], 16000)
    soundfile.write(folder / "two.flac", np.stack([noise[:30000], noise[40000:70000]], 1), 16000)
    return folder


def test_features_to_pandas(tiny: edgevoice.Extractor, speech: Path) -> None:
    features = tiny.extract(speech, start=1.0)
    frame = features.to_pandas()
    assert frame.index.names == ["file", "start", "end"]
    assert [str(kind) for kind in frame.index.dtypes] == ["string", "timedelta64[ns]", "timedelta64[ns]"]
    assert frame.index[0] == (str(speech), pandas.Timedelta("1s"), pandas.Timedelta("1.5s"))
    assert frame.columns.tolist() == ["index", "silent", "gap", "loudness", *features.names]
    assert [str(kind) for kind in frame.dtypes.iloc[:5]] == ["int64", "bool", "bool", "float64", "float32"]
    assert frame[features.names].to_numpy().tobytes() == features.values.tobytes()
    assert frame.attrs["recipe"] == {**features.recipe.to_dict(), "static": False}
    static = features.to_pandas(static=True)
    assert static.columns.tolist() == ["frames", "silent", "gap", "loudness", *features.functional_names]
    assert static.index[0][1].total_seconds() == 1.0
    assert static.index[0][2].total_seconds() == pytest.approx(features.extent[1])
    np.testing.assert_array_equal(static[features.functional_names].to_numpy()[0], features.functionals())
    assert len(features[:0].to_pandas()) == 0


def test_what_decides_a_recipe(tiny: edgevoice.Extractor) -> None:
    recipe = tiny.recipe()
    assert tiny.recipe(Reading("running", 0.25)).digest() == recipe.digest()
    for change in ({"level": 2.0}, {"hop": 0.1}, {"channel": 0}, {"channel": "each"}, {"pad": True}, {"incomplete": "keep"}):
        other = tiny.recipe(Reading(**change))
        assert other.digest() != recipe.digest()
        assert [text.split(" ")[0] for text in recipe.differences(other)] == list(change)
    assert replace(recipe, edgevoice="9", onnxruntime="9", device="cuda").digest() == recipe.digest()


def test_a_corpus_has_the_rows_of_extract(tiny: edgevoice.Extractor, corpus: Path) -> None:
    done: list[int] = []
    table = edgevoice.table(corpus, tiny, jobs=3, progress=done.append)
    expected = [tiny.extract(corpus / name) for name in ("anna/one.wav", "two.flac")]
    assert table[tiny.layout.names].to_numpy().tobytes() == b"".join(part.values.tobytes() for part in expected)
    assert table.index.get_level_values("file").unique().tolist() == ["anna/one.wav", "two.flac"]
    assert done == [1, 2]
    static = edgevoice.table(corpus, tiny, static=True)
    np.testing.assert_array_equal(static[tiny.layout.functional_names].to_numpy(), [part.functionals() for part in expected])
    assert static.attrs["recipe"]["static"] is True


def test_a_table_joins_what_it_was_made_from(tiny: edgevoice.Extractor, corpus: Path) -> None:
    audformat = pytest.importorskip("audformat")
    labels = pandas.DataFrame(
        {"label": ["x", "y"], "age": [20, 30]},
        index=audformat.segmented_index(["anna/one.wav", "two.flac"], [0.5, 0.25], [1.5, 1.0]),
    )
    table = edgevoice.table(labels, tiny, root=corpus, static=True)
    pandas.testing.assert_index_equal(table.index, labels.index, exact=True)
    assert table.columns.tolist()[-2:] == ["label", "age"]
    assert table["age"].tolist() == [20, 30]
    assert len(labels.join(table[["frames"]], how="inner")) == 2
    segment = tiny.extract(corpus / "anna" / "one.wav", start=0.5, end=1.5)
    np.testing.assert_array_equal(table.iloc[0][tiny.layout.functional_names].astype(np.float32), segment.functionals())


def test_each_channel(tiny: edgevoice.Extractor, corpus: Path) -> None:
    table = edgevoice.table(corpus, tiny, channel="each", static=True)
    channels = [(file, channel) for (file, _, _), channel in table["channel"].items()]
    assert channels == [("anna/one.wav", 0), ("two.flac", 0), ("two.flac", 1)]
    expected = tiny.extract(corpus / "two.flac", channel=1).functionals()
    np.testing.assert_array_equal(table.iloc[2][tiny.layout.functional_names].astype(np.float32), expected)
    frame = pandas.DataFrame({"file": ["two.flac", "two.flac"], "channel": [1, None]})
    table = edgevoice.table(frame, tiny, root=corpus, static=True)
    np.testing.assert_array_equal(table.iloc[0][tiny.layout.functional_names].astype(np.float32), expected)
    assert table["channel"].isna().tolist() == [False, True]
    with pytest.raises(edgevoice.ArgumentError, match="the index has a column"):
        edgevoice.table(frame, tiny, root=corpus, channel=0)
    with pytest.raises(edgevoice.ArgumentError, match="'each'"):
        edgevoice.table(corpus, tiny, channel="all")
    with pytest.raises(edgevoice.ArgumentError, match="progress 3: expected a function"):
        edgevoice.table(corpus, tiny, progress=3)


@pytest.mark.parametrize("name", ["Loudness", "mean_error_0", "bottleneck_1", "frames"])
def test_a_column_that_would_be_there_twice_is_refused(tiny: edgevoice.Extractor, corpus: Path, name: str) -> None:
    frame = pandas.DataFrame({"file": ["two.flac"], name: [1]})
    with pytest.raises(edgevoice.ArgumentError, match="has the name of a column"):
        edgevoice.table(frame, tiny, root=corpus)


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("static", [True, False])
def test_labels_join_by_the_names_that_they_have(
    tiny: edgevoice.Extractor, corpus: Path, monkeypatch: pytest.MonkeyPatch, absolute: bool, static: bool
) -> None:
    monkeypatch.chdir(corpus)
    audformat = pytest.importorskip("audformat")
    names = [str(corpus / name) if absolute else name for name in ("anna/one.wav", "two.flac")]
    labels = pandas.Series(["x", "y"], audformat.filewise_index(names), name="label")
    for index in (names, labels.index, labels, labels.reset_index()[["file"]]):
        table = edgevoice.table(index, tiny, static=static)
        audformat.Table(table.index)  # both times have one unit
        joined = table[["silent"]].join(labels.rename("joined"), on="file")
        assert joined["joined"].notna().all()
        assert set(joined["joined"]) == {"x", "y"}


def test_failures_are_reported_and_the_rest_is_done(
    tiny: edgevoice.Extractor, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (corpus / "bad.wav").write_text("not audio")
    with pytest.warns(edgevoice.EdgeVoiceWarning, match="1 of 3 rows failed, the first with .*bad.wav: is not audio"):
        table = edgevoice.table(corpus, tiny, static=True)
    assert len(table) == 2
    assert table.attrs["failed"][0]["file"] == "bad.wav"
    with pytest.warns(edgevoice.EdgeVoiceWarning, match="1 of 1"):
        nothing = edgevoice.table(["bad.wav"], tiny, root=corpus)
    error = edgevoice.AudioFormatError("x: cannot be listed")
    index = replace(read_index(corpus), errors=(Failure(Row("x", "x"), error),))
    monkeypatch.setattr("edgevoice.corpus.table.read_index", lambda *_: index)
    with pytest.warns(edgevoice.EdgeVoiceWarning, match="2 of 4 rows failed, the first with x: cannot be listed"):
        edgevoice.table(corpus, tiny, static=True)
    assert (len(nothing), nothing.columns.tolist()) == (0, ["index", "silent", "gap", "loudness", *tiny.layout.names])

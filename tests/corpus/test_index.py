"""What is to be read."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgevoice
from edgevoice.corpus.index import Row, index_of_inputs, read_index


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("x/a.wav", "x/b.WAV", "x/deep/c.ogg", "x/notes.txt", "x/._a.wav", "y/a.wav", "z/none.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def places(index: object) -> list[tuple[str, str]]:
    return [(row.file, row.path) for row in index.rows]


@pytest.mark.parametrize(
    ("names", "root", "expected"),
    [
        (["x/a.wav"], None, [("x/a.wav", "x/a.wav")]),
        (["x"], None, [("a.wav", "x/a.wav"), ("b.WAV", "x/b.WAV"), ("deep/c.ogg", "x/deep/c.ogg")]),
        (["y", "x/a.wav"], None, [("y/a.wav", "y/a.wav"), ("x/a.wav", "x/a.wav")]),
        (["y", "x/a.wav"], "y", [("a.wav", "y/a.wav"), ("x/a.wav", "x/a.wav")]),
        # Named twice, in two ways.
        (["x/a.wav", "./x/../x/a.wav"], None, [("x/a.wav", "x/a.wav")]),
        # What is not there is told when it is opened.
        (["gone.wav"], None, [("gone.wav", "gone.wav")]),
    ],
)
def test_inputs_of_a_command(place: Path, names: list[str], root: str | None, expected: list[tuple[str, str]]) -> None:
    index = index_of_inputs(names, root)
    assert places(index) == expected
    assert index.errors == ()


def test_files_that_are_no_audio_are_counted(place: Path) -> None:
    assert index_of_inputs(["x"]).unread == 1
    assert read_index("x").unread == 1


def test_a_folder_without_audio_is_an_error_and_the_others_are_found(place: Path) -> None:
    index = index_of_inputs(["z", "x/a.wav"])
    assert [str(error) for _, error in index.errors] == ["z: no audio file in this folder or below it"]
    assert [row.file for row in index.rows] == ["x/a.wav"]
    with pytest.raises(edgevoice.AudioFileNotFoundError, match="no audio file"):
        read_index("z")
    with pytest.raises(edgevoice.AudioFileNotFoundError, match="expected the root"):
        read_index(["a.wav"], root="nowhere")


def test_a_csv_keeps_its_other_columns_as_they_are(place: Path) -> None:
    text = '\ufeffspeaker,file,start,end,channel,label\n01,a.wav,,,,"a, b"\n02,b.WAV,0.5,0 days 00:00:01.500000,1,\n'
    (place / "x" / "index.csv").write_text(text, encoding="utf-8")
    index = read_index("x/index.csv")
    assert index.rows == (
        Row("a.wav", "x/a.wav", None, None, None, ("01", "a, b")),
        Row("b.WAV", "x/b.WAV", 0.5, 1.5, 1, ("02", "")),
    )
    assert index.columns == (("speaker", "text"), ("label", "text"))
    assert index.has_channel
    with Path("x/index.csv").open("rb") as file:
        assert read_index(file, "x").rows == index.rows
    # Where it lies does not count when there is a root.
    assert read_index("x/index.csv", "y").rows[0].path == "y/a.wav"


@pytest.mark.parametrize("nothing", ["", "NaT", "nan"])
def test_no_end_is_the_end_of_the_file(nothing: str) -> None:
    row = read_index(io.StringIO(f"file,start,end\na.wav,0 days,{nothing}\n")).rows[0]
    assert row == Row("a.wav", "a.wav", 0.0, None)


@given(st.integers(0, 10**15), st.integers(1, 10**12))
def test_durations_are_read_to_the_nanosecond(start: int, length: int) -> None:
    pandas = pytest.importorskip("pandas")
    start, end = (pandas.Timedelta(value * 1000, unit="ns") for value in (start, start + length))
    text = f"file,start,end\na.wav,{start},{end}\n"
    row = read_index(io.StringIO(text)).rows[0]
    assert row.start == pytest.approx(start.value / 1e9, rel=1e-15)
    assert read_index([("a.wav", start, end)]).rows[0] == Row("a.wav", "a.wav", start.value / 1e9, end.value / 1e9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,start\na,1\n", "no column 'file'"),
        ("", "no column 'file'"),
        ("file,label\na.wav\n", "line 2 has 1 cells, expected 2"),
        ("file,loudness\na.wav,1\n", "'loudness' has the name of a column of EdgeVoice's own"),
        ("file,mean_error_0\na.wav,1\n", "'mean_error_0' has the name"),
        ("file,a,a\na.wav,1,2\n", "the same name"),
        ("file,end\na.wav,soon\n", "end is 'soon': expected seconds"),
        ("file,end\na.wav,-1\n", "expected seconds from 0 on"),
        ("file,start,end\na.wav,2,1\n", r"its end, 1.0, is not after its start, 2.0"),
        ("file,channel\na.wav,-1\n", "channel is '-1'"),
        ("file,label\n,x\n", "row 1 has no file"),
    ],
)
def test_what_cannot_be_understood_is_refused(text: str, message: str) -> None:
    with pytest.raises(edgevoice.ArgumentError, match=message):
        read_index(io.StringIO(text))


@pytest.mark.parametrize("source", [3, [("a.wav", 1)], [4]])
def test_what_is_no_index_is_refused(source: object) -> None:
    with pytest.raises(edgevoice.ArgumentError, match="expected"):
        read_index(source)
    with pytest.raises(edgevoice.AudioFileNotFoundError, match="expected an index"):
        read_index("gone.csv")


def test_audformat(place: Path) -> None:
    audformat = pytest.importorskip("audformat")
    pandas = pytest.importorskip("pandas")
    files = audformat.filewise_index(["a.wav", "deep/c.ogg"])
    assert places(read_index(files, "x")) == [("a.wav", "x/a.wav"), ("deep/c.ogg", "x/deep/c.ogg")]
    segments = audformat.segmented_index(["a.wav", "a.wav"], [0, 1.25], [1.25, pandas.NaT])
    rows = (Row("a.wav", "x/a.wav", 0.0, 1.25), Row("a.wav", "x/a.wav", 1.25, None))
    assert read_index(segments, "x").rows == rows
    table = pandas.DataFrame({"speaker": ["s", None], "age": [3, 4]}, index=segments)
    index = read_index(table, "x")
    assert index.rows == tuple(row._replace(others=others) for row, others in zip(rows, [("s", 3), (None, 4)], strict=True))
    assert index.columns == (("speaker", "text"), ("age", "whole"))
    assert read_index(table["age"], "x").columns == (("age", "whole"),)
    assert read_index(table.reset_index(), "x").rows == index.rows


def test_paths_and_folders(place: Path) -> None:
    assert places(read_index(["a.wav", "deep"], root="x")) == [("a.wav", "x/a.wav"), ("deep/c.ogg", "x/deep/c.ogg")]
    assert places(read_index([place / "x" / "a.wav", place / "y" / "a.wav"], root="x")) == [
        ("a.wav", str(place / "x" / "a.wav")),
        (str(place / "y" / "a.wav"), str(place / "y" / "a.wav")),
    ]
    assert places(read_index("x/a.wav")) == [("x/a.wav", "x/a.wav")]

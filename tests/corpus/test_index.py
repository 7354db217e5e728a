"""What is to be read."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgevoice
from edgevoice.audio.folders import find_audio
from edgevoice.corpus.index import Failure, Index, Row, index_of_inputs, read_index, read_index_file


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
    assert (index.errors, index.unread) == ((), int("x" in names))


def test_a_folder_without_audio_is_an_error_and_the_others_are_found(place: Path) -> None:
    index = index_of_inputs(["z", "x/a.wav"])
    assert [str(error) for _, error in index.errors] == ["z: no audio file in this folder or below it"]
    assert [row.file for row in index.rows] == ["x/a.wav"]
    with pytest.raises(edgevoice.AudioFileNotFoundError, match="no audio file"):
        read_index("z")
    with pytest.raises(edgevoice.AudioFileNotFoundError, match="expected the root"):
        read_index(["a.wav"], root="nowhere")


def test_a_folder_that_cannot_be_listed_is_a_failure_by_name(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = edgevoice.AudioFormatError("x/deep: cannot be listed (permission denied)")
    found = find_audio(Path("x"))._replace(errors=(("x/deep", error),))
    monkeypatch.setattr("edgevoice.corpus.index.find_audio", lambda _: found)
    for index in (read_index("x"), read_index(["x"]), index_of_inputs(["x"])):
        assert index.errors == (Failure(Row("deep", "deep"), error),)
        assert len(index.rows) == len(found.files)


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
        ("file,a,A\na.wav,1,2\n", "the same name"),
        ("file,start,Start\na.wav,1,2\n", "the same name"),
        ('file,label,end\nb.wav,"x\ny",1\na.wav,,soon\n', r"row 2 \(line 4\): end is 'soon': expected seconds"),
        (f"file,end\na.wav,{'9' * 400} days\n", "expected seconds"),
        (f"file,end\na.wav,{'9' * 5000} days\n", "expected seconds"),
        ("file,end\na.wav,1e999\n", "expected seconds"),
        ('file;end\na.wav;"1,5"\n', "expected seconds"),
        ("file,channel\na.wav,-1\n", "channel is '-1'"),
        ("file,channel\na.wav,1e999\n", "channel is '1e999'"),
        ("file,label\n,x\n", "row 1 .*: file is empty"),
        ("path\na.wav\n", "no column 'file'"),
        (f"file,{'x' * 200_000}\na.wav,1\n", "is not CSV"),
        ('file,"label\na.wav,' + "x" * 200_000, "is not CSV"),
    ],
)
def test_what_cannot_be_understood_is_refused(text: str, message: str) -> None:
    with pytest.raises(edgevoice.ArgumentError, match=message):
        read_index(io.StringIO(text))


@pytest.mark.parametrize(
    "text",
    [
        "file, start, end\na.wav, 0.5, 1.5\n",
        "File,START,End\na.wav,0.5,1.5\n",
        " file ,start,\xa0end\u200b\na.wav,0.5,1.5\n",
        ",file,start,end\n0,a.wav,0.5,1.5\n",
        "Unnamed: 0,file,start,end\n0,a.wav,0.5,1.5\n",
        "file;start;end\na.wav;0.5;1.5\n",
        "file\tstart\tend\r\na.wav\t0.5\t1.5\r\n",
        "sep=;\nfile;start;end\na.wav;0.5;1.5\n",
        '"file";"start";"end"\n"a.wav";"0.5";"1.5"\n',
        "file,start,end\ra.wav,0.5,1.5\r",
        "file,start,end,\na.wav,0 days 00:00:00.5,0:00:01.5,\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_whatever_writes_a_csv(text: str, encoding: str) -> None:
    file = io.BytesIO(text.encode(encoding))
    index = read_index(file)
    assert index == Index((Row("a.wav", "a.wav", 0.5, 1.5),))
    assert not file.closed


PLACES = [
    "onset",
    "begin,finish",
    "Begin Time (s),End Time (s)",
    "start_time,end_time",
    "segment_start",
    "tmin,tmax",
    "t0,t1",
]
PLACES += ["start,stop", "start,duration", "start,offset", "offset,duration", "start_ms,end_ms", "end,begin"]


@pytest.mark.parametrize("joined", PLACES)
def test_columns_that_look_like_places_are_refused_or_the_users(joined: str) -> None:
    pandas = pytest.importorskip("pandas")
    names = joined.split(",")
    text = f"file,{joined}\na.wav{',1' * len(names)}\n"
    frame = pandas.read_csv(io.StringIO(text))
    own = [name for name in names if name not in ("start", "end")]
    for make in (lambda: io.StringIO(text), lambda: frame):
        with pytest.raises(edgevoice.ArgumentError, match="looks like a place"):
            read_index(make())
        assert [name for name, _ in read_index(make(), keep=[name.upper() for name in own]).columns] == own
    with pytest.raises(edgevoice.ArgumentError, match="no column nonsense"):
        read_index(frame, keep=["nonsense"])


@pytest.mark.parametrize(
    "names", ["duration", "offset", "start,end,onset,duration", "start,end,stop", "endpoint,starter,min,max", "tone,topic"]
)
def test_columns_that_are_no_places_are_kept(names: str) -> None:
    index = read_index(io.StringIO(f"file,{names}\na.wav{',1' * len(names.split(','))}\n"))
    assert [name for name, _ in index.columns] == [name for name in names.split(",") if name not in ("start", "end")]


def test_times_out_of_range_are_left_to_their_rows() -> None:
    rows = read_index(io.StringIO("file,start,end\na.wav,2,1\nb.wav,-1,\nc.wav,1e10,\n")).rows
    assert [(row.start, row.end) for row in rows] == [(2.0, 1.0), (-1.0, None), (1e10, None)]


@given(st.binary(max_size=300))
def test_no_file_gives_anything_but_an_index_or_one_error(data: bytes) -> None:
    for head in (b"", b"file,start\n", b"PAR1", b"\xff\xfe"):
        with suppress(edgevoice.ArgumentError):
            read_index(io.BytesIO(head + data))


@pytest.mark.parametrize("source", [3, [("a.wav", 1)], [4], [(1, 2, 3)], b"a.wav", {"file": ["a.wav"]}, [None]])
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


def test_tables_of_all_kinds_are_the_same_index(place: Path) -> None:
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    cells = {"file": ["a.wav", "b.wav"], "start": [0.0, 0.5], "end": [1.5, None], "age": [3, 4], "label": ["x", None]}
    rows = (Row("a.wav", "a.wav", 0.0, 1.5, None, (3, "x")), Row("b.wav", "b.wav", 0.5, None, None, (4, None)))
    frame = pandas.DataFrame(cells)
    durations = frame.assign(
        start=pandas.to_timedelta(frame["start"], unit="s"), end=pandas.to_timedelta(frame["end"], unit="s")
    )
    durations.to_parquet("durations.parquet")
    durations.set_index(["file", "start", "end"]).to_parquet("index.PARQUET")
    polars.DataFrame(cells).write_parquet("polars.parquet")
    sources = [frame, durations, polars.DataFrame(cells), "durations.parquet", "index.PARQUET", "polars.parquet"]
    for source in (*sources, polars.from_pandas(durations), io.BytesIO(Path("polars.parquet").read_bytes())):
        assert read_index(source) == Index(rows, (("age", "whole"), ("label", "text")))
    Path("broken.parquet").write_bytes(Path("polars.parquet").read_bytes()[:-9])
    with pytest.raises(edgevoice.ArgumentError, match="is not a Parquet file"):
        read_index("broken.parquet")


def test_parquet_of_anybody(place: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.table({"file": ["a.wav"], "start": [Decimal("1.5")]})
    for noted in (b"[", b"[" * 100_000, b"[]", b'{"index_columns": ["gone"], "columns": [{}]}'):
        parquet.write_table(table.replace_schema_metadata({"pandas": noted}), "noted.parquet")
        assert read_index("noted.parquet").rows == (Row("a.wav", "a.wav", 1.5),)
    same = arrow.DictionaryArray.from_arrays(arrow.array([0] * 1_100_000), ["a.wav"])
    for columns in ({"file": same}, {"file": ["a.wav"], "day": arrow.array([1 << 30], arrow.date32())}):
        parquet.write_table(arrow.table(columns), "hostile.parquet")
        with pytest.raises(edgevoice.ArgumentError):
            read_index("hostile.parquet")


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="pipes have no names")
def test_an_index_that_is_a_pipe_is_of_the_current_folder(place: Path) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"file\na.wav\n")
    os.close(theirs)
    assert [row.path for row in read_index_file(f"/dev/fd/{ours}").rows] == ["a.wav"]
    os.close(ours)


def test_tables_of_audformat_are_an_index(place: Path) -> None:
    audformat, pandas = pytest.importorskip("audformat"), pytest.importorskip("pandas")
    database = audformat.Database("corpus")
    segments = audformat.segmented_index(["a.wav", "a.wav"], [0, 1.25], [1.25, pandas.NaT])
    for name, index in (("segments", segments), ("files", audformat.filewise_index(["a.wav", "b.wav"]))):
        database[name] = audformat.Table(index)
        database[name]["speaker"] = audformat.Column()
        database[name]["speaker"].set(["s", "t"])
    for storage in ("csv", "parquet"):
        database.save(str(place / storage), storage_format=storage)
        found = read_index(f"{storage}/db.segments.{storage}", "x")
        rows = (Row("a.wav", "x/a.wav", 0.0, 1.25, None, ("s",)), Row("a.wav", "x/a.wav", 1.25, None, None, ("t",)))
        assert found.rows == rows
        assert [row.file for row in read_index(f"{storage}/db.files.{storage}").rows] == ["a.wav", "b.wav"]


def test_one_column_of_texts_is_paths(place: Path) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    paths = ["x/a.wav", "y/a.wav"]
    expected = Index(tuple(Row(path, path) for path in paths))
    for name in ("path", None, "file", "wav"):
        assert read_index(pandas.Series(paths, name=name)) == expected
        assert read_index(pandas.Series(paths, index=["p", "q"], name=name)) == expected
    for source in (pandas.DataFrame({"wav": paths}), polars.DataFrame({"wav": paths}), polars.Series(paths)):
        assert read_index(source) == expected
    for source in (pandas.Series([1, 2]), pandas.DataFrame({"wav": paths, "label": paths})):
        with pytest.raises(edgevoice.ArgumentError, match="no column 'file'"):
            read_index(source)


def test_names_stay_as_they_are_without_a_root(place: Path) -> None:
    pandas = pytest.importorskip("pandas")
    names = [str(place / "x" / "a.wav"), "./x/../y/a.wav", "x/b.WAV"]
    for source in (names, pandas.DataFrame({"file": names}), pandas.Series(names)):
        assert places(read_index(source)) == list(zip(names, names, strict=True))
        assert places(read_index(source, "/")) == [(names[0], names[0]), *((name, f"/{name}") for name in names[1:])]
    assert places(read_index([str(place / "x")]))[0] == ("a.wav", str(place / "x" / "a.wav"))


def test_paths_and_folders(place: Path) -> None:
    assert places(read_index(["y", "x/deep"])) == [("y/a.wav", "y/a.wav"), ("x/deep/c.ogg", "x/deep/c.ogg")]
    assert places(read_index([place / "x" / "a.wav", place / "y" / "a.wav"], root="x")) == [
        ("a.wav", str(place / "x" / "a.wav")),
        (str(place / "y" / "a.wav"), str(place / "y" / "a.wav")),
    ]
    assert places(read_index("x/a.wav")) == [("x/a.wav", "x/a.wav")]

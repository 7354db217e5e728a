"""Tables of features."""

from __future__ import annotations

import csv
import gc
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import edgevoice
from edgevoice.corpus.index import Row
from edgevoice.corpus.rows import Columns, TableRows, joined
from edgevoice.features import Features, Frame
from edgevoice.tables.arkfile import ark_entry
from edgevoice.tables.jsonlines import JsonLines
from edgevoice.tables.table import FORMATS, files_of, obstacle, open_table, read_content, read_recipe
from edgevoice.windows import FACTS
from randomfeatures import LAYOUT, RECIPE, random_features

DYNAMIC, STATIC = Columns.of(LAYOUT), Columns.of(LAYOUT, static=True)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def rows_of(name: str, source: Features, columns: Columns = DYNAMIC) -> TableRows:
    return TableRows(Row(name, name), source, columns)


def exactly(pandas: Any) -> dict[str, Any]:
    """What older pandas must be asked for, so that it reads numbers exactly, and newer ones do by themselves."""
    return {} if int(pandas.__version__.partition(".")[0]) >= 3 else {"float_precision": "round_trip"}


def test_a_csv_row_is_a_frame_or_a_recording_with_its_place(tmp_path: Path) -> None:
    for name, columns in (("d.csv", DYNAMIC), ("s.csv", STATIC)):
        with open_table(tmp_path / name, columns) as add:
            add(rows_of('b, "c".wav', random_features(4), columns))
    head, _, row, *_ = csv.reader((tmp_path / "d.csv").read_text().splitlines())
    assert head == ["file", "start", "end", "index", "silent", "gap", "loudness", *LAYOUT.names]
    assert row[:6] == ['b, "c".wav', "0.25", "0.75", "1", "true", "false"]
    head, row = csv.reader((tmp_path / "s.csv").read_text().splitlines())
    assert head == ["file", "start", "end", "frames", "silent", "gap", "loudness", *LAYOUT.functional_names]
    assert row[:7] == ['b, "c".wav', "0.0", "1.25", "4", "0.5", "0.5", "-20.0"]


@pytest.mark.parametrize("leave", ["interrupted", "failed"])
def test_a_parquet_table_that_is_given_up_is_not_completed_later(tmp_path: Path, leave: str) -> None:
    pytest.importorskip("pyarrow")
    from edgevoice.tables.parquetfile import ParquetTable

    with (tmp_path / "t.parquet").open("wb") as file:
        table = ParquetTable(file, DYNAMIC, None)
        table.write(rows_of("a.wav", random_features(4)))
        if leave == "failed":  # an interrupt may come before it is entered
            with pytest.raises(OSError, match="full"), table:
                raise OSError("the disk is full")
            size = file.tell()
            del table
            gc.collect()
            assert file.tell() == size
    table = None  # type: ignore[assignment]
    gc.collect()  # what pyarrow raised here would be a warning


def read_back(path: Path, columns: Columns) -> tuple[dict[str, list[object]], np.ndarray, dict[str, object]]:
    """Cells by column, numbers, and recipe, each format by the library that people read it with."""
    pandas = pytest.importorskip("pandas")
    kind = path.suffix
    if kind == ".npz":
        with np.load(path) as arrays:
            cells = {name: arrays[name].tolist() for name in arrays if name not in ("values", "names", "recipe")}
            assert arrays["names"].tolist() == columns.values
            return cells, arrays["values"], json.loads(str(arrays["recipe"]))
    if kind == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        frame = pandas.read_parquet(path)
        assert frame.attrs["recipe"] == RECIPE.to_dict()
        assert frame[list(columns.values)].dtypes.unique().tolist() == [np.float32]
        recipe = json.loads(parquet.read_metadata(path).metadata[b"edgevoice.recipe"])
        assert frame.columns.tolist() == columns.names
        return frame[list(columns.kinds)].to_dict("list"), frame[list(columns.values)].to_numpy(), recipe
    recipe = json.loads(path.with_name(f"{path.name}.json").read_text())
    if kind in (".npy", ".ark"):
        assert recipe["columns"] == list(columns.values)
        sources = recipe["sources"]
        cells = {"file": [source["file"] for source in sources for _ in range(source["rows"])]}
        cells["label"] = [source["label"] for source in sources for _ in range(source["rows"])]
        if kind == ".npy":
            return cells, np.load(path), recipe["recipe"]
        kaldiio = pytest.importorskip("kaldiio")
        found = list(kaldiio.load_scp(str(path.with_suffix(".scp"))).values())
        return cells, np.vstack([part[None] if part.ndim == 1 else part for part in found]), recipe["recipe"]
    if kind == ".csv":
        frame = pandas.read_csv(path, dtype={"label": str}, **exactly(pandas))
    else:
        frame = pandas.read_json(path, lines=True, dtype={"label": str}, precise_float=True)
        groups = [group.name for group in columns.groups]
        assert frame.columns.tolist() == [*dict(columns.head), *groups, *dict(columns.others)]
        values = [[cell for name in groups for cell in row[name]] for _, row in frame.iterrows()]
        return frame[list(columns.kinds)].to_dict("list"), np.array(values), recipe["recipe"]
    assert frame.columns.tolist() == columns.names
    return frame[list(columns.kinds)].to_dict("list"), frame[columns.values].to_numpy(), recipe["recipe"]


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=3), numbers=st.lists(FLOATS, min_size=5, max_size=5))
def test_every_format_keeps_every_bit(
    tmp_path: Path, name: str, static: bool, counts: list[int], numbers: list[float]
) -> None:
    columns = Columns.of(LAYOUT, static, channel=True, others=(("label", "text"), ("age", "whole"), ("ok", "flag")))
    sources = [random_features(count, seed) for seed, count in enumerate(counts)]
    sources[0].values[0] = numbers if not static else 0
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.{name}"
    blocks = [
        TableRows(Row(f"d/{k} x.wav", "", 0.25, 3.0, k, (f"0{k}", k, k == 1)), source, columns)
        for k, source in enumerate(sources)
    ]
    with open_table(path, columns, RECIPE) as add:
        for part in blocks:
            add(part)
    cells, values, recipe = read_back(path, columns)
    content = read_content(path)
    expected = np.concatenate([source.functionals()[None] if static else source.values for source in sources])
    assert values.astype(np.float32).tobytes() == content.values.tobytes() == expected.tobytes()
    assert recipe == RECIPE.to_dict() == read_recipe(path).to_dict()
    _, there = joined(blocks, columns)
    for column, own in cells.items():
        assert own == list(there[column]), column
        assert name in ("csv", "npy", "ark") or content.columns[column] == own


def test_utterances_are_named_after_files_and_times(tmp_path: Path) -> None:
    kaldiio = pytest.importorskip("kaldiio")
    rows = [
        Row("anna/one.wav", ""),
        Row("anna/one.flac", ""),
        Row("a b.wav", "", 0.5, 1.5),
        Row("caf\udce9.wav", "", None, 1.5),
    ]
    with open_table(tmp_path / "out.ark", DYNAMIC, RECIPE) as add:
        for k, row in enumerate(rows):
            add(TableRows(row, random_features(k + 1, k), DYNAMIC))
    found = kaldiio.load_scp(str(tmp_path / "out.scp"))
    assert list(found) == ["anna-one", "anna-one-2", "a-b-0000000-0000100", "caf\\xe9-0000000-0000125"]
    for k, values in enumerate(found.values()):
        np.testing.assert_array_equal(values, random_features(k + 1, k).values)
    assert list(dict(kaldiio.load_ark(str(tmp_path / "out.ark")))) == list(found)


@pytest.mark.parametrize("name", ["parquet", "npz", "jsonl", "ark"])
def test_names_that_are_not_unicode_end_no_table(tmp_path: Path, name: str) -> None:
    with open_table(tmp_path / f"out.{name}", DYNAMIC, RECIPE) as add:
        add(rows_of("caf\udce9.wav", random_features(1)))
    assert (tmp_path / f"out.{name}").stat().st_size


def test_missing_cells_stay_missing(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    columns = Columns.of(LAYOUT, True, others=(("age", "whole"), ("label", "text")))
    for name in ("parquet", "jsonl", "csv", "npz"):
        with open_table(tmp_path / f"out.{name}", columns, RECIPE) as add:
            add(TableRows(Row("a", "", others=(None, None)), random_features(1), columns))
    assert pandas.read_parquet(tmp_path / "out.parquet")[["age", "label"]].isna().all(axis=None)
    assert pandas.read_csv(tmp_path / "out.csv")[["age", "label"]].isna().all(axis=None)
    assert json.loads((tmp_path / "out.jsonl").read_text())["age"] is None
    assert np.isnan(np.load(tmp_path / "out.npz")["age"]).all()


def test_a_large_parquet_table_is_written_in_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("edgevoice.tables.parquetfile._GROUP", 20)
    with open_table(tmp_path / "out.parquet", DYNAMIC, RECIPE) as add:
        for _ in range(3):
            add(rows_of("a", random_features(4)))
    assert parquet.read_metadata(tmp_path / "out.parquet").num_row_groups == 3


@pytest.mark.parametrize("name", FORMATS)
def test_a_table_that_breaks_off_leaves_nothing(tmp_path: Path, name: str) -> None:
    def write() -> None:
        with open_table(tmp_path / f"out.{name}", DYNAMIC) as add:
            add(rows_of("a.wav", random_features(3)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_table_and_its_sidecars_appear_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def write(place: Path, replace: bool = True) -> None:
        with open_table(place, DYNAMIC, RECIPE, replace=replace) as add:
            add(rows_of("a.wav", random_features(3)))

    table, *sidecars = files_of(tmp_path / "t" / f"t.{name}")
    assert [path.name for path in sidecars] == {"npz": [], "parquet": [], "ark": ["t.ark.json", "t.scp"]}.get(
        name, [f"t.{name}.json"]
    )
    for k, full in enumerate([table, *sidecars]):
        folder = tmp_path / str(k)
        folder.mkdir()
        (folder / full.name).symlink_to("/dev/full")
        with pytest.raises(edgevoice.OutputError, match="No space left"):
            write(folder / table.name)
        assert [path.name for path in folder.iterdir()] == [full.name]
    write(table, replace=False)
    assert sorted(table.parent.iterdir()) == sorted([table, *sidecars])
    before = {path: path.read_bytes() for path in (table, *sidecars)}
    assert obstacle(table) == table
    with pytest.raises(edgevoice.OutputError, match="already exists"):
        write(table, replace=False)
    assert {path: path.read_bytes() for path in table.parent.iterdir()} == before
    write(table)
    table.unlink()
    scp = table.with_suffix(".scp")
    assert obstacle(table) == (scp if name == "ark" else None)  # a recipe of ours is not in the way
    if name == "ark":
        scp.unlink()
    write(table, replace=False)
    for sidecar in sidecars:
        table.unlink(missing_ok=True)
        sidecar.write_text('{"recipe": {"eggs": 2}}')
        assert obstacle(table) in sidecars
        with pytest.raises(edgevoice.OutputError, match="already exists"):
            write(table, replace=False)
        assert "eggs" in sidecar.read_text()
        assert not table.exists()
    write(table)
    assert read_recipe(table) == RECIPE


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kaldis_files_are_what_kaldiio_writes_and_reads(tmp_path: Path, dtype: type) -> None:
    kaldiio = pytest.importorskip("kaldiio")
    arrays = {name: np.random.default_rng(0).standard_normal((rows, 5)).astype(dtype) for name, rows in (("a", 3), ("b", 1))}
    kaldiio.save_ark(str(tmp_path / "t.ark"), arrays)
    content = read_content(tmp_path / "t.ark")
    assert content.values.tobytes() == np.concatenate(list(arrays.values())).astype(np.float32).tobytes()
    assert content.columns == {"file": ["a"] * 3 + ["b"]}
    if dtype == np.float32:
        assert (tmp_path / "t.ark").read_bytes() == b"".join(ark_entry(name, array) for name, array in arrays.items())
    kaldiio.save_ark(str(tmp_path / "t.ark"), {"v": arrays["a"][0]})
    assert read_content(tmp_path / "t.ark").values.shape == (1, 5)
    kaldiio.save_ark(str(tmp_path / "t.ark"), arrays, compression_method=2)
    with pytest.raises(edgevoice.OutputError):
        read_content(tmp_path / "t.ark")


def test_tables_of_others_are_read(tmp_path: Path) -> None:
    """A data frame's Parquet, and audformat's, which has no numbers of ours."""
    pandas, audformat = pytest.importorskip("pandas"), pytest.importorskip("audformat")
    pytest.importorskip("pyarrow")
    frame = random_features(3).to_pandas()
    frame.to_parquet(tmp_path / "t.parquet")
    content = read_content(tmp_path / "t.parquet")
    assert content.values.tobytes() == random_features(3).values.tobytes()
    assert content.columns["start"] == frame.index.get_level_values("start").tolist()
    database = audformat.Database("db")
    database.schemes["age"] = audformat.Scheme("int")
    database["t"] = audformat.Table(audformat.segmented_index(["a.wav"] * 2, ["0.5s", "1s"], ["1s", pandas.NaT]))
    database["t"]["age"] = audformat.Column(scheme_id="age")
    database["t"]["age"].set([20, 30])
    database["t"].save(str(tmp_path / "db.t"), storage_format="parquet")
    content = read_content(tmp_path / "db.t.parquet")
    assert content.columns["file"] == ["a.wav"] * 2
    assert content.columns["start"] == [pandas.Timedelta("0.5s"), pandas.Timedelta("1s")]
    assert content.columns["end"][1] is None or content.columns["end"][1] is pandas.NaT
    assert content.columns["age"] == [20, 30]


def test_a_frame_is_a_line_and_every_line_is_flushed() -> None:
    class Pipe(io.BytesIO):
        def flush(self) -> None:
            flushed.append(self.getvalue().count(b"\n"))

    flushed: list[int] = []
    frame = Frame(
        np.array([0.1, 1e-8, 1, 2, 3], np.float32), np.array([(3, 12000, False, True, -20.5, 0.0, 1.0)], FACTS)[0], LAYOUT
    )
    JsonLines(pipe := Pipe()).write([frame] * 3)
    assert flushed == [1, 2, 3]
    assert pipe.getvalue().splitlines()[2].decode() == (
        '{"index": 3, "position": 12000, "start": 0.75, "end": 1.25, "silent": false, "gap": true, "loudness": -20.5, '
        '"time": null, "latency": null, "bottleneck": [0.1, 1e-08], "error": [1.0, 2.0, 3.0]}'
    )

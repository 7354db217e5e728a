"""A folder of Parquet parts that is one table."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.corpus import run
from edgevoice.corpus.dataset import Dataset, Outcome, done_rows
from edgevoice.corpus.index import Index, Row, read_index
from edgevoice.corpus.rows import Columns
from edgevoice.recipe import Reading

pandas = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of about three rows, so that a small corpus has several."""
    monkeypatch.setattr("edgevoice.corpus.dataset._MODULUS", 3)
    monkeypatch.setattr("edgevoice.corpus.dataset._MOST", 9)


@pytest.fixture
def corpus(recordings: Callable[[int], Path]) -> Path:
    return recordings(24)


def dataset(extractor: edgevoice.Extractor, out: Path, source: Any, root: Path | None = None, **reading: Any) -> Dataset:
    index = source if isinstance(source, Index) else read_index(source, root)
    static, prune = reading.pop("static", True), reading.pop("prune", False)
    recipe = replace(extractor.recipe(Reading(**reading)), static=static)
    columns = Columns.of_index(extractor.layout, static, index, reading.get("channel"))
    return Dataset(out, recipe, index, columns, prune)


def make(extractor: edgevoice.Extractor, out: Path, source: Any, root: Path | None = None, **reading: Any) -> Outcome:
    shard, retry = reading.pop("shard", None), reading.pop("retry", False)
    made = dataset(extractor, out, source, root, **reading)
    for option in ("static", "prune"):
        reading.pop(option, None)
    return made.run(made.missing(shard, retry), extractor, Reading(**reading), 2)


def names(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir())


def table(out: Path) -> Any:
    """The rows by file, in its order."""
    return pandas.read_parquet(out).sort_values(["file", "start"], kind="stable").reset_index(drop=True)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # dask's own use of pandas
@pytest.mark.parametrize("static", [True, False])
def test_a_dataset_is_the_table_of_its_index(tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path, static: bool) -> None:
    out = tmp_path / "d.parquet"
    outcome = make(tiny, out, corpus, static=static)
    assert outcome.complete
    assert outcome.made == len(names(out)) > 3
    found = table(out)
    expected = edgevoice.table(corpus, tiny, static=static)
    columns = tiny.layout.functional_names if static else tiny.layout.names
    assert found[columns].to_numpy().tobytes() == expected[columns].to_numpy().tobytes()
    assert found["file"].tolist() == expected.index.get_level_values("file").tolist()
    assert found.columns.tolist() == ["file", "start", "end", *expected.columns]
    dask = pytest.importorskip("dask.dataframe").read_parquet(out).compute()
    assert sorted(dask["file"]) == found["file"].tolist()
    with_duckdb = pytest.importorskip("duckdb").sql(f"select file, {columns[0]} from '{out}/*.parquet' order by file, start")
    assert [row[0] for row in with_duckdb.fetchall()] == found["file"].tolist()


def test_a_corpus_that_changes_makes_only_what_changed(tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "d.parquet"
    make(tiny, out, corpus)
    before = set(names(out))
    rows = read_index(corpus)
    # One file less, in the middle, and one more.
    (corpus / "u11.wav").unlink()
    with pytest.raises(edgevoice.ArgumentError, match="1 rows in 1 of its parts are not in the index"):
        make(tiny, out, corpus)
    assert set(names(out)) == before
    outcome = make(tiny, out, corpus, prune=True)
    assert 1 <= outcome.made <= 2
    assert len(outcome.removed) <= 3
    assert len(before - set(names(out))) == len(outcome.removed)
    soundfile.write(corpus / "u11b.wav", np.ones(9000) / 3, 16000)
    assert 1 <= make(tiny, out, corpus).made <= 3
    assert table(out)["file"].tolist() == sorted(path.name for path in corpus.iterdir())
    # A file that was replaced by one of the same size.
    samples, rate = soundfile.read(corpus / "u03.wav", dtype="int16")
    soundfile.write(corpus / "u03.wav", samples[::-1] // 2, rate)
    outcome = make(tiny, out, corpus)
    assert (outcome.made, len(outcome.removed)) == (1, 1)
    expected = tiny.extract(corpus / "u03.wav").functionals()
    np.testing.assert_array_equal(table(out)[tiny.layout.functional_names].to_numpy()[3], expected)
    # Its second half before its first.
    index = read_index(corpus)
    moved = replace(index, rows=(*index.rows[12:], *index.rows[:12]))
    assert make(tiny, out, moved).made <= 4
    assert len(table(out)) == len(rows.rows)


def test_columns_of_the_user_are_kept_and_belong_to_the_part(
    tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path
) -> None:
    frame = pandas.DataFrame({"file": sorted(path.name for path in corpus.iterdir()), "speaker": "s"})
    out = tmp_path / "d.parquet"
    make(tiny, out, frame, corpus)
    assert table(out)["speaker"].tolist() == ["s"] * 24
    frame.loc[5, "speaker"] = "another"
    outcome = make(tiny, out, frame, corpus)
    assert (outcome.made <= 2, table(out)["speaker"][5]) == (True, "another")


def test_shards_share_the_parts(tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "d.parquet"
    first = make(tiny, out, corpus, shard=(1, 3))
    assert not first.complete
    second = make(tiny, out, corpus, shard=(2, 3))
    third = make(tiny, out, corpus, shard=(3, 3))
    assert third.complete
    assert first.made + second.made + third.made == len(names(out))
    whole = tmp_path / "whole.parquet"
    shutil.copytree(corpus, tmp_path / "copy", copy_function=shutil.copyfile)  # with other times
    make(tiny, whole, tmp_path / "copy")
    assert names(whole) == names(out)
    assert table(whole).equals(table(out))


def test_another_recipe_is_refused(tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "d.parquet"
    make(tiny, out, corpus)
    with pytest.raises(edgevoice.ArgumentError, match=r"another recipe \(level 'running', not 'window'\)"):
        make(tiny, out, corpus, level="window")
    with pytest.raises(edgevoice.ArgumentError, match=r"another recipe \(static True, not False\)"):
        make(tiny, out, corpus, static=False)
    (tmp_path / "other.parquet").mkdir()
    (tmp_path / "other.parquet" / "mine.parquet").touch()
    with pytest.raises(edgevoice.ArgumentError, match=r"holds mine\.parquet, which is not part"):
        make(tiny, tmp_path / "other.parquet", corpus)


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_damaged_part_does_not_count(tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path, share: float) -> None:
    out = tmp_path / "d.parquet"
    make(tiny, out, corpus)
    part = out / names(out)[1]
    content = part.read_bytes()
    part.write_bytes(content[: int(share * len(content))].ljust(len(content), b"\0"))
    with pytest.raises(edgevoice.OutputError, match="remove it"):
        dataset(tiny, out, corpus).failed_rows()
    part.unlink()
    assert make(tiny, out, corpus).made == 1


def test_another_index_removes_nothing(tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "d.parquet"
    files = sorted(corpus.iterdir())
    make(tiny, out, files[:12])
    there = names(out)
    for other in (files[12:], files[3:20], []):
        with pytest.raises(edgevoice.ArgumentError):
            make(tiny, out, other)
    with pytest.raises(edgevoice.ArgumentError, match="no rows"):
        make(tiny, out, [], prune=True)
    assert names(out) == there
    outcome = make(tiny, out, files)  # the same rows, and others
    assert outcome.complete
    assert set(there) - set(names(out)) == set(outcome.removed)
    assert make(tiny, out, files[12:], prune=True).complete
    assert table(out)["file"].tolist() == [str(path) for path in files[12:]]


def test_what_failed_is_kept_and_tried_again_when_asked(
    tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "d.parquet"
    with monkeypatch.context() as context:  # a failure that is not one of the file
        opened = run.open_source

        def fail(path: str, *more: Any, **options: Any) -> Any:
            if path.endswith("u05.wav"):
                raise edgevoice.AudioFormatError(f"{path}: cannot be read (input/output error)")
            return opened(path, *more, **options)

        context.setattr(run, "open_source", fail)
        outcome = make(tiny, out, corpus)
    assert [row["file"] for row in outcome.failed] == ["u05.wav"]
    [failed] = dataset(tiny, out, corpus).failed_rows()
    assert not [name for name in names(out) if str(tmp_path) in str(parquet.read_metadata(out / name).metadata)]
    reason = "cannot be read (input/output error)"
    assert failed == {"file": "u05.wav", "start": None, "end": None, "channel": None, "reason": reason}
    assert make(tiny, out, corpus) == Outcome(0, [], [], True)
    assert dataset(tiny, out, corpus).failed_rows() == [failed]
    assert len(table(out)) == 23
    outcome = make(tiny, out, corpus, retry=True)
    assert (outcome.made, outcome.failed) == (1, [])
    assert len(table(out)) == 24


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_begun_part_has_is_not_made_again(
    tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int, static: bool
) -> None:
    monkeypatch.setattr("edgevoice.corpus.dataset._MODULUS", 1 << 62)
    monkeypatch.setattr("edgevoice.corpus.dataset._MOST", 100)  # one part
    (corpus / "u03.wav").write_bytes(b"no audio")
    out, counts = tmp_path / "d.parquet", []
    expected_out = tmp_path / "expected.parquet"
    make(tiny, expected_out, corpus, static=static)
    for stop in (5, 9):
        made = dataset(tiny, out, corpus, static=static)
        parts = made.missing()
        counts.append(len(made.left(parts)))
        rows: list[str] = []

        def interrupt(row: Row, _: int, __: bool, stop: int = stop, rows: list[str] = rows) -> None:
            rows.append(row.file)
            if len(rows) == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            made.run(parts, tiny, Reading(), jobs, done=interrupt)
        assert rows[0] == f"u{24 - counts[-1]:02}.wav"
        assert all(name.startswith("_begun-") for name in names(out))
        assert len(pandas.read_parquet(expected_out)) > 0
    assert counts == [24, 19]
    assert len(dataset(tiny, out, corpus, static=static).left(made.parts)) == 10
    (out / f"{made.parts[0].begun}0000.part").write_bytes(b"damaged")
    outcome = make(tiny, out, corpus, static=static)
    assert [row["file"] for row in outcome.failed] == ["u03.wav"]
    assert names(out) == names(expected_out)
    pandas.testing.assert_frame_equal(pandas.read_parquet(out), pandas.read_parquet(expected_out))
    for name in names(out):
        assert done_rows(out / name) == done_rows(expected_out / name) != []


def test_a_part_that_cannot_be_written_costs_no_other(
    tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgevoice.tables.parquetfile import ParquetTable

    finish, calls = ParquetTable.__exit__, []

    def full(self: ParquetTable, *error: Any) -> None:
        calls.append(1)
        finish(self, *error)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")

    out = tmp_path / "d.parquet"
    with monkeypatch.context() as context:
        context.setattr(ParquetTable, "__exit__", full)
        with pytest.raises(edgevoice.OutputError, match="No space left on device"):
            make(tiny, out, corpus)
    assert len(names(out)) == 2
    there = set(names(out))
    outcome = make(tiny, out, corpus)
    assert outcome.complete
    assert outcome.made == len(names(out)) - 2
    assert there < set(names(out))


def test_what_was_left_half_written_is_removed_in_the_end(tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "d.parquet"
    out.mkdir()
    left = out / f".part-{'0' * 32}.parquet.0123abcd.part"
    left.write_text("half")
    (out / ".mine.part").write_text("of another program")
    make(tiny, out, corpus, shard=(1, 2))
    assert left.exists()  # another process may be writing it
    make(tiny, out, corpus)
    assert not left.exists()
    assert (out / ".mine.part").exists()


PROGRAM = """
import faulthandler, sys
faulthandler.dump_traceback_later(50, exit=True)  # shows where it hangs, should it hang
import edgevoice.corpus.dataset as dataset
dataset._MODULUS, dataset._MOST = 3, 5
from edgevoice.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def start(tiny_model: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []

    def start(*words: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", PROGRAM, "extract", *map(str, words), "--model", str(tiny_model), "--jobs", "1"]
        processes.append(subprocess.Popen(command, stderr=subprocess.PIPE))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    told = process.communicate(timeout=60)[1].decode()
    return process.returncode, told


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_a_run_that_is_killed_goes_on(
    start: Callable[..., subprocess.Popen[bytes]], tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "d.parquet"
    words: Sequence[Any] = (corpus, "-o", f"{out}/", "--static")
    kept: set[str] = set()
    for parts in (1, 3):
        process = start(*words)
        while process.poll() is None and (not out.is_dir() or sum(name[0] != "." for name in names(out)) < parts):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        ended(process)
        there = {name for name in names(out) if name[0] != "."}
        assert kept <= there
        kept = there
    code, told = ended(start(*words))
    assert code == 0
    assert "all are there" in told
    assert kept <= set(names(out))
    found = table(out)
    expected = edgevoice.table(corpus, tiny, static=True)
    assert found["file"].tolist() == expected.index.get_level_values("file").tolist()
    columns = tiny.layout.functional_names
    assert found[columns].to_numpy().tobytes() == expected[columns].to_numpy().tobytes()
    assert all(name.startswith("part-") for name in names(out))
    code, told = ended(start(*words))
    assert (code, told) == (0, "edgevoice: 0 files, 0 frames, 0.0 s of audio, 0 failures; nothing to do, all are there\n")


def test_two_identical_commands_at_once(
    start: Callable[..., subprocess.Popen[bytes]], tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "d.parquet"
    processes = [start(corpus, "-o", f"{out}/", "--static") for _ in range(2)]
    assert [ended(process)[0] for process in processes] == [0, 0]
    assert table(out)["file"].tolist() == sorted(path.name for path in corpus.iterdir())
    assert all(name.startswith("part-") for name in names(out))


@pytest.mark.parametrize("static", [True, False])
def test_a_table_through_a_dataset_is_the_table(
    tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path, static: bool
) -> None:
    (corpus / "broken.wav").write_bytes(b"RIFF")
    rows = pandas.DataFrame({"file": sorted(path.name for path in corpus.iterdir()), "speaker": "anna", "age": 7})
    options: dict[str, Any] = {"root": corpus, "static": static, "channel": "each"}
    with pytest.warns(edgevoice.EdgeVoiceWarning, match="1 of 25 rows failed"):
        expected = edgevoice.table(rows, tiny, **options)
    with pytest.warns(edgevoice.EdgeVoiceWarning, match="1 of 25 rows failed"):
        found = edgevoice.table(rows, tiny, dataset=tmp_path / "d.parquet", **options)
    pandas.testing.assert_frame_equal(found, expected)
    assert found.attrs == expected.attrs


def test_a_table_that_was_interrupted_goes_on(
    tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, told = tmp_path / "d.parquet", []

    def interrupt(done: int) -> None:
        told.append(done)
        if done == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        edgevoice.table(corpus, tiny, static=True, dataset=out, jobs=1, progress=interrupt)
    kept = [name for name in names(out) if name.startswith("part-")]
    assert kept
    told.clear()
    table = edgevoice.table(corpus, tiny, static=True, dataset=out, jobs=1, progress=told.append)
    assert told == list(range(16, 25))
    assert set(kept) < set(names(out))
    pandas.testing.assert_frame_equal(table, edgevoice.table(corpus, tiny, static=True))
    monkeypatch.setattr("edgevoice.corpus.run.Extraction", None)
    pandas.testing.assert_frame_equal(edgevoice.table(corpus, tiny, static=True, dataset=out), table)  # nothing is computed


def test_rows_that_stand_there_twice_stay_twice(tiny: edgevoice.Extractor, corpus: Path, tmp_path: Path) -> None:
    paths = [path.name for path in sorted(corpus.iterdir())][:10]
    make(tiny, tmp_path / "d.parquet", [*paths, *paths], corpus)
    assert len(table(tmp_path / "d.parquet")) == 20

"""`edgevoice extract` of a corpus: indices, places, what already exists, what failed."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.tables.table import FORMATS


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def corpus(tmp_path: Path, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `corpus` with recordings of two speakers under the same names, and an index beside it."""
    for speaker, start in (("spk1", 0), ("spk2", 40000)):
        (tmp_path / "corpus" / speaker).mkdir(parents=True)
        for k in (1, 2):
            part = noise[start + 20000 * (k - 1) :][:24000]
            soundfile.write(tmp_path / "corpus" / speaker / f"u{k}.wav", part, 16000)
    soundfile.write(tmp_path / "corpus" / "both.wav", np.stack([noise[:16000], noise[50000:66000]], 1), 16000)
    (tmp_path / "index.csv").write_text(
        "file,start,end,speaker\nspk2/u1.wav,,,two\nspk1/u1.wav,0.25,1.25,one\nspk1/u1.wav,0.5,,one\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "corpus"


def test_an_index_in_a_table_out(run: Callable, corpus: Path, tiny: edgevoice.Extractor) -> None:
    outcome = run("extract", "--index", "index.csv", "--root", "corpus", "--static")
    assert (outcome.code, outcome.err.splitlines()) == (
        0,
        [
            "edgevoice: columns of the index that are kept, behind the numbers: speaker",
            "edgevoice: 2 files, 11 frames, 3.5 s of audio, 0 failures",
        ],
    )
    found = rows(outcome.out)
    assert [(row["file"], row["start"], row["end"], row["speaker"]) for row in found] == [
        ("spk2/u1.wav", "0.0", "1.5", "two"),
        ("spk1/u1.wav", "0.25", "1.25", "one"),
        ("spk1/u1.wav", "0.5", "1.5", "one"),
    ]
    names = tiny.layout.functional_names
    expected = [
        tiny.extract(corpus / "spk2" / "u1.wav"),
        tiny.extract(corpus / "spk1" / "u1.wav", start=0.25, end=1.25),
        tiny.extract(corpus / "spk1" / "u1.wav", start=0.5),
    ]
    values = np.array([[row[name] for name in names] for row in found]).astype(np.float32)
    np.testing.assert_array_equal(values, [features.functionals() for features in expected])
    Path("index.csv").write_text("file,onset,to\nspk1/u1.wav,1,2\n")
    outcome = run("extract", "--index", "index.csv", "--root", "corpus", "--static", "--keep", "onset", "--keep", "to")
    assert (outcome.code, list(rows(outcome.out)[0])[-2:]) == (0, ["onset", "to"])


def test_where_a_table_lies_does_not_depend_on_the_others(run: Callable, corpus: Path) -> None:
    assert run("extract", "corpus", "-o", "all").code == 0
    assert run("extract", "corpus/spk1/u1.wav", "-o", "one", "--root", "corpus").code == 0
    assert run("extract", "--index", "index.csv", "--root", "corpus", "-o", "some").code == 0
    for folder, name in (("one", "spk1/u1.csv"), ("all", "spk2/u2.csv"), ("some", "spk2/u1.csv")):
        assert Path(folder, name).is_file()
    # The segments of a file are in its table, in their order.
    starts = [row["start"] for row in rows(Path("some/spk1/u1.csv").read_text())]
    assert starts == ["0.25", "0.5", "0.75", "0.5", "0.75", "1.0"]


def test_a_folder_of_tables_refuses_what_is_not_below_the_root(run: Callable, corpus: Path) -> None:
    os.chdir(corpus / "spk1")
    for name in ("../spk2/u1.wav", corpus / "spk2" / "u1.wav"):
        outcome = run("extract", name, "-o", "out")
        assert outcome.code == 2
        assert "is not below the root, so its table has no place: give a folder above it with --root" in outcome.err
        assert not Path("out").exists()
    assert run("extract", "../spk2/u1.wav", "-o", "out", "--root", "..").code == 0
    assert Path("out/spk2/u1.csv").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ("-o", "t.csv", "--failed", "./t.csv"),
        ("-o", "t.csv", "--failed", "t.csv.json"),
        ("-o", "t.ark", "--failed", "corpus/../t.scp"),
        ("-o", "T.csv", "--failed", "t.csv"),
        ("-o", "index.csv"),
        ("-o", "t.csv", "--failed", "link.csv"),
        ("--failed", "index.csv"),
    ],
)
def test_no_output_is_another_or_an_input(run: Callable, corpus: Path, words: tuple[str, ...]) -> None:
    Path("link.csv").symlink_to("index.csv")
    before = Path("index.csv").read_bytes()
    outcome = run("extract", "--index", "index.csv", "--root", "corpus", *words, "--force")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert sorted(path.name for path in Path().iterdir()) == ["corpus", "index.csv", "link.csv"]
    assert Path("index.csv").read_bytes() == before
    recording = (corpus / "both.wav").read_bytes()
    assert run("plot", "corpus/both.wav", "-o", "corpus/both.wav", "--force").code == 2
    assert (corpus / "both.wav").read_bytes() == recording


def test_a_scp_of_somebody_else_stays(run: Callable, corpus: Path) -> None:
    Path("wav.scp").write_text("u1 corpus/spk1/u1.wav\n")
    outcome = run("extract", "corpus/spk1", "-o", "wav.ark")
    assert (outcome.code, "wav.scp: already exists" in outcome.err) == (2, True)
    assert run("extract", "corpus/spk1", "-o", ".", "--format", "ark").code == 0
    Path("u1.ark").unlink()
    assert run("extract", "corpus/spk1/u1.wav", "--root", "corpus/spk1", "-o", ".", "--format", "ark").code == 2


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_replaced_without_force(run: Callable, corpus: Path, name: str) -> None:
    assert run("extract", "corpus/spk1", "-o", f"t.{name}").code == 0
    first = Path(f"t.{name}").read_bytes()
    outcome = run("extract", "corpus/spk2", "-o", f"t.{name}")
    assert outcome.code == 2
    assert f"t.{name}: already exists; choose another name, or replace it with --force" in outcome.err
    assert Path(f"t.{name}").read_bytes() == first
    assert run("extract", "corpus/spk2", "-o", f"t.{name}", "--force").code == 0
    assert Path(f"t.{name}").read_bytes() != first
    out = ("-o", "tables/", "--format", name)
    assert run("extract", "corpus/spk1", *out).code == 0
    outcome = run("extract", "corpus/spk1", *out)
    assert (outcome.code, "tables/u1" in outcome.err, "and 1 more" in outcome.err) == (2, True, True)


def test_what_failed_is_an_index_to_try_again(run: Callable, corpus: Path) -> None:
    Path("index.csv").write_text("file,start,end,speaker\nspk1/u1.wav,,,one\ngone.wav,0.5,1.5,x\nspk2/u1.wav,9,,two\n")
    Path("none").mkdir()
    outcome = run("extract", "--index", "index.csv", "--root", "corpus", "-o", "t.csv", "--failed", "failed.csv")
    assert outcome.code == 1
    assert "1 file, 5 frames, 1.5 s of audio, 2 failures" in outcome.err
    assert rows(Path("failed.csv").read_text()) == [
        {"file": "gone.wav", "start": "0.5", "end": "1.5", "reason": "no such file", "speaker": "x"},
        {"file": "spk2/u1.wav", "start": "9.0", "end": "", "reason": "has no samples from 9 s on", "speaker": "two"},
    ]
    assert run("extract", "corpus", "-o", "u.csv", "--failed", "failed.csv").code == 2
    (corpus / "gone.wav").write_bytes((corpus / "spk1" / "u2.wav").read_bytes())
    again = ("extract", "--index", "failed.csv", "--root", "corpus", "-o", "u.csv", "--failed", "failed2.csv")
    outcome = run(*again)
    assert [row["file"] for row in rows(Path("u.csv").read_text())] == ["gone.wav"] * 3
    assert [row["file"] for row in rows(Path("failed2.csv").read_text())] == ["spk2/u1.wav"]
    assert run("extract", "none", "corpus/both.wav", "--failed", "failed3.csv").code == 1
    assert [row["file"] for row in rows(Path("failed3.csv").read_text())] == ["none"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "expected INPUT..., or --index CSV"),
        (("corpus", "--index", "index.csv"), "expected INPUT..., or --index CSV, and not both"),
        (("--index", "index.csv", "--start", "1"), "--start and --end are for INPUT..."),
        (("corpus", "--shard", "1/2"), "--shard: only for datasets"),
        (("corpus", "--shard", "3/2", "-o", "x.parquet/"), "expected I/N, as 1/4 to 4/4"),
        (("corpus", "--channel", "all"), "'all'"),
        (("corpus", "--root", "nowhere"), "expected the root of the files"),
        (("--index", "nowhere.csv"), "nowhere.csv: no such file, expected an index"),
        (("corpus", "-o", "table.xls"), "no table format has the suffix '.xls'"),
        (("corpus", "-o", "table.csv", "--format", "npy"), "its suffix says csv, --format says npy"),
        (("corpus", "--format", "npy"), "only csv goes to standard output"),
        (("corpus", "--start", "2", "--end", "1"), "end 1.0: expected more than start"),
        (("corpus", "--start", "-1"), "start -1.0: expected seconds, from 0 to 1e+09"),
    ],
)
def test_wrong_use_is_told(run: Callable, corpus: Path, options: tuple[str, ...], message: str) -> None:
    outcome = run("extract", *options)
    assert outcome.code in (1, 2)
    assert message in outcome.err
    assert (outcome.out, outcome.err.count("\n")) == ("", 1)
    assert sorted(path.name for path in Path().iterdir()) == ["corpus", "index.csv"]


def test_a_dataset_by_shards_and_what_is_removed_from_it(
    run: Callable, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgevoice.corpus.dataset._MOST", 2)
    out = ("-o", "d.parquet/", "--static")
    assert "; 1 of 3 parts made\n" in run("extract", "corpus", *out, "--shard", "2/2").err
    assert "; 2 of 3 parts made, all are there\n" in run("extract", "corpus", *out, "--shard", "1/2").err
    # The folder is there by now, and is a dataset without the stroke.
    assert "nothing to do, all are there" in run("extract", "corpus", "-o", "d.parquet", "--static").err
    (corpus / "both.wav").unlink()
    assert run("extract", "corpus", *out).code == 2
    outcome = run("extract", "corpus", *out, "--prune")
    assert outcome.code == 0
    assert "edgevoice: removed 3 parts whose rows are no longer in the index: part-" in outcome.err
    outcome = run("extract", "corpus", *out, "--hop", "0.1")
    assert (outcome.code, "another recipe (hop 0.25, not 0.1)" in outcome.err) == (2, True)
    (corpus / "spk1" / "u1.wav").write_text("broken")
    outcome = run("extract", "corpus", *out, "--failed", "failed.csv")
    assert outcome.code == 1
    assert "u1.wav: is not audio" in outcome.err
    # Known from the part, though nothing is done; so it stays a failure.
    outcome = run("extract", "corpus", *out, "--failed", "again.csv")
    assert (outcome.code, "1 row failed earlier" in outcome.err, "nothing to do" in outcome.err) == (1, True, True)
    assert Path("again.csv").read_text() == Path("failed.csv").read_text()


def test_seconds_are_those_of_the_audio(run: Callable, corpus: Path) -> None:
    for words in ((), ("--channel", "each"), ("--channel", "each", "-o", "d.parquet/")):
        assert ", 1.0 s of audio, 0 failures" in run("extract", "corpus/both.wav", *words).err


def test_two_files_never_share_a_table(run: Callable, corpus: Path) -> None:
    (corpus / "spk1" / "u1.flac").write_bytes((corpus / "spk1" / "u1.wav").read_bytes())
    outcome = run("extract", "corpus", "-o", "out")
    assert outcome.code == 2
    assert "spk1/u1.flac and spk1/u1.wav would both be written to out/spk1/u1.csv" in outcome.err

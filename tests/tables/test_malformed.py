"""Tables that somebody else made: read, or refused in one line, with little memory and nothing run."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgevoice
from edgevoice.corpus.index import Row
from edgevoice.corpus.rows import Columns, TableRows
from edgevoice.tables.arkfile import ark_entry
from edgevoice.tables.table import FORMATS, find_recipe, open_table, read_content
from randomfeatures import LAYOUT, RECIPE, random_features

PARTS = [b"", b"0", b"-", b"nan", b"1e999", b"9" * 40, b"\0", b"\xff" * 4, b",", b'"', b"\n", b"[", b"{}", b" \0BFM \4"]


def mutated(data: bytes, seed: int) -> bytes:
    """The bytes with a few of them changed, removed, repeated or put elsewhere, or cut."""
    rng, found = random.Random(seed), bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 30])):
        # The first and the last bytes say most.
        where = rng.choice([rng.randrange(len(found) + 1), rng.randrange(64), len(found) - rng.randrange(200)])
        where, length = min(max(where, 0), len(found)), rng.choice([0, 1, 1, 4, rng.randrange(1, 400)])
        part = rng.choice([rng.choice(PARTS), rng.randbytes(length), found[rng.randrange(len(found) + 1) :][:length]])
        found[where : where + length] = part * rng.choice([1, 1, 1, 20])
        if rng.random() < 0.05:
            del found[where:]
    return bytes(found)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A table in each format."""
    pytest.importorskip("pyarrow")
    folder, columns = tmp_path_factory.mktemp("tables"), Columns.of(LAYOUT, channel=True, others=(("label", "text"),))
    for name in FORMATS:
        with open_table(folder / f"t.{name}", columns, RECIPE) as add:
            for k in range(3):
                add(TableRows(Row(f"{k}.wav", "", 0.5, 2.0, k, ("x",)), random_features(k + 2, k), columns))
    return {name: folder / f"t.{name}" for name in FORMATS}


@pytest.mark.parametrize("name", FORMATS)
@given(seed=st.integers(0, 1 << 32))
def test_any_bytes_are_a_table_or_an_output_error(originals: dict[str, Path], name: str, seed: int) -> None:
    path = originals[name].with_name(f"mutated.{name}")
    path.write_bytes(mutated(originals[name].read_bytes(), seed))
    sidecar = originals[name].with_name(f"t.{name}.json")
    if sidecar.exists():
        path.with_name(f"{path.name}.json").write_bytes(mutated(sidecar.read_bytes(), seed))
    for read in (read_content, find_recipe):
        try:
            found = read(path)
        except edgevoice.OutputError as error:
            if "\n" in str(error):
                raise
        else:
            if read is read_content:
                assert found.values.ndim == 2
                assert np.isfinite(found.values).all()
                assert {len(cells) for cells in found.columns.values()} <= {len(found.values)}


class Trap:
    """Makes a folder where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("run",)


def npy(header: dict[str, Any], data: bytes = b"") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"fortran_order": False, **header})
    return file.getvalue() + data


def npz(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


def parquet(**columns: Any) -> bytes:
    arrow, file = pytest.importorskip("pyarrow"), io.BytesIO()
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table(columns), file, compression="zstd")
    return file.getvalue()


def pickled_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Trap()], object), allow_pickle=True)
    return file.getvalue()


FLAT, LARGE = {"descr": "<f4", "shape": (1, 1)}, 10**12
VALUES = npy(FLAT, b"\0" * 4)
HEAD = b"file,error_0,error_1\n"
CASES: dict[str, Callable[[], bytes]] = {
    "short.csv": lambda: HEAD + b"a\n",
    "long.csv": lambda: HEAD + b"a,1,2,3\n",
    "word.csv": lambda: HEAD + b"a,1,x\n",
    "nan.csv": lambda: HEAD + b"a,1,nan\n",
    "huge.csv": lambda: HEAD + b"a,1,1e300\n",
    "field.csv": lambda: HEAD + b'"' + b"a" * 200_000,
    "cut.csv": lambda: HEAD + b"a,1,0.2",
    "header.npy": lambda: npy({"descr": "<f4", "shape": (LARGE, 384)}),
    "nothing.npy": lambda: npy({"descr": "<f4", "shape": (LARGE, 0)}),
    "pickled.npy": pickled_array,
    "nested.npy": lambda: b"\x93NUMPY\1\0\xff\x7f" + b"(" * 0x7FFF,
    "flat.npy": lambda: npy({"descr": "<f4", "shape": (2,)}, b"\0" * 8),
    "pickled.npz": lambda: npz(values=VALUES, x=pickled_array()),
    "header.npz": lambda: npz(values=npy({"descr": "<f4", "shape": (LARGE, 384)})),
    "rows.npz": lambda: npz(values=VALUES, file=npy({"descr": "<U0", "shape": (LARGE,)})),
    "bomb.npz": lambda: npz(zipfile.ZIP_DEFLATED, values=npy({"descr": "<f4", "shape": (1 << 14, 1 << 10)}, bytes(1 << 26))),
    "bare.npz": lambda: npz(x=VALUES),
    "rows.parquet": lambda: parquet(x=np.zeros(1 << 27, bool)),
    "infinite.parquet": lambda: parquet(x=np.full(3, np.inf, np.float32)),
    "deep.jsonl": lambda: b'{"a":' * 100_000,
    "array.jsonl": lambda: b"[1]\n",
    "object.jsonl": lambda: b'{"a": {}}\n',
    "words.jsonl": lambda: b'{"error": ["1"]}\n',
    "ragged.jsonl": lambda: b'{"error": [1]}\n{"error": [1, 2]}\n',
    "integer.jsonl": lambda: b'{"error": [1' + b"0" * 400 + b"]}\n",
    "keys.jsonl": lambda: b'{"a": 1, "error": [1]}\n{"error": [2]}\n',
    "line.jsonl": lambda: b'{"error": [' + b"[]," * (1 << 22),
    "pickled.ark": lambda: b"a PKL" + pickle.dumps(Trap()),
    "audio.ark": lambda: b"a AUDIO\4\1\0\0\0",
    "rows.ark": lambda: b"a \0BFM \4\xff\xff\xff\x7f\4\0\0\0\0",
    "large.ark": lambda: b"a \0BFM \4\xff\xff\xff\x7f\4\xff\xff\xff\x7f",
    "widths.ark": lambda: ark_entry("a", np.zeros(2, np.float32)) + ark_entry("b", np.zeros(3, np.float32)),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(CASES[name]())
    tracemalloc.start()
    with pytest.raises(edgevoice.OutputError):
        read_content(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not Path("run").exists()
    assert peak < 4 * path.stat().st_size + (1 << 20) + (1 << 27) * name.endswith("line.jsonl")


@pytest.mark.parametrize("name", FORMATS)
def test_only_files_are_read(tmp_path: Path, name: str) -> None:
    pytest.importorskip("pyarrow")
    os.mkfifo(tmp_path / f"t.{name}")  # would wait for ever
    for place in (tmp_path / f"t.{name}", tmp_path / f"missing.{name}"):
        for read in (read_content, find_recipe):
            with pytest.raises(edgevoice.OutputError):
                read(place)
    np.save(tmp_path / "u.npy", np.zeros((1, 1), np.float32))
    os.mkfifo(tmp_path / "u.npy.json")
    assert find_recipe(tmp_path / "u.npy") is None


@pytest.mark.parametrize("kind", ["string", "large_string", "dictionary"])
def test_a_word_of_a_parquet_table_is_in_memory_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "t.parquet"
    arrow = pytest.importorskip("pyarrow")
    words = arrow.DictionaryArray.from_arrays(np.zeros(1 << 13, np.int32), ["x" * 10_000])
    words = words if kind == "dictionary" else words.cast(kind)
    path.write_bytes(parquet(label=words, error_0=np.zeros(1 << 13, np.float32)))
    before = arrow.total_allocated_bytes()
    tracemalloc.start()
    assert read_content(path).columns["label"] == ["x" * 10_000] * (1 << 13)
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    assert arrow.total_allocated_bytes() - before < 1 << 22
    tracemalloc.stop()


def test_what_lies_beside_a_table_is_only_searched_for_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("file,error_0\n")
    beside = tmp_path / "t.csv.json"
    texts = ["[]", '{"recipe": []}', '{"recipe": {', '{"recipe":' + "[" * 100_000, '{"x": 1}', '{"recipe": {"a": 1}}']
    for text in texts:
        beside.write_text(text)
        assert find_recipe(path) is None
    beside.write_text(json.dumps({"recipe": {**RECIPE.to_dict(), "hop": float("nan")}}))
    assert find_recipe(path) is None
    beside.write_text(json.dumps({"recipe": RECIPE.to_dict()}) + "[" * (1 << 20))
    assert find_recipe(path) == RECIPE

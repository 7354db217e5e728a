"""Tables of features."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgevoice
from edgevoice.features import Features, Layout
from edgevoice.tables.csvfile import CsvTable
from edgevoice.tables.table import FORMATS, open_table, table_format

LAYOUT = Layout(bottleneck=2, error=3, rate=16000, window=8000)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def features(values: np.ndarray) -> Features:
    count = len(values)
    index = np.arange(count)
    flags = index % 2 == 1
    numbers = np.linspace(-30.0, -10.0, count)
    return Features(values.astype(np.float32), index, 4000 * index, flags, ~flags, numbers, numbers, -numbers, LAYOUT)


def random_features(count: int, seed: int = 0) -> Features:
    return features(np.random.default_rng(seed).standard_normal((count, 5)))


def read_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="") as file:
        head, *rows = csv.reader(file)
    return head, rows


def test_a_csv_row_is_a_frame_with_its_place(tmp_path: Path) -> None:
    one, two = random_features(3), random_features(2, seed=1)
    with open_table(tmp_path / "out.csv", LAYOUT) as table:
        table.write("a.wav", one)
        table.write('b, "c".wav', two)
    head, rows = read_csv(tmp_path / "out.csv")
    assert head == ["file", "start", "end", "index", "silent", "gap", "loudness", *LAYOUT.names]
    assert [row[0] for row in rows] == ["a.wav"] * 3 + ['b, "c".wav'] * 2
    assert rows[1][1:7] == ["0.25", "0.75", "1", "true", "false", "-20.0"]
    values = np.array([row[7:] for row in rows]).astype(np.float32)
    np.testing.assert_array_equal(values, np.concatenate([one.values, two.values]))


def test_pandas_reads_a_csv_table(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    with open_table(tmp_path / "out.csv", LAYOUT) as table:
        table.write("a.wav", random_features(3))
    frame = pandas.read_csv(tmp_path / "out.csv")
    assert frame["silent"].tolist() == [False, True, False]
    assert frame["silent"].dtype == bool
    np.testing.assert_array_equal(frame[LAYOUT.names].to_numpy(np.float32), random_features(3).values)


@pytest.mark.parametrize("name", FORMATS)
def test_a_static_table_has_a_row_a_source(tmp_path: Path, name: str) -> None:
    sources = [random_features(4, seed) for seed in range(3)]
    with open_table(tmp_path / f"out.{name}", LAYOUT, static=True) as table:
        for k, source in enumerate(sources):
            table.write(f"{k}.wav", source)
    expected = np.stack([source.functionals() for source in sources])
    if name == "csv":
        head, rows = read_csv(tmp_path / "out.csv")
        assert head == ["file", "start", "end", "frames", "silent", "gap", "loudness", *LAYOUT.functional_names]
        assert [row[0] for row in rows] == ["0.wav", "1.wav", "2.wav"]
        assert rows[0][1:7] == ["0.0", "1.25", "4", "0.5", "0.5", "-20.0"]
        found = np.array([row[7:] for row in rows]).astype(np.float32)
    else:
        found = np.load(tmp_path / f"out.{name}")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("counts", [[], [3], [1, 0, 4]])
def test_npy_is_the_matrix_of_all_frames(tmp_path: Path, counts: list[int]) -> None:
    sources = [random_features(count, seed) for seed, count in enumerate(counts)]
    with open_table(tmp_path / "out.npy", LAYOUT) as table:
        for source in sources:
            table.write("any.wav", source)
    found = np.load(tmp_path / "out.npy")
    assert found.dtype == np.float32
    assert found.shape == (sum(counts), 5)
    np.testing.assert_array_equal(found, np.concatenate([np.empty((0, 5)), *[source.values for source in sources]]))


@given(st.lists(FLOATS, min_size=5, max_size=5))
def test_csv_numbers_read_back_to_the_last_bit(numbers: list[float]) -> None:
    file = io.BytesIO()
    CsvTable(file, LAYOUT, static=False).write("a", features(np.array([numbers])))
    row = file.getvalue().decode().splitlines()[1].split(",")[7:]
    # By way of a double, as most readers go.
    found = np.array([float(number) for number in row]).astype(np.float32)
    assert found.tobytes() == np.array(numbers, np.float32).tobytes()


def test_names_that_are_not_unicode_come_out_as_they_are() -> None:
    file = io.BytesIO()
    CsvTable(file, LAYOUT, static=True).write("caf\udce9.wav", random_features(1))
    assert b"\ncaf\xe9.wav," in file.getvalue()


@pytest.mark.parametrize("path", ["out.wav", "out", "csv"])
def test_an_unknown_suffix_is_an_error(path: str) -> None:
    with pytest.raises(edgevoice.ArgumentError, match=r"known are \.csv, \.npy"):
        table_format(path)
    assert table_format("Some/OUT.CSV") == "csv"


@pytest.mark.parametrize("name", FORMATS)
def test_a_table_that_breaks_off_leaves_nothing(tmp_path: Path, name: str) -> None:
    def write() -> None:
        with open_table(tmp_path / f"out.{name}", LAYOUT) as table:
            table.write("a.wav", random_features(3))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(tmp_path.iterdir()) == []

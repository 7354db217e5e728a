"""The interface of opensmile, beside the real one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevoice
from edgevoice.compat.opensmile import Smile

opensmile = pytest.importorskip("opensmile")
audformat = pytest.importorskip("audformat")
pandas = pytest.importorskip("pandas")
RATE = 16000
RAMP = np.linspace(-0.5, 0.5, 2 * RATE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import soundfile

    place = tmp_path_factory.mktemp("corpus")
    for k, name in enumerate(("a.wav", "b.wav")):
        samples = np.random.default_rng(k).uniform(-0.3, 0.3, (RATE * (2 + k), 2))
        soundfile.write(place / name, samples, RATE)
    return place


CALLS: dict[str, Any] = {
    "file": lambda smile, folder: smile.process_file(str(folder / "a.wav")),
    "segment": lambda smile, folder: smile.process_file("a.wav", start=0.25, end=1.5, root=str(folder)),
    "files": lambda smile, folder: smile.process_files(["b.wav", "a.wav"], starts=[0.5, 0], ends=[2, 1], root=str(folder)),
    "folder": lambda smile, folder: smile.process_folder(str(folder)),
    "names": lambda smile, folder: smile.process_folder(str(folder), include_root=False),
    "signal": lambda smile, _: smile.process_signal(RAMP, RATE),
    "signal of a file": lambda smile, _: smile.process_signal(RAMP, RATE, file="x", start=1, end=2),
    "filewise": lambda smile, folder: smile.process_index(audformat.filewise_index(["a.wav", "b.wav"]), root=str(folder)),
    "index": lambda smile, folder: smile.process_index(
        audformat.segmented_index(["b.wav", "a.wav"], [0, 0.5], [pandas.NaT, 1.25]), root=str(folder)
    ),
}


@pytest.mark.parametrize("channels", [0, [0, 1]])
@pytest.mark.parametrize("call", CALLS)
def test_tables_have_opensmile_s_index_and_types(tiny_model: Path, folder: Path, call: str, channels: Any) -> None:
    if "signal" in call and channels:
        channels = 0
    theirs = opensmile.Smile("eGeMAPSv02", "func", channels=channels)
    expected = CALLS[call](theirs, folder)
    ours = Smile(tiny_model, channels=channels)
    table = CALLS[call](ours, folder)
    pandas.testing.assert_index_equal(table.index, expected.index, exact=True)
    assert set(table.dtypes) == set(expected.dtypes) == {np.dtype(np.float32)}
    assert type(table.columns) is type(expected.columns)
    assert table.columns.nlevels == expected.columns.nlevels
    assert list(table.columns) == list(ours.column_names)
    assert np.isfinite(table.to_numpy()).all()


@pytest.mark.parametrize("call", ["segment", "signal"])
def test_windows_begin_and_end_where_the_segment_does(tiny_model: Path, folder: Path, call: str) -> None:
    expected = CALLS[call](opensmile.Smile("eGeMAPSv02", "lld"), folder).index
    index = CALLS[call](Smile(tiny_model, "lld"), folder).index
    assert index.names == expected.names
    assert len(index) > 1
    assert index[0][-2] == expected[0][-2]
    assert index[-1][-1] == expected[-1][-1]
    for theirs, ours in zip(expected.levels, index.levels, strict=True):
        assert ours.dtype == theirs.dtype


def test_values_are_those_of_extract(tiny_model: Path, tiny: edgevoice.Extractor) -> None:
    samples = np.random.default_rng(5).uniform(-0.5, 0.5, 2 * RATE).astype(np.float32)
    features = tiny.extract((samples, RATE))
    windows, static = Smile(tiny_model, "lld"), Smile(tiny_model, "functionals")
    np.testing.assert_array_equal(windows.process_signal(samples, RATE).to_numpy(), features.values)
    np.testing.assert_array_equal(windows(samples, RATE), features.values.T[np.newaxis])
    np.testing.assert_array_equal(static(samples, RATE)[0, :, 0], features.functionals())
    assert windows.feature_names == features.names
    assert static.num_features == len(features.functional_names)


@pytest.mark.parametrize("level", ["functionals", "lld"])
def test_a_short_segment_is_a_row_of_nan_and_a_warning(tiny_model: Path, level: str) -> None:
    samples = np.zeros(160, np.float32)
    with pytest.warns(UserWarning, match="too short"):
        table = Smile(tiny_model, level).process_signal(samples, RATE)
    with pytest.warns(UserWarning, match="too short"):
        expected = opensmile.Smile("eGeMAPSv02", "func").process_signal(samples, RATE)
    pandas.testing.assert_index_equal(table.index, expected.index, exact=True)
    assert table.isna().all(axis=None)


def test_an_empty_index_is_an_empty_table(tiny_model: Path) -> None:
    table = Smile(tiny_model).process_index(audformat.segmented_index())
    assert len(table) == 0
    assert list(table.columns) == Smile(tiny_model).feature_names


def test_workers_and_copies_give_the_same_table(tiny_model: Path, folder: Path) -> None:
    expected = Smile(tiny_model).process_folder(str(folder))
    several = pickle.loads(pickle.dumps(Smile(tiny_model, num_workers=2)))
    pandas.testing.assert_frame_equal(several.process_folder(str(folder)), expected)


def test_an_unknown_level_is_refused(tiny_model: Path) -> None:
    with pytest.raises(edgevoice.ArgumentError, match="functionals, lld"):
        Smile(tiny_model, "lld_de")

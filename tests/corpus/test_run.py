"""Rows of an index: read together, computed together, each with its own numbers and its own failure."""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice.corpus import run as module
from edgevoice.corpus.index import Row, index_of_inputs, read_index
from edgevoice.corpus.run import Result, results
from edgevoice.recipe import Reading

ROWS = [
    (0.0, None),
    (0.2, 1.4),
    (0.5, 1.0),
    (0.5, 6.0),
    (1.0, 2.5),
    (2.5, 9.0),
    (6.0, 7.0),
    (3.0, 3.6),
    (3.0, 3.6),
]


def computed(extractor: edgevoice.Extractor, rows: list[Row], jobs: int = 1, **reading: Any) -> list[Result]:
    with closing(results(extractor, [rows], Reading(**reading), jobs)) as found:
        done = list(found)
    assert [result.row for result in done] == rows, "in order"
    return done


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are opened."""
    seen: list[str] = []
    open_source = module.open_source

    def counted(audio: Any, *more: Any, **options: Any) -> Any:
        seen.extend([audio] if isinstance(audio, str) else [])
        return open_source(audio, *more, **options)

    monkeypatch.setattr(module, "open_source", counted)
    return seen


@pytest.mark.parametrize(("jobs", "kept"), [(1, 1 << 22), (2, 1 << 15)])
@pytest.mark.parametrize("options", [{}, {"level": "utterance"}, {"level": "window", "channel": 1, "hop": 0.1}])
def test_segments_have_the_bits_that_each_has_by_itself(
    tiny: edgevoice.Extractor,
    noise: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    jobs: int,
    kept: int,
) -> None:
    monkeypatch.setattr("edgevoice.audio.files._KEPT", kept)
    rows = []
    for name in ("a.wav", "a.flac", "a.mp3"):
        soundfile.write(tmp_path / name, np.stack([noise, noise[::-1]], 1), 22_050)
        rows += [Row(name, str(tmp_path / name), start, end) for start, end in ROWS]
    rows = [*rows[::2], *rows[1::2]]  # not in the order in which they are read
    for row, result in zip(rows, computed(tiny, rows, jobs, **options), strict=True):
        [(_, features)] = result.parts
        expected = tiny.extract(row.path, start=row.start, end=row.end, jobs=1, **options)
        assert features.values.tobytes() == expected.values.tobytes()
        assert features.facts.tolist() == expected.facts.tolist()
        assert (features.extent, features.source, features.recipe) == (expected.extent, row.path, expected.recipe)


def test_a_file_is_opened_once_for_all_its_segments(
    tiny: edgevoice.Extractor, noise: np.ndarray, tmp_path: Path, opened: list[str]
) -> None:
    paths = [str(tmp_path / name) for name in ("a.flac", "b.flac")]
    for path in paths:
        soundfile.write(path, noise, 16_000)
    rows = [Row(path, path, k / 4, k / 4 + 1) for k in range(20, 0, -1) for path in paths]
    assert all(result.parts for result in computed(tiny, rows))
    assert opened == paths


@pytest.mark.parametrize("jobs", [1, 2])
def test_short_files_fill_batches(
    tiny_model: Path, noise: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    extractor = edgevoice.load(tiny_model)
    pipeline = extractor.batcher().pipeline
    monkeypatch.setattr(pipeline, "size", 64)  # as on a device
    sizes: list[int] = []
    describe = pipeline.describe

    def counted(samples: np.ndarray, *more: Any) -> Any:
        sizes.append(len(samples))
        return describe(samples, *more)

    monkeypatch.setattr(pipeline, "describe", counted)
    for k in range(20):
        soundfile.write(tmp_path / f"{k:02}.wav", noise[1000 * k :][:32_000], 16_000)
    assert sum(len(result.parts[0][1]) for result in computed(extractor, list(read_index(tmp_path).rows), jobs)) == 140
    assert sorted(sizes) == [12, 64, 64]


def test_whatever_goes_wrong_with_a_row_is_its_failure(
    tiny: edgevoice.Extractor, speech: Path, noise: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, broken = str(speech), tmp_path / "broken.wav"
    broken.write_bytes(b"no audio")
    places: list[tuple[Any, Any]] = [(1e10, None), (-1.0, None), (2.0, 1.0), (1.0, 1.0), (9.0, None), (0.0, 0.1)]
    rows = [*(Row(good, good, *place) for place in places), Row(good, good, channel=7)]
    rows += [Row(path, path) for path in (str(broken), "gone.wav", "a\0.wav", "", str(tmp_path), "x" * 5000)]
    if sys.platform == "linux":
        os.mkfifo(tmp_path / "pipe.wav")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "socket.wav"))
        special = [tmp_path / "pipe.wav", tmp_path / "socket.wav", "/dev/zero", "/proc/self/mem"]
        rows += [Row(str(path), str(path)) for path in special]
    blocks = module.Extraction.read

    def read(extraction: Any) -> Any:
        if extraction._source.name.endswith("odd.wav"):
            raise RuntimeError("what a decoder raises")
        return blocks(extraction)

    monkeypatch.setattr(module.Extraction, "read", read)
    soundfile.write(tmp_path / "odd.wav", noise[:16_000], 16_000)
    rows.append(Row("odd.wav", str(tmp_path / "odd.wav")))
    mixed = [row for bad in rows for row in (bad, Row(good, good, 0.5, 1.5))]
    for jobs in (1, 2):
        found = computed(tiny, mixed, jobs)
        assert all(isinstance(result.error, edgevoice.EdgeVoiceError) and not result.parts for result in found[::2])
        expected = tiny.extract(good, start=0.5, end=1.5).values.tobytes()
        assert all(result.parts[0][1].values.tobytes() == expected for result in found[1::2])


def test_a_pipe_that_a_command_names_is_read(tiny: edgevoice.Extractor, speech: Path) -> None:
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(speech.read_bytes())

    thread = threading.Thread(target=write)
    thread.start()
    [row] = index_of_inputs([f"/dev/fd/{reading}"]).rows
    [result] = computed(tiny, [row])
    thread.join()
    os.close(reading)
    assert len(result.parts[0][1]) == len(tiny.extract(speech))


def test_whoever_stops_leaves_no_thread(tiny: edgevoice.Extractor, noise: np.ndarray, tmp_path: Path) -> None:
    rows = []
    for k in range(8):
        soundfile.write(tmp_path / f"{k}.wav", np.tile(noise, 10), 16_000)
        rows.append(Row(f"{k}.wav", str(tmp_path / f"{k}.wav")))
    with closing(results(tiny, [rows], Reading(), 2)) as found:
        next(found)
        assert any(thread.name.startswith("edgevoice") for thread in threading.enumerate())
    assert not any(thread.name.startswith("edgevoice") for thread in threading.enumerate())


@pytest.mark.parametrize(
    "reading", [{"level": "loud"}, {"hop": 0.03}, {"channel": -1}, {"incomplete": "maybe"}, {"level": 1e9}]
)
def test_arguments_of_all_rows_are_no_failures_of_rows(
    tiny: edgevoice.Extractor, speech: Path, reading: dict[str, Any]
) -> None:
    with pytest.raises(edgevoice.ArgumentError):
        computed(tiny, [Row(str(speech), str(speech))], **reading)


@pytest.mark.parametrize("jobs", [1, 2])
def test_memory_that_does_not_suffice_for_one_row_costs_no_other(
    tiny_model: Path, noise: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    extractor = edgevoice.load(tiny_model)
    pipeline = extractor.batcher().pipeline
    describe = pipeline.describe

    def limited(samples: np.ndarray, *more: Any) -> Any:
        if (samples == 0.5).any():
            raise edgevoice.DeviceMemoryError("too much")
        return describe(samples, *more)

    monkeypatch.setattr(pipeline, "describe", limited)
    rows = []
    for k in range(6):
        path = tmp_path / f"{k}.wav"
        soundfile.write(path, np.full(12_000, 0.5) if k == 3 else noise[1000 * k :][:12_000], 16_000)
        rows.append(Row(path.name, str(path)))
    found = computed(extractor, rows, jobs)
    assert [k for k, result in enumerate(found) if result.error] == [3]
    assert isinstance(found[3].error, edgevoice.DeviceMemoryError)


def test_a_lost_device_ends_the_run(tiny_model: Path, speech: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = edgevoice.load(tiny_model)

    def lost(*_: Any) -> Any:
        raise edgevoice.ProviderError("gone")

    monkeypatch.setattr(extractor.batcher().pipeline, "describe", lost)
    with pytest.raises(edgevoice.ProviderError):
        computed(extractor, [Row(str(speech), str(speech))] * 3)

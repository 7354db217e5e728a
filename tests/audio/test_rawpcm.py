"""Headerless PCM from a pipe."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import soundfile

from audio.programs import write
from audio.test_families import FAMILIES
from edgevoice import ArgumentError, AudioFormatError
from edgevoice.audio.rawpcm import DTYPES, read_pcm


class Trickle(io.RawIOBase):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data, self._sizes, self._calls = data, sizes, 0

    def read1(self, limit: int) -> bytes:
        size = min(limit, self._sizes[self._calls % len(self._sizes)])
        self._calls += 1
        part, self._data = self._data[:size], self._data[size:]
        return part


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sizes", [[1], [5, 3], [7, 100_000]])
def test_samples_come_whole_whatever_the_pipe_gives(dtype: str, channels: int, sizes: list[int]) -> None:
    samples = np.arange(600).reshape(-1, channels).astype(DTYPES[dtype])
    pipe: IO[bytes] = Trickle(samples.tobytes(), sizes)  # type: ignore[assignment]
    got = list(read_pcm(pipe, channels, dtype, block=100))
    assert max(len(block) for block in got) <= 100
    np.testing.assert_array_equal(np.concatenate(got), samples)


def test_what_has_arrived_is_given_at_once() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb", buffering=0) as source:
        blocks = read_pcm(pipe, 1)
        source.write(b"\1\0\2\0")
        assert next(blocks).ravel().tolist() == [1, 2]
        source.write(b"\3\0")
        assert next(blocks).ravel().tolist() == [3]


SEEKING = ("m4a", "mp4 fast start", "3gp", "mov")
"""Families that cannot be written to a pipe."""
CONTAINERS = {
    **{name: (kind.split()[0], options) for name, (kind, options, _) in FAMILIES.items() if name not in SEEKING},
    "mp3 without a tag": ("ffmpeg", "-f mp3 -id3v2_version 0 -write_xing 0"),
    "transport stream": ("ffmpeg", "-c:a aac -f mpegts"),
    "program stream": ("ffmpeg", "-c:a mp2 -f mpeg"),
    "ac3": ("ffmpeg", "-c:a ac3 -f ac3"),
    "eac3": ("ffmpeg", "-c:a eac3 -f eac3"),
    "nut": ("ffmpeg", "-f nut"),
}


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("sizes", [[1], [100_000]])
def test_files_of_all_kinds_are_refused_as_they_arrive(speech: Path, tmp_path: Path, name: str, sizes: list[int]) -> None:
    kind, options = CONTAINERS[name]
    path = write(kind, tmp_path / "piped", *(["-i"] if kind == "ffmpeg" else []), speech, *options.split(), pipe=True)
    pipe: IO[bytes] = Trickle(path.read_bytes(), sizes)  # type: ignore[assignment]
    with pytest.raises(AudioFormatError, match=r"begins like .* file.*decode it first"):
        list(read_pcm(pipe, 1))


@pytest.mark.parametrize("kind", ["AVR", "IRCAM", "MAT5", "PAF", "PVF", "WVE", "XI"])
def test_rare_files_are_refused_too(speech: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    samples, rate = soundfile.read(speech)
    soundfile.write(path, samples, rate, format=kind, subtype={"WVE": "ALAW", "XI": "DPCM_16"}.get(kind, "PCM_16"))
    with pytest.raises(AudioFormatError, match=r"begins like an? .* file, expected raw PCM"):
        list(read_pcm(io.BytesIO(path.read_bytes()), 1))


@pytest.mark.parametrize("value", [0, 0x47, 0x77, 0xFF])
@pytest.mark.parametrize("seed", range(20))
def test_samples_are_taken_for_samples(value: int, seed: int) -> None:
    constant = bytes([value]) * 6000
    random = np.random.default_rng(seed)
    noise = b"\xff\xfb" + random.integers(-3000, 3000, 3000).astype("<i2").tobytes()
    for content in (constant, noise, b"\x0b\x77" + constant):
        assert sum(map(len, read_pcm(io.BytesIO(content), 1))) == len(content) // 2


def test_pipes_that_end_too_early_and_arguments() -> None:
    with pytest.raises(AudioFormatError, match="the pipe is empty"):
        list(read_pcm(io.BytesIO(), 1))
    with pytest.raises(AudioFormatError, match="1 bytes into a sample of 4"):
        list(read_pcm(io.BytesIO(b"\0" * 9), 2))
    with pytest.raises(ArgumentError, match="dtype"):
        next(read_pcm(io.BytesIO(), 1, "int24"))
    with pytest.raises(ArgumentError, match="channels"):
        next(read_pcm(io.BytesIO(), 0))

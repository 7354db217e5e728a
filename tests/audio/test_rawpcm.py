"""Headerless PCM from a pipe."""

from __future__ import annotations

import io
import os
from typing import IO

import numpy as np
import pytest

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


def test_an_end_within_a_sample() -> None:
    with pytest.raises(AudioFormatError, match="1 bytes into a sample of 4"):
        list(read_pcm(io.BytesIO(b"\0" * 9), 2))


@pytest.mark.parametrize("head", [b"RIFF", b"fLaC", b"OggS"])
def test_a_file_with_a_header(head: bytes) -> None:
    with pytest.raises(AudioFormatError, match="decode it first"):
        list(read_pcm(io.BytesIO(head + bytes(100)), 1))


def test_arguments() -> None:
    with pytest.raises(ArgumentError, match="dtype"):
        next(read_pcm(io.BytesIO(), 1, "int24"))
    with pytest.raises(ArgumentError, match="channels"):
        next(read_pcm(io.BytesIO(), 0))

"""Headerless PCM from a binary pipe, as `ffmpeg -f s16le -` writes it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.signatures import HEAD, container
from edgevoice.errors import ArgumentError, AudioFormatError
from edgevoice.wholenumbers import whole_number

DTYPES = {"int16": "<i2", "int32": "<i4", "uint8": "u1", "float32": "<f4", "float64": "<f8"}
"""Names and layouts, all little-endian."""


def read_pcm(pipe: IO[bytes], channels: int, dtype: str = "int16", block: int = 1600) -> Iterator[NDArray[Any]]:
    """Samples (samples, channels) as they arrive: at most `block` at a time, fewer when a pipe holds fewer.

    Raises:
        ArgumentError: no such dtype, or fewer than one channel.
        AudioFormatError: the pipe is empty, ends within a sample, or brings a file with a header.
    """
    if dtype not in DTYPES:
        raise ArgumentError(f"dtype {dtype!r}: expected one of {', '.join(DTYPES)}")
    channels = whole_number("channels", channels, 1)
    layout = np.dtype(DTYPES[dtype])
    size = layout.itemsize * channels
    # read1 gives what has arrived; read would wait until the block is full and hold frames back.
    read = getattr(pipe, "read1", pipe.read)
    rest = head = b""
    while chunk := read(block * size - len(rest)):
        rest += chunk
        if len(head) < HEAD:
            # A pipe may give a few bytes at a time, and some kinds of files are known by their second frame alone.
            head += chunk[: HEAD - len(head)]
            if kind := container(head):
                raise AudioFormatError(f"begins like {kind}, expected raw PCM: decode it first, as ffmpeg does")
        whole = len(rest) // size * size
        if whole:
            samples = np.frombuffer(rest[:whole], layout).reshape(-1, channels)
            yield samples if sys.byteorder == "little" else samples.astype(layout.newbyteorder("="))
            rest = rest[whole:]
    if not head:
        raise AudioFormatError("the pipe is empty, expected raw PCM: did the program that writes it fail?")
    if rest:
        raise AudioFormatError(f"the pipe ended {len(rest)} bytes into a sample of {size}: check --dtype and --channels")

"""PCM without a header, read from a binary pipe, as `ffmpeg -f s16le -` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.families import HEAD, UNKNOWN, family_of
from edgevoice.audio.reading import read_waiting
from edgevoice.audio.samples import check_samples
from edgevoice.errors import ArgumentError, AudioFormatError
from edgevoice.wholenumbers import whole_number

DTYPES = {"int16": "<i2", "int32": "<i4", "uint8": "u1", "float32": "<f4", "float64": "<f8"}
"""Names of the sample formats and their NumPy types, all little-endian."""


class PcmBytes:
    """Bytes of headerless PCM, one of `DTYPES`, to samples, in chunks of any length: a sample in two waits for its rest."""

    def __init__(self, channels: int, dtype: str = "int16") -> None:
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise ArgumentError(f"dtype {dtype!r}: expected one of {', '.join(DTYPES)}")
        self.channels = whole_number("channels", channels, 1)
        self._layout = np.dtype(DTYPES[dtype])
        self.size = self._layout.itemsize * self.channels  # bytes of one sample in all channels
        self.rest = self._head = b""  # of a sample that is not complete yet; of the pipe

    def push(self, chunk: bytes) -> NDArray[Any]:
        """The samples (samples, channels) that the next bytes complete, often none; a file with a header is an error."""
        head = self._head
        if len(head) < HEAD:
            # A pipe may give a few bytes at a time, and some kinds of files are known by their second frame alone.
            head += chunk[: HEAD - len(head)]
            family = family_of(head)
            if family is not UNKNOWN:
                raise AudioFormatError(f"begins like {family.words}, expected raw PCM: decode it first, as ffmpeg does")
        joined = self.rest + chunk
        whole = len(joined) // self.size * self.size
        samples = np.frombuffer(joined[:whole], self._layout).reshape(-1, self.channels)
        if self._layout.kind == "f":
            samples = check_samples(samples, self.channels)  # before anything is taken
        self._head, self.rest = head, joined[whole:]
        return samples

    def finish(self) -> None:
        """Raise AudioFormatError where there were no bytes, or they ended within a sample."""
        if not self._head:
            raise AudioFormatError("the pipe is empty, expected raw PCM: did the program that writes it fail?")
        if self.rest:
            raise AudioFormatError(
                f"the pipe ended {len(self.rest)} bytes into a sample of {self.size}: check --dtype and --channels"
            )


def read_pcm(pipe: IO[bytes], channels: int, dtype: str = "int16", block: int = 1600) -> Iterator[NDArray[Any]]:
    """Samples (samples, channels) as they arrive: at most `block` at a time, fewer when a pipe holds fewer."""
    pcm = PcmBytes(channels, dtype)
    # read1 gives what has arrived; read would wait until the block is full and hold frames back.
    read = getattr(pipe, "read1", pipe.read)
    while chunk := read_waiting(pipe, read, block * pcm.size - len(pcm.rest)):
        samples = pcm.push(chunk)
        if len(samples):
            yield samples
    pcm.finish()

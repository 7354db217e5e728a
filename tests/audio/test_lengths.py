"""Headers that state another length than the file has, and files of which libraries read the first recording only."""

from __future__ import annotations

import io
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from audio.programs import read, write
from edgevoice import AudioFormatError
from edgevoice.audio.files import open_source
from edgevoice.errors import EdgeVoiceWarning


@pytest.mark.parametrize("name", ["flac"])
@pytest.mark.parametrize("stated", [1000, 63_999])
def test_flac_is_read_beyond_what_its_header_states(file: Path, stated: int) -> None:
    content = bytearray(file.read_bytes())
    content[22:26] = stated.to_bytes(4, "big")
    with pytest.warns(EdgeVoiceWarning, match="it has 64000"), open_source(io.BytesIO(content)) as source:
        np.testing.assert_array_equal(np.concatenate(list(source.blocks())), read(file))


@pytest.mark.parametrize("name", ["wav", "rf64", "w64", "aiff", "au", "caf", "nist", "flac", "m4a", "mp4 fast start", "mov"])
def test_joined_files_of_which_libraries_read_one(file: Path, name: str) -> None:
    """As `cat a b > c` makes them."""
    content = file.read_bytes()
    with pytest.raises(AudioFormatError, match="joins recordings"):
        read(content * 2)
    with pytest.warns(EdgeVoiceWarning), open_source(io.BytesIO(content * 2), incomplete="keep") as source:
        np.testing.assert_array_equal(np.concatenate(list(source.blocks())), read(content))


@pytest.mark.parametrize(
    "name", ["sox -t wav", "sox -t aiff", "sox -t au", "ffmpeg -f wav", "ffmpeg -f au", "ffmpeg -f caf", "ffmpeg -f w64"]
)
def test_headers_that_a_pipe_leaves_unset(voice: Path, tmp_path: Path, name: str) -> None:
    kind, *options = name.split()
    source = ["-i", voice] if kind == "ffmpeg" else ["--ignore-length", voice]
    np.testing.assert_array_equal(read(write(kind, tmp_path / "piped", *source, *options, pipe=True)), read(voice))


UNKNOWN = (0, 0x7FFF_F000, 0x7FFF_EFFE, 0x8000_0000, 0x7FFF_0000, 0xFFFF_FFFF, 0xFFFF_FFDB, 128_001)
PROMISES = (128_002, 0x7000_0000, 0x9000_0000, 0xF000_0000)


@pytest.mark.parametrize("size", UNKNOWN + PROMISES)
def test_lengths_of_wav_that_mean_unknown_or_one_byte_too_many_and_others(voice: Path, size: int) -> None:
    content = bytearray(voice.read_bytes())
    content[40:44] = struct.pack("<I", size)
    if size in UNKNOWN:
        np.testing.assert_array_equal(read(bytes(content)), read(voice))
    else:
        with pytest.raises(AudioFormatError, match="is cut short"):
            read(bytes(content))


LOW_BYTES = {"aiff": (b"SSND", 7), "au": (b".snd", 11), "caf": (b"data", 11), "w64": (b"data", 16), "avi": (b"RIFF", 4)}
"""The place of the lowest byte of the length, behind some bytes."""


@pytest.mark.parametrize("name", LOW_BYTES)
def test_other_headers_that_count_one_byte_too_many(file: Path, name: str) -> None:
    content = bytearray(file.read_bytes())
    mark, behind = LOW_BYTES[name]
    content[content.index(mark) + behind] += 1
    np.testing.assert_array_equal(read(bytes(content)), read(file))


@pytest.mark.skipif(sys.platform == "win32", reason="files have no holes there")
@pytest.mark.parametrize("size", [128_000, 0xFFFF_FFFF])
def test_wav_above_4_gib(voice: Path, tmp_path: Path, size: int) -> None:
    content = bytearray(voice.read_bytes())
    content[40:44] = struct.pack("<I", size)
    with (tmp_path / "long.wav").open("wb") as file:
        file.write(content)
        file.truncate(len(content) + (1 << 32))
    with open_source(tmp_path / "long.wav", 1) as source:
        assert source.seconds == (64_000 + (1 << 31)) / 16_000 - 1
        np.testing.assert_array_equal(next(source.segment(1, 4).blocks()), read(voice, 1, 4))


def test_a_header_without_samples_and_samples_of_one_bit(voice: Path) -> None:
    head = b"RIFF" + bytes(4) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16) + b"data" + bytes(4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for after in (b"", b"LIST" + struct.pack("<I", 4) + b"INFO"):
            with open_source(io.BytesIO(head + after)) as source:
                assert not list(source.blocks())
    with pytest.warns(EdgeVoiceWarning, match="states no samples"):
        open_source(io.BytesIO(head + voice.read_bytes()[44:])).close()
    one = bytearray(voice.read_bytes())
    one[34] = 1
    for coding in (1, 0xFFFE):
        one[20:22] = struct.pack("<H", coding)
        with pytest.raises(AudioFormatError, match="1 bits"):
            read(bytes(one))

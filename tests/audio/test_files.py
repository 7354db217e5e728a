"""Files of many formats, whole, damaged and missing."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice import AudioFileNotFoundError, AudioFormatError, Extractor
from edgevoice.audio.files import open_source

EXACT = [
    ("WAV", "PCM_16"),
    ("WAV", "PCM_24"),
    ("WAV", "PCM_32"),
    ("WAV", "PCM_U8"),
    ("WAV", "FLOAT"),
    ("WAV", "DOUBLE"),
    ("WAVEX", "PCM_16"),
    ("RF64", "PCM_16"),
    ("W64", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("AU", "PCM_16"),
    ("CAF", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"),
]
LOSSY = [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("WAV", "ULAW"), ("WAV", "ALAW")]


def write(path: Path, samples: np.ndarray, kind: str, subtype: str, rate: int = 16000) -> Path:
    if (kind, subtype) not in [(k, s) for k in soundfile.available_formats() for s in soundfile.available_subtypes(k)]:
        pytest.skip(f"this libsndfile cannot write {kind} {subtype}")
    soundfile.write(path, samples, rate, format=kind, subtype=subtype)
    return path


def read(path: object) -> np.ndarray:
    return np.concatenate(list(open_source(path).blocks()))  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "subtype"), EXACT)
def test_exact_formats_give_the_samples(tmp_path: Path, noise: np.ndarray, kind: str, subtype: str) -> None:
    eighths = np.round(noise * 128).clip(-128, 127) / 128
    path = write(tmp_path / "audio", np.stack([eighths, -eighths], axis=1).clip(-1, 127 / 128), kind, subtype)
    source = open_source(path)
    assert (source.rate, source.channels) == (16000, 2)
    np.testing.assert_array_equal(read(path)[:, 0], eighths.astype(np.float32))


@pytest.mark.parametrize(("kind", "subtype"), EXACT + LOSSY)
@pytest.mark.parametrize("rate", [8000, 48000])
def test_every_format_and_rate_gives_frames(
    tiny: Extractor, tmp_path: Path, noise: np.ndarray, kind: str, subtype: str, rate: int
) -> None:
    features = tiny.extract(write(tmp_path / "audio", noise[:48_000], kind, subtype, rate))
    assert len(features) >= (48_000 * 16000 // rate - 8000) // 4000
    assert np.isfinite(features.values).all()


@pytest.mark.parametrize(("kind", "subtype"), [*EXACT, ("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_a_file_that_is_cut_short(tiny: Extractor, tmp_path: Path, kind: str, subtype: str) -> None:
    samples = np.random.default_rng(0).standard_normal(48_000) * 0.1
    path = write(tmp_path / "audio", samples, kind, subtype)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    if kind == "OGG":
        # An Ogg stream does not say its length: what is there is read, or nothing can be.
        try:
            assert len(tiny.extract(path)) < 11
        except (AudioFormatError, ValueError):
            return
    else:
        with pytest.raises(AudioFormatError, match=r"cut short|can be read|damaged"):
            tiny.extract(path)


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF])
def test_a_length_that_a_pipe_could_not_know_is_fine(speech: Path, tmp_path: Path, length: int) -> None:
    content = bytearray(speech.read_bytes())
    at = content.index(b"data")
    content[4:8] = content[at + 4 : at + 8] = struct.pack("<I", length)
    path = tmp_path / "piped.wav"
    path.write_bytes(content)
    np.testing.assert_array_equal(read(path), read(speech))


def test_odd_headers_are_no_damage(speech: Path, tmp_path: Path) -> None:
    content = bytearray(speech.read_bytes())
    content[4:8] = struct.pack("<I", len(content))
    (tmp_path / "outer.wav").write_bytes(content)
    (tmp_path / "trailing.wav").write_bytes(speech.read_bytes() + b"junk" * 10)
    for path in tmp_path.iterdir():
        np.testing.assert_array_equal(read(path), read(speech))


def test_what_is_no_audio(tiny: Extractor, tmp_path: Path) -> None:
    contents = {"empty.wav": b"", "text.wav": b"hello\n" * 500, "cut.wav": b"RIFF", "noise.mp3": bytes(range(256)) * 50}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(AudioFormatError, match=name):
            tiny.extract(tmp_path / name)
    with pytest.raises(AudioFormatError, match="is empty"):
        tiny.extract(tmp_path / "empty.wav")
    with pytest.raises(AudioFormatError, match="is a folder"):
        tiny.extract(tmp_path)
    with pytest.raises(AudioFormatError):
        tiny.extract(io.BytesIO(b"hello"))


def test_what_is_not_there(tiny: Extractor, tmp_path: Path) -> None:
    with pytest.raises(AudioFileNotFoundError, match=r"nowhere\.wav: no such file"):
        tiny.extract(tmp_path / "nowhere.wav")
    with pytest.raises(FileNotFoundError):
        tiny.extract(str(tmp_path / "nowhere.wav"))


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "/proc/1/nothing/at/all"])
def test_names_that_cannot_be_looked_up(tiny: Extractor, name: str) -> None:
    with pytest.raises(AudioFileNotFoundError):
        tiny.extract(name)


def test_a_pipe_cannot_be_read_twice(tiny: Extractor) -> None:
    import os

    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe, pytest.raises(AudioFormatError, match="cannot be sought"):
        tiny.extract(pipe)

"""Files as writers to pipes, broken recorders and joined recordings leave them: all samples, or an error."""

from __future__ import annotations

import io
import struct
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.programs import decoded, read, write
from edgevoice import AudioFormatError
from edgevoice.audio.files import open_source
from edgevoice.errors import AudioError, EdgeVoiceWarning


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds, now loud, now soft, so that variable bit rates vary."""
    random = np.random.default_rng(0)
    loud = np.repeat([0.5, 0.001] * 4, 8000)
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(path, random.uniform(-1, 1, len(loud)) * loud, 16000, subtype="PCM_16")
    return path


PIPED = {
    "sox wav": ("sox", "-t wav"),
    "sox wav ima": ("sox", "-t wav -e ima-adpcm"),
    "sox wav gsm": ("sox", "-t wav -e gsm-full-rate"),
    "sox aiff": ("sox", "-t aiff"),
    "sox au": ("sox", "-t au"),
    "ffmpeg wav": ("ffmpeg", "-f wav"),
    "ffmpeg wav ima": ("ffmpeg", "-c:a adpcm_ima_wav -f wav"),
    "ffmpeg wav ms": ("ffmpeg", "-c:a adpcm_ms -f wav"),
    "ffmpeg wav 24": ("ffmpeg", "-c:a pcm_s24le -ac 3 -f wav"),
    "ffmpeg au": ("ffmpeg", "-f au"),
    "ffmpeg caf": ("ffmpeg", "-f caf"),
    "ffmpeg flac": ("ffmpeg", "-f flac"),
    "ffmpeg ogg": ("ffmpeg", "-f ogg -c:a libvorbis"),
    "ffmpeg mp3": ("ffmpeg", "-f mp3 -q:a 4"),
    "ffmpeg mp3 constant": ("ffmpeg", "-f mp3 -b:a 48k"),
    "ffmpeg mp3 stereo": ("ffmpeg", "-f mp3 -q:a 3 -ac 2 -ar 44100"),
    "ffmpeg mp2": ("ffmpeg", "-f mp2 -ac 2 -ar 32000"),
}


@pytest.mark.parametrize("name", PIPED)
def test_what_was_written_to_a_pipe_is_read_to_its_end(voice: Path, tmp_path: Path, name: str) -> None:
    kind, options = PIPED[name]
    source = ["-i", voice] if kind == "ffmpeg" else ["--ignore-length", voice]
    path = write(kind, tmp_path / "piped", *source, *options.split(), pipe=True)
    samples = read(path)
    expected = decoded(path, samples.shape[1])
    assert len(samples) == len(expected) >= 64_000 * (1 if "44100" not in options else 2)
    np.testing.assert_allclose(samples, expected, rtol=0, atol=5e-3)


@pytest.mark.parametrize("options", ["-f w64", "-f wav -rf64 always"])
def test_headers_that_a_pipe_leaves_unset(voice: Path, tmp_path: Path, options: str) -> None:
    path = write("ffmpeg", tmp_path / "piped", "-i", voice, *options.split(), pipe=True)
    np.testing.assert_array_equal(read(path), read(voice))  # this FFmpeg cannot read its own file


@pytest.mark.parametrize("options", ["-q:a 4 -write_xing 0", "-q:a 4", "-b:a 64k -ac 2 -write_xing 0", "-b:a 64k"])
def test_mp3_has_all_samples_and_exact_places(voice: Path, tmp_path: Path, options: str) -> None:
    path = write("ffmpeg", tmp_path / "a.mp3", "-i", voice, *options.split())
    samples = read(path)
    np.testing.assert_allclose(samples, decoded(path, samples.shape[1]), rtol=0, atol=1e-4)
    for start in (0.072, 0.5, 1.001, 3.5):
        np.testing.assert_array_equal(read(path, start), samples[round(start * 16000) :])
    np.testing.assert_array_equal(read(path, 1.0, 2.5), samples[16000:40000])


def test_mp3_with_a_cover_in_front(voice: Path, tmp_path: Path) -> None:
    plain = write("ffmpeg", tmp_path / "a.mp3", "-i", voice, "-q:a", 4, "-write_xing", 0, "-id3v2_version", 0).read_bytes()
    size = 70_000
    tag = b"ID3\4\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])
    cover = tag + (b"\xff\xfb\x90\x00 image " * size)[:size]
    np.testing.assert_array_equal(read(cover + plain + b"TAG" + bytes(125)), read(plain))


@pytest.mark.parametrize("options", ["-q:a 4", "-q:a 4 -write_xing 0", "-b:a 64k"])
def test_joined_mp3(voice: Path, tmp_path: Path, options: str) -> None:
    first = write("ffmpeg", tmp_path / "a.mp3", "-i", voice, *options.split())
    second = write("ffmpeg", tmp_path / "b.mp3", "-i", voice, "-q:a", 2)
    joined = read(first.read_bytes() + second.read_bytes())
    np.testing.assert_array_equal(joined, np.concatenate([read(first), read(second)]))
    other = write("ffmpeg", tmp_path / "c.mp3", "-i", voice, "-ar", 22050)
    with pytest.raises(AudioFormatError, match=r"joins recordings of 16000 Hz with 1 channel.* and of 22050 Hz"):
        read(first.read_bytes() + other.read_bytes())


@pytest.mark.parametrize("suffix", ["ogg", "opus"])
def test_chained_ogg(voice: Path, tmp_path: Path, suffix: str) -> None:
    content = write("ffmpeg", tmp_path / f"a.{suffix}", "-i", voice).read_bytes()
    one = read(content)
    chained = read(content * 2)
    np.testing.assert_array_equal(chained, np.concatenate([one, one]))
    np.testing.assert_array_equal(read(tmp_path / f"a.{suffix}", 1.003), one[16_048:])


@pytest.mark.parametrize("suffix", ["ogg", "opus"])
def test_ogg_that_is_damaged_in_the_middle(voice: Path, tmp_path: Path, suffix: str) -> None:
    content = write("ffmpeg", tmp_path / f"a.{suffix}", "-i", voice, "-page_duration", 200_000).read_bytes()
    assert len(read(content)) >= 64_000
    pages = content.split(b"OggS")
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    for damaged in (flipped, b"OggS".join(pages[:4] + pages[5:]), content[:middle] + content[middle + 1 :]):
        with pytest.raises(AudioFormatError, match="is damaged"):
            read(damaged)
    with pytest.raises(AudioFormatError, match="cut short: its last Ogg page is missing"):
        read(b"OggS".join(pages[:-1]))


@pytest.mark.parametrize("size", [0x7FFF_F000, 0x7FFF_EFFE, 0x7FFF_FFFF, 0x8000_0000, 0x7FFF_0000, 0xFFFF_FFFF, 0xFFFF_FFDB])
def test_lengths_that_mean_unknown(voice: Path, size: int) -> None:
    content = bytearray(voice.read_bytes())
    content[40:44] = struct.pack("<I", size)
    np.testing.assert_array_equal(read(bytes(content)), read(voice))


@pytest.mark.parametrize("size", [128_002, 0x7000_0000, 0x7FFF_8000, 0x9000_0000, 0xF000_0000])
def test_lengths_that_are_promises(voice: Path, size: int) -> None:
    content = bytearray(voice.read_bytes())
    content[40:44] = struct.pack("<I", size)
    with pytest.raises(AudioFormatError, match=f"is cut short: it has 128000 bytes of samples, fewer than the {size}"):
        read(bytes(content))


def test_a_recorder_that_broke_off(voice: Path) -> None:
    content = bytearray(voice.read_bytes())
    content[4:8] = content[40:44] = bytes(4)
    with pytest.warns(EdgeVoiceWarning, match="states no samples"):
        open_source(_file(bytes(content))).close()
    np.testing.assert_array_equal(read(bytes(content)), read(voice))


def test_no_samples_and_no_warning() -> None:
    head = b"RIFF" + bytes(4) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16) + b"data" + bytes(4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for after in (b"", b"LIST" + struct.pack("<I", 4) + b"INFO"):
            with open_source(_file(head + after)) as source:
                assert not list(source.blocks())


def test_a_wrong_number_of_bytes_a_second(voice: Path) -> None:
    content = bytearray(voice.read_bytes())
    content[28:32] = struct.pack("<I", 64_000)
    np.testing.assert_array_equal(read(bytes(content)), read(voice))


def test_gsm_from_the_middle(voice: Path, tmp_path: Path) -> None:
    path = write("sox", tmp_path / "a.wav", voice, "-r", 8000, "-e", "gsm-full-rate")
    np.testing.assert_array_equal(read(path, 1.0, 2.0), read(path)[8000:16000])


CUT: dict[str, Callable[[Path, Path], Path]] = {
    name: lambda voice, path, kind=kind, options=options: write(
        kind, path, *(["-i"] if kind == "ffmpeg" else []), voice, *options.split()
    )
    for name, (kind, options) in {
        "wav": ("ffmpeg", "-f wav"),
        "wav ima": ("ffmpeg", "-c:a adpcm_ima_wav -f wav"),
        "wav gsm": ("sox", "-t wav -e gsm-full-rate"),
        "rf64": ("ffmpeg", "-f wav -rf64 always"),
        "w64": ("ffmpeg", "-f w64"),
        "aiff": ("sox", "-t aiff"),
        "au": ("sox", "-t au"),
        "caf": ("ffmpeg", "-f caf"),
        "nist": ("sox", "-t sph"),
        "flac": ("ffmpeg", "-f flac"),
        "vorbis": ("ffmpeg", "-f ogg -c:a libvorbis"),
        "opus": ("ffmpeg", "-f opus"),
        "mp3": ("ffmpeg", "-f mp3 -q:a 4"),
        "mp3 constant": ("ffmpeg", "-f mp3 -b:a 48k"),
        "mp2": ("ffmpeg", "-f mp2"),
    }.items()
}


@pytest.mark.parametrize("name", CUT)
def test_a_file_that_is_cut_anywhere_is_an_error(voice: Path, tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    content = CUT[name](voice, tmp_path_factory.mktemp("cut") / "whole").read_bytes()
    whole = read(content)
    frames = _frame_ends(content) if name == "mp2" else set()

    @given(at=st.integers(0, len(content) - 1), last=st.integers(1, 40))
    @settings(max_examples=25, deadline=None)
    def check(at: int, last: int) -> None:
        for end in (at, len(content) - last):
            if end in frames:
                continue  # nothing in such a file tells how many frames there are
            try:
                np.testing.assert_array_equal(read(content[:end]), whole)
            except AudioError:
                continue
            # Only what follows the samples may be missing.
            assert len(content) - end < 1000

    check()


def _frame_ends(content: bytes) -> set[int]:
    from edgevoice.audio.mpegframes import frame_header

    ends, at = set(), 0
    while header := frame_header(content[at : at + 4]):
        at += header.size
        ends.add(at)
    return ends


def _file(content: bytes) -> io.BytesIO:
    return io.BytesIO(content)


def test_flac_without_a_length_that_is_cut(voice: Path, tmp_path: Path) -> None:
    content = write("ffmpeg", tmp_path / "a", "-i", voice, "-f", "flac", pipe=True).read_bytes()
    for end in (len(content) - 1, len(content) // 2, len(content) - 1000):
        with pytest.raises(AudioFormatError, match="cut short within its last FLAC frame"):
            read(content[:end])


def test_mpeg_that_is_damaged_in_the_middle(voice: Path, tmp_path: Path) -> None:
    content = write("ffmpeg", tmp_path / "a.mp3", "-i", voice, "-q:a", 4, "-write_xing", 0).read_bytes()
    middle = len(content) // 2
    for damaged in (content[:middle] + content[middle + 7 :], content[:middle] + b"\1" * 3000 + content[middle:]):
        with pytest.raises(AudioFormatError, match="is damaged"):
            read(damaged)


def test_libraries_say_nothing_on_their_own(voice: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for options in ("-q:a 4", "-q:a 4 -write_xing 0", "-b:a 48k"):
        path = write("ffmpeg", tmp_path / "a.mp3", "-i", voice, *options.split())
        read(path, 1.3)
        content = path.read_bytes()
        for cut in (content[: len(content) // 2], content[:3000] + content[3001:]):
            with suppress(AudioError):
                read(cut)
    assert capfd.readouterr().err == ""


def test_a_chunk_of_odd_length_before_the_samples(voice: Path) -> None:
    content = voice.read_bytes()
    odd = content[:36] + b"note" + struct.pack("<I", 3) + b"abc\0" + content[36:]
    np.testing.assert_array_equal(read(odd), read(voice))
    with pytest.raises(AudioFormatError, match="cut short"):
        read(odd[:-2])


@pytest.mark.parametrize("kind", ["AVR", "SVX", "PAF", "MAT4", "MAT5", "PVF", "HTK", "SDS", "WVE", "MPC2K", "XI", "IRCAM"])
def test_rare_formats_are_read_and_refused_where_they_say_that_they_are_short(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "rare"
    subtype = {"WVE": "ALAW", "XI": "DPCM_16"}.get(kind, "PCM_16")
    try:
        soundfile.write(path, np.linspace(-0.5, 0.5, 24_000), 8000, format=kind, subtype=subtype)
    except soundfile.SoundFileError:
        pytest.skip(f"this libsndfile cannot write {kind}")
    whole = read(path)
    assert len(whole) >= 24_000
    content = path.read_bytes()
    if kind in ("SVX", "HTK"):
        with pytest.raises(AudioFormatError):
            read(content[: len(content) // 2])


def test_an_encoding_that_no_one_knows_and_a_header_without_samples(voice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    content = bytearray(voice.read_bytes())
    with pytest.raises(AudioFormatError, match=r"is not audio that can be read"):
        read(bytes(content[:36]))
    content[20:22] = b"\xff\0"  # AAC
    with pytest.raises(AudioFormatError, match=r"pip install 'edgevoice\[media\]'"):
        read(bytes(content))

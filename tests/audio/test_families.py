"""Each family of files: whole with what is found around it, cut, and with holes."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.conftest import FAMILIES
from audio.programs import decoded, read, write
from edgevoice import AudioFormatError
from edgevoice.audio.files import Incomplete, open_source
from edgevoice.errors import AudioError, EdgeVoiceWarning

FRAMES = ("mp3 without a count", "mp2", "adts", "wav mp3")
"""Nothing in such a file tells how many frames there are, so a cut between two passes."""


def _id3(size: int) -> bytes:
    """A tag with a picture, in which there are bytes that look like the beginning of an MP3 frame."""
    head = b"ID3\4\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])
    return head + (b"\xff\xfb\x90\x00 image " * size)[:size]


LYRICS = b"LYRICSBEGININD0000200LYR00003abc000037LYRICS200"
APE = struct.pack("<8sIIII8x", b"APETAGEX", 2000, 40, 1, 0x8000_0000) + b"\xff" * 8
ID3V1 = b"TAG" + b"name".ljust(125)
AROUND = [
    (_id3(70_000), ID3V1),
    (_id3(100) + _id3(500), APE + LYRICS + ID3V1),
    (b"", bytes(range(200, 0, -1)) * 5),
    (bytes(1000) + _id3(300), b""),
]
"""Tags and junk before and behind a file; the last one is for those that are known by more than their first bytes."""


@pytest.mark.parametrize("name", FAMILIES)
def test_whole_files_give_all_samples(file: Path, name: str) -> None:
    samples = read(file)
    with open_source(file) as source:
        rate = source.rate
        np.testing.assert_array_equal(np.concatenate(list(source.blocks())), samples)
        # Segments in any order are those of the whole.
        for start, end in ((0.513, 1.2), (1.0, 2.1), (3.1, None), (0.2, 0.3), (0.25, 3)):
            with source.segment(start, end) as segment:
                part = samples[round(start * rate) : None if end is None else round(end * rate)]
                np.testing.assert_array_equal(np.concatenate(list(segment.blocks())), part)
    expected = decoded(file, samples.shape[1])
    if name != "opus":  # FFmpeg always decodes to 48 kHz
        assert len(samples) == len(expected) >= 3.9 * rate
        np.testing.assert_allclose(samples, expected, rtol=0, atol=1e-3 if "mp" in name else 5e-3)
    content = file.read_bytes()
    for before, behind in AROUND[: 4 if "mp" in name or name in ("adts", "flac") else 3]:
        # Behind frames of which nothing tells the number, what is no frame may be a damaged one.
        np.testing.assert_array_equal(read(before + content + (b"" if name == "flac of a pipe" else behind)), samples)


@pytest.mark.parametrize("name", FAMILIES)
def test_cut_files_are_errors_or_lose_what_is_allowed(file: Path, name: str) -> None:
    content, whole = file.read_bytes(), read(file)
    with open_source(file) as source:
        rate = source.rate

    def check(end: int) -> None:
        try:
            samples = read(content[:end])
        except AudioError:
            samples = None
        if samples is not None and name not in FRAMES:
            assert len(whole) - len(samples) <= FAMILIES[name][2] * rate or len(content) - end < 4
        elif samples is not None:
            assert len(samples) <= len(whole)
        with warnings.catch_warnings(action="ignore", category=EdgeVoiceWarning):
            try:
                with open_source(io.BytesIO(content[:end]), incomplete="keep") as source:
                    kept = sum(map(len, source.blocks()))
            except AudioError:
                kept = 0  # what says where the samples are is at the end
        assert (0 if samples is None else len(samples)) <= kept <= len(whole)

    for k in range(1, 18):
        check(len(content) * k // 18)
    fuzz = given(st.integers(0, len(content) - 1) | st.integers(len(content) - 40, len(content) - 1))
    fuzz(settings(max_examples=10, deadline=None)(check))()


@pytest.mark.parametrize("name", ["flac", "vorbis", "mp3 without a count", "adts", "mp4 fast start", "matroska", "avi"])
@pytest.mark.parametrize("zeros", [0, 4096])
def test_holes_are_errors_and_can_be_kept(file: Path, zeros: int) -> None:
    content = file.read_bytes()
    middle = len(content) // 2
    damaged = content[:middle] + bytes(zeros) + content[middle + 4096 :]
    with pytest.raises(AudioFormatError):
        read(damaged)
    audio = io.BytesIO(damaged)
    with warnings.catch_warnings(record=True, action="always") as caught, open_source(audio, incomplete="keep") as source:
        assert sum(map(len, source.blocks())) > source.rate // 2
        list(source.blocks())
    assert len(caught) == 1


@pytest.mark.parametrize("name", ["mp4 fragments", "webm of a pipe", "asf"])
def test_holes_in_what_is_made_for_live_streams_are_a_warning(file: Path) -> None:
    content = file.read_bytes()
    middle = len(content) // 2
    with warnings.catch_warnings(record=True, action="always") as caught:
        try:
            with open_source(io.BytesIO(content[:middle] + content[middle + 8192 :])) as source:
                list(source.blocks())
        except AudioFormatError:
            return
    assert len(caught) == 1


def test_packets_of_asf_that_are_lost_are_a_warning(voice: Path, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    content = write("ffmpeg", tmp_path / "a.wma", "-i", voice, "-c:a", "wmav2", "-b:a", "32k").read_bytes()
    packets = len(content) - 6 * 3200
    for lost in (3, 5):  # one inside, and the last
        at = packets + lost * 3200
        damaged = io.BytesIO(content[:at] + bytes(3200) + content[at + 3200 :])
        with open_source(damaged) as source, pytest.warns(EdgeVoiceWarning, match="time stamps|is cut short") as caught:
            assert 3 < sum(map(len, source.blocks())) / source.rate < 3.4
        assert len(caught) == 1


VIDEO = "-f lavfi -i testsrc=d=7:s=64x64:r=5"
MOVIES = {
    "longer picture": (VIDEO, "-c:v mpeg4 -c:a aac", "mp4 mov matroska avi"),
    "longer picture of its own kind": (VIDEO, "-c:v libvpx -c:a libopus", "webm"),
    "longer picture of Windows": (VIDEO, "-c:v wmv2 -c:a wmav2", "asf"),
    "longer subtitles": ("-i SUBTITLES", "-c:s srt -c:a libopus", "matroska"),
    "longer second track": ("-f lavfi -i sine=d=7", "-map 1 -map 0 -c:a aac", "mp4 matroska"),
    "late audio": ("-itsoffset 1", "-c:a aac", "mp4 mov matroska"),
    "late audio of its own kind": ("-itsoffset 1", "-c:a libopus", "webm"),
    "late audio of Windows": ("-itsoffset 1", "-c:a wmav2", "asf"),
}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, (*_, kinds) in MOVIES.items() for kind in kinds.split()])
def test_media_is_as_long_as_its_audio(voice: Path, tmp_path: Path, name: str, kind: str) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    (tmp_path / "SUBTITLES.srt").write_text("1\n00:00:00,000 --> 00:00:20,000\nx\n")
    before, options, _ = MOVIES[name]
    before = before.replace("SUBTITLES", str(tmp_path / "SUBTITLES.srt"))
    path = write("ffmpeg", tmp_path / "movie", *before.split(), "-i", voice, *options.split(), "-f", kind)
    with open_source(path) as source:
        count = sum(map(len, source.blocks()))
    assert count == pytest.approx(4 * source.rate, abs=0.2 * source.rate)
    content = path.read_bytes()
    try:
        read(content[: len(content) * 3 // 5])
    except AudioError:
        return
    assert kind in ("asf", "avi")


def test_media_of_many_channels(voice: Path, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    path = write("ffmpeg", tmp_path / "a.m4a", "-i", voice, "-ac", 8, "-c:a", "aac")
    assert read(path).shape == decoded(path, 8).shape


@pytest.mark.parametrize("options", ["-q:a 4", "-q:a 4 -write_xing 0", "-b:a 64k"])
def test_joined_mp3(voice: Path, tmp_path: Path, options: str) -> None:
    first = write("ffmpeg", tmp_path / "a.mp3", "-i", voice, *options.split())
    second = write("ffmpeg", tmp_path / "b.mp3", "-i", voice, "-q:a", 2)
    both = len(read(first)) + len(read(second))
    assert both <= len(read(first.read_bytes() + second.read_bytes())) <= both + 4000
    other = write("ffmpeg", tmp_path / "c.mp3", "-i", voice, "-ar", 22050)
    with pytest.raises(AudioFormatError, match="joins recordings"):
        read(first.read_bytes() + other.read_bytes())


@pytest.mark.parametrize("name", ["vorbis", "opus"])
def test_chained_ogg(file: Path, name: str) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    with open_source(io.BytesIO(file.read_bytes() * 2)) as source:
        both = np.concatenate(list(source.blocks()))
        assert len(both) / source.rate == pytest.approx(8, abs=0.03)
    if name == "vorbis":  # FFmpeg always decodes Opus to 48 kHz
        np.testing.assert_allclose(both[:63_000], read(file)[:63_000], rtol=0, atol=1e-3)
    content = file.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    with pytest.raises(AudioFormatError, match="checksum"):
        read(bytes(flipped))


@pytest.mark.parametrize("name", ["opus", "m4a", "webm"])
def test_what_was_cut_out_without_coding_it_again_is_whole(file: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    kind = "mp4" if name == "m4a" else name
    path = write("ffmpeg", tmp_path / "part", "-ss", 1.03, "-i", file, "-t", 1.4, "-c", "copy", "-f", kind)
    with open_source(path) as source:
        assert sum(map(len, source.blocks())) == len(decoded(path))


class Failing(io.BytesIO):
    """A disk that fails after some bytes."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() + (len(self.getvalue()) if size is None or size < 0 else size) > len(self.getvalue()) // 2:
            raise OSError(5, "Input/output error")
        return super().read(size)


@pytest.mark.parametrize("name", ["mp3", "vorbis", "avi", "m4a", "matroska"])
def test_a_disk_that_fails_is_no_file_that_is_cut_short(file: Path) -> None:
    failing = Failing(file.read_bytes())
    with pytest.raises(AudioFormatError, match=r"cannot be read.*Input/output error"), open_source(failing) as source:
        list(source.blocks())


@pytest.mark.parametrize(
    "content",
    [
        (b"\xff\xfb\x10" * 700_000),
        (b"\x1a\x45\xdf\xa3\x84webm" + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"\xec\x80" * 500_000),
        (struct.pack(">I", 8) + b"free") * 200_000,
        b"\xff\xf1\x50\x40\x00\xff\xfc" * 200_000,
        b"APETAGEX" * 100_000,
        b"OggS" * 200_000,
        b"fLaC\x80\0\0\x22" + bytes(16) + b"\xff" * 18 + b"\xff\xf8\x54\x08" * 200_000,
        b".snd" + struct.pack(">II", 24, 0xFFFF_FFFF),
        b"NIST_1A\n   9999\nchannel_count -i 1\nsample_n_bytes -i 2\nsample_count -i " + b"9" * 5000 + b"\n",
        bytes(1_000_000),
    ],
)
def test_hostile_files_are_no_audio(content: bytes) -> None:
    with pytest.raises(AudioFormatError):
        read(content)


@pytest.mark.parametrize("name", ["caf", "flac", "vorbis", "mp3", "m4a", "webm", "asf", "adts"])
def test_damaged_files_neither_end_the_process_nor_hold_it_up(file: Path) -> None:
    content = file.read_bytes()

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 1 << 32), st.sampled_from(["error", "keep"]))
    def check(seed: int, mode: Incomplete) -> None:
        audio = io.BytesIO(mutated(content, seed))
        with (
            warnings.catch_warnings(action="ignore"),
            suppress(AudioError),
            open_source(audio, incomplete=mode) as source,
        ):
            for start, end in ((1.5, 2.1), (0.2, 0.4), (2.0, 3.0), (0, None)):
                with suppress(AudioError):
                    sum(map(len, source.segment(start, end).blocks()))

    check()


def mutated(content: bytes, seed: int) -> bytes:
    """Some bytes flipped, removed, doubled or zeroed; mostly in the header."""
    draw, changed = random.Random(seed), bytearray(content)
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(1 + min(len(changed), draw.choice([64, 512, len(content)])))
        size = draw.choice([1, 1, 4, 300, 5000])
        piece = changed[at : at + size]
        changed[at : at + size] = draw.choice(
            [bytes(len(piece)), b"", piece * 2, draw.randbytes(size), b"\xff" * len(piece)]
        )
    return bytes(changed[: draw.randrange(len(content))] if draw.random() < 0.2 else changed)


def test_media_without_audio_playlists_and_noise(tmp_path: Path, voice: Path) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    picture = write("ffmpeg", tmp_path / "a.mp4", "-f", "lavfi", "-i", "color=s=64x64:d=1")
    with pytest.raises(AudioFormatError, match="holds no audio"):
        read(picture)
    for playlist in (f"ffconcat version 1.0\nfile {voice}\n", f"#EXTM3U\n#EXTINF:4,\n{voice}\n#EXT-X-ENDLIST\n"):
        (tmp_path / "list").write_text(playlist)
        with pytest.raises(AudioFormatError, match="is not audio that can be read"):
            read(tmp_path / "list")
    for start in (b"\x1a\x45\xdf\xa3", bytes(4) + b"ftypM4A ", b"#!AMR\n", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\xff\xfb"):
        with pytest.raises(AudioFormatError):
            read(start + bytes(range(256)) * 40)


def test_amr_is_checked_for_its_last_frame() -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    content = b"#!AMR\n" + b"\x3c" + bytes(31)  # one frame of 12.2 kbit/s
    content += content[6:] * 9
    assert len(read(content)) == 1600
    for end in (-1, -31):
        with pytest.raises(AudioFormatError, match="after 1440 samples"):
            read(content[:end])


def test_without_pyav_the_error_says_what_to_install(
    voice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write("ffmpeg", tmp_path / "a.m4a", "-i", voice)
    monkeypatch.setitem(sys.modules, "av", None)
    content = bytearray(voice.read_bytes())
    content[20:22] = b"\xff\0"  # AAC
    for audio in (path, bytes(content)):
        with pytest.raises(AudioFormatError, match=r"pip install av"):
            read(audio)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["mp3", "mp3 without a count", "mp3 constant"])
def test_libraries_say_nothing_on_their_own(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content = file.read_bytes()
    for audio in (content, content[: len(content) // 2], content[:3000] + content[3001:]):
        with suppress(AudioError):
            read(audio, 1.3)
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(sys.platform != "linux", reason="asks the system in its own way")
def test_pyav_is_loaded_for_what_needs_it_and_no_memory_is_written_and_executed(voice: Path, tmp_path: Path) -> None:
    mp3 = write("ffmpeg", tmp_path / "a.mp3", "-i", voice, "-write_xing", 0)
    code = f"""
import ctypes, sys
ctypes.CDLL(None).prctl(65, ctypes.c_ulong(1), 0, 0, 0)  # PR_SET_MDWE of Linux 6.3 and newer; nothing elsewhere
from edgevoice.audio.files import open_source
for path in ({str(voice)!r}, {str(mp3)!r}):
    with open_source(path) as source: assert sum(map(len, source.blocks())) >= 64000
assert "av" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)

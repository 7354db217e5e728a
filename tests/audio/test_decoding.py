"""Files that need PyAV."""

from __future__ import annotations

import io
import subprocess
import sys
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

MEDIA = {
    "m4a": "-c:a aac -f ipod",
    "mp4": "-c:a aac -movflags +faststart -f mp4",
    "fragments": "-c:a aac -movflags frag_keyframe+empty_moov -f mp4",
    "3gp": "-c:a aac -f 3gp",
    "aac": "-c:a aac -f adts",
    "wma": "-c:a wmav2 -f asf",
    "webm": "-c:a libopus -f webm",
    "webm of 16 kHz": "-ar 16000 -c:a libopus -f webm",
    "webm of short frames": "-ar 24000 -c:a libopus -frame_duration 2.5 -f webm",
    "mka": "-c:a aac -f matroska",
    "flac in ogg": "-c:a flac -f ogg",
    "speex": "-c:a libspeex -ar 32000 -f ogg",
    "mov": "-c:a pcm_s24le -f mov",
    "wma in wav": "-c:a wmav2 -f wav",
    "flv": "-c:a aac -ar 44100 -f flv",
    "ac3": "-c:a ac3 -b:a 96k -f ac3",
    "eac3": "-c:a eac3 -b:a 96k -f eac3",
    "ac3 of 44.1 kHz": "-c:a ac3 -ar 44100 -b:a 96k -f ac3",
    "avi": "-c:a libmp3lame -f avi",
    "transport stream": "-c:a mp2 -f mpegts",
    "program stream": "-c:a mp2 -f mpeg",
    "real": "-c:a ac3 -f rm",
}
WHOLE = {
    **dict.fromkeys(("m4a", "mp4", "3gp", "webm", "mka", "wma", "avi"), 0),
    "aac": 1,
    "flv": 1,
    "ac3": 384,
    "eac3": 384,
    "transport stream": 188,
    "program stream": 2048,
}
"""Those that say where they end; or bytes of their parts, after each of which they may end: 1 for parts of many sizes."""


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(path, np.random.default_rng(0).standard_normal((96_000, 2)) * 0.1, 48000, subtype="PCM_16")
    return path


@pytest.fixture
def media() -> None:
    pytest.importorskip("av", reason="PyAV is not installed")


@pytest.mark.usefixtures("media")
@pytest.mark.parametrize("name", MEDIA)
def test_all_samples_are_read(voice: Path, tmp_path: Path, name: str) -> None:
    path = write("ffmpeg", tmp_path / "media", "-i", voice, *MEDIA[name].split())
    with open_source(path) as source:
        first = np.concatenate(list(source.blocks()))
        np.testing.assert_array_equal(np.concatenate(list(source.blocks())), first)
        rate = source.rate
    expected = decoded(path, first.shape[1])
    assert len(first) == len(expected) >= 2 * rate * 0.97
    np.testing.assert_allclose(first, expected, rtol=0, atol=1e-4)
    with open_source(path, 0.513, 1.2) as source:
        part = np.concatenate(list(source.blocks()))
    np.testing.assert_array_equal(part, first[round(0.513 * rate) : round(1.2 * rate)])


@pytest.mark.usefixtures("media")
@pytest.mark.parametrize("how", ["-c:a libopus -f webm", "-c:a wmav2 -f asf", "-c:a libmp3lame -f avi"])
def test_a_pipe_without_a_length(voice: Path, tmp_path: Path, how: str) -> None:
    path = write("ffmpeg", tmp_path / "media", "-i", voice, *how.split(), pipe=True)
    with open_source(path) as source:
        assert source.seconds is None
        assert len(np.concatenate(list(source.blocks()))) == len(decoded(path, 2))


@pytest.mark.usefixtures("media")
@pytest.mark.parametrize(("name", "size"), WHOLE.items())
def test_media_that_is_cut_anywhere_is_an_error(
    voice: Path, tmp_path_factory: pytest.TempPathFactory, name: str, size: int
) -> None:
    path = write("ffmpeg", tmp_path_factory.mktemp("cut") / "media", "-i", voice, *MEDIA[name].split())
    content, whole = path.read_bytes(), len(_samples(path.read_bytes()))
    ends = set(range(0, len(content), size)) if size > 1 else _ENDS[name](content) if size else set()

    @given(at=st.integers(0, len(content) - 1))
    @settings(max_examples=20, deadline=None)
    def check(at: int) -> None:
        try:
            samples = len(_samples(content[:at]))
        except AudioError:
            return
        assert at in ends or samples == whole

    check()


def _adts_ends(content: bytes) -> set[int]:
    ends, at = set(), 0
    while at < len(content):
        at += (content[at + 3] & 3) << 11 | content[at + 4] << 3 | content[at + 5] >> 5
        ends.add(at)
    return ends


def _flv_ends(content: bytes) -> set[int]:
    ends, at = {13}, 13
    while at < len(content):
        at += 15 + int.from_bytes(content[at + 1 : at + 4], "big")
        ends |= {at - 4, at}
    return ends


_ENDS = {"aac": _adts_ends, "flv": _flv_ends}


def _samples(content: bytes | io.BytesIO) -> np.ndarray:
    with open_source(io.BytesIO(content) if isinstance(content, bytes) else content) as source:
        return np.concatenate(list(source.blocks()))


@pytest.mark.usefixtures("media")
@pytest.mark.parametrize("how", ["-c:a tta -f matroska", "-c:a wavpack -f wv", "-c:a ac3 -f ac3", "-c:a flac -f matroska"])
def test_checksums_are_compared(voice: Path, tmp_path: Path, how: str) -> None:
    path = write("ffmpeg", tmp_path / "media", "-i", voice, *how.split())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    with pytest.raises(AudioFormatError, match=r"damaged|can be read"):
        _samples(bytes(content))


class Failing(io.BytesIO):
    """A disk that fails after some bytes."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() + (len(self.getvalue()) if size is None or size < 0 else size) > len(self.getvalue()) // 2:
            raise OSError(5, "Input/output error")
        return super().read(size)


@pytest.mark.usefixtures("media")
@pytest.mark.parametrize("name", ["flv", "ac3", "avi", "program stream", "transport stream", "mp4", "mka"])
def test_a_disk_that_fails_is_no_file_that_is_cut_short(voice: Path, tmp_path: Path, name: str) -> None:
    path = write("ffmpeg", tmp_path / "media", "-i", voice, *MEDIA[name].split())
    with pytest.raises(AudioFormatError, match=r"cannot be read.*Input/output error"):
        _samples(Failing(path.read_bytes()))


@pytest.mark.usefixtures("media")
def test_audio_that_time_stamps_leave_out_is_reported(voice: Path, tmp_path: Path) -> None:
    content = write("ffmpeg", tmp_path / "media", "-i", voice, *MEDIA["flv"].split()).read_bytes()
    ends = sorted(_flv_ends(content))[::2]
    with pytest.warns(EdgeVoiceWarning, match=r"time stamps leave out 0\.2 s in 1 place\(s\), the first at 0\.5 s"):
        _samples(content[: ends[22]] + content[ends[32] :])


@pytest.mark.usefixtures("media")
def test_media_without_audio_and_noise(tmp_path: Path) -> None:
    picture = write("ffmpeg", tmp_path / "a.mp4", "-f", "lavfi", "-i", "color=s=64x64:d=1")
    with pytest.raises(AudioFormatError, match="holds no audio"):
        read(picture)
    for start in (b"\x1a\x45\xdf\xa3", bytes(4) + b"ftypM4A ", b"#!AMR\n", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"):
        with pytest.raises(AudioFormatError):
            read(start + bytes(range(256)) * 40)


def test_without_pyav_the_error_says_what_to_install(
    voice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write("ffmpeg", tmp_path / "a.m4a", "-i", voice)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioFormatError, match=r"a\.m4a: is in a format that needs PyAV.*pip install 'edgevoice\[media\]'"):
        read(path)
    np.testing.assert_array_equal(read(voice), read(voice))
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("media")
def test_pyav_is_loaded_only_for_what_needs_it(voice: Path) -> None:
    code = f"""
import sys
from edgevoice.audio.files import open_source
with open_source({str(voice)!r}) as source: list(source.blocks())
assert "av" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)

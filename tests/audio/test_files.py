"""Files of many formats, whole, damaged and missing."""

from __future__ import annotations

import builtins
import io
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from audio.programs import read
from edgevoice import ArgumentError, AudioFileNotFoundError, AudioFormatError, Extractor, SamplesError
from edgevoice.audio.files import open_source


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE"])
def test_files_give_the_samples_that_were_written(tmp_path: Path, noise: np.ndarray, subtype: str) -> None:
    eighths = np.round(noise * 128).clip(-128, 127) / 128
    soundfile.write(tmp_path / "a.wav", np.stack([eighths, -eighths], axis=1), 16000, subtype)
    np.testing.assert_array_equal(read(tmp_path / "a.wav")[:, 0], eighths.astype(np.float32))


def test_what_is_no_audio(tiny: Extractor, tmp_path: Path) -> None:
    contents = {"empty.wav": b"", "text.wav": b"hello\n" * 500, "cut.wav": b"RIFF", "noise.mp3": bytes(range(256)) * 50}
    contents |= {f"text.{suffix}": contents["text.wav"] for suffix in ("gsm", "vox", "raw")}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(AudioFormatError, match=rf"{name}: is {'' if content else 'empty'}"):
            tiny.extract(tmp_path / name)
    with pytest.raises(AudioFormatError, match="is a folder"):
        tiny.extract(tmp_path)


@pytest.mark.parametrize("name", ["nowhere.wav", "x" * 300, "a\0b", "/proc/1/nothing/at/all"])
def test_what_is_not_there(tiny: Extractor, name: str) -> None:
    with pytest.raises(AudioFileNotFoundError, match="no such file"):
        tiny.extract(name)
    with pytest.raises(FileNotFoundError):
        tiny.extract(Path(name))


def test_a_file_is_opened_once(tiny: Extractor, speech: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    real = open

    def counted(path: Path, *rest: object, **more: object) -> object:
        opened.append(path)
        return real(path, *rest, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(builtins, "open", counted)
    expected = tiny.extract(speech, level="utterance")
    assert opened.count(str(speech)) == 1
    with open_source(speech) as source:
        assert source.seconds == pytest.approx(soundfile.info(speech).duration)
        assert (tiny.extract(source, level="utterance").values == expected.values).all()
        assert len(np.concatenate(list(source.blocks()))) == round(source.seconds * source.rate)
        part = tiny.extract(source, start=1, end=4)
        assert (part.values == tiny.extract(speech, start=1, end=4).values).all()
    assert opened.count(str(speech)) == 3
    with pytest.raises(AudioFormatError, match="closed"):
        list(source.blocks())


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_blocks_begin_at_the_start_every_time_even_in_turns(tmp_path: Path, noise: np.ndarray, kind: str) -> None:
    soundfile.write(tmp_path / "audio", noise, 16000, format=kind)
    with open_source(tmp_path / "audio", 0.5, 9) as source:
        assert source.first == 8000
        for left, right in zip(source.blocks(), source.blocks(), strict=True):
            np.testing.assert_array_equal(left, right)


def test_an_open_file_stays_open_and_begins_where_it_stands(speech: Path) -> None:
    with (speech.parent / speech.name).open("rb") as file:
        with open_source(file) as source:
            expected = np.concatenate(list(source.blocks()))
        assert not file.closed
    embedded = io.BytesIO(b"something before" + speech.read_bytes())
    embedded.seek(16)
    np.testing.assert_array_equal(read(embedded), expected)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_pipes_devices_and_sockets_are_refused_by_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.wav"))
        for name in (tmp_path / "pipe.wav", tmp_path / "s.wav", "/dev/zero"):
            with pytest.raises(AudioFormatError, match=r"is a (pipe|device)"):
                open_source(name)


def test_an_open_pipe_is_read_once(tiny: Extractor, speech: Path) -> None:
    with subprocess.Popen(["cat", speech], stdout=subprocess.PIPE) as process:
        assert process.stdout
        values = tiny.extract(process.stdout).values
    assert (values == tiny.extract(speech).values).all()
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    content = speech.read_bytes()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb") as source:
        threading.Timer(0.1, lambda: (source.write(content), source.close())).start()
        assert (tiny.extract(pipe).values == values).all()
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe, pytest.raises(AudioFormatError, match="is empty"):
        tiny.extract(pipe)


def test_channels_are_checked_where_the_source_is_opened(tiny: Extractor, speech: Path) -> None:
    for audio, channel in ((speech, 1), ((np.zeros((16000, 2)), 16000), 2)):
        with pytest.raises(
            AudioFormatError, match=rf"{channel} channel\(s\), counted from 0; there is no channel {channel}"
        ):
            tiny.extract(audio, channel=channel)
    with pytest.raises(ArgumentError, match="channel -1"):
        open_source(speech, channel=-1)
    with pytest.raises(ArgumentError, match="'error' or 'keep'"):
        tiny.extract(speech, incomplete="maybe")  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform != "linux", reason="links need rights elsewhere, and such names are refused")
def test_a_link_to_nothing_and_a_name_that_is_not_utf8(speech: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.wav"
    link.symlink_to("gone.wav")
    with pytest.raises(AudioFileNotFoundError, match=r"link\.wav: is a link to gone\.wav, which does not exist"):
        open_source(link)
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    Path(name).write_bytes(speech.read_bytes())
    np.testing.assert_array_equal(read(name), read(speech))


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
@pytest.mark.parametrize("after", [0, 3], ids=["opened", "read"])
def test_ctrl_c_while_a_decoder_reads_is_not_lost(
    tiny: Extractor, tmp_path: Path, noise: np.ndarray, suffix: str, after: int
) -> None:
    class Interrupting(io.BufferedReader):
        """A file during whose reading, after so many bytes, Ctrl-C comes."""

        left = 1 << 40

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            self.left -= len(data)
            if self.left < 0:
                raise KeyboardInterrupt
            return data

    path = tmp_path / f"long.{suffix}"
    soundfile.write(path, np.tile(noise, 10), 16000)
    with Interrupting(io.FileIO(path)) as file:
        file.left = path.stat().st_size * after // 4
        with pytest.raises(KeyboardInterrupt):
            tiny.extract(file)


class Tensor:
    """What libraries for learning have: an array that is none of NumPy's."""

    def __init__(self, samples: np.ndarray, device: str = "cpu") -> None:
        self._samples, self._device, self.ndim = samples, device, samples.ndim

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def T(self) -> Tensor:  # noqa: N802
        return Tensor(self._samples.T, self._device)

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        if self._device != "cpu":
            raise TypeError("can't convert a tensor on another device")
        return self._samples


def test_audio_as_the_field_passes_it(tiny: Extractor, noise: np.ndarray, speech: Path) -> None:
    expected = tiny.extract((noise, 16000)).values
    stereo = np.stack([noise, noise])
    samples = SimpleNamespace(data=Tensor(stereo), sample_rate=16000)
    for audio in (
        (Tensor(noise), 16000),
        {"path": None, "array": noise, "sampling_rate": 16000},
        {"array": Tensor(stereo), "sampling_rate": np.int64(16000)},
        samples,
        SimpleNamespace(get_all_samples=lambda: samples),
    ):
        np.testing.assert_array_equal(tiny.extract(audio).values, expected)  # type: ignore[arg-type]
    stream = tiny.stream(16000)
    assert (stream.push(Tensor(noise)).values == expected).all()  # type: ignore[arg-type]
    for row in ({"bytes": speech.read_bytes(), "path": "x.wav"}, {"bytes": None, "path": str(speech)}):
        np.testing.assert_array_equal(tiny.extract(row).values, tiny.extract(speech).values)


@pytest.mark.parametrize(
    ("audio", "error"),
    [
        ((16000, np.zeros(16000)), ArgumentError),
        ((Tensor(np.zeros(16000), "cuda"), 16000), SamplesError),
        (([0.0] * 16000, 16000), SamplesError),
        ({"array": np.zeros(9)}, ArgumentError),
        ({}, ArgumentError),
        (io.StringIO("text"), ArgumentError),
        (16000, ArgumentError),
        ((np.zeros(9), 16000, 1), ArgumentError),
        (SimpleNamespace(read=lambda _: None, name="x"), AudioFormatError),
        (Path("/proc/self/mem"), AudioFormatError),
    ],
)
def test_what_is_no_input_is_an_error_of_ours(audio: object, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        list(open_source(audio).blocks())  # type: ignore[arg-type]
    assert ("swapped?" in str(caught.value)) == (isinstance(audio, tuple) and isinstance(audio[0], int))

"""What a microphone records beside its frames, with a fake sounddevice."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice import ArgumentError, Extractor, Microphone, OutputError
from edgevoice.microphone import recording
from microphone.fakesounddevice import FakeSoundDevice, take


@pytest.mark.parametrize(
    "end", [Microphone.close, lambda microphone: microphone.__exit__(KeyboardInterrupt, None, None), lambda _: None]
)
def test_a_recording_takes_its_name_when_it_is_closed_interrupted_or_forgotten(
    fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray, tmp_path: Path, end: Callable[[Microphone], None]
) -> None:
    path = tmp_path / "new" / "captured.wav"
    microphone = Microphone(tiny, record=path)
    fake.stream.give(voice)
    take(microphone)
    (draft,) = path.parent.iterdir()
    assert draft != path
    # What a process that is killed leaves behind.
    np.testing.assert_array_equal(soundfile.read(draft, dtype="int16")[0], voice)
    end(microphone)
    del microphone
    gc.collect()
    assert list(path.parent.iterdir()) == [path]
    np.testing.assert_array_equal(soundfile.read(path, dtype="int16")[0], voice)


def test_a_recording_of_nothing_leaves_nothing_and_where_it_cannot_be_is_an_error(
    fake: FakeSoundDevice, tiny: Extractor, tmp_path: Path
) -> None:
    Microphone(tiny, record=tmp_path / "new" / "captured.wav").close()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory"):
        Microphone(tiny, record=tmp_path / "file" / "captured.wav")
    assert "close" in fake.stream.calls


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_what_is_there_is_refused_before_the_device_opens(
    fake: FakeSoundDevice, tiny: Extractor, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "captured.wav")
    with pytest.raises(ArgumentError):
        Microphone(tiny, record=tmp_path / "captured.wav")
    assert not fake.streams


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_what_appears_meanwhile_stays_and_the_draft_is_named(
    fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "captured.wav"
    microphone = Microphone(tiny, record=path)
    fake.stream.give(voice)
    take(microphone)
    make(path)
    (draft,) = set(tmp_path.iterdir()) - {path}
    with pytest.raises(OutputError, match=draft.name):
        microphone.close()
    assert path.is_dir() or path.read_bytes() == b""
    np.testing.assert_array_equal(soundfile.read(draft, dtype="int16")[0], voice)


def test_a_full_disk(fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="no limit on file sizes: a full disk cannot be had")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Microphone(tiny, record=tmp_path / "captured.wav") as microphone:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            fake.stream.give(voice)
            with pytest.raises(OutputError, match="File too large"):
                take(microphone)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
    assert "close" in fake.stream.calls
    kept, _ = soundfile.read(tmp_path / "captured.wav", dtype="int16")
    assert len(kept) > 40_000
    np.testing.assert_array_equal(kept, voice[: len(kept)])


def test_a_recording_goes_on_beyond_4_gib(tmp_path: Path) -> None:
    """The file has a hole, which takes no room on the disk."""
    voice = np.arange(2000, dtype=np.int16).reshape(-1, 2)
    for size, kind in ((1 << 20, "WAV"), ((1 << 32) - 80, "WAV"), ((1 << 32) - 72, "RF64"), ((1 << 32) + 4000, "RF64")):
        path = tmp_path / f"{size}.wav"
        kept = recording.Recording(path, 16000, 2)
        kept.write(voice)
        (draft,) = tmp_path.glob(".*.part")
        os.truncate(draft, recording._HEADER + size)
        with soundfile.SoundFile(draft) as unfinished:
            assert unfinished.frames == min(size, (1 << 32) - 1) // 4, "what a process that is killed leaves can be read"
        kept.close()
        with soundfile.SoundFile(path) as file:
            assert (file.format, file.subtype, file.frames, file.samplerate) == (kind, "PCM_16", size // 4, 16000)
            np.testing.assert_array_equal(file.read(1000, dtype="int16"), voice)
        path.unlink()

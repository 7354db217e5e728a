"""What a microphone records beside its frames, with a fake sounddevice."""

from __future__ import annotations

import gc
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice import (
    Extractor,
    Microphone,
    OutputError,
)
from edgevoice.microphone import recording
from microphone.fakesounddevice import FakeSoundDevice
from microphone.frames import take


def test_a_recording_that_cannot_be_written(fake: FakeSoundDevice, tiny: Extractor, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"captured\.wav: cannot be written \(Not a directory\)"):
        Microphone(tiny, record=tmp_path / "file" / "captured.wav")
    assert "close" in fake.stream.calls


def test_a_recording_takes_its_name_at_the_end(
    fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "captured.wav"
    with Microphone(tiny, record=path) as microphone:
        fake.stream.give(voice)
        take(microphone)
        (draft,) = path.parent.iterdir()
        assert draft != path
        # What a process that is killed leaves behind.
        np.testing.assert_array_equal(soundfile.read(draft, dtype="int16")[0], voice)
    assert list(path.parent.iterdir()) == [path]
    np.testing.assert_array_equal(soundfile.read(path, dtype="int16")[0], voice)


def test_a_recording_that_is_interrupted_is_kept(
    fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "captured.wav"
    path.write_bytes(b"old")

    def interrupt() -> None:
        with Microphone(tiny, record=path) as microphone:
            fake.stream.give(voice)
            take(microphone)
            assert path.read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    np.testing.assert_array_equal(soundfile.read(path, dtype="int16")[0], voice)
    assert list(tmp_path.iterdir()) == [path]


def test_a_recording_that_nobody_closes_is_kept(
    fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray, tmp_path: Path
) -> None:
    microphone = Microphone(tiny, record=tmp_path / "captured.wav")
    fake.stream.give(voice)
    take(microphone)
    del microphone
    gc.collect()
    np.testing.assert_array_equal(soundfile.read(tmp_path / "captured.wav", dtype="int16")[0], voice)


def test_a_recording_of_nothing_leaves_what_was_there(fake: FakeSoundDevice, tiny: Extractor, tmp_path: Path) -> None:
    path = tmp_path / "captured.wav"
    path.write_bytes(b"old")
    Microphone(tiny, record=path).close()
    Microphone(tiny, record=tmp_path / "new" / "captured.wav").close()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_a_recording_whose_place_is_taken_says_where_it_is(
    fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "captured.wav"
    microphone = Microphone(tiny, record=path)
    fake.stream.give(voice)
    take(microphone)
    path.mkdir()
    (draft,) = set(tmp_path.iterdir()) - {path}
    with pytest.raises(OutputError, match=f"what was captured is in .*{draft.name}"):
        microphone.close()
    np.testing.assert_array_equal(soundfile.read(draft, dtype="int16")[0], voice)


def test_a_full_disk(fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="no limit on file sizes: a full disk cannot be had")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Microphone(tiny, record=tmp_path / "captured.wav") as microphone:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            fake.stream.give(voice)
            with pytest.raises(OutputError, match=r"captured\.wav: cannot be written"):
                take(microphone)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
    assert "close" in fake.stream.calls
    kept, _ = soundfile.read(tmp_path / "captured.wav", dtype="int16")
    assert len(kept) > 40_000
    np.testing.assert_array_equal(kept, voice[: len(kept)])


def test_a_recording_ends_at_what_a_wav_file_can_hold(
    fake: FakeSoundDevice, tiny: Extractor, voice: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_LARGEST", 100_000)
    with Microphone(tiny, record=tmp_path / "captured.wav") as microphone:
        fake.stream.give(voice)
        with pytest.raises(OutputError, match="4 GiB"):
            take(microphone)


def test_a_full_disk_is_called_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = recording.Recording(tmp_path / "a.wav", 16000, 1)

    def fail(_: object) -> None:
        raise RuntimeError("System error.")

    full = shutil._ntuple_diskusage(10, 10, 0)  # type: ignore[attr-defined]
    monkeypatch.setattr(kept._file, "write", fail)
    monkeypatch.setattr("shutil.disk_usage", lambda _: full)
    with pytest.raises(OutputError, match=r"a\.wav: cannot be written \(No space left on device\)"):
        kept.write(np.zeros((10, 1), np.int16))
    monkeypatch.undo()
    kept.close()

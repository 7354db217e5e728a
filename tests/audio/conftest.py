"""A recording, and a file of it in each family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio.programs import write

FRAME = 0.08
"""Seconds of the longest frame of MP3, ADTS and AMR here."""
FAMILIES: dict[str, tuple[str, str, float]] = {
    "wav": ("ffmpeg", "-f wav", 0),
    "wav a-law": ("ffmpeg", "-c:a pcm_alaw -f wav", 0),
    "wav ima": ("ffmpeg", "-c:a adpcm_ima_wav -f wav", 0),
    "wav gsm": ("sox", "-t wav -r 8000 -e gsm-full-rate", 0),
    "wav mp3": ("ffmpeg", "-c:a libmp3lame -f wav", FRAME),
    "rf64": ("ffmpeg", "-f wav -rf64 always", 0),
    "w64": ("ffmpeg", "-f w64", 0),
    "aiff": ("sox", "-t aiff", 0),
    "au": ("sox", "-t au", 0),
    "caf": ("ffmpeg", "-f caf", 0),
    "nist": ("sox", "-t sph", 0),
    "flac": ("ffmpeg", "-f flac", 0),
    "flac of a pipe": ("ffmpeg pipe", "-f flac", 0),
    "vorbis": ("ffmpeg", "-c:a libvorbis -f ogg", 0),
    "opus": ("ffmpeg", "-f opus", 0),
    "flac in ogg": ("ffmpeg", "-c:a flac -f ogg", 0),
    "speex": ("ffmpeg", "-c:a libspeex -ar 32000 -f ogg", 0),
    "mp3": ("ffmpeg", "-q:a 4 -f mp3", 0),
    "mp3 constant": ("ffmpeg", "-b:a 48k -f mp3", 0),
    "mp3 without a count": ("ffmpeg", "-q:a 4 -write_xing 0 -f mp3", FRAME),
    "mp2": ("ffmpeg", "-f mp2", FRAME),
    "adts": ("ffmpeg", "-c:a aac -f adts", FRAME),
    "m4a": ("ffmpeg", "-c:a aac -f ipod", 0.25),
    "mp4 fast start": ("ffmpeg", "-c:a aac -movflags +faststart -f mp4", 0.25),
    "mp4 fragments": ("ffmpeg", "-c:a aac -movflags frag_keyframe+empty_moov -f mp4", 0.25),
    "3gp": ("ffmpeg", "-c:a aac -f 3gp", 0.25),
    "mov": ("ffmpeg", "-c:a pcm_s24le -f mov", 0.25),
    "matroska": ("ffmpeg", "-c:a aac -f matroska", 0.25),
    "webm": ("ffmpeg", "-c:a libopus -f webm", 0.25),
    "webm of 16 kHz": ("ffmpeg", "-ar 16000 -c:a libopus -f webm", 0.25),
    "webm of short frames": ("ffmpeg", "-ar 24000 -c:a libopus -frame_duration 2.5 -f webm", 0.25),
    "webm of a pipe": ("ffmpeg pipe", "-c:a libopus -f webm", 0.25),
    "asf": ("ffmpeg", "-c:a wmav2 -f asf", 0.25),
    "avi": ("ffmpeg", "-c:a libmp3lame -f avi", 0.25),
}
LIBSNDFILE = list(FAMILIES)[:21]


@pytest.fixture(scope="session")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds, now loud, now soft, so that variable bit rates vary."""
    loud = np.repeat([0.5, 0.001] * 4, 8000)
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, len(loud)) * loud, 16000, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def made(voice: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files that are made already."""
    return {"": voice, "folder": tmp_path_factory.mktemp("families")}


@pytest.fixture
def file(made: dict[str, Path], name: str) -> Path:
    """A file of the family `name`."""
    if name not in LIBSNDFILE or name in ("speex", "flac in ogg"):  # not every libsndfile reads these
        pytest.importorskip("av", reason="PyAV is not installed")
    if name not in made:
        kind, options, _ = FAMILIES[name]
        program, *pipe = kind.split()
        source = ["-i", made[""]] if program == "ffmpeg" else [made[""]]
        path = made["folder"] / name
        made[name] = write(program, path, *source, *options.split(), pipe=bool(pipe))
    return made[name]

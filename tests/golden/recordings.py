"""The recordings that the golden numbers are of, made of `tests/data/speech.wav`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile


def write_recordings(speech: Path, folder: Path) -> dict[str, Path]:
    """Write recordings of 3 s on which a front end could differ from DisVoice's; their paths by what they are."""
    samples, rate = soundfile.read(speech, dtype="int16")
    samples = samples[16000:64000]
    silence = samples.copy()
    silence[20000:32000] = 0
    centred = silence.astype(np.int32)
    loud = np.flatnonzero(np.abs(centred) > 1000)
    while excess := int(centred.sum()):
        centred[loud[: abs(excess)]] -= np.sign(excess)
    stereo = np.stack([samples, np.roll(samples, 500)], axis=1)
    written = {
        "as it is": (samples, rate, "PCM_16"),
        "digital silence that the mean moves": (silence, rate, "PCM_16"),
        "digital silence that stays zero": (centred.astype(np.int16), rate, "PCM_16"),
        "an offset": (samples // 2 + np.int16(1500), rate, "PCM_16"),
        "two channels at 22.05 kHz": (stereo, 22050, "PCM_16"),
        "eight bits": (samples / 2.0**15, rate, "PCM_U8"),
        "32 bits": (samples / 2.0**15 * 0.7, rate, "PCM_32"),
        "floats": ((samples / 2.0**15 * 0.3).astype(np.float32), rate, "FLOAT"),
        "floats at 8 kHz": ((samples[::2] / 2.0**15).astype(np.float32), 8000, "FLOAT"),
    }
    paths = {}
    for number, (name, (signal, at, subtype)) in enumerate(written.items()):
        paths[name] = folder / f"{number}.wav"
        soundfile.write(paths[name], signal, at, subtype=subtype)
    return paths

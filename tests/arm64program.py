"""What runs on the emulated machine: python arm64program.py SITE RUNTIME SPEECH OUT MODEL...

Frames of every model folder go to OUT (npz), and what was found on the way to standard output, as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
from pathlib import Path

site, runtime, speech, out, *models = sys.argv[1:]
sys.path[:0] = [runtime, site]

import numpy as np  # noqa: E402
import soundfile  # noqa: E402

import edgevoice  # noqa: E402
from edgevoice.providers import PROVIDERS  # noqa: E402

# Fewer windows together than usual: the trial of all sizes of batches is most of what costs time here.
PROVIDERS["cpu"] = dataclasses.replace(PROVIDERS["cpu"], batch=3)

assert platform.machine() == "aarch64"
samples, rate = soundfile.read(speech, dtype="float32")
rng = np.random.default_rng(5)
frames, found = {}, {}
for path in models:
    name = Path(path).name
    extractor = edgevoice.load(path)
    windows = 4 if extractor.config.audio.hop < extractor.config.audio.window else 1
    span = extractor.config.audio.window + (windows - 1) * extractor.config.audio.hop
    heard = samples[: span * rate // extractor.config.audio.rate + 400]  # the resampler's edge
    frames[name] = offline = extractor.extract((heard, rate), jobs=1).values
    stream, live, at = extractor.stream(rate), [], 0
    while at < len(heard):
        size = int(rng.integers(1, 9000))
        live.append(stream.push(heard[at : at + size]).values)
        at += size
    live.append(stream.finish().values)
    together = np.concatenate(live)
    found[name] = {"batches": extractor.batches, "same bits": together.tobytes() == offline.tobytes()}
np.savez(out, **frames)
print(json.dumps(found))

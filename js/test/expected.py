"""The frames that `Stream` makes of float32 samples on standard input: one line of JSON, then float32 values."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

import edgevoice

model, losses = sys.argv[1], json.loads(sys.argv[2])
samples = np.frombuffer(sys.stdin.buffer.read(), np.float32)
extractor = edgevoice.load(model)
stream, frames, first = extractor.stream(), [], 0
for lost, count in losses:
    frames += [*stream.skip(lost), *stream.push(samples[first : first + count])]
    first += count
told: dict[str, Any] = {
    name: [getattr(frame, name) for frame in frames] for name in ("index", "position", "silent", "gap", "loudness")
}
told["lost"] = stream.lost
told["json"] = frames[-1].to_dict()
told["names"] = frames[-1].layout.functional_names
groups = [np.stack([getattr(frame, group) for frame in frames]) for group in ("bottleneck", "error")]
told["functionals"] = np.concatenate([edgevoice.functionals(group) for group in groups]).tolist()
sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
sys.stdout.buffer.write(np.array([frame.values for frame in frames], np.float32).tobytes())

"""Listens for a long time, and prints what became of it as JSON. Arguments: model, seconds."""

from __future__ import annotations

import json
import sys
import time

import numpy as np

import edgevoice
from edgevoice import Microphone


def resident() -> float:
    """Memory of this process in use, in MiB."""
    with open("/proc/self/status") as status:  # noqa: PTH123
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def main() -> None:
    extractor, seconds = edgevoice.load(sys.argv[1]), float(sys.argv[2])
    # Made beforehand: what is measured must not grow by the measuring.
    memory = np.zeros((round(seconds * 5) + 100, 2))
    count = 0
    last = -1
    started, cpu = time.monotonic(), time.process_time()
    with Microphone(extractor, reopen=True, seconds=seconds) as microphone:
        print("ready", flush=True)
        for frame in microphone:
            assert frame.index > last
            assert np.isfinite(frame.values).all()
            last = frame.index
            memory[count] = time.monotonic() - started, resident()
            count += 1
    elapsed = time.monotonic() - started
    settled = memory[count // 2 : count]
    summary = microphone.summary()
    result = {
        "elapsed": elapsed,
        "expected": (round(seconds * microphone.rate) - 8000) // 4000 + 1,
        "memory_mib": memory[: count : max(1, count // 10), 1].tolist(),
        "memory_slope_mib_per_hour": 3600 * float(np.polyfit(*settled.T, 1)[0]),
        "cpu": (time.process_time() - cpu) / elapsed,
        **summary.to_dict(),
    }
    print(json.dumps(result))


main()

"""The cost of a live microphone in addition to the computation: CPU time of capturing and of live frames.

    python -m benchmarks.microphone_cost --model cae-256 --seconds 60 --output benchmarks/results/microphone_cost.json

Needs an input device; its content does not matter. Each measurement is a process of its own and reads the CPU time of
all its threads over the time given, once it has settled:

- capture: PortAudio and a callback that does nothing, for blocks of 10, 25 and 50 ms (EdgeVoice's own);
- computing: windows one by one, as a stream gets them live, as fast as they go;
- live: a `Microphone` whose frames are read as they come.

`overhead` is live / (2 computing + capture of the same block): at most 1 is the aim.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

import edgevoice
from benchmarks.measuring import in_process, show
from edgevoice.bench.machine import PACKAGES, Machine

SETTLE = 2.0
RATE = 16000
BLOCKS = (160, 400, 800)


def share(seconds: float, work: Callable[[float], object]) -> float:
    """Share of a core that `work` uses until a time."""
    started, cpu = time.monotonic(), time.process_time()
    work(started + seconds)
    return (time.process_time() - cpu) / (time.monotonic() - started)


def capture(seconds: float, block: int) -> dict[str, float]:
    """Share of a core that a raw stream uses, and how regular its blocks are."""
    import sounddevice

    arrived: list[float] = []
    form = {"samplerate": RATE, "blocksize": block, "channels": 1, "dtype": "int16", "latency": "low"}
    with sounddevice.RawInputStream(callback=lambda *_: None, **form):
        time.sleep(SETTLE)
        cpu = share(seconds, lambda moment: time.sleep(moment - time.monotonic()))
    with sounddevice.RawInputStream(callback=lambda *_: arrived.append(time.monotonic()), **form):
        time.sleep(SETTLE + 5)
    late = np.diff(arrived[round(SETTLE * RATE / block) :]) - block / RATE
    return {"cpu": cpu, "block_ms": 1e3 * block / RATE, "unevenness_p99_ms": 1e3 * float(np.percentile(np.abs(late), 99))}


def computing(seconds: float, model: str) -> dict[str, float]:
    """CPU time of a window, and the share of a core for as many windows per second as there are live."""
    extractor = edgevoice.load(model)
    audio = extractor.config.audio
    noise = np.random.default_rng(0).integers(-3000, 3000, audio.window).astype(np.int16)
    stream = extractor.stream()
    stream.push(noise)
    windows = 0
    started, cpu = time.monotonic(), time.process_time()
    while time.monotonic() - started < seconds:
        windows += len(stream.push(noise[: audio.hop]))
        # At the pace of speech the caches have forgotten the window before: so let them forget it here.
        time.sleep(0.02)
    each = (time.process_time() - cpu) / windows
    return {"cpu": each * audio.rate / audio.hop, "cpu_ms_a_window": 1e3 * each}


def live(seconds: float, model: str) -> dict[str, float]:
    """Share of a core that live frames use."""
    with edgevoice.Microphone(edgevoice.load(model)) as microphone:

        def listen(moment: float) -> None:
            while time.monotonic() < moment:
                microphone.read()

        listen(time.monotonic() + SETTLE)
        cpu = share(seconds, listen)
        summary = microphone.summary()
    assert summary.latency is not None
    return {"cpu": cpu, "load": summary.load, "latency_p50_ms": 1e3 * summary.latency.p50}


def main() -> None:
    """Make all measurements, or those named by `--only`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cae-256")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement")
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--only", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    seconds, model = options.seconds, options.model
    if options.only:
        name, *block = options.only
        made = {"computing": computing, "live": live}
        print(json.dumps(capture(seconds, int(block[0])) if block else made[name](seconds, model)))
        return
    words = ["microphone_cost", "--seconds", seconds, "--model", model, "--only"]
    captures = {str(block): in_process(*words, "capture", block) for block in BLOCKS}
    alone, together = in_process(*words, "computing"), in_process(*words, "live")
    found = {
        "model": model,
        "seconds": seconds,
        "machine": asdict(Machine.this((*PACKAGES, "sounddevice"))),
        "capture": captures,
        "computing": alone,
        "live": together,
        "overhead": together["cpu"] / (2 * alone["cpu"] + captures[str(BLOCKS[-1])]["cpu"]),
    }
    show(found, options.output)


if __name__ == "__main__":
    main()

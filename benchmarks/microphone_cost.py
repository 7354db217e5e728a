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
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import edgevoice
from edgevoice.bench.machine import PACKAGES, Machine

SETTLE = 2.0
RATE = 16000
BLOCKS = (160, 400, 800)


def share(seconds: float, work: Callable[[float], object]) -> float:
    """Share of a core that `work` uses until a time."""
    started, cpu = time.monotonic(), time.process_time()
    work(started + seconds)
    return (time.process_time() - cpu) / (time.monotonic() - started)


def sleep_until(moment: float) -> None:
    """Do nothing."""
    time.sleep(max(0.0, moment - time.monotonic()))


def capture(seconds: float, block: int) -> dict[str, float]:
    """Share of a core that a raw stream uses, and how regular its blocks are."""
    import sounddevice

    arrived: list[float] = []

    def nothing(*_: object) -> None:
        pass

    def note(*_: object) -> None:
        arrived.append(time.monotonic())

    form = {"samplerate": RATE, "blocksize": block, "channels": 1, "dtype": "int16", "latency": "low"}
    with sounddevice.RawInputStream(callback=nothing, **form):
        time.sleep(SETTLE)
        cpu = share(seconds, sleep_until)
    with sounddevice.RawInputStream(callback=note, **form):
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


def measured(seconds: float, model: str, *arguments: str) -> dict[str, float]:
    """Make one measurement in a new process."""
    command = [sys.executable, "-m", "benchmarks.microphone_cost", "--seconds", str(seconds), "--model", model, "--only"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    """Make all measurements, or those named by `--only`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cae-256")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement")
    parser.add_argument("--output", type=Path, help="JSON file (default: standard output)")
    parser.add_argument("--only", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        name, *more = arguments.only
        if name == "capture":
            result = capture(arguments.seconds, int(more[0]))
        else:
            result = {"computing": computing, "live": live}[name](arguments.seconds, arguments.model)
        print(json.dumps(result))
        return
    seconds, model = arguments.seconds, arguments.model
    captures = {str(block): measured(seconds, model, "capture", str(block)) for block in BLOCKS}
    alone, together = measured(seconds, model, "computing"), measured(seconds, model, "live")
    report = {
        "model": model,
        "seconds": seconds,
        "machine": Machine.this((*PACKAGES, "sounddevice")).to_dict(),
        "capture": captures,
        "computing": alone,
        "live": together,
        "overhead": together["cpu"] / (2 * alone["cpu"] + captures[str(BLOCKS[-1])]["cpu"]),
    }
    text = json.dumps(report, indent=1) + "\n"
    if arguments.output is None:
        print(text, end="")
    else:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

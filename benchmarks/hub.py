"""The cost of a hub, and the delay of its frames: many clients at 16 kHz in blocks of 20 ms, in real time.

    python -m benchmarks.hub --clients 25 50 100 --output benchmarks/results/hub.json

Three processes, in turns and several times over: a hub whose clients begin spread evenly over a hop; a hub whose clients
all begin at once; and, instead of a hub, a stream per client, each pushed to in a thread of asyncio's pool. The delay of a
frame is the time from the end of the block that completes its window, as it would be spoken, to the frame's arrival. CPU is
that of the whole process, clients and all, in cores. Each figure is the median of the turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgevoice
from edgevoice.bench.machine import PACKAGES, Machine

RATE, BLOCK = 16_000, 320
KINDS = ("spread", "at once", "a stream per client")


async def blocks(samples: NDArray[np.int16], begin: float) -> AsyncIterator[NDArray[np.int16]]:
    """Blocks of 20 ms, none before it would have been spoken; `begin` is the start by the loop's clock."""
    loop = asyncio.get_running_loop()
    for first in range(0, len(samples) - BLOCK + 1, BLOCK):
        await asyncio.sleep(max(0.0, begin + (first + BLOCK) / RATE - loop.time()))
        yield samples[first : first + BLOCK]


class Client:
    """Pushes a signal, and notes the delay of each frame."""

    def __init__(self, samples: NDArray[np.int16]) -> None:
        self.samples = samples
        self.delays: list[float] = []

    def _note(self, frame: edgevoice.Frame, begin: float) -> None:
        # From when it was spoken, not from when it was pushed: who pushes late would look early.
        completed = begin + -(-round(frame.end * RATE) // BLOCK) * BLOCK / RATE
        self.delays.append(asyncio.get_running_loop().time() - completed)

    async def through_hub(self, hub: edgevoice.Hub, begin: float) -> None:
        """Push to a source of a hub."""
        async with hub.source(RATE) as source:

            async def read() -> None:
                async for frame in source:
                    self._note(frame, begin)

            reading = asyncio.create_task(read())
            async for block in blocks(self.samples, begin):
                source.push(block)
            source.finish()
            await reading

    async def through_stream(self, stream: edgevoice.Stream, begin: float) -> None:
        """Push to a stream of its own."""
        async for block in blocks(self.samples, begin):
            for frame in await asyncio.to_thread(stream.push, block):
                self._note(frame, begin)


async def measure(kind: str, model: str, count: int, seconds: float) -> dict[str, Any]:
    """Delays and CPU time of one method."""
    extractor = edgevoice.load(model)
    hop = extractor.config.audio.hop / extractor.config.audio.rate
    random = np.random.default_rng(0)
    signals = random.normal(0, 1000, (count, round(seconds * RATE))).astype(np.int16)
    clients = [Client(samples) for samples in signals]
    expected = len(extractor.extract((signals[0], RATE))) * count
    begin = asyncio.get_running_loop().time() + 1.0

    def moment(place: int) -> float:
        return begin + (0.0 if kind == "at once" else place * hop / count)

    async def all_of(start: Callable[[Client, float], Awaitable[None]]) -> None:
        await asyncio.gather(*(start(client, moment(place)) for place, client in enumerate(clients)))

    started, cpu = time.monotonic(), time.process_time()
    if kind == "a stream per client":
        await all_of(lambda client, at: client.through_stream(extractor.stream(RATE), at))
    else:
        async with edgevoice.Hub(extractor) as hub:
            await all_of(lambda client, at: client.through_hub(hub, at))
    took, spent = time.monotonic() - started, time.process_time() - cpu
    delays = np.array([delay for client in clients for delay in client.delays]) * 1000
    percentiles = {"p50": 50, "p99": 99, "max": 100}
    return {
        "frames": len(delays),
        "expected": expected,
        "delay_ms": {name: round(float(np.percentile(delays, q)), 2) for name, q in percentiles.items()},
        "cpu": round(spent / took, 3),
    }


def main() -> None:
    """Run one method."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hub", description=__doc__)
    parser.add_argument("--model", default="cae-256")
    parser.add_argument("--clients", type=int, nargs="+", default=[100])
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--kind", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kind:
        print(json.dumps(asyncio.run(measure(options.kind, options.model, options.clients[0], options.seconds))))
        return
    content = {
        "model": options.model,
        "seconds": options.seconds,
        "turns": options.turns,
        "machine": Machine.this(PACKAGES).to_dict(),
        "runs": [_run(options, count) for count in options.clients],
    }
    text = json.dumps(content, indent=1) + "\n"
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    print(text, end="")


def _run(options: argparse.Namespace, count: int) -> dict[str, Any]:
    """The three methods with this number of clients, in turns."""
    command = [sys.executable, "-m", "benchmarks.hub", "--model", options.model]
    command += ["--clients", str(count), "--seconds", str(options.seconds), "--kind"]
    turns: list[dict[str, Any]] = []
    for _ in range(options.turns):
        done = {kind: subprocess.run([*command, kind], check=True, stdout=subprocess.PIPE).stdout for kind in KINDS}
        turns.append({kind: json.loads(text) for kind, text in done.items()})
    return {"clients": count, **{kind: _median([turn[kind] for turn in turns]) for kind in KINDS}}


def _median(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of delays and CPU times; the smallest number of frames."""
    delays = {name: float(np.median([turn["delay_ms"][name] for turn in turns])) for name in turns[0]["delay_ms"]}
    cpu = float(np.median([turn["cpu"] for turn in turns]))
    return {
        "frames": min(turn["frames"] for turn in turns),
        "expected": turns[0]["expected"],
        "delay_ms": delays,
        "cpu": cpu,
    }


if __name__ == "__main__":
    main()

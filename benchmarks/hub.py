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
import time
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edgevoice
from benchmarks.measuring import in_process, in_turns, show
from edgevoice.bench.machine import Machine

RATE, BLOCK = 16_000, 320
KINDS = ("spread", "at once", "a stream per client")


async def blocks(samples: NDArray[np.int16], begin: float) -> AsyncIterator[NDArray[np.int16]]:
    """Blocks of 20 ms, none before it would have been spoken; `begin` is the start by the loop's clock."""
    loop = asyncio.get_running_loop()
    for first in range(0, len(samples) - BLOCK + 1, BLOCK):
        await asyncio.sleep(max(0.0, begin + (first + BLOCK) / RATE - loop.time()))
        yield samples[first : first + BLOCK]


async def measure(kind: str, model: str, count: int, seconds: float) -> dict[str, Any]:
    """Delays and CPU time of one method."""
    extractor = edgevoice.load(model)
    hop = extractor.config.audio.hop / extractor.config.audio.rate
    random = np.random.default_rng(0)
    signals = random.normal(0, 1000, (count, round(seconds * RATE))).astype(np.int16)
    expected = len(extractor.extract((signals[0], RATE))) * count
    loop, delays = asyncio.get_running_loop(), list[float]()
    start = loop.time() + 1.0

    def note(frame: edgevoice.Frame, begin: float) -> None:
        # From when it was spoken, not from when it was pushed: who pushes late would look early.
        completed = begin + -(-round(frame.end * RATE) // BLOCK) * BLOCK / RATE
        delays.append(1000 * (loop.time() - completed))

    async def through_hub(hub: edgevoice.Hub, samples: NDArray[np.int16], begin: float) -> None:
        async with hub.source(RATE) as source:

            async def read() -> None:
                async for frame in source:
                    note(frame, begin)

            reading = asyncio.create_task(read())
            async for block in blocks(samples, begin):
                source.push(block)
            source.finish()
            await reading

    async def through_stream(samples: NDArray[np.int16], begin: float) -> None:
        stream = extractor.stream(RATE)
        async for block in blocks(samples, begin):
            for frame in await asyncio.to_thread(stream.push, block):
                note(frame, begin)

    started, cpu = time.monotonic(), time.process_time()
    async with nullcontext() if kind == "a stream per client" else edgevoice.Hub(extractor) as hub:
        client = partial(through_hub, hub) if hub else through_stream
        begins = [start + (0.0 if kind == "at once" else place * hop / count) for place in range(count)]
        await asyncio.gather(*map(client, signals, begins))
    took, spent = time.monotonic() - started, time.process_time() - cpu
    found = {"frames": len(delays), "expected": expected, "cpu": spent / took}
    return found | {name: float(np.percentile(delays, q)) for name, q in {"p50": 50, "p99": 99, "max": 100}.items()}


def run(model: str, count: int, seconds: float, turns: int) -> dict[str, Any]:
    """The three methods with this number of clients, in turns: medians, and the smallest number of frames."""
    words = ["hub", "--model", model, "--clients", count, "--seconds", seconds, "--kind"]
    found: dict[str, Any] = {"clients": count}
    for kind, rows in in_turns({kind: partial(in_process, *words, kind) for kind in KINDS}, turns).items():
        median = {name: round(float(np.median([row[name] for row in rows])), 3) for name in rows[0]}
        cpu, expected = median.pop("cpu"), rows[0]["expected"]
        frames = min(row["frames"] for row in rows)
        delays = {name: median[name] for name in ("p50", "p99", "max")}
        found[kind] = {"frames": frames, "expected": expected, "delay_ms": delays, "cpu": cpu}
    return found


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
    model, seconds = options.model, options.seconds
    if options.kind:
        print(json.dumps(asyncio.run(measure(options.kind, model, options.clients[0], seconds))))
        return
    head = {"model": model, "seconds": seconds, "turns": options.turns, "machine": asdict(Machine.this())}
    show(head | {"runs": [run(model, count, seconds, options.turns) for count in options.clients]}, options.output)


if __name__ == "__main__":
    main()

"""What a hub carries by itself, and what the server carries over the wire, alone and beside attackers: clients in real time.

    python -m benchmarks.serve --model cae-256 cae-64 --seconds 600 --attackers 4 --output benchmarks/results/serve.json
    python -m benchmarks.serve --table benchmarks/results/serve.json docs/server.md

For each model, clients begin one after the other, each sends blocks of 40 ms at 16 kHz to the end: first to a hub in a
process of its own, until the server would refuse more; then to uvicorn, likewise in a process of its own, until it does.
The same rule ends both, with the time of their event loops, so that their ratio is that of the wire. All that the server
took stay. In the second half attackers join them: they send large messages as fast as they are taken, or single lost samples
without end, at the lowest priority, as the machines of attackers are their own. The delay of a frame is the time from the
end of the block that completes its window, as it would be spoken, to its arrival. Clients run on the same machine as the
server; CPU time and memory are the server's own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

import edgevoice
from benchmarks.speed_table import placed
from edgevoice.asgi import ADMITTED, carried
from edgevoice.bench.machine import PACKAGES, Machine
from edgevoice_export.publish.markdown import table

RATE, BLOCK = 16_000, 640
REFUSED = 3  # clients in a row that are refused when it is full
OPTIONS = (
    "--timeout-graceful-shutdown",
    "8",
    "--ws-max-size",
    "1048576",
    "--ws-per-message-deflate",
    "false",
    "--no-access-log",
    "--log-level",
    "warning",
)
ATTACKS: tuple[tuple[bytes | str, ...], ...] = ((bytes(1 << 20),), ('{"type": "lost", "count": 1}', b"\0\0"))
SOUND = np.random.default_rng(0).normal(0, 1000, 20 * RATE).astype("<i2").tobytes()


class Load:
    """Clients of a hub or of a server, and what happened to them."""

    def __init__(self, seconds: float, pause: float) -> None:
        self.end, self.pause = time.monotonic() + seconds, pause
        self.delays: list[tuple[float, float]] = []  # when a frame came, and its delay
        self.late: dict[object, float] = {}  # of each client, as the server reckons
        self.served, self.refused, self.ended_early, self.hop = 0, 0, 0, 0.25

    async def speak(self, send: Callable[[bytes], Awaitable[object]], begin: float) -> None:
        """Send blocks to the end, none before it would have been spoken."""
        block = 0
        while time.monotonic() < self.end:
            block += 1
            await asyncio.sleep(max(0.0, begin + block * BLOCK / RATE - time.monotonic()))
            at = 2 * BLOCK * block % (len(SOUND) - 2 * BLOCK)
            await send(SOUND[at : at + 2 * BLOCK])

    def note(self, client: object, end: float, begin: float) -> None:
        """A frame came."""
        delay = time.monotonic() - begin - -(-round(end * RATE) // BLOCK) * BLOCK / RATE
        self.delays.append((time.monotonic(), delay))
        self.late[client] = 0.8 * self.late.get(client, 0.0) + 0.2 * delay

    async def of_hub(self, hub: edgevoice.Hub) -> None:
        """One client of a hub."""
        self.served, begin = self.served + 1, time.monotonic()
        async with hub.source(RATE) as source, asyncio.TaskGroup() as tasks:

            async def listen() -> None:
                async for frame in source:
                    self.note(source, frame.end, begin)

            async def push(block: bytes) -> None:
                source.push(block)

            tasks.create_task(listen())
            await self.speak(push, begin)
            source.finish()

    async def of_server(self, address: str) -> None:
        """One client of a server."""
        async with connect(address, compression=None, open_timeout=60) as socket:
            await socket.send(json.dumps({"type": "hello", "format": "binary"}))
            ready = json.loads(await socket.recv())
            if ready["type"] != "ready":
                self.refused += 1
                return
            self.served, self.hop, begin = self.served + 1, ready["hop"], time.monotonic()

            async def listen() -> None:
                with contextlib.suppress(ConnectionClosed):
                    async for message in socket:
                        if isinstance(message, bytes):
                            self.note(socket, json.loads(message.partition(b"\n")[0])["end"], begin)

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(listen())
                with contextlib.suppress(ConnectionClosed):
                    await self.speak(socket.send, begin)
                    await socket.send('{"type": "finish"}')
            self.ended_early += socket.close_code != 1000

    async def grow(self, client: Callable[[], Awaitable[None]], growing: float, *, stop: bool = False) -> None:
        """Begin clients one after the other, the more there are the faster, until several in a row are refused.

        A second lies between those, so that a moment's noise does not count. All go on to the end, or stop then.
        """
        end, in_a_row = time.monotonic() + growing, 0
        async with asyncio.TaskGroup() as tasks:
            while in_a_row < REFUSED and time.monotonic() < end:
                before = self.refused
                tasks.create_task(client())  # type: ignore[arg-type]
                await asyncio.sleep(self.pause / (1 + self.served / 100))
                in_a_row = in_a_row + 1 if self.refused > before else 0
                await asyncio.sleep(1.0 if in_a_row else 0.0)
            if stop:
                self.end = time.monotonic()

    def percentiles(self, since: float = 0.0, until: float = float("inf")) -> dict[str, float]:
        """The delays of a time, and the share of those beyond a hop."""
        delays = np.array([delay for at, delay in self.delays if since <= at < until] or [0.0])
        found = {f"{name}_ms": float(np.percentile(delays, q)) * 1000 for name, q in {"p50": 50, "p99": 99}.items()}
        return {
            "frames": len(delays),
            **{name: round(x, 1) for name, x in found.items()},
            "late_share": round(float((delays > self.hop).mean()), 5),
        }


def hub_alone(model: str, seconds: float, pause: float) -> dict[str, Any]:
    """How many clients a hub carries in this process."""

    async def run() -> dict[str, Any]:
        extractor = edgevoice.load(model)
        async with edgevoice.Hub(extractor) as hub:
            load = Load(seconds, pause)
            load.hop = extractor.config.audio.hop / extractor.config.audio.rate
            then, used, busy = time.monotonic(), time.thread_time(), 0.0

            def full() -> bool:
                nonlocal then, used, busy
                now, computed = time.monotonic(), time.thread_time()
                busy += min(1.0, now - then) * ((computed - used) / (now - then) - busy)  # of the event loop, over a second
                then, used = now, computed
                late = statistics.median_low([*load.late.values()] or [0.0]) > ADMITTED * load.hop
                return late or load.served >= carried(extractor, hub.window_time, busy)

            async def client() -> None:
                if full():
                    load.refused += 1
                else:
                    await load.of_hub(hub)

            await load.grow(client, seconds, stop=True)
            return {"clients": load.served, **load.percentiles()}

    return uvloop.run(run())


def attack(address: str, count: int, seconds: float) -> None:
    """So many attackers, of each kind in turn; who is refused connects again."""

    async def attacker(messages: tuple[bytes | str, ...], end: float) -> None:
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(ConnectionClosed, TimeoutError, OSError):
                async with asyncio.timeout(left), connect(address, compression=None, close_timeout=1) as socket:
                    await socket.send('{"type": "hello", "rate": 8000, "descriptors": "none"}')
                    while True:
                        for message in messages:
                            await socket.send(message)
                        await asyncio.sleep(0)  # the others have their turn
            await asyncio.sleep(0.1)

    async def run() -> None:
        end = time.monotonic() + seconds
        await asyncio.gather(*(attacker(ATTACKS[k % len(ATTACKS)], end) for k in range(count)))

    os.nice(19)
    uvloop.run(run())


def metrics(port: int) -> dict[str, float]:
    """What the server says of itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as response:
        found = re.findall(r"^(\w+) (\S+)$", response.read().decode(), re.MULTILINE)
    return {name: float(value) for name, value in found}


async def over_the_wire(port: int, options: argparse.Namespace) -> dict[str, Any]:
    """Clients until one is refused, attackers in the second half."""
    half, address = options.seconds / 2, f"ws://127.0.0.1:{port}/stream"
    load, before = Load(options.seconds, options.pause), metrics(port)
    begun = time.monotonic()
    attackers = multiprocessing.get_context("spawn").Process(target=attack, args=(address, options.attackers, half))
    growing = asyncio.create_task(load.grow(lambda: load.of_server(address), 0.8 * half))
    await asyncio.sleep(half)
    middle = await asyncio.to_thread(metrics, port)
    attackers.start()
    await growing
    after, name = metrics(port), "process_resident_memory_bytes"
    attackers.join()
    return {
        "clients": load.served,
        "refused": load.refused,
        "ended_early": load.ended_early,
        "alone": load.percentiles(until=begun + half),
        "attacked": load.percentiles(since=begun + half),
        "cores": round((middle["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]) / half, 2),
        "cores_attacked": round((after["process_cpu_seconds_total"] - middle["process_cpu_seconds_total"]) / half, 2),
        "grew_mb": round((middle[name] - before[name]) / 1e6, 1),
        "grew_attacked_mb": round((after[name] - middle[name]) / 1e6, 1),
    }


def measure(model: str, options: argparse.Namespace) -> dict[str, Any]:
    """One model: the hub by itself, then the server."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        alone = pool.submit(hub_alone, model, 0.4 * options.seconds, options.pause).result()
    command = [sys.executable, "-m", "uvicorn", "edgevoice.asgi:app", "--port", str(options.port), *OPTIONS]
    with subprocess.Popen(command, env={**os.environ, "EDGEVOICE_MODEL": model}) as server:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError):
                    metrics(options.port)
                    break
                time.sleep(0.1)
            served = uvloop.run(over_the_wire(options.port, options))
        finally:
            server.terminate()
    ratio = round(served["clients"] / alone["clients"], 2)
    print(
        f"{model}: the hub by itself carries {alone['clients']} clients; the server took {served['clients']}, "
        f"{ratio:.0%} of them; 99 % of their frames within {served['alone']['p99_ms']:.0f} ms, "
        f"beside {options.attackers} attackers within {served['attacked']['p99_ms']:.0f} ms",
        file=sys.stderr,
    )
    return {"model": model, "seconds": options.seconds, "hub": alone, "server": served, "ratio": ratio}


def section(found: dict[str, Any]) -> str:
    """Markdown: how many clients each model lets a core carry."""
    machine = found["machine"]
    cores = machine["cores"]
    introduction = (
        f"On {cores} cores ({machine['processor']}), clients included, {found['attackers']} attackers in the second half "
        "of the time:"
    )
    header = ("model", "seconds", "hub by itself", "server", "server, a core", "99 % within, ms", "beside attackers, ms")
    rows = []
    for run in found["runs"]:
        served = run["server"]
        p99 = [f"{served[when]['p99_ms']:.0f}" for when in ("alone", "attacked")]
        clients = (
            str(run["hub"]["clients"]),
            f"{served['clients']} ({run['ratio']:.0%})",
            f"{served['clients'] / cores:.0f}",
        )
        rows.append((f"`{run['model']}`", f"{run['seconds']:g}", *clients, *p99))
    return f"{fill(introduction, 120)}\n\n{table(header, rows, 'lrrrrrr')}"


def main() -> None:
    """Measure, and print JSON; or put the table of a measurement into a page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve", description=__doc__)
    parser.add_argument("--model", nargs="+", default=["cae-256"])
    parser.add_argument("--seconds", type=float, default=600.0, help="of each model over the wire")
    parser.add_argument("--pause", type=float, default=0.33, help="seconds between the first clients' beginnings")
    parser.add_argument("--attackers", type=int, default=0)
    parser.add_argument("--port", type=int, default=8700)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--table", type=Path, nargs=2, metavar=("JSON", "PAGE"))
    options = parser.parse_args()
    if options.table:
        path, page = options.table
        shown = section(json.loads(path.read_text(encoding="utf-8")))
        text = placed(page.read_text(encoding="utf-8"), "servers", shown, "serve")
        page.write_text(text, encoding="utf-8")
        return
    settings = {name: getattr(options, name) for name in ("pause", "attackers")}
    machine = asdict(Machine.this(PACKAGES))
    found = {**settings, "machine": machine, "runs": [measure(model, options) for model in options.model]}
    text = json.dumps(found, indent=1) + "\n"
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()

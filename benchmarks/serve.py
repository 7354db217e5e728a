"""The server over the wire: clients in real time, more and more of them until it refuses, attackers beside them.

    python -m benchmarks.serve --seconds 600 --attackers 4 --output benchmarks/results/serve.json

The server is uvicorn in a process of its own, clients and attackers are in others on the same machine. Clients send blocks
of 40 ms at 16 kHz, one begins every `--pause` seconds, and each stays until the end. The delay of a frame is the time from
the end of the block that completes its window, as it would be spoken, to its arrival. An attacker sends large messages as
fast as they are taken, or single lost samples. CPU time and memory are the server's own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from edgevoice.bench.machine import PACKAGES, Machine

RATE, BLOCK = 16_000, 640
OPTIONS = ("--ws-max-size", "1048576", "--ws-per-message-deflate", "false", "--log-level", "warning")
ATTACKS: tuple[tuple[bytes | str, ...], ...] = ((bytes(1 << 20),), ('{"type": "lost", "count": 1}', b"\0\0"))


class Load:
    """Clients and attackers of a server, and what happened to them."""

    def __init__(self, address: str, sound: bytes) -> None:
        self.address, self.sound = address, sound
        self.delays: list[float] = []
        self.served, self.refused, self.ended = 0, 0, 0

    async def client(self, end: float) -> None:
        """Speak until the end."""
        loop = asyncio.get_running_loop()
        async with connect(self.address, compression=None, open_timeout=60) as socket:
            await socket.send(json.dumps({"type": "hello", "format": "binary"}))
            if json.loads(await socket.recv())["type"] != "ready":
                self.refused += 1
                return
            self.served += 1
            begin = loop.time()

            async def listen() -> None:
                async for message in socket:
                    if isinstance(message, bytes):
                        frame = json.loads(message.partition(b"\n")[0])
                        spoken = -(-round(frame["end"] * RATE) // BLOCK) * BLOCK / RATE
                        self.delays.append(loop.time() - begin - spoken)

            listening, block = asyncio.create_task(listen()), 0
            with contextlib.suppress(ConnectionClosed):
                while loop.time() < end:
                    block += 1
                    await asyncio.sleep(max(0.0, begin + block * BLOCK / RATE - loop.time()))
                    at = 2 * BLOCK * block % (len(self.sound) - 2 * BLOCK)
                    await socket.send(self.sound[at : at + 2 * BLOCK])
                await socket.send('{"type": "finish"}')
            with contextlib.suppress(ConnectionClosed):
                await listening
            self.ended += socket.close_code != 1000

    async def attacker(self, messages: tuple[bytes | str, ...], end: float) -> None:
        """Send these again and again, and connect again where it is refused."""
        while (left := end - asyncio.get_running_loop().time()) > 0:
            with contextlib.suppress(ConnectionClosed, TimeoutError, OSError):
                async with asyncio.timeout(left), connect(self.address, compression=None, close_timeout=1) as socket:
                    await socket.send('{"type": "hello", "rate": 8000, "descriptors": "none"}')
                    while True:
                        for message in messages:
                            await socket.send(message)
            await asyncio.sleep(0.1)

    async def clients(self, seconds: float, pause: float) -> None:
        """One after the other until one is refused, and all until the end."""
        end = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as tasks:
            while not self.refused and asyncio.get_running_loop().time() < end - 2:
                tasks.create_task(self.client(end))
                await asyncio.sleep(pause)

    async def attackers(self, seconds: float, count: int) -> None:
        """As many of them, of each kind in turn."""
        end = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(*(self.attacker(ATTACKS[k % len(ATTACKS)], end) for k in range(count)))


def metrics(port: int) -> dict[str, float]:
    """What the server says of itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as response:
        found = re.findall(r"^(\w+) (\S+)$", response.read().decode(), re.MULTILINE)
    return {name: float(value) for name, value in found}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One run."""
    command = [sys.executable, "-m", "uvicorn", "edgevoice.asgi:app", "--port", str(options.port), *OPTIONS]
    with subprocess.Popen(command, env={**os.environ, "EDGEVOICE_MODEL": options.model}) as server:
        try:
            before = None
            while before is None:
                with contextlib.suppress(OSError):
                    before = metrics(options.port)
            sound = np.random.default_rng(0).normal(0, 1000, 20 * RATE).astype("<i2").tobytes()
            load = Load(f"ws://127.0.0.1:{options.port}/stream", sound)
            attack = multiprocessing.Process(
                target=lambda: asyncio.run(load.attackers(options.seconds, options.attackers)), daemon=True
            )
            attack.start()
            asyncio.run(load.clients(options.seconds, options.pause))
            after = metrics(options.port)
        finally:
            server.terminate()
    delays = np.array(load.delays) * 1000
    return {
        "clients": load.served,
        "refused": load.refused,
        "ended_early": load.ended,
        "frames": len(delays),
        "delay_ms": {
            name: round(float(np.percentile(delays, q)), 1) for name, q in {"p50": 50, "p99": 99, "max": 100}.items()
        },
        "late_share": round(float((delays > 250).mean()), 5),
        "server_cores": round(
            (after["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]) / options.seconds, 2
        ),
        "server_grew_mb": round((after["process_resident_memory_bytes"] - before["process_resident_memory_bytes"]) / 1e6, 1),
    }


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve", description=__doc__)
    parser.add_argument("--model", default="cae-256")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--pause", type=float, default=0.33, help="seconds between two clients' beginnings")
    parser.add_argument("--attackers", type=int, default=0)
    parser.add_argument("--port", type=int, default=8700)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    settings = {name: getattr(options, name) for name in ("model", "seconds", "pause", "attackers")}
    text = json.dumps({**settings, "machine": Machine.this(PACKAGES).to_dict(), "result": measure(options)}, indent=1) + "\n"
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()

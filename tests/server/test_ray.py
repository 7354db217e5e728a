"""The application on Ray Serve: replicas that are killed, added and taken away while clients are served."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import runpy
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server import proxied
from server.conftest import TOKEN
from server.test_operation import SECOND
from server.test_protocol import FINISH, HELLO, converse, read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("default")]
Deploy = Callable[..., str]
BURST = 3 * SECOND  # each second: sound that comes faster than in real time is not late on a busy machine


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("token") / "token"
    path.write_text(TOKEN)
    return path


@pytest.fixture(scope="module")
def deploy(root: Path, tiny_model: Path, token: Path) -> Iterator[Deploy]:
    """Deploy the example with this scaling; its address."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'ray[serve]'")
    from ray import serve

    variables = {"EDGEVOICE_MODEL": str(tiny_model), "EDGEVOICE_TOKEN_FILE": str(token), "EDGEVOICE_CLIENTS": "50"}
    ray.init(num_cpus=2, include_dashboard=False, runtime_env={"env_vars": variables})
    port = proxied.free_port()
    serve.start(http_options={"port": port})
    deployment = runpy.run_path(str(root / "examples" / "ray_serve.py"))["Server"]

    def deployed(**scaling: Any) -> str:
        serve.run(deployment.options(autoscaling_config=scaling, ray_actor_options={"num_cpus": 0.5}).bind())
        return f"ws://127.0.0.1:{port}/stream"

    yield deployed
    serve.shutdown()
    ray.shutdown()


async def steady(address: str, seconds: int, begun: asyncio.Event) -> tuple[int, int]:
    """A client that connects again where its connection breaks: how many frames it got, how often it was lost."""
    frames, lost, sent = 0, -1, 0
    while sent < seconds:
        messages: list[Any] = []
        with contextlib.suppress(ConnectionClosed, InvalidStatus, OSError):
            async with connect(address) as socket:
                await socket.send(json.dumps({**HELLO, "descriptors": "none"}))
                reading = asyncio.create_task(read(socket))
                try:
                    while sent < seconds:
                        await socket.send(BURST)
                        await asyncio.sleep(1)
                        sent += 1
                        if sent > 2:
                            begun.set()
                    await socket.send(FINISH)
                finally:
                    messages = await asyncio.wait_for(reading, 30)
        frames += sum(message["type"] == "frame" for message in messages)
        lost += 1
        await asyncio.sleep(0.5)
    return frames, lost


def test_clients_of_a_killed_replica_connect_again_and_go_on(deploy: Deploy, token: Path) -> None:
    address, replicas = deploy(min_replicas=2, max_replicas=2), []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            ours = f"EDGEVOICE_TOKEN_FILE={token}".encode() in (process / "environ").read_bytes().split(b"\0")
            if ours and b"ServeReplica" in (process / "cmdline").read_bytes():
                replicas.append(int(process.name))

    async def program() -> list[tuple[int, int]]:
        begun = asyncio.Event()
        clients = [asyncio.create_task(steady(address, 15, begun)) for _ in range(6)]
        await asyncio.wait_for(begun.wait(), 60)
        os.kill(replicas[0], signal.SIGKILL)
        return await asyncio.gather(*clients)

    found = asyncio.run(asyncio.wait_for(program(), 120))
    lost = [count for _, count in found]
    assert max(lost) > 0, found  # whose replica was killed
    assert min(lost) == 0, found  # whose replica was not: nothing happened to them
    for frames, count in found:
        assert frames >= 15 * 12 - 1 - 25 * count, found  # two bursts are lost with a connection, no more
    messages, code, _ = asyncio.run(converse(address, token="guess"))
    assert (messages[0]["code"], code) == ("token", 1008)


async def follow(address: str, end: asyncio.Event) -> tuple[int, int, int | None]:
    """A client until the event: bursts that it sent, frames that it got, the closing code."""
    async with connect(address) as socket:
        await socket.send(json.dumps({**HELLO, "descriptors": "none"}))
        reading, sent = asyncio.create_task(read(socket)), 0
        while not end.is_set():
            await socket.send(BURST)
            sent += 1
            await asyncio.sleep(1)
        await socket.send(FINISH)
        messages = await asyncio.wait_for(reading, 60)
        return sent, sum(message["type"] == "frame" for message in messages), socket.close_code


def test_replicas_come_and_go_with_the_clients_and_no_frame_is_lost(deploy: Deploy) -> None:
    """Draining, twice: a replica that is not needed any more, and then all of them, end what they serve first."""
    from ray import serve

    delays = {"upscale_delay_s": 1, "downscale_delay_s": 1, "look_back_period_s": 2, "metrics_interval_s": 1}
    address = deploy(min_replicas=1, max_replicas=2, initial_replicas=1, target_ongoing_requests=2, **delays)

    def running() -> int:
        deployments = serve.status().applications["default"].deployments
        return int(deployments["Server"].replica_states.get("RUNNING", 0)) if "Server" in deployments else 0

    async def until(count: int) -> None:
        while await asyncio.to_thread(running) != count:
            await asyncio.sleep(0.5)

    async def program() -> list[tuple[int, int, int | None]]:
        most, last = asyncio.Event(), asyncio.Event()
        clients = []
        for event in (most, most, last, most, most, last):
            clients.append(asyncio.create_task(follow(address, event)))
            await asyncio.sleep(0.5)
        await asyncio.wait_for(until(2), 120)
        clients += [asyncio.create_task(follow(address, last)) for _ in range(2)]
        most.set()
        await asyncio.sleep(15)  # a replica is taken away, or waits for its clients
        ending = asyncio.create_task(asyncio.to_thread(serve.delete, "default", _blocking=False))
        await asyncio.sleep(5)
        last.set()
        found = await asyncio.gather(*clients)
        await ending
        return found

    for sent, frames, code in asyncio.run(asyncio.wait_for(program(), 300)):
        assert (frames, code) == (12 * sent - 1, 1000)

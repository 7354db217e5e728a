"""The application on Ray Serve: two replicas, one of them killed while clients are served."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import runpy
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server import proxied
from server.conftest import TOKEN
from server.test_operation import SECOND
from server.test_protocol import FINISH, HELLO, converse, read

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("token") / "token"
    path.write_text(TOKEN)
    return path


@pytest.fixture(scope="module")
def address(root: Path, tiny_model: Path, token: Path) -> Iterator[str]:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'ray[serve]'")
    from ray import serve

    variables = {"EDGEVOICE_MODEL": str(tiny_model), "EDGEVOICE_TOKEN_FILE": str(token), "EDGEVOICE_CLIENTS": "50"}
    ray.init(num_cpus=2, include_dashboard=False, runtime_env={"env_vars": variables})
    port = proxied.free_port()
    serve.start(http_options={"port": port})
    deployment = runpy.run_path(str(root / "examples" / "ray_serve.py"))["Server"]
    scaling = {"min_replicas": 2, "max_replicas": 2}
    options = {"num_cpus": 0.5}
    serve.run(deployment.options(autoscaling_config=scaling, ray_actor_options=options).bind())
    yield f"ws://127.0.0.1:{port}/stream"
    serve.shutdown()
    ray.shutdown()


async def steady(address: str, seconds: int, begun: asyncio.Event) -> tuple[int, int]:
    """A client that connects again where its connection breaks: how many frames it got, how often it connected."""
    frames, connections, sent = 0, 0, 0
    while sent < seconds:
        with contextlib.suppress(ConnectionClosed, InvalidStatus, OSError):
            async with connect(address) as socket:
                await socket.send(json.dumps({**HELLO, "descriptors": "none"}))
                assert json.loads(await socket.recv())["type"] == "ready"
                connections += 1
                reading = asyncio.create_task(read(socket))
                try:
                    while sent < seconds:
                        await socket.send(SECOND)
                        await asyncio.sleep(1)
                        sent += 1
                        if sent > 2:
                            begun.set()
                    await socket.send(FINISH)
                finally:
                    frames += sum(message["type"] == "frame" for message in await asyncio.wait_for(reading, 30))
        await asyncio.sleep(0.5)
    return frames, connections


def test_clients_of_a_killed_replica_connect_again_and_go_on(address: str, token: Path) -> None:
    replicas = []
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
    connections = [count for _, count in found]
    assert max(connections) > 1, found  # whose replica was killed
    assert min(connections) == 1, found  # whose replica was not: nothing happened to them
    for frames, count in found:
        assert frames >= 15 * 4 - 1 - 8 * (count - 1)  # a second or two are lost with a connection, no more


def test_it_is_the_same_protocol(address: str) -> None:
    messages, code, _ = asyncio.run(converse(address, SECOND, FINISH))
    assert (len(messages), code) == (5, 1000)
    messages, code, _ = asyncio.run(converse(address, token="guess"))
    assert (messages[0]["code"], code) == ("token", 1008)


def test_a_replica_that_goes_finishes_what_it_serves(address: str) -> None:
    """Draining: a deployment that is replaced takes no new clients, and answers those it has to their end."""
    from ray import serve

    async def program() -> tuple[list[Any], int | None]:
        async with connect(address) as socket:
            await socket.send(json.dumps({**HELLO, "descriptors": "none"}))
            assert json.loads(await socket.recv())["type"] == "ready"
            ending = asyncio.create_task(asyncio.to_thread(serve.delete, "default", _blocking=False))
            for _ in range(8):
                await socket.send(SECOND)
                await asyncio.sleep(1)
            await socket.send(FINISH)
            found = await asyncio.wait_for(read(socket), 30), socket.close_code
            await ending
            return found

    messages, code = asyncio.run(program())
    assert (len(messages), code) == (8 * 4 - 1 + 1, 1000)

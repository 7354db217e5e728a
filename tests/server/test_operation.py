"""What an operator relies on: settings, health, metrics, limits, the log, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

import edgevoice
from edgevoice import asgi
from edgevoice.errors import ArgumentError, ModelUseError
from edgevoice.protocol import Refusal
from server.conftest import TOKEN, Server
from server.test_protocol import FINISH, HELLO, converse, read

Start = Callable[..., AbstractContextManager[Server]]
SECOND = np.random.default_rng(0).normal(0, 1000, 16_000).astype("<i2").tobytes()


@contextlib.asynccontextmanager
async def client(server: Server, **hello: Any) -> AsyncIterator[ClientConnection]:
    """A client that is served."""
    async with connect(server.stream) as socket:
        await socket.send(json.dumps({**HELLO, **hello}))
        assert json.loads(await socket.recv())["type"] == "ready"
        yield socket


def test_health_and_metrics_need_no_token_and_count(start: Start) -> None:
    with start() as server:
        assert server.get("/healthz/ready")[0] == 200
        assert json.loads(server.get("/healthz")[1]) == {"alive": True, "ready": True, "reason": None}
        asyncio.run(converse(server.stream, SECOND, FINISH))
        asyncio.run(converse(server.stream, token="guess"))
        assert server.metric("edgevoice_frames_total") == server.metric("edgevoice_latency_seconds_count") == 3
        assert server.metric("edgevoice_received_bytes_total") == len(SECOND)
        assert server.metric('edgevoice_refused_total{code="token"}') == 1
        assert server.metric("edgevoice_clients") == 0
        assert 0 <= server.metric("edgevoice_loop_busy") < 1
        assert 0 < server.metric("edgevoice_window_seconds") < 5

        async def while_served() -> float:
            async with client(server):
                return await asyncio.to_thread(server.metric, "edgevoice_clients")

        assert asyncio.run(while_served()) == 1
        log = server.end()
    assert f"{len(SECOND)} bytes, 3 frames, 'finished'" in log
    assert "'left'" in log
    assert TOKEN not in log


def test_the_page_is_there_and_nothing_else(server: Server) -> None:
    words = {"/": "<h1>EdgeVoice", "/page.js": "WebSocket", "/page.css": "canvas", "/worklet.js": "Resampler"}
    for path, word in words.items():
        status, text = server.get(path)
        assert (status, word in text) == (200, True)
    for path in ("/../asgi.py", "/%2e%2e/asgi.py", "//etc/passwd", "/page", "/stream"):
        assert server.get(path)[0] in (403, 404)


def test_no_more_clients_than_the_limit_are_served(start: Start) -> None:
    async def program(server: Server) -> None:
        async with client(server), client(server, hop=0.5):
            messages, code, reason = await converse(server.stream)
            assert (messages[0]["code"], code, reason) == ("full", 1013, messages[0]["message"])
            assert (await asyncio.to_thread(server.get, "/healthz/ready"))[0] == 503
            assert (await asyncio.to_thread(server.get, "/healthz"))[0] == 200
        await asyncio.sleep(0.2)
        messages, _, _ = await converse(server.stream, hop=0.1)  # computes as much as 2.5 clients
        assert messages[0]["code"] == "full"
        assert (await converse(server.stream, FINISH, hop=0.15))[1] == 1000

    with start(clients=2) as server:
        asyncio.run(program(server))


def test_no_more_clients_than_the_threads_have_time_for_are_served(tiny: edgevoice.Extractor) -> None:
    async def program() -> None:
        made = asgi.application(tiny, tokens=[TOKEN])
        server = made.state.server
        before = server.capacity
        async with running(made) as (base, _):
            address = f"{base}/stream"
            messages, code, _ = await converse(address, bytes(3 * 32_000), FINISH)
            assert (messages[-1]["type"], code) == ("end", 1000)
            server.hub.window_time = server.hop * tiny.jobs  # as on a processor that many others use
            assert server.capacity == 1 < before
            async with connect(address) as socket:
                await socket.send(json.dumps(HELLO))
                assert json.loads(await socket.recv())["type"] == "ready"
                messages, code, _ = await converse(address)
                assert (messages[0]["code"], code) == ("full", 1013)

    asyncio.run(program())


def test_no_more_clients_than_the_event_loop_has_time_for_are_served(tiny: edgevoice.Extractor) -> None:
    async def program() -> None:
        made = asgi.application(tiny, tokens=[TOKEN])
        server = made.state.server
        async with running(made) as (base, _), connect(address := f"{base}/stream") as socket:
            await socket.send(json.dumps(HELLO))
            assert json.loads(await socket.recv())["type"] == "ready"
            server.busy = 0.9
            with pytest.raises(Refusal, match="as many clients"):
                server.admit(1.0)
            for _ in range(8):  # other work of the program holds the loop up
                time.sleep(0.4)
                await asyncio.sleep(0.02)
            assert server.lateness() > 0.05
            assert (await converse(address))[1] == 1013
            while server.lateness() > 0.05:
                await asyncio.sleep(0.1)
            assert (await converse(address, FINISH))[1] == 1000

    asyncio.run(program())


def test_a_client_that_sends_nothing_is_closed(start: Start) -> None:
    async def program(server: Server) -> tuple[Any, int | None]:
        async with client(server) as socket:
            return (await asyncio.wait_for(read(socket), 20))[-1]["code"], socket.close_code

    with start(idle=0.5) as server:
        assert asyncio.run(program(server)) == ("idle", 1008)


@pytest.fixture(scope="module")
def local(start: Start) -> Iterator[Server]:
    with start(token_file="") as server:
        yield server


@pytest.mark.parametrize(
    ("headers", "host", "served"),
    [
        ({}, "127.0.0.1", True),
        ({}, "localhost", True),
        ({}, "renamed.example", False),
        ({"X-Forwarded-For": "127.0.0.1"}, "127.0.0.1", False),
        ({"Via": "1.1 proxy"}, "127.0.0.1", False),
        ({"X-Real-IP": "[", "Authorization": "Bearer"}, "127.0.0.1", False),
    ],
)
def test_without_a_token_only_this_machine_is_served(
    local: Server, headers: dict[str, str], host: str, served: bool
) -> None:
    address, connection = f"ws://{host}:{local.port}/stream", {"host": "127.0.0.1", "additional_headers": headers}
    code = asyncio.run(converse(address, FINISH, connection=connection, token=None))[1]
    assert code == (1000 if served else 1008)


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("clients", "many", "CLIENTS"),
        ("idle", "-1", "idle"),
        ("idle", "60s", "IDLE"),
        ("origins", "https://example.org/", "origin"),
        ("head", "x", "head"),
        ("token_file", os.devnull, "TOKEN_FILE"),
        ("token_file", "/", "TOKEN_FILE"),
        ("model", "x", "'x'"),
    ],
)
def test_a_wrong_setting_ends_the_start(start: Start, name: str, value: str, word: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=word) as raised, start(**{name: value}):
        pass
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_a_token_file_may_have_the_encoding_of_any_shell(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    mark = "\ufeff" if "16" in encoding else ""
    (path := tmp_path / "token").write_bytes(f"{mark}one\r\ntwo\r\n".encode(encoding))
    monkeypatch.setenv("EDGEVOICE_TOKEN_FILE", str(path))
    monkeypatch.setenv("EDGEVOICE_MODEL", str(tiny_model))
    monkeypatch.delitem(vars(asgi), "app", raising=False)
    assert asgi.app.state.server._tokens == [b"one", b"two"]


@pytest.mark.parametrize(
    "argument",
    [
        {"tokens": ""},
        {"tokens": [" a"]},
        {"tokens": [b"a"]},
        {"origins": ["*"]},
        {"head": "x"},
        {"idle": "60"},
        {"clients": 0},
    ],
)
def test_a_wrong_argument_is_an_error_and_never_a_server_that_is_open(
    tiny: edgevoice.Extractor, argument: dict[str, Any]
) -> None:
    with pytest.raises(ArgumentError):
        asgi.application(tiny, **argument)


@pytest.mark.parametrize("first", [False, True], ids=["by itself", "as process 1"])
def test_sigterm_closes_the_clients_and_ends(start: Start, first: bool) -> None:
    prefix: tuple[str, ...] = ()
    if first:
        prefix = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
        if not shutil.which("unshare") or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
            pytest.skip("no namespaces for processes here")

    async def program(server: Server) -> list[int | None]:
        clients = [client(server) for _ in range(3)]
        async with clients[0] as one, clients[1] as two, clients[2] as blocked:
            await one.send(SECOND)
            assert json.loads(await one.recv())["type"] == "frame"
            for _ in range(8):  # frames that are not read do not hold up the end
                await blocked.send(SECOND)
            number = server.process.pid
            if first:
                number = int(Path(f"/proc/{number}/task/{number}/children").read_text().split()[0])
            os.kill(number, signal.SIGTERM)
            await asyncio.wait_for(asyncio.gather(read(one), read(two)), 10)
            return [one.close_code, two.close_code]

    with start(prefix=prefix) as server:
        assert asyncio.run(program(server)) == [1012, 1012]
        server.process.wait(12)
        log = server.end()
    assert "Traceback" not in log, log


@contextlib.asynccontextmanager
async def running(application: Any) -> AsyncIterator[tuple[str, Any]]:
    """Run it in this event loop; its address, and what its clients share."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    yield f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", getattr(application.state, "server", None)
    server.should_exit = True
    await serving


@pytest.mark.parametrize("path", ["", "/voice"])
def test_it_can_be_mounted_and_starts_with_the_first_client_of_each_event_loop(tiny: edgevoice.Extractor, path: str) -> None:
    served = asgi.application(tiny, tokens=[TOKEN], clients=4)

    async def program() -> tuple[int | None, int]:
        own = Starlette(routes=[Mount(path, served)]) if path else served
        async with running(own) as (address, _):
            messages, code, _ = await converse(f"{address}{path}/stream", SECOND, FINISH)
            return code, len(messages)

    assert [asyncio.run(program()) for _ in range(2)] == [(1000, 5)] * 2


class _Head:
    """As a head is used: it decides from the second frame on, with the level of the model only."""

    def judge(self, _: edgevoice.Extractor, **settings: object) -> _Head:
        if settings.get("level"):
            raise ModelUseError("/home/somebody/head.onnx: was fitted with another level")
        return self

    def push(self, frame: edgevoice.Frame) -> _Head | None:
        return self if frame.index else None

    def to_dict(self) -> dict[str, Any]:
        return {"label": "calm"}


def test_decisions_come_with_the_frames(tiny: edgevoice.Extractor) -> None:
    async def program() -> tuple[list[Any], list[Any]]:
        async with running(asgi.application(tiny, head=_Head(), clients=4, tokens=[TOKEN])) as (address, _):
            served = await converse(f"{address}/stream", SECOND, FINISH)
            return served[0], (await converse(f"{address}/stream", level="window"))[0]

    served, refused = asyncio.run(program())
    assert [frame["decision"] for frame in served[1:-1]] == [None, {"label": "calm"}, {"label": "calm"}]
    assert refused[0]["code"] == "value"
    assert "/home" not in refused[0]["message"]


ATTACKS: dict[str, tuple[dict[str, Any], list[bytes | str]]] = {
    "lost": ({}, ['{"type": "lost", "count": 1}', b"\0\0"]),
    "upsampled": ({"rate": 8000, "dtype": "uint8"}, [bytes(1 << 20)]),
    "large": ({}, [bytes(1 << 20)]),
    "long": ({"hop": 3000.0}, [SECOND]),
    "tiny": ({}, [b"\1"]),
    "unread": ({}, [SECOND]),
}


async def _attack(server: Server, kind: str, end: asyncio.Event) -> None:
    """Send what is costly, until the end, as fast as the server takes it."""
    hello, contents = ATTACKS[kind]
    with contextlib.suppress(ConnectionClosed):
        async with connect(server.stream, max_queue=1 if kind == "unread" else 64) as socket:
            await socket.send(json.dumps({**HELLO, **hello}))
            reading = asyncio.create_task(asyncio.sleep(0) if kind == "unread" else read(socket))  # type: ignore[arg-type]
            ending = asyncio.create_task(end.wait())
            while not end.is_set():
                for content in contents:
                    await asyncio.wait({asyncio.create_task(socket.send(content)), ending}, return_when="FIRST_COMPLETED")
            reading.cancel()


def test_attackers_neither_stop_the_others_nor_fill_the_memory(start: Start, tiny: edgevoice.Extractor) -> None:
    async def good(server: Server) -> int:
        async with client(server, descriptors="none") as socket:
            reading = asyncio.create_task(read(socket))
            for k in range(0, 5 * len(SECOND), 6400):  # five seconds in blocks of 0.2 s, in real time
                await socket.send((SECOND * 5)[k : k + 6400])
                await asyncio.sleep(0.2)
            await socket.send(FINISH)
            return len(await asyncio.wait_for(reading, 60))

    async def program(server: Server) -> tuple[list[int], float]:
        end = asyncio.Event()
        before = await asyncio.to_thread(server.metric, "process_resident_memory_bytes")
        attackers = [asyncio.create_task(_attack(server, kind, end)) for kind in (*ATTACKS, *ATTACKS)]
        found = await asyncio.gather(*(good(server) for _ in range(3)))
        after = await asyncio.to_thread(server.metric, "process_resident_memory_bytes")
        end.set()
        await asyncio.wait(attackers, timeout=30)
        return found, (after - before) / 1e6

    with start(clients=50) as server:
        found, grown = asyncio.run(program(server))
        log = server.end()
    assert found == [1 + len(tiny.extract((np.frombuffer(SECOND * 5, "<i2"), 16_000)))] * 3
    assert grown < 150
    assert "Traceback" not in log, log


@pytest.mark.parametrize(
    "line", ["//[", "/%00", "/page.js%00", "/" + "a" * 5000, "/healthz/ready?x=%ff", "/stream", "/\xc3\xa9"]
)
def test_odd_requests_are_refused_without_a_traceback(server: Server, line: str) -> None:
    key = "A" * 22 + "=="
    upgrading = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    for upgrade, host in itertools.product(("", upgrading), ("[", "x" * 5000)):
        if (upgrade, line, host) == (upgrading, "/stream", "["):
            continue  # a client as any other, until its hello
        with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
            connection.sendall(f"GET {line} HTTP/1.1\r\nHost: {host}\r\n{upgrade}\r\n".encode("latin-1"))
            assert connection.recv(100).startswith(b"HTTP/1.1 ")
    assert server.get("/healthz")[0] == 200
    assert "Traceback" not in "".join(server.lines), "".join(server.lines)

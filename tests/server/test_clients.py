"""How the server ends a client, when one counts as late, and how long one waits: on a WebSocket of our own."""

from __future__ import annotations

import asyncio
import json
import time
from types import SimpleNamespace
from typing import Any

import pytest

import edgevoice
from edgevoice import asgi
from edgevoice.protocol import Client, Refusal
from server.conftest import TOKEN
from server.test_protocol import FINISH, HELLO


def test_late_frames_keep_new_clients_out_and_end_the_newest(tiny: edgevoice.Extractor) -> None:
    ended: list[Refusal] = []
    server = asgi.Server(tiny, (), None, (), 100, 60.0)
    lates = (50.0, 50.0, 0.0, 0.0, 0.01, None)  # most of those that are live are not late
    clients = [SimpleNamespace(cost=1.0, late=late, end=ended.append if late is None else None) for late in lates]
    server.clients = clients  # type: ignore[assignment]
    server.admit(1.0)
    for late in (0.2, 1.2):
        clients[2].late = late
        with pytest.raises(Refusal) as refused:
            server.admit(1.0)
        assert (refused.value.code, refused.value.close) == ("late", 1013)
        server._relieved = -10.0
        assert ended == []
        server.relieve()
        server.relieve()  # the next one, a second later
    assert [refusal.code for refusal in ended] == ["late"]


class _Socket(asyncio.Queue[Any]):
    """A WebSocket that says hello, and then what is put."""

    client, headers = None, {"host": "localhost"}

    def __init__(self) -> None:
        super().__init__()
        self.receive, self.sent = self.get, []
        self.put_nowait({"type": "websocket.receive", "text": json.dumps(HELLO)})

    async def send_text(self, content: str) -> None:
        self.sent.append(json.loads(content))

    async def close(self, code: int, reason: str) -> None:
        self.sent.append((code, reason))


@pytest.mark.parametrize("turns", range(3))
def test_a_client_that_is_ended_hears_why_even_if_a_message_comes_at_that_moment(
    tiny: edgevoice.Extractor, turns: int
) -> None:
    async def program() -> list[Any]:
        server, socket = asgi.Server(tiny, (TOKEN,), None, (), 4, 60.0), _Socket()
        async with server.hub:
            client = Client(server, socket)  # type: ignore[arg-type]
            running = asyncio.create_task(client.run())
            while not socket.sent:
                await asyncio.sleep(0)
            await asyncio.sleep(0.1)
            client.end(Refusal("late", "sorry", 1013))
            for _ in range(turns):
                await asyncio.sleep(0)
            socket.put_nowait({"type": "websocket.receive", "bytes": b"\0\0"})
            await asyncio.wait({running}, timeout=20)
            assert running.done()
            client.end(Refusal("late", "again", 1013))  # changes nothing
            return [*socket.sent[1:], *server.clients]

    assert asyncio.run(program()) == [{"type": "error", "code": "late", "message": "sorry"}, (1013, "sorry")]


@pytest.mark.parametrize("lost", [0, 200])  # a flood is held before it is cut off
def test_a_client_that_is_cut_off_at_the_end_leaves_no_traceback(tiny: edgevoice.Extractor, lost: int) -> None:
    async def program() -> None:
        server, socket = asgi.Server(tiny, (TOKEN,), None, (), 4, 60.0), _Socket()
        async with server.hub:
            running = asyncio.create_task(Client(server, socket).run())  # type: ignore[arg-type]
            for _ in range(lost):
                socket.put_nowait({"type": "websocket.receive", "text": '{"type": "lost", "count": 1}'})
            while not socket.sent or (lost and socket.sent[-1].get("code") != "rate"):
                await asyncio.sleep(0)
            assert not running.done()
            running.cancel()
            await running

    asyncio.run(program())


def test_a_client_that_does_not_read_waits_for_its_frames_however_long_their_hop(tiny: edgevoice.Extractor) -> None:
    async def program() -> list[Any]:
        server, socket, reads = asgi.Server(tiny, (TOKEN,), None, (), 4, 60.0), _Socket(), asyncio.Event()

        async def send_text(content: str) -> None:
            socket.sent.append(json.loads(content)["type"])
            if socket.sent[-1] == "frame":
                await reads.wait()

        socket.get_nowait()
        socket.put_nowait({"type": "websocket.receive", "text": json.dumps({**HELLO, "hop": 3.0})})
        socket.send_text = send_text  # type: ignore[method-assign]
        async with server.hub:
            running = asyncio.create_task(Client(server, socket).run())  # type: ignore[arg-type]
            for _ in range(40):
                socket.put_nowait({"type": "websocket.receive", "bytes": bytes(6400)})
                await asyncio.sleep(0.05)
            assert socket.sent == ["ready", "frame"]
            reads.set()
            socket.put_nowait({"type": "websocket.receive", "text": FINISH})
            await asyncio.wait_for(running, 20)
        return socket.sent

    assert asyncio.run(program()) == ["ready", "frame", "frame", "frame", "end", (1000, "")]


def test_who_pauses_is_not_late(tiny: edgevoice.Extractor) -> None:
    client = Client(asgi.Server(tiny, (TOKEN,), None, (), 4, 60.0), None)  # type: ignore[arg-type]
    client._source = source = SimpleNamespace(behind=0.5)  # type: ignore[assignment]
    client._late = 3.0
    assert client.late == 3.0  # it waits for a frame
    source.behind = 0.0
    assert client.late is None
    client._turns["bytes"] = time.monotonic()
    assert client.late == 3.0


@pytest.mark.parametrize(("late", "least", "most"), [(0.0, 0.0, 0.1), (0.02, 0.1, 10.0), (0.049, 200.0, 300.0)])
def test_a_file_waits_for_live_clients_only_while_they_are_late(
    tiny: edgevoice.Extractor, monkeypatch: pytest.MonkeyPatch, late: float, least: float, most: float
) -> None:
    waited = []

    async def sleep(seconds: float, sleep: Any = asyncio.sleep) -> None:
        waited.append(seconds)
        await sleep(0)

    async def program() -> None:
        server, socket = asgi.Server(tiny, (TOKEN,), None, (), 4, 60.0), _Socket()
        server.clients += [SimpleNamespace(cost=0.5, late=late)] * 3  # type: ignore[list-item]
        async with server.hub:
            for _ in range(60):
                socket.put_nowait({"type": "websocket.receive", "bytes": bytes(32_000)})
            socket.put_nowait({"type": "websocket.receive", "text": FINISH})
            await Client(server, socket).run()  # type: ignore[arg-type]
        assert socket.sent[-1] == (1000, "")

    monkeypatch.setattr("edgevoice.protocol.asyncio.sleep", sleep)
    asyncio.run(program())
    assert least <= sum(waited) <= most


def test_sound_of_a_clock_that_is_a_little_fast_stays_live_and_meets_the_ends_of_frames(tiny: edgevoice.Extractor) -> None:
    async def drain() -> None: ...

    client = Client(asgi.Server(tiny, (TOKEN,), None, (), 4, 60.0), None)  # type: ignore[arg-type]
    source, client._size = SimpleNamespace(drain=drain, push=len), 32_000
    client._began, client._position = time.monotonic() - 10_000, 10_005 * 32_000

    async def program() -> None:
        for _ in range(250):
            await client._push(source, bytes(1280))  # type: ignore[arg-type]

    asyncio.run(program())
    ends, arrived = zip(*client._arrived, strict=True)
    assert max(arrived) <= time.monotonic()
    assert ends[24::25] == tuple(range(10_006, 10_016))


def test_who_reads_nothing_is_closed(tiny: edgevoice.Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevoice.protocol._PATIENCE", 0.5)

    async def program() -> None:
        server, socket = asgi.Server(tiny, (TOKEN,), None, (), 4, 0.5), _Socket()

        async def send_text(content: str) -> None:
            if json.loads(content)["type"] == "frame":
                await asyncio.Event().wait()
            socket.sent.append(json.loads(content))

        socket.send_text = send_text  # type: ignore[method-assign]
        async with server.hub:
            for _ in range(10):
                socket.put_nowait({"type": "websocket.receive", "bytes": bytes(32_000)})
            await asyncio.wait_for(Client(server, socket).run(), 20)  # type: ignore[arg-type]
        assert [message.get("code") for message in socket.sent[:2]] == [None, "idle"]

    asyncio.run(program())

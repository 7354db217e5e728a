"""The example of a server: real sockets, clients that do not belong, that vanish, that send what is no sound."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile

import edgevoice

pytest.importorskip("websockets", reason="websockets is not installed")

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


class Address(NamedTuple):
    port: int
    token: str

    def audio(self, **query: object) -> str:
        asked = "&".join(f"{name}={value}" for name, value in {"token": self.token, **query}.items())
        return f"ws://127.0.0.1:{self.port}/audio?{asked}"


@pytest.fixture(scope="module")
def server(root: Path, tiny_model: Path) -> Iterator[Address]:
    command = [sys.executable, str(root / "examples" / "websocket_server.py"), "--port", "0", "--model", str(tiny_model)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line.startswith("http://127.0.0.1:"), process.communicate()[1]
    port, _, token = line.rpartition(":")[2].partition("/#")
    yield Address(int(port), token)
    process.terminate()
    _, errors = process.communicate(timeout=20)
    assert errors == ""


async def converse(address: str, chunks: list[bytes], count: int) -> list[dict[str, Any]]:
    """The first frames that come back for what is sent."""
    async with connect(address) as socket:
        for chunk in chunks:
            await socket.send(chunk)
        return [json.loads(await socket.recv()) for _ in range(count)]


def test_each_client_gets_the_frames_of_its_own_sound(server: Address, tiny: edgevoice.Extractor, speech: Path) -> None:
    samples, rate = soundfile.read(speech, dtype="int16")

    async def program() -> list[list[dict[str, Any]]]:
        clients = []
        for k in range(6):
            sound = np.roll(samples, 4000 * k)[: 3 * rate].tobytes()
            chunks = [sound[at : at + 641] for at in range(0, len(sound), 641)]  # cuts samples in two
            clients.append(converse(server.audio(rate=rate), chunks, 9))
        return await asyncio.gather(*clients)

    for k, found in enumerate(asyncio.run(asyncio.wait_for(program(), 60))):
        expected = tiny.stream(rate).push(np.roll(samples, 4000 * k)[: 3 * rate])
        assert [(frame["index"], frame["silent"]) for frame in found] == [(f.index, f.silent) for f in expected][:9]
        values = np.array([frame["bottleneck"] + frame["error"] for frame in found], np.float32)
        assert values.tobytes() == expected.values[:9].tobytes()


def test_who_does_not_know_the_token_is_refused(server: Address) -> None:
    async def program(address: str) -> int:
        with pytest.raises(InvalidStatus) as refused:
            await converse(address, [], 0)
        return refused.value.response.status_code

    assert asyncio.run(program(server._replace(token="guess").audio())) == 403
    assert asyncio.run(program(f"ws://127.0.0.1:{server.port}/other")) == 404


def test_what_is_wrong_is_said_to_the_client_that_did_it(
    server: Address, tiny: edgevoice.Extractor, noise: np.ndarray
) -> None:
    async def wrong(messages: list[bytes | str], **query: object) -> str:
        async with connect(server.audio(**query)) as socket:
            reading = asyncio.create_task(read_all(socket))  # the reason comes after the frames
            with contextlib.suppress(ConnectionClosed):
                for message in messages:
                    await socket.send(message)
            await asyncio.wait_for(reading, 20)
            return socket.close_reason or ""

    async def read_all(socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for _ in socket:
                pass

    async def program() -> list[str]:
        pcm = (noise[:16_000] * 32767).astype("<i2").tobytes()
        whole = asyncio.create_task(converse(server.audio(), [pcm], 3))
        reasons = [
            await wrong([], rate="fast"),
            await wrong([], rate=7),
            await wrong([b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40)]),
            await wrong(['{"lost": -1}']),
            await wrong(["nonsense"]),
            await wrong([pcm * 20] * 4, rate=8000),  # 40 s at a time, while 30 s may wait
        ]
        async with connect(server.audio()) as socket:
            await socket.send(pcm)  # and vanishes
        assert len(await whole) == 3
        return reasons

    reasons = asyncio.run(asyncio.wait_for(program(), 60))
    for reason, word in zip(reasons, ["fast", "rate", "begins like", "skip", "", "backlog"], strict=True):
        assert word in reason, reasons


def test_lost_samples_are_a_gap(server: Address, noise: np.ndarray) -> None:
    async def program() -> list[dict[str, Any]]:
        pcm = (noise[:9000] * 32767).astype("<i2").tobytes()
        async with connect(server.audio()) as socket:
            await socket.send(pcm)
            await socket.send('{"lost": 500}')
            await socket.send(pcm)
            return [json.loads(await socket.recv()) for _ in range(3)]

    assert [frame["gap"] for frame in asyncio.run(asyncio.wait_for(program(), 60))] == [False, True, True]


def test_the_page_is_there(server: Address) -> None:
    for path, kind in {"": "text/html", "client.js": "text/javascript", "worklet.js": "text/javascript"}.items():
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/{path}", timeout=10) as response:
            assert response.headers["Content-Type"].startswith(kind)
            assert response.read()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{server.port}/../websocket_server.py", timeout=10)

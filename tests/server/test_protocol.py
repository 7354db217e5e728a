"""The server's protocol over real sockets: frames as a stream gives them, and one reason for whoever breaks it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import edgevoice
from server.conftest import TOKEN, Server

HELLO = {"type": "hello", "token": TOKEN}
FINISH = json.dumps({"type": "finish"})


async def read(socket: ClientConnection) -> list[Any]:
    """All messages until the connection is closed."""
    messages: list[Any] = []
    with contextlib.suppress(ConnectionClosed):
        async for message in socket:
            messages += [json.loads(message) if isinstance(message, str) else message]
    return messages


Found = tuple[list[Any], int | None, str | None]


async def converse(address: str, *messages: bytes | str, connection: dict[str, Any] | None = None, **hello: Any) -> Found:
    """What comes back for a hello and some messages, the closing code and the reason."""
    async with connect(address, max_size=None, **(connection or {})) as socket:
        reading = asyncio.create_task(read(socket))
        with contextlib.suppress(ConnectionClosed):
            for message in (json.dumps({**HELLO, **hello}), *messages):
                await socket.send(message)
        return await asyncio.wait_for(reading, 60), socket.close_code, socket.close_reason


def pieces(sound: NDArray[np.int16], size: int = 641) -> list[bytes]:
    data = sound.tobytes()
    return [data[at : at + size] for at in range(0, len(data), size)]


def test_each_client_gets_the_frames_of_its_own_sound(server: Server, tiny: edgevoice.Extractor, speech: Path) -> None:
    samples, rate = soundfile.read(speech, dtype="int16")
    sounds = [np.roll(samples, 4000 * k)[: 3 * rate] for k in range(4)]

    async def program() -> list[Any]:
        return await asyncio.gather(*(converse(server.stream, *pieces(sound), FINISH, rate=rate) for sound in sounds))

    for sound, (messages, code, _) in zip(sounds, asyncio.run(program()), strict=True):
        expected = tiny.extract((sound, rate))
        ready, *frames, end = messages
        assert (ready["type"], end, code) == ("ready", {"type": "end", "frames": len(expected)}, 1000)
        values = np.array([frame["bottleneck"] + frame["error"] for frame in frames], np.float32)
        assert values.tobytes() == expected.values.tobytes()
        assert 0 <= frames[0]["latency"] < 60
        assert frames[-1]["latency"] is None  # it came faster than in real time


def test_a_file_may_come_faster_than_real_time(server: Server, tiny: edgevoice.Extractor, speech: Path) -> None:
    samples, rate = soundfile.read(speech, dtype="int16")
    sound = np.tile(samples, 60 * rate // len(samples) + 1)  # a minute, far beyond the backlog
    messages, code, _ = asyncio.run(converse(server.stream, *pieces(sound, 1 << 20), FINISH, rate=float(rate)))
    assert (len(messages) - 2, code) == (len(tiny.extract((sound, rate))), 1000)


@pytest.mark.parametrize("wanted", ["all", "bottleneck", "error", "none"])
@pytest.mark.parametrize("form", ["json", "binary"])
def test_a_client_gets_the_descriptors_that_it_wants(
    server: Server, tiny: edgevoice.Extractor, form: str, wanted: str
) -> None:
    sound = np.random.default_rng(1).normal(0, 3000, 24_000).astype("<i2")
    messages, _, _ = asyncio.run(
        converse(server.stream, sound.tobytes(), FINISH, descriptors=wanted, format=form, level="window", hop=0.1)
    )
    ready, *frames, _ = messages
    found = []
    for message in frames:
        frame = message
        if form == "binary":
            line, _, numbers = message.partition(b"\n")
            assert len(line) % 4 == 3  # so that JavaScript can look at the numbers where they are
            found.append(np.frombuffer(numbers, "<f4"))
            frame = json.loads(line)
        else:
            found.append(np.array([x for name in ready["descriptors"] for x in frame[name]], np.float32))
        assert frame["type"] == "frame"
    expected = tiny.extract((sound, 16_000), level="window", hop=0.1)
    groups = {
        "all": expected.values,
        "none": expected.values[:, :0],
        "bottleneck": expected.bottleneck,
        "error": expected.error,
    }
    assert np.array(found).tobytes() == groups[wanted].tobytes()
    assert ready["hop"] == pytest.approx(0.1)


def test_silence_is_described_too(server: Server) -> None:
    messages, code, _ = asyncio.run(converse(server.stream, bytes(32_000), FINISH))
    assert ([frame["silent"] for frame in messages[1:-1]], code) == ([True] * 3, 1000)


def test_lost_samples_are_a_gap(server: Server, noise: NDArray[np.float32]) -> None:
    pcm = (noise[:9000] * 32767).astype("<i2").tobytes()
    lost = json.dumps({"type": "lost", "count": 500})
    messages, _, _ = asyncio.run(converse(server.stream, pcm, lost, pcm, FINISH))
    assert [frame["gap"] for frame in messages[1:-1]] == [False, True, True]


@pytest.mark.parametrize(
    "content", ["nonsense", "[" * 4000, '{"type":' * 500, "9" * 4000, '{"type": []}', "{}", "\0", '"hello"']
)
def test_text_that_is_no_message_closes_with_1003(server: Server, content: str) -> None:
    async def alone() -> Found:
        async with connect(server.stream) as socket:
            await socket.send(content)
            return await asyncio.wait_for(read(socket), 20), socket.close_code, socket.close_reason

    for messages, code, reason in (asyncio.run(alone()), asyncio.run(converse(server.stream, content))):
        assert (messages[-1]["type"], messages[-1]["code"], code) == ("error", "message", 1003)
        assert reason == messages[-1]["message"][:120]


@pytest.mark.parametrize(
    ("hello", "messages", "word"),
    [
        ({"rate": "fast"}, [], "rate"),
        ({"rate": 7}, [], "rate"),
        ({"rate": 16000.5}, [], "rate"),
        ({"rate": True}, [], "rate"),
        ({"rate": 10**400}, [], "rate"),
        ({"rate": 96_000, "channels": 8}, [], "channels"),
        ({"dtype": ["int16"]}, [], "dtype"),
        ({"descriptors": {}}, [], "descriptors"),
        ({"format": None}, [], "format"),
        ({"protocol": 2}, [], "protocol"),
        ({"sample_rate": 48_000}, [], "sample_rate"),
        ({}, ['{"type": "lost", "samples": 480}'], "samples"),
        ({"hop": 0.07}, [], "hop"),
        ({"hop": 10**400}, [], "hop"),
        ({"hop": [1]}, [], "hop"),
        ({"level": "utterance"}, [], "level"),
        ({"level": 10**400}, [], "level"),
        ({"level": float("nan")}, [], "level"),
        ({}, [b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40)], "begins like"),
        ({"dtype": "float32"}, [np.full(8000, np.nan, "<f4").tobytes()], "NaN"),
        ({}, [b"abc", FINISH], "sample"),
        ({}, ['{"type": "lost"}', '{"type": "lost", "count": -1}'], "count"),
        ({}, ['{"type": "lost", "count": ' + "9" * 3000 + "}"], "count"),
    ],
)
def test_a_wrong_value_is_named_to_the_client(server: Server, hello: dict[str, Any], messages: list[Any], word: str) -> None:
    found, code, reason = asyncio.run(converse(server.stream, *messages, **hello))
    assert (found[-1]["code"], code) == ("value", 1008), found
    assert word in found[-1]["message"]
    assert found[-1]["message"].startswith(reason or "")


def test_a_flood_of_text_is_cut_off_and_small_messages_of_sound_wait(server: Server) -> None:
    found, code, _ = asyncio.run(converse(server.stream, *['{"type": "lost", "count": 1}', b"\0\0"] * 300))
    # What it sent was not read to its end, so the system may drop the reason on its way to the client.
    assert [message["code"] for message in found if message["type"] == "error"] in ([], ["rate"])
    assert code == 1006
    assert server.metric('edgevoice_refused_total{code="rate"}') == 1
    found, code, _ = asyncio.run(converse(server.stream, *[b"\0"] * 2500, FINISH))
    assert (found[-1]["type"], code) == ("end", 1000)


def test_a_message_that_is_too_large_closes_with_1009(server: Server) -> None:
    for content in (bytes((1 << 20) + 1), " " * 5000):
        found, code, _ = asyncio.run(converse(server.stream, content))
        assert (found[-1]["code"], code) == ("size", 1009)


def test_text_that_is_not_utf8_leaves_no_traceback(server: Server) -> None:
    async def program() -> int | None:
        async with connect(server.stream) as socket:
            await socket.send(json.dumps(HELLO))
            await socket.recv()
            await socket.send(b"\xff\xfe", text=True)
            await read(socket)
            return socket.close_code

    assert asyncio.run(program()) == 1007


@pytest.mark.parametrize("token", ["guess", "", None, [TOKEN], "\ud800"])
def test_who_knows_no_token_is_refused(server: Server, token: Any) -> None:
    found, code, _ = asyncio.run(converse(server.stream, token=token))
    assert ([message["code"] for message in found], code) == (["token"], 1008)


@pytest.mark.parametrize(("header", "code"), [(f"Bearer {TOKEN}", 1000), ("Bearer guess", 1008), (f"Basic {TOKEN}", 1008)])
def test_the_token_may_be_a_header(server: Server, header: str, code: int) -> None:
    connection = {"additional_headers": {"Authorization": header}}
    assert asyncio.run(converse(server.stream, FINISH, connection=connection, token=None))[1] == code


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "{own}.evil.example", "{own}"])
def test_pages_of_others_cannot_connect(server: Server, origin: str) -> None:
    own = f"http://127.0.0.1:{server.port}"
    refused = contextlib.nullcontext() if origin == "{own}" else pytest.raises(InvalidStatus, match="403")
    with refused:
        asyncio.run(converse(server.stream, FINISH, connection={"origin": origin.format(own=own)}))


def test_the_clients_on_the_page_print_the_frames(
    server: Server, root: Path, tiny: edgevoice.Extractor, speech: Path, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(speech, dtype="int16")
    expected = tiny.extract((samples, rate)).values
    folder = root / "examples" / "server"
    command = [sys.executable, str(folder / "client.py"), server.stream, str(speech), TOKEN]
    found = [
        json.loads(line) for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    ]
    values = np.array([frame["bottleneck"] + frame["error"] for frame in found[1:-1]], np.float32)
    assert values.tobytes() == expected.tobytes()
    done = subprocess.run([*command[:-1], "guess"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "1008 expected a token that the server knows\n")

    if not (node := shutil.which("node")):
        pytest.skip("Node is not installed")
    (tmp_path / "speech.raw").write_bytes(samples.tobytes())
    command = [node, str(folder / "client.mjs"), server.stream, str(rate), str(tmp_path / "speech.raw"), TOKEN]
    environment = {**os.environ, "NODE_OPTIONS": "--experimental-websocket --no-warnings"}  # Node 20
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stderr == ""
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert np.array([frame["values"] for frame in found[1:-1]], np.float32).tobytes() == expected.tobytes()

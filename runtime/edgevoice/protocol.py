"""A client of the server: the messages that it may send, the frames that it gets, and how its connection ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from edgevoice.errors import ArgumentError, AudioError, ModelError, ModelUseError
from edgevoice.hub import Source
from edgevoice.wholenumbers import whole_number

if TYPE_CHECKING:
    from edgevoice.asgi import Server

PROTOCOL = 1
_LARGEST = {"bytes": 1 << 20, "text": 4096}  # of a message
_MESSAGES = {"bytes": 1000, "text": 100}  # a second of a client
_DTYPES = {"int16": 2, "int32": 4, "uint8": 1, "float32": 4, "float64": 8}
_RATE = 192_000  # samples a second, of all channels together
_PATIENCE = 10.0  # seconds, for the first message and for the last
_HELD = 2.0  # seconds that a flood is not read before it is cut off: connecting anew costs it more than the server
_AHEAD, _DRIFT = 1.0, 0.01  # seconds, and share of the time, by which sound may be before its time and still be live
_FIELDS = {  # of each type of message
    "hello": {"protocol", "token", "rate", "channels", "dtype", "descriptors", "format", "level", "hop"},
    "lost": {"count"},
    "finish": set[str](),
}
_log = logging.getLogger("uvicorn.edgevoice")  # below a logger that uvicorn shows


class Refusal(Exception):  # noqa: N818 - it ends a client, not the server
    """Why a client is refused or ended: a code, a sentence, and the code that closes the WebSocket; 0 cuts it off."""

    def __init__(self, code: str, sentence: str, close: int = 1008) -> None:
        super().__init__(sentence)
        self.code, self.close = code, close


class Client:
    """A connection, and the source that belongs to it."""

    def __init__(self, server: Server, websocket: WebSocket) -> None:
        self._server, self._websocket = server, websocket
        self.cost = 1.0
        self._late: float | None = None
        self._source: Source | None = None
        # What arrived and has no frame yet: where it ends, and when it was there, in seconds; infinite if not live.
        self._arrived: deque[tuple[float, float]] = deque(maxlen=1 << 14)
        self._began = 0.0
        self._position = 0  # bytes, lost ones included: sums of seconds would fall short of a frame's end
        self._turns = {"bytes": 0.0, "text": 0.0}
        self._bytes = self._frames = 0

    async def run(self) -> None:
        """Serve it, and say in the log how it ended."""
        begun, end = time.monotonic(), "finished"
        try:
            await self._converse()
            await self._close(1000, {"type": "end", "frames": self._frames})
        except WebSocketDisconnect:
            end = "left"
        except asyncio.CancelledError:  # the time that the server has to end is over
            end = "cut off"
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this client only
            refusal = Refusal("internal", "the server failed: connect again", 1011)
            if isinstance(error, Refusal):
                refusal = error
            elif isinstance(error, AudioError | ArgumentError | ModelUseError):
                refusal = Refusal("value", str(error)[:200])
            else:
                _log.error("a client failed", exc_info=error)
            end = f"{refusal.code}: {refusal}"
            self._server.refused.labels(refusal.code).inc()
            await self._close(refusal.close, {"type": "error", "code": refusal.code, "message": str(refusal)})
        host, took = self._websocket.client and self._websocket.client.host, time.monotonic() - begun
        _log.info("%s, %.1f s, %d bytes, %d frames, %s", host, took, self._bytes, self._frames, ascii(end))

    @property
    def late(self) -> float | None:
        """By how much the newest frames were late, in seconds; None without one, of what is not live, and in a pause."""
        paused = time.monotonic() > max(self._turns.values()) + 2 and self._source and not self._source.behind
        return None if paused else self._late

    def end(self, refusal: Refusal) -> None:
        """End it from outside."""
        if self._source:
            self._source.end(refusal)

    async def _close(self, code: int, message: dict[str, Any]) -> None:
        reason = str(message.get("message", "")).encode()[:120].decode(errors="ignore")
        with contextlib.suppress(WebSocketDisconnect, TimeoutError, RuntimeError, asyncio.CancelledError):
            async with asyncio.timeout(_PATIENCE):  # it may not read
                await self._websocket.send_text(json.dumps(message))
                if code:
                    await self._websocket.close(code, reason)
                else:  # the connection goes with the task: a flood would be read until the other side closes too
                    await asyncio.sleep(_HELD)

    async def _converse(self) -> None:
        server = self._server
        hello = _read(await self._message(_PATIENCE), "hello")
        if not server.permits(self._websocket, hello.get("token")):
            raise Refusal("token", "expected a token that the server knows")
        source, judge = self._begin(hello)
        self._source = source
        server.admit(self.cost)
        server.clients.append(self)
        try:
            async with source, asyncio.TaskGroup() as tasks:
                config = server.extractor.config
                ready = {"type": "ready", "protocol": PROTOCOL, "model": config.name, "version": config.version}
                ready |= {"rate": source.rate, "hop": self._hop, "descriptors": self._counts}
                await self._websocket.send_text(json.dumps(ready))
                tasks.create_task(self._receive(source))
                tasks.create_task(self._send(source, judge))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            server.clients.remove(self)

    def _begin(self, hello: dict[str, Any]) -> tuple[Source, Any]:
        """Make what a hello asks for, or refuse it."""
        server, audio = self._server, self._server.extractor.config.audio
        _field(hello, "protocol", PROTOCOL, (PROTOCOL,))
        rate = _field(hello, "rate", audio.rate, range(8000, _RATE + 1))
        channels = _field(hello, "channels", 1, range(1, _RATE // rate + 1))
        dtype = _field(hello, "dtype", "int16", tuple(_DTYPES))
        counts = {group.name: group.count for group in server.extractor.layout.groups if group.count}
        wanted = _field(hello, "descriptors", "all", ("all", *counts, "none"))
        self._counts = {name: count for name, count in counts.items() if wanted in ("all", name)}
        self._binary = _field(hello, "format", "json", ("json", "binary")) == "binary"
        self._size = channels * _DTYPES[dtype] * rate  # bytes of a second
        level, hop = hello.get("level"), hello.get("hop")
        source = server.hub.source(rate, channels, dtype=dtype, level=level, hop=hop)
        self._hop = hop or server.hop
        self.cost = max(0.1, server.hop / self._hop)  # a long hop saves windows, and no messages
        try:
            return source, server.head and server.head.judge(server.extractor, level=level, hop=hop)
        except ModelError as error:
            raise Refusal("value", "level and hop: expected those that the head of this server was fitted with") from error

    async def _message(self, patience: float) -> bytes | str:
        """The next message; a client that sends very many of sound waits."""
        async with _patience(patience, "sent"):
            message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        kind = "bytes" if message.get("bytes") is not None else "text"
        content: bytes | str = message[kind]
        if len(content) > _LARGEST[kind]:
            raise Refusal("size", f"a message of {len(content)}: expected {_LARGEST[kind]} at most", 1009)
        now, most = time.monotonic(), _MESSAGES[kind]
        self._turns[kind] = turn = max(self._turns[kind], now - 1) + 1 / most  # those of a second may come at once
        if turn > now:
            if kind == "text":
                raise Refusal("rate", f"more than {most} text messages a second", 0)
            await asyncio.sleep(turn - now)
        return content

    async def _receive(self, source: Source) -> None:
        """Push what arrives, until the client has finished. Small messages wait until they complete a window together."""
        held, size = b"", self._size // source.rate
        while True:
            content = await self._message(self._server.idle)
            if isinstance(content, bytes):
                held += content
                # The source may hold a part of a sample; the first bytes may be a file's.
                if self._bytes and len(held) <= min(source.wanted * size - size, self._size // 4):
                    continue
            await self._push(source, held)
            held = b""
            if isinstance(content, str):
                if (message := _read(content, "lost", "finish"))["type"] == "finish":
                    return source.finish()
                count = _field(message, "count", 0, range(86_400 * source.rate))
                source.skip(count)
                self._position += count * size
                self._arrived.clear()

    async def _push(self, source: Source, content: bytes) -> None:
        """Push a message in pieces, as fast as they are computed; what is not live gives way to what is."""
        most = max(1, self._size // 4)
        for start in range(0, len(content), most):
            piece = content[start : start + most]
            now = time.monotonic()
            self._began = self._began or now - len(piece) / self._size
            self._position += len(piece)
            seconds = self._position / self._size
            live = seconds < _AHEAD + (1 + _DRIFT) * (now - self._began)
            self._arrived.append((seconds, now if live else math.inf))
            self._bytes += len(piece)
            self._server.bytes.inc(len(piece))
            async with _patience(max(_PATIENCE, self._server.idle), "read"):
                await source.drain()
            source.push(piece)
            if not live:  # a second where the server would refuse clients, milliseconds at half of that
                await asyncio.sleep(min(1.0, self._server.strain()) ** 4)

    async def _send(self, source: Source, judge: Any) -> None:
        """Send the frames, with decisions where there is a head."""
        async for frame in source:
            while self._arrived and self._arrived[0][0] < frame.end:
                self._arrived.popleft()
            content = {"type": "frame", **frame.place()}
            late = time.monotonic() - self._arrived[0][1] if self._arrived else -math.inf
            if late < 0:
                self._late = None
            else:
                content["latency"] = late
                self._late = 0.8 * (self._late or 0.0) + 0.2 * late
                self._server.latency.observe(late)
                self._server.late.inc(late > self._server.hop)
            if judge:
                decision = judge.push(frame)
                content["decision"] = decision and decision.to_dict()
            parts = [part for name, part in frame.layout.split(frame.values).items() if name in self._counts]
            if self._binary:  # a line of JSON, with blanks to a multiple of four bytes, and float32 numbers
                line = json.dumps(content, allow_nan=False).encode()
                numbers = b"".join(part.astype("<f4").tobytes() for part in parts)
                await self._websocket.send_bytes(line + b" " * (-(len(line) + 1) % 4) + b"\n" + numbers)
            else:
                content.update((name, part.tolist()) for name, part in zip(self._counts, parts, strict=True))
                await self._websocket.send_text(json.dumps(content, allow_nan=False))
            self._frames += 1
            self._server.frames.inc()
            self._server.relieve()


@contextlib.asynccontextmanager
async def _patience(seconds: float, done: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):  # `wait_for` may lose that it was cancelled
            yield
    except TimeoutError as error:
        raise Refusal("idle", f"nothing was {done} for {seconds:g} s") from error


def _read(content: bytes | str, *kinds: str) -> dict[str, Any]:
    """A message of one of these types."""
    with contextlib.suppress(ValueError, TypeError, LookupError, RecursionError):
        if isinstance(content, str):  # numbers of many digits become infinite
            message = json.loads(content, parse_int=lambda text: int(text) if len(text) < 17 else float(text))
            if message["type"] in kinds:
                if unknown := sorted(message.keys() - _FIELDS[message["type"]] - {"type"}):
                    expected = ", ".join(sorted(_FIELDS[message["type"]])) or "none"
                    raise Refusal("value", f"{unknown[0][:40]!a}: expected of {message['type']}: {expected}")
                return dict(message)
    raise Refusal("message", f'expected JSON with a "type" that is one of: {", ".join(kinds)}', 1003)


def _field(message: dict[str, Any], name: str, default: Any, allowed: range | tuple[Any, ...]) -> Any:
    value = message.get(name, default)
    if isinstance(allowed, range):
        return whole_number(name, value, allowed[0], allowed[-1])
    if type(value) is type(default) and value in allowed:
        return value
    raise Refusal("value", f"{name}: expected {', '.join(map(str, allowed))}")

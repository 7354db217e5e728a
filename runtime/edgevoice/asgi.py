"""A hub as an ASGI application: a WebSocket for each live source, health, metrics, and a page that shows it.

    EDGEVOICE_TOKEN_FILE=token uvicorn edgevoice.asgi:app --timeout-graceful-shutdown 10

The documentation's page "A server" has the protocol, and how to deploy it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import json
import logging
import os
import statistics
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from edgevoice.errors import ArgumentError, AudioError, MissingPackageError, ModelError, ModelUseError
from edgevoice.extractor import Extractor, load
from edgevoice.hub import Hub, Source
from edgevoice.wholenumbers import whole_number

try:
    import prometheus_client as prometheus
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Mount, Route, WebSocketRoute
    from starlette.staticfiles import StaticFiles
    from starlette.websockets import WebSocket, WebSocketDisconnect
except ImportError as error:
    raise MissingPackageError("the server needs Starlette and others: pip install 'edgevoice[cpu,server]'") from error

PROTOCOL = 1
_LARGEST = {"bytes": 1 << 20, "text": 4096}  # of a message
_MESSAGES = {"bytes": 1000, "text": 100}  # a second of a client; more of them wait
_DTYPES = {"int16": 2, "int32": 4, "uint8": 1, "float32": 4, "float64": 8}
_RATE = 192_000  # samples a second, of all channels together
_BACKLOG = 8.0  # seconds of a source; no more is read of its client until half of it is free
_PATIENCE = 10.0  # seconds, for the first message and for the last
_LATE = 1.0  # seconds by which most clients are late when the newest one has to go
_PAGE = Path(__file__).parent / "page"
_log = logging.getLogger("uvicorn.edgevoice")  # below a logger that uvicorn shows


def application(
    extractor: Extractor | None = None,
    *,
    tokens: Sequence[str] = (),
    head: Any = None,
    origins: Sequence[str] = (),
    clients: int | None = None,
    idle: float = 60.0,
) -> Starlette:
    """Make an application, to be run or mounted.

    Args:
        extractor: a loaded model; with None everything comes from the environment when the application starts.
        tokens: a client must know one of them. Without any, only clients on this machine are served.
        head: a loaded head, whose decisions come with the frames.
        origins: pages of others that may connect, such as `https://example.org`.
        clients: how many are served at once; as many as the processor carries if None. While frames are late, no more.
        idle: a client that sends nothing for this long is closed, in seconds.

    Raises:
        ArgumentError: an argument is outside what is allowed.
        HeadError: the head was fitted with another model.
    """
    server = _Server()
    if extractor is not None:
        server.configure(extractor, tokens, head, origins, clients, idle)

    @contextlib.asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        # uvicorn logs text that is not UTF-8 with a traceback, as if it were at fault.
        logging.getLogger("uvicorn.error").addFilter(
            lambda record: not (record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError))
        )
        await server.begin()
        yield
        await server.hub.__aexit__()

    page = StaticFiles(directory=_PAGE, html=True)
    page.all_directories.append(
        _PAGE.parents[2] / "js" / "src"
    )  # where a checkout has what wheels have in the page's folder
    routes = [WebSocketRoute("/stream", server.serve), Route("/metrics", server.read_metrics)]
    routes += [Route(path, server.health) for path in ("/healthz", "/healthz/ready")]
    return Starlette(routes=[*routes, Mount("/", page)], lifespan=lifespan)


class _Refusal(Exception):  # noqa: N818 - it ends a client, not the server
    """Why a client is refused or ended: a code, a sentence, and the code that closes the WebSocket."""

    def __init__(self, code: str, sentence: str, close: int = 1008) -> None:
        super().__init__(sentence)
        self.code, self.close = code, close


class _Server:
    """What the clients share."""

    hub: Hub

    def __init__(self) -> None:
        self._lock, self._configured, self._running = asyncio.Lock(), False, False
        self.clients: list[_Client] = []
        self._relieved = 0.0
        self._registry = registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=registry)
        prometheus.Gauge("edgevoice_clients", "Clients served", registry=registry).set_function(lambda: len(self.clients))
        self.frames = prometheus.Counter("edgevoice_frames", "Frames sent", registry=registry)
        self.late = prometheus.Counter("edgevoice_late_frames", "Frames later than a hop", registry=registry)
        self.latency = prometheus.Histogram(
            "edgevoice_latency_seconds", "From a window's end to its frame", registry=registry
        )
        self.bytes = prometheus.Counter("edgevoice_received_bytes", "Sound received", registry=registry)
        self.refused = prometheus.Counter("edgevoice_refused", "Clients refused or ended", ["code"], registry=registry)

    def configure(
        self,
        extractor: Extractor,
        tokens: Sequence[str],
        head: Any,
        origins: Sequence[str],
        clients: int | None,
        idle: float,
    ) -> None:
        """Take the arguments of `application`."""
        if not 0 < idle < float("inf"):
            raise ArgumentError(f"idle {idle!r}: expected seconds, above 0")
        if head is not None:
            head.judge(extractor)
        self.extractor, self.head, self.idle, self._origins = extractor, head, idle, set(origins)
        self.hop = extractor.config.audio.hop / extractor.config.audio.rate
        self._tokens = [token.encode() for token in ([tokens] if isinstance(tokens, str) else tokens)]
        self._capacity = _capacity(extractor, self.hop) if clients is None else whole_number("clients", clients, 1, 1 << 20)
        self.hub = Hub(extractor, backlog=_BACKLOG)
        self._configured = True

    async def begin(self) -> None:
        """Start the hub: with the application or, mounted in another, with the first request."""
        async with self._lock:
            if not self._configured:
                self.configure(**_environment())
            if not self._running:
                await self.hub.__aenter__()
                self._running = True

    async def health(self, request: Request) -> Response:
        """Answer whether it takes clients; of `/healthz/ready` the status says so too."""
        await self.begin()
        reason = None
        try:
            self.admit(1.0)
        except _Refusal as refusal:
            reason = str(refusal)
        status = 503 if reason and request.url.path.endswith("/ready") else 200
        return JSONResponse({"alive": True, "ready": not reason, "reason": reason}, status)

    async def read_metrics(self, _: Request) -> Response:
        """Answer Prometheus."""
        return Response(prometheus.generate_latest(self._registry), media_type=prometheus.CONTENT_TYPE_LATEST)

    def admit(self, cost: float) -> None:
        """Refuse a client that would make the others late; one with the model's hop costs 1."""
        if sum(client.cost for client in self.clients) + cost > self._capacity:
            raise _Refusal("full", "the server has as many clients as it carries: try again later", 1013)
        self._check_lateness(0.4 * self.hop)

    def relieve(self, client: _Client) -> None:
        """End the newest client where most are much too late, one a second, so that the others are served."""
        now = time.monotonic()
        if client is self.clients[-1] and len(self.clients) > 1 and now > self._relieved + 1:
            self._relieved = now
            self._check_lateness(_LATE)

    def _check_lateness(self, most: float) -> None:
        if self.clients and statistics.median_low(client.late for client in self.clients) > most:
            raise _Refusal("late", "the server is late with its frames: try again later", 1013)

    def permits(self, websocket: WebSocket, token: object) -> bool:
        """Whether it is served: it knows a token, or none is needed and it is on this machine."""
        if self._tokens:
            header = websocket.headers.get("authorization", "")
            given = header[7:] if header[:7].lower() == "bearer " else token if isinstance(token, str) else ""
            return any(hmac.compare_digest(given.strip().encode(errors="replace"), own) for own in self._tokens)
        proxied = {"forwarded", "via", "x-forwarded-for", "x-real-ip"} & set(websocket.headers)
        host = urlsplit("//" + websocket.headers.get("host", "")).hostname  # another name: a page's that was pointed here
        return not proxied and _is_local(host) and _is_local(websocket.client and websocket.client.host)

    async def serve(self, websocket: WebSocket) -> None:
        """Serve a client until it goes."""
        await self.begin()
        origin = websocket.headers.get("origin")
        if origin is None or origin in self._origins or origin.partition("://")[2] == websocket.headers.get("host"):
            await websocket.accept()
            await _Client(self, websocket).run()
        else:
            self.refused.labels("origin").inc()
            await websocket.close()  # with status 403, as it was not accepted


class _Client:
    """A connection, and the source that belongs to it."""

    def __init__(self, server: _Server, websocket: WebSocket) -> None:
        self._server, self._websocket = server, websocket
        self.cost = 1.0
        self.late = 0.0
        """By how much the newest frame was late, in seconds."""
        # What arrived and has no frame yet: where it ends, and when it was there, or was due if it came faster than in
        # real time; in seconds.
        self._arrived: deque[tuple[float, float]] = deque(maxlen=1 << 14)
        self._began = self._seconds = self._turn = 0.0
        self._bytes = self._frames = 0

    async def run(self) -> None:
        """Serve it, and say in the log how it ended."""
        begun, end = time.monotonic(), "finished"
        try:
            await self._converse()
            await self._close({"type": "end", "frames": self._frames}, 1000)
        except WebSocketDisconnect:
            end = "left"
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this client only
            refusal = _Refusal("internal", "the server failed: connect again", 1011)
            if isinstance(error, _Refusal):
                refusal = error
            elif isinstance(error, AudioError | ArgumentError | ModelUseError):
                refusal = _Refusal("value", str(error)[:200])
            else:
                _log.error("a client failed", exc_info=error)
            end = f"{refusal.code}: {refusal}"
            self._server.refused.labels(refusal.code).inc()
            await self._close({"type": "error", "code": refusal.code, "message": str(refusal)}, refusal.close)
        host, took = self._websocket.client and self._websocket.client.host, time.monotonic() - begun
        _log.info("%s, %.1f s, %d bytes, %d frames, %s", host, took, self._bytes, self._frames, ascii(end))

    async def _close(self, message: dict[str, Any], code: int) -> None:
        reason = str(message.get("message", "")).encode()[:120].decode(errors="ignore")
        with contextlib.suppress(WebSocketDisconnect, TimeoutError, RuntimeError):
            async with asyncio.timeout(_PATIENCE):  # it may not read
                await self._websocket.send_text(json.dumps(message))
                await self._websocket.close(code, reason)

    async def _converse(self) -> None:
        hello = _read(await self._message(_PATIENCE), "hello")
        if not self._server.permits(self._websocket, hello.get("token")):
            raise _Refusal("token", "expected a token that the server knows")
        source, judge = self._begin(hello)
        self._server.clients.append(self)
        try:
            async with source, asyncio.TaskGroup() as tasks:
                await self._websocket.send_text(json.dumps(self._ready))
                tasks.create_task(self._receive(source))
                tasks.create_task(self._send(source, judge))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._server.clients.remove(self)

    def _begin(self, hello: dict[str, Any]) -> tuple[Source, Any]:
        """Make what a hello asks for, or refuse it."""
        server, config, layout = self._server, self._server.extractor.config, self._server.extractor.layout
        _field(hello, "protocol", PROTOCOL, (PROTOCOL,))
        rate = _field(hello, "rate", config.audio.rate, range(8000, _RATE + 1))
        channels = _field(hello, "channels", 1, range(1, _RATE // rate + 1))
        dtype = _field(hello, "dtype", "int16", tuple(_DTYPES))
        counts = {group.name: group.count for group in layout.groups if group.count}
        wanted = _field(hello, "descriptors", "all", ("all", *counts, "none"))
        self._counts = {name: count for name, count in counts.items() if wanted in ("all", name)}
        self._binary = _field(hello, "format", "json", ("json", "binary")) == "binary"
        self._size = channels * _DTYPES[dtype] * rate  # bytes of a second
        level, hop = hello.get("level"), hello.get("hop")
        source = server.hub.source(rate, channels, dtype=dtype, level=level, hop=hop)
        try:
            judge = server.head and server.head.judge(server.extractor, level=level, hop=hop)
        except ModelError as error:
            raise _Refusal("value", "level and hop: expected those that the head of this server was fitted with") from error
        self.cost = server.hop / (hop or server.hop)
        server.admit(self.cost)
        ready = {"type": "ready", "protocol": PROTOCOL, "model": config.name, "version": config.version, "rate": rate}
        self._ready = {**ready, "hop": server.hop / self.cost, "descriptors": self._counts}
        return source, judge

    async def _message(self, patience: float) -> bytes | str:
        """The next message; a client that sends very many of them waits."""
        try:
            message = await asyncio.wait_for(self._websocket.receive(), patience)
        except TimeoutError as error:
            raise _Refusal("idle", f"nothing was sent for {patience:g} s") from error
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        kind = "bytes" if message.get("bytes") is not None else "text"
        content: bytes | str = message[kind]
        if len(content) > _LARGEST[kind]:
            raise _Refusal("size", f"a message of {len(content)}: expected {_LARGEST[kind]} at most", 1009)
        now = time.monotonic()
        self._turn = max(self._turn, now - 1) + 1 / _MESSAGES[kind]
        await asyncio.sleep(max(0.0, self._turn - now))
        return content

    async def _receive(self, source: Source) -> None:
        """Push what arrives, until the client has finished."""
        while True:
            content = await self._message(self._server.idle)
            if isinstance(content, bytes):
                await self._push(source, content)
            elif (message := _read(content, "lost", "finish"))["type"] == "finish":
                return source.finish()
            else:
                count = _field(message, "count", 0, range(86_400 * source.rate))
                source.skip(count)
                self._seconds += count / source.rate
                self._arrived.clear()

    async def _push(self, source: Source, content: bytes) -> None:
        """Push a message, a second at a time, as fast as it is computed."""
        for start in range(0, len(content), self._size):
            piece = content[start : start + self._size]
            now = time.monotonic()
            self._began = self._began or now - len(piece) / self._size
            self._seconds += len(piece) / self._size
            self._arrived.append((self._seconds, max(now, self._began + self._seconds)))
            self._bytes += len(piece)
            self._server.bytes.inc(len(piece))
            source.push(piece)
            await source.drain()

    async def _send(self, source: Source, judge: Any) -> None:
        """Send the frames, with decisions where there is a head."""
        async for frame in source:
            while self._arrived and self._arrived[0][0] < frame.end:
                self._arrived.popleft()
            content = {"type": "frame", **frame.place()}
            if self._arrived:
                content["latency"] = self.late = max(0.0, time.monotonic() - self._arrived[0][1])
                self._server.latency.observe(self.late)
                self._server.late.inc(self.late > self._server.hop)
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
            self._server.relieve(self)


def _read(content: bytes | str, *kinds: str) -> dict[str, Any]:
    """A message of one of these types."""
    try:  # numbers of many digits become infinite
        message = json.loads(content, parse_int=lambda text: int(text) if len(text) < 17 else float(text))
        if isinstance(content, str) and message["type"] in kinds:
            return dict(message)
    except (ValueError, TypeError, LookupError, RecursionError):
        pass
    raise _Refusal("message", f'expected JSON with a "type" that is one of: {", ".join(kinds)}', 1003)


def _field(message: dict[str, Any], name: str, default: Any, allowed: range | tuple[Any, ...]) -> Any:
    value = message.get(name, default)
    if type(value) is type(default) and value in allowed:
        return value
    expected = f"{allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else ", ".join(map(str, allowed))
    raise _Refusal("value", f"{name}: expected {expected}")


def _is_local(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _capacity(extractor: Extractor, hop: float) -> int:
    """How many clients the processor carries, from the time that windows take now."""
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * extractor.config.audio.rate).astype(np.float32)
    took = []
    for _ in range(4):  # the first one is slower
        begun = time.perf_counter()
        count = len(extractor.stream().push(noise))
        took.append((time.perf_counter() - begun) / max(1, count))
    return max(1, int(extractor.jobs * hop / min(took)))


def _environment() -> dict[str, Any]:
    """The arguments of `application` from the environment."""

    def setting(name: str, default: str = "") -> str:
        return os.environ.get(f"EDGEVOICE_{name}", "").strip() or default

    path, head = setting("TOKEN_FILE"), setting("HEAD")
    tokens = Path(path).read_text(encoding="utf-8").split() if path else []
    if path and not tokens:
        raise ArgumentError(f"EDGEVOICE_TOKEN_FILE: {path} is empty: expected a token, or several, one a line")
    try:
        clients, idle = int(setting("CLIENTS", "0")) or None, float(setting("IDLE", "60"))
    except ValueError as error:
        raise ArgumentError(f"EDGEVOICE_CLIENTS, EDGEVOICE_IDLE: expected numbers ({error})") from error
    return {
        "extractor": load(setting("MODEL", "cae-256")),
        "tokens": tokens,
        "head": import_module("edgevoice.heads.head").load_head(head) if head else None,
        "origins": setting("ORIGINS").replace(",", " ").split(),
        "clients": clients,
        "idle": idle,
    }


app = application()

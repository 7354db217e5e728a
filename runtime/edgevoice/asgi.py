"""A hub as an ASGI application: a WebSocket for each live source, health, metrics, and a page that shows it.

    EDGEVOICE_TOKEN_FILE=token uvicorn edgevoice.asgi:app --timeout-graceful-shutdown 8

The documentation's page "A server" has the protocol, and how to deploy it.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import hmac
import ipaddress
import logging
import os
import re
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevoice.audio.samples import as_float
from edgevoice.errors import ArgumentError, EdgeVoiceError, MissingPackageError
from edgevoice.extractor import Extractor, load
from edgevoice.heads.head import load_head
from edgevoice.hub import Hub
from edgevoice.wholenumbers import parse_whole, whole_number

try:
    import prometheus_client as prometheus
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Mount, Route, WebSocketRoute
    from starlette.staticfiles import StaticFiles
    from starlette.websockets import WebSocket

    from edgevoice.protocol import Client, Refusal
except ImportError as error:
    raise MissingPackageError("the server needs Starlette and others: pip install 'edgevoice[cpu,server]'") from error

_BACKLOG = 2.0  # seconds of a source; no more is read of its client until half of it is free
FULL = 0.6  # share of the threads' time that windows and messages of all clients may take; of the event loop's too
ADMITTED = 0.2  # share of a hop by which most clients may be late when another one comes
_TICK = 0.1  # seconds between looks at the event loop's own time
_RECENT = 0.1  # share of the newest look in its mean
_LATE = 0.5  # seconds by which most clients are late when the newest one has to go
_TOO_LATE = ("late", "the server is late with its frames: try again later", 1013)
_PAGE = Path(__file__).parent / "page"
_log = logging.getLogger("uvicorn.edgevoice")  # below a logger that uvicorn shows


def application(
    extractor: Extractor,
    *,
    tokens: Sequence[str] = (),
    head: Any = None,
    origins: Sequence[str] = (),
    clients: int | None = None,
    idle: float = 60.0,
) -> Starlette:
    """Make an application, to be run or mounted. `edgevoice.asgi.app` is one with settings from the environment.

    Args:
        extractor: a loaded model.
        tokens: a client must know one of them, text without blanks. Without any, only clients on this machine are served.
        head: a loaded head, whose decisions come with the frames.
        origins: pages of others that may connect, such as `https://example.org`.
        clients: how many are served at once; as many as the processor carries if None. While frames are late, no more.
        idle: a client that sends nothing, or reads none of its frames, for this long is closed, in seconds.

    Raises:
        ArgumentError: an argument is outside what is allowed.
        HeadError: the head was fitted with another model.
    """
    server = Server(extractor, tokens, head, origins, clients, idle)

    @contextlib.asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        yield
        await server.end()

    page = StaticFiles(directory=_PAGE, html=True)
    page.all_directories.append(_PAGE.parents[2] / "js" / "src")  # a checkout has there what wheels have in the folder
    routes = [WebSocketRoute("/stream", server.serve), Route("/metrics", server.read_metrics)]
    routes += [Route(path, server.health) for path in ("/healthz", "/healthz/ready")]
    made = Starlette(routes=[*routes, Mount("/", page)], lifespan=lifespan)
    made.state.server = server
    return made


def carried(extractor: Extractor, window: float, busy: float) -> int:
    """How many live clients threads and event loop have time for; a window takes `window` seconds, the loop is busy."""
    hop = extractor.config.audio.hop / extractor.config.audio.rate
    return int((FULL * extractor.jobs - busy) * hop / max(window, 1e-6)) if busy < FULL else 0


class Server:
    """What the clients share."""

    def __init__(
        self,
        extractor: Extractor,
        tokens: Sequence[str],
        head: Any,
        origins: Sequence[str],
        clients: int | None,
        idle: float,
    ) -> None:
        self.hub = Hub(extractor, backlog=_BACKLOG)
        tokens, origins = ([names] if isinstance(names, str) else list(names) for names in (tokens, origins))
        if not all(isinstance(token, str) and token.isprintable() and token.split() == [token] for token in tokens):
            raise ArgumentError("tokens: expected text without blanks, one character at least")
        for origin in origins:
            if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\sA-Z]+", origin):
                raise ArgumentError(f"origin {origin!r}: expected a scheme and a host, such as https://example.org")
        if not 0 < as_float(idle) < float("inf"):
            raise ArgumentError(f"idle {idle!r}: expected seconds, above 0")
        if head is not None:
            if not hasattr(head, "judge"):
                raise ArgumentError(f"head {head!r}: expected one that `load_head` has loaded")
            head.judge(extractor)
        self.extractor, self.head, self.idle = extractor, head, float(idle)
        self.hop = extractor.config.audio.hop / extractor.config.audio.rate
        self.clients: list[Client] = []
        self._tokens, self._origins = [token.encode() for token in tokens], set(origins)
        self._most = None if clients is None else whole_number("clients", clients, 1, 1 << 20)
        self._window_time = _window_time(extractor)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._relieved = self.busy = self._lag = 0.0  # of the event loop: its share of computing, how late it is
        self._registry = own = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=own)
        prometheus.Gauge("edgevoice_clients", "Clients served", registry=own).set_function(lambda: len(self.clients))
        prometheus.Gauge("edgevoice_loop_busy", "Share of the loop's time", registry=own).set_function(lambda: self.busy)
        window = prometheus.Gauge("edgevoice_window_seconds", "Time of a thread for a window", registry=own)
        window.set_function(lambda: self.hub.window_time)
        self.frames = prometheus.Counter("edgevoice_frames", "Frames sent", registry=own)
        self.late = prometheus.Counter("edgevoice_late_frames", "Frames later than a hop", registry=own)
        self.latency = prometheus.Histogram("edgevoice_latency_seconds", "From a window's end to its frame", registry=own)
        self.bytes = prometheus.Counter("edgevoice_received_bytes", "Sound received", registry=own)
        self.refused = prometheus.Counter("edgevoice_refused", "Clients refused or ended", ["code"], registry=own)
        _log.info("%s, %d clients at most, %s", extractor.config.name, self.capacity, "tokens" if tokens else "local only")

    async def begin(self) -> None:
        """Start the hub in the event loop that runs: mounted in another application, it learns of it by its first client."""
        if self._loop is not (loop := asyncio.get_running_loop()):  # a test's client has one for each connection
            self._loop, self.hub = loop, Hub(self.extractor, backlog=_BACKLOG)
            logging.getLogger("uvicorn.error").addFilter(_is_own)
            await self.hub.__aenter__()
            now = time.monotonic()
            loop.call_later(_TICK, self._look, now + _TICK, now, time.thread_time())

    async def end(self) -> None:
        """End the hub; the next client begins another."""
        self._loop = None
        await self.hub.__aexit__()

    async def health(self, request: Request) -> Response:
        """Answer whether it takes clients; of `/healthz/ready` the status says so too."""
        reason = None
        try:
            self.admit(1.0)
        except Refusal as refusal:
            reason = str(refusal)
        status = 503 if reason and request.url.path.endswith("/ready") else 200
        return JSONResponse({"alive": True, "ready": not reason, "reason": reason}, status)

    async def read_metrics(self, _: Request) -> Response:
        """Answer Prometheus."""
        return Response(prometheus.generate_latest(self._registry), media_type=prometheus.CONTENT_TYPE_LATEST)

    @property
    def capacity(self) -> int:
        """How many clients with the model's hop are served, at least 1; as many as it carries where nobody has said."""
        return self._most or max(1, carried(self.extractor, self.hub.window_time or self._window_time, self.busy))

    def admit(self, cost: float) -> None:
        """Refuse a client that would make the others late; one with the model's hop costs 1."""
        if sum(client.cost for client in self.clients) + cost > self.capacity:
            raise Refusal("full", "the server has as many clients as it carries: try again later", 1013)
        if self.lateness() > ADMITTED * self.hop:
            raise Refusal(*_TOO_LATE)

    def relieve(self) -> None:
        """End the newest client where most are much too late, one a second, so that the others are served."""
        now = time.monotonic()
        if len(self.clients) > 1 and now > self._relieved + 1:
            self._relieved = now
            if self.lateness() > _LATE:
                self.clients[-1].end(Refusal(*_TOO_LATE))

    def lateness(self) -> float:
        """By how much the newest frames of most live clients are late, or the event loop itself, in seconds."""
        late = statistics.median_low([client.late for client in self.clients if client.late is not None] or [0.0])
        return max(late, self._lag)

    def strain(self) -> float:
        """How near it is to refusing clients because frames are late or the event loop is full: 1 is there."""
        return max(self.lateness() / (ADMITTED * self.hop), self.busy / FULL)

    def _look(self, due: float, then: float, used: float) -> None:
        """Follow the event loop's own time: messages wait for it before anything else knows of them."""
        now, computed = time.monotonic(), time.thread_time()
        self.busy += _RECENT * ((computed - used) / (now - then) - self.busy)
        self._lag += _RECENT * (min(now - due, 1.0) - self._lag)
        if (loop := asyncio.get_running_loop()) is self._loop:
            loop.call_later(_TICK, self._look, now + _TICK, now, computed)

    def permits(self, websocket: WebSocket, token: object) -> bool:
        """Whether it is served: it knows a token, or none is needed and it is on this machine."""
        if self._tokens:
            header = websocket.headers.get("authorization", "")
            given = header[7:] if header[:7].lower() == "bearer " else token if isinstance(token, str) else ""
            return any(hmac.compare_digest(given.strip().encode(errors="replace"), own) for own in self._tokens)
        proxied = {"forwarded", "via", "x-forwarded-for", "x-real-ip"} & set(websocket.headers)
        # Another host's name is that of a page whose address was made to be this machine's.
        named = re.sub(r":\d+$", "", websocket.headers.get("host", "")).strip("[]")
        return not proxied and _is_local(named) and websocket.client is not None and _is_local(websocket.client.host)

    async def serve(self, websocket: WebSocket) -> None:
        """Serve a client until it goes."""
        await self.begin()
        origin = websocket.headers.get("origin")
        if origin is None or origin in self._origins or origin.partition("://")[2] == websocket.headers.get("host"):
            await websocket.accept()
            await Client(self, websocket).run()
        else:
            self.refused.labels("origin").inc()
            await websocket.close()  # with status 403, as it was not accepted


def _is_own(record: logging.LogRecord) -> bool:
    """False of a client's text that is not UTF-8, which uvicorn logs with a traceback, as if the server were at fault."""
    return not record.getMessage().startswith("Invalid UTF-8")


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _window_time(extractor: Extractor) -> float:
    """How long a window takes, in seconds, before the first client has come."""
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * extractor.config.audio.rate).astype(np.float32)
    took = []
    for _ in range(4):  # the first one is slower
        begun = time.perf_counter()
        count = len(extractor.stream().push(noise))
        took.append((time.perf_counter() - begun) / max(1, count))
    return min(took)


def _read_tokens(path: str) -> list[str]:
    """The tokens in a file, as any system's shell writes it: UTF-8, or UTF-16 with its mark."""
    try:
        data = Path(path).read_bytes()
        encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        tokens = data.decode(encoding).split()
    except (OSError, UnicodeError) as error:
        raise ArgumentError(f"EDGEVOICE_TOKEN_FILE: cannot be read as text in UTF-8 or UTF-16 ({error})") from error
    if not tokens:
        raise ArgumentError(f"EDGEVOICE_TOKEN_FILE: {path} is empty: expected a token, or several, one a line")
    return tokens


def _of_environment() -> Starlette:
    def setting(name: str, default: str = "") -> str:
        return os.environ.get(f"EDGEVOICE_{name}", "").strip() or default

    tokens, head, clients = setting("TOKEN_FILE"), setting("HEAD"), setting("CLIENTS")
    try:
        idle = float(setting("IDLE", "60"))
    except ValueError as error:
        raise ArgumentError(f"EDGEVOICE_IDLE {setting('IDLE')!r}: expected seconds, above 0") from error
    return application(
        load(setting("MODEL", "cae-256")),
        tokens=_read_tokens(tokens) if tokens else (),
        head=load_head(head) if head else None,
        origins=setting("ORIGINS").replace(",", " ").split(),
        clients=parse_whole("EDGEVOICE_CLIENTS", clients, 1, 1 << 20) if clients else None,
        idle=idle,
    )


def __getattr__(name: str) -> Starlette:
    """`app`: the application that the environment describes, made when it is first asked for."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        globals()[name] = made = _of_environment()
    except EdgeVoiceError as error:  # one line, as every command has it: a server would show where it was raised too
        _log.critical("%s", error)
        raise SystemExit(error.exit_code) from error
    return made

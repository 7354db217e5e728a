"""Frames for many clients over WebSockets: each sends the sound of its microphone, and gets its frames back.

    pip install 'edgevoice[cpu]' websockets
    python websocket_server.py [--port 8765] [--model cae-256]

Open the address that it prints in a browser, in several windows if you like. The server listens on this machine alone,
and takes only clients that know the token in that address; before it is reached from elsewhere, put it behind a server
that encrypts (browsers give a microphone to pages of https and of localhost alone).

A client connects to `/audio?token=TOKEN&rate=RATE` and sends 16-bit samples, little-endian, mono, in messages of any length;
a text message `{"lost": N}` says that N samples were lost. It gets a JSON object for each frame, as
`edgevoice stream` writes them. A client that does not read is closed with the reason, and what goes wrong with one of them
does not touch the others.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import secrets
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

import edgevoice

HERE = Path(__file__).parent
PAGE = {
    "/": (HERE / "websocket_client" / "index.html", "text/html; charset=utf-8"),
    "/client.js": (HERE / "websocket_client" / "client.js", "text/javascript"),
    "/worklet.js": (HERE.parent / "js" / "src" / "worklet.js", "text/javascript"),
}


class Server:
    """What the connections share: one hub, whose model is loaded once."""

    def __init__(self, hub: edgevoice.Hub, token: str) -> None:
        self._hub, self._token = hub, token

    def answer(self, _: ServerConnection, request: Request) -> Response | None:
        """The page; a refusal; or None, where a client may connect."""
        address = urlsplit(request.path)
        if address.path in PAGE:
            path, kind = PAGE[address.path]
            return _response(HTTPStatus.OK, path.read_bytes(), kind)
        if address.path != "/audio":
            return _response(HTTPStatus.NOT_FOUND, b"there is a page at / and there are clients at /audio\n")
        token = parse_qs(address.query).get("token", [""])[0]
        if not secrets.compare_digest(token.encode(), self._token.encode()):
            return _response(HTTPStatus.FORBIDDEN, b"wrong token: use the address that the server printed\n")
        return None

    async def serve(self, client: ServerConnection) -> None:
        """Take the sound of one client, and give it its frames, until it goes."""
        assert client.request is not None
        query = parse_qs(urlsplit(client.request.path).query)
        try:
            rate = int(query.get("rate", ["16000"])[0])
            async with self._hub.source(rate) as source, asyncio.TaskGroup() as tasks:
                tasks.create_task(_send(client, source))
                tasks.create_task(_receive(client, source))
        except* ConnectionClosed:
            pass  # it has gone, and its source with it
        except* (ValueError, LookupError, TypeError, edgevoice.EdgeVoiceError) as errors:
            failure: BaseException = errors
            while isinstance(failure, BaseExceptionGroup):
                failure = failure.exceptions[0]
            await client.close(1008, str(failure).encode()[:120].decode(errors="ignore"))


async def _receive(client: ServerConnection, source: edgevoice.Source) -> None:
    async for message in client:
        if isinstance(message, bytes):
            source.push(message)
        else:
            source.skip(json.loads(message)["lost"])
    source.close()  # it has gone: nobody wants what waits


async def _send(client: ServerConnection, source: edgevoice.Source) -> None:
    async for frame in source:
        await client.send(json.dumps(frame.to_dict()))


def _response(status: HTTPStatus, body: bytes, kind: str = "text/plain") -> Response:
    headers = Headers([("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")])
    return Response(status, status.phrase, headers, body)


async def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8765, help="0 takes a free one (8765)")
    parser.add_argument("--model", default="cae-256")
    options = parser.parse_args()
    token = secrets.token_urlsafe(16)
    async with edgevoice.Hub(edgevoice.load(options.model)) as hub:
        server = Server(hub, token)
        async with serve(server.serve, "127.0.0.1", options.port, process_request=server.answer) as listening:
            port = listening.sockets[0].getsockname()[1]
            print(f"http://127.0.0.1:{port}/#{token}", flush=True)
            await listening.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())

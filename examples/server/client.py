"""Send a WAV file of 16 bits to a server, and print its frames: client.py wss://example.org/stream speech.wav [TOKEN].

pip install websockets
"""

import asyncio
import contextlib
import json
import sys
import wave

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


async def send(socket: ClientConnection, sound: wave.Wave_read) -> None:
    """Send all of it: the server reads no faster than it computes."""
    with contextlib.suppress(ConnectionClosed):
        while block := sound.readframes(sound.getframerate() // 10):
            await socket.send(block)
        await socket.send(json.dumps({"type": "finish"}))


async def main(address: str, path: str, token: str = "") -> None:
    """Print a line for each frame, as it comes."""
    with wave.open(path, "rb") as sound:
        hello = {"type": "hello", "token": token, "rate": sound.getframerate(), "channels": sound.getnchannels()}
        # The answer to a ping comes after the sound that waits before it.
        async with connect(address, ping_timeout=None) as socket, asyncio.TaskGroup() as tasks:
            await socket.send(json.dumps(hello))
            tasks.create_task(send(socket, sound))
            with contextlib.suppress(ConnectionClosed):
                async for message in socket:
                    print(message, flush=True)
        if socket.close_code != 1000:
            sys.exit(f"{socket.close_code} {socket.close_reason}")


asyncio.run(main(*sys.argv[1:]))

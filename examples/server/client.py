"""Send a WAV file of 16 bits to a server, and print its frames: client.py wss://example.org/stream speech.wav [TOKEN].

pip install websockets
"""

import asyncio
import json
import sys
import wave

from websockets.asyncio.client import ClientConnection, connect


async def send(socket: ClientConnection, sound: wave.Wave_read) -> None:
    """Send all of it: the server reads no faster than it computes."""
    while block := sound.readframes(sound.getframerate() // 10):
        await socket.send(block)
    await socket.send(json.dumps({"type": "finish"}))


async def main(address: str, path: str, token: str = "") -> None:
    """Print a line for each frame, as it comes."""
    with wave.open(path, "rb") as sound:
        hello = {"type": "hello", "token": token, "rate": sound.getframerate(), "channels": sound.getnchannels()}
        async with connect(address) as socket, asyncio.TaskGroup() as tasks:
            await socket.send(json.dumps(hello))
            tasks.create_task(send(socket, sound))
            async for message in socket:
                print(message)


asyncio.run(main(*sys.argv[1:]))

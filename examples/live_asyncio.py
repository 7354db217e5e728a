"""Frames in an asyncio program, beside its other tasks.

pip install '.[cpu,mic]'
python live_asyncio.py [SECONDS]
"""

from __future__ import annotations

import asyncio
import sys

import edgevoice


async def listen(seconds: float) -> None:
    """Print a line for each frame. Opening and computing happen in threads; the event loop goes on."""
    microphone = await asyncio.to_thread(edgevoice.Microphone, edgevoice.load("cae-256"), seconds=seconds)
    with microphone:
        async for frame in microphone:
            print(f"{frame.end:.2f} s  {frame.loudness:.1f} dB", flush=True)


async def count() -> None:
    """Another task of the program."""
    for k in range(10_000):
        await asyncio.sleep(1.0)
        print(f"{k + 1} s have passed", flush=True)


async def main(seconds: float = 10.0) -> None:
    """Run both until the microphone has ended."""
    counting = asyncio.create_task(count())
    await listen(seconds)
    counting.cancel()


if __name__ == "__main__":
    asyncio.run(main(*map(float, sys.argv[1:2])))

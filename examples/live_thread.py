"""Frames in a thread of their own, while the program does something else.

    pip install '.[cpu,mic]'
    python live_thread.py [SECONDS]

The thread listens and computes; the program takes from a queue what has come since it last looked, as a game does in each
turn. An error of the microphone arrives in the same queue.
"""

from __future__ import annotations

import queue
import sys
import threading
import time

import edgevoice


class Listener:
    """A microphone in a thread."""

    def __init__(self, extractor: edgevoice.Extractor) -> None:
        self.frames: queue.SimpleQueue[edgevoice.LiveFrame | edgevoice.MicrophoneError] = queue.SimpleQueue()
        self._extractor = extractor
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def close(self) -> None:
        """End the thread, and wait for it."""
        self._stop.set()
        self._thread.join()

    def _listen(self) -> None:
        try:
            with edgevoice.Microphone(self._extractor) as microphone:
                while not self._stop.is_set():
                    if frame := microphone.read(timeout=0.1):
                        self.frames.put(frame)
        except edgevoice.MicrophoneError as error:
            self.frames.put(error)


def main(seconds: float = 10.0) -> None:
    """Print what has come, ten times a second."""
    listener = Listener(edgevoice.load("cae-256"))
    try:
        for _ in range(round(10 * seconds)):
            time.sleep(0.1)  # what the program does
            while not listener.frames.empty():
                frame = listener.frames.get()
                if isinstance(frame, Exception):
                    raise frame
                print(f"{frame.end:.2f} s  {frame.loudness:.1f} dB", flush=True)
    finally:
        listener.close()


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))

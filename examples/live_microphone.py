"""Frames of the microphone as they come, until Ctrl-C.

pip install '.[cpu,mic]'
python live_microphone.py [MODEL]
"""

from __future__ import annotations

import sys

import edgevoice


def main(model: str = "cae-256") -> None:
    """Print a line for each frame."""
    with edgevoice.Microphone(edgevoice.load(model)) as microphone:
        print(f"{microphone.device.name}, {microphone.rate} Hz", flush=True)
        try:
            for frame in microphone:
                state = "silent" if frame.silent else f"{frame.loudness:5.1f} dB"
                print(f"{frame.end:7.2f} s  {state}  late by {1000 * frame.latency:.1f} ms", flush=True)
        except KeyboardInterrupt:
            print(microphone.summary())


if __name__ == "__main__":
    main(*sys.argv[1:2])

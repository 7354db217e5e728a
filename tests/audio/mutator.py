"""Damages files at random and reads them, in a process of its own: `mutator.py COUNT FILE...`."""

from __future__ import annotations

import io
import random
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path

from edgevoice.audio.files import open_source
from edgevoice.errors import AudioError


def mutated(content: bytes, seed: int) -> bytes:
    """Some bytes flipped, removed, doubled or zeroed; mostly in the header."""
    draw, changed = random.Random(seed), bytearray(content)
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(1 + min(len(changed), draw.choice([64, 512, len(content)])))
        size = draw.choice([1, 1, 4, 300, 5000])
        piece = changed[at : at + size]
        changed[at : at + size] = draw.choice(
            [bytes(len(piece)), b"", piece * 2, draw.randbytes(size), b"\xff" * len(piece)]
        )
    return bytes(changed[: draw.randrange(len(content))] if draw.random() < 0.2 else changed)


def main(count: int, paths: list[str]) -> None:
    """Read each file with `count` damages; nothing but an AudioError may come, in a reasonable time."""
    warnings.simplefilter("ignore")
    for path in paths:
        content = Path(path).read_bytes()
        for seed in range(count):
            begin = time.monotonic()
            with suppress(AudioError):
                audio = io.BytesIO(mutated(content, seed))
                with open_source(audio, incomplete="keep" if seed % 2 else "error") as source:
                    for start, end in ((1.5, 2.1), (0.2, 0.4), (2.0, 3.0), (0, None)):
                        with suppress(AudioError):
                            sum(map(len, source.segment(start, end).blocks()))
            if time.monotonic() - begin > 20:
                sys.exit(f"{path}, seed {seed}: took {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

"""How many live streams this machine holds: paced in real time, frames counted only if they come in time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.extractor import Extractor

CHUNK = 0.1
"""The length of the audio that arrives at once, in seconds."""
LATENESS = 0.05
"""The largest 99th percentile of the time from the arrival of a window's last sample to its frame, in seconds."""
_GATHER = 0.02
"""The time between two checks for new audio, in seconds; windows that become due in between are computed together."""
_AHEAD = 5
"""The number of chunks after which window ends and chunk ends coincide again, with the usual hop of 250 ms."""
_SETTLE = 1.0
"""Seconds at the start that do not count, because all first windows are due at once."""


class Load(NamedTuple):
    """What is played, again and again: samples (samples,) at the model's rate, to streams with a level and a hop."""

    extractor: Extractor
    samples: NDArray[np.float32]
    level: str | float
    hop: float | None = None


@dataclass(frozen=True)
class LiveStreams:
    """The largest number of streams that the machine held."""

    count: int
    threads: int
    """Threads, each with its own batches; all share one extractor."""
    p50_ms: float
    """From the arrival of a window's last sample to its frame, at this number of streams."""
    p99_ms: float


def hold_streams(load: Load, expected: int, threads: int, seconds: float = 8.0) -> LiveStreams:
    """Find the largest number of streams by bisection, up to twice the expected one and to 2 % of it.

    Each number of streams is held for some seconds, two hops at least; `threads` compute, one per core.
    """
    low, high, held = 0, 2 * expected, (0.0, 0.0)
    seconds = max(seconds, _SETTLE + 2 * (load.hop or 0.0))
    while high - low > max(1, 0.02 * expected):
        count = (low + high) // 2
        p50, p99 = np.percentile(play(load, count, threads, seconds), [50, 99]).tolist()
        if p99 <= LATENESS:
            low, held = count, (1e3 * p50, 1e3 * p99)
        else:
            high = count
    return LiveStreams(low, threads, *held)


def play(load: Load, count: int, threads: int, seconds: float) -> NDArray[np.float64]:
    """Play to `count` live streams for some seconds; return the lateness of each frame in seconds, (frames,).

    The streams begin at different times, so that the ends of their windows are evenly spread: chunks of a stream arrive
    every 100 ms, those of the others in between, and they are up to half a second ahead of each other. Frames that have
    not come at the end count as late as they are by then.
    """
    begin = time.perf_counter() + 0.1
    late: list[float] = []
    shares = [(load, range(k, count, threads), count, begin, begin + seconds, late) for k in range(threads)]
    players = [threading.Thread(target=_serve, args=share, daemon=True) for share in shares]
    for player in players:
        player.start()
    for player in players:
        player.join()
    return np.array(late)


def _serve(load: Load, numbers: range, count: int, begin: float, end: float, late: list[float]) -> None:
    """Serve some of the streams between two times of the clock."""
    extractor, samples = load.extractor, load.samples
    size, batcher = round(CHUNK * extractor.config.audio.rate), extractor.batcher()
    chunks = [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]
    streams = [extractor.stream(batcher=batcher, level=load.level, hop=load.hop) for _ in numbers]
    phases = [CHUNK * number / count for number in numbers]
    for stream, number in zip(streams, numbers, strict=True):
        for chunk in chunks[: number % _AHEAD]:
            stream.push(chunk)
    arrival = dict(zip(streams, phases, strict=True))  # of the last chunk pushed
    turn, place = 0, 0
    while streams:
        # All chunks that have arrived by now, in the order of their arrival.
        now = time.perf_counter()
        while (due := begin + CHUNK * turn + phases[place]) <= now:
            stream = streams[place]
            stream.push(chunks[(turn + numbers[place]) % len(chunks)])
            arrival[stream] = due
            place += 1
            if place == len(streams):
                turn, place = turn + 1, 0
            if time.perf_counter() - now > LATENESS / 4:
                break  # frames must not wait for more and more chunks
        batcher.flush()
        for stream, _ in batcher.take():
            if arrival[stream] >= begin + _SETTLE:
                late.append(time.perf_counter() - arrival[stream])
        if now >= end:
            # A thread that is too slow ends before it has seen all chunks.
            late.extend([now - due] * (len(streams) if now - due > LATENESS else 0))
            return
        time.sleep(max(0.0, min(max(due, now + _GATHER), end) - time.perf_counter()))

"""One whole measurement."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import edgevoice
from edgevoice.bench.livestreams import LiveStreams
from edgevoice.bench.machine import Machine
from edgevoice.bench.processes import Process
from edgevoice.bench.reference import Check
from edgevoice.bench.report import Report
from edgevoice.bench.stages import batch_calls, stage_calls
from edgevoice.bench.timing import time_calls
from edgevoice.extractor import Extractor

ROUNDS = 1000
"""The number of times per stage: enough for a 99.9th percentile."""
STARTS = 9
_WINDOWS_PER_EXTRACT = 32


def run_benchmark(
    extractor: Extractor,
    *,
    threads: int = 1,
    rounds: int = ROUNDS,
    starts: int = STARTS,
    stream_threads: int = 0,
    progress: Callable[[str, int], object] | None = None,
) -> Report:
    """Check a loaded model's numbers, then time it.

    Args:
        extractor: the model, on its device.
        threads: those that the extractor was loaded with.
        rounds: times taken of each stage.
        starts: processes started to time their start.
        stream_threads: threads to hold as many live streams as possible with, for about a minute; 0 leaves that out.
        progress: called with what is being done, and what has been done since the last call, in percent.

    Raises:
        ProviderError: the numbers are not those of the reference; nothing is timed then.
    """
    tell = progress or (lambda _, __: None)
    config, folder = extractor.config, extractor.folder
    samples = noise(config.audio.window + (_WINDOWS_PER_EXTRACT - 1) * config.audio.hop)
    tell("check", 0)
    check = Check.of(extractor, samples)

    done = 0.0

    def advance(count: int) -> None:
        nonlocal done
        done += 80 * count / rounds
        if done >= 1:
            tell("stages", int(done))
            done -= int(done)

    timings = time_calls(stage_calls(extractor, samples, threads), rounds, progress=advance)
    tell("extract", 0)
    timings |= time_calls(batch_calls(extractor, samples), max(3, rounds // 20), warm_up=1)
    tell("processes", 5)
    process = Process.measure(str(folder.path), extractor.device, threads, starts)
    live = None
    if stream_threads:
        tell("streams", 0)
        network = sum(timings[name].median for name in ("encoder", "decoder") if name in timings)
        live = LiveStreams.measure(extractor, samples, network=network, threads=stream_threads)
    tell("done", 15)
    return Report(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=Machine.this(),
        model=f"{config.name} {config.version}",
        files=dict(config.files),
        device=extractor.device,
        threads=threads,
        hop=config.audio.hop / config.audio.rate,
        check=check,
        timings=timings,
        process=process,
        package_size=_size(Path(edgevoice.__file__).parent, "*.py"),
        live=live,
        model_size=sum((folder.path / name).stat().st_size for name in config.files),
    )


def noise(count: int) -> NDArray[np.float32]:
    """White noise (count,) with a tenth of full scale, the same at every call."""
    return (0.1 * np.random.default_rng(0).standard_normal(count)).astype(np.float32)


def _size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern))

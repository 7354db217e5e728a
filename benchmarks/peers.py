"""EdgeVoice beside other programs: the same recording, each program in its own process, in turns.

    python -m benchmarks.peers --disvoice disvoice-0.1.10-py3-none-any.whl

writes benchmarks/results/peers.json. Where two programs compute the same thing, their numbers are compared first; the
benchmark stops where they differ. Every peer is measured twice: held to one thread, and as it comes.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile
from packaging.requirements import Requirement

from benchmarks.measuring import RESULTS, ROOT, SPEECH, in_turns
from benchmarks.peer_programs import PEERS
from benchmarks.sources import published_folders
from edgevoice.bench.machine import PACKAGES, Machine

VERSIONS = (*PACKAGES, "torch", "librosa", "opensmile", "pyAudioAnalysis")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")
_SAME = (
    ("edgevoice-disvoice-cae", "disvoice-cae", 1e-4),
    ("edgevoice-disvoice-rae", "disvoice-rae", 1e-4),
    ("edgevoice", "pytorch", 1e-4),
    ("edgevoice", "pytorch-compiled", 1e-4),
)
"""Programs that compute the same numbers, with the largest allowed difference: that of float32 sums in another order."""


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disvoice", type=Path, metavar="WHEEL", help="DisVoice 0.1.10; left out without it")
    parser.add_argument("--rounds", type=int, default=30, help="runs of each peer that are timed (default: 30)")
    parser.add_argument("--starts", type=int, default=5, help="starts of each peer that are timed (default: 5)")
    parser.add_argument("--out", type=Path, default=RESULTS / "peers.json", help="the JSON to write (default: %(default)s)")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), help="only these")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        names = [name for name in options.peers if options.disvoice or "disvoice" not in name]
        given = _disvoice(options.disvoice, scratch) if options.disvoice else {}
        audio = _dithered(scratch / SPEECH.name)
        checks = _check(names, audio, given, scratch)
        facts = soundfile.info(audio)
        windows = (facts.frames - facts.samplerate // 2) // (facts.samplerate // 4) + 1
        settings = scratch / "options.json"
        settings.write_text(json.dumps(given), encoding="utf-8")
        peers = {
            label: _measure(names, partial(PeerProcess, audio=audio, options=settings, one_thread=one), options)
            for label, one in (("one thread", True), ("default", False))
        }
    for peer in (peer for by_name in peers.values() for peer in by_name.values()):
        peer["milliseconds"] = 1e3 * median(peer["runs"]) / windows
        peer["real_time_factor"] = median(peer["runs"]) / facts.duration
    result = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": asdict(Machine.this(VERSIONS)),
        "audio": {"file": SPEECH.name, "seconds": facts.duration, "windows": windows},
        "rounds": options.rounds,
        "starts": options.starts,
        "checks": checks,
        "installed": {name: installed_size(PEERS[name].distributions) for name in names},
        "peers": peers,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{options.out}: {len(names)} peers")


def installed_size(distributions: tuple[str, ...]) -> int:
    """Bytes of the files of distributions and all they require, as they are installed here."""
    wanted, seen = list(distributions), set()
    total = 0
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        files = [Path(str(file.locate())) for file in distribution.files or ()]
        total += sum(file.stat().st_size for file in files if file.is_file())
        requirements = map(Requirement, distribution.requires or ())
        wanted += [needed.name for needed in requirements if needed.marker is None or needed.marker.evaluate({"extra": ""})]
    return total


class PeerProcess:
    """A running program that waits for commands."""

    def __init__(self, name: str, audio: Path, options: Path, one_thread: bool) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        # All modules compiled, as an installation has them: the first process does it.
        environment["PYTHONPYCACHEPREFIX"] = str(options.parent / "bytecode")
        # As EdgeVoice does: a bare import of ONNX Runtime would write into the home folder.
        environment["ORT_DISABLE_TELEMETRY"] = "1"
        environment |= dict.fromkeys(_THREADS, "1") if one_thread else {}
        begin = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peer_programs", name, str(audio), str(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        try:
            self.facts: dict[str, Any] = json.loads(self._line())
        except ValueError as error:
            self.close()
            raise SystemExit(f"{name} does not run: python -m benchmarks.peer_programs {name} ... says why") from error
        self.start = time.perf_counter() - begin

    def run(self) -> float:
        """Seconds of one more run."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()


def _measure(names: list[str], start: Callable[[str], PeerProcess], options: argparse.Namespace) -> dict[str, Any]:
    def started(name: str) -> float:
        if name in peers:
            peers[name].close()
        peers[name] = start(name)
        return peers[name].start

    peers: dict[str, PeerProcess] = {}
    starts = in_turns({name: partial(started, name) for name in names}, options.starts)
    runs = in_turns({name: peers[name].run for name in names}, options.rounds)
    for peer in peers.values():
        peer.close()
    return {
        name: {
            "title": PEERS[name].title,
            "start": median(starts[name]),
            "resident": peers[name].facts["resident"],
            "shape": peers[name].facts["shape"],
            "runs": [round(seconds, 6) for seconds in runs[name]],
            "starts": [round(seconds, 4) for seconds in starts[name]],
        }
        for name in names
    }


def _check(names: list[str], audio: Path, given: dict[str, str], scratch: Path) -> list[dict[str, Any]]:
    """Largest differences between programs that compute the same numbers; SystemExit where one is too large."""
    found = []
    for ours, theirs, tolerance in _SAME:
        if ours not in names or theirs not in names:
            continue
        values = []
        for name in (ours, theirs):
            settings, output = scratch / "check.json", scratch / f"{name}.npy"
            fixed = {"fixed level": "1"} if name == "edgevoice" else {}
            settings.write_text(json.dumps(given | fixed | {"output": str(output)}), encoding="utf-8")
            PeerProcess(name, audio, settings, one_thread=True).close()
            values.append(np.load(output))
        difference = float(np.abs(values[0] - values[1]).max())
        found.append({"peers": [ours, theirs], "difference": difference, "largest": float(np.abs(values[1]).max())})
        print(f"{ours} and {theirs}: largest difference {difference:.1e}")
        if not difference <= tolerance:
            raise SystemExit(f"{ours} and {theirs} differ by {difference:.1e}, more than {tolerance:g}")
    return found


def _dithered(path: Path) -> Path:
    """The speech of the tests with noise of one 16-bit step.

    Of digital silence, which recordings do not have, DisVoice takes the logarithm of rounding errors.
    """
    samples, rate = soundfile.read(SPEECH, dtype="int16")
    noise = np.rint(np.random.default_rng(0).standard_normal(len(samples))).astype(np.int16)
    soundfile.write(path, np.clip(samples, -32000, 32000) + noise, rate)
    return path


def _disvoice(wheel: Path, scratch: Path) -> dict[str, str]:
    """Where the programs find DisVoice's code, and its networks of 256 units as EdgeVoice's models."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch, [name for name in archive.namelist() if name.startswith("disvoice/replearning/")])
    published_folders(wheel, scratch / "models")
    return {"disvoice": str(scratch / "disvoice" / "replearning"), "models": str(scratch / "models")}


if __name__ == "__main__":
    main()

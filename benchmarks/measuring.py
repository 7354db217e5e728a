"""What the benchmarks share: turns, processes of their own, and figures as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SPEECH = ROOT / "tests" / "data" / "speech.wav"

T = TypeVar("T")


def in_turns(ways: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """What each function returns, called in turns; every second round goes backwards."""
    found: dict[str, list[T]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            found[name].append(ways[name]())
    return found


def seconds(call: Callable[..., object], *arguments: object) -> float:
    """The time that a call takes."""
    begun = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - begun


def in_process(module: str, *words: object) -> Any:
    """What `python -m benchmarks.MODULE WORDS` prints, as JSON."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, words)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def show(found: Any, path: Path | None) -> None:
    """Print figures as JSON, and write them where a file is wanted."""
    text = json.dumps(found, indent=1) + "\n"
    print(text, end="")
    if path:
        path.write_text(text, encoding="utf-8")

"""What the pages of README and documentation show: their snippets, and a place to run them in."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

BLOCK = re.compile(r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S)


class Snippet(NamedTuple):
    language: str
    code: str
    reason: str | None
    """Why it is not run."""


def snippets_of(page: str) -> list[Snippet]:
    """The fenced blocks of a page. `<!-- not run: reason -->` in the line before one keeps it from being run."""
    return [Snippet(found["language"], found["code"], found["reason"]) for found in BLOCK.finditer(page)]


def is_installation(command: str) -> bool:
    return command.startswith("python3 -m venv")


def furnish(folder: Path, speech: Path) -> dict[str, str]:
    """Put what the pages take for granted into a folder; return the environment of a user who has nothing else."""
    shutil.copy(speech, folder / "speech.wav")
    (folder / "tests" / "data").mkdir(parents=True)
    shutil.copy(speech, folder / "tests" / "data")
    samples, rate = soundfile.read(speech, dtype="int16")
    for k, speaker in enumerate(("anna", "ben", "carla")):
        (folder / "recordings" / speaker).mkdir(parents=True)
        soundfile.write(folder / "recordings" / speaker / "one.flac", samples[k * rate : (k + 3) * rate], rate)
    return {
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def run_page(snippets: list[Snippet], name: str) -> None:
    """Run the snippets of a page in order, in the current folder: Python in one namespace, commands line by line.

    A `text` block after one must be what it printed; `...` in it stands for anything.
    """
    rng = np.random.default_rng(0)
    names: dict[str, Any] = {"chunks": [rng.uniform(-0.1, 0.1, (480, 2)).astype(np.float32) for _ in range(100)]}
    printed: str | None = None
    for snippet in snippets:
        if snippet.language == "text":
            if printed is not None:
                pattern = ".*".join(map(re.escape, snippet.code.split("...")))
                assert re.fullmatch(pattern, printed, re.DOTALL), (
                    f"{name} says\n{snippet.code}\nbut what comes is\n{printed}"
                )
            printed = None
            continue
        printed = None
        if snippet.reason:
            continue
        if snippet.language == "python":
            stream = io.StringIO()
            with contextlib.redirect_stdout(stream):
                exec(compile(snippet.code, name, "exec"), names)
            printed = stream.getvalue()
        elif snippet.language == "sh":
            printed = "".join(run_command(command) for command in commands_of(snippet))


def commands_of(snippet: Snippet) -> Iterator[str]:
    for command in snippet.code.splitlines():
        if is_installation(command) or not command or "--mic" in command or command == "edgevoice devices":
            continue
        if command.startswith("ffmpeg") and not shutil.which("ffmpeg"):
            continue
        yield command


def run_command(command: str) -> str:
    result = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command}\n{result.stderr}"
    return result.stdout

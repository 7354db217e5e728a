"""Pipes that pause, readers that are slow or gone, disks that are full: everything arrives, or there is an error."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

import edgevoice
from edgevoice.cli import main

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and limits are those of POSIX")

COMMAND = [sys.executable, "-m", "edgevoice.cli"]


def pipe() -> tuple[int, int]:
    ours, theirs = os.pipe()[::-1]
    os.set_blocking(theirs, False)
    return ours, theirs


def connection() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    return ours.detach(), theirs.detach()


@pytest.fixture(params=[pipe, connection])
def source(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """A number to write to, and the non-blocking end that a command gets."""
    return request.param()


def test_input_that_pauses_is_waited_for(
    source: tuple[int, int], tiny_model: Path, tiny: edgevoice.Extractor, noise: np.ndarray
) -> None:
    ours, theirs = source
    pcm = (noise[:40_000] * 32767).astype("<i2").tobytes()
    command = [*COMMAND, "stream", "-", "--rate", "16000", "--model", str(tiny_model)]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE) as process:
        os.close(theirs)
        assert process.stdout
        time.sleep(1)  # at once there is nothing, which is not the end
        for at in range(0, len(pcm), 20_001):
            os.write(ours, pcm[at : at + 20_001])
            if at >= 20_000:
                assert process.stdout.readline()
        os.close(ours)
        process.stdout.read()
    assert process.returncode == 0


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("make", [os.pipe, socket.socketpair])
def test_a_reader_that_pauses_gets_everything(
    make: Callable[[], tuple[object, object]], unbuffered: str, tiny_model: Path, speech: Path, tiny: edgevoice.Extractor
) -> None:
    ours, theirs = (end.detach() if isinstance(end, socket.socket) else end for end in make())
    assert isinstance(ours, int)
    os.set_blocking(theirs, False)
    command = [*COMMAND, "stream", str(speech), "--model", str(tiny_model)]
    with subprocess.Popen(command, stdout=theirs, env=os.environ | {"PYTHONUNBUFFERED": unbuffered}) as process:
        os.close(theirs)
        received = b""
        while chunk := os.read(ours, 3000):
            received += chunk
            time.sleep(0.1 if len(received) < 9000 else 0)
    os.close(ours)
    assert process.returncode == 0
    frames = [json.loads(line) for line in received.splitlines()]
    values = np.array([frame["bottleneck"] + frame["error"] for frame in frames], np.float32)
    np.testing.assert_array_equal(values, tiny.extract(speech).values)


@pytest.mark.parametrize(
    ("command", "unbuffered"),
    [("extract SPEECH", "1"), ("extract SPEECH", ""), ("stream SPEECH", "1"), ("models --json", "1"), ("map --help", "1")],
)
def test_output_ends_whole_or_with_an_error(
    command: str, unbuffered: str, tiny_model: Path, speech: Path, tmp_path: Path
) -> None:
    """A file of limited size, as on a full disk, which takes all but the last bytes."""
    words = [*COMMAND, *command.replace("SPEECH", str(speech)).split()]
    words += ["--model", str(tiny_model)] * ("SPEECH" in command)
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    whole = subprocess.run(words, capture_output=True, check=True, env=environment).stdout
    blocks = (len(whole) - 1) // 512
    out = tmp_path / "out"
    limited = ["bash", "-c", f'ulimit -f {{}}; exec "$@" > {out}'.format(blocks // 2), "bash", *words]
    result = subprocess.run(limited, stderr=subprocess.PIPE, check=False, env=environment)
    assert (result.returncode, result.stderr) == (
        1,
        b"edgevoice: standard output: cannot be written (File too large)\n",
    )
    assert whole.startswith(out.read_bytes())


def test_a_reader_that_is_gone_is_no_failure(tiny_model: Path, speech: Path) -> None:
    """A socket says it in other words than a pipe."""
    for words in (["extract", str(speech), "--model", str(tiny_model)], ["models"]):
        ours, theirs = socket.socketpair()
        with subprocess.Popen([*COMMAND, *words], stdout=theirs.fileno(), stderr=subprocess.PIPE) as process:
            theirs.close()
            ours.close()
            assert process.stderr
            assert process.stderr.read() == b""
        assert process.returncode == 0


def test_a_closed_standard_output_is_an_error() -> None:
    result = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *COMMAND, "models"], capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (1, b"edgevoice: standard output: is closed\n")


def test_a_program_that_has_its_own_standard_output_gets_text(speech: Path, tiny_model: Path) -> None:
    for words, lines in ((["extract"], 32), (["stream"], 31)):
        with redirect_stdout(io.StringIO()) as out:
            assert main([*words, str(speech), "--model", str(tiny_model)]) == 0
        assert out.getvalue().count("\n") == lines

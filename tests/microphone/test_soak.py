"""Half an hour on a real audio server; EDGEVOICE_SOAK_SECONDS sets another time."""

from __future__ import annotations

import contextlib
import math
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from microphone.session import Session
from microphone.virtualmicrophone import VirtualMicrophone, speak

SECONDS = float(os.environ.get("EDGEVOICE_SOAK_SECONDS", "1800"))
OPTIONS = ("--reopen", "--seconds", str(SECONDS))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(int(SECONDS) + 120)]


def listen(session: Session, trouble: Callable[[], object]) -> str:
    """Take the frames, with some trouble every 15 to 25 s; return standard error. Every window is delivered or counted."""
    memory, due = [], 15.0
    while session.process.poll() is None:
        session.listen(1)
        with contextlib.suppress(OSError, StopIteration):  # it has just ended
            status = Path(f"/proc/{session.process.pid}/status").read_text().splitlines()
            memory.append((time.monotonic(), next(int(line.split()[1]) for line in status if "VmRSS" in line) / 1024))
        if memory[-1][0] - memory[0][0] > due:
            trouble()
            due += random.Random(due).uniform(15, 25)
    code, errors = session.end()
    assert code == 0, errors
    assert len(session.frames) + session.lost(errors) == (round(SECONDS * 16_000) - 8000) // 4000 + 1
    assert (np.diff([frame["index"] for frame in session.frames]) > 0).all()
    assert np.isfinite(session.values).all()
    # Of the second half: the largest burst of audio there was decides how much memory is kept.
    slope = np.polyfit(*np.array(memory[len(memory) // 2 :]).T, 1)[0]
    assert slope * SECONDS < 1.5, "memory grows"
    return errors


def test_calm(virtual_microphone: Callable[..., VirtualMicrophone], speech: Path) -> None:
    """Pipe, speech again and again: nothing is lost, and computing keeps up, on a machine that may be busy."""
    microphone = virtual_microphone("pipe")
    samples, rate = soundfile.read(speech, dtype="int16")
    voice = np.tile(samples, math.ceil((SECONDS + 10) * rate / len(samples))).tobytes()

    def talk() -> None:
        # When nobody listens any more, the pipe is full until its server ends.
        with contextlib.suppress(BrokenPipeError), microphone.writer() as writer:
            speak(writer, voice, rate)

    with Session(microphone, Path("cae-256"), *OPTIONS) as session:
        threading.Thread(target=talk, daemon=True).start()
        errors = listen(session, lambda: None)
    assert session.lost(errors) == 0
    assert "slow consumer 0.00" in errors or "gaps: none" in errors


def test_faults(sink: VirtualMicrophone, tiny_model: Path) -> None:
    """Null sink, a fault every 15 to 25 seconds; the clock is kept."""
    chance = random.Random(10)

    def trouble() -> None:
        fault = chance.choice(["stopped", "frozen", "suspended", "unplugged", "killed"])
        with session.stopped() if fault == "stopped" else sink.away(fault):
            time.sleep(chance.uniform(0.1, 3))

    with Session(sink, tiny_model, *OPTIONS) as session:
        listen(session, trouble)
    # A suspension that ends before it is noticed leaves up to 0.1 s of the clock behind; most others leave less.
    elapsed = session.frames[-1]["arrived"] - session.frames[0]["arrived"]
    assert elapsed == pytest.approx(SECONDS - 0.5, abs=2 + 0.1 * SECONDS / 20)

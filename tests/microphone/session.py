"""`edgevoice stream --mic` as a process of its own, listening to a virtual microphone."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from microphone.virtualmicrophone import VirtualMicrophone

PATIENCE = 30
"""Seconds after which a process that should have ended is killed."""


class Session:
    """The process: a context that kills it in the end."""

    def __init__(self, microphone: VirtualMicrophone, model: Path, *options: str) -> None:
        command = [sys.executable, "-m", "edgevoice.cli", "stream", "--mic", "--model", str(model), *options]
        self._errors = microphone.folder / "errors"
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                command, env=microphone.environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self.frames: list[dict[str, Any]] = []
        self._arrived: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._arrived.put({**json.loads(line), "arrived": time.monotonic()})
        self._arrived.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self._reader.join()
        self.process.communicate()

    def wait_for(self, count: int) -> None:
        """Wait until there are so many frames."""
        deadline = time.monotonic() + PATIENCE
        while len(self.frames) < count:
            frame = self._arrived.get(timeout=max(0.1, deadline - time.monotonic()))
            assert frame is not None, f"ended after {len(self.frames)} frames: {self._errors.read_text()}"
            self.frames.append(frame)

    def listen(self, seconds: float) -> None:
        """Take frames for some time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                frame = self._arrived.get(timeout=left)
            except queue.Empty:
                return
            if frame is None:
                self._arrived.put(None)
                return
            self.frames.append(frame)

    def end(self, number: int | None = None) -> tuple[int, str]:
        """Send a signal, if one is given; wait for the end; return exit code and standard error."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=PATIENCE)
        while (frame := self._arrived.get(timeout=PATIENCE)) is not None:
            self.frames.append(frame)
        errors = self._errors.read_text()
        assert "Traceback" not in errors, errors
        return code, errors

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The process does not run inside this context."""
        self.process.send_signal(signal.SIGSTOP)
        yield
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> str:
        """End it with Ctrl-C; return standard error."""
        code, errors = self.end(signal.SIGINT)
        assert code == 130, errors
        return errors

    @property
    def values(self) -> np.ndarray:
        """(frames, descriptors)"""
        return np.array([frame["bottleneck"] + frame["error"] for frame in self.frames], np.float32)

    def lost(self, errors: str) -> int:
        """Windows that the summary counts as lost."""
        return int(errors.split(" windows lost")[0].split()[-1])

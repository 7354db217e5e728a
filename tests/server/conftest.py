"""A server as an operator starts it: uvicorn in a process of its own, settings from the environment."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="uvicorn is not installed")

TOKEN = "open sesame".replace(" ", "-")
OPTIONS = ("--timeout-graceful-shutdown", "8", "--ws-per-message-deflate", "false")


@dataclass
class Server:
    """A process, what it logs, and where it listens."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    port: int = 0
    reader: threading.Thread | None = None

    def begin(self) -> None:
        """Wait until it listens, and collect what it logs from then on."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(r"running on http://[\d.]+:(\d+)", line):
                self.port = int(found[1])
                self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr or ()), daemon=True)
                self.reader.start()
                return
        pytest.fail("".join(self.lines))

    @property
    def stream(self) -> str:
        return f"ws://127.0.0.1:{self.port}/stream"

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return float(found[1]) if found else 0.0

    def end(self, number: int = signal.SIGTERM) -> str:
        """End it; what it has logged."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(20)
        if self.reader:
            self.reader.join(20)
        return "".join(self.lines)


@pytest.fixture(scope="session")
def start(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., contextlib.AbstractContextManager[Server]]:
    """Start a server; keyword arguments are its settings. None of them: those of the tests."""
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(TOKEN + "\n")

    @contextlib.contextmanager
    def started(*options: str, prefix: tuple[str, ...] = (), **settings: Any) -> Iterator[Server]:
        command = [*prefix, sys.executable, "-m", "uvicorn", "edgevoice.asgi:app", "--port", "0", *OPTIONS, *options]
        environment = {"model": tiny_model, "token_file": token, **settings}
        variables = {f"EDGEVOICE_{name.upper()}": str(value) for name, value in environment.items()}
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **variables})
        server = Server(process)
        try:
            server.begin()
            yield server
        finally:
            with process:  # closes the pipe
                server.end(signal.SIGKILL if sys.exc_info()[0] else signal.SIGTERM)

    return started


@pytest.fixture(scope="module")
def server(start: Callable[..., contextlib.AbstractContextManager[Server]]) -> Iterator[Server]:
    """One for the tests of a module, whose log must have no traceback at the end."""
    with start() as server:
        yield server
        log = server.end()
    assert "Traceback" not in log, log
    assert server.process.returncode in (0, -signal.SIGTERM)

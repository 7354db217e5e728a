"""What the documentation deploys: a proxy with TLS, a container's steps, a systemd unit."""

from __future__ import annotations

import asyncio
import configparser
import json
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

import edgevoice
from server import proxied
from server.conftest import Server
from server.test_operation import SECOND
from server.test_protocol import FINISH, HELLO, read

Start = Callable[..., AbstractContextManager[Server]]


def test_behind_nginx_with_tls(start: Start, tmp_path: Path) -> None:
    if reason := proxied.missing():
        pytest.skip(reason)
    with start() as server, proxied.nginx(tmp_path, server.port) as port:
        context = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))

        async def program(origin: str) -> int | None:
            async with connect(f"wss://localhost:{port}/stream", ssl=context, origin=origin) as socket:  # type: ignore[arg-type]
                await socket.send(json.dumps(HELLO))
                await socket.send(SECOND)
                await socket.send(FINISH)
                assert len(await asyncio.wait_for(read(socket), 20)) == 5
                return socket.close_code

        assert asyncio.run(program(f"https://localhost:{port}")) == 1000
        with urllib.request.urlopen(f"https://localhost:{port}/healthz/ready", timeout=10, context=context) as response:
            assert json.load(response)["ready"]


def test_behind_nginx_no_client_looks_like_one_of_this_machine(start: Start, tmp_path: Path) -> None:
    if reason := proxied.missing():
        pytest.skip(reason)
    with start(token_file="") as server, proxied.nginx(tmp_path, server.port) as port:
        context = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))

        async def program() -> int | None:
            async with connect(f"wss://localhost:{port}/stream", ssl=context) as socket:
                await socket.send(json.dumps({"type": "hello"}))
                await asyncio.wait_for(read(socket), 20)
                return socket.close_code

        assert asyncio.run(program()) == 1008


def commands(text: str) -> list[tuple[str, list[str]]]:
    """The instructions of a Dockerfile, in order, with their words."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    found = [line.split(" ", 1) for line in lines if line.strip()]
    return [(name, json.loads(rest) if rest.startswith("[") else shlex.split(rest)) for name, rest in found]


def test_the_image_runs_as_nobody_on_a_file_system_that_is_read_only(root: Path, tmp_path: Path) -> None:
    """The last stage's command and health check, in namespaces as a container has them."""
    steps = commands((root / "examples" / "server" / "Dockerfile").read_text(encoding="utf-8"))
    install = next(words for name, words in steps if name == "RUN")
    assert install[install.index("--constraint") + 1] == "constraints.txt"
    assert (install[-1], dict(steps)["USER"]) == (".[cpu,server]", ["65534:65534"])
    own = [str(Path(sys.executable).with_name("python")), "-m"]
    command = [*own, *dict(steps)["CMD"]]
    assert command[2] == "/server/bin/uvicorn"
    command[2] = "uvicorn"
    port = str(proxied.free_port())
    command[command.index("8000")] = port
    _, check = next(rest for name, rest in steps if name == "HEALTHCHECK")[0], dict(steps)["HEALTHCHECK"]
    code = check[-1].rstrip("]").replace("8000", port)
    inside = f"mount -o remount,bind,ro / && exec setpriv --reuid 65534 --regid 65534 --clear-groups {shlex.join(command)}"
    names = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]
    setup = "mount --bind / / && cd / && "
    if (
        shutil.which("unshare") is None
        or subprocess.run([*names, setup + "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no namespaces here")
    if subprocess.run(
        ["setpriv", "--reuid", "65534", own[0], "-c", "import edgevoice"], capture_output=True, check=False
    ).returncode:
        pytest.skip("the checkout is not readable by others")
    variables = {**os.environ, "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1", "EDGEVOICE_MODEL": "cae-64"}
    process = subprocess.Popen([*names, setup + inside], stderr=subprocess.PIPE, text=True, env=variables)
    with process:
        assert process.stderr is not None
        log = ""
        while "Uvicorn running" not in log and (line := process.stderr.readline()):
            log += line
        assert "Uvicorn running" in log, log
        subprocess.run([own[0], "-c", code], check=True)
        first = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        assert "\nUid:\t65534" in Path(f"/proc/{first}/status").read_text()
        os.kill(first, 15)
        assert "Application shutdown complete" in process.stderr.read()


def test_the_unit_is_hardened_and_valid(root: Path, tmp_path: Path) -> None:
    text = (root / "examples" / "server" / "edgevoice.service").read_text(encoding="utf-8")
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    service = parser["Service"]
    assert service["MemoryDenyWriteExecute"] == service["DynamicUser"] == "yes"
    assert int(service["TimeoutStopSec"]) > int(re.search(r"graceful-shutdown (\d+)", service["ExecStart"])[1])  # type: ignore[index]
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    unit = tmp_path / "edgevoice.service"
    unit.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert str(unit) not in done.stderr, done.stderr
    assert "edgevoice.service:" not in done.stderr, done.stderr


def test_every_command_that_is_shown_ends_in_time(root: Path) -> None:
    texts = [path.read_text(encoding="utf-8") for path in (root / "examples" / "server").iterdir() if path.is_file()]
    texts += [(root / "docs" / "server.md").read_text(encoding="utf-8"), edgevoice.asgi.__doc__ or ""]  # type: ignore[attr-defined]
    shown = [
        line for text in texts for line in text.splitlines() if re.search(r"uvicorn.*edgevoice\.asgi:app|uvicorn my", line)
    ]
    assert len(shown) >= 4
    assert [line for line in shown if "--timeout-graceful-shutdown" not in line] == []

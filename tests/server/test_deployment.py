"""What the documentation deploys: a proxy with TLS, a container's steps, a systemd unit."""

from __future__ import annotations

import asyncio
import configparser
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import edgevoice
from server import proxied
from server.conftest import Server
from server.test_operation import SECOND
from server.test_protocol import FINISH, converse

Start = Callable[..., AbstractContextManager[Server]]


@pytest.mark.parametrize("token", [True, False])
def test_behind_nginx_with_tls(start: Start, tmp_path: Path, token: bool) -> None:
    """Without a token no client is served there: all of them look like one of this machine."""
    if reason := proxied.missing():
        pytest.skip(reason)
    settings = {} if token else {"token_file": ""}
    with start(**settings) as server, proxied.nginx(tmp_path, server.port) as port:
        context = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
        connection = {"ssl": context, "origin": f"https://localhost:{port}"}
        found, code, _ = asyncio.run(converse(f"wss://localhost:{port}/stream", SECOND, FINISH, connection=connection))
        assert (len(found), code) == ((5, 1000) if token else (1, 1008))
        with urllib.request.urlopen(f"https://localhost:{port}/healthz/ready", timeout=10, context=context) as response:
            assert json.load(response)["ready"]
        for path in ("/metrics", "/voice/metrics"):
            other = http.client.HTTPSConnection("localhost", port, context=context, source_address=("127.0.0.2", 0))
            other.request("GET", path)
            assert other.getresponse().status == 403
            other.close()


def steps_of(dockerfile: str) -> dict[str, str]:
    """The last instruction of each name, and the only RUN."""
    lines = re.sub(r"^#.*\n", "", dockerfile, flags=re.MULTILINE).splitlines()
    return dict(line.split(" ", 1) for line in lines if line)


@pytest.mark.parametrize("fresh", [False, pytest.param(True, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_the_image_runs_as_nobody_on_a_file_system_that_is_read_only(root: Path, fresh: bool) -> None:
    """Its command and health check, in namespaces as a container has them; fresh: as its steps install it."""
    steps = steps_of((root / "examples" / "server" / "Dockerfile").read_text(encoding="utf-8"))
    names = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]
    nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups"
    assert steps["USER"] == "65534:65534"
    trial = f"{names[0]} --mount --pid --fork {nobody} {sys.executable} -c 'import edgevoice'"
    if subprocess.run(["sh", "-c", trial], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces here, or others cannot read the checkout")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # that of pytest is closed to others
        place, port = Path(sys.prefix), str(proxied.free_port())
        if fresh:
            place, source = Path(folder, "server"), Path(folder, "source")
            archive = subprocess.run(["git", "archive", "HEAD"], cwd=root, stdout=subprocess.PIPE, check=True)
            source.mkdir()
            subprocess.run(["tar", "-x", "-C", str(source)], input=archive.stdout, check=True)
            subprocess.run(["sh", "-c", steps["RUN"].replace("/server", str(place))], cwd=source, check=True)
        command, check = (
            [word.replace("/server", str(place)).replace("8000", port) for word in json.loads(words)]
            for words in (steps["CMD"], steps["HEALTHCHECK"].partition(" CMD ")[2])
        )
        setup = "mount --bind / / && cd / && mount -o remount,bind,ro / && exec"
        variables = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
        variables |= dict(word.split("=") for word in steps["ENV"].split())
        command = [*names, f"{setup} {nobody} {shlex.join(command)}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables) as process:
            assert process.stderr is not None
            log = ""
            while "Uvicorn running" not in log and (line := process.stderr.readline()):
                log += line
            assert "Uvicorn running" in log, log
            subprocess.run(check, check=True)
            first = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
            assert "\nUid:\t65534" in Path(f"/proc/{first}/status").read_text()
            os.kill(first, signal.SIGTERM)
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


@pytest.mark.slow
def test_the_load_is_measured_and_shown(root: Path, tiny_model: Path, tmp_path: Path) -> None:
    found, page = tmp_path / "serve.json", tmp_path / "server.md"
    shutil.copy(root / "docs" / "server.md", page)
    command = [sys.executable, "-m", "benchmarks.serve"]
    sizes = ["--seconds", "10", "--attackers", "2", "--port", str(proxied.free_port())]
    subprocess.run([*command, "--model", str(tiny_model), *sizes, "--output", str(found)], cwd=root, check=True)
    (run,) = json.loads(found.read_text())["runs"]
    assert run["server"]["alone"]["frames"] > 0 < run["hub"]["clients"]
    subprocess.run([*command, "--table", str(found), str(page)], cwd=root, check=True)
    assert f"| {run['hub']['clients']} | {run['server']['clients']} (" in page.read_text()

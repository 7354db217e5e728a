"""What differs between systems has a branch for each, tried with fakes where the system is another."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgevoice import modelfolder
from edgevoice.bench import machine

POSIX_ONLY = {
    "os": """
        fork forkpty getuid geteuid getgid getpgid getpgrp getsid setsid killpg nice uname mkfifo mknod sysconf
        statvfs fchmod fchown chown lchown chroot getloadavg pread pwrite posix_fadvise posix_fallocate
        register_at_fork sched_getaffinity sched_setaffinity sched_getscheduler sched_setscheduler sched_yield wait
        wait3 wait4 WNOHANG O_NONBLOCK O_CLOEXEC O_DIRECTORY O_SYNC SCHED_FIFO SCHED_RR sendfile openpty ttyname
        pipe2
    """,
    "signal": """
        SIGHUP SIGKILL SIGALRM SIGUSR1 SIGUSR2 SIGQUIT SIGPIPE SIGCHLD SIGTSTP alarm pause setitimer sigwait
        pthread_kill pthread_sigmask siginterrupt sigpending
    """,
}
MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}


def sources(root: Path) -> Iterator[tuple[Path, str]]:
    for folder in ("runtime", "export", "examples"):
        for path in (root / folder).rglob("*.py"):
            yield path, path.read_text(encoding="utf-8")


def test_what_one_system_lacks_is_asked_for_first(root: Path) -> None:
    for path, text in sources(root):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                owner, name = node.value.id, node.attr
                if name in POSIX_ONLY.get(owner, "").split():
                    related = {"SCHED_FIFO": "sched_getscheduler", "SCHED_RR": "sched_getscheduler"}.get(name, name)
                    assert f'hasattr({owner}, "{related}")' in text, f"{path}:{node.lineno}: {owner}.{name}"
            if isinstance(node, ast.Import):
                assert not MODULES & {alias.name for alias in node.names}, f"{path}:{node.lineno}"


def test_text_files_name_their_encoding(root: Path) -> None:
    """Else it is that of the user's code page on Windows."""
    for path, text in sources(root):
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in {"read_text", "write_text"}:
                given = {keyword.arg for keyword in node.keywords}
                positions = 1 if node.func.attr == "read_text" else 2
                assert "encoding" in given or len(node.args) >= positions, f"{path}:{node.lineno}"


def test_paths_are_not_put_together_by_hand(root: Path) -> None:
    for path, text in sources(root):
        assert not re.search(r"""\.split\(["']/["']\)|["']/["']\.join\(""", text), path


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, "/home/anna/.local/share/edgevoice/models"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/edgevoice/models"),
        ("darwin", {}, "/home/anna/Library/Application Support/edgevoice/models"),
        ("win32", {"LOCALAPPDATA": "/profiles/anna"}, "/profiles/anna/edgevoice/models"),
        ("win32", {}, "/home/anna/AppData/Local/edgevoice/models"),
    ],
)
def test_the_users_models(
    platform: str, environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modelfolder, "os", SimpleNamespace(environ=environment))
    monkeypatch.setattr(modelfolder, "sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr(Path, "home", lambda: Path("/home/anna"))
    assert modelfolder.user_models() == Path(expected)


def test_a_machine_that_tells_little_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has the names of schedulers, and cannot ask for one; Windows has neither, nor /proc."""
    monkeypatch.delattr(os, "sched_getscheduler", raising=False)
    monkeypatch.setattr(machine, "sys", SimpleNamespace(platform="darwin"))
    described = machine.Machine.this()
    assert not described.real_time
    assert described.processor

"""Threads of our own: how many cores count, and an end before the interpreter's."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgevoice import threads
from edgevoice.threads import ThreadPool, usable_cores


@pytest.fixture
def no_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHON_CPU_COUNT", raising=False)
    monkeypatch.setattr(threads, "_quotas", list)


@pytest.mark.usefixtures("no_groups")
def test_cores_that_the_process_is_bound_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_cores() >= 1
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
    assert usable_cores() == 3
    monkeypatch.setenv("PYTHON_CPU_COUNT", "2")
    assert usable_cores() == 2
    monkeypatch.setenv("PYTHON_CPU_COUNT", "default")
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert usable_cores() == 1


@pytest.mark.parametrize(
    ("group", "files", "cores"),
    [
        ("0::/a/b", {"cpu.max": "max 100000", "a/cpu.max": "250000 100000", "a/b/cpu.max": "max 100000"}, 3),
        ("0::/a", {"cpu.max": "50000 100000"}, 1),  # in a container
        ("0::/../../a", {"cpu.max": "400000 100000"}, 4),
        ("3:cpu,cpuacct:/q", {"cpu/q/cpu.cfs_quota_us": "150000", "cpu/q/cpu.cfs_period_us": "100000"}, 2),
        ("3:cpu:/q", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
        ("1:memory:/q", {"cpu.max": "nonsense"}, 64),
    ],
)
def test_quotas_of_control_groups(
    group: str, files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content + "\n")
    read_text = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda p, **k: group if str(p) == "/proc/self/cgroup" else read_text(p, **k))
    monkeypatch.setattr(threads, "_CGROUPS", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.delenv("PYTHON_CPU_COUNT", raising=False)
    threads._quotas.cache_clear()
    try:
        assert usable_cores() == cores
    finally:
        threads._quotas.cache_clear()


def test_a_pool_that_nobody_holds_ends_its_threads() -> None:
    before, done = set(threading.enumerate()), threading.Event()
    pool = ThreadPool(3, "pool")
    pool.submit(done.set)
    assert done.wait(60)
    del pool
    assert set(threading.enumerate()) <= before


PROGRAMS = {
    "a hub that is never left": """
import asyncio, edgevoice, numpy as np, sys
extractor, x = edgevoice.load(sys.argv[1]), np.ones(44100, np.float32)
async def main():
    hub = await edgevoice.Hub(extractor).__aenter__()
    sources = [hub.source(44100) for _ in range(8)]
    for source in sources:
        for _ in range(9):
            source.push(x)
    await anext(sources[0])
asyncio.run(main())
""",
    "a loop that is stopped by an interrupt": """
import asyncio, edgevoice, numpy as np, os, signal, sys, threading
extractor, x = edgevoice.load(sys.argv[1]), np.ones(44100, np.float32)
async def main():
    async with edgevoice.Hub(extractor) as hub:
        sources = [hub.source(44100) for _ in range(8)]
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        while True:
            for source in sources:
                if source.behind < 9:
                    source.push(x)
            await asyncio.sleep(0.01)
loop = asyncio.new_event_loop()
task = loop.create_task(main())
try:
    loop.run_forever()
except KeyboardInterrupt:
    pass
""",
    "after the main thread has returned": """
import edgevoice, sys, threading, time
extractor = edgevoice.load(sys.argv[1])
def work():
    threading.main_thread().join()
    print(len(extractor.extract(sys.argv[2], jobs=2)))
threading.Thread(target=work).start()
""",
    "a table while the interpreter ends": """
import atexit, edgevoice, sys
extractor = edgevoice.load(sys.argv[1])
atexit.register(lambda: print(len(edgevoice.table([sys.argv[2]], extractor, jobs=2))))
""",
    "while the interpreter ends": """
import atexit, edgevoice, sys
extractor = edgevoice.load(sys.argv[1])
atexit.register(lambda: print(len(extractor.extract(sys.argv[2], jobs=2))))
""",
    "a batcher that is not closed": """
import edgevoice, numpy as np, sys
batcher = edgevoice.load(sys.argv[1]).batcher(threads=2)
batcher_ = batcher
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_as_it_would_without(name: str, tiny_model: Path, speech: Path) -> None:
    for _ in range(3):
        command = [sys.executable, "-c", PROGRAMS[name], str(tiny_model), str(speech)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert result.returncode == 0, result.stderr
        assert result.stdout.strip() == ("31" if "print" in PROGRAMS[name] else "")

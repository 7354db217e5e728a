"""A dataset made by a real dask cluster whose workers, scheduler and driver are killed, and whose files kill workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pd = pytest.importorskip("pandas", reason="the tables extra is not installed")
distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
pytest.importorskip("pyarrow", reason="the tables extra is not installed")

import edgevoice  # noqa: E402
from edgevoice.cli import main  # noqa: E402
from edgevoice.corpus import dataset as module  # noqa: E402

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform == "win32", reason="processes are killed as POSIX has it"),
]

# Slow enough to be killed in the middle; a file that is called so kills whoever reads it. Small parts.
PRELOAD = """
import os, time
from edgevoice.audio.files import open_source
from edgevoice.corpus import run
def slow(path, *more, **options):
    if os.path.basename(path) == "poison.wav":
        os._exit(9)
    time.sleep(0.02)
    return open_source(path, *more, **options)
run.open_source = slow
"""

COMMAND = (
    "import sys; from edgevoice.corpus import dataset; dataset._MOST = 4; from edgevoice.cli import main; sys.exit(main())"
)


@pytest.fixture
def corpus(recordings: Callable[[int], Path]) -> Path:
    return recordings(60)


class Cluster:
    """A scheduler and two workers, processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "preload.py").write_text(PRELOAD)
        # Nothing is served but what workers and clients need; a worker's death is noticed at once.
        self.environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def start(self, port: int = 0) -> None:
        place = self.folder / "scheduler.json"
        place.unlink(missing_ok=True)
        where = ["--host", "127.0.0.1", "--port", str(port), "--dashboard-address", ":0", "--no-dashboard"]
        self._run("scheduler", *where, "--scheduler-file", str(place))
        deadline = time.monotonic() + 60
        while not (place.exists() and place.read_text().strip()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.address = json.loads(place.read_text())["address"]
        options = ["--nworkers", "2", "--nthreads", "1", "--no-dashboard", "--local-directory", str(self.folder)]
        self._run("worker", self.address, *options, "--preload", str(self.folder / "preload.py"))
        with distributed.Client(self.address, set_as_default=False, timeout=60) as client:
            client.wait_for_workers(2, timeout=60)

    def _run(self, *words: str) -> None:
        quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        command = [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]]
        self.processes.append(subprocess.Popen(command, env=self.environment, cwd=self.folder, **quiet))

    def workers(self) -> list[int]:
        with distributed.Client(self.address, set_as_default=False, timeout=60) as client:
            return sorted(client.run(os.getpid).values())

    def stop(self) -> None:
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    with ExitStack() as stack:
        made = Cluster(folder)
        stack.callback(made.stop)
        made.start()
        yield made


@pytest.fixture
def command(cluster: Cluster, tiny_model: Path, corpus: Path, tmp_path: Path) -> Callable[..., subprocess.Popen[bytes]]:
    def start(*words: str) -> subprocess.Popen[bytes]:
        out = f"{tmp_path / 'd.parquet'}/"
        options = ["extract", str(corpus), "-o", out, "--static", "--model", str(tiny_model), "--scheduler", cluster.address]
        return subprocess.Popen([sys.executable, "-c", COMMAND, *options, *words], stderr=subprocess.PIPE)

    return start


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    told = process.communicate(timeout=120)[1].decode()
    return process.returncode, told


def parts(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir() if path.name.startswith("part-")) if out.is_dir() else []


def check(out: Path, corpus: Path, tiny: edgevoice.Extractor) -> None:
    """All recordings are there, once, with the bits that they have in one process."""
    found = pd.read_parquet(out).sort_values("file")
    expected = edgevoice.table(corpus, tiny, static=True)
    assert found["file"].tolist() == expected.index.get_level_values("file").tolist()
    columns = tiny.layout.functional_names
    assert found[columns].to_numpy().tobytes() == expected[columns].to_numpy().tobytes()
    assert all(path.name.startswith("part-") for path in out.iterdir())


def wait_for_parts(process: subprocess.Popen[bytes], out: Path, count: int) -> None:
    while process.poll() is None and len(parts(out)) < count:
        time.sleep(0.01)
    assert process.poll() is None, f"over before anything was killed: {ended(process)}"


def test_killed_workers_a_killed_driver_and_a_lost_scheduler_lose_nothing(
    cluster: Cluster, command: Callable[..., Any], corpus: Path, tiny: edgevoice.Extractor, tmp_path: Path
) -> None:
    out = tmp_path / "d.parquet"
    process = command()
    wait_for_parts(process, out, 2)
    os.kill(cluster.workers()[0], signal.SIGKILL)
    wait_for_parts(process, out, 4)
    process.kill()
    process.communicate()
    kept = set(parts(out))

    process = command()
    wait_for_parts(process, out, len(kept) + 1)
    cluster.stop()
    code, told = ended(process)
    assert code == 1
    assert told.count("\n") == 1, told
    assert "run the same command" in told or "no scheduler answers" in told

    cluster.start()
    code, told = ended(command())
    assert code == 0, told
    assert "all are there" in told
    assert kept <= set(parts(out))
    check(out, corpus, tiny)
    assert ended(command())[1].endswith("nothing to do, all are there\n")


def test_a_file_that_kills_its_worker_is_named_and_the_rest_is_done(
    cluster: Cluster, command: Callable[..., Any], corpus: Path, tmp_path: Path
) -> None:
    soundfile.write(corpus / "poison.wav", np.zeros(12_000), 16_000)
    (corpus / "u07.wav").write_bytes(b"no audio")
    failed = tmp_path / "failed.csv"
    code, told = ended(command("--failed", str(failed)))
    assert code == 1, told
    assert "poison.wav: ended each worker that read it" in told
    assert "u07.wav" in told
    table = pd.read_parquet(tmp_path / "d.parquet")
    names = {path.name for path in corpus.iterdir()}
    assert sorted(table["file"]) == sorted(names - {"poison.wav", "u07.wav"})
    assert sorted(pd.read_csv(failed)["file"]) == ["poison.wav", "u07.wav"]
    assert "2 failures" in told


def test_a_table_is_made_by_a_cluster(
    cluster: Cluster, corpus: Path, tiny: edgevoice.Extractor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "u07.wav").write_bytes(b"no audio")
    counted: list[int] = []
    options: dict[str, Any] = {"dataset": tmp_path / "t.parquet", "scheduler": cluster.address}
    with pytest.warns(edgevoice.EdgeVoiceWarning, match="1 of 60 rows failed, the first with u07.wav: is not audio"):
        found = edgevoice.table(corpus, tiny, static=True, progress=counted.append, **options)
    with pytest.warns(edgevoice.EdgeVoiceWarning):
        expected = edgevoice.table(corpus, tiny, static=True)
    pd.testing.assert_frame_equal(found, expected)
    assert counted == list(range(1, 61))
    with pytest.raises(edgevoice.ArgumentError, match="scheduler"):
        edgevoice.table(corpus, tiny, scheduler=cluster.address)
    words = ["-o", f"{tmp_path / 'd.parquet'}/", "--scheduler", cluster.address, "--model", str(tiny.folder.path)]
    assert main(["extract", str(corpus), *words]) == 1
    seconds = sum(soundfile.info(path).duration for path in corpus.iterdir() if path.name != "u07.wav")
    assert f" {seconds:.1f} s of audio, 1 failure" in capsys.readouterr().err


def test_wrong_uses_are_one_line(tmp_path: Path, speech: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = f"{tmp_path / 'd.parquet'}/"
    for words, code, message in (
        (["-o", str(tmp_path / "t.csv"), "--scheduler", "tcp://127.0.0.1:1"], 2, "--scheduler: only for datasets"),
        (["-o", out, "--scheduler", "tcp://127.0.0.1:1", "--jobs", "2"], 2, "--jobs"),
        (["-o", out, "--scheduler", "nonsense://"], 1, "no scheduler answers"),
    ):
        assert main(["extract", str(speech), *words]) == code
        errors = capsys.readouterr().err
        assert message in errors
        assert errors.count("\n") == 1
    assert module._MOST == 512

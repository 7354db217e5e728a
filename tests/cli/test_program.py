"""Exit codes, help, pipes and signals."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.cli import COMMANDS
from edgevoice.cli.signals import ENDING
from edgevoice_export.cli import COMMANDS as EXPORT_COMMANDS

HEAVY = ("torch", "onnx", "onnxruntime", "soundfile", "soxr", "sounddevice", "pandas", "matplotlib", "scipy", "tqdm")


@pytest.mark.parametrize(("package", "commands"), [("edgevoice", COMMANDS), ("edgevoice_export", EXPORT_COMMANDS)])
def test_help_tells_of_every_command_and_loads_nothing_heavy(package: str, commands: dict[str, str]) -> None:
    code = (
        f"import sys\nfrom {package}.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as error:\n    print(error.code)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *text, code, loaded = result.stdout.splitlines()
    assert (code, loaded) == ("0", "[]")
    told = " ".join(" ".join(text).split())
    for name, summary in commands.items():
        assert f" {name} {summary}" in told


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("extract",),
        ("extract", "a.wav", "--mod", "x"),
        ("extract", "a.wav", "--level", "loud"),
        ("extract", "a.wav", "--jobs", "0"),
        ("extract", "a.wav", "--channel", "-1"),
        ("extract", "a.wav", "--channel", "0.5"),
        ("extract", "a.wav", "--format", "xls"),
        ("extract", "a.wav", "--dynamic", "--static"),
        ("stream", "-", "--rate", "8k"),
        ("stream", "-", "--rate", "8000", "--dtype", "int24"),
    ],
)
def test_wrong_usage_is_told_by_the_parser(run: Callable, arguments: tuple[str, ...]) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("edgevoice")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("command", ["extract", "plot -o x.png", "repeat t.csv -o x.csv", "stream --hop 0.1"])
def test_what_begins_like_an_option_is_a_name_after_two_dashes(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speech: Path, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("extract", speech, "-o", "t.csv").code == 0
    outcome = run(*command.split(), "--", "--failed=x.wav")
    assert (outcome.code, outcome.err.splitlines()[0]) == (1, "edgevoice: --failed=x.wav: no such file")
    assert run("plot", "--", "--ouptut").err.startswith("edgevoice plot: the following arguments are required: -o")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("extract a.wav --levl", "--level"),
        ("extract a.wav --statik=1", "--static"),
        ("mdels", "models"),
        ("--versio", "--version"),
        ("plot a.wav --outpt=b", "--output"),  # not that --output is missing
    ],
)
def test_what_was_meant_is_named(run: Callable, words: str, meant: str) -> None:
    outcome = run(*words.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.endswith(f"(did you mean {meant}?)\n")


@pytest.mark.parametrize("arguments", [("extract", ""), ("stream", ""), ("plot", "", "-o", "a.png")])
def test_an_empty_name_is_not_the_current_folder(
    run: Callable, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """What a shell makes of a variable that is not set."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speech.wav").symlink_to(speech)
    outcome = run(*arguments)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("edgevoice: '': no such file")
    assert run("extract", "speech.wav", "-o", "").code == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "speech.wav"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "cae-257"), "edgevoice: no model 'cae-257', by name or path; known models: cae-256"),
        (("--device", "tpu"), "edgevoice: device 'tpu': expected cpu, cuda, cuda:N or openvino"),
        (("--device", "cuda:7"), "edgevoice: device 'cuda:7'"),
        (("--hop", "0.01"), "edgevoice: hop 0.01: expected a multiple of 0.05 s"),
        (("--hop", "nan"), "edgevoice: hop nan: expected seconds"),
        (("--level", "0"), "edgevoice: level 0.0: expected running"),
        (("--level", "nan"), "edgevoice: level nan: expected running"),
    ],
)
@pytest.mark.parametrize("command", ["extract", "stream"])
def test_what_the_model_refuses_is_wrong_usage(
    run: Callable, speech: Path, command: str, arguments: tuple[str, ...], message: str
) -> None:
    outcome = run(command, speech, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(message)
    assert outcome.err.count("\n") == 1


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "minute.wav"
    noise = np.random.default_rng(0).integers(-3000, 3000, 60 * 16000, dtype=np.int16)
    soundfile.write(path, noise, 16000)
    return path


@pytest.mark.parametrize("command", ["extract", "stream"])
def test_a_reader_that_has_enough_ends_it_quietly(start: Callable, minute: Path, command: str) -> None:
    process = start(command, minute)
    assert process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("ignored", ENDING)
def test_a_signal_that_was_ignored_stays_so(tiny_model: Path, ignored: signal.Signals) -> None:
    """What `nohup` does to SIGHUP, and a shell to the SIGINT of a job in the background."""
    stream = [sys.executable, "-m", "edgevoice.cli", "stream", "-", "--rate", "16000", "--model", str(tiny_model)]
    command = ["sh", "-c", f"trap '' {ignored.name.removeprefix('SIG')}; exec \"$@\"", "sh", *stream]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(2):
            process.stdin.write(bytes(16000))
            process.stdin.flush()
            assert process.stdout.readline()
            process.send_signal(ignored)
        process.stdin.close()
    assert process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize(("command", "lines"), [("extract", 1), ("stream", 0)])
def test_a_reader_that_stands_still_does_not_keep_it(start: Callable, minute: Path, command: str, lines: int) -> None:
    process = start(command, minute)
    assert process.stdout.readline()
    time.sleep(0.5)  # time to fill the pipe; were it not full yet, the test would ask for less
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert process.stderr.read().count(b"\n") == lines


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize(
    ("number", "out", "jobs", "told"),
    [
        (signal.SIGINT, "table.csv", 1, rb"nothing was written; run the same command again"),
        (signal.SIGTERM, "table.parquet", 2, rb"nothing was written; run the same command again"),
        (signal.SIGHUP, "tables/", 1, rb"\d+ tables? (is|are) complete; the same command with --force"),
        (
            signal.SIGINT,
            "d.parquet/",
            2,
            rb"\d of \d parts are missing, and begun ones are kept: run the same command to go on",
        ),
    ],
)
def test_an_interrupted_extraction_says_what_is_kept_and_leaves_nothing_else(
    start: Callable, minute: Path, tmp_path: Path, number: signal.Signals, out: str, jobs: int, told: bytes
) -> None:
    recordings, results = tmp_path / "in", tmp_path / "out"
    recordings.mkdir()
    results.mkdir()
    for k in range(300):
        (recordings / f"{k}.wav").hardlink_to(minute)
    process = start("extract", recordings, "-o", f"{results}/{out}", "--jobs", jobs)
    begun = {"tables/": "*.csv", "d.parquet/": "d.parquet"}.get(out, ".*.part")
    while process.poll() is None and not list(results.rglob(begun)):
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert re.fullmatch(rb"edgevoice: stopped: \d+ of 300 done, \d+ s of audio, 0 failures; " + told + rb"[^\n]*\n", err)
    left = {
        path.name.partition("-")[0] if out == "d.parquet/" else path.suffix for path in results.rglob("*") if path.is_file()
    }
    assert left <= {"tables/": {".csv", ".json"}, "d.parquet/": {"_begun"}}.get(out, set())

"""Exit codes, help, pipes and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import edgevoice
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


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(run: Callable, command: str) -> None:
    outcome = run(command, "--help")
    assert outcome.code == 0
    assert f"  edgevoice {command}" in outcome.out.partition("example")[2]


def test_version(run: Callable) -> None:
    assert run("--version").out == f"edgevoice {edgevoice.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("extrakt",),
        ("extract",),
        ("extract", "a.wav", "--levl", "window"),
        ("extract", "a.wav", "--mod", "x"),
        ("extract", "a.wav", "--level", "loud"),
        ("extract", "a.wav", "--jobs", "0"),
        ("extract", "a.wav", "--channel", "-1"),
        ("extract", "a.wav", "--channel", "0.5"),
        ("extract", "a.wav", "--format", "xls"),
        ("extract", "a.wav", "--dynamic", "--static"),
        ("extract", "a.wav", "--static", "--static"),
        ("stream", "-", "--rate", "8k"),
        ("stream", "-", "--rate", "8000", "--dtype", "int24"),
    ],
)
def test_wrong_usage_is_told_by_the_parser(run: Callable, arguments: tuple[str, ...]) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("edgevoice")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--channel", "0", "--channel", "1"), "--channel"),
        (("--channel=0", "--channel", "0"), "--channel"),
        (("-o", "a.csv", "--output=a.csv"), "--output"),
        (("-oa.csv", "-ob.csv"), "-o"),
    ],
)
def test_an_option_given_twice_is_named(run: Callable, words: tuple[str, ...], named: str) -> None:
    outcome = run("extract", "a.wav", *words)
    told = f"edgevoice extract: {named}: given twice (see edgevoice extract --help)\n"
    assert outcome == (2, "", told)


def test_words_that_only_look_like_options_may_repeat(run: Callable) -> None:
    outcome = run("extract", "--hop", "0.5", "--", "--hop", "--hop")
    assert (outcome.code, outcome.err) == (1, "edgevoice: --hop: no such file\n")


@pytest.mark.parametrize("rate", ["16000", "16000.0", "1.6e4"])
def test_whole_numbers_are_taken_in_every_spelling(run: Callable, speech: Path, rate: str) -> None:
    assert run("stream", speech, "--rate", rate, "--seconds", "0.1").code == 0


@pytest.mark.parametrize(("wrong", "right"), [("--levl", "--level"), ("--statik=1", "--static"), ("--chan=1", "--channel")])
def test_the_option_that_was_meant_is_named(run: Callable, wrong: str, right: str) -> None:
    assert (
        run("extract", "a.wav", wrong).err == f"edgevoice extract: unrecognized arguments: {wrong} (did you mean {right}?)\n"
    )


def test_the_command_that_was_meant_is_named(run: Callable) -> None:
    outcome = run("mdels")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.endswith("(did you mean models?)\n")


@pytest.mark.parametrize(("wrong", "right"), [(("--versio",), "--version"), (("plot", "a.wav", "--outpt=b"), "--output")])
def test_an_unknown_option_is_told_before_what_is_missing(run: Callable, wrong: tuple[str, ...], right: str) -> None:
    outcome = run(*wrong)
    assert outcome.code == 2
    assert outcome.err.endswith(f"unrecognized arguments: {wrong[-1]} (did you mean {right}?)\n")


@pytest.mark.parametrize(
    ("arguments", "code"), [(("extract", ""), 1), (("stream", ""), 1), (("plot", "", "-o", "a.png"), 1)]
)
def test_an_empty_name_is_not_the_current_folder(
    run: Callable, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int
) -> None:
    """What a shell makes of a variable that is not set."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speech.wav").symlink_to(speech)
    outcome = run(*arguments)
    assert (outcome.code, outcome.out) == (code, "")
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
        (("--level", "0"), "edgevoice: level 0.0: a fixed gain is from"),
        (("--level", "nan"), "edgevoice: level nan: a fixed gain is from"),
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


def test_a_bug_shows_its_traceback(run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevoice.cli.models.list_models", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("models")


def test_handlers_of_signals_are_put_back(run: Callable) -> None:
    before = [signal.getsignal(number) for number in ENDING]
    run("models")
    assert [signal.getsignal(number) for number in ENDING] == before


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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    ("arguments", "unbuffered"),
    [
        (("extract", "SPEECH", "--model", "MODEL"), ""),
        (("extract", "SPEECH", "--model", "MODEL"), "1"),
        (("models",), ""),
        (("models",), "1"),
        (("models", "--help"), ""),  # argparse itself lets it pass where nothing is buffered
    ],
)
def test_a_full_disk_is_told(tiny_model: Path, speech: Path, arguments: tuple[str, ...], unbuffered: str) -> None:
    words = [{"SPEECH": str(speech), "MODEL": str(tiny_model)}.get(word, word) for word in arguments]
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "edgevoice.cli", *words]
        environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    assert result.returncode == 1
    assert result.stderr == "edgevoice: standard output: cannot be written (No space left on device)\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("number", ENDING)
def test_an_interrupted_stream_ends_quietly(start: Callable, number: signal.Signals) -> None:
    process = start("stream", "-", "--rate", "16000")
    process.stdin.write(bytes(16000))
    process.stdin.flush()
    assert process.stdout.readline()
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert process.stderr.read() == b""


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
@pytest.mark.parametrize("command", ["extract", "stream"])
def test_a_reader_that_stands_still_does_not_keep_it(start: Callable, minute: Path, command: str) -> None:
    process = start(command, minute)
    assert process.stdout.readline()
    time.sleep(0.5)  # time to fill the pipe; were it not full yet, the test would ask for less
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert process.stderr.read() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_extraction_leaves_nothing(
    start: Callable, minute: Path, tmp_path: Path, number: signal.Signals, jobs: int
) -> None:
    recordings, results = tmp_path / "in", tmp_path / "out"
    recordings.mkdir()
    results.mkdir()
    for k in range(300):
        (recordings / f"{k}.wav").hardlink_to(minute)
    process = start("extract", recordings, "-o", results / "table.csv", "--jobs", jobs)
    while process.poll() is None and not list(results.iterdir()):
        time.sleep(0.02)
    assert {path.suffix for path in results.iterdir()} == {".part"}
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (128 + number, b"")
    assert list(results.iterdir()) == []

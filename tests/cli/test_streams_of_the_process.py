"""Standard streams that are closed, libraries that print, and what a process sends: nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import edgevoice

COMMAND = [sys.executable, "-m", "edgevoice.cli"]


def environment(home: Path) -> dict[str, str]:
    names = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    return {name: os.environ[name] for name in names if name in os.environ} | {"HOME": str(home)}


@pytest.mark.skipif(os.name != "posix", reason="file descriptors are closed by a POSIX shell here")
@pytest.mark.parametrize("closed", ["2>&-", "0<&-", "0<&- 2>&-"])
def test_messages_do_not_go_into_a_table_where_stderr_is_closed(
    closed: str, speech: Path, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.mp3").write_bytes(b"ID3" + bytes(4000))
    script = f'"$0" -m edgevoice.cli extract "$1" bad.mp3 --model "$2" -o table.csv {closed}'
    words = ["/bin/sh", "-c", script, sys.executable, str(speech), str(tiny_model)]
    done = subprocess.run(words, cwd=tmp_path, env=environment(tmp_path), check=False, stdout=subprocess.PIPE)
    assert done.returncode == 1
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert len(lines) == 32
    assert {line.count(",") for line in lines} == {lines[0].count(",")}
    assert not any("edgevoice:" in line for line in lines)


def test_a_process_of_twelve_seconds_opens_no_socket_to_the_outside(speech: Path, tiny_model: Path, tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    home = tmp_path / "home"
    home.mkdir()
    samples, rate = soundfile.read(speech, dtype="int16")
    soundfile.write(tmp_path / "long.wav", np.resize(samples, 13 * rate), rate)
    traced = ["strace", "-f", "-qq", "-e", "trace=socket,connect,sendto", "-o", str(tmp_path / "calls"), *COMMAND]
    words = ["stream", str(tmp_path / "long.wav"), "--realtime", "--seconds", "12", "--model", str(tiny_model)]
    done = subprocess.run([*traced, *words], env=environment(home), capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr.lower():
        pytest.skip("processes may not be traced here")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 47
    assert re.findall(r"AF_INET6?", (tmp_path / "calls").read_text()) == []
    assert list(home.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked on this system")
def test_a_forked_child_refuses_a_model_with_threads_and_ends(tiny_model: Path, tmp_path: Path) -> None:
    program = (
        "import os, sys, warnings, numpy, edgevoice\n"
        "warnings.simplefilter('ignore', DeprecationWarning)\n"
        "extractor, window = edgevoice.load(sys.argv[1], threads=2), numpy.zeros(8000, numpy.float32)\n"
        "extractor.describe(window)\n"
        "if os.fork() == 0:\n"
        "    try: extractor.describe(window)\n"
        "    except edgevoice.DeviceError as error: print(error, flush=True)\n"
        "    del extractor\n"
        "    print(edgevoice.load(sys.argv[1]).describe(window).shape, flush=True)\n"
        "    sys.exit(7)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))\n"
    )
    command = [sys.executable, "-c", program, str(tiny_model)]
    done = subprocess.run(
        command, env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert done.returncode == 7
    first, second = done.stdout.splitlines()
    assert "loaded with several threads before the process was forked" in first
    assert second == "(1, 136)"


def test_channels_that_cancel_out_are_told(run: object, speech: Path, tiny: edgevoice.Extractor, tmp_path: Path) -> None:
    samples, rate = soundfile.read(speech, dtype="float32")
    path = tmp_path / "inverted.wav"
    soundfile.write(path, np.stack([samples, -samples], axis=1), rate, subtype="FLOAT")
    with pytest.warns(edgevoice.EdgeVoiceWarning, match="the mean of its 2 channels is silence.*--channel 0"):
        assert tiny.extract(path).silent.all()
    outcome = run("extract", path)  # type: ignore[operator]
    assert outcome.code == 0
    assert outcome.err.count("one may be inverted") == 1
    tiny.extract(path, channel=0)  # a warning would be an error
    soundfile.write(path, np.zeros((16000, 2)), rate)
    assert tiny.extract(path).silent.all()


@pytest.mark.skipif(os.name != "posix", reason="names that are not UTF-8")
def test_a_model_folder_whose_name_is_not_utf8_can_be_loaded(tiny_model: Path, tmp_path: Path) -> None:
    place = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xff"))
    shutil.copytree(tiny_model, place / tiny_model.name)
    assert edgevoice.load(place / tiny_model.name).describe(np.zeros(8000, np.float32)).shape == (1, 136)


@pytest.mark.skipif(os.name != "posix", reason="a current folder cannot be deleted there")
@pytest.mark.parametrize("output", ["t.csv", "out/", "d.parquet/"])
@pytest.mark.parametrize("deleted", [True, False])
def test_where_no_output_can_be_is_said_in_one_line(tiny_model: Path, tmp_path: Path, output: str, deleted: bool) -> None:
    """In a folder that is gone; and with names that a system without UTF-8 does not have."""
    (tmp_path / "i.csv").write_text("file\né.wav\n", encoding="utf-8")
    (tmp_path / "here").mkdir()
    words = ["extract", "--index", str(tmp_path / "i.csv"), "--model", str(tiny_model), "-o", output]
    code = (
        "import os, sys; from edgevoice.cli import main;"
        + "os.rmdir(os.getcwd());" * deleted
        + "sys.exit(main(sys.argv[1:]))"
    )
    environment = os.environ | ({} if deleted else {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    command = [sys.executable, "-P", "-c", code, *words]  # as the command, which looks for no module in the folder
    result = subprocess.run(command, cwd=tmp_path / "here", env=environment, capture_output=True, check=False)
    assert result.returncode == 1
    assert all(line.startswith(b"edgevoice: ") for line in result.stderr.splitlines()), result.stderr

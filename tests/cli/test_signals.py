"""Signals before a command has begun, and who takes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from edgevoice.cli.signals import ENDING, Interrupted, ends_at_once, interruptible, raise_again

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")

_INTERRUPTED = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n"
_SWALLOWED = f"try:\n    {_INTERRUPTED.replace(chr(10), chr(10) + '    ')}\nexcept KeyboardInterrupt:\n    pass\n"


@pytest.mark.parametrize(("package", "command"), [("edgevoice", "extract"), ("edgevoice_export", "pcm")])
@pytest.mark.parametrize("module", [_INTERRUPTED, _SWALLOWED], ids=["raised", "swallowed"])
def test_while_modules_are_imported_it_ends_without_a_word(tmp_path: Path, package: str, command: str, module: str) -> None:
    (tmp_path / "numpy.py").write_text(module)
    program = f"import sys; from {package}.cli import main; sys.exit(main(['{command}', '--help']))"
    arguments = [sys.executable, "-c", program]
    result = subprocess.run(
        arguments, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(tmp_path)}, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (-signal.SIGINT, "", "")


def test_before_that_nothing_is_imported_that_takes_time() -> None:
    code = (
        "import sys; before = set(sys.modules); import edgevoice_export.cli, edgevoice.cli; print(set(sys.modules) - before)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = {"__future__", "edgevoice", "edgevoice.cli", "edgevoice.errors", "edgevoice_export", "edgevoice_export.cli"}
    # How a checkout is installed can add a finder of its own.
    assert {name for name in eval(result.stdout) if name.startswith(("edgevoice", "numpy", "argparse"))} <= expected


def test_a_handler_of_somebody_else_stays() -> None:
    handlers = [signal.SIG_IGN, lambda *_: None]
    before = signal.getsignal(signal.SIGINT)
    try:
        for handler in handlers:
            signal.signal(signal.SIGINT, handler)
            with ends_at_once():
                assert signal.getsignal(signal.SIGINT) is handler
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_taken_inside_and_only_there(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as raised, interruptible():
        signal.raise_signal(number)
    assert raised.value.number == number
    assert signal.getsignal(number) is before


def test_one_that_a_callback_has_dropped_is_raised_again() -> None:
    raise_again()  # nothing came
    with interruptible():
        with suppress(Interrupted):  # as libsndfile's callbacks do
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted) as raised:
            raise_again()
    assert raised.value.number == signal.SIGTERM
    raise_again()  # it was for the command that is over


def test_an_error_that_something_has_made_of_one_is_one_again() -> None:
    """As C extensions do in the middle of their import."""

    def imports(*, is_interrupted: bool) -> None:
        try:
            if is_interrupted:
                signal.raise_signal(signal.SIGTERM)
        finally:
            raise AttributeError("partially initialized module")

    with pytest.raises(Interrupted), interruptible():
        imports(is_interrupted=True)
    with pytest.raises(AttributeError), interruptible():
        imports(is_interrupted=False)

"""What every error does to a command, the same in both programs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from edgevoice import errors

Fail = Callable[[BaseException], tuple[int, str]]


@pytest.fixture(params=["edgevoice", "edgevoice-export"])
def program(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def fail(program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fail:
    """Run a command that raises something; get its exit code, and what it said."""
    package = f"{program.replace('-', '_')}.cli"
    cli = importlib.import_module(package)
    name = next(iter(cli.COMMANDS))

    def fail(error: BaseException) -> tuple[int, str]:
        def run(_: object) -> int:
            raise error

        def add(commands: Any) -> None:
            commands.choices[name].set_defaults(run=run)

        monkeypatch.setitem(sys.modules, f"{package}.{name}", SimpleNamespace(add=add))
        return cli.main([name]), capsys.readouterr().err

    return fail


def tree(error: type[errors.EdgeVoiceError]) -> Iterator[type[errors.EdgeVoiceError]]:
    yield error
    for child in error.__subclasses__():
        if child.__module__ == "edgevoice.errors":
            yield from tree(child)


def test_an_error_is_one_line_and_the_exit_code_of_its_branch(program: str, fail: Fail) -> None:
    for error in tree(errors.EdgeVoiceError):
        assert fail(error("two\nlines")) == (error.exit_code, f"{program}: two lines\n")
    for error, code in ((errors.ModelError, 2), (errors.ArgumentError, 2), (errors.AudioError, 1), (errors.OutputError, 1)):
        assert error.exit_code == code


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 0, ""),
        (OSError(36, "File name too long", "mm"), 1, "mm: File name too long"),
        (ImportError("lib.so: too old", name="torch._C"), 2, "torch cannot be loaded (lib.so: too old)"),
        (MemoryError("1 GiB"), 1, "there is too little memory (1 GiB): free some of it, or raise its limit"),
        (ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"), 2, "torch is not installed: pip install torch"),
    ],
)
def test_what_is_no_error_of_ours(program: str, fail: Fail, error: BaseException, code: int, said: str) -> None:
    assert fail(error) == (code, f"{program}: {said}\n" if said else "")


@pytest.mark.parametrize("error", [ModuleNotFoundError(name="misspelt"), OSError(5, "of no file"), ZeroDivisionError()])
def test_a_bug_shows_its_traceback(fail: Fail, error: Exception) -> None:
    with pytest.raises(type(error)):
        fail(error)

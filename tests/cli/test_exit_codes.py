"""What every error does to a command, the same in both programs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from edgevoice import errors

CODES = {
    "EdgeVoiceError": 1,
    "AudioError": 1,
    "AudioFileNotFoundError": 1,
    "AudioFormatError": 1,
    "SamplesError": 1,
    "AudioTooShortError": 1,
    "ModelError": 2,
    "ModelNotFoundError": 2,
    "ModelConfigError": 2,
    "ModelFilesError": 2,
    "ModelUseError": 2,
    "DeviceError": 2,
    "MissingPackageError": 2,
    "ProviderError": 2,
    "DeviceMemoryError": 1,
    "ClusterError": 1,
    "MicrophoneError": 2,
    "MicrophoneNotFoundError": 2,
    "MicrophoneOpenError": 2,
    "MicrophoneLostError": 1,
    "StreamError": 1,
    "ArgumentError": 2,
    "OutputError": 1,
}

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


def test_no_error_is_left_out() -> None:
    assert [error.__name__ for error in tree(errors.EdgeVoiceError)] == list(CODES)


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_an_error_is_one_line_and_the_exit_code_of_its_class(program: str, fail: Fail, name: str, code: int) -> None:
    assert fail(getattr(errors, name)("two\nlines")) == (code, f"{program}: two lines\n")


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 0)])
def test_whoever_ends_it_is_told_nothing(fail: Fail, error: BaseException, code: int) -> None:
    assert fail(error) == (code, "")


def test_a_package_that_is_missing_is_told_with_its_extra(program: str, fail: Fail) -> None:
    told = f"{program}: torch is not installed: pip install 'edgevoice[export]'\n"
    assert fail(ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")) == (2, told)
    with pytest.raises(ModuleNotFoundError):
        fail(ModuleNotFoundError("No module named 'misspelt'", name="misspelt"))

"""Renaming where a system refuses it for a while, as Windows does."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevoice import files
from edgevoice.errors import OutputError
from edgevoice.files import whole_file, whole_folder


class Windows:
    """Refuses to rename so many times; a clock that sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refusals: int) -> None:
        self.refusals, self.now, self.slept = refusals, 100.0, 0
        self._replace = Path.replace
        monkeypatch.setattr(files, "WINDOWS", True)
        monkeypatch.setattr(files, "time", self)
        monkeypatch.setattr(Path, "replace", lambda path, target: self.replace(path, target))  # noqa: PLW0108 - binds path

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += 1

    def replace(self, path: Path, target: Path) -> Path:
        if self.refusals:
            self.refusals -= 1
            raise PermissionError(13, "Access is denied", str(path))
        return self._replace(path, target)


def write(path: Path) -> None:
    with whole_file(path) as file:
        file.write(b"new")


def test_a_file_that_is_held_for_a_moment_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out.csv").write_bytes(b"old")
    system = Windows(monkeypatch, refusals=3)
    write(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == b"new"
    assert system.slept == 3


def test_a_file_that_stays_open_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out.csv").write_bytes(b"old")
    system = Windows(monkeypatch, refusals=10_000)
    with pytest.raises(OutputError, match=r"out\.csv: cannot be written \(.*another program has it open\)"):
        write(tmp_path / "out.csv")
    assert 2 <= system.now - 100 < 2.2
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_bytes() == b"old"


def test_a_folder_is_replaced_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    system = Windows(monkeypatch, refusals=2)
    with whole_folder(tmp_path / "model", replace=True) as draft:
        (draft / "model.json").write_text("{}")
    assert (tmp_path / "model" / "model.json").exists()
    assert system.slept == 2


def test_elsewhere_a_refusal_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = Windows(monkeypatch, refusals=1)
    monkeypatch.setattr(files, "WINDOWS", False)
    with pytest.raises(OutputError, match="Access is denied"):
        write(tmp_path / "out.csv")
    assert system.slept == 0

"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgevoice import files
from edgevoice.errors import ArgumentError, OutputError, StreamError
from edgevoice.files import Draft, check_outputs, whole_file, whole_files, whole_folder

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write(path: Path, error: BaseException | None = None) -> None:
    with whole_file(path) as file:
        file.write(b"new")
        if error:
            raise error


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_it_takes_its_name_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "out.csv"
    with whole_file(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("bug"), StreamError("ended"), FULL])
def test_an_error_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "out.csv").write_bytes(b"old")
    with pytest.raises(OutputError if error is FULL else type(error)):
        write(tmp_path / "out.csv", error)
    assert (tmp_path / "out.csv").read_bytes() == b"old"
    with pytest.raises(OutputError if error is FULL else type(error)):
        write(tmp_path / "deep" / "er" / "out.csv", error)
    assert names(tmp_path) == ["out.csv"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_named_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join()
    assert read == [b"new"]
    assert pipe.is_fifo()
    ours, theirs = os.pipe()  # the shell names these for >(command), and /dev/stdout may lead to one
    if Path("/dev/fd").exists():
        write(Path(f"/dev/fd/{theirs}"))
        assert os.read(ours, 9) == b"new"
    os.close(ours)
    os.close(theirs)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_device_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "out.csv").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"out\.csv: cannot be written \(No space left"):
        write(tmp_path / "out.csv")
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("name", ["folder", "file/out.csv", "file/out/", "loop", "m" * 256])
def test_what_cannot_be_a_file_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    before = names(tmp_path)
    with pytest.raises(OutputError):
        write(tmp_path / name)
    assert names(tmp_path) == before


@pytest.mark.usefixtures("any_name")
@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "n" * 236])
def test_names_may_be_as_long_as_the_system_allows(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    with whole_folder(tmp_path / "folder" / name, replace=True) as draft:
        (draft / "one").touch()
    for replace in (True, False):
        draft = Draft(tmp_path / name)
        assert len(os.fsencode(draft.path.name)) <= len(os.fsencode(name))
        draft.drop()
        with whole_folder(tmp_path / "folder" / name, replace=replace):
            pass
    assert names(tmp_path) == sorted([name, "folder", f"folder/{name}"])


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.csv").touch(0o600)
    (tmp_path / "link.csv").symlink_to("real.csv")
    write(tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_bytes() == b"new"
    assert (tmp_path / "real.csv").stat().st_mode & 0o777 == 0o600  # what only its owner may read stays so


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("replace", [True, False])
def test_files_appear_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replace: bool, links: bool
) -> None:
    def write_all() -> None:
        with whole_files({tmp_path / "one": True, tmp_path / "two": True, tmp_path / "three": replace}) as opened:
            for file in opened:
                file.write(b"new")

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "one").write_bytes(b"old")
    if replace:
        with monkeypatch.context() as context:
            rename = files.rename_over
            context.setattr(files, "rename_over", lambda a, b: no_links() if b.name == "three" else rename(a, b))
            with pytest.raises(OutputError):
                write_all()
        assert names(tmp_path) == ["one"]
    else:
        (tmp_path / "three").write_bytes(b"old")
        with pytest.raises(OutputError, match="already exists"):
            write_all()
        assert names(tmp_path) == ["one", "three"]
        (tmp_path / "three").unlink()
    assert (tmp_path / "one").read_bytes() == (b"old" if links else b"new")
    write_all()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"] * 3


class Windows:
    """Refuses to rename a number of times; a clock that sleeping moves."""

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


def test_what_is_held_for_a_moment_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out.csv").write_bytes(b"old")
    (tmp_path / "model").mkdir()
    system = Windows(monkeypatch, refusals=3)
    write(tmp_path / "out.csv")
    assert ((tmp_path / "out.csv").read_bytes(), system.slept) == (b"new", 3)
    system.refusals = 2
    with whole_folder(tmp_path / "model", replace=True) as draft:
        (draft / "model.json").touch()
    assert ((tmp_path / "model" / "model.json").exists(), system.slept) == (True, 5)


def test_a_file_that_stays_open_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out.csv").write_bytes(b"old")
    system = Windows(monkeypatch, refusals=10_000)
    with pytest.raises(OutputError, match=r"out\.csv: cannot be written \(.*another program has it open\)"):
        write(tmp_path / "out.csv")
    assert 2 <= system.now - 100 < 2.2
    assert names(tmp_path) == ["out.csv"]
    assert (tmp_path / "out.csv").read_bytes() == b"old"
    monkeypatch.setattr(files, "WINDOWS", False)
    system.slept = 0
    with pytest.raises(OutputError, match="Access is denied"):  # elsewhere a refusal is final
        write(tmp_path / "out.csv")
    assert system.slept == 0


@pytest.mark.parametrize("replace", [True, False])
def test_a_folder_appears_at_the_end_or_not_at_all(tmp_path: Path, replace: bool) -> None:
    def write(error: BaseException | None = None) -> None:
        with whole_folder(tmp_path / "a" / "b", replace=replace) as draft:
            (draft / "new").touch()
            assert not (tmp_path / "a" / "b" / "new").exists()
            if error:
                raise error

    with pytest.raises(KeyboardInterrupt):
        write(KeyboardInterrupt())
    assert names(tmp_path) == []
    write()
    assert names(tmp_path) == ["a", "a/b", "a/b/new"]
    (tmp_path / "a" / "b" / "new").rename(tmp_path / "a" / "b" / "old")
    write()
    assert names(tmp_path) == ["a", "a/b", "a/b/new" if replace else "a/b/old"]
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), whole_folder(tmp_path / "file" / "x", replace=True):
        pass


SPELLINGS = ["t.csv", "./t.csv", "d/../t.csv", "link/t.csv", "T.CSV", "d/t.csv", "other.csv", "é.csv", "e\u0301.csv"]
SAME = ["t", "t", "t", "t", "t", "d", "o", "e", "e"]


@pytest.mark.usefixtures("any_name")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(range(len(SPELLINGS))), max_size=3))
def test_two_outputs_that_are_one_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: list[int]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir(exist_ok=True)
    if not Path("link").exists():
        Path("link").symlink_to(".")
    outputs = [None, "/dev/null", "/dev/null", "d", "d", *(SPELLINGS[k] for k in chosen)]
    if len({SAME[k] for k in chosen}) == len(chosen):
        check_outputs(outputs)
    else:
        with pytest.raises(ArgumentError, match="written twice"):
            check_outputs(outputs)


def test_an_output_that_is_an_input_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("i.csv", "j.csv"):
        Path(name).touch()
    Path("link.csv").symlink_to("i.csv")
    os.link("i.csv", "hard.csv")
    for name in ("i.csv", "./i.csv", "link.csv", "hard.csv", tmp_path / "i.csv"):
        with pytest.raises(ArgumentError, match="is also an input"):
            check_outputs(["new.csv", name], [None, "missing.wav", "m" * 300, "i.csv"])
    check_outputs(["j.csv", "new.csv"], ["i.csv", "missing.csv", "/dev/null", "."])

"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from edgevoice.errors import OutputError, StreamError
from edgevoice.files import whole_file


def write(path: Path, error: BaseException | None = None) -> None:
    with whole_file(path) as file:
        file.write(b"new")
        if error:
            raise error


def test_it_takes_its_name_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "out.csv"
    with whole_file(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("bug"), StreamError("ended")])
def test_an_error_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    with pytest.raises(type(error)):
        write(path, error)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"out\.csv: cannot be written \(No space left"):
        write(tmp_path / "out.csv", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))])
def test_folders_made_for_it_vanish_with_it(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises((KeyboardInterrupt, OutputError)):
        write(tmp_path / "there" / "deep" / "er" / "out.csv", error)
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]


def test_folders_that_others_use_meanwhile_stay(tmp_path: Path) -> None:
    other = tmp_path / "deep" / "other.csv"

    def fail() -> None:
        with whole_file(tmp_path / "deep" / "er" / "out.csv"):
            other.touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.rglob("*")) == [other.parent, other]


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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_device_is_written_to(tmp_path: Path) -> None:
    link = tmp_path / "out.csv"
    link.symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"out\.csv: cannot be written \(No space left"):
        write(link)
    assert Path("/dev/full").is_char_device()


def test_a_closed_pipe_is_no_output_error(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError):
        write(tmp_path / "out.csv", BrokenPipeError())


def test_a_folder_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write(tmp_path / "out.csv")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "file" / "out.csv")


def test_the_mode_is_that_of_any_new_file(tmp_path: Path) -> None:
    write(tmp_path / "out.csv")
    (tmp_path / "other").touch()
    assert (tmp_path / "out.csv").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.csv").touch()
    (tmp_path / "link.csv").symlink_to("real.csv")
    write(tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_bytes() == b"new"

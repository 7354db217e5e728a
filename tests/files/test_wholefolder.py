"""Folders that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevoice import OutputError
from edgevoice.files import whole_folder


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("replace", [True, False])
def test_it_appears_at_the_end_with_the_folders_above_it(tmp_path: Path, replace: bool) -> None:
    with whole_folder(tmp_path / "a" / "b", replace=replace) as draft:
        (draft / "one").touch()
        assert not (tmp_path / "a" / "b").exists()
    assert names(tmp_path) == ["a", "a/b", "a/b/one"]


def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        with whole_folder(tmp_path / "a" / "b", replace=True) as draft:
            (draft / "one").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert names(tmp_path) == []


@pytest.mark.parametrize(("replace", "left"), [(True, "new"), (False, "old")])
def test_one_that_is_there_gives_way_or_stays(tmp_path: Path, replace: bool, left: str) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "old").touch()
    with whole_folder(place, replace=replace) as draft:
        (draft / "new").touch()
    assert names(tmp_path) == ["place", f"place/{left}"]


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), whole_folder(tmp_path / "file" / "x", replace=True):
        pass

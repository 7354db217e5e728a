"""Cores are counted where the system tells, and one is there where it does not."""

from __future__ import annotations

import pytest
from edgevoice.cores import usable_cores


def test_usable_cores_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_cores() >= 1
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
    assert usable_cores() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert usable_cores() == 1

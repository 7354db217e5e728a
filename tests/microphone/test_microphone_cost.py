"""Idle means idle: what a live stream costs beside its computing and a bare capture."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import edgevoice
from microphone.virtualmicrophone import VirtualMicrophone


@pytest.mark.slow
def test_live_frames_cost_at_most_twice_their_computing_and_a_capture(
    virtual_microphone: Callable[..., VirtualMicrophone], root: Path
) -> None:
    """Null sink, with the benchmark's own measurements."""
    try:
        model = str(edgevoice.find_model("cae-256").path)
    except edgevoice.ModelNotFoundError:
        pytest.skip("no model cae-256: the computing of a tiny model is too small to compare with")
    command = [sys.executable, "-m", "benchmarks.microphone_cost", "--seconds", "10", "--model", model]
    environment = virtual_microphone("sink").environment
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True, timeout=200)
    report = json.loads(done.stdout)
    assert report["overhead"] < 1, report
    assert report["live"]["cpu"] < 0.2, report

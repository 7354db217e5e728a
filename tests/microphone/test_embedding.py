"""The examples in the documentation that open a microphone run as they stand, with a fake sounddevice."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import edgevoice
from edgevoice import Extractor, Frame
from microphone.fakesounddevice import FakeSoundDevice, wait_until


def snippet(path: Path) -> str:
    """The example of a page that opens a microphone."""
    found = re.findall(r"^```python\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)
    (example,) = (text for text in found if "edgevoice.Microphone(" in text)
    return example


def test_a_timer(fake: FakeSoundDevice, root: Path, tiny: Extractor, voice: np.ndarray) -> None:
    after: list[tuple[int, Any]] = []
    shown: list[Frame] = []
    window = SimpleNamespace(after=lambda *call: after.append(call))
    names: dict[str, Any] = {"edgevoice": edgevoice, "extractor": tiny, "show": shown.append, "window": window}
    exec(snippet(root / "docs" / "embedding.md"), names)
    for k in range(0, 160_000, 20_000):
        fake.stream.give(voice[k : k + 20_000])
        names["tick"]()
    assert [delay for delay, _ in after] == [50] * 8
    names["microphone"].close()
    np.testing.assert_array_equal([frame.values for frame in shown], tiny.extract((voice, 16000)).values)


def test_the_first_page(
    fake: FakeSoundDevice, root: Path, tiny: Extractor, voice: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    def speak() -> None:
        wait_until(lambda: fake.streams)
        fake.stream.give(voice)

    threading.Thread(target=speak, daemon=True).start()
    exec(snippet(root / "docs" / "start.md"), {"edgevoice": edgevoice, "extractor": tiny})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 39 + 5
    assert lines[0].startswith("0.5 ")
    assert lines[39] == "Fake microphone: 16000 Hz, 1 channel(s), 10.00 s of audio"

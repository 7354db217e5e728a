"""The examples in the documentation of `edgevoice.microphone` and in the README run as they stand: fake sounddevice."""

from __future__ import annotations

import asyncio
import queue
import re
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import edgevoice
import edgevoice.microphone
from edgevoice import Extractor, Frame
from microphone.fakesounddevice import FakeSoundDevice

EXAMPLES = re.findall(r"^```python\n(.*?)^```$", edgevoice.microphone.__doc__ or "", re.MULTILINE | re.DOTALL)


@pytest.fixture
def shown() -> list[Frame]:
    return []


@pytest.fixture
def names(tiny: Extractor, shown: list[Frame]) -> dict[str, Any]:
    """What the examples take for granted."""
    return {"edgevoice": edgevoice, "extractor": tiny, "show": shown.append, "asyncio": asyncio, "queue": queue}


@pytest.fixture
def stereo() -> np.ndarray:
    """Two seconds at 48 kHz, float32; every second row of what is in memory."""
    return np.random.default_rng(2).uniform(-0.2, 0.2, (192_000, 2)).astype(np.float32)[::2]


def run(number: int, names: dict[str, Any]) -> None:
    exec(compile(EXAMPLES[number], f"example {number}", "exec"), names)


def blocks_of(samples: np.ndarray) -> list[np.ndarray]:
    return [samples[start : start + 1000] for start in range(0, len(samples), 1000)]


def assert_shown(shown: list[Frame], tiny: Extractor, samples: np.ndarray, rate: int) -> None:
    stream = tiny.stream(rate, 1 if samples.ndim == 1 else samples.shape[1])
    np.testing.assert_array_equal([frame.values for frame in shown], stream.push(samples).values)
    assert shown


def test_there_are_five_of_six_lines() -> None:
    assert len(EXAMPLES) == 5
    assert all(len([line for line in example.splitlines() if line]) <= 6 for example in EXAMPLES)


def test_async_for(
    fake: FakeSoundDevice, names: dict[str, Any], shown: list[Frame], tiny: Extractor, voice: np.ndarray
) -> None:
    run(0, names)

    async def main() -> None:
        task = asyncio.ensure_future(names["listen"]())
        while not fake.streams:
            await asyncio.sleep(0.01)
        fake.stream.give(voice)
        while len(shown) < 39 and not task.done():
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(main())
    assert_shown(shown, tiny, voice, 16000)


def test_a_timer(
    fake: FakeSoundDevice, names: dict[str, Any], shown: list[Frame], tiny: Extractor, voice: np.ndarray
) -> None:
    after: list[tuple[int, Any]] = []
    names["window"] = SimpleNamespace(after=lambda *call: after.append(call))
    run(1, names)
    for k in range(0, 160_000, 20_000):
        fake.stream.give(voice[k : k + 20_000])
        names["tick"]()
    assert [delay for delay, _ in after] == [50] * 8
    names["microphone"].close()
    assert_shown(shown, tiny, voice, 16000)


def test_a_callback(names: dict[str, Any], shown: list[Frame], tiny: Extractor, stereo: np.ndarray) -> None:
    run(2, names)
    before = stereo.copy()
    stream = tiny.stream(rate=48000, channels=2)
    for block in blocks_of(stereo):
        names["callback"](block, len(block), None, None)
    while not names["blocks"].empty():
        names["idle"](stream)
    assert_shown(shown, tiny, stereo, 48000)
    np.testing.assert_array_equal(stereo, before)


def test_a_thread(names: dict[str, Any], shown: list[Frame], tiny: Extractor, stereo: np.ndarray) -> None:
    names["blocks"] = queue.SimpleQueue()
    run(3, names)
    thread = threading.Thread(target=names["work"])
    thread.start()
    for block in [*blocks_of(stereo), None]:
        names["blocks"].put(block)
    thread.join()
    assert_shown(shown, tiny, stereo, 48000)


def test_an_asyncio_task(names: dict[str, Any], shown: list[Frame], tiny: Extractor, stereo: np.ndarray) -> None:
    async def connection() -> AsyncIterator[np.ndarray]:
        for block in blocks_of(stereo):
            yield block

    run(4, names)
    asyncio.run(names["receive"](connection()))
    assert_shown(shown, tiny, stereo, 48000)


def test_the_readme(
    fake: FakeSoundDevice, root: Path, names: dict[str, Any], voice: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    snippets = re.findall(r"^```python\n(.*?)^```$", (root / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (snippet,) = (snippet for snippet in snippets if "Microphone" in snippet)

    def speak() -> None:
        while not fake.streams:
            time.sleep(0.01)
        fake.stream.give(voice)

    threading.Thread(target=speak, daemon=True).start()
    exec(compile(snippet, "README.md", "exec"), names)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 39 + 5
    assert lines[0].startswith("0.5 ")
    assert lines[39] == "Fake microphone: 16000 Hz, 1 channel(s), 10.00 s of audio"

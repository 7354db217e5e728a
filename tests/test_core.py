"""What users rely on, in a minute, with the extra `cpu` and pytest alone: `pytest -m core`."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import edgevoice
from edgevoice import Extractor, Features

pytestmark = pytest.mark.core


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return edgevoice.load("cae-64")


@pytest.fixture(scope="module")
def samples(speech: Path) -> np.ndarray:
    return soundfile.read(speech, dtype="float32")[0]


def same(found: list[Features], expected: Features) -> bool:
    """Whether blocks of features say what others say, to the bit."""
    joined = Features.join(found, expected.layout)
    return joined.values.tobytes() == expected.values.tobytes() and bool((joined.facts == expected.facts).all())


@pytest.mark.parametrize("name", ["cae-256", "cae-64", "light-256", "light-64", "rae-256", "rae-64", "lamprou-64"])
def test_a_file_gives_frames_and_a_static_vector(name: str, speech: Path) -> None:
    extractor = edgevoice.load(name)
    features = extractor.extract(speech)
    assert features.values.shape == (len(features), extractor.layout.descriptors)
    assert len(features) >= 2
    assert np.isfinite(features.values).all()
    assert len(features.functionals()) == len(features.functional_names) == 4 * features.values.shape[1]
    frame = features[1]
    assert (frame.index, frame.start) == (1, extractor.config.audio.hop / extractor.config.audio.rate)
    assert json.loads(json.dumps(frame.to_dict()))["bottleneck"] == frame.bottleneck.tolist()


@pytest.mark.parametrize(("rate", "chunk"), [(16000, 1), (16000, 441), (44100, 160), (8000, 4001), (48000, 100_000)])
def test_live_is_offline_to_the_bit(extractor: Extractor, samples: np.ndarray, rate: int, chunk: int) -> None:
    samples = samples[:20_000] if chunk == 1 else samples
    expected = extractor.extract((samples, rate))
    stream = extractor.stream(rate)
    blocks = [stream.push(samples[k : k + chunk]) for k in range(0, len(samples), chunk)]
    assert same([*blocks, stream.finish()], expected)
    assert same([extractor.extract((samples, rate), jobs=2)], expected)


def test_many_sources_together_get_their_own_frames(extractor: Extractor, samples: np.ndarray) -> None:
    sources = [samples, samples[::-1].copy(), samples * 0.1]
    batcher = extractor.batcher()
    streams = [extractor.stream(batcher=batcher) for _ in sources]
    for stream, source in zip(streams, sources, strict=True):
        stream.push(source)
        stream.finish()
    batcher.flush()
    taken = list(batcher.take())
    for stream, source in zip(streams, sources, strict=True):
        assert same([features for owner, features in taken if owner is stream], extractor.extract((source, 16000)))

    async def hub() -> list[list[float]]:
        async with edgevoice.Hub(extractor) as many:
            opened = [many.source() for _ in sources]
            for source, pushed in zip(opened, sources, strict=True):
                source.push(pushed)
                source.finish()
            return [[frame.end async for frame in source] for source in opened]

    assert asyncio.run(hub()) == [extractor.extract((samples, 16000)).end.tolist()] * 3


def test_lost_samples_are_counted(extractor: Extractor, samples: np.ndarray) -> None:
    stream = extractor.stream()
    before, lost, after = stream.push(samples[:16_000]), stream.skip(32_000), stream.push(samples[:16_000])
    assert [len(before), stream.lost] == [3, 7]
    assert [*lost.gap, *after.gap] == [True, True, False, False, False]
    assert after[-1].end == 4.0


def test_what_cannot_be_used_is_said(extractor: Extractor, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "short.wav", np.ones(100), 16000)
    for name, error in (
        ("missing.wav", edgevoice.AudioFileNotFoundError),
        ("text.wav", edgevoice.AudioFormatError),
        ("short.wav", edgevoice.AudioTooShortError),
    ):
        with pytest.raises(error):
            extractor.extract(tmp_path / name)
    with pytest.raises(edgevoice.ModelNotFoundError):
        edgevoice.load("no such model")
    stream = extractor.stream()
    with pytest.raises(edgevoice.SamplesError):
        stream.push(np.full(100, np.nan, np.float32))
    with pytest.raises(edgevoice.ArgumentError):
        extractor.stream(level="loud")


def test_the_command_writes_a_table_and_refuses_to_replace_it(speech: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgevoice.cli", "extract", str(speech), "--model", "cae-64", "-o", "table.csv"]
    for code in (0, 2):
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == code, result.stderr
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 32
    assert result.stderr.count("\n") == 1

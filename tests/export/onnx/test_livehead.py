"""A live graph with a head decides what `Judge` decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import edgevoice
from edgevoice.heads.fitting import head_graph
from edgevoice.heads.head import KEY
from edgevoice_export.cli import main
from edgevoice_export.onnx.live import convert_to_live


def random_head(extractor: edgevoice.Extractor, labels: list[str] | None, frames: int, descriptors: str) -> edgevoice.Head:
    rng, count = np.random.default_rng(frames), 2 * extractor.layout.descriptors
    layout, width = extractor.layout, len(labels or [1])
    about: dict[str, Any] = {"format": 1, "labels": labels, "seconds": 0.25 * frames + 0.25, "frames": frames}
    about |= {"descriptors": layout.descriptors, "rate": layout.rate, "window": layout.window, "hop": 4000}
    about |= {"recipe": extractor.recipe().to_dict(), "column": "x"}
    centre, scale = rng.normal(size=count).astype(np.float32), rng.uniform(0.5, 2, count).astype(np.float32)
    weights, bias = rng.normal(size=(count, width)) / 20, rng.normal(size=width)
    return edgevoice.Head(head_graph(about, centre, scale, weights.astype(np.float32), bias.astype(np.float32)))


@pytest.mark.parametrize(
    ("labels", "frames", "descriptors"),
    [(["a", "b", "c"], 7, "all"), (None, 4, "all"), (["a", "b"], 1, "bottleneck"), (["a", "b"], 3, "error")],
)
def test_it_decides_as_a_judge(labels: list[str] | None, frames: int, descriptors: Any, tiny_model: Path) -> None:
    extractor = edgevoice.load(tiny_model, descriptors=descriptors)
    head = random_head(extractor, labels, frames, descriptors)
    model = convert_to_live(extractor.folder, head=head)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata[KEY])["labels"] == labels
    state = np.zeros((2, json.loads(metadata["state"])), np.float32)
    rng = np.random.default_rng(0)
    samples = (0.2 * rng.standard_normal((2, 40, 4000))).astype(np.float32)
    samples[0, 10:15] = 0  # silence
    lost = np.zeros((2, 40, 5), np.bool_)
    lost[1, 0:3] = lost[0, 22:27] = lost[1, 20, 2:] = True
    judges = [head.judge(extractor) for _ in range(2)]
    streams, decisions = [extractor.stream() for _ in range(2)], 0
    for k in range(40):
        results = session.run(None, {"samples": samples[:, k], "lost": lost[:, k], "state": state})
        state, decided, said = results[4], results[5], results[6]
        for source in range(2):
            frames_now: list[edgevoice.Frame] = []
            for step in range(5):
                part = samples[source, k, 800 * step : 800 * (step + 1)]
                frames_now += streams[source].skip(800) if lost[source, k, step] else streams[source].push(part)
            expected = [judges[source].push(frame) for frame in frames_now]
            found = expected[-1] if expected else None
            assert decided[source, 0] == (found is not None), (k, source)
            if found is not None:
                decisions += 1
                wanted = [found.value] if labels is None else list(found.probabilities.values())
                np.testing.assert_allclose(said[source], wanted, atol=1e-5)
    assert decisions > 20


def test_the_command(tiny_model: Path, tmp_path: Path) -> None:
    extractor = edgevoice.load(tiny_model)
    (tmp_path / "head.onnx").write_bytes(random_head(extractor, ["a", "b"], 7, "all").data)
    words = ["live", str(tiny_model), "--head", str(tmp_path / "head.onnx"), "-o", str(tmp_path / "live.onnx")]
    assert main(words) == 0
    facts = json.loads((tmp_path / "live.onnx.json").read_text())
    session = onnxruntime.InferenceSession(tmp_path / "live.onnx", providers=["CPUExecutionProvider"])
    assert facts["head"]["labels"] == ["a", "b"]
    assert session.get_inputs()[2].shape[1] == facts["state"]
    assert main(["live", "cae-64", *words[2:5], str(tmp_path / "other.onnx")]) == 2

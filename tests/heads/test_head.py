"""Heads: what they decide, and which files and models they refuse."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import edgevoice
from edgevoice import ArgumentError, Extractor, Head, HeadError
from edgevoice.heads.head import KEY
from edgevoice.heads.pieces import describe
from heads.conftest import RATE, voice


def weights_of(head: Head) -> dict[str, np.ndarray]:
    return {one.name: numpy_helper.to_array(one) for one in onnx.load_from_string(head.data).graph.initializer}


def recomputed(head: Head, values: np.ndarray, silent: np.ndarray) -> np.ndarray:
    """What the graph is to give, in float64."""
    own = weights_of(head)
    described, _ = describe(values, silent, np.array([0]), len(values))
    logits = ((described - own["centre"]) / own["scale"]).astype(np.float64) @ own["weights"] + own["bias"]
    powers = np.exp(logits - logits.max())
    return np.asarray((powers / powers.sum())[0])


def test_live_and_from_a_file_it_decides_the_same(head: Head, tiny: Extractor) -> None:
    samples = np.concatenate([voice(95, 1, 3), np.zeros(2 * RATE, np.float32), voice(250, 2, 3)])
    features = tiny.extract((samples, RATE))
    decisions = head.decide(features)
    judge, stream, live = head.judge(tiny), tiny.stream(), []
    for at in range(0, len(samples), 1000):
        live.extend(judge.push(frame) for frame in stream.push(samples[at : at + 1000]))
    assert [one for one in live if one] == decisions
    assert live[:6] == [None] * 6  # seven frames are 2 s
    assert decisions[0].label == "low"
    assert decisions[-1].label == "high"
    assert (decisions[0].start, decisions[0].end) == (0, 2)
    for k, one in enumerate(live):
        part = slice(k - 6, k + 1)
        if k >= 6 and one is not None:
            found = recomputed(head, features.values[part], features.silent[part])
            np.testing.assert_allclose(list(one.probabilities.values()), found, atol=1e-5)
        elif k >= 6:
            assert features.silent[part].sum() > 3


def test_it_decides_nothing_while_most_is_silent(head: Head, tiny: Extractor) -> None:
    rng = np.random.default_rng(0)
    layout, facts = tiny.layout, np.zeros(7, edgevoice.windows.FACTS)
    facts["index"], facts["position"] = np.arange(7), 4000 * np.arange(7)
    values = rng.normal(size=(7, layout.descriptors)).astype(np.float32)
    for silent in range(8):
        facts["silent"] = np.arange(7) < silent
        decisions = head.decide(edgevoice.Features(values, facts, layout))
        assert len(decisions) == (silent <= 3)
        if decisions:
            found = recomputed(head, values, facts["silent"])
            np.testing.assert_allclose(list(decisions[0].probabilities.values()), found, atol=1e-5)


def test_lost_samples_are_said_and_lost_windows_are_not_heard(head: Head, tiny: Extractor) -> None:
    judge, stream, found = head.judge(tiny), tiny.stream(), []
    for frames in (stream.push(voice(95, 1, 4)), stream.skip(3 * RATE), stream.push(voice(95, 2, 4))):
        found.extend((frame.index, judge.push(frame)) for frame in frames)
    assert not any(one.gap for index, one in found if one and index < 14)
    after = {index: one for index, one in found if index > 25}
    assert all(after[index] is None for index in after if index <= 28)  # three or fewer frames since
    assert any(one is not None and one.gap for one in after.values())


def test_a_judge_has_one_source(head: Head, tiny: Extractor) -> None:
    features = tiny.extract((voice(95, 1), RATE))
    judge = head.judge(tiny)
    first = [judge.push(frame) for frame in features]
    with pytest.raises(ArgumentError):
        judge.push(features[0])
    judge.reset()
    assert [judge.push(frame) for frame in features] == first


def test_frames_that_it_was_not_fitted_with_are_refused(
    head: Head, tiny: Extractor, make_model: Callable[..., Path]
) -> None:
    other = edgevoice.load(make_model(features={"bottleneck": 12, "error": 128}))
    samples = voice(95, 1)
    one, two = head.judge(tiny), head.judge(tiny)
    uses: list[Callable[[], object]] = [
        lambda: head.judge(other),
        lambda: head.judge(tiny, level="window"),
        lambda: head.judge(tiny, hop=0.05),
        lambda: head.judge(edgevoice.load(tiny.folder, descriptors="bottleneck")),
        lambda: head.decide(tiny.extract((samples, RATE), level=2.0)),
        lambda: head.decide(other.extract((samples, RATE))),
        lambda: [one.push(frame) for frame in other.stream().push(samples)],
        lambda: [two.push(frame) for frame in tiny.stream(hop=0.5).push(samples)],
    ]
    for use in uses:
        with pytest.raises(HeadError):
            use()
    for wrong in (lambda: head.judge("tiny"), lambda: head.decide("speech.wav")):  # type: ignore[arg-type]
        with pytest.raises(ArgumentError):
            wrong()


def edited(head: Head, **about: Any) -> bytes:
    """The head with other metadata."""
    model = onnx.load_from_string(head.data)
    helper.set_model_props(model, {KEY: json.dumps({**head.about, **about})} if about else {})
    return bytes(model.SerializeToString())


def with_tensor(head: Head, name: str, value: np.ndarray | None) -> bytes:
    """The head with another constant; None keeps it in a file outside."""
    model = onnx.load_from_string(head.data)
    tensor = next(one for one in model.graph.initializer if one.name == name)
    if value is None:
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/passwd")
    else:
        tensor.CopyFrom(numpy_helper.from_array(value, name))
    return bytes(model.SerializeToString())


HOSTILE: dict[str, Callable[[Head], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"file,label\n" * 30,
    "cut": lambda head: head.data[: len(head.data) // 2],
    "no metadata": edited,
    "external": lambda head: with_tensor(head, "bias", None),
    "not a number": lambda head: with_tensor(head, "weights", np.full((272, 2), np.nan, np.float32)),
    "other weights": lambda head: with_tensor(head, "weights", np.zeros((270, 2), np.float32)),
    "format": lambda head: edited(head, format=2),
    "labels": lambda head: edited(head, labels=["low", "low"]),
    "label names": lambda head: edited(head, labels=["low", 3]),
    "labels as text": lambda head: edited(head, labels="lh"),
    "more labels": lambda head: edited(head, labels=["a", "b", "c"]),
    "number": lambda head: edited(head, labels=None),
    "frames": lambda head: edited(head, frames=8),
    "huge": lambda head: edited(head, frames=10**9),
    "flag": lambda head: edited(head, frames=True),
    "seconds": lambda head: edited(head, seconds="2"),
    "recipe": lambda head: edited(head, recipe={"model": "tiny"}),
    "scores": lambda head: edited(head, scores=[1]),
    "no object": lambda head: edited(head, recipe=None),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_head_is_one_error(make: Callable[[Head], bytes], head: Head, tmp_path: Path) -> None:
    (tmp_path / "head.onnx").write_bytes(make(head))
    with pytest.raises(HeadError) as error:
        edgevoice.load_head(tmp_path / "head.onnx")
    assert str(error.value).startswith(str(tmp_path / "head.onnx"))
    assert "\n" not in str(error.value)


def test_a_head_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.onnx", "x" * 5000, "\0"):
        with pytest.raises(HeadError):
            edgevoice.load_head(path)


def test_it_is_a_small_file_that_says_what_it_is(head: Head, tiny: Extractor, tmp_path: Path) -> None:
    (tmp_path / "head.onnx").write_bytes(head.data)
    loaded = edgevoice.load_head(tmp_path / "head.onnx")
    assert len(head.data) < 20_000
    assert loaded.labels == ("high", "low")
    assert loaded.seconds == 2
    assert loaded.recipe.deciding() == tiny.recipe().deciding()
    assert loaded.scores == head.scores
    assert pickle.loads(pickle.dumps(head)).decide(tiny.extract((voice(95, 1), RATE)))[0].label == "low"
    onnx.checker.check_model(onnx.load_from_string(head.data), full_check=True)
    with pytest.raises(HeadError, match="no scores"):
        print(Head(edited(head, scores={})).sentence)

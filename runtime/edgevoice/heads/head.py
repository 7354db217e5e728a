"""A head: one ONNX file that turns the last frames of a source into a decision. Running it needs ONNX Runtime only."""

from __future__ import annotations

import json
import math
import os
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.folders import is_file
from edgevoice.errors import ArgumentError, HeadError, ModelFilesError
from edgevoice.extractor import Extractor, check_extractor
from edgevoice.features import Features, Frame
from edgevoice.heads.judging import sentence
from edgevoice.recipe import Reading, Recipe
from edgevoice.sessions import first_line, open_graph

KEY = "edgevoice.head"
"""The entry of an ONNX file's metadata that says what a head is: JSON."""
FORMAT = 1
_DECIDING = ("encoder.onnx", "decoder.onnx")
_LARGEST = 1 << 26
"""Of a file in bytes, and of the numbers that are judged together."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a head says of the last frames of a source."""

    label: str | None
    """The most probable label; None from a head for a number."""
    value: float | None
    """The number; None from a head for labels."""
    probabilities: dict[str, float]
    """Of every label, together 1; empty from a head for a number."""
    start: float
    """Start of the first window that was judged, in seconds of the source."""
    end: float
    """End of the last one."""
    gap: bool
    """Whether samples of it were lost."""

    def to_dict(self) -> dict[str, Any]:
        """The decision for JSON."""
        return asdict(self)


class Head:
    """A fitted head, immutable, shared between threads. Made by `fit` and `load_head`; it pickles as its file."""

    about: dict[str, Any]
    """All that its metadata says."""
    labels: tuple[str, ...]
    """The labels, in the order of the probabilities; none where it gives a number."""
    seconds: float
    """How much audio one decision is about."""
    scores: dict[str, Any]
    """What `fit` found on groups that were held out: `name`, `value`, `interval`, `chance`, `better`, ..."""
    recipe: Recipe
    """The model, level and hop that its frames must be made with."""

    def __init__(self, data: bytes, name: str = "the head") -> None:
        self.data = data
        """The file: `Path("NAME.onnx").write_bytes(head.data)` stores it."""
        self.name = name
        try:
            if len(data) > _LARGEST:
                raise HeadError(f"has more than {_LARGEST} bytes, expected a head")
            self._session = open_graph(data)
            self._read()
        except (HeadError, ModelFilesError) as error:
            raise HeadError(f"{name}: {error}") from error
        self.run(np.zeros((self.frames, self.descriptors), np.float32), np.zeros(self.frames, np.bool_))

    def _read(self) -> None:
        """Read the metadata, and compare the graph with it."""
        text = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        if text is None:
            raise HeadError(f"is no head: its metadata has no {KEY!r}")
        try:
            self.about = about = json.loads(text)
            if about["format"] != FORMAT:
                raise ValueError(f"format {about['format']!r}, expected {FORMAT}: fit it again")
            self.recipe = Recipe.from_json(json.dumps(about["recipe"]))
            labels, self.scores, self.seconds = about["labels"], dict(about.get("scores", {})), about["seconds"]
            self.labels = tuple(labels or ())
            sizes: list[int] = [about[name] for name in ("frames", "descriptors", "hop")]
            self.frames, self.descriptors, self.hop = sizes
            if not all(type(size) is int and 0 < size < _LARGEST for size in sizes):
                raise ValueError(f"sizes {sizes}")
            if not 0 < self.seconds < math.inf or self.frames * self.descriptors > _LARGEST:
                raise ValueError("it judges too much at once")
            texts = {label for label in self.labels if isinstance(label, str) and label}
            if labels is not None and not (isinstance(labels, list) and len(texts) == len(labels) > 1):
                raise ValueError(f"labels {labels!r}")
        except (ArgumentError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise HeadError(f"is no head: its metadata {KEY!r} cannot be understood ({error})") from error
        self._outputs = ["decided", "probabilities" if self.labels else "value"]
        wanted = {
            "frames": ("tensor(float)", [self.frames, self.descriptors]),
            "silent": ("tensor(bool)", [self.frames]),
            self._outputs[0]: ("tensor(bool)", [1]),
            self._outputs[1]: ("tensor(float)", [max(1, len(self.labels))]),
        }
        found = {one.name: (one.type, one.shape) for one in self._session.get_inputs() + self._session.get_outputs()}
        if found != wanted:
            raise HeadError(f"is no head: it has {found}, expected {wanted}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.data, self.name)

    def __repr__(self) -> str:
        judged = ", ".join(self.labels) if self.labels else self.about.get("column", "a number")
        return f"<Head {self.recipe.model}: {judged}, {self.seconds:g} s>"

    @property
    def sentence(self) -> str:
        """The scores in plain words."""
        try:
            return sentence(self.scores, self.seconds, self.about["column"], self.about["group"])
        except (KeyError, TypeError, ValueError) as error:
            raise HeadError(f"{self.name}: has no scores: fit it again") from error

    def judge(self, extractor: Extractor, *, level: str | float | None = None, hop: float | None = None) -> Judge:
        """Make a judge for the frames of one source.

        Args:
            extractor: what computes them.
            level: that of the stream or microphone, if it was given one.
            hop: likewise.

        Raises:
            HeadError: the head was fitted with another model, level or hop.
        """
        check_extractor(extractor)
        self.check(extractor.recipe(Reading(level, hop)))
        return Judge(self)

    def decide(self, features: Features) -> list[Decision]:
        """Judge a recording: one decision a frame from `seconds` on, where at least half of the frames are not silent.

        Raises:
            HeadError: they were made with another model, level or hop.
        """
        if not isinstance(features, Features):
            raise ArgumentError(f"{type(features).__name__}: expected features, as `Extractor.extract` gives them")
        if features.recipe is not None:
            self.check(features.recipe)
        judge = Judge(self)
        return [decision for frame in features if (decision := judge.push(frame)) is not None]

    def check(self, recipe: Recipe) -> None:
        """Compare the recipe of frames with that of the frames which the head was fitted with.

        Raises:
            HeadError: other networks or settings, descriptors, level or hop.
        """
        own = self.recipe
        mine, theirs = dict(own.networks), dict(recipe.networks)
        if own.settings != recipe.settings or any(mine.get(name) != theirs.get(name) for name in _DECIDING):
            raise HeadError(
                f"{self.name}: was fitted with {own.model} {own.version}, and this is {recipe.model} {recipe.version}: use "
                f"that model (--model {own.model}), or fit the head again with this one"
            )
        for what in ("descriptors", "level", "hop"):
            wanted, found = getattr(own, what), getattr(recipe, what)
            if wanted != found:
                where = "load()" if what == "descriptors" else "the stream and judge()"
                how = f"{what}={wanted!r} for {where}, --{what} {wanted}"
                raise HeadError(f"{self.name}: was fitted with the {what} {wanted!r}, and this has {found!r}: use {how}")

    def run(self, frames: NDArray[np.float32], silent: NDArray[np.bool_]) -> tuple[bool, NDArray[np.float32]]:
        """Judge frames (n, descriptors): whether enough of them were heard; probabilities (labels,) or the value (1,).

        Raises:
            HeadError: the graph cannot be computed, or does not give finite numbers.
        """
        try:
            decided, judged = self._session.run(self._outputs, {"frames": frames, "silent": silent})
        except Exception as error:  # ONNX Runtime has kinds of errors of its own
            raise HeadError(f"{self.name}: cannot be computed: {first_line(error)}") from error
        if not np.isfinite(judged).all():
            raise HeadError(f"{self.name}: gives numbers that are not finite: fit it again")
        return bool(decided[0]), judged


class Judge:
    """Takes the frames of one source in order, and decides. Made by `Head.judge`; belongs to one thread at a time.

    Windows that were wholly lost count as silent.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self.reset()

    def reset(self) -> None:
        """Forget all frames: the next one is the first of a source."""
        self._frames: deque[tuple[NDArray[np.float32], bool, bool]] = deque(maxlen=self._head.frames)
        self._last: Frame | None = None

    def push(self, frame: Frame) -> Decision | None:
        """Take the next frame; None before `seconds` of audio, and while fewer than half of the frames are not silent.

        Raises:
            HeadError: the frame is of another model or hop.
            ArgumentError: it does not come after the last one.
        """
        head, last = self._head, self._last
        if len(frame.values) != head.descriptors:
            raise HeadError(
                f"{head.name}: judges frames of {head.descriptors} descriptors of {head.recipe.model}, not {frame!r}: give "
                "judge() the extractor that computes the frames"
            )
        steps, way = (1, head.hop) if last is None else (frame.index - last.index, frame.position - last.position)
        if steps < 1:
            raise ArgumentError(
                "a frame that does not come after the last one: a judge has one source, reset() begins another"
            )
        if way != steps * head.hop:
            hop = f"{head.recipe.hop:g}"
            raise HeadError(f"{head.name}: was fitted with a hop of {hop} s, and the frames have another: use hop={hop}")
        self._last = frame
        self._frames.extend([(np.zeros_like(frame.values), True, True)] * min(steps - 1, head.frames))
        self._frames.append((frame.values.copy(), frame.silent, frame.gap))
        if len(self._frames) < head.frames:
            return None
        values, silent, gap = map(np.array, zip(*self._frames, strict=True))
        decided, judged = head.run(values, silent)
        if not decided:
            return None
        place = ((frame.position - (head.frames - 1) * head.hop) / frame.layout.rate, frame.end, bool(gap.any()))
        if not head.labels:
            return Decision(None, float(judged[0]), {}, *place)
        probabilities = dict(zip(head.labels, judged.tolist(), strict=True))
        return Decision(head.labels[int(judged.argmax())], None, probabilities, *place)


def load_head(path: str | os.PathLike[str]) -> Head:
    """Load a head that `fit` has written.

    Raises:
        HeadError: there is no such file, or it is no head.
        MissingPackageError: ONNX Runtime is not installed.
    """
    if not is_file(path):
        raise HeadError(f"{path}: no such file, expected a head: `edgevoice fit` makes one")
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise HeadError(f"{path}: cannot be read ({error.strerror or error})") from error
    return Head(data, os.fspath(path))

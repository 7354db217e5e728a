"""The levels of `edgevoice.levels` as operators of a graph, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from edgevoice.config import SILENCE, ModelConfig
from edgevoice.errors import ArgumentError
from edgevoice.levels import Fixed, Level, Running, Window, find_level
from edgevoice_export.onnx.graph import Graph

LAST = np.array([1])
"""The axis along a source's numbers."""


class LevelInput(NamedTuple):
    """Names of the values that a level is computed from; lost samples are zeros."""

    rows: str
    """The steps of the hop, float64 (n, steps, step)."""
    exact: str
    """The whole window, float64 (n, window)."""
    high: str
    """The highest sample of the window, (n, 1)."""
    low: str


class GraphLevel(NamedTuple):
    """A level of a graph."""

    state: int
    """How many numbers it keeps in the state of a source."""
    add: Callable[[Graph, ModelConfig, LevelInput, int], tuple[str, str, list[str]]]
    """Appends it to a graph with the inputs `state` and `lost`, for a configuration and the place of its first number in the
    state; returns offset and peak, float64 (n, 1), and what goes into the state, float32 (n, 1) each."""


def _running(graph: Graph, config: ModelConfig, source: LevelInput, at: int) -> tuple[str, str, list[str]]:
    """Mean and peak after each step.

    Both are stored as pairs of float32, 48 bits in all, with a flag that says whether the source has begun.
    """
    level = config.level
    begun = graph.add("Greater", columns(graph, "state", at, at + 1), np.float32(0.5))
    mean, peak = (_double(graph, place) for place in (at + 1, at + 3))
    floor = np.float64(level.peak_floor)
    peak = graph.add("Max", peak, floor)
    means, highs, lows = (
        graph.add(name, source.rows, np.array([2]), keepdims=0) for name in ("ReduceMean", "ReduceMax", "ReduceMin")
    )
    for k in range(config.audio.hop // level.step):
        own, high, low, gone = (columns(graph, value, k, k + 1) for value in (means, highs, lows, "lost"))
        moved = graph.add("Add", mean, graph.add("Mul", graph.add("Sub", own, mean), np.float64(level.mean_rate)))
        new = graph.add("Where", begun, moved, own)
        fallen = graph.add("Mul", peak, np.float64(level.decay))
        raised = graph.add("Max", fallen, distance(graph, high, low, new), floor)
        mean, peak = graph.add("Where", gone, mean, new), graph.add("Where", gone, peak, raised)
        begun = graph.add("Or", begun, graph.add("Not", gone))
    return mean, peak, [graph.add("Cast", begun, to=TensorProto.FLOAT), *_pair(graph, mean), *_pair(graph, peak)]


def _window(graph: Graph, config: ModelConfig, source: LevelInput, _at: int) -> tuple[str, str, list[str]]:
    """Mean and peak of the window."""
    offset = graph.add("ReduceMean", source.exact, LAST, keepdims=1)
    largest = distance(graph, source.high, source.low, offset)
    constant = config.level.peak_constant
    return offset, graph.add("Add" if constant else "Max", largest, np.float64(constant or SILENCE)), []


def _fixed(graph: Graph, config: ModelConfig, source: LevelInput, _at: int) -> tuple[str, str, list[str]]:
    """One fixed gain."""
    offset = graph.add("Mul", source.high, np.float64(0))  # of a value of the graph, so that there is one for each source
    return offset, graph.add("Add", offset, np.float64(1 / float(config.level.default))), []


GRAPH_LEVELS: dict[type[Level], GraphLevel] = {
    Running: GraphLevel(5, _running),
    Window: GraphLevel(0, _window),
    Fixed: GraphLevel(0, _fixed),
}


def graph_level(config: ModelConfig) -> GraphLevel:
    """The level of a model; ArgumentError where it needs the whole source."""
    level = find_level(None, config.level)
    if type(level) not in GRAPH_LEVELS:
        raise ArgumentError(
            f"{config.name}: its level, {config.level.default}, needs the whole source; choose another model"
        )
    return GRAPH_LEVELS[type(level)]


def distance(graph: Graph, high: str, low: str, offset: str) -> str:
    """The largest |x - offset|."""
    return graph.add("Max", graph.add("Sub", high, offset), graph.add("Sub", offset, low))


def columns(graph: Graph, value: str, first: int, last: int) -> str:
    """Numbers first..last of each source."""
    return graph.add("Slice", value, np.array([first]), np.array([last]), LAST)


def _double(graph: Graph, at: int) -> str:
    """A number of the state, float64 (n, 1): the sum of two of float32."""
    parts = (graph.add("Cast", columns(graph, "state", k, k + 1), to=TensorProto.DOUBLE) for k in (at, at + 1))
    return graph.add("Add", *parts)


def _pair(graph: Graph, value: str) -> list[str]:
    """Two float32 (n, 1) whose sum is `value`."""
    high = graph.add("Cast", value, to=TensorProto.FLOAT)
    rest = graph.add("Sub", value, graph.add("Cast", high, to=TensorProto.DOUBLE))
    return [high, graph.add("Cast", rest, to=TensorProto.FLOAT)]

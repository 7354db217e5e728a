"""Write heads of random numbers in a folder, as `edgevoice fit` does; print what they decide of frames on standard input.

Words: the folder, number and silence of each frame as JSON, the metadata as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

folder, windows, facts = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
wide, count = facts["descriptors"], facts["frames"]
frames = np.frombuffer(sys.stdin.buffer.read(), np.float32)
frames = frames.reshape(len(windows), frames.size // max(1, len(windows)))[:, :wide].astype(np.float64)
rng = np.random.default_rng(0)

STEPS = """
Not silent -> heard
Cast heard -> kept
Shape kept -> shape
ConstantOfShape shape -> ones
ReduceSum ones first -> all
ReduceSum kept first -> some
Mul some two -> twice
GreaterOrEqual twice all -> decided
Unsqueeze kept last -> column
Max some one -> divisor
Mul frames column -> own
ReduceSum own first -> sum
Div sum divisor -> mean
Sub frames mean -> away
Mul away away -> square
Mul square column -> squares
ReduceSum squares first -> power
Div power divisor -> variance
Sqrt variance -> deviation
Concat mean deviation -> joined
Sub joined middle -> centred
Div centred spread -> scaled
Gemm scaled weights bias -> scores
"""
ATTRIBUTES = {
    "Cast": {"to": TensorProto.FLOAT},
    "Concat": {"axis": 1},
    "ConstantOfShape": {"value": helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])},
}


def write(name: str, labels: list[str]) -> list[list[float] | None]:
    """Write one head, and return what it decides of each `count` frames."""
    outputs = len(labels) or 1
    middle, spread = rng.normal(size=2 * wide), rng.uniform(1, 2, 2 * wide)
    weights, bias = rng.normal(size=(2 * wide, outputs)) / wide, rng.normal(size=outputs)
    numbers = {"middle": middle, "spread": spread, "weights": weights, "bias": bias, "one": [1], "two": [2]}
    constants = [numpy_helper.from_array(np.array(value, np.float32), key) for key, value in numbers.items()]
    constants += [numpy_helper.from_array(np.array([value]), key) for key, value in (("first", 0), ("last", 1))]
    ends = "Softmax scores -> rows\nSqueeze rows first -> probabilities" if labels else "Squeeze scores first -> value"
    nodes = []
    for kind, *inputs, _, output in (step.split() for step in f"{STEPS.strip()}\n{ends}".splitlines()):
        nodes.append(helper.make_node(kind, inputs, [output], **ATTRIBUTES.get(kind, {})))
    tensor = helper.make_tensor_value_info
    given = [tensor("frames", TensorProto.FLOAT, [count, wide]), tensor("silent", TensorProto.BOOL, [count])]
    result = tensor("probabilities" if labels else "value", TensorProto.FLOAT, [outputs])
    graph = helper.make_graph(nodes, "head", given, [tensor("decided", TensorProto.BOOL, [1]), result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"edgevoice.head": json.dumps({**facts, "labels": labels or None})})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, folder / name)
    found: list[list[float] | None] = []
    for last, _ in windows:
        heard = [k for k, (index, silent) in enumerate(windows) if last - count < index <= last and not silent]
        if last - windows[0][0] < count - 1 or 2 * len(heard) < count:
            found.append(None)
            continue
        functionals = np.concatenate([frames[heard].mean(axis=0), frames[heard].std(axis=0)])
        scores = ((functionals - middle) / spread) @ weights + bias
        if labels:
            scores = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        found.append(scores.tolist())
    return found


sys.stdout.write(json.dumps([write("classes.onnx", ["low", "middle", "high"]), write("number.onnx", [])]))

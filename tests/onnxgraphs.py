"""Small ONNX graphs, made and computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def graph(nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], shape: list[Any]) -> onnx.ModelProto:
    """Model from `x` of a shape to `y`."""
    made = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


def rewritten(model: onnx.ModelProto, apply: Any) -> onnx.ModelProto:
    """What a rewrite makes of a model."""
    changed = ir.from_proto(model)
    apply(changed)
    proto = ir.to_proto(changed)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])

from __future__ import annotations

import onnx
import pytest

from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.onnx.convert import convert


@pytest.mark.parametrize("arch", ["cae", "rae"])
def test_graphs_are_self_contained_and_open_in_n(arch: str):
    """Their numbers are tried wherever a model is exported or imported."""
    shapes = {
        "encoder.onnx": {"spectrogram": [1, 128, 126], "bottleneck": [64]},
        "decoder.onnx": {
            "bottleneck": [64],
            "spectrogram": [1, 128, 126],
            "error": [128],
            "reconstruction": [1, 128, 126],
        },
    }
    for name, model in convert(ARCHITECTURES[arch].network(64).eval(), (128, 126), 64).items():
        onnx.checker.check_model(model, full_check=True)
        assert model.opset_import[0].version >= 17
        assert not any(initialiser.external_data for initialiser in model.graph.initializer)
        assert b"/" + b"edgevoice_export" not in model.SerializeToString(), "paths of the machine that exported"
        values = [*model.graph.input, *model.graph.output]
        dimensions = {value.name: list(value.type.tensor_type.shape.dim) for value in values}
        assert {key: [d.dim_value for d in dims[1:]] for key, dims in dimensions.items()} == shapes[name]
        assert all(dims[0].dim_param for dims in dimensions.values())
        assert len({node.name for node in model.graph.node} - {""}) == len(model.graph.node)
        used = {given for node in model.graph.node for given in node.input}
        assert {initialiser.name for initialiser in model.graph.initializer} <= used

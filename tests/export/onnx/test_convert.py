from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.onnx.convert import convert


@pytest.fixture(scope="module", params=["cae", "rae"])
def pair(request: pytest.FixtureRequest) -> tuple[torch.nn.Module, dict[str, onnx.ModelProto]]:
    torch.manual_seed(3)
    network = ARCHITECTURES[request.param].network(64)
    with torch.no_grad():
        network(torch.rand(4, 1, 128, 126))  # batch norms take some statistics
    return network.eval(), convert(network, (128, 126), 64)


def test_graphs_are_self_contained_and_open_in_n(pair: tuple[torch.nn.Module, dict[str, onnx.ModelProto]]):
    shapes = {
        "encoder.onnx": {"spectrogram": [1, 128, 126], "bottleneck": [64]},
        "decoder.onnx": {
            "bottleneck": [64],
            "spectrogram": [1, 128, 126],
            "error": [128],
            "reconstruction": [1, 128, 126],
        },
    }
    for name, model in pair[1].items():
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


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_outputs_are_the_networks(pair: tuple[torch.nn.Module, dict[str, onnx.ModelProto]], batch: int):
    import onnxruntime

    network, graphs = pair
    spectrograms = torch.rand(batch, 1, 128, 126, generator=torch.Generator().manual_seed(batch))
    with torch.no_grad():
        reconstruction, bottleneck = network(spectrograms)
    sessions = {name: onnxruntime.InferenceSession(graph.SerializeToString()) for name, graph in graphs.items()}
    inputs = {"spectrogram": spectrograms.numpy()}
    np.testing.assert_allclose(sessions["encoder.onnx"].run(None, inputs)[0], bottleneck, atol=1e-5)
    inputs["bottleneck"] = bottleneck.numpy()
    found = sessions["decoder.onnx"].run(["error", "reconstruction"], inputs)
    np.testing.assert_allclose(found[1], reconstruction, atol=1e-5)
    expected = np.mean((spectrograms.numpy() - reconstruction.numpy()) ** 2, axis=(1, 3))
    np.testing.assert_allclose(found[0], expected, atol=1e-5)

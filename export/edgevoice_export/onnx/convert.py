"""Converts trained weights to ONNX: encoder and decoder of a network become self-contained models."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import onnx
import onnx_ir as ir
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgevoice_export.networks.architecture import replace_modules
from edgevoice_export.onnx.graph import OPSET, name_nodes
from edgevoice_export.onnx.rewrites import rewrite

_EXAMPLES = 2  # torch.export treats a size of 1 as a constant


class DecoderWithError(nn.Module):
    """A decoder that also compares its reconstruction with the spectrogram."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, bottleneck: Tensor, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        """Return error (n, bands), the mean over columns of the squared difference, and reconstruction."""
        reconstruction = self.decoder(bottleneck)
        return (spectrogram - reconstruction).square().mean(dim=3).squeeze(1), reconstruction


def network_reference(network: nn.Module) -> Callable[[NDArray[np.float32]], dict[str, NDArray[np.floating]]]:
    """A function that computes the outputs of a network in its present state, in float64."""
    network = copy.deepcopy(network).double()
    encoder, decoder = network.get_submodule("encoder"), DecoderWithError(network.get_submodule("decoder"))

    @torch.inference_mode()
    def reference(spectrograms: NDArray[np.float32]) -> dict[str, NDArray[np.floating]]:
        x = torch.from_numpy(spectrograms).double()
        bottleneck = encoder(x)
        error, reconstruction = decoder(bottleneck, x)
        return {"bottleneck": bottleneck.numpy(), "error": error.numpy(), "reconstruction": reconstruction.numpy()}

    return reference


def convert(network: nn.Module, shape: tuple[int, int], units: int) -> dict[str, onnx.ModelProto]:
    """Convert a network in evaluation mode to `encoder.onnx` and `decoder.onnx`; `shape` is (bands, columns)."""
    network = replace_modules(copy.deepcopy(network), nn.LSTM, OnnxLSTM)
    spectrogram = torch.rand(_EXAMPLES, 1, *shape, generator=torch.Generator().manual_seed(0))
    bottleneck = torch.rand(_EXAMPLES, units, generator=torch.Generator().manual_seed(0))
    encoder, decoder = network.get_submodule("encoder"), DecoderWithError(network.get_submodule("decoder"))
    return {
        "encoder.onnx": _export(encoder, {"spectrogram": spectrogram}, ["bottleneck"]),
        "decoder.onnx": _export(
            decoder, {"bottleneck": bottleneck, "spectrogram": spectrogram}, ["error", "reconstruction"]
        ),
    }


def _export(module: nn.Module, inputs: dict[str, Tensor], outputs: list[str]) -> onnx.ModelProto:
    windows = torch.export.Dim("n")
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=outputs,
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=tuple({0: windows} for _ in inputs),
            verbose=False,
        )
    if program is None:  # only where a file name is given
        raise RuntimeError("torch.onnx.export returned no program")
    model = program.model
    rewrite(model)
    _forget_sources(model)
    model.producer_name, model.producer_version = "edgevoice-export", ""
    proto = ir.to_proto(model)
    name_nodes(proto)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _forget_sources(model: ir.Model) -> None:
    """Remove notes of the exporter, which contain paths of the machine that it ran on."""
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for node in model.graph:
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
    for value in [*model.graph.inputs, *model.graph.initializers.values()]:
        value.metadata_props.clear()


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress messages of the exporter about itself: deprecations in PyTorch, and missing torchvision."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


class OnnxLSTM(nn.Module):
    """Takes the place of an `nn.LSTM` with `batch_first`, begun at zero, for tracing: it gives shapes, not numbers.

    PyTorch's exporter would write the steps of a layer out one by one, in a large, slow graph. Here each layer becomes one
    operator `LSTM`, with the gates in the order of the ONNX specification.
    """

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        self.layers, self.units, self.directions = lstm.num_layers, lstm.hidden_size, 1 + lstm.bidirectional
        ways = ["", "_reverse"][: self.directions]
        for layer in range(self.layers):
            for name, stems in (("weight", ["weight_ih"]), ("recurrence", ["weight_hh"]), ("bias", ["bias_ih", "bias_hh"])):
                rows = [
                    torch.cat([_reorder(getattr(lstm, f"{stem}_l{layer}{way}").detach()) for stem in stems]) for way in ways
                ]
                self.register_buffer(f"{name}_{layer}", torch.stack(rows))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return outputs (n, steps, directions * units) and the final states of (n, steps, features)."""
        x = x.transpose(0, 1)
        states, cells = [], []
        for layer in range(self.layers):
            x, state, cell = self._layer(layer, x)
            states.append(state)
            cells.append(cell)
        return x.transpose(0, 1), (torch.cat(states), torch.cat(cells))

    def _layer(self, layer: int, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        steps, count = x.shape[:2]
        outputs, state, cell = torch.onnx.ops.symbolic_multi_out(
            "LSTM",
            (x, *(self.get_buffer(f"{name}_{layer}") for name in ("weight", "recurrence", "bias"))),
            attrs={"hidden_size": self.units, "direction": "bidirectional" if self.directions == 2 else "forward"},
            dtypes=(x.dtype, x.dtype, x.dtype),
            shapes=((steps, self.directions, count, self.units), *[(self.directions, count, self.units)] * 2),
            version=18,
        )
        if self.directions == 1:
            return outputs.squeeze(1), state, cell
        return outputs.transpose(1, 2).flatten(2), state, cell  # (steps, n, directions * units)


def _reorder(rows: Tensor) -> Tensor:
    """Gates in ONNX's order (input, output, forget, cell) from PyTorch's (input, forget, cell, output)."""
    enter, keep, new, leave = rows.chunk(4)
    return torch.cat([enter, leave, keep, new])


def pytorch_order(rows: Tensor) -> Tensor:
    """Gates in PyTorch's order from ONNX's."""
    enter, leave, keep, new = rows.chunk(4)
    return torch.cat([enter, keep, new, leave])

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

from edgevoice_export.onnx.graph import OPSET, name_nodes
from edgevoice_export.onnx.lstm import use_onnx_lstm
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
    """Convert a network to `encoder.onnx` and `decoder.onnx`.

    Args:
        network: with the parts `encoder` and `decoder`, in evaluation mode.
        shape: bands and columns of a spectrogram.
        units: size of the bottleneck.
    """
    network = use_onnx_lstm(copy.deepcopy(network))
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
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

"""The expected outputs of a model's networks, computed by PyTorch in float64."""

from __future__ import annotations

import copy

import torch
from torch import nn

from edgevoice_export.onnx.convert import DecoderWithError
from edgevoice_export.publish.verify import Compute, Images, Outputs


def network_reference(network: nn.Module) -> Compute:
    """A function that computes the outputs of a network in its present state, in float64."""
    network = copy.deepcopy(network).double()
    encoder, decoder = network.get_submodule("encoder"), DecoderWithError(network.get_submodule("decoder"))

    @torch.inference_mode()
    def reference(spectrograms: Images) -> Outputs:
        x = torch.from_numpy(spectrograms).double()
        bottleneck = encoder(x)
        error, reconstruction = decoder(bottleneck, x)
        return {"bottleneck": bottleneck.numpy(), "error": error.numpy(), "reconstruction": reconstruction.numpy()}

    return reference

"""The last step after training: numbers of the code get similar sizes, and none is active in rare cases only.

Straightening and scaling leave the reconstruction of speech as it was, so that both can wait until weights are kept.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgevoice_export.codes.scaling import bottleneck_sizes, scale_bottleneck
from edgevoice_export.codes.straightening import straightened
from edgevoice_export.data.sampler import WindowSampler
from edgevoice_export.networks import Architecture
from edgevoice_export.training.weights import load_weights

_WINDOWS = 1024


def settled(architecture: Architecture, weights: dict[str, Tensor], validation: WindowSampler) -> dict[str, Tensor]:
    """Straighten and scale the code of an autoencoder, where the architecture allows it.

    Args:
        architecture: says which weights make the bottleneck, and which take it in.
        weights: as the network's `state_dict` has them.
        validation: windows that are typical of what the network is for.
    """
    if not architecture.code_rows:
        return weights
    spectrograms = torch.from_numpy(validation.spectrograms(validation.grid(architecture.levels[0], _WINDOWS)))
    straight = straightened(architecture, weights, spectrograms)
    network = architecture.network(len(straight[architecture.code_rows[1]]))
    load_weights(network, straight)
    return scale_bottleneck(architecture, straight, bottleneck_sizes(architecture, network, spectrograms))

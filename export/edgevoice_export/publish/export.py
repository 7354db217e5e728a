"""Turns a checkpoint of a training run into a model folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgevoice.config import FeaturesConfig, ModelConfig
from edgevoice.errors import ArgumentError
from edgevoice.inference import FRONT_END
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.data.corpus import Corpus
from edgevoice_export.data.sampler import WindowSampler
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.onnx.convert import convert, network_reference
from edgevoice_export.onnx.frontend import front_end_graph
from edgevoice_export.onnx.halves import SMALLEST, store_halves
from edgevoice_export.publish.card import Description, Training, trained_card
from edgevoice_export.publish.folder import NETWORK_FILE, digests, write_folder
from edgevoice_export.publish.measures import Drift, measure
from edgevoice_export.publish.plots import history_picture, plot_example
from edgevoice_export.publish.verify import Compute, Verification, outputs_of, verify, verify_front_end
from edgevoice_export.training.runs import Checkpoint
from edgevoice_export.training.weights import Weights, pack_weights

_VERIFIED = 32
_SHOWN = 4
_LARGEST_CHANGE = 2.0**-10
"""Of a matrix, relative to its size (both as root mean squares): float16 has neither very large nor very small numbers."""


def export_checkpoint(
    checkpoint: Path, corpus: Corpus, out: Path, description: Description, *, initial: Weights | None = None
) -> tuple[ModelFolder, Verification]:
    """Convert a checkpoint, verify it on the validation speakers, and write the model folder with its card.

    The checkpoint is `best.pt` of a training run, on this corpus; with the weights that it began with, `initial`, the card
    says how far the features moved from theirs. A model folder that is there is replaced.

    Raises:
        ArgumentError: the corpus is not the one that it was trained on.
        VerificationError: PyTorch and ONNX Runtime differ; nothing is written then.
        ModelError, OutputError: the checkpoint cannot be used, or the folder not written.
    """
    trained = Checkpoint.read(checkpoint)
    if trained.data != corpus.digest:
        raise ArgumentError(f"{checkpoint}: was trained on other data: give the same folder, --table and --pad")
    settings = trained.settings
    architecture = ARCHITECTURES[settings.arch]
    preprocessing = architecture.preprocessing
    weights = Weights(settings.arch, settings.units, rounded(trained.weights))
    network = weights.network()
    graphs = convert(network, preprocessing.shape, weights.units)
    for graph in graphs.values():
        store_halves(graph)
    front_end = front_end_graph(preprocessing, "convolution", max(graph.ir_version for graph in graphs.values()))
    networks = {name: graph.SerializeToString() for name, graph in {**graphs, FRONT_END: front_end}.items()}
    packed = {NETWORK_FILE: pack_weights(weights, graphs)}

    compute = outputs_of(networks.__getitem__)
    split = corpus.split(settings.validation, settings.seed)
    windows = WindowSampler(corpus.recordings(split[1]), preprocessing)
    examples = windows.spectrograms(windows.grid(architecture.levels[0], _VERIFIED))
    verification = verify(compute, network_reference(network), examples)
    verification.require(description.name)
    verify_front_end(networks.__getitem__, preprocessing, description.name)
    held_out = {level: measure(compute, windows, windows.grid(level)) for level in architecture.levels}

    drift = None
    if initial is not None and initial.units == settings.units:
        speakers = [corpus.speakers[utterance] for utterance in split[1].tolist()]
        drift = _drift(network_reference(initial.network()), compute, windows, architecture.levels[0], speakers)

    training = Training(description, trained, corpus, split, held_out, drift)
    config = ModelConfig(
        name=description.name,
        version=description.version,
        licence=description.licence,
        summary=f"{architecture.summary[0].upper()}{architecture.summary[1:]}; {settings.units} numbers per window.",
        audio=preprocessing.audio,
        level=preprocessing.level,
        spectrogram=preprocessing.spectrogram,
        features=FeaturesConfig(settings.units, preprocessing.shape[0]),
        files=digests(networks),
        training=digests(packed),
        typical=held_out[architecture.levels[0]].typical,
        origin=_origin(training, checkpoint.read_bytes()),
    )
    shown = examples[np.linspace(0, len(examples) - 1, _SHOWN).astype(int)]
    reconstructions = compute(shown)["reconstruction"]
    milliseconds = 1000 * preprocessing.audio.window / preprocessing.audio.rate
    beside = {
        "README.md": trained_card(config, training, verification).encode(),
        "example.png": plot_example(shown[:, 0], reconstructions[:, 0], milliseconds),
        "history.png": history_picture(trained.history),
    }
    return write_folder(out, config, {**networks, **packed, **beside}), verification


def _drift(before: Compute, after: Compute, windows: WindowSampler, level: str, speakers: Sequence[str]) -> Drift:
    """Measure how far the features of the validation recordings have moved."""
    draw = windows.grid(level)
    rows: tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]] = ([], [])
    units, recordings = 0, np.unique(draw.recordings).tolist()
    for recording in recordings:
        (places,) = np.nonzero(draw.recordings == recording)
        images = windows.spectrograms(draw[slice(places[0], places[-1] + 1)])  # the recordings are in order
        for compute, found in zip((before, after), rows, strict=True):
            outputs = compute(images)
            units = outputs["bottleneck"].shape[1]
            found.append(np.concatenate([outputs["bottleneck"], outputs["error"]], axis=1, dtype=np.float32))
    return Drift.between(*rows, units, [speakers[recording] for recording in recordings])


def _origin(training: Training, checkpoint: bytes) -> dict[str, Any]:
    return {
        "trained_on": {
            "data": training.description.data,
            "licence": training.description.data_licence,
            "digest": f"sha256:{training.corpus.digest}",
            "hours": round(training.corpus.hours, 3),
            "speakers": sum(training.speakers),
            "utterances": len(training.corpus),
        },
        "lineage": [run.to_dict() for run in training.lineage],
        "checkpoint": f"sha256:{hashlib.sha256(checkpoint).hexdigest()}",
        "held_out": {
            "speakers": training.speakers[1],
            "windows": {level: found.windows for level, found in training.held_out.items()},
            "mean_squared_error": {level: round(found.mean, 9) for level, found in training.held_out.items()},
        },
    }


def rounded(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Round the large matrices of a `state_dict` to numbers that float16 holds; the other tensors are returned as they are.

    Most weights of an autoencoder are in the large matrices around its code and in its LSTMs. Rounding moves each by at most
    one part in 2048, and the code by about 0.1 % of its spread; a model is verified and measured with the rounded weights.
    Kernels of convolutions stay as they are, for the scales of the batch norms are multiplied into them later.
    """

    def of(tensor: Tensor) -> Tensor:
        if tensor.dim() != 2 or tensor.dtype != torch.float32 or tensor.numel() < SMALLEST:
            return tensor
        half = tensor.half().float()
        return half if (half - tensor).norm() / tensor.norm() <= _LARGEST_CHANGE else tensor

    return {name: of(tensor) for name, tensor in tensors.items()}

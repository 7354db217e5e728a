"""DisVoice's published weights -> model folders.

DisVoice (https://github.com/jcvasquezc/DisVoice) keeps them as `state_dict` files, `256_CAE.pt` and so on, in its folder
`replearning`. The package is found without being imported, for its import pulls in TensorFlow.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from edgevoice.config import FeaturesConfig, LogarithmConfig, ModelConfig
from edgevoice.errors import ModelConfigError, ModelFilesError, ModelNotFoundError
from edgevoice.modelfolder import ModelFolder
from edgevoice_export.networks import ARCHITECTURES
from edgevoice_export.onnx.convert import convert, network_reference
from edgevoice_export.publish.card import imported_card
from edgevoice_export.publish.folder import NETWORK_FILE, digests, write_folder
from edgevoice_export.publish.verify import Verification, outputs_of, synthetic_spectrograms, verify
from edgevoice_export.training.runs import Run, load_tensors
from edgevoice_export.training.weights import Weights, fitting, pack_weights

_VERIFIED = 32
_VERSION = "1.0.0"

TOLERANCE = 1e-4
"""With the statistics of a single window, a batch norm magnifies the rounding of float32."""

_FILE = re.compile(r"(?:^|/)replearning/(\d+_[A-Z]+\.pt)$")
_FLOOR = 1e-30  # DisVoice takes the logarithm without a floor

_NOTES = """## Notes

The level is DisVoice's: mean and peak of the whole recording (`utterance`). DisVoice's logarithm has no floor; here it is
1e-30, below anything but digital silence.

{statistics}
"""
_STATISTICS = {
    "batch": """DisVoice never calls `eval()`: its batch norms use the statistics of the windows of one recording, together.
So do these networks: they take whole recordings, and the features of a window depend on the windows beside it.""",
    "running": """The batch norms use the statistics that were kept in training, so a window does not depend on others.
These are not the numbers that DisVoice gives.""",
    "none": "The network has no batch norm; a window does not depend on others.",
}


class Published(NamedTuple):
    """One file with published weights."""

    name: str
    content: bytes


def find_published(source: str | Path | None) -> list[Published]:
    """Find DisVoice's files of weights, in a `.pt` file, a wheel, a folder, or the installed package `disvoice` (None).

    Raises:
        ModelNotFoundError: there is no such source, or it holds no weights.
        ModelFilesError: it cannot be read.
    """
    if source is None:
        package = importlib.util.find_spec("disvoice")
        if package is None or not package.submodule_search_locations:
            raise ModelNotFoundError("the package disvoice is not installed: name its wheel, or a .pt file")
        source = Path(next(iter(package.submodule_search_locations)))
    path = Path(source)
    if not path.exists():
        raise ModelNotFoundError(f"{path}: no such file or folder")
    try:
        found = sorted(_read(path))
    except OSError as error:
        raise ModelFilesError(f"{path}: cannot be read ({error.strerror})") from error
    if not found:
        raise ModelNotFoundError(f"{path}: holds no weights of DisVoice (replearning/256_CAE.pt and the like)")
    return found


def _read(path: Path) -> Iterator[Published]:
    if path.is_dir():
        for file in path.rglob("*.pt"):
            if _FILE.search(file.as_posix()):
                yield Published(file.name, file.read_bytes())
    elif zipfile.is_zipfile(path) and path.suffix != ".pt":  # PyTorch's own files are archives too
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if match := _FILE.search(name):
                    yield Published(match[1], archive.read(name))
    else:
        yield Published(path.name, path.read_bytes())


def import_published(published: Published, out: Path) -> list[tuple[ModelFolder, Verification]]:
    """Write the model folders of one file of weights into a folder, as `disvoice-cae-256`.

    A network with batch norms gives two: one whose batch norms use the statistics of all windows of a recording, as
    DisVoice's do, which only `edgevoice.compat.disvoice` can use; and an ordinary model with the statistics that were
    kept in training, whose name ends in `-running`.

    Raises:
        ModelConfigError: the file is not a `state_dict` of a network known here.
        VerificationError: ONNX Runtime differs from PyTorch; nothing is written then.
        OutputError: the folder cannot be written.
    """
    tensors = load_tensors(io.BytesIO(published.content), published.name)
    if not all(isinstance(value, Tensor) for value in tensors.values()):
        raise ModelConfigError(f"{published.name}: not a state_dict of tensors")
    weights = Weights(*fitting(tensors, published.name), tensors)
    if not any(name.endswith("running_mean") for name in weights.tensors):
        return [_write(published, weights, out, "none")]
    batch = weights._replace(statistics="batch")
    return [_write(published, batch, out, "batch"), _write(published, weights, out, "running")]


def _write(published: Published, weights: Weights, out: Path, kind: str) -> tuple[ModelFolder, Verification]:
    """Write one model folder; `kind` says which statistics its batch norms use."""
    architecture = ARCHITECTURES[weights.arch]
    network = weights.network()
    ours = architecture.preprocessing
    preprocessing = dataclasses.replace(
        ours,
        level=dataclasses.replace(ours.level, default="utterance"),
        spectrogram=dataclasses.replace(ours.spectrogram, logarithm=LogarithmConfig(_FLOOR)),
    )
    graphs = convert(network, preprocessing.shape, weights.units)
    networks = {name: graph.SerializeToString() for name, graph in graphs.items()}
    packed = {NETWORK_FILE: pack_weights(weights, graphs)}
    name = f"disvoice-{weights.arch}-{weights.units}" + ("-running" if kind == "running" else "")
    examples = synthetic_spectrograms(preprocessing, _VERIFIED)
    verification = verify(
        outputs_of(networks.__getitem__), network_reference(network), examples, together=weights.statistics == "batch"
    )
    verification.require(name, TOLERANCE)
    config = ModelConfig(
        name=name,
        version=_VERSION,
        licence="MIT",
        summary=f"DisVoice's {architecture.summary}; {weights.units} numbers per window.",
        audio=preprocessing.audio,
        level=preprocessing.level,
        spectrogram=preprocessing.spectrogram,
        features=FeaturesConfig(weights.units, preprocessing.shape[0]),
        batch_statistics=weights.statistics == "batch",
        files=digests(networks),
        training=digests(packed),
        origin={
            "source": "DisVoice (https://github.com/jcvasquezc/DisVoice), replearning",
            "file": published.name,
            "lineage": [Run(f"{name} {_VERSION}", imported=published.name).to_dict()],
            "digest": f"sha256:{hashlib.sha256(published.content).hexdigest()}",
            "statistics": kind,
        },
    )
    source = f"`{published.name}` of DisVoice (J. C. Vasquez-Correa), https://github.com/jcvasquezc/DisVoice, licence MIT."
    card = imported_card(config, source, verification, _NOTES.format(statistics=_STATISTICS[kind]))
    return write_folder(out / name, config, {**networks, **packed, "README.md": card.encode()}), verification

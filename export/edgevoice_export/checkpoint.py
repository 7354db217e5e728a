"""What training keeps on disk."""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgevoice.errors import ModelConfigError, ModelFilesError
from edgevoice_export.networks import ARCHITECTURES


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are accepted, no code.

    Raises:
        ModelFilesError: the file cannot be read.
        ModelConfigError: it is not a checkpoint of this package.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelFilesError(f"{path}: cannot be read ({error.strerror})") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise ModelConfigError(f"{path}: not a checkpoint ({str(error).splitlines()[0]})") from error
    if not isinstance(content, dict) or not {"settings", "weights"} <= content.keys():
        raise ModelConfigError(f"{path}: not a checkpoint of edgevoice-export train")
    return content


def build_network(content: dict[str, Any]) -> nn.Module:
    """The network of a checkpoint, in evaluation mode.

    Raises:
        ModelConfigError: its architecture is unknown, or the weights do not fit it.
    """
    settings = content["settings"]
    if settings["arch"] not in ARCHITECTURES:
        raise ModelConfigError(f"architecture {settings['arch']!r} is not one of {', '.join(ARCHITECTURES)}")
    network = ARCHITECTURES[settings["arch"]].network(settings["units"])
    try:
        network.load_state_dict(content["weights"])
    except RuntimeError as error:
        raise ModelConfigError(f"the weights do not fit {settings['arch']} of {settings['units']} units") from error
    return network.eval()

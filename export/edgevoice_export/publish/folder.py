"""Writes a complete and checked model folder, or none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from edgevoice.config import ModelConfig
from edgevoice.errors import OutputError
from edgevoice.files import whole_folder
from edgevoice.inference import Networks
from edgevoice.modelfolder import CONFIG_FILE, ModelFolder

NETWORK_FILE = "network.pt"
"""The weights as they were trained, which running does not need."""


def check_place(out: Path) -> None:
    """Raise OutputError where something other than a model folder would be overwritten, or the folder has no name."""
    if out.name in ("", ".."):
        raise OutputError(f"{str(out)!r}: a new model folder needs a name: choose one, as in {out / 'my-model'}")
    if out.exists() and not (out / CONFIG_FILE).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise OutputError(f"{out}: already exists, and is not a model folder; choose another place, or remove it")


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Names and digests of files, for `model.json`."""
    return {name: "sha256:" + hashlib.sha256(content).hexdigest() for name, content in files.items()}


def write_folder(out: Path, config: ModelConfig, files: Mapping[str, bytes]) -> ModelFolder:
    """Write a model folder of `model.json` and all other files, by name. An existing one is replaced after it is complete.

    Raises:
        OutputError: `out` is there and is no model folder, or the folder cannot be written.
        ModelFilesError: a file is not the one that the configuration lists, or a network does not fit it.
    """
    check_place(out)
    with whole_folder(out, replace=True) as draft:
        for name, content in files.items():
            (draft / name).write_bytes(content)
        (draft / CONFIG_FILE).write_text(json.dumps(config.to_dict(), indent=2) + "\n", encoding="utf-8")
        folder = ModelFolder.open(draft)
        folder.verify()
        Networks(folder, whole_batches=True)  # loaded as users load it
    return ModelFolder.open(out)

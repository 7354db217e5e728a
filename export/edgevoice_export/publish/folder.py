"""A model folder comes to its place whole and checked, or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgevoice.config import ModelConfig
from edgevoice.errors import ModelError, OutputError
from edgevoice.files.wholefolder import whole_folder
from edgevoice.modelfolder import CONFIG_FILE, ModelFolder
from edgevoice_export.publish.verify import Images, Reference, Verification, verify

TRAINING_FILES = ("network.pt",)
"""Files of a model folder that running does not need."""


class VerificationError(ModelError):
    """A model folder would not give what its source gives, so it was not written."""

    exit_code = 1


def check_place(out: Path) -> None:
    """Raise OutputError where a model folder would overwrite something that is none."""
    if out.exists() and not (out / CONFIG_FILE).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise OutputError(f"{out}: is there already, and is no model folder")


@contextlib.contextmanager
def drafted(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write to; it takes the place of `out` at the end, or vanishes if anything is raised.

    Raises:
        OutputError: `out` is there and is no model folder, or the place or the draft cannot be written to.
    """
    check_place(out)
    with whole_folder(out, replace=True) as draft:
        yield draft


def write_networks(
    draft: Path,
    config: ModelConfig,
    files: Mapping[str, bytes],
    reference: Reference,
    spectrograms: Images,
    tolerance: float,
) -> tuple[ModelFolder, Verification]:
    """Write the files and `model.json` into a draft, and verify it.

    Args:
        draft: made by `drafted`.
        config: `files` and `training` are filled in here.
        files: contents by name.
        reference: what the networks should give.
        spectrograms: the windows to verify on, float32 (n, 1, bands, columns).
        tolerance: largest difference allowed.

    Raises:
        VerificationError: the difference is larger.
    """
    for name, content in files.items():
        (draft / name).write_bytes(content)
    digests = {name: "sha256:" + hashlib.sha256(content).hexdigest() for name, content in files.items()}
    training = {name: digests.pop(name) for name in TRAINING_FILES if name in digests}
    folder = write_config(draft, dataclasses.replace(config, files=digests, training=training))
    result = verify(folder, reference, spectrograms)
    if not result.passed(tolerance):
        told = ", ".join(f"{name} {value:.1e}" for name, value in result.differences.items())
        raise VerificationError(f"{config.name}: PyTorch and ONNX Runtime differ by more than {tolerance:g}: {told}")
    return folder, result


def write_config(draft: Path, config: ModelConfig) -> ModelFolder:
    """Write `model.json`, and open the folder."""
    (draft / CONFIG_FILE).write_text(json.dumps(config.to_dict(), indent=2) + "\n", encoding="utf-8")
    return ModelFolder.open(draft)


def placeholder_files() -> dict[str, str]:
    """Digests of networks that are not there yet: a configuration must list them."""
    return dict.fromkeys(("encoder.onnx", "decoder.onnx"), "sha256:" + "0" * 64)

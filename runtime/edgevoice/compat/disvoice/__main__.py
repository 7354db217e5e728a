"""DisVoice's own script: `python -m edgevoice.compat.disvoice FILE_OR_FOLDER FEATURES STATIC PLOTS FORMAT MODEL`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevoice.compat.disvoice.aespeech import MODELS
from edgevoice.compat.disvoice.replearning import RepLearning
from edgevoice.errors import EdgeVoiceError
from edgevoice.files import whole_file

USAGE = (
    "usage: python -m edgevoice.compat.disvoice FILE_OR_FOLDER FEATURES STATIC (true or false) PLOTS (true or false) "
    "FORMAT (csv, txt, npy, kaldi or torch) MODEL (CAE or RAE)"
)


def main(words: Sequence[str] | None = None) -> int:
    """Run the script; return the exit code."""
    words, truth = sys.argv[1:] if words is None else words, {"true": True, "false": False}
    choices = [*map(str.lower, words[2:4]), *words[4:]]
    allowed = (truth, truth, ("csv", "txt", "npy", "kaldi", "torch"), MODELS)
    if len(words) != 6 or any(word not in known for word, known in zip(choices, allowed, strict=True)):
        sys.stderr.write(USAGE + "\n")
        return 2
    (audio, out), (static, plots, fmt, model) = words[:2], choices
    try:
        extractor = RepLearning(model)
        extract = extractor.extract_features_path if Path(audio).is_dir() else extractor.extract_features_file
        features = extract(audio, static=truth[static], plots=truth[plots], fmt=fmt, kaldi_file=out)
        if fmt != "kaldi":
            _save(features, out, fmt)
    except EdgeVoiceError as error:
        sys.stderr.write(f"edgevoice.compat.disvoice: {error}\n")
        return error.exit_code
    return 0


def _save(features: Any, out: str, fmt: str) -> None:
    with whole_file(out) as file:
        if fmt == "csv":
            features.to_csv(file, index=False)
        elif fmt == "txt":
            np.savetxt(file, features)
        elif fmt == "npy":
            np.save(file, features)
        else:
            import torch

            torch.save(features, file)


if __name__ == "__main__":
    sys.exit(main())

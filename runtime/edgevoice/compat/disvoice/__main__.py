"""DisVoice's own script: `python -m edgevoice.compat.disvoice FILE_OR_FOLDER FEATURES STATIC PLOTS FORMAT MODEL`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgevoice.compat.disvoice.aespeech import MODELS
from edgevoice.compat.disvoice.replearning import RepLearning
from edgevoice.errors import ArgumentError, EdgeVoiceError
from edgevoice.files import whole_file

USAGE = (
    "usage: python -m edgevoice.compat.disvoice FILE_OR_FOLDER FEATURES STATIC (true or false) PLOTS (true or false) "
    "FORMAT (csv, txt, npy, kaldi or torch) MODEL (CAE or RAE)"
)
_FORMATS = ("csv", "txt", "npy", "kaldi", "torch")


def main(words: Sequence[str] | None = None) -> int:
    """Run the script; return the exit code."""
    words = sys.argv[1:] if words is None else words
    if len(words) != 6 or words[5] not in MODELS:
        sys.stderr.write(USAGE + "\n")
        return 2
    try:
        _run(words)
    except EdgeVoiceError as error:
        sys.stderr.write(f"edgevoice.compat.disvoice: {error}\n")
        return error.exit_code
    return 0


def _run(words: Sequence[str]) -> None:
    audio, out, fmt, model = words[0], words[1], words[4], words[5]
    static, plots = (_truth(name, word) for name, word in (("STATIC", words[2]), ("PLOTS", words[3])))
    if fmt not in _FORMATS:
        raise ArgumentError(f"FORMAT {fmt!r}: expected one of {', '.join(_FORMATS)}")
    extractor = RepLearning(model)
    extract = extractor.extract_features_path if Path(audio).is_dir() else extractor.extract_features_file
    features = extract(audio, static=static, plots=plots, fmt=fmt, kaldi_file=out)
    if fmt == "kaldi":
        return
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


def _truth(name: str, word: str) -> bool:
    if word.lower() not in ("true", "false"):
        raise ArgumentError(f"{name} {word!r}: expected true or false")
    return word.lower() == "true"


if __name__ == "__main__":
    sys.exit(main())

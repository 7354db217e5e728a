"""Run DisVoice itself: `python disvoicepackage.py FOLDER_OF_DISVOICE OUT.npz RECORDING...`.

The keys of OUT are `MODEL/static or dynamic/number of the recording`. Its folder `replearning` is imported directly, for
`import disvoice` pulls in TensorFlow.
"""

from __future__ import annotations

import functools
import sys
import types
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np


def main(package: Path, out: str, recordings: list[str]) -> None:
    mpl.use("Agg")
    warnings.simplefilter("ignore")
    sys.modules["kaldi_io"] = types.ModuleType("kaldi_io")  # imported for a format that is not asked for here
    sys.path[:0] = [str(package / "replearning"), str(package)]
    from replearning import RepLearning

    results = {}
    for model in ("CAE", "RAE"):
        extractor = RepLearning(model)
        # It is computed twice for each kind of features, always with the same result.
        extractor.AEspeech.compute_spectrograms = functools.cache(extractor.AEspeech.compute_spectrograms)
        for number, recording in enumerate(recordings):
            results[f"{model}/dynamic/{number}"] = extractor.extract_features_file(recording, static=False)
            results[f"{model}/static/{number}"] = extractor.extract_features_file(recording, static=True)
    np.savez(out, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])

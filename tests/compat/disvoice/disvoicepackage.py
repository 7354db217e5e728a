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
        # Each kind of features computes them anew, with the same result.
        networks = extractor.AEspeech
        for name in ("compute_spectrograms", "compute_bottleneck_features", "compute_rec_error_features"):
            setattr(networks, name, functools.cache(getattr(networks, name)))
        for number, recording in enumerate(recordings):
            results[f"{model}/dynamic/{number}"] = extractor.extract_features_file(recording, static=False)
            results[f"{model}/static/{number}"] = extractor.extract_features_file(recording, static=True)
    np.savez(out, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])

"""The networks that a model folder is to have, run before there is one, for `model.json` is to say how well they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.sessions import load_onnxruntime

Floats = NDArray[np.float32]


class Graphs:
    """Encoder and decoder in ONNX Runtime on the CPU, from the bytes of their files; used as `inference.Networks`."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        runtime = load_onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        self._encoder: Any
        self._encoder, self._decoder = (
            runtime.InferenceSession(files[name], options, providers=["CPUExecutionProvider"])
            for name in ("encoder.onnx", "decoder.onnx")
        )

    def encode(self, spectrograms: Floats) -> Floats:
        """Bottleneck, float32 (n, units), of spectrograms, float32 (n, 1, bands, columns)."""
        bottleneck: Floats = self._encoder.run(["bottleneck"], {"spectrogram": spectrograms})[0]
        return bottleneck

    def error(self, bottleneck: Floats, spectrograms: Floats) -> Floats:
        """Reconstruction error by band, float32 (n, bands)."""
        return self._decode("error", bottleneck, spectrograms)

    def reconstruct(self, bottleneck: Floats, spectrograms: Floats) -> Floats:
        """Standardised reconstruction, float32 (n, 1, bands, columns)."""
        return self._decode("reconstruction", bottleneck, spectrograms)

    def _decode(self, output: str, bottleneck: Floats, spectrograms: Floats) -> Floats:
        result: Floats = self._decoder.run([output], {"bottleneck": bottleneck, "spectrogram": spectrograms})[0]
        return result

"""Runs the networks of a model folder before it exists, because `model.json` contains results of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.sessions import load_onnxruntime

Floats = NDArray[np.float32]


class Graphs:
    """Encoder and decoder in ONNX Runtime on the CPU, from the bytes of their files.

    The interface is that of `inference.Networks`.
    """

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
        """Encode spectrograms, float32 (n, 1, bands, columns), to the bottleneck, float32 (n, units)."""
        bottleneck: Floats = self._encoder.run(["bottleneck"], {"spectrogram": spectrograms})[0]
        return bottleneck

    def error(self, bottleneck: Floats, spectrograms: Floats) -> Floats:
        """Decode the bottleneck to reconstruction errors, float32 (n, bands)."""
        return self._decode("error", bottleneck, spectrograms)

    def reconstruct(self, bottleneck: Floats, spectrograms: Floats) -> Floats:
        """Decode the bottleneck to standardised spectrograms, float32 (n, 1, bands, columns)."""
        return self._decode("reconstruction", bottleneck, spectrograms)

    def _decode(self, output: str, bottleneck: Floats, spectrograms: Floats) -> Floats:
        result: Floats = self._decoder.run([output], {"bottleneck": bottleneck, "spectrogram": spectrograms})[0]
        return result

"""The programs that are compared, each in its own process: a recording in, features of its 500 ms windows out.

    python -m benchmarks.peer_programs NAME AUDIO OPTIONS.json

loads the program, runs it once and says in JSON what came of it; then every line on standard input asks for another run,
and is answered with its seconds. `benchmarks/peers.py` starts these processes and lets them take turns.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Run = Callable[[str], Any]


class Peer(NamedTuple):
    """A program that extracts features."""

    title: str
    load: Callable[[dict[str, str]], Run]
    """Takes the options, returns what extracts: a function of the path of a recording."""
    distributions: tuple[str, ...]
    """What is installed for it, without dependencies."""


def _edgevoice(model: str) -> Callable[[dict[str, str]], Run]:
    def load(options: dict[str, str]) -> Run:
        import edgevoice

        extractor = edgevoice.load(options.get(model, model))
        level = 1.0 if "fixed level" in options else None
        # What holds the libraries of the others to one thread holds EdgeVoice too.
        workers = 1 if os.environ.get("OMP_NUM_THREADS") == "1" else None
        return lambda path: extractor.extract(path, level=level, jobs=workers).values

    return load


def _replearning(model: str) -> Callable[[dict[str, str]], Run]:
    def load(options: dict[str, str]) -> Run:
        from edgevoice.compat.disvoice import RepLearning

        os.environ["EDGEVOICE_MODELS"] = options["models"]
        program = RepLearning(model)
        return lambda path: program.extract_features_file(path, static=False)

    return load


def _disvoice(model: str) -> Callable[[dict[str, str]], Run]:
    def load(options: dict[str, str]) -> Run:
        sys.path.insert(0, options["disvoice"])
        import matplotlib as mpl

        mpl.use("agg")
        from AEspeech import AEspeech  # type: ignore[import-not-found]

        program = AEspeech(model, 256)

        def run(path: str) -> Any:
            # The two calls of RepLearning.extract_features_file(static=False).
            bottleneck = program.compute_bottleneck_features(path)
            return np.concatenate([bottleneck, program.compute_rec_error_features(path)], axis=1)

        return run

    return load


def _pytorch(compiled: bool) -> Callable[[dict[str, str]], Run]:
    def load(options: dict[str, str]) -> Run:
        import soundfile
        import torch

        from edgevoice.frontend import mel_filters
        from edgevoice.modelfolder import find_model
        from edgevoice_export.training.weights import unpack_weights

        folder = find_model(options.get("cae-256", "cae-256"))
        config, network = folder.config, unpack_weights(folder).network().eval()
        settings = config.spectrogram
        taper = torch.hann_window(settings.fft, dtype=torch.float64)
        filters = torch.from_numpy(mel_filters(settings.bands, config.audio.rate, settings.fft)).float()
        floor = settings.logarithm.floor if settings.logarithm else 0.0

        def describe(windows: torch.Tensor) -> torch.Tensor:
            padded = torch.nn.functional.pad(windows.double(), (settings.padding, settings.padding))
            spectrum = torch.stft(padded, settings.fft, settings.step, window=taper, center=False, return_complex=True)
            bands = filters @ (spectrum.real**2 + spectrum.imag**2).float()
            image = ((bands.clamp_min(floor).log() + settings.offset) / settings.divisor).unsqueeze(1)
            reconstruction, bottleneck = network(image)
            return torch.cat([bottleneck, (image - reconstruction).square().mean(dim=3).squeeze(1)], dim=1)

        function = torch.compile(describe) if compiled else describe

        def run(path: str) -> Any:
            samples, _ = soundfile.read(path, dtype="float32")
            with torch.inference_mode():
                windows = torch.from_numpy(samples).unfold(0, config.audio.window, config.audio.hop)
                return function(windows).numpy()

        return run

    return load


def _opensmile(_: dict[str, str]) -> Run:
    import opensmile
    import soundfile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)

    def run(path: str) -> Any:
        samples, rate = soundfile.read(path, dtype="float32")
        windows = np.lib.stride_tricks.sliding_window_view(samples, rate // 2)[:: rate // 4]
        return np.concatenate([smile.process_signal(window, rate).to_numpy() for window in windows])

    return run


def _pyaudioanalysis(_: dict[str, str]) -> Run:
    import soundfile
    from pyAudioAnalysis.MidTermFeatures import mid_feature_extraction

    vars(np)["int"] = int  # gone from NumPy 1.24 on, but still used there

    def run(path: str) -> Any:
        samples, rate = soundfile.read(path, dtype="float32")
        features, _, _ = mid_feature_extraction(samples, rate, 0.5 * rate, 0.25 * rate, 0.05 * rate, 0.025 * rate)
        return features.T

    return run


PEERS = {
    "edgevoice": Peer("EdgeVoice, `cae-256`", _edgevoice("cae-256"), ("edgevoice", "onnxruntime")),
    "edgevoice-disvoice-cae": Peer("EdgeVoice, DisVoice's CAE", _replearning("CAE"), ("edgevoice", "onnxruntime")),
    "edgevoice-disvoice-rae": Peer("EdgeVoice, DisVoice's RAE", _replearning("RAE"), ("edgevoice", "onnxruntime")),
    "disvoice-cae": Peer("DisVoice 0.1.10, CAE", _disvoice("CAE"), ("torch", "librosa", "pandas", "matplotlib")),
    "disvoice-rae": Peer("DisVoice 0.1.10, RAE", _disvoice("RAE"), ("torch", "librosa", "pandas", "matplotlib")),
    "pytorch": Peer("`cae-256` in PyTorch", _pytorch(compiled=False), ("torch", "soundfile")),
    "pytorch-compiled": Peer("`cae-256` in `torch.compile`", _pytorch(compiled=True), ("torch", "soundfile")),
    "opensmile": Peer("openSMILE, eGeMAPSv02", _opensmile, ("opensmile", "soundfile")),
    "pyaudioanalysis": Peer("pyAudioAnalysis", _pyaudioanalysis, ("pyAudioAnalysis", "scikit-learn", "soundfile")),
}


def _resident() -> int | None:
    """The memory of this process in bytes; None where the system does not report it."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def main(name: str, audio: str, options: dict[str, str]) -> None:
    """Run a program as often as standard input asks for it."""
    warnings.simplefilter("ignore")
    answers, sys.stdout = sys.stdout, sys.stderr  # some peers print
    run = PEERS[name].load(options)
    values = np.asarray(run(audio))
    if "output" in options:
        np.save(options["output"], values)
    print(json.dumps({"shape": values.shape, "resident": _resident()}), file=answers, flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        run(audio)
        print(time.perf_counter() - begin, file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(Path(sys.argv[3]).read_text(encoding="utf-8")))

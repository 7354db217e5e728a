"""The time from a corpus to a table of static features: EdgeVoice beside openSMILE and DisVoice, each on all cores.

    python -m benchmarks.corpus_speed --data FOLDER --files 1500 --disvoice WHEEL

Every program is a process that starts, reads the same files (as WAV, the only format that DisVoice takes), and writes a
table; they take turns. openSMILE's functionals of
eGeMAPSv02 are computed by its own pool, threads or processes, whichever is faster; DisVoice, which has none, by one process
a core. DisVoice takes too long for a whole corpus: it gets so many files of it (`--disvoice-files`), and so does
EdgeVoice for that comparison. Last, the same command is given a dataset where nothing is left to do.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import soundfile

from benchmarks.measuring import RESULTS, in_turns, seconds, show
from edgevoice.audio.files import open_source, resampled
from edgevoice.bench.machine import PACKAGES, Machine
from edgevoice.threads import usable_cores

Program = Callable[[Path, Path, str], None]
"""Takes the index, a folder for the table, and where the program's own code is."""


def _edgevoice(*words: str) -> Program:
    def run(index: Path, out: Path, _: str) -> None:
        from edgevoice.cli import main

        table = out / "table.parquet"
        if code := main(["extract", "--index", str(index), "--static", *(word.format(table) for word in words)]):
            raise SystemExit(code)

    return run


def _opensmile(multiprocessing: bool) -> Program:
    def run(index: Path, out: Path, _: str) -> None:
        import opensmile

        smile = opensmile.Smile(
            opensmile.FeatureSet.eGeMAPSv02,
            opensmile.FeatureLevel.Functionals,
            num_workers=usable_cores(),
            multiprocessing=multiprocessing,
        )
        smile.process_files(_files(index)).to_parquet(out / "table.parquet")

    return run


_opened: list[Callable[[str], Any]] = []
"""The program of a process of a pool."""


def _open(load: Callable[[str], Callable[[str], Any]], source: str) -> None:
    _opened.append(load(source))


def _compute(file: str) -> Any:
    return _opened[0](file)


def _pooled(load: Callable[[str], Callable[[str], Any]]) -> Program:
    """A program of one process a core; `load` makes a function of a file from where the program is."""

    def run(index: Path, out: Path, source: str) -> None:
        import pandas as pd

        with get_context("spawn").Pool(usable_cores(), _open, (load, source)) as pool:
            pd.DataFrame(pool.map(_compute, _files(index), chunksize=1)).to_parquet(out / "table.parquet")

    return run


def _openwakeword(source: str) -> Callable[[str], Any]:
    """Functionals of openWakeWord's embedding, 96 numbers every 80 ms, as its `AudioFeatures` computes it."""
    import numpy as np
    import onnxruntime

    from edgevoice import functionals

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    models = Path(source) / "openwakeword" / "resources" / "models"
    mel, embedding = (
        onnxruntime.InferenceSession(models / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
        for name in ("melspectrogram", "embedding_model")
    )

    def compute(file: str) -> Any:
        samples, _ = soundfile.read(file, dtype="int16")
        (image,) = mel.run(None, {"input": samples[None].astype(np.float32)})
        image = image.squeeze() / 10 + 2  # (columns, 32)
        windows = np.stack([image[k : k + 76] for k in range(0, len(image) - 75, 8)])[..., None]
        return functionals(embedding.run(None, {"input_1": windows})[0].reshape(len(windows), 96))

    return compute


def _disvoice(source: str) -> Callable[[str], Any]:
    """DisVoice's static features: what `RepLearning.extract_features_file` computes."""
    import matplotlib as mpl
    import numpy as np
    import torch
    from scipy.stats import kurtosis, skew

    mpl.use("agg")
    torch.set_num_threads(1)
    sys.path.insert(0, source)
    from AEspeech import AEspeech  # type: ignore[import-not-found]

    program = AEspeech("CAE", 256)

    def compute(file: str) -> Any:
        parts = program.compute_bottleneck_features(file), program.compute_rec_error_features(file)
        return np.hstack([function(part, axis=0) for part in parts for function in (np.mean, np.std, skew, kurtosis)])

    return compute


DATASET = "a dataset"
OPENWAKEWORD = "openWakeWord 0.5.1, embedding"
PROGRAMS: dict[str, Program] = {
    "EdgeVoice, cae-256": _edgevoice("-o", "{}", "--force"),
    "openSMILE, eGeMAPSv02, threads": _opensmile(multiprocessing=False),
    "openSMILE, eGeMAPSv02, processes": _opensmile(multiprocessing=True),
    "DisVoice 0.1.10, CAE": _pooled(_disvoice),
    DATASET: _edgevoice("-o", "{}/"),
}
OTHERS = {
    "EdgeVoice, light-256": _edgevoice("-o", "{}", "--force", "--model", "light-256"),
    OPENWAKEWORD: _pooled(_openwakeword),
}
"""Those of `benchmarks.light`."""


def _files(index: Path) -> list[str]:
    with index.open(encoding="utf-8", newline="") as file:
        return [row["file"] for row in csv.DictReader(file)]


def _write_index(files: Sequence[Path], path: Path) -> Path:
    path.write_text("\n".join(["file", *map(str, files)]) + "\n", encoding="utf-8")
    return path


def _seconds(name: str, index: Path, source: str = "", times: int = 1) -> float:
    """Seconds from start to end of a program, in the last of several calls."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "benchmarks.corpus_speed", "--program", name, str(index), out, source]
        run = partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return [seconds(run) for _ in range(times)][-1]


def measure(names: Sequence[str], files: Sequence[Path], folder: Path, source: str, turns: int) -> dict[str, float]:
    """Median seconds of each program over the same files; the programs take turns."""
    index = _write_index(files, folder / f"{len(files)}.csv")
    found = in_turns({name: partial(_seconds, name, index, source) for name in names}, turns)
    return {name: round(statistics.median(taken), 3) for name, taken in found.items()}


def reading(files: Sequence[Path]) -> float:
    """Seconds to read and resample the files on one core."""

    def read() -> None:
        for file in files:
            with open_source(file) as source:
                for _ in resampled(source, 16_000, None):
                    pass

    return seconds(read)


def main() -> None:
    """Measure, and write JSON."""
    if sys.argv[1:2] == ["--program"]:
        name, index, out, source = sys.argv[2:]
        (PROGRAMS | OTHERS)[name](Path(index), Path(out), source)
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corpus_speed", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of recordings")
    parser.add_argument("--files", type=int, default=1500, help="how many of them (1500)")
    parser.add_argument("--disvoice", type=Path, metavar="WHEEL", help="DisVoice 0.1.10")
    parser.add_argument("--disvoice-files", type=int, default=40)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS / "corpus_speed.json")
    options = parser.parse_args()
    own, *others, disvoice, _ = PROGRAMS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = as_wav(sorted(options.data.rglob("*.flac"))[: options.files], folder / "corpus")
        content: dict[str, Any] = {
            "machine": asdict(Machine.this((*PACKAGES, "opensmile", "torch"))),
            "files": len(files),
            "seconds of audio": round(sum(length(file) for file in files), 1),
            "turns": options.turns,
            "seconds": measure([own, *others], files, folder, "", options.turns),
            "reading": round(reading(files), 3),
            "nothing to do": round(_seconds(DATASET, _write_index(files, folder / "all.csv"), times=2), 3),
        }
        if options.disvoice:
            source = folder / "disvoice"
            zipfile.ZipFile(options.disvoice).extractall(source)
            package = next(source.rglob("AEspeech.py")).parent
            few = files[:: max(1, len(files) // options.disvoice_files)][: options.disvoice_files]
            found = measure([own, disvoice], few, folder, str(package), options.turns)
            content["few"] = {"files": len(few), "seconds": found}
    show(content, options.output)


def as_wav(recordings: Sequence[Path], folder: Path) -> list[Path]:
    """Copies of recordings as WAV."""
    folder.mkdir()
    files = [folder / f"{place:05}.wav" for place in range(len(recordings))]
    for recording, file in zip(recordings, files, strict=True):
        samples, rate = soundfile.read(recording, dtype="int16")
        soundfile.write(file, samples, rate)
    return files


def length(file: Path) -> float:
    """Seconds of a file."""
    with open_source(file) as source:
        return source.seconds or 0.0


if __name__ == "__main__":
    main()

"""The light models beside those of their size: speed in pairs, what moves their vectors, and what an ordered code is worth.

    python -m benchmarks.light speed
    python -m benchmarks.light order --data DIR      # the first numbers of light-256's code
    python -m benchmarks.light worth --data DIR --unheard DIR
    python -m benchmarks.light corpus --data DIR --openwakeword WHEEL

Each writes its part of `benchmarks/results/light.json`, of which `python -m benchmarks.speed_table docs/performance.md`
makes tables. Probes of `order` are judged by folds over the speakers of DIR, whom the networks have partly heard: they
compare sizes of code, and leave the speakers who are kept for the last word alone. `worth` asks those.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import edgevoice
from benchmarks.linearcode import Spectrograms
from benchmarks.sources import Functionals, Vector, read_recordings, vectors_by_folder
from edgevoice.bench.machine import PACKAGES, Machine
from edgevoice.frontend import FrontEnd
from edgevoice.inference import Networks
from edgevoice.modelfolder import find_model

RESULTS = Path(__file__).parent / "results" / "light.json"
WORK = Path(__file__).parents[1] / "build" / "light"
PAIRS = (("light-256", "cae-256"), ("light-64", "cae-64"))
SIZES = (16, 32, 64, 128, 256)
ROUNDS = 40

Found = dict[str, Any]


class Beginning:
    """Functionals of the first numbers of a model's code, and of the errors of what is rebuilt from them alone."""

    def __init__(self, model: str, units: int) -> None:
        folder = find_model(model)
        self.name, self.units = f"{model}, {units}", units
        self.key = f"beginning {units} {sorted(folder.config.files.items())}"
        self._spectrograms, self._networks = Spectrograms(folder.config), Networks(folder)

    def __call__(self, path: Path) -> Vector:
        """Vector of a recording: (4 x (units + bands),)."""
        spectrograms = self._spectrograms(path)
        code = self._networks.encode(spectrograms)
        code[:, self.units :] = 0
        values = np.concatenate([code[:, : self.units], self._networks.decode("error", code, spectrograms)], axis=1)
        return np.concatenate([edgevoice.functionals(part) for part in np.split(values, [self.units], axis=1)])


def order(data: Path) -> Found:
    """Error and probes of the first numbers of light-256, and of networks of such a size."""
    found: Found = {}
    sizes = [("light-256", units) for units in SIZES] + [(name, 64) for name in ("light-64", "cae-64")] + [("cae-256", 256)]
    for model, units in sizes:
        source = Beginning(model, units)
        found[source.name] = {"units": units, **_probes_by_folds(source, data)}
        print(source.name, found[source.name], flush=True)
    return found


def _probes_by_folds(source: Beginning, data: Path) -> Found:
    """Mean error over recordings, and the score of each task: by four folds over the speakers, the mean over penalties."""
    from sklearn.model_selection import StratifiedGroupKFold

    from benchmarks.feature_quality.probes import STRENGTHS, TASKS, confusions, predict_each

    recordings = read_recordings(data)
    files = [recording.file for recording in recordings]
    rows = vectors_by_folder(
        source, data, files, WORK / "vectors", lambda items: tqdm(items, desc=source.name, disable=None)
    )
    bands = rows.shape[1] // 4 - source.units
    found: Found = {"error": float(rows[:, 4 * source.units : 4 * source.units + bands].mean()), "probes": {}}
    for task in TASKS:
        labels = task.labels(recordings)
        asked = labels >= 0
        truth, vectors = labels[asked], rows[asked]
        speakers = np.array([recording.speaker for recording in recordings])[asked]
        predicted = np.empty((len(STRENGTHS), len(truth)), truth.dtype)
        for fitted, held in StratifiedGroupKFold(4, shuffle=True, random_state=1).split(vectors, truth, speakers):
            predicted[:, held] = predict_each(vectors[fitted], truth[fitted], vectors[held], STRENGTHS)
        nobody, classes = np.zeros(len(truth), np.int64), int(truth.max()) + 1
        judged = [float(task.metric(confusions(truth, row, nobody, classes))[0]) for row in predicted]
        found["probes"][task.name] = round(statistics.mean(judged), 4)
    return found


def worth(data: Path, unheard: Path, models: list[str]) -> Found:
    """Probes on speakers whom nothing was fitted on, and how far static vectors and codes move when the sound changes."""
    from benchmarks.feature_quality.degradations import CLEAN, degraded_folders, movements, one_each
    from benchmarks.feature_quality.probes import TASKS, judge

    fitted, tested = read_recordings(data), read_recordings(unheard)
    chosen, _ = one_each([recording.speaker for recording in tested], 48)
    files = [tested[place].file for place in chosen.tolist()]
    folders = degraded_folders(unheard, files, WORK)
    found: Found = {}
    for model in models:
        source, units = Functionals(model), find_model(model).config.features.bottleneck

        def vectors(folder: Path, names: list[str], source: Functionals = source) -> Vector:
            return vectors_by_folder(source, folder, names, WORK / "vectors", lambda items: tqdm(items, disable=None))

        corpus, asked = (vectors(place, [r.file for r in rows]) for place, rows in ((data, fitted), (unheard, tested)))
        scores = {}
        for task in TASKS:
            _, judged = judge(task, fitted, corpus, tested, asked)
            scores[task.name] = _figure({"mean": judged.mean, "error": judged.error})
        changed = {name: vectors(place, files) for name, place in folders.items()}
        clean = changed.pop(CLEAN)
        moved = {}
        for part, columns in (("vector", np.s_[:]), ("code", np.s_[: 4 * units])):
            rows = {name: one[:, columns] for name, one in changed.items()}
            moves = movements(corpus[:, columns], clean[:, columns], rows)
            moved[part] = {name: _figure(one) for name, one in moves.items()}
        found[model] = {"probes": scores, "moves": moved}
        print(model, found[model], flush=True)
    return found


def _figure(found: dict[str, float]) -> Found:
    return {key: float(f"{value:.4g}") for key, value in found.items()}


def speed() -> Found:
    """Milliseconds of processor time of each stage of both models of a pair, in turns, and the median of their ratios."""
    found: Found = {"machine": asdict(Machine.this(PACKAGES)), "pairs": {}}
    for pair in PAIRS:
        stages = [_stages(model) for model in pair]
        times: dict[str, list[list[float]]] = {name: [] for name in stages[0]}
        for turn in range(ROUNDS + 2):
            for name in times:
                if name == EXTRACT and turn % 4:
                    continue
                row = [0.0, 0.0]
                for place in (0, 1) if turn % 2 else (1, 0):
                    row[place] = stages[place][name]()
                times[name] += [row] if turn > 1 else []
        found["pairs"][" / ".join(pair)] = {
            name: {
                "ms": [round(1000 * statistics.median(column), 4) for column in zip(*rows, strict=True)],
                "ratio": round(statistics.median(light / heavy for light, heavy in rows), 3),
            }
            for name, rows in times.items()
        }
    found["start"] = _starts()
    found["live graph, MB"] = {model: round(_live_size(model) / 1e6, 2) for pair in PAIRS for model in pair}
    return found


EXTRACT = "extract of a minute, a window"


def _stages(model: str) -> dict[str, Callable[[], float]]:
    """Calls that return the seconds that they took."""
    extractor = edgevoice.load(model)
    config, networks = extractor.config, Networks(extractor.folder)
    front = FrontEnd(config.spectrogram, config.audio)
    random = np.random.default_rng(0)
    samples = (0.1 * random.standard_normal(60 * config.audio.rate)).astype(np.float32)
    segments = random.standard_normal((front.shape[1], config.spectrogram.fft))
    images = random.random((8, 1, *front.shape), np.float32)
    codes = networks.encode(images)
    last = config.audio.rate // 100
    stream = extractor.stream()
    stream.push(samples[: config.audio.window - last])

    def push(times: int) -> float:
        for _ in range(times):
            seconds = _seconds(lambda: stream.push(samples[:last]))
            stream.push(samples[: config.audio.hop - last])
        return seconds

    timed = {
        "bare FFT of the front end": partial(_seconds, lambda: np.fft.rfft(segments)),
        "front end": partial(_seconds, lambda: front.compute(samples[None, : config.audio.window], 0, 1)),
        "encoder": partial(_seconds, lambda: networks.encode(images[:1])),
        "decoder": partial(_seconds, lambda: networks.decode("error", codes[:1], images[:1])),
        "encoder, of 8": partial(_seconds, lambda: networks.encode(images), 8),
        "decoder, of 8": partial(_seconds, lambda: networks.decode("error", codes, images), 8),
    }
    windows = (len(samples) - config.audio.window) // config.audio.hop + 1
    minute = partial(_seconds, lambda: extractor.extract((samples, config.audio.rate), jobs=1), windows)
    # The first push finds the other model's weights in the processor's caches, and its own no longer.
    pushes = {"push of the last 10 ms": partial(push, 4), "push right after another model's": partial(push, 1)}
    return {**timed, **pushes, EXTRACT: minute}


def _seconds(call: Callable[[], object], windows: int = 1) -> float:
    """Processor time, a window: on one thread it is that of the clock, and other programs add little to it."""
    begin = time.process_time()
    call()
    return (time.process_time() - begin) / windows


def _starts() -> Found:
    """Seconds of processes from start to end, with byte code as pip leaves it, and the ratio to the bare import."""
    frame = "import edgevoice, numpy; assert len(edgevoice.load({!r}).stream(16000).push(numpy.ones(8000, numpy.float32)))"
    programs = {"bare": "import numpy, onnxruntime"} | {name: frame.format(name) for pair in PAIRS for name in pair}
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(WORK / "bytecode"), "ORT_DISABLE_TELEMETRY": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    rows = []
    for turn in range(12):
        row = {}
        for name in list(programs) if turn % 2 else reversed(programs):
            command = [sys.executable, "-c", programs[name]]
            begin = time.perf_counter()
            subprocess.run(command, check=True, env=environment)
            row[name] = time.perf_counter() - begin
        rows += [row] if turn > 1 else []
    return {
        name: {
            "seconds": round(statistics.median(row[name] for row in rows), 3),
            "ratio": round(statistics.median(row[name] / row["bare"] for row in rows), 2),
        }
        for name in programs
    }


def _live_size(model: str) -> int:
    from edgevoice_export.onnx.live import convert_to_live

    return len(convert_to_live(find_model(model)).SerializeToString())


def corpus(data: Path, files: int, wheel: Path) -> Found:
    """A corpus to a table: light-256, cae-256, openSMILE and openWakeWord's embedding, in turns."""
    import tempfile
    import zipfile

    from benchmarks import corpus_speed

    names = ["EdgeVoice, light-256", "EdgeVoice, cae-256", "openSMILE, eGeMAPSv02, threads", corpus_speed.OPENWAKEWORD]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        zipfile.ZipFile(wheel).extractall(folder / "wheel")
        recordings = corpus_speed.as_wav(sorted(data.rglob("*.flac"))[:files], folder / "corpus")
        seconds = corpus_speed.measure(names, recordings, folder, str(folder / "wheel"), 2)
        reading = corpus_speed.reading(recordings)
        return {
            "files": len(recordings),
            "seconds of audio": round(sum(corpus_speed.length(file) for file in recordings), 1),
            "seconds": seconds,
            "reading": round(reading, 3),
        }


def main() -> None:
    """Measure one part, and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.light", description=__doc__)
    parser.add_argument("part", choices=("speed", "order", "worth", "corpus"))
    parser.add_argument("--data", type=Path, help="folder of recordings with utterances.csv, to fit on")
    parser.add_argument("--unheard", type=Path, help="such a folder of speakers that no network heard")
    parser.add_argument("--models", nargs="+", default=[light for light, _ in PAIRS], metavar="MODEL")
    parser.add_argument("--files", type=int, default=400, help="of the corpus (400)")
    parser.add_argument("--openwakeword", type=Path, help="its wheel, 0.5.1, which has the graphs")
    options = parser.parse_args()
    made: dict[str, Callable[[], Found]] = {
        "speed": speed,
        "order": lambda: order(options.data),
        "worth": lambda: worth(options.data, options.unheard, options.models),
        "corpus": lambda: corpus(options.data, options.files, options.openwakeword),
    }
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    found[options.part] = made[options.part]()
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""EdgeVoice on CUDA: checks what is promised there, then compares its speed with that of NumPy's front end.

    python -m benchmarks.cuda --model cae-256 --out benchmarks/results/cuda.json

The same networks compute both ways: as they are (`device`: `frontend.onnx` on the device, everything stays there), and from
a copy of the model folder without `frontend.onnx` (`numpy`: spectrograms by NumPy, copied up). Each pair is timed in turns.
The checks come first; one that fails is in the results, and the exit code is 1. It takes about two minutes. `--device cpu`
goes through all of it without a GPU, to try the script itself.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

import edgevoice
from benchmarks.measuring import SPEECH, in_turns, seconds
from edgevoice.bench.machine import Machine
from edgevoice.inference import FRONT_END
from edgevoice.modelfolder import find_model
from edgevoice.providers import PROVIDERS
from edgevoice.sessions import load_onnxruntime

LIMIT = 1e-4
"""Largest difference from the CPU's frames that is allowed."""
HOURS = 3.0

_START = """
import sys, time
import numpy as np, onnxruntime as ort
import edgevoice
folder, device, way = sys.argv[1:]
window = np.zeros(8000, np.float32)
begun = time.perf_counter()
if way == "edgevoice":
    edgevoice.load(folder, device=device).describe(window)
else:
    from edgevoice.sessions import load_onnxruntime
    from edgevoice.providers import find_device
    load_onnxruntime(device)
    sessions = []
    for name in ("frontend", "encoder", "decoder"):
        options = ort.SessionOptions()
        options.log_severity_level = 3
        sessions.append(ort.InferenceSession(f"{folder}/{name}.onnx", options, providers=find_device(device).execution))
    (image,) = sessions[0].run(None, {"samples": window[None]})
    (code,) = sessions[1].run(["bottleneck"], {"spectrogram": image})
    sessions[2].run(["error"], {"bottleneck": code, "spectrogram": image})
print(time.perf_counter() - begun)
"""


def main() -> int:
    """Check, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cae-256", help="a name or a path (default: cae-256)")
    parser.add_argument("--device", default="cuda", help="default: cuda")
    parser.add_argument(
        "--audio", type=Path, default=SPEECH, help="a file or folder of speech (default: tests/data/speech.wav)"
    )
    parser.add_argument("--hours", type=float, default=HOURS, help=f"of audio to extract (default: {HOURS:g})")
    parser.add_argument("--rounds", type=int, default=30, help="of each timing (default: 30)")
    parser.add_argument("--out", type=Path, required=True, help="the JSON to write")
    options = parser.parse_args()
    if options.device == "cpu":
        PROVIDERS["cpu"] = dataclasses.replace(PROVIDERS["cpu"], graph_front_end=True, exact=False, concurrent=False)
    folder = find_model(options.model).path
    with tempfile.TemporaryDirectory() as work:
        found = measure(folder, Path(work), options)
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({key: found[key] for key in ("checks", "ratios")}, indent=1))
    return 0 if all(check["passed"] for check in found["checks"].values()) else 1


def measure(folder: Path, work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Check and time one model."""
    bare = without_front_end(folder, work / "bare")
    cpu = edgevoice.load(bare)
    device, numpy = (edgevoice.load(each, device=options.device) for each in (folder, bare))
    recordings = sorted(options.audio.rglob("*.flac"))[:100] if options.audio.is_dir() else [options.audio]
    checks = {
        **compared(cpu, device, recordings),
        "from several threads": from_threads(device),
        "a device that is not there": refused(folder, f"{options.device}:7"),
        "out of memory": out_of_memory(device, options.device),
    }
    timings = {
        **calls(device, numpy, options.rounds),
        "extract": extracts(device, numpy, work, options.hours),
        "start to first frame": starts(folder, options.device),
    }
    ratios = {name: round(rows["numpy"] / rows["device"], 3) for name, rows in timings.items() if "numpy" in rows}
    start = timings["start to first frame"]
    ratios["start, beside bare sessions"] = round(start["edgevoice"] / start["bare sessions"], 3)
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": dataclasses.asdict(Machine.this()),
        "gpu": graphics_card(),
        "model": f"{device.config.name} {device.config.version}",
        "checks": checks,
        "ratios": ratios,
        "seconds": timings,
    }


def without_front_end(folder: Path, to: Path) -> Path:
    """A copy of a model folder without `frontend.onnx`, so that NumPy computes the spectrograms."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("*.png", "*.pt", FRONT_END))
    path = to / "model.json"
    data = json.loads(path.read_text())
    data["files"].pop(FRONT_END, None)
    path.write_text(json.dumps(data))
    return to


def compared(cpu: edgevoice.Extractor, device: edgevoice.Extractor, recordings: list[Path]) -> dict[str, Any]:
    """Largest differences from the CPU over all frames of the recordings, and between live and offline frames."""
    bottleneck = error = live = 0.0
    frames = 0
    for path in recordings:
        wanted, found = cpu.extract(path), device.extract(path)
        bottleneck = max(bottleneck, float(np.abs(found.bottleneck - wanted.bottleneck).max()))
        error = max(error, float(np.abs(found.error - wanted.error).max()))
        samples, rate = soundfile.read(path, dtype="int16")
        stream = device.stream(rate=rate)
        pushed = [stream.push(samples[k : k + rate // 50]).values for k in range(0, len(samples), rate // 50)]
        pushed.append(stream.finish().values)
        live = max(live, float(np.abs(np.concatenate(pushed) - found.values).max()))
        frames += len(wanted)
    return {
        "bottleneck": {"passed": bottleneck < LIMIT, "largest": bottleneck, "frames": frames},
        "error": {"passed": error < LIMIT, "largest": error, "frames": frames},
        "live beside offline": {"passed": live < LIMIT, "largest": live},
    }


def from_threads(device: edgevoice.Extractor) -> dict[str, Any]:
    """Eight threads that share an extractor, compared with one thread."""
    windows = noise(8)
    alone = [device.describe(window) for window in windows]

    def work(number: int) -> float:
        return max(float(np.abs(device.describe(windows[number]) - alone[number]).max()) for _ in range(50))

    with ThreadPoolExecutor(8) as pool:
        largest = max(pool.map(work, range(8)))
    return {"passed": largest < LIMIT, "largest": largest}


def refused(folder: Path, name: str) -> dict[str, Any]:
    """Whether a device that does not exist is an error, and is not replaced by another device."""
    try:
        edgevoice.load(folder, device=name)
    except (edgevoice.DeviceError, edgevoice.ArgumentError) as error:
        return {"passed": True, "message": str(error)}
    return {"passed": False, "message": "loaded"}


def out_of_memory(device: edgevoice.Extractor, name: str) -> dict[str, Any]:
    """Whether a call raises its own error while all memory of the device is taken, and the next call works."""
    if name == "cpu":
        return {"passed": True, "message": "not tried on the CPU"}
    make = load_onnxruntime(name).OrtValue.ortvalue_from_shape_and_type
    taken, size = [], 1 << 32
    while size >= 1 << 16:
        try:
            taken.append(make((size,), np.uint8, "cuda", 0))
        except Exception:  # noqa: BLE001 - ONNX Runtime has no class of its own for it
            size //= 2
    with ThreadPoolExecutor(1) as pool:  # a new thread makes new buffers
        message = pool.submit(_error, device).result()
    taken.clear()
    return {"passed": len(device.describe(noise(40))) == 40, "message": message, "raised": bool(message)}


def _error(device: edgevoice.Extractor) -> str:
    try:
        device.describe(noise(64))
    except edgevoice.DeviceError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def calls(device: edgevoice.Extractor, numpy: edgevoice.Extractor, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds of `encode` and `describe`, in turns."""
    timings: dict[str, dict[str, float]] = {}
    for method, size in (("encode", 1), *(("describe", size) for size in (1, 8, 64, 256, 1024))):
        windows = noise(size)
        ways = {
            name: partial(seconds, getattr(extractor, method), windows)
            for name, extractor in (("device", device), ("numpy", numpy))
        }
        in_turns(ways, 1)  # warms up
        found = in_turns(ways, max(5, rounds * 10 if size == 1 else rounds // (1 + size // 256)))
        timings[f"{method}() of {size}"] = {name: median(taken) for name, taken in found.items()}
    return timings


def extracts(device: edgevoice.Extractor, numpy: edgevoice.Extractor, work: Path, hours: float) -> dict[str, float]:
    """Seconds of `extract` of a long WAV, after the device has computed it once."""
    samples, rate = soundfile.read(SPEECH, dtype="int16")
    path = work / "long.wav"
    soundfile.write(path, np.resize(samples, int(hours * 3600 * rate)), rate)
    frames = len(device.extract(path))
    return {name: seconds(each.extract, path) for name, each in (("numpy", numpy), ("device", device))} | {"frames": frames}


def starts(folder: Path, device: str) -> dict[str, float]:
    """Median seconds from the model folder to the first frame, without imports, in three new processes."""

    def start(way: str) -> float:
        command = [sys.executable, "-c", _START, str(folder), device, way]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])

    found = in_turns({way: partial(start, way) for way in ("edgevoice", "bare sessions")}, 3)
    return {way: median(taken) for way, taken in found.items()}


def noise(count: int) -> NDArray[np.float32]:
    """Windows of noise."""
    return np.random.default_rng(0).uniform(-1, 1, (count, 8000)).astype(np.float32)


def graphics_card() -> str | None:
    """The name that `nvidia-smi` gives the device."""
    with suppress(OSError, subprocess.CalledProcessError):
        command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() or None
    return None


if __name__ == "__main__":
    sys.exit(main())

"""`edgevoice-export live`: a model's whole stream as one ONNX file, for other languages."""

from __future__ import annotations

import argparse
import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np

from edgevoice.cli.console import show
from edgevoice.cli.options import Commands, add_force, check_places, parser_of
from edgevoice.extractor import load
from edgevoice.files import whole_files
from edgevoice.heads.head import load_head
from edgevoice.modelfolder import ModelFolder, find_model
from edgevoice_export.onnx.graph import TRANSFORMS
from edgevoice_export.onnx.live import convert_to_live, describe

_HOPS = 12  # of the vectors


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = graph_parser(commands, "live")
    parser.add_argument("--vectors", type=Path, metavar="DIR", help="write samples, and the frames that must come of them")
    parser.add_argument("--head", metavar="HEAD.onnx", help="put a head of `edgevoice fit` behind it: samples to decisions")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand."""
    folder = find_model(options.model)
    head = None if options.head is None else load_head(options.head)
    path = options.out or Path(f"{folder.config.name}-live.onnx")
    vectors = _vectors(folder) if options.vectors else {}
    places = [path, path.with_name(f"{path.name}.json"), *(options.vectors / name for name in vectors)]
    given = [*map(str, folder.path.iterdir()), *([options.head] if head else [])]
    check_places(list(map(str, places)), given, options.force)
    graph = convert_to_live(folder, options.transform, head).SerializeToString()
    contents = [graph, f"{json.dumps(describe(folder, head), indent=1)}\n".encode(), *vectors.values()]
    with whole_files(dict.fromkeys(places, options.force)) as files:
        for file, data in zip(files, contents, strict=True):
            file.write(data)
    show(f"{path}: {len(graph) / 1e6:.1f} MB")
    return 0


def _vectors(folder: ModelFolder) -> dict[str, bytes]:
    """Test vectors, as files by name: noise of several levels with silence and lost steps, and the frames of `Stream`."""
    facts, rng = describe(folder), np.random.default_rng(0)
    hop, step = facts["hop"], facts["step"]
    levels = np.repeat(10 ** np.linspace(-0.5, -2.5, _HOPS), hop)
    whole = np.clip(np.round(32768 * levels * 0.3 * rng.standard_normal(_HOPS * hop)), -32768, 32767).astype("<i2")
    whole[4 * hop : 7 * hop] = 0
    lost = np.zeros(_HOPS * hop // step, np.bool_)
    lost[hop // step * 8 : hop // step * 10 + 1] = True
    stream, frames = load(folder.path).stream(rate=facts["rate"]), []
    for k, gone in enumerate(lost):
        frames += list(stream.skip(step) if gone else stream.push(whole[k * step : (k + 1) * step]))
    stated: dict[str, Any] = {
        "lost": [int(gone) for gone in lost],
        "position": [frame.position for frame in frames],
        "silent": [frame.silent for frame in frames],
        "gap": [frame.gap for frame in frames],
    }
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(facts["rate"])
        file.writeframes(whole.tobytes())
    values = np.stack([frame.values for frame in frames]).astype("<f4")
    return {"samples.wav": sound.getvalue(), "frames.f32": values.tobytes(), "vectors.json": json.dumps(stated).encode()}


def graph_parser(commands: Commands, name: str) -> argparse.ArgumentParser:
    """Make the parser of the subcommand `name`, with the model, the output file and the transform."""
    parser = parser_of(commands, name)
    parser.add_argument("model", help="name or path of a model folder")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help=f"the file to write (default: MODEL-{name}.onnx)")
    add_force(parser)
    parser.add_argument(
        "--transform",
        choices=TRANSFORMS,
        default="stft",
        help="how columns become spectra: by ONNX's STFT (the default), or by a convolution, which CUDA computes too",
    )
    return parser

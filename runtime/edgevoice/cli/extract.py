"""`edgevoice extract`: features of audio files as tables."""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

from edgevoice.analysis import default_workers
from edgevoice.audio.files import open_source
from edgevoice.cli.console import tell
from edgevoice.cli.inputs import Inputs
from edgevoice.cli.options import (
    Commands,
    add_model_options,
    add_window_options,
    load_extractor,
    parser_of,
    positive,
)
from edgevoice.cli.output import Output
from edgevoice.cli.progress import Progress
from edgevoice.errors import AudioError, DeviceMemoryError, EdgeVoiceError
from edgevoice.extractor import Extractor
from edgevoice.features import Features
from edgevoice.tables.table import FORMATS

Result = Features | AudioError | DeviceMemoryError
"""Of one input: its features, or why there are none."""

_AHEAD = 4
"""Inputs, for each job, that may be computed before the first of them is written."""

_EPILOG = """\
examples:
  edgevoice extract speech.wav > frames.csv
  edgevoice extract recordings/ --static -o functionals.csv
  edgevoice extract recordings/ more.flac -o features/ --format npy --jobs 4

OUT with a suffix is one table of all inputs; without one it is a folder, where each input has a table of its own, at its
path below the folder that was named. CSV says which row belongs to which file; rows of an npy matrix follow the order of
the inputs, the files of a folder sorted. Tables appear whole or not at all. Inputs that failed are named at the end.
"""


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "extract", _EPILOG)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="an audio file, or a folder that is searched for them")
    parser.add_argument("-o", "--output", metavar="OUT", help="a table or a folder (default: CSV on standard output)")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--dynamic", action="store_false", dest="static", help="one row a frame (default)")
    kind.add_argument("--static", action="store_true", help="one row a file: mean, std, skewness, kurtosis")
    parser.add_argument("--format", choices=FORMATS, help="of the tables (default: by OUT's suffix, or csv)")
    parser.add_argument("--start", type=float, metavar="S", help="begin after so many seconds of each input")
    parser.add_argument("--end", type=float, metavar="S", help="stop after so many seconds of each input")
    parser.add_argument("--pad", action="store_true", help="fill audio shorter than one window with zeros")
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="files computed at the same time (default: 1)")
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="parts of each file computed at the same time (default: the cores, divided by --jobs and --threads; 8 at most)",
    )
    add_window_options(parser)
    add_model_options(parser)
    parser.set_defaults(run=run, static=False)


def run(arguments: argparse.Namespace) -> int:
    """Write the tables that were asked for; 1 if some input failed."""
    output = Output(arguments.output, arguments.format, arguments.static)
    extractor = load_extractor(arguments)
    if arguments.workers is None and arguments.jobs > 1:
        arguments.workers = default_workers(arguments.jobs * arguments.threads)
    inputs = Inputs.find(arguments.inputs)
    failed: list[EdgeVoiceError] = list(inputs.errors)
    # A bar and a table on the same terminal would be drawn over each other.
    shown = arguments.output is not None or not (sys.stdout and sys.stdout.isatty())
    with (
        Progress(inputs.files, shown) as progress,
        output,
        closing(_results(extractor, inputs.files, arguments, progress)) as results,
    ):
        for file, place, result in zip(inputs.files, inputs.places, results, strict=True):
            if isinstance(result, Features):
                output.write(str(file), place, result)
            else:
                failed.append(result)
            progress.file()
    for error in failed:
        tell(error)
    return 1 if failed else 0


def _results(
    extractor: Extractor, files: Sequence[Path], arguments: argparse.Namespace, progress: Progress
) -> Generator[Result, None, None]:
    """What comes of each file, in order; `jobs` files at a time."""
    if arguments.jobs == 1:
        for file in files:
            yield _result(extractor, file, arguments, progress, progress.seconds)
        return
    stopped = Event()

    def check(seconds: float) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt  # ends this thread's file; the main thread is on its way out
        progress.seconds(seconds)

    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        try:
            for file in files:
                waiting.append(pool.submit(_result, extractor, file, arguments, progress, check))
                if len(waiting) > _AHEAD * arguments.jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)


def _result(
    extractor: Extractor, file: Path, arguments: argparse.Namespace, progress: Progress, read: Callable[[float], object]
) -> Result:
    try:
        with open_source(file, arguments.start, arguments.end, arguments.channel) as source:
            progress.begin(source.seconds)
            return extractor.extract(
                source,
                level=arguments.level,
                hop=arguments.hop,
                channel=arguments.channel,
                pad=arguments.pad,
                workers=arguments.workers,
                progress=read,
            )
    except AudioError as error:
        return error
    except DeviceMemoryError as error:
        return DeviceMemoryError(f"{file}: {error}")

"""`edgevoice extract`: features of audio files as tables."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

from edgevoice.analysis import default_workers
from edgevoice.audio.files import open_source
from edgevoice.cli.console import one_line, tell
from edgevoice.cli.inputs import Inputs
from edgevoice.cli.nativeoutput import quiet_libraries
from edgevoice.cli.options import (
    Commands,
    add_force,
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
from edgevoice.files.wholefile import refuse_existing, whole_file
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
path below the root: the folder that was named or, for a file that was named, the current folder. CSV says which row belongs
to which file; rows of an npy matrix follow the order of the inputs, the files of a folder sorted. Tables appear whole or not
at all, and replace none that is there without --force. Inputs that failed are named at the end.
"""


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = parser_of(commands, "extract", _EPILOG)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="an audio file, or a folder that is searched for them")
    parser.add_argument("-o", "--output", metavar="OUT", help="a table or a folder (default: CSV on standard output)")
    add_force(parser)
    parser.add_argument("--root", metavar="DIR", help="what files are named below in tables (default: the folder given)")
    parser.add_argument("--failed", metavar="FILE", help="write a CSV of the inputs that failed, with the reasons")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--dynamic", action="store_false", dest="static", help="one row a frame (default)")
    kind.add_argument("--static", action="store_true", help="one row a file: mean, std, skewness, kurtosis")
    parser.add_argument("--format", choices=FORMATS, help="of the tables (default: by OUT's suffix, or csv)")
    parser.add_argument("--start", type=float, metavar="S", help="begin after so many seconds of each input")
    parser.add_argument("--end", type=float, metavar="S", help="stop after so many seconds of each input")
    parser.add_argument("--pad", action="store_true", help="fill audio shorter than one window with zeros")
    parser.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="how much is computed at the same time, over files and within them (default: the cores, divided by --threads)",
    )
    add_window_options(parser)
    add_model_options(parser)
    parser.set_defaults(run=run, static=False)


def run(arguments: argparse.Namespace) -> int:
    """Write the tables that were asked for; 1 if some input failed."""
    output = Output(arguments.output, arguments.format, arguments.static, arguments.force)
    if arguments.failed is not None and not arguments.force:
        refuse_existing(arguments.failed)
    extractor = load_extractor(arguments)
    inputs = Inputs.find(arguments.inputs, arguments.root)
    output.check(inputs)
    jobs = arguments.jobs or default_workers(arguments.threads)
    arguments.jobs = max(1, min(jobs, len(inputs.files)))  # files at the same time: what is short has no parts to share
    arguments.workers = max(1, jobs // arguments.jobs)
    if inputs.others:
        tell(f"{inputs.others} files of the folders are not audio by their suffix, and were not read")
    failed: list[tuple[str, EdgeVoiceError]] = [("", error) for error in inputs.errors]
    # A bar and a table on the same terminal would be drawn over each other.
    shown = arguments.output is not None or not (sys.stdout and sys.stdout.isatty())
    with (
        quiet_libraries(),
        Progress(inputs.files, shown) as progress,
        output,
        closing(_results(extractor, inputs.files, arguments, progress)) as results,
    ):
        for name, result in zip(inputs.names, results, strict=True):
            if isinstance(result, Features):
                output.write(name, Path(name), result)
            else:
                failed.append((name, result))
            progress.file(len(result) if isinstance(result, Features) else None)
    for _, error in failed:
        tell(error)
    if arguments.failed is not None:
        _write_failed(arguments.failed, failed, arguments.force)
    return 1 if failed else 0


def _write_failed(path: str, failed: Sequence[tuple[str, EdgeVoiceError]], replace: bool) -> None:
    """A CSV with the columns `file` and `reason`; a folder that could not be listed has no `file`."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["file", "reason"])
    rows.writerows([name, one_line(error)] for name, error in failed)
    with whole_file(path, replace) as file:
        file.write(text.getvalue().encode("utf-8", "surrogateescape"))


def _results(
    extractor: Extractor, files: Sequence[Path], arguments: argparse.Namespace, progress: Progress
) -> Generator[Result, None, None]:
    """What comes of each file, in order; `arguments.jobs` files at a time."""
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

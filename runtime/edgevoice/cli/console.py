"""The console: standard streams, messages, progress, and the status line of a microphone."""

from __future__ import annotations

import io
import math
import os
import select
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast

from edgevoice.cli.signals import raise_again
from edgevoice.errors import AudioFormatError, OutputError
from edgevoice.files import writing

if TYPE_CHECKING:
    from edgevoice.corpus.index import Row
    from edgevoice.microphone.microphone import LiveFrame, Microphone

_EVERY = 10.0  # seconds between two lines of progress where there is no terminal
_SECONDS = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]"
_METER = 20
_QUIETEST = -60.0


def tell(message: object, program: str = "edgevoice") -> None:
    """Write a message to standard error, in one line. Nothing happens where it is closed or its terminal is gone."""
    if sys.stderr is not None:
        with suppress(OSError):
            _print(sys.stderr, f"{program}: {plain(' '.join(str(message).split()))}\n")


def show(text: str) -> None:
    """Print lines on standard output. Characters that its encoding lacks, such as a Windows code page, are escaped."""
    with writing("standard output"):
        _print(_opened(sys.stdout), f"{text}\n")


def plain(text: str) -> str:
    """The text with control characters escaped: a name from a file could steer a terminal with them.

    Bytes that are no text in the encoding of the system's names stay: a stream knows what to do with them.
    """
    return "".join(
        letter if letter.isprintable() or "\udc80" <= letter <= "\udcff" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Format the rows of a table as lines with aligned columns."""
    rows = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _print(stream: Any, text: str) -> None:
    """Write a text; what the encoding of the stream lacks is escaped."""
    encoding, errors = stream.encoding or "utf-8", stream.errors or "strict"
    try:
        data = text.encode(encoding, errors)
    except UnicodeEncodeError:
        data = text.encode(encoding, "backslashreplace")
    _write(stream, data if _descriptor(stream) is None else data.replace(b"\n", os.linesep.encode()))


def _descriptor(stream: Any) -> int | None:
    """The file descriptor of a standard stream; None for a console of Windows, and for streams of notebooks and tests."""
    if not isinstance(stream, io.TextIOWrapper) or (os.name == "nt" and stream.isatty()):
        return None
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None


def _write(stream: Any, data: bytes) -> None:
    """Write all bytes. Python's own streams write a part only where they are not buffered, or a pipe is non-blocking."""
    number, view = _descriptor(stream), memoryview(data)
    if number is None:  # a stream of text only, as notebooks have, has no buffer
        stream.buffer.write(data) if hasattr(stream, "buffer") else stream.write(data.decode("utf-8", "replace"))
        stream.flush()
    while number is not None and view:
        try:
            view = view[os.write(number, view) :]
        except BlockingIOError:  # a program that has the same pipe has made it non-blocking, and the reader pauses
            select.select([], [number], [])
        except ConnectionResetError as error:  # a socket's word for a closed pipe
            raise BrokenPipeError from error


class _StandardOutput:
    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.flush = stream.flush

    def write(self, data: bytes) -> int:
        with writing("standard output"):
            _write(self._stream, data)
        return len(data)


def standard_output() -> IO[bytes]:
    """Standard output, for bytes: what is written is there when `write` returns, or an error is raised."""
    return cast("IO[bytes]", _StandardOutput(_opened(sys.stdout)))


def _opened(stream: Any) -> Any:
    if stream is None:
        raise OutputError("standard output: is closed")
    return stream


class _StandardInput(io.RawIOBase):
    """Standard input as it arrives. Reading waits, also where another program has made the pipe non-blocking."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        number = sys.stdin.fileno()
        while True:
            try:
                data = os.read(number, len(buffer))
            except BlockingIOError:
                select.select([number], [], [])
            except OSError as error:
                raise AudioFormatError(f"cannot be read ({error.strerror})") from error
            else:
                buffer[: len(data)] = data
                return len(data)


def standard_input() -> IO[bytes]:
    """Standard input, which is open, for bytes."""
    return io.BufferedReader(_StandardInput()) if _descriptor(sys.stdin) is not None else sys.stdin.buffer


def drop_output() -> None:
    """Drop standard output when nobody reads it: what others printed would be flushed at exit, and fail or wait."""
    with suppress(OSError, AttributeError):  # already closed, or not a file of the operating system
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Inside this context, only writes to `sys.stderr` reach standard error.

    PortAudio and ALSA write whole screens to its file descriptor, past `sys.stderr`, at every device that they cannot open;
    decoders write messages about files.
    """
    outer = sys.stderr
    try:
        number = outer.fileno()
    except (AttributeError, OSError, ValueError):
        yield
        return
    kept = os.dup(number)
    silence = os.open(os.devnull, os.O_WRONLY)
    outer.flush()
    os.dup2(silence, number)
    os.close(silence)
    sys.stderr = inner = open(kept, "w", buffering=1, encoding=outer.encoding, errors=outer.errors)  # noqa: PTH123, SIM115
    try:
        yield
    finally:
        sys.stderr = outer
        os.dup2(kept, number)
        with suppress(OSError):  # it still contained text, and its terminal is gone
            inner.close()


def bar(shown: bool = True, **options: Any) -> Any:
    """A progress bar of tqdm on standard error; where that is no terminal it shows nothing, and its `disable` is true."""
    from tqdm import tqdm

    return tqdm(disable=not (shown and _is_terminal()), **options)


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


class Progress:
    """Shows on standard error how many of some files are done, or how many seconds of a single one.

    On a terminal that is a bar, unless it is not to be `shown`, otherwise a line every ten seconds. As a context manager it
    says what was done and kept when a signal ends it. What counts raises that signal where a callback has lost it.
    """

    def __init__(self, files: Sequence[str], shown: bool = True) -> None:
        self._total, self._single = len(files), len(files) == 1
        self._last = time.monotonic()
        self._done, self._frames, self._seconds, self._failed = 0, 0, 0.0, 0
        self._files: set[str] = set()
        self._shown = shown or not _is_terminal()
        options: dict[str, Any] = {"total": self._total, "unit": "file"}
        if self._single:
            options = {"total": 0, "desc": plain(Path(files[0]).name), "bar_format": _SECONDS}
        self._bar = bar(shown and bool(files), **options)
        self.kept: Callable[[], str] = lambda: "nothing is kept"
        """What to say after a signal."""

    def begin(self, seconds: float | None) -> None:
        """Set how many seconds of a file will be read; None if that is not known."""
        if self._single:
            self._bar.total = seconds or 0

    def seconds(self, count: float) -> None:
        """Count seconds of audio that were read."""
        self._seconds += count
        self._update(count if self._single else 0)

    def row(self, row: Row, frames: int, failed: bool) -> None:
        """Count a row as done."""
        self._done += 1
        self._frames += frames
        self._failed += failed
        if not failed:
            self._files.add(row.file)
        self._update(0 if self._single else 1)

    def close(self, failed: int = 0, note: str = "") -> None:
        """Print a summary in one line; `failed` were not counted by `row`. A single input that failed has none."""
        self._bar.close()
        failed += self._failed
        if self._shown and (note or self._files or self._total > 1 or not failed):
            counts = (_counted(len(self._files), "file"), _counted(self._frames, "frame"), f"{self._seconds:.1f} s of audio")
            tell(f"{', '.join(counts)}, {_counted(failed, 'failure')}{note}")

    def _update(self, step: float) -> None:
        raise_again()
        self._bar.update(step)
        now = time.monotonic()
        if self._total and not _is_terminal() and now - self._last >= _EVERY:
            self._last = now
            tell(self._state())

    def _state(self) -> str:
        failed = _counted(self._failed, "failure")
        return f"{self._done} of {self._total} done, {self._seconds:.0f} s of audio, {failed}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._bar.close()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            tell(f"stopped: {self._state()}; {self.kept()}")


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


@contextmanager
def status_line(microphone: Microphone) -> Iterator[Callable[[LiveFrame | None, str], None]]:
    """Show level, frames, latency, load and gaps on standard error, if that is a terminal.

    What it gives updates the line: by the latest frame, None when there is no new one, and a text that begins it.
    """
    if not _is_terminal():
        yield lambda *_: None
        return
    shown, latency = 0, "-"

    def write(text: str) -> None:
        nonlocal shown
        with suppress(OSError):  # the terminal is closed; SIGHUP ends the command
            # Blanks replace a longer line: not all consoles of Windows know the escape sequence for that.
            _print(sys.stderr, f"\r{text.ljust(shown)}\r{text}")
            shown = len(text)

    def update(frame: LiveFrame | None, first: str = "") -> None:
        nonlocal latency
        if frame is not None:
            latency = f"{1e3 * frame.latency:.1f} ms"
        if microphone.away is None:
            summary = microphone.summary()
            text = (
                f"{first}{meter(microphone.peak)}  {summary.seconds:.1f} s  {summary.frames} frames  latency {latency}  "
                f"load {100 * summary.load:.1f} %  {f'{summary.lost:.1f} s lost' if summary.lost else 'no gaps'}"
            )
        else:
            text = f"{first}{microphone.device.name}: {microphone.away}; waiting for it"
        write(plain(text)[: shutil.get_terminal_size().columns - 1])

    try:
        yield update
    finally:
        write("")


def meter(peak: float) -> str:
    """A bar for a peak of 0..1, from -60 dB up, with its value in dB of full scale."""
    decibels = max(_QUIETEST, 20 * math.log10(peak)) if peak else _QUIETEST
    length = round(_METER * (1 - decibels / _QUIETEST))
    return f"[{'#' * length}{'-' * (_METER - length)}] {decibels:4.0f} dB"

"""`edgevoice stream`: frames as JSON Lines, from a file, a pipe or a microphone."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from numpy.typing import NDArray

from edgevoice.audio.files import open_source
from edgevoice.audio.rawpcm import DTYPES, read_pcm
from edgevoice.cli import options
from edgevoice.cli.console import drop_output, quiet_libraries, standard_input, standard_output, status_line, tell
from edgevoice.cli.decide import Decider, model_of
from edgevoice.cli.options import ModelOptions, WindowOptions, option, positive
from edgevoice.cli.signals import Interrupted, taken_by
from edgevoice.errors import ArgumentError, AudioError, AudioFormatError
from edgevoice.extractor import Extractor
from edgevoice.files import Draft, writing
from edgevoice.heads.head import load_head
from edgevoice.tables.jsonlines import JsonLines

if TYPE_CHECKING:
    from edgevoice.microphone.microphone import Microphone

_PACE = 0.02  # seconds of a block when a file is played at the speed of a microphone
_LONGEST = 1e9
_REFRESH = 0.25
_PATIENCE = 3.0
"""Seconds after a signal in which frames of audio that was captured before are written."""
# Windows has no SIGALRM: there, a write that waits is interrupted by a second signal only.
_ALARMS = (signal.SIGALRM,) if hasattr(signal, "SIGALRM") else ()

_EPILOG = """\
examples:
  edgevoice stream speech.wav --realtime
  ffmpeg -i film.mkv -f s16le -ac 1 -ar 16000 - | edgevoice stream - --rate 16000
  edgevoice stream --mic --seconds 60 --record session.wav

One frame is one line of JSON, written as soon as its window is complete: index, position (first sample at the model's
rate), start, end (seconds), silent, gap, loudness (dB), time, latency, bottleneck, error; with --head also decision.
"""


_raw, _live = partial(option, group="raw PCM on standard input"), partial(option, group="microphone")


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A source, how much of it, and how its frames are made."""

    windows: WindowOptions
    model: ModelOptions
    source: str | None = option(
        "source", nargs="?", metavar="FILE | -", help="an audio file, or - for raw PCM on standard input"
    )
    mic: str | None = option(
        nargs="?", const="", metavar="DEVICE", help="a microphone, by name or number (default: the system's)"
    )
    seconds: float | None = option(type=float, metavar="S", help="stop after this much audio")
    realtime: bool = option(default=False, help="pace a file as a microphone would")
    rate: int | None = _raw(type=positive, metavar="R", help="sampling rate in hertz; for --mic, the one to ask for")
    channels: int | None = _raw(type=positive, metavar="C", help="interleaved channels (default: 1)")
    dtype: str | None = _raw(choices=DTYPES, help="of one sample, little-endian (default: int16)")
    record: str | None = _live(metavar="FILE.wav", help="save the captured audio")
    reopen: bool = _live(default=False, help="wait for a lost device to return, and continue")
    head: str | None = option(metavar="HEAD.onnx", help="add what it decides; --model is then its own by default")
    force: bool = options.force_option()

    def extractor(self) -> Extractor:
        """The model that was named, or else that of the head."""
        name = self.model.model or (model_of(load_head(self.head)) if self.head else "cae-256")
        return replace(self.model, model=name).load()

    def refuse(self, names: tuple[str, ...], reason: str) -> None:
        """Raise ArgumentError if one of these options was given."""
        given = [f"--{name}" for name in names if getattr(self, name) not in (None, False)]
        if given:
            raise ArgumentError(f"{', '.join(given)}: {reason}")


def run(asked: StreamRequest) -> int:
    """Stream the chosen source to standard output."""
    if (asked.source is None) == (asked.mic is None):
        raise ArgumentError("expected one source: FILE, - or --mic")
    if asked.seconds is not None and not 0 < asked.seconds <= _LONGEST:
        raise ArgumentError(f"seconds {asked.seconds}: expected a number above 0, {_LONGEST:g} at most")
    if asked.mic is not None:
        asked.refuse(("realtime", "channels", "dtype"), "a microphone has its own pace, channels and type")
        options.check_places([asked.record], [], asked.force)
        return _stream_microphone(asked, asked.extractor())
    asked.refuse(("record", "reopen"), "needs --mic")
    if asked.source == "-":
        rate, channels, blocks = _pipe(asked)
        _stream_blocks(asked, rate, channels, blocks)
        return 0
    asked.refuse(("rate", "channels", "dtype"), "only raw PCM on standard input needs it; a file says its own")
    with quiet_libraries(), open_source(asked.source or "") as source:  # decoders print messages about files
        blocks = pace(source.blocks(), source.rate) if asked.realtime else source.blocks()
        _stream_blocks(asked, source.rate, source.channels, blocks)
    return 0


def _stream_blocks(asked: StreamRequest, rate: int, channels: int, blocks: Iterable[NDArray[Any]]) -> None:
    """Write the frames of blocks (samples, channels) to standard output."""
    extractor = asked.extractor()
    stream = extractor.stream(rate, channels, **asdict(asked.windows))
    lines = JsonLines(standard_output(), Decider(asked.head, extractor, asked.windows))
    try:
        for block in _limited(blocks, asked.seconds, rate):
            lines.write(stream.push(block))
    except AudioError:
        lines.write(stream.finish())  # frames of the audio before the error
        raise
    lines.write(stream.finish())


def _limited(blocks: Iterable[NDArray[Any]], seconds: float | None, rate: int) -> Iterator[NDArray[Any]]:
    """The first seconds of blocks (samples, channels); all blocks where `seconds` is None."""
    left = None if seconds is None else round(seconds * rate)
    for block in blocks:
        yield block[:left]
        if left is not None:
            left -= len(block)
            if left <= 0:
                return


def pace(blocks: Iterable[NDArray[Any]], rate: int) -> Iterator[NDArray[Any]]:
    """The same samples in short blocks, each given at the time at which a microphone would have captured its last sample."""
    began, position = time.monotonic(), 0
    step = max(1, round(_PACE * rate))
    for block in blocks:
        for at in range(0, len(block), step):
            part = block[at : at + step]
            position += len(part)
            # Counted from the beginning, not from the last block, so that delays do not add up.
            ahead = began + position / rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            yield part


def _pipe(asked: StreamRequest) -> tuple[int, int, Iterable[NDArray[Any]]]:
    """Rate, channels and samples of raw PCM on standard input."""
    asked.refuse(("realtime",), "a pipe has its own pace")
    if asked.rate is None:
        raise ArgumentError("raw PCM on standard input does not state its rate: give --rate")
    if sys.stdin is None or sys.stdin.isatty():
        raise AudioFormatError("standard input: expected raw PCM from a pipe or a file")
    channels = asked.channels or 1
    return asked.rate, channels, _named(standard_input(), channels, asked.dtype or "int16")


def _named(pipe: IO[bytes], channels: int, dtype: str) -> Iterator[NDArray[Any]]:
    try:
        yield from read_pcm(pipe, channels, dtype)
    except AudioError as error:
        raise type(error)(f"standard input: {error}") from error


def _stream_microphone(asked: StreamRequest, extractor: Extractor) -> int:
    """Stream a microphone until the seconds are over, it is lost, a signal comes or nobody reads any more.

    Frames go to standard output, unless that is a terminal, which shows the status only; the summary goes to standard error.
    The first signal stops the microphone, a second one interrupts at once; so does an alarm, for nobody may read any more.
    """
    came: list[int] = []
    with quiet_libraries(), _set_aside(asked.record), _open(asked, extractor) as microphone:

        def end(number: int, frame: object) -> None:  # noqa: ARG001
            if came:
                raise Interrupted(came[0] if number in _ALARMS else number)
            came.append(number)
            microphone.stop()
            _set_alarm(_PATIENCE)

        try:
            with taken_by(end, *_ALARMS):
                try:
                    _write_frames(microphone, Decider(asked.head, extractor, asked.windows))
                finally:
                    if came:  # an alarm before it is somebody else's
                        _set_alarm(0)
        except Interrupted as error:
            came.append(error.number)
            drop_output()
        finally:
            try:
                microphone.close()
            finally:
                for line in str(microphone.summary()).splitlines():
                    tell(line)
    return 128 + came[-1] if came else 0


def _set_alarm(seconds: float) -> None:
    """Let this process receive SIGALRM after some seconds; 0 cancels it."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _write_frames(microphone: Microphone, decides: Decider) -> None:
    lines, silent = JsonLines(standard_output(), decides), sys.stdout.isatty()
    with status_line(microphone) as show:
        while True:
            frame = microphone.read(timeout=_REFRESH)
            if frame is not None:
                decides(frame) if silent else lines.write([frame])
            show(frame, decides.text())
            if frame is None and microphone.ended:
                return


@contextmanager
def _set_aside(path: str | None) -> Iterator[None]:
    """Move a recording that may be replaced out of the way; put it back if there is no new one in the end."""
    if path is None or not Path(path).is_file():
        yield
        return
    old = Draft(path)
    old.path.unlink()
    with writing(path):
        Path(path).rename(old.path)
    try:
        yield
    finally:
        with writing(path):
            if Path(path).exists():
                old.drop()
            else:
                old.keep()


def _open(asked: StreamRequest, extractor: Extractor) -> Microphone:
    from edgevoice.microphone.microphone import Microphone

    name = asked.mic or ""
    return Microphone(
        extractor,
        int(name) if name.isdecimal() and len(name) < 10 else name or None,
        rate=asked.rate,
        **asdict(asked.windows),
        seconds=asked.seconds,
        record=asked.record,
        reopen=asked.reopen,
    )


add = options.command("stream", StreamRequest, run, _EPILOG, model=None)

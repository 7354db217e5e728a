"""`edgevoice stream --mic`: frames of a microphone as JSON Lines, with a line of status on a terminal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from edgevoice.cli.console import StatusLine, drop_output, quiet_libraries, standard_output, tell
from edgevoice.cli.decide import Decider
from edgevoice.cli.signals import Interrupted, taken_by
from edgevoice.extractor import Extractor
from edgevoice.files import Draft, writing
from edgevoice.microphone.microphone import Microphone
from edgevoice.tables.jsonlines import JsonLines

if TYPE_CHECKING:
    from edgevoice.cli.stream import StreamRequest

_REFRESH = 0.25
_PATIENCE = 3.0
"""Seconds after a signal in which frames of audio that was captured before are written."""
_ALARMS = (signal.SIGALRM,) if hasattr(signal, "SIGALRM") else ()
"""Windows has no SIGALRM: there, a write that waits is interrupted by a second signal only."""


def run(asked: StreamRequest, extractor: Extractor) -> int:
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
    with StatusLine(microphone) as status:
        while True:
            frame = microphone.read(timeout=_REFRESH)
            if frame is not None:
                decides(frame) if silent else lines.write([frame])
            status.show(frame, decides.text())
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

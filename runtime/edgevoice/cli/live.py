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
from edgevoice.microphone.microphone import LiveFrame, Microphone
from edgevoice.tables.jsonlines import JsonLines

if TYPE_CHECKING:
    from edgevoice.cli.stream import StreamRequest

_REFRESH = 0.25
_PATIENCE = 1.0
"""How long a frame may wait for its reader after a signal, in seconds."""


def run(asked: StreamRequest, extractor: Extractor) -> int:
    """Stream a microphone until the seconds are over, it is lost, a signal comes or nobody reads any more.

    Frames go to standard output, unless that is a terminal, which shows the status only; the summary goes to standard error.
    """
    with quiet_libraries(), _set_aside(asked.record), _open(asked, extractor) as microphone:
        session = _Session(microphone, Decider(asked.head, extractor, asked.windows))
        try:
            with taken_by(session.end, *_ALARMS):
                session.stream()
        except Interrupted as error:
            session.signal = error.number
            drop_output()
        finally:
            try:
                microphone.close()
            finally:
                for line in str(microphone.summary()).splitlines():
                    tell(line)
    return 0 if session.signal is None else 128 + session.signal


_ALARMS = (signal.SIGALRM,) if hasattr(signal, "SIGALRM") else ()
"""Windows has no SIGALRM: there, a write that waits is interrupted by a second signal only."""


def _set_alarm(seconds: float) -> None:
    """Let this process receive SIGALRM after some seconds; 0 cancels it."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


class _Session:
    """Writes the frames of one microphone to standard output.

    The first signal stops the microphone; frames of audio that was captured before are still written. If nobody reads
    them, this would last for ever, so a write that still waits after a second is interrupted. A second signal interrupts
    at once.
    """

    def __init__(self, microphone: Microphone, decides: Decider) -> None:
        self._microphone, self._decides = microphone, decides
        self.signal: int | None = None
        """The signal that ended it."""
        self._writing = False
        self._lines = JsonLines(standard_output(), decides)

    def stream(self) -> None:
        """Write frames until the microphone has ended."""
        silent = sys.stdout.isatty()
        with StatusLine(self._microphone) as status:
            while True:
                frame = self._microphone.read(timeout=_REFRESH)
                if frame is not None:
                    self._decides(frame) if silent else self._write(frame)
                status.show(frame, self._decides.text())
                if frame is None and self._microphone.ended:
                    return

    def _write(self, frame: LiveFrame) -> None:
        self._writing = True
        try:
            if self.signal is not None:
                _set_alarm(_PATIENCE)
            self._lines.write([frame])
        finally:
            self._writing = False
            if self.signal is not None:  # an alarm before it is somebody else's
                _set_alarm(0)

    def end(self, number: int, frame: object) -> None:  # noqa: ARG002
        """Handle a signal, or the alarm that a waiting write has set."""
        if number in _ALARMS and self.signal is not None:
            if self._writing:
                raise Interrupted(self.signal)
            return
        again = self.signal is not None
        self.signal = number
        if again:
            raise Interrupted(number)
        self._microphone.stop()
        if self._writing:
            _set_alarm(_PATIENCE)


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

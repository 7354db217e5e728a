"""One live source of a hub."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgevoice.audio.rawpcm import PcmBytes
from edgevoice.audio.samples import check_samples
from edgevoice.errors import AudioFormatError, StreamError
from edgevoice.features import Frame
from edgevoice.hub.worker import News, Step, Workers
from edgevoice.stream import Stream
from edgevoice.wholenumbers import whole_number


class Source:
    """One live source of a hub. Made by `Hub.source`.

    Audio goes in by `push` and `skip`, frames come out by `async for`, the last one after `finish`. `async with source:`
    closes it at the end, even if a client vanishes. An error of a source is raised by the next call on that source.
    """

    def __init__(self, workers: Workers, stream: Stream, pcm: PcmBytes, channels: int, hop: float, backlog: float) -> None:
        self.stream = stream
        """The stream of the source, which belongs to the thread that computes."""
        self._workers, self._pcm = workers, pcm
        self._channels, self._hop, self._backlog = channels, hop, backlog
        self._frames: deque[Frame] = deque()
        self._heard = asyncio.Event()
        # Steps wait here until they complete a window, so that small chunks do not wake a thread.
        self._held: list[Step] = []
        self._pressing = False  # whether it cannot wait for a window
        self._pushed = self._taken = 0  # samples of the source, by the caller and by the stream
        self._due = stream.due  # samples that complete the next window
        self._asked = False  # whether a worker still has steps of this source
        self._finishing = False
        self._over: Exception | None = None
        self.ended = False
        """Whether the source has finished, failed or been closed."""

    @property
    def rate(self) -> int:
        """Sampling rate of the source, in hertz."""
        return self.stream.rate

    @property
    def behind(self) -> float:
        """The length of the audio that waits, in seconds: not computed yet, or in frames that were not read."""
        late = self._pushed - self._taken if self._asked or self._pushed >= self._due else 0
        return late / self.rate + len(self._frames) * self._hop

    def push(self, samples: NDArray[Any] | bytes | bytearray | memoryview) -> None:
        """Take the next samples, and return at once.

        Args:
            samples: an array as `Stream.push` takes it, or bytes, which may end within a sample.

        Raises:
            SamplesError: as `Stream.push`; nothing of it is taken, and the source goes on.
            StreamError: more than the hub's backlog would wait; nothing of it is taken, and the source goes on. Or after
                `finish`, or when the source or its hub has ended.
            AudioFormatError: the bytes begin like a file with a header; the source has ended.
        """
        self._check_open("push")
        if isinstance(samples, np.ndarray):
            self._check_room(len(samples))
        else:
            samples = bytes(samples)
            self._check_room((len(self._pcm.rest) + len(samples)) // self._pcm.size)
            try:
                samples = self._pcm.push(samples)
            except AudioFormatError as error:
                self.end(error)
                raise
        checked = check_samples(samples, self._channels).reshape(len(samples), self._channels)
        if not len(checked):
            return
        self._pushed += len(checked)
        # A caller may use its buffer again at once.
        self._held.append(Step("push", (checked.copy() if np.may_share_memory(checked, samples) else checked,)))
        self._hand_over()

    def skip(self, count: int) -> None:
        """Report that `count` samples of the source were lost, as `Stream.skip` does, and return at once.

        Raises:
            ArgumentError: a negative count.
            StreamError: as `push`.
        """
        self._check_open("skip")
        count = whole_number("skip", count, 0, unit="samples")
        self._pushed += count
        self._held.append(Step("skip", (count,)))
        self._hand_over(pressing=True)

    def finish(self) -> None:
        """Declare that no more audio comes: `async for` ends after the last frame.

        Raises:
            AudioFormatError: the bytes that were pushed ended within a sample; the source has ended.
            StreamError: as `push`.
        """
        self._check_open("finish")
        self._finishing = True
        if self._pcm.rest:
            try:
                self._pcm.finish()
            except AudioFormatError as error:
                self.end(error)
                raise
        self._held.append(Step("finish", ()))
        self._hand_over(pressing=True)

    def close(self) -> None:
        """Drop everything that waits: nothing more is computed, and `async for` ends. A second call does nothing."""
        self._frames.clear()
        self._held.clear()
        self.end(None)

    async def drain(self) -> None:
        """Wait until less than half of the backlog is used, for sources that can wait, such as files.

        Frames count until they are read, so another task must read them.

        Raises:
            Exception: what the source failed of.
        """
        while not self.ended and self.behind > self._backlog / 2:
            self._heard.clear()
            await self._heard.wait()
        if self._over:
            raise self._over

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        """The next frame.

        Raises:
            Exception: what the source failed of, once the frames before that were read.
            StopAsyncIteration: the source finished, or was closed.
        """
        while not self._frames:
            if self._over:
                raise self._over
            if self.ended:
                raise StopAsyncIteration
            self._heard.clear()
            await self._heard.wait()
        frame = self._frames.popleft()
        self._heard.set()  # `drain` may be waiting for it
        return frame

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def hear(self, news: News) -> None:
        """Accept the result of a round. A worker calls this."""
        if self.ended:
            return
        self._taken, self._due, self._asked = news.taken, news.due, False
        self._frames.extend(news.frames)
        self._heard.set()
        self._hand_over()
        if news.error or news.finished:
            self.end(news.error)

    def end(self, error: Exception | None) -> None:
        """Accept nothing more, and raise the error at the next call. The hub calls this."""
        if not self.ended:
            self.ended, self._over = True, error
            self._heard.set()

    def _hand_over(self, pressing: bool = False) -> None:
        """Pass the pending steps to the workers, if they complete a window or cannot wait."""
        self._pressing |= pressing
        if self._held and not self._asked and (self._pressing or self._pushed >= self._due):
            held, self._held = self._held, []
            self._asked, self._pressing = True, False
            self._workers.take(self, _joined(held))

    def _check_open(self, verb: str) -> None:
        if self._over:
            raise self._over
        if self.ended or self._finishing:
            raise StreamError(f"{verb} after {'finish' if self._finishing else 'close'}: the source has ended")

    def _check_room(self, count: int) -> None:
        if self.behind:
            behind = self.behind + count / self.rate
            if behind > self._backlog:
                raise StreamError(
                    f"{behind:.1f} s of audio would wait at this source, more than the backlog of {self._backlog:g} s: "
                    "read its frames, push less at a time (drain() waits), or report audio that is left out with skip()"
                )


def _joined(steps: Sequence[Step]) -> list[Step]:
    """The steps in order, with consecutive pushes joined: fewer and larger pushes cost less."""
    joined: list[Step] = []
    for verb, group in groupby(steps, key=lambda step: step.verb):
        given = [step.given for step in group]
        if verb == "push" and len(given) > 1:
            given = [(np.concatenate([samples for (samples,) in given]),)]
        joined += [Step(verb, arguments) for arguments in given]
    return joined

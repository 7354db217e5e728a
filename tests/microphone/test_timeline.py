"""Positions, losses and capture times from blocks, by a clock that the tests set; sums and percentiles of a summary."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.microphone.capture import AudioBlock
from edgevoice.microphone.summary import KEPT, Event, Tally
from edgevoice.microphone.timeline import Losses, Timeline

RATE, SIZE = 16000, 800
PERIOD = SIZE / RATE


def block(number: int, arrived: float, **changes: object) -> AudioBlock:
    given = {"captured": 0.0, "stream_time": 0.0, "overflow": False, "filled": False, "opening": 0, **changes}
    return AudioBlock(data=b"", length=SIZE, start=number * SIZE, arrived=arrived, **given)


def place(timeline: Timeline, blocks: Iterable[AudioBlock]) -> Losses:
    return Losses(*map(sum, zip(Losses(), *map(timeline.place, blocks), strict=True)))


def regular(first: int, count: int, late: float = 0.0, **changes: object) -> Iterable[AudioBlock]:
    """Blocks that arrive at their end, counted from 100 s, or later."""
    return (block(k, 100 + (k + 1) * PERIOD + late, **changes) for k in range(first, first + count))


def test_regular_blocks_lose_nothing_and_jitter_does_not_move_the_time_of_capture() -> None:
    timeline = Timeline(RATE)
    assert place(timeline, (block(k, 100 + (k + 1) * PERIOD + (k % 7) * 0.005) for k in range(100))) == Losses()
    assert timeline.position == 100 * SIZE
    assert timeline.captured(3.0) == pytest.approx(103.0, abs=1e-6)


def test_a_drifting_device_clock_is_followed_and_is_no_loss() -> None:
    timeline = Timeline(RATE)
    slow = 1 + 500e-6
    assert place(timeline, (block(k, 100 + (k + 1) * PERIOD * slow) for k in range(72_000))) == Losses()
    assert timeline.captured(3600) == pytest.approx(100 + 3600 * slow, abs=0.01)


def test_what_the_queue_dropped_is_lost_exactly() -> None:
    timeline = Timeline(RATE)
    place(timeline, regular(0, 5))
    assert place(timeline, regular(9, 5)) == Losses(queue=4 * SIZE)
    assert timeline.position == 14 * SIZE
    assert timeline.captured(0.7) == pytest.approx(100.7)


@pytest.mark.parametrize("first", [[], [(40, 105.0)]], ids=["once", "interrupted again"])
def test_a_burst_after_a_pause_is_no_loss(first: list[tuple[int, float]]) -> None:
    """A stopped process: eight seconds arrive at once."""
    timeline = Timeline(RATE)
    place(timeline, regular(0, 40))
    assert place(timeline, (block(k, arrived) for k, arrived in first)) == Losses()
    assert place(timeline, (block(k, 110 + k * 1e-4) for k in range(40 + len(first), 200))) == Losses()
    assert place(timeline, regular(200, 100)) == Losses()
    assert timeline.captured(11) == pytest.approx(111)


def test_samples_that_stay_behind_the_clock_for_a_second_are_lost() -> None:
    timeline = Timeline(RATE)
    place(timeline, regular(0, 20))
    assert place(timeline, regular(20, 20, late=0.09)) == Losses()
    assert place(timeline, regular(40, 19, late=0.9)) == Losses()
    lost = place(timeline, regular(59, 41, late=0.9))
    assert lost.total == lost.clock == pytest.approx(0.9 * RATE, abs=1)
    assert timeline.position == 100 * SIZE + lost.total
    assert timeline.captured(5.9) == pytest.approx(105.9)
    assert place(timeline, regular(100, 200, late=0.9)) == Losses()


def test_what_is_caught_up_in_part_is_lost_in_part() -> None:
    timeline = Timeline(RATE)
    place(timeline, regular(0, 40))
    place(timeline, (block(k, 104.0 + k * 1e-4) for k in range(40, 60)))
    lost = place(timeline, regular(60, 40, late=0.5))
    assert lost.total == pytest.approx(0.5 * RATE, abs=1)


def test_an_overflow_loses_what_portaudio_and_the_clock_agree_on() -> None:
    timeline = Timeline(RATE)
    place(timeline, regular(0, 40, captured=1.0))
    first = block(39, 102.0, captured=50.0, stream_time=50.0 + PERIOD)
    timeline.place(first._replace(start=40 * SIZE, arrived=100 + 41 * PERIOD))
    late = block(41, 100 + 42 * PERIOD + 0.2, captured=50.0 + PERIOD + 0.2, stream_time=0.0, overflow=True)
    lost = timeline.place(late)
    assert lost.total == lost.device == pytest.approx(0.2 * RATE, abs=1)


def test_a_wall_clock_that_jumps_in_an_overflow_loses_one_sample() -> None:
    """PortAudio's clock is the wall clock on some systems: set forward by an hour, it must not lose an hour."""
    timeline = Timeline(RATE)
    place(timeline, (entry._replace(captured=10 + k * PERIOD) for k, entry in enumerate(regular(0, 40))))
    assert timeline.place(block(40, 100 + 41 * PERIOD, captured=3612.0, stream_time=3612.0, overflow=True)) == Losses(
        device=1
    )


def test_an_overflow_without_portaudios_clock_loses_what_the_block_is_late_by() -> None:
    timeline = Timeline(RATE)
    place(timeline, regular(0, 40))
    lost = timeline.place(block(40, 100 + 41 * PERIOD + 0.06, overflow=True))
    assert lost.total == pytest.approx(0.06 * RATE, abs=1)


def test_the_time_without_the_device_is_lost() -> None:
    timeline = Timeline(RATE)
    place(timeline, regular(0, 40))
    again = [block(k, 107.0 + (k + 1) * PERIOD, opening=1) for k in range(40)]
    lost = place(timeline, again)
    assert lost.total == lost.reopening == pytest.approx(5.0 * RATE, abs=1)
    assert timeline.captured(9.0) == pytest.approx(109.0)


@pytest.mark.parametrize(("ages", "earlier"), [((0.030, 0.021, 0.020, 0.025), 0.020), ((-0.01,) * 4, 0)])
def test_samples_that_portaudio_calls_old_were_captured_earlier(ages: tuple[float, ...], earlier: float) -> None:
    """Those that it dates into the future were captured at their arrival."""
    timeline = Timeline(RATE)
    for k, entry in enumerate(regular(0, 4)):
        timeline.place(entry._replace(captured=50.0, stream_time=50.0 + PERIOD + ages[k]))
    assert timeline.captured(0.1) == pytest.approx(100.1 - earlier)


@given(st.tuples(*[st.integers(0, 50)] * 4), st.integers(0, 250))
def test_the_first_losses_are_those_that_came_first(counts: tuple[int, int, int, int], count: int) -> None:
    losses = Losses(*counts)
    first = losses.first(count)
    assert first.total == min(count, losses.total)
    in_order = "".join(name * number for name, number in zip("rqdc", counts, strict=True))
    assert in_order[:count] == "".join(
        name * number for name, number in zip("rqdc", (first.reopening, first.queue, first.device, first.clock), strict=True)
    )


def test_a_tally_looks_back() -> None:
    tally = Tally()
    for second in range(200):
        tally.add(second, Event(queue=second, samples=100, busy=0.5, frames=1, latency=0.001 * second))
    everything = tally.summary("m", 100, 1, 3)
    assert (everything.frames, everything.waiting) == (200, 3)
    assert everything.lost_queue == sum(range(200)) / 100
    recent = tally.summary("m", 100, 1, 3, since=190)
    assert recent.frames == 10
    assert recent.lost_queue == sum(range(190, 200)) / 100
    assert recent.seconds == 10 + recent.lost
    assert recent.latency is not None
    assert (recent.latency.p50, recent.latency.max) == pytest.approx((0.194, 0.199))
    assert everything.latency is not None
    assert everything.latency.p50 == pytest.approx(0.169)
    assert recent.load == pytest.approx(5 / recent.seconds)
    assert tally.summary("m", 100, 1, 0, since=0).frames == KEPT + 1, "older events are forgotten"

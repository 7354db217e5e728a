"""Calls are timed in alternation, and summed up as their names say."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from edgevoice.bench.timing import Call, Timing, time_calls


def test_calls_alternate_and_each_round_begins_with_another() -> None:
    log: list[str] = []
    calls = [Call(name, lambda name=name: log.append(name)) for name in "abc"]
    timings = time_calls(calls, rounds=3, warm_up=0)
    assert "".join(log) == "abcbcacab"
    assert {name: len(timing.seconds) for name, timing in timings.items()} == {"a": 3, "b": 3, "c": 3}


def test_only_the_run_is_timed_and_shared_by_its_windows() -> None:
    clock = [0.0]

    def spend(seconds: float) -> None:
        clock[0] += seconds

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgevoice.bench.timing.time.perf_counter", lambda: clock[0])
        timings = time_calls([Call("call", lambda: spend(8), lambda: spend(100), windows=4)], rounds=5, warm_up=2)
    assert timings["call"].seconds.tolist() == [2] * 5


def test_progress_counts_rounds_and_the_collector_rests() -> None:
    seen: list[bool] = []
    counted: list[int] = []
    time_calls([Call("call", lambda: seen.append(gc.isenabled()))], rounds=4, warm_up=3, progress=counted.append)
    assert len(seen) == 7
    assert not any(seen)
    assert counted == [1] * 4
    assert gc.isenabled()


@pytest.mark.parametrize(("runs", "names"), [(49, ""), (50, "p90"), (500, "p90 p99"), (5000, "p90 p99 p99.9")])
def test_a_summary_has_the_percentiles_that_its_runs_carry(runs: int, names: str) -> None:
    timing = Timing(np.linspace(0, 1, runs))
    summary = timing.summary()
    assert list(summary) == ["p50", *names.split(), "max"]
    assert {name: value for name, value in summary.items() if name != "max"} == pytest.approx(
        {name: 10 * float(name[1:]) for name in summary if name != "max"}
    )
    assert (summary["max"], timing.median) == pytest.approx((1000, 0.5))

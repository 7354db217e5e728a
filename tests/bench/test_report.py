"""A whole benchmark, its JSON, its picture, its comparison."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edgevoice
from edgevoice import ArgumentError
from edgevoice.bench.benchmark import run_benchmark
from edgevoice.bench.figure import draw_report
from edgevoice.bench.report import Comparison, Report
from edgevoice.bench.timing import Timing


@pytest.fixture(scope="module")
def progress() -> list[tuple[str, int]]:
    return []


@pytest.fixture(scope="module")
def report(tiny: edgevoice.Extractor, progress: list[tuple[str, int]]) -> Report:
    return run_benchmark(tiny, rounds=5, starts=1, progress=lambda what, percent: progress.append((what, percent)))


def slowed(report: Report, name: str, factor: float) -> Report:
    timings = dict(report.timings)
    timings[name] = Timing(timings[name].seconds * factor)
    return dataclasses.replace(report, timings=timings)


def steady(report: Report) -> Report:
    """The same with times that do not scatter."""
    return dataclasses.replace(
        report, timings={name: Timing(np.full(9, timing.median)) for name, timing in report.timings.items()}
    )


def test_has_all_stages_and_ratios(report: Report, progress: list[tuple[str, int]]) -> None:
    assert list(report.timings) == [
        "fft",
        "front end",
        "encoder",
        "decoder",
        "encode()",
        "describe()",
        "push with a frame",
        "live, all pushes of a hop",
        "describe() of 8",
        "describe() of 64",
        "extract()",
    ]
    assert set(report.ratios) == {"front end / fft", "encode() / encoder", "first frame / imports"}
    assert all(ratio > 0 for ratio in report.ratios.values())
    assert report.hop == 0.25
    assert report.real_time_factor == pytest.approx(report.timings["extract()"].median / 0.25)
    assert 95 <= sum(percent for _, percent in progress) <= 100


def test_json_holds_everything(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report.to_dict()))
    again = Report.read(path)
    assert again.to_dict().keys() == report.to_dict().keys()
    for name, timing in report.timings.items():
        np.testing.assert_allclose(again.timings[name].seconds, timing.seconds, atol=1e-7)
    assert again.table().splitlines()[0] == report.table().splitlines()[0] == "tiny 1.0.0 on cpu, 1 thread"
    assert "NaN" not in path.read_text()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": 2}', '{"format": 2, "time": 3}'])
def test_other_json_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ArgumentError, match=r"other\.json"):
        Report.read(path)
    with pytest.raises(ArgumentError, match="cannot be read"):
        Report.read(tmp_path / "missing.json")


def test_comparison_tells_what_got_slower(report: Report) -> None:
    old = steady(report)
    new = slowed(slowed(old, "encoder", 1.2), "decoder", 0.5)
    comparison = Comparison(old, slowed(new, "fft", 1.02))
    assert comparison.slower == ["encoder"]
    assert comparison.faster == ["decoder"]
    assert comparison.ratios["fft"] == pytest.approx(1.02)
    assert [line.split()[0] for line in comparison.table().splitlines() if line.endswith("slower")] == ["encoder"]


def test_comparison_does_not_take_chance_for_change(report: Report) -> None:
    scattered = Timing(np.linspace(1, 100, 20) * 1e-3)
    old, new = (
        dataclasses.replace(report, timings={"fft": timing}) for timing in (scattered, Timing(scattered.seconds * 1.1))
    )
    assert Comparison(old, new).slower == []


def test_comparison_says_what_differs(report: Report) -> None:
    other = dataclasses.replace(report, threads=2, machine=dataclasses.replace(report.machine, processor="another"))
    told = Comparison(other, report).table()
    assert "not the same processor: another" in told
    assert "not the same device: cpu, 2; cpu, 1" in told


def test_figure(report: Report) -> None:
    histogram, bars = draw_report(report).axes
    assert "up to p99" in histogram.get_title()
    assert "fft" in [label.get_text() for label in bars.get_yticklabels()]


def test_model_whose_level_needs_the_whole_source(make_model: Callable[..., Path]) -> None:
    model = make_model(level={"default": "utterance"})
    report = run_benchmark(edgevoice.load(model, descriptors="bottleneck"), rounds=2, starts=1)
    assert report.check.live
    assert "decoder" not in report.timings

"""A whole benchmark, its JSON, its picture, its comparison."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import edgevoice
from edgevoice import ArgumentError, Extractor, ProviderError
from edgevoice.bench.benchmark import check_numbers, run_benchmark
from edgevoice.bench.report import Report, compared, draw_report, verdicts
from edgevoice.bench.timing import Timing


@pytest.fixture(scope="module")
def progress() -> list[float]:
    return []


@pytest.fixture(scope="module")
def report(tiny: edgevoice.Extractor, progress: list[float]) -> Report:
    return run_benchmark(tiny, rounds=5, progress=lambda _, percent: progress.append(percent))


@pytest.fixture
def quiet(report: Report) -> Report:
    """The same on a machine at rest, with times that do not scatter."""
    timings = {name: Timing(np.full(500, timing.median)) for name, timing in report.stages.items()}
    machine = dataclasses.replace(report.machine, load=0.1, cores=4)
    return dataclasses.replace(report, stages=timings, machine=machine, load_after=1.0)


def timed(report: Report, **factors: float) -> Report:
    timings = {name: Timing(timing.seconds * factors.get(name, 1.0)) for name, timing in report.stages.items()}
    return dataclasses.replace(report, stages=timings)


def test_has_all_stages(report: Report, progress: list[float]) -> None:
    single = ["fft", "front end", "encoder", "decoder", "encode()", "describe()", "push with a frame"]
    assert list(report.stages) == [*single, "live, all pushes of a hop", "describe() of 8", "describe() of 64", "extract()"]
    assert report.ratios.keys() == {"front end / fft", "encode() / encoder"}
    assert report.real_time_factor == pytest.approx(report.stages["extract()"].median / 0.25)
    assert sum(progress) == pytest.approx(100)


def test_the_json_says_its_schema_and_units_and_can_be_compared(report: Report, tmp_path: Path) -> None:
    data = report.to_dict()
    assert data["schema"] == "edgevoice.bench/3"
    assert data["stages"]["fft"].keys() == {"p50_ms", "max_ms", "times_us"}
    (path := tmp_path / "report.json").write_text(json.dumps(data, allow_nan=False))
    again = Report.read(path)
    assert (again.title, again.machine, again.disturbed) == (report.title, report.machine, report.disturbed)
    for name, timing in report.stages.items():
        np.testing.assert_allclose(again.stages[name].seconds, timing.seconds, atol=1e-7)


@pytest.mark.parametrize(
    "change",
    [
        "[" * 100_000,
        "",
        "[]",
        {"schema": "edgevoice.bench/2"},
        {"stages": {}},
        {"stages": {"fft": {"times_us": [0]}}},
        {"machine": {"cores": 2}},
        {"load_after": "high"},
        {"threads": None},
    ],
)
def test_other_json_is_refused(report: Report, tmp_path: Path, change: Any) -> None:
    path = tmp_path / "other.json"
    path.write_text(change if isinstance(change, str) else json.dumps(report.to_dict() | change))
    with pytest.raises(ArgumentError, match=r"other\.json"):
        Report.read(path)


def test_it_knows_when_it_is_disturbed(quiet: Report) -> None:
    unknown = dataclasses.replace(quiet, machine=dataclasses.replace(quiet.machine, load=None), load_after=None)
    assert quiet.disturbed == unknown.disturbed == []
    assert "DISTURBED" not in quiet.table()
    assert len(draw_report(quiet).texts) == 1
    before = dataclasses.replace(quiet, machine=dataclasses.replace(quiet.machine, load=2.1))
    after = dataclasses.replace(quiet, load_after=3.1)
    often, rarely = (np.array([1.0] * (500 - count) + [4.0] * count) for count in (60, 6))
    for report, reason in (
        (before, "the load before it was 2.1 on 4 cores"),
        (after, "the load after it was 3.1 on 4 cores"),
        *(
            (dataclasses.replace(quiet, stages=quiet.stages | {"fft": Timing(t)}), "of the bare FFT")
            for t in (often, rarely)
        ),
    ):
        assert reason in report.disturbed[0]
        assert report.to_dict()["disturbed"] == report.disturbed
        assert f"DISTURBED: {report.disturbed[0]}" in report.table()
        assert draw_report(report).texts[-1].get_text() == "disturbed"
        slower = timed(quiet, encoder=2)
        assert verdicts(quiet, slower) == {**dict.fromkeys(quiet.stages, ""), "encoder": "slower"}
        for pair in ((report, slower), (slower, report)):
            assert not any(verdicts(*pair).values())
            assert "no verdict" in compared(*pair)


def test_a_comparison_tells_what_changed_by_more_than_chance(quiet: Report) -> None:
    other = timed(quiet, encoder=1.2, decoder=0.5, fft=1.02)
    assert verdicts(quiet, other) == {**dict.fromkeys(quiet.stages, ""), "encoder": "slower", "decoder": "faster"}
    scattered = np.linspace(1, 100, 20) * 1e-3
    old, new = (
        dataclasses.replace(quiet, stages=quiet.stages | {"encoder": Timing(times)})
        for times in (scattered, 1.1 * scattered)
    )
    assert not any(verdicts(old, new).values())
    assert "encoder" in compared(quiet, other)
    assert "not the same measurement" in compared(dataclasses.replace(quiet, threads=2), quiet)


def test_the_picture_has_the_hop_as_its_budget(quiet: Report) -> None:
    curves, bars = draw_report(dataclasses.replace(quiet, hop_s=0.05)).axes
    assert "budget: a hop of 50 ms" in [text.get_text() for text in curves.get_legend().get_texts()]
    assert "fft" in [label.get_text() for label in bars.get_yticklabels()]


def test_a_model_whose_level_needs_the_whole_source(make_model: Callable[..., Path]) -> None:
    extractor = edgevoice.load(make_model(level={"default": "utterance"}), descriptors="bottleneck")
    report = run_benchmark(extractor, rounds=2, hop=0.1)
    assert (report.check and report.check.live, report.hop_s, "decoder" in report.stages) == (True, 0.1, False)


@pytest.mark.parametrize("wrong", ["stream", "device"])
def test_wrong_numbers_are_not_timed(
    tiny: Extractor, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    if wrong == "stream":
        right = Extractor.stream
        monkeypatch.setattr(Extractor, "stream", lambda self, **_: right(self, level=0.5))
    else:
        monkeypatch.setattr(Extractor, "device", "cuda")
        other = SimpleNamespace(describe=lambda windows: tiny.describe(windows) * np.float32(1.001))
        monkeypatch.setattr("edgevoice.bench.benchmark.load_model", lambda *_, **__: other)
    with pytest.raises(ProviderError):
        check_numbers(tiny, noise, "running")

"""The comparison with other programs runs, and the README's section is made from what it found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.peers import PeerProcess, installed_size
from benchmarks.speed_table import corpus_section, hub_section, marks, placed, sections, speed_section


def test_a_peer_answers_with_its_seconds(tiny_model: Path, speech: Path, tmp_path: Path) -> None:
    options, output = tmp_path / "options.json", tmp_path / "values.npy"
    options.write_text(json.dumps({"cae-256": str(tiny_model), "output": str(output)}))
    peer = PeerProcess("edgevoice", speech, options, one_thread=True)
    assert peer.facts["shape"] == [31, 136]
    assert peer.facts["resident"] > 1e6
    assert np.load(output).shape == (31, 136)
    seconds = [peer.run() for _ in range(3)]
    peer.close()
    assert min(seconds) > 0


def test_installed_size_counts_what_is_required_once() -> None:
    numpy, soundfile = installed_size(("numpy",)), installed_size(("soundfile",))
    assert numpy > 1e6
    assert soundfile > numpy
    assert installed_size(("soundfile", "numpy", "SoundFile")) == soundfile
    assert installed_size(("not installed",)) == 0


@pytest.fixture
def peers() -> dict[str, Any]:
    peer = {"title": "EdgeVoice", "milliseconds": 2.5, "real_time_factor": 0.01, "start": 0.3, "resident": 9e7}
    return {
        "machine": {
            "processor": "CPU",
            "cores": 2,
            "python": "3.11",
            "real_time": True,
            "packages": {"onnxruntime": "1", "torch": "2"},
        },
        "audio": {"seconds": 8.1, "windows": 31},
        "installed": {"edgevoice": 150e6},
        "peers": {"one thread": {"edgevoice": peer}, "default": {"edgevoice": peer | {"milliseconds": 2.0}}},
    }


BENCH = {
    "stages": {name: {"p50_ms": 1.5} for name in ("front end", "encoder", "encode()", "push with a frame")},
    "ratios": {"front end / fft": 2.0, "encode() / encoder": 1.3},
    "live_streams": {"count": 150, "threads": 2, "p50_ms": 4.0, "p99_ms": 31.0},
}
"""As much of a report as the section needs."""


def test_speed_section(peers: dict[str, Any]) -> None:
    section = speed_section(peers, BENCH)
    assert "| EdgeVoice | 2.50 | 2.00 | 0.0100 | 0.30 | 90 | 150 |" in section
    assert "150 live streams on 2 threads" in " ".join(section.split())


def test_corpus_section(peers: dict[str, Any]) -> None:
    found = {
        "machine": peers["machine"],
        "files": 100,
        "seconds of audio": 400.0,
        "turns": 3,
        "seconds": {"EdgeVoice": 5.0, "openSMILE": 12.5},
        "reading": 2.0,
        "nothing to do": 0.5,
        "few": {"files": 10, "seconds": {"EdgeVoice": 1.0, "DisVoice": 30.0}},
    }
    section = corpus_section(found)
    assert "| openSMILE | 100 | 12.5 | 2.5 |" in section
    assert "| DisVoice | 10 | 30.0 | 30.0 |" in section
    assert "resampling are 20 % of" in " ".join(section.split())


def test_hub_section(peers: dict[str, Any]) -> None:
    one = {"frames": 10, "expected": 10, "delay_ms": {"p50": 12.4, "p99": 50.0, "max": 60.0}, "cpu": 0.5}
    run = {"clients": 25, "spread": one, "at once": one, "a stream per client": {**one, "cpu": 1.0}}
    found = {"machine": peers["machine"], "model": "cae-256", "turns": 3, "seconds": 12.0, "runs": [run]}
    section = hub_section(found)
    assert "| 25 | `Hub`, clients begin spread | 12 | 50 | 0.50 |" in section
    assert "| 25 | a stream per client | 12 | 50 | 1.00 |" in section
    run["spread"] = {**one, "frames": 9}
    with pytest.raises(SystemExit):
        hub_section(found)


def test_a_section_is_put_between_its_comments() -> None:
    begin, end = marks("speed")
    for before in ("", "older\n\nsection\n"):
        assert placed(f"above\n{begin}\n{before}{end}\nbelow\n", "speed", "new") == f"above\n{begin}\nnew\n{end}\nbelow\n"
    with pytest.raises(SystemExit):
        placed("no comments", "speed", "new")


def test_the_page_has_the_sections_of_the_results(root: Path) -> None:
    text = (root / "docs" / "performance.md").read_text(encoding="utf-8")
    for name, section in sections().items():
        assert placed(text, name, section) == text, f"python -m benchmarks.speed_table docs/performance.md, for {name}"

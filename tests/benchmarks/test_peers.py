"""The comparison with other programs runs, and the README's section is made from what it found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import PeerProcess, installed_size
from benchmarks.speed_table import marks, placed, sections


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

"""The commands: fit, decide, and stream with a head."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile

import edgevoice
from edgevoice import Extractor, Head
from edgevoice.cli import main
from edgevoice.cli.decide import Decider
from edgevoice.cli.options import WindowOptions
from edgevoice.heads.fitting import draw_confusion
from edgevoice.plotting.figurefile import write_figure
from heads.conftest import RATE, voice

DEFAULTS = WindowOptions(None, None, None)


@pytest.fixture
def place(tmp_path: Path, head: Head, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a recording and a head."""
    (tmp_path / "head.onnx").write_bytes(head.data)
    soundfile.write(tmp_path / "low.wav", voice(95, 3), RATE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_fit(place: Path, labels: Path, kept: Path, tiny_model: Path, capsys: Any) -> None:
    words = ["fit", str(labels), "--label", "voice", "--group", "speaker", "--model", str(tiny_model)]
    words += ["--features", str(kept), "-o", "new.onnx"]
    assert main([*words, "--plot", "new.png"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("voice, where the speaker is one that it has not heard: right for 100 %")
    assert edgevoice.load_head("new.onnx").labels == ("high", "low")
    assert (place / "new.png").read_bytes()[:4] == b"\x89PNG"
    assert main(words) == 2  # it is there
    assert main([*words, "--force", "--numeric"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.skipif(os.name != "posix", reason="names that are not UTF-8")
@pytest.mark.parametrize("command", ["fit", "compare"])
def test_what_is_not_utf8_is_learnt_and_drawn(place: Path, tiny: Extractor, tiny_model: Path, command: str) -> None:
    """As a table of an older spreadsheet has it; `$` and a backslash are no formula."""
    rows = [b"file,gr\xf6\xdfe,speaker"]
    for speaker in range(4):
        for k, label in enumerate((b"h\xfcgel$x\\foo$", "漢字".encode())):
            name = b"\xe4%d%d.wav" % (speaker, k)
            soundfile.write(name, voice(95 + 100 * k, 10 * speaker + k, 3), RATE, format="WAV")
            rows.append(b"%s,%s,s%d" % (name, label, speaker))
    (place / "labels.csv").write_bytes(b"\n".join(rows))
    words = [command, "labels.csv", "--label", os.fsdecode(b"gr\xf6\xdfe"), "--group", "speaker"]
    if command == "fit":
        words += ["--model", str(tiny_model), "--features", "kept.parquet/", "-o", "new.onnx", "--plot", "new.png"]
    else:
        words += ["--models", str(tiny_model), "--opensmile", "-o", "new.html"]
    assert main(words) == 0
    table = edgevoice.table("labels.csv", tiny, static=True)
    assert (len(table), table.index[0][0], table.iloc[0][r"gr\xf6\xdfe"]) == (8, r"\xe400.wav", r"h\xfcgel$x\foo$")


def test_a_head_that_has_appeared_meanwhile_stays(
    place: Path, labels: Path, head: Head, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(**_: object) -> Head:
        (place / "new.onnx").write_text("another")
        return head

    monkeypatch.setattr("edgevoice.cli.fit.fit", fit)
    words = ["fit", str(labels), "--label", "voice", "--group", "speaker", "--model", str(tiny_model), "-o", "new.onnx"]
    assert main(words) == 1
    assert (place / "new.onnx").read_text() == "another"


def test_decide(place: Path, head: Head, tiny: Extractor, tiny_model: Path, capsys: Any) -> None:
    (place / "broken.wav").write_bytes(b"RIFF")
    words = ["decide", ".", "--head", "head.onnx", "--model", str(tiny_model)]
    assert main(words) == 1
    printed = capsys.readouterr()
    assert "broken.wav" in printed.err
    rows = list(csv.DictReader(printed.out.splitlines()))
    expected = head.decide(tiny.extract("low.wav"))
    assert list(rows[0]) == ["file", "start", "end", "label", "probability_high", "probability_low"]
    assert [(row["file"], row["label"], float(row["probability_low"])) for row in rows] == [
        ("low.wav", "low", one.probabilities["low"]) for one in expected
    ]
    assert main([*words, "-o", "said.csv"]) == 1
    assert (place / "said.csv").read_text() == printed.out
    assert main([*words, "-o", "said.csv"]) == 2
    assert main([*words, "-o", "said.parquet"]) == 2
    (place / "index.csv").write_text("file,start\nlow.wav,1\n")
    assert main(["decide", "--index", "index.csv", *words[2:]]) == 0
    said = head.decide(tiny.extract("low.wav", start=1.0))
    assert capsys.readouterr().out.count("\n") == 1 + len(said) < 1 + len(expected)
    assert main(["decide", "low.wav", "--head", "head.onnx", "--model", "cae-64"]) == 2
    assert main(["decide", "low.wav", "--head", "low.wav"]) == 2
    assert main(["decide", "low.wav", "--head", "head.onnx"]) == 2
    assert "head.onnx: was fitted with tiny" in capsys.readouterr().err
    soundfile.write("short.wav", voice(95, 3, 1), RATE)
    assert main(["decide", "short.wav", *words[2:]]) == 0
    assert "short.wav" in capsys.readouterr().err


@pytest.mark.parametrize("label", ["$\\frac$", "m\udce4nnlich", "\x1b[1m"])
def test_labels_of_any_letters_are_drawn(label: str, head: Head) -> None:
    pytest.importorskip("matplotlib", reason="the plot extra is not installed")
    other = pickle.loads(pickle.dumps(head))
    other.labels, other.about["column"] = (label, "high"), label
    write_figure(draw_confusion(other), file := io.BytesIO(), "png")
    assert file.getvalue()[:4] == b"\x89PNG"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_said_in_one_line(place: Path, tiny_model: Path) -> None:
    command = [sys.executable, "-m", "edgevoice.cli", "decide", "low.wav", "--head", "head.onnx", "--model", str(tiny_model)]
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(command, cwd=place, stdout=full, stderr=subprocess.PIPE, check=False)
    assert result.stderr == b"edgevoice: standard output: cannot be written (No space left on device)\n"


def test_stream(
    place: Path, head: Head, tiny: Extractor, tiny_model: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["stream", "low.wav", "--head", "head.onnx", "--model", str(tiny_model)]
    assert main(words) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    said = [line["decision"] for line in lines]
    assert said[:6] == [None] * 6
    assert [one for one in said if one] == [one.to_dict() for one in head.decide(tiny.extract("low.wav"))]
    assert main(words[:2]) == 0
    assert "decision" not in json.loads(capsys.readouterr().out.splitlines()[0])
    monkeypatch.setenv("EDGEVOICE_MODELS", str(tiny_model.parent))
    assert main(words[:4]) == 0  # the head's own model
    assert [json.loads(line)["decision"] for line in capsys.readouterr().out.splitlines()] == said
    assert main([*words, "--level", "window"]) == 2
    assert "--level running" in capsys.readouterr().err


def test_running_a_head_needs_onnx_runtime_only(place: Path, tiny_model: Path) -> None:
    code = f"""
import sys
sys.modules.update(dict.fromkeys(["sklearn", "scipy", "onnx", "pyarrow", "pandas"]))
import edgevoice
extractor = edgevoice.load({str(tiny_model)!r})
head = edgevoice.load_head("head.onnx")
print(head.decide(extractor.extract("low.wav"))[0].label)
try:
    edgevoice.fit("labels.csv", label="voice", group="speaker")
except edgevoice.MissingPackageError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=place)
    assert result.stdout.splitlines()[0] == "low", result.stderr
    assert "scikit-learn" in result.stdout


def test_the_line_of_status_says_the_decision(place: Path, tiny: Extractor) -> None:
    decides = Decider("head.onnx", tiny, DEFAULTS)
    assert decides.text() == "listening  "
    for frame in tiny.stream().push(voice(95, 3)):
        decides(frame)
    assert re.fullmatch(r"low \d+ %  ", decides.text())
    without = Decider(None, tiny, DEFAULTS)
    assert (without(tiny.extract((voice(95, 3), RATE))[0]), without.text()) == ({}, "")

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgevoice
from edgevoice.inference import FRONT_END
from edgevoice.modelfolder import ModelFolder, shipped_models
from edgevoice_export.cli import COMMANDS, main
from edgevoice_export.cli.train import Job
from edgevoice_export.training.loop import BEST, CHECKPOINT
from edgevoice_export.training.runs import Checkpoint

TINY = ["--arch=cae", "--units=64", "--batch=4", "--validation=0.34", "--validation-windows=6", "--threads=1"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("EDGEVOICE_MODELS", "")


def test_trains_exports_and_verifies(audio_folder: Path, speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "my-cae"
    words = ["train", *TINY, "--epochs", "1", "--epoch-windows", "8", "--data", str(audio_folder), "--out", str(out)]
    assert main(words) == 0
    stated = capsys.readouterr()
    assert "largest" in stated.out
    assert "6 utterances of 3 speakers" in stated.err
    assert "epoch 1/1" in stated.err
    assert {"README.md", "model.json"} <= {path.name for path in out.iterdir()}
    assert (tmp_path / "my-cae.training" / "history.csv").is_file()
    assert main(["verify", str(out), "--windows", "8"]) == 0
    assert "passed" in capsys.readouterr().out
    best = ["--checkpoint", str(tmp_path / "my-cae.training" / BEST), "--audio", str(speech)]
    assert main(["verify", str(out), "--windows", "7", *best]) == 0
    capsys.readouterr()
    assert main(["verify", str(out), "--windows", "8", "--tolerance", "1e-12"]) == 1
    assert "FAILED" in capsys.readouterr().out
    assert main(words) == 2
    assert "--resume" in capsys.readouterr().err


def test_exports_a_checkpoint(trained: Path, audio_folder: Path, tmp_path: Path):
    notes = tmp_path / "notes.md"
    notes.write_text("## Limits\n\nBuzzes alone.\n")
    out = tmp_path / "cae-64"
    words = ["export", str(trained / BEST), "--data", str(audio_folder), "--out", str(out), "--notes", str(notes)]
    assert main([*words, "--data-licence", "CC0", "--model-version", "2.0.0"]) == 0
    card = (out / "README.md").read_text()
    assert "Buzzes alone." in card
    assert "CC0" in card
    assert ModelFolder.open(out).config.version == "2.0.0"


@pytest.fixture
def adapting(exported: ModelFolder, audio_folder: Path, tmp_path: Path) -> list[str]:
    """A command that goes on with a model; a rate is still to be said."""
    options = ["--epochs", "1", "--epoch-windows", "16", "--batch", "4", "--validation", "0.34", "--threads", "1"]
    place = ["--data", str(audio_folder), "--out", str(tmp_path / "adapted")]
    return ["train", "--init", str(exported.path), "--fixed-norms", "1", *options, *place]


def test_a_model_that_got_worse_is_not_exported(
    adapting: list[str], exported: ModelFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([*adapting, "--rate", "0.3"]) == 1
    assert "no epoch was better than" in capsys.readouterr().err
    assert not (tmp_path / "adapted").exists()
    kept = Checkpoint.read(tmp_path / "adapted.training" / BEST)
    assert [epoch.epoch for epoch in kept.history] == [0]
    assert [epoch.epoch for epoch in Checkpoint.read(tmp_path / "adapted.training" / CHECKPOINT).history] == [0, 1]
    header, first, second = csv.reader((tmp_path / "adapted.training" / "history.csv").read_text().splitlines())
    assert [(row[0], row[header.index("training")] == "") for row in (first, second)] == [("0", True), ("1", False)]
    assert main([*adapting, "--rate", "0.3", "--resume", "--keep"]) == 0
    before, after = (edgevoice.load(folder) for folder in (exported.path, tmp_path / "adapted"))
    windows = np.random.default_rng(0).uniform(-1, 1, (5, 8000)).astype(np.float32)
    np.testing.assert_allclose(after.describe(windows), before.describe(windows), rtol=1e-3, atol=1e-3)
    card = (tmp_path / "adapted" / "README.md").read_text()
    assert "Epoch 0 is the model that it began with." in card
    assert "## Drift" in card


def test_a_model_is_adapted_at_a_low_rate(adapting: list[str], monkeypatch: pytest.MonkeyPatch):
    jobs: list[Job] = []
    monkeypatch.setattr(Job, "run", lambda job, *_, **__: jobs.append(job) or 0)
    assert main(adapting) == 0
    assert jobs[0].settings.rate == 5e-5
    assert {"--rate", "5e-05"} <= set(jobs[0].settings.options())


def test_drift_is_in_the_spread_of_the_first_model(
    exported: ModelFolder, audio_folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(audio_folder, tmp_path / "audio")
    (tmp_path / "audio" / "cut.wav").write_bytes(b"RIFF")
    assert main(["drift", str(exported.path), str(exported.path), "--data", str(tmp_path / "audio")]) == 0
    out, stated = capsys.readouterr()
    assert "cut.wav" in stated
    assert "no difference" in out.splitlines()[-1]
    assert out.startswith("6 recordings, ")
    assert [line.split("|")[2].strip() for line in out.splitlines() if line.startswith("| bottleneck")] == ["0.000"]
    assert main(["drift", str(exported.path), str(tiny_model), "--data", str(audio_folder)]) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as raised:
        main([command, "--help"])
    assert raised.value.code == 0
    assert COMMANDS[command][1:] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["train", *TINY, "--data", "/none", "--out", "OUT"], 1),
        (["train", "--arch", "cae", "--units", "65", "--data", "AUDIO", "--out", "OUT"], 2),
        (["train", *TINY, "--data", "AUDIO", "--out", "OUT", "--resume"], 2),
        (["train", *TINY, "--data", "AUDIO", "--out", "OUT", "--init", "none"], 2),
        (["train", "--init", "MODEL", "--units", "128", "--data", "AUDIO", "--out", "OUT"], 2),
        (["train", "--units", "64", "--data", "AUDIO", "--out", "OUT"], 2),
        (["train", *TINY, "--data", "AUDIO", "--out", "AUDIO"], 1),
        (["train", *TINY, "--data", "AUDIO", "--out", "OUT", "--notes", "none.md"], 2),
        (["train", *TINY, "--data", "AUDIO", "--out", "OUT", "--notes", "MODEL/encoder.onnx"], 2),
        (["train", *TINY[:2], "--data", "AUDIO", "--out", "OUT", "--validation", "2"], 2),
        (["train", *TINY, "--data", "AUDIO", "--out", "OUT", "--name", "my model"], 2),
        (["train", "--arch", "rae", "--units", "64", "--data", "AUDIO", "--out", "OUT", "--fixed-norms", "0.5"], 2),
        (["export", "none.pt", "--data", "AUDIO", "--out", "OUT"], 2),
        (["verify", "none"], 2),
        (["verify", "MODEL", "--windows", "6"], 2),
        (["train", *TINY, "--data", "AUDIO", "--out", "."], 1),
        (["train", *TINY, "--data", "AUDIO", "--out", "OUT", "--seed", str(1 << 64)], 2),
        (["train", *TINY, "--data", "AUDIO", "--out", "OUT", "--contrast", "1", "--batch", "3"], 2),
        (["train", *TINY, "--data", "AUDIO", "--out", "OUT", "--threads", "100000"], 2),
        (["import-disvoice", "none.whl"], 2),
        (["import-disvoice", "AUDIO"], 2),
    ],
)
def test_errors_are_one_line(
    words: list[str], code: int, audio_folder: Path, exported: ModelFolder, tmp_path: Path, capsys: Any, monkeypatch: Any
):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    places = {"AUDIO": audio_folder, "OUT": tmp_path / "out", "MODEL": exported.path}
    for name, path in places.items():
        words = [word.replace(name, str(path)) for word in words]
    assert main(words) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if "utterances of" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("edgevoice-export: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "file"), [(name, "encoder.onnx") for name in ("verify", "live", "pcm", "compact")] + [("verify", FRONT_END)]
)
def test_a_graph_that_is_another(command: str, file: str, exported: ModelFolder, tmp_path: Path, capsys: Any):
    folder = shutil.copytree(exported.path, tmp_path / "model")
    shutil.copy(shipped_models() / "light-256" / file, folder)  # of the same inputs and outputs, if it is the front end
    facts = json.loads((folder / "model.json").read_text())
    facts["files"][file] = f"sha256:{hashlib.sha256((folder / file).read_bytes()).hexdigest()}"
    (folder / "model.json").write_text(json.dumps(facts))
    made = ["--out" if command == "compact" else "-o", str(tmp_path / "made")] if command != "verify" else []
    assert main([command, str(folder), *made]) in (1, 2)
    assert file in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_interrupted_run_leaves_a_checkpoint(audio_folder: Path, tmp_path: Path):
    words = ["train", *TINY, "--epochs", "1000", "--epoch-windows", "4", "--data", audio_folder, "--out", tmp_path / "m"]
    command = [sys.executable, "-m", "edgevoice_export.cli", *map(str, words)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    checkpoint = tmp_path / "m.training" / CHECKPOINT
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, stated = process.communicate()
    assert process.returncode == 143, stated
    assert "with --resume" in stated
    assert "Traceback" not in stated
    assert checkpoint.exists()
    assert not (tmp_path / "m").exists()

"""The README is true: its commands and snippets run, and print what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edgevoice.modelfolder import list_models
from pages import Snippet, furnish, is_installation, run_page, snippets_of


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def snippets(readme: str) -> list[Snippet]:
    return snippets_of(readme)


def test_the_two_commands_are_those_that_the_checks_run(root: Path, snippets: list[Snippet]) -> None:
    commands = [line for snippet in snippets for line in snippet.code.splitlines() if is_installation(line)]
    assert len(commands) == 2
    assert "edgevoice extract tests/data/speech.wav" in commands[0]
    assert commands[1].endswith("pytest")
    assert "grep '^python3 -m venv' README.md" in (root / ".ci" / "run").read_text()


def test_what_it_shows_runs(snippets: list[Snippet], tmp_path: Path, speech: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in furnish(tmp_path, speech).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    run_page(snippets, "README.md")
    assert (tmp_path / "static.csv").read_text().count("\n") == 2


def test_it_is_one_page(readme: str) -> None:
    assert len(readme.splitlines()) <= 80


def test_pictures_and_links_are_there(root: Path, readme: str) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", readme)
    assert any(target.endswith(".png") for target in targets)
    for target in targets:
        if not target.startswith(("https://", "#")):
            assert (root / target.partition("#")[0]).exists(), target
    linked = {target for target in targets if target.startswith("docs/") and target.endswith(".md")}
    pages = {f"docs/{page.name}" for page in (root / "docs").glob("*.md")}
    assert pages - linked == {"docs/index.md", "docs/contributing.md", "docs/changes.md", "docs/security.md"}


def test_what_it_says_of_its_worth_was_measured(root: Path, readme: str) -> None:
    results, told = root / "benchmarks" / "results", " ".join(readme.split())
    quality = (results / "feature_quality.md").read_text(encoding="utf-8")
    labels = (results / "label_efficiency_speakers.md").read_text(encoding="utf-8")
    recall = {
        name: re.search(rf"^\| {name} .*?(0\.\d+) ± (0\.\d+)", quality, re.M)
        for name in ("cae-256", "ComParE_2016", "eGeMAPSv02")
    }
    own, rich, small = (f"{float(found[1]):.2f}" for found in recall.values() if found)
    assert (
        f"recall {own} on 45 speakers that no network has heard, with openSMILE's ComParE {rich}, with eGeMAPS {small}"
        in told
    )
    errors = sorted(float(found[2]) for found in recall.values() if found)
    assert f"(± {errors[0]:.2f} to {errors[-1]:.2f})" in told
    codes, smile = (
        re.search(rf"^- {name}, .*?: (0\.\d+) at 30 %", labels, re.M) for name in (r"cae-256 \(codes\)", "eGeMAPSv02")
    )
    assert codes is not None
    assert smile is not None
    assert "labelled 300 of 25 speakers" in labels  # 30 % of them are 90
    assert f"90 recordings for child, man or woman: F1 {float(codes[1]):.2f}, eGeMAPS {float(smile[1]):.2f}" in told
    few, disvoice = json.loads((results / "corpus_speed.json").read_text(encoding="utf-8"))["few"]["seconds"].values()
    assert f"{disvoice / few:.0f}" == "12"
    assert "a corpus takes a twelfth of DisVoice's" in told
    peers = json.loads((results / "peers.json").read_text(encoding="utf-8"))
    install = json.loads((results / "install_cost.json").read_text(encoding="utf-8"))
    start = " ".join((root / "docs" / "start.md").read_text(encoding="utf-8").split())
    ours, theirs, audio = (f"{install[name]['install, s']:.0f} s" for name in ("EdgeVoice", "openSMILE", "pyAudioAnalysis"))
    size, large = (f"{peers['installed'][name] / 1e6:.0f} MB" for name in ("edgevoice", "disvoice-cae"))
    assert (
        f"takes {ours} (openSMILE {theirs}, pyAudioAnalysis {audio}), and {size} (DisVoice with its dependencies {large})"
        in start
    )


def test_every_shipped_model_is_named(root: Path) -> None:
    names = {folder.path.name for folder in list_models() if folder.path.parent == root / "models"}
    models = (root / "docs" / "models.md").read_text(encoding="utf-8")
    assert "cae-256" in names
    assert all(f"| `{name}`" in models for name in names)


def test_what_javascript_costs_is_what_was_measured(root: Path) -> None:
    found = json.loads((root / "benchmarks" / "results" / "javascript.json").read_text(encoding="utf-8"))
    page = (root / "js" / "README.md").read_text(encoding="utf-8")
    for model in (name for name, part in found.items() if isinstance(part, dict) and "graph_mb" in part):
        cells = [found[model]["graph_mb"], found[model]["node_ms"]["median"], found[model]["chromium_ms"]["median"]]
        assert f"| `{model}` | {' | '.join(f'{cell:.1f}' for cell in cells)} |" in page
    assert f"the latest after {found['live']['latency_ms']['max']:.0f} ms" in page

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
    assert (tmp_path / "static.csv").read_text().count("\n") == 4
    assert (tmp_path / "speech.png").stat().st_size > 10_000


def test_it_is_one_page(readme: str) -> None:
    assert len(readme.splitlines()) <= 130


def test_pictures_and_links_are_there(root: Path, readme: str) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", readme)
    assert any(target.endswith(".png") for target in targets)
    for target in targets:
        if not target.startswith(("https://", "#")):
            assert (root / target).exists(), target
    linked = {target for target in targets if target.startswith("docs/") and target.endswith(".md")}
    pages = {f"docs/{page.name}" for page in (root / "docs").glob("*.md")}
    assert pages - linked == {"docs/index.md", "docs/contributing.md", "docs/changes.md", "docs/security.md"}


def test_what_it_costs_is_what_was_measured(root: Path, readme: str) -> None:
    measured = json.loads((root / "benchmarks" / "results" / "peers.json").read_text(encoding="utf-8"))
    rows = {
        "EdgeVoice, `[cpu]`": "edgevoice",
        "openSMILE, eGeMAPSv02": "opensmile",
        "pyAudioAnalysis": "pyaudioanalysis",
        "DisVoice 0.1.10, CAE": "disvoice-cae",
    }
    for title, name in rows.items():
        size, start = measured["installed"][name] / 1e6, measured["peers"]["one thread"][name]["start"]
        assert f"| {title} | {size:.0f} | {start:.2f} |" in readme


def test_every_shipped_model_is_named(root: Path, readme: str) -> None:
    names = {folder.path.name for folder in list_models() if folder.path.parent == root / "models"}
    models = (root / "docs" / "models.md").read_text(encoding="utf-8")
    assert "cae-256" in names
    for name in names:
        assert f"`{name}`" in readme
        assert f"| `{name}`" in models


def test_what_a_corpus_and_a_server_cost_is_what_was_measured(root: Path, readme: str) -> None:
    results = root / "benchmarks" / "results"
    corpus = json.loads((results / "corpus_speed.json").read_text(encoding="utf-8"))
    own, *others = corpus["seconds"].values()
    few, disvoice = corpus["few"]["seconds"].values()
    (hundred,) = [run for run in json.loads((results / "hub.json").read_text())["runs"] if run["clients"] == 100]
    told = " ".join(readme.split())
    assert f"{corpus['files']} files of 4 s become a table in {own:.0f} s on two cores" in told
    assert f"{min(others) / own:.1f} times as fast as openSMILE" in told
    assert f"{disvoice / few:.0f} times as fast as DisVoice" in told
    late = hundred["spread"]["delay_ms"]["p99"]
    assert f"A hundred clients of one server process have 99 % of their frames within {late:.0f} ms" in told


def test_what_javascript_costs_is_what_was_measured(root: Path, readme: str) -> None:
    found = json.loads((root / "benchmarks" / "results" / "javascript.json").read_text(encoding="utf-8"))
    page = (root / "js" / "README.md").read_text(encoding="utf-8")
    for model in ("cae-256", "cae-64"):
        cells = [found[model]["graph_mb"], found[model]["node_ms"]["median"], found[model]["chromium_ms"]["median"]]
        assert f"| `{model}` | {' | '.join(f'{cell:.1f}' for cell in cells)} |" in page
    assert f"the latest after {found['live']['latency_ms']['max']:.0f} ms" in page
    browser, graph = found["cae-256"]["chromium_ms"]["median"], found["cae-256"]["graph_mb"]
    assert f"a window of `cae-256` takes {browser:.0f} ms; its graph is {graph:.1f} MB" in " ".join(readme.split())


def test_what_installing_costs_is_what_was_measured(root: Path, readme: str) -> None:
    found = json.loads((root / "benchmarks" / "results" / "install_cost.json").read_text(encoding="utf-8"))
    own, smile, audio = (f"{found[name]['install, s']:.0f} s" for name in ("EdgeVoice", "openSMILE", "pyAudioAnalysis"))
    assert f"takes {own} (openSMILE {smile}, pyAudioAnalysis {audio})" in readme

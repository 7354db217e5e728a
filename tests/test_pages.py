"""The documentation is true: what its pages show runs, what they link to is there, what they name exists."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

import edgevoice
from pages import furnish, is_installation, run_page, snippets_of

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
SHOWN = [page for page in PAGES if "```" in page.read_text(encoding="utf-8")]


def title(page: Path) -> str:
    return page.relative_to(ROOT / "docs").as_posix()


@pytest.mark.parametrize("page", SHOWN, ids=title)
def test_what_a_page_shows_runs(
    page: Path, tmp_path: Path, speech: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    text = page.read_text(encoding="utf-8")
    if "edgevoice-export" in text:
        pytest.importorskip("torch", reason="the export extra is not installed")
    for name, value in furnish(tmp_path, speech).items():
        monkeypatch.setenv(name, value)
    if "disvoice-0.1.10" in text:
        shutil.copy(request.getfixturevalue("disvoice_wheel"), tmp_path)
    monkeypatch.chdir(tmp_path)
    run_page(snippets_of(text), title(page))


def test_every_page_says_why_something_is_not_run() -> None:
    for page in SHOWN:
        for snippet in snippets_of(page.read_text(encoding="utf-8")):
            if snippet.language == "python" and "Microphone" in snippet.code:
                assert snippet.reason, f"{title(page)}: needs a device"
            if snippet.reason:
                assert len(snippet.reason) > 10, title(page)
            elif snippet.language == "sh":
                assert all(is_installation(line) or not line.startswith("pip") for line in snippet.code.splitlines())


def test_python_that_is_not_run_is_python() -> None:
    for page in SHOWN:
        for snippet in snippets_of(page.read_text(encoding="utf-8")):
            if snippet.language == "python":
                compile(snippet.code, title(page), "exec")


def test_names_of_the_package_exist() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"`edgevoice\.([A-Za-z_]+)`", text):
            assert hasattr(edgevoice, name) or importlib.util.find_spec(f"edgevoice.{name}"), f"{title(page)}: {name}"


def test_paths_of_the_repository_exist() -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"site"}
    for page in PAGES:
        for word in re.findall(r"`([\w./-]+/[\w./-]+)`", page.read_text(encoding="utf-8")):
            if word.split("/")[0] in tops:
                assert (ROOT / word).exists(), f"{title(page)}: {word}"


def test_no_page_names_a_registry_or_a_machine() -> None:
    for page in [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"pypi\.org|npmjs|files\.pythonhosted|localhost|/home/|/root/|/tmp/", text), title(page)


def test_the_table_of_worth_is_that_of_the_results() -> None:
    results = (ROOT / "benchmarks" / "results" / "feature_quality.md").read_text(encoding="utf-8")
    rows = [line for line in results.partition("How far `cae-256`")[0].splitlines() if line.startswith("| ")]
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert len(rows) > 10
    assert all(row in page for row in rows[1:])
    light = json.loads((ROOT / "benchmarks" / "results" / "light.json").read_text(encoding="utf-8"))["worth"]
    for name, found in light.items():
        cells = " | ".join(f"{probe['mean']:.3f} ± {probe['error']:.3f}" for probe in found["probes"].values())
        assert re.search(rf"^\| {name} \| \d+ \| {cells} \|$", page, re.M)


def test_the_model_folder_that_is_shown_is_the_shipped_one() -> None:
    (shown,) = re.findall(r"```text\n(\{ \"format.*?)```", (ROOT / "docs" / "model-format.md").read_text("utf-8"), re.S)
    written = json.loads(re.sub(r"\[\.\.\.\]|\{ \.\.\. \}|\"(sha256:)?\.\.\.\"", "null", shown))
    real = json.loads((ROOT / "models" / "cae-256" / "model.json").read_text(encoding="utf-8"))

    def agree(one: Any, other: Any) -> bool:
        if isinstance(one, dict):
            return one.keys() == other.keys() and all(agree(one[key], other[key]) for key in one)
        return one is None or one == other

    assert agree(written, real)


def test_every_extra_is_explained() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (table,) = re.findall(r"\| extra \| for \|\n(.*?)\n\n", (ROOT / "docs" / "start.md").read_text("utf-8"), re.S)
    assert {name for row in table.splitlines()[1:] for name in re.findall(r"`(\w+)`", row.split("|")[1])} == set(extras)

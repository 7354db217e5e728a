"""The documentation is true: what its pages show runs, what they link to is there, what they name exists."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

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
        for name in re.findall(r"^::: (\S+)$", text, re.MULTILINE):
            module, _, last = name.rpartition(".")
            assert importlib.util.find_spec(name) if last.islower() and module == "edgevoice" else True, name
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
    assert "\n".join(rows[1:]) in page


def test_the_site_is_built_strictly(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the group docs is not installed")
    pytest.importorskip("mkdocstrings", reason="the group docs is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert result.returncode == 0, result.stderr
    for page in PAGES:
        name = title(page).removesuffix(".md")
        built = tmp_path / "site" / ("index.html" if name == "index" else f"{name}/index.html")
        text = built.read_text(encoding="utf-8")
        # Nothing is loaded from elsewhere when a page is read.
        assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="https?://', text), name
    interface = (tmp_path / "site" / "api" / "core" / "index.html").read_text(encoding="utf-8")
    assert "Whether audio shorter than one window" in interface or "filled up with zeros" in interface

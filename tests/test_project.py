"""The documents for those who carry the project on are true, and agree with each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import edgevoice

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")


@pytest.fixture(scope="module")
def contributing(root: Path) -> str:
    return (root / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_every_path_and_name_that_contributing_gives_is_there(root: Path, contributing: str) -> None:
    tops = {path.name for path in root.iterdir()}
    words = [word for code in re.findall(r"`([^`\n]+)`", contributing) for word in code.split()]
    paths = {word for word in words if "/" in word and word.split("/")[0] in tops and "NAME" not in word}
    assert len(paths) > 40
    assert sorted(path for path in paths if not (root / path).exists()) == []
    names = re.findall(r"`(\w+)` in `([\w/]+\.py)`", contributing)
    assert len(names) > 5
    for name, path in names:
        assert re.search(rf"\b{name}\b", (root / path).read_text(encoding="utf-8")), f"{name} in {path}"


def test_the_set_up_is_that_of_the_readme(root: Path, contributing: str) -> None:
    (command,) = re.findall(r"^python3 -m venv.*$", contributing, re.MULTILINE)
    _, whole = re.findall(r"^python3 -m venv.*$", (root / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert whole == f"{command} && .venv/bin/pytest"


def test_the_npm_package_has_that_version_too(root: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        assert json.loads((root / "js" / name).read_text(encoding="utf-8"))["version"] == edgevoice.__version__


def test_there_is_one_version(root: Path, project: dict[str, Any]) -> None:
    assert "version" in project["project"]["dynamic"]
    version = edgevoice.__version__
    assert yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version
    newest = re.search(r"^## (\S+) - ", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


def test_a_package_has_the_address_of_the_repository_that_built_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    command = (sys.executable, "-m", "hatchling", "metadata")
    monkeypatch.delenv("EDGEVOICE_REPOSITORY", raising=False)
    assert "https://" not in run(*command, "urls", folder=root).stdout
    monkeypatch.setenv("EDGEVOICE_REPOSITORY", "https://example.org/someone/edgevoice/")
    assert '"https://example.org/someone/edgevoice/issues"' in run(*command, "urls", folder=root).stdout


def test_the_citation_is_valid_and_names_its_sources(root: Path) -> None:
    pytest.importorskip("cffconvert", reason="cffconvert is not installed")
    program = "import warnings; warnings.simplefilter('ignore'); from cffconvert.cli.cli import cli; cli()"
    command = (sys.executable, "-c", program, "--infile", "CITATION.cff")
    result = run(*command, "--validate", folder=root)
    assert result.returncode == 0, result.stderr
    assert "title = {EdgeVoice}" in run(*command, "--format", "bibtex", folder=root).stdout
    titles = [reference["title"] for reference in yaml.safe_load((root / "CITATION.cff").read_text("utf-8"))["references"]]
    assert len(titles) == 4
    assert any("Parallel Representation Learning" in title for title in titles)


def test_hooks_and_forms_are_valid(root: Path) -> None:
    hooks = yaml.safe_load((root / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    names = [hook["id"] for repository in hooks["repos"] for hook in repository["hooks"]]
    assert names[:3] == ["ruff", "ruff-format", "mypy"]
    program = Path(sys.executable).with_name("pre-commit")
    if program.exists() and shutil.which("git"):
        result = run(str(program), "validate-config", folder=root)
        assert result.returncode == 0, result.stdout
    for form in (root / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        content = yaml.safe_load(form.read_text(encoding="utf-8"))
        if form.name != "config.yml":
            assert {"name", "description", "body"} <= content.keys()
            assert all(field["attributes"]["label"] for field in content["body"])

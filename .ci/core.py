"""The tests of what needs no PyTorch, on a wheel: on any system, with any Python, with the lowest or the newest packages.

python .ci/core.py WHEEL [--python PYTHON] [--versions lowest|newest|pinned] [--plain]
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("cpu", "mic", "tables", "plot", "disvoice", "graph")
TOOLS = ("hypothesis", "pytest", "pytest-timeout")
"""The tests' own, at the versions of constraints.txt: they are not what is tried."""
FOLDERS = ("audio", "corpus", "files", "tables", "cli", "compat", "plotting")
GRAPHS = ("test_live.py", "test_pcm.py")
"""Of tests/export/onnx: graphs are made without PyTorch, and every ONNX Runtime that the package allows must run them."""
LEFT_OUT = {
    *("test_arm64.py", "test_corpus_examples.py", "test_pages.py", "test_project.py", "test_readme.py", "test_wheel.py"),
    "test_workflows.py",
}
"""Tests of the checkout rather than of the package."""
PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A console that knows ASCII alone, or on Windows its code page alone: as `python -X utf8=0`."""


def main() -> int:
    """Make an environment, install, test; return pytest's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--python", default=sys.executable, help="which Python (default: this one)")
    parser.add_argument("--versions", choices=("lowest", "newest", "pinned"), default="newest")
    parser.add_argument("--plain", action="store_true", help="in a console without UTF-8")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        python = environment(Path(work) / "venv", options.python)
        constraints = Path(work) / "constraints.txt"
        constraints.write_text(constraints_of(options.versions), encoding="utf-8")
        pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
        wheel = f"{options.wheel.resolve()}[{','.join(EXTRAS)}]"
        subprocess.run([*pip, "install", "--quiet", "--constraint", str(constraints), *tools(), wheel], check=True)
        subprocess.run([*pip, "list", "--format", "freeze"], check=True)
        # From the wheel: the checkout's packages are in folders that are not on the path.
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        variables |= PLAIN if options.plain else {}
        command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, tests())]
        return subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode


def environment(folder: Path, python: str) -> Path:
    """A new virtual environment; return its Python."""
    if python == sys.executable:
        venv.create(folder, with_pip=True)
    else:
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def constraints_of(versions: str) -> str:
    """Lines for pip: the lowest versions that pyproject.toml allows, those of constraints.txt, or none."""
    if versions == "pinned":
        return (ROOT / "constraints.txt").read_text(encoding="utf-8")
    if versions == "newest":
        return ""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + [line for extra in EXTRAS for line in project["optional-dependencies"][extra]]
    return "\n".join(sorted({re.sub(r"\[[^]]*\]", "", line).replace(">=", "==") for line in wanted}))


def tools() -> list[str]:
    """What pytest needs, pinned."""
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in pinned if line.partition("==")[0] in TOOLS]


def tests() -> list[Path]:
    """Folders and files of tests, as pytest takes them."""
    files = sorted(path for path in (ROOT / "tests").glob("test_*.py") if path.name not in LEFT_OUT)
    graphs = (ROOT / "tests" / "export" / "onnx" / name for name in GRAPHS)
    return [*(ROOT / "tests" / folder for folder in FOLDERS), *graphs, *files]


if __name__ == "__main__":
    sys.exit(main())

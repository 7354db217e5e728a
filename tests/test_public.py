"""The public surface, what importing costs, and which way imports go."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import edgevoice
from edgevoice import errors

UNUSED = {"torch", "onnx", "scipy", "pandas", "pyarrow", "kaldiio", "matplotlib", "sounddevice", "edgevoice_export"}
HEAVY = {*UNUSED, "onnxruntime", "soundfile", "soxr", "tqdm"}

# A module may import from its own row and from the rows above it.
LAYERS = (
    ("errors", "threads"),
    ("wholenumbers",),
    ("config",),
    ("audio", "files"),
    ("levels", "frontend", "providers"),
    ("modelfolder", "windows", "recipe"),
    ("sessions", "features"),
    ("inference",),
    ("pipeline",),
    ("batcher",),
    ("stream",),
    ("extraction", "extractor"),
    ("hub", "microphone", "corpus", "tables", "plotting", "bench", "compat"),
    ("heads",),
    ("protocol",),
    ("asgi",),
    ("cli", "_pyinstaller"),
)


def test_every_public_name_exists_and_nothing_else_is_offered() -> None:
    offered = {
        name
        for name in dir(edgevoice)
        if not name.startswith("_") and getattr(getattr(edgevoice, name), "__module__", "").startswith("edgevoice")
    }
    assert offered == set(edgevoice.__all__)
    with pytest.raises(AttributeError, match="'edgevoice' has no attribute 'microphones'"):
        edgevoice.microphones  # noqa: B018


def test_all_errors_have_one_root_and_a_sentence() -> None:
    classes = [getattr(edgevoice, name) for name in edgevoice.__all__ if name.endswith("Error")]
    assert len(classes) == 24
    for error in classes:
        assert issubclass(error, edgevoice.EdgeVoiceError)
        assert error.__doc__


def test_the_tree_that_is_drawn_is_that_of_the_classes() -> None:
    drawn, parents = {}, {-1: None}
    for indent, name, code in re.findall(r"^([ │├└─]*)(\w+Error)(?: +(\d))?", errors.__doc__ or "", re.MULTILINE):
        depth = len(indent) // 4
        parents[depth] = name
        if code:
            drawn[name] = (parents[depth - 1], int(code))
    classes = [getattr(edgevoice, name) for name in edgevoice.__all__ if name.endswith("Error")]
    classes.remove(edgevoice.EdgeVoiceError)
    assert drawn == {error.__name__: (error.__bases__[0].__name__, error.exit_code) for error in classes}


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import edgevoice", {*HEAVY, "edgevoice.microphone"}),
        ("import edgevoice.cli", HEAVY),
        ("from edgevoice import Extractor, Stream, load", HEAVY),
        ("import edgevoice; edgevoice.load(sys.argv[1]).extract(sys.argv[2])", UNUSED),
        (  # half of the time that a process takes to a first frame is Python's imports
            "import numpy, edgevoice; assert edgevoice.load(sys.argv[1]).stream().push(numpy.ones(16000, numpy.float32))",
            {*UNUSED, "html", "importlib.resources", "soundfile", "soxr", "tempfile"},
        ),
    ],
)
def test_only_what_is_needed_is_imported(code: str, unwanted: set[str], tiny_model: Path, speech: Path) -> None:
    command = [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)", str(tiny_model), str(speech)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert unwanted & set(result.stdout.split()) == set()


def _imports(path: Path) -> set[str]:
    """Names of the modules that a file imports, but for those imported for type checking alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_imports_go_one_way(root: Path) -> None:
    package = root / "runtime" / "edgevoice"
    row = {name: k for k, names in enumerate(LAYERS) for name in names}
    for path in package.rglob("*.py"):
        if path == package / "__init__.py":
            continue
        own = path.relative_to(package).parts[0].removesuffix(".py")
        assert own in row, f"{path} belongs to no layer"
        for name in _imports(path):
            assert not name.startswith("edgevoice_export"), f"{path} imports {name}"
            if name.startswith("edgevoice.") and name.split(".")[1] in row:
                other = name.split(".")[1]
                assert row[other] <= row[own], f"{path} imports {name}, which comes after it"


@pytest.mark.parametrize("package", ["runtime/edgevoice", "export/edgevoice_export"])
def test_no_imports_go_in_a_circle(root: Path, package: str) -> None:
    """All imports count, those inside functions too; those for type checking do not."""
    folder = root / package
    names = {
        ".".join(path.relative_to(folder.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in folder.rglob("*.py")
        if path.name != "__init__.py"
    }
    graph = {
        name: {module for found in _imports(path) for module in (found, found.rpartition(".")[0]) if module in names}
        - {name}
        for name, path in names.items()
    }
    graphlib.TopologicalSorter(graph).prepare()


def test_the_core_imports_nothing_but_numpy_at_its_top(root: Path) -> None:
    package = root / "runtime" / "edgevoice"
    for path in package.rglob("*.py"):
        if path.name.startswith("hook-"):  # run by PyInstaller, and no part of the package
            continue
        allowed = {"numpy", "edgevoice"} | (
            {"starlette"} if path.name == "protocol.py" else set()
        )  # imported by asgi.py only
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                for name in names:
                    top = name.split(".")[0]
                    assert top in sys.stdlib_module_names or top in allowed, f"{path} imports {name}"

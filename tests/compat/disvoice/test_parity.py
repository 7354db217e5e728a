"""The numbers are DisVoice's."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgevoice.compat.disvoice import RepLearning

# The first test waits for the import of DisVoice's weights, and for DisVoice.
pytestmark = pytest.mark.timeout(1200)

# Features are of the size of 1, and torch's and ONNX Runtime's float32 differ by 3e-6. Kurtosis reaches 30 in columns that
# hardly vary; there DisVoice's own rounding moves it by 5e-4.
ABSOLUTE = RELATIVE = 1e-4
PRINTED = 2e-5


@pytest.fixture(autouse=True)
def imported(disvoice_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEVOICE_MODELS", str(disvoice_models))


@pytest.fixture(scope="module")
def osr(shared: Path) -> Path:
    return shared / "reference" / "OSR_us_000_0030_8k.wav"


@pytest.fixture(scope="module")
def reference(
    disvoice_wheel: Path, recordings: dict[str, Path], root: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    """What DisVoice gives: `MODEL/static or dynamic/name of the recording`."""
    folder = tmp_path_factory.mktemp("package")
    with zipfile.ZipFile(disvoice_wheel) as wheel:
        wheel.extractall(folder)
    named = dict(recordings)
    osr = root.parent / "shared" / "reference" / "OSR_us_000_0030_8k.wav"
    if osr.exists():
        named["OSR"] = osr
    script = Path(__file__).with_name("disvoicepackage.py")
    command = [sys.executable, script, folder / "disvoice", folder / "out.npz", *named.values()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLCONFIGDIR": str(folder)}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    names = list(named)
    with np.load(folder / "out.npz") as results:
        return {f"{(parts := key.rsplit('/', 1))[0]}/{names[int(parts[1])]}": results[key] for key in results}


def compare(model: str, name: str, path: Path, reference: dict[str, np.ndarray]) -> None:
    extractor = RepLearning(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dropped windows
        dynamic = extractor.extract_features_file(str(path), static=False)
        static = extractor.extract_features_file(str(path), static=True)
    for found, expected in ((dynamic, reference[f"{model}/dynamic/{name}"]), (static, reference[f"{model}/static/{name}"])):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=RELATIVE, atol=ABSOLUTE)
    np.testing.assert_allclose(dynamic, reference[f"{model}/dynamic/{name}"], rtol=0, atol=ABSOLUTE)


@pytest.mark.parametrize("model", ["CAE", "RAE"])
def test_all_numbers_of_the_source(model: str, osr: Path, reference: dict[str, np.ndarray]) -> None:
    assert reference[f"{model}/dynamic/OSR"].shape == (186, 384)
    compare(model, "OSR", osr, reference)


@pytest.mark.parametrize("model", ["CAE", "RAE"])
def test_golden_numbers(model: str, recordings: dict[str, Path], root: Path) -> None:
    with np.load(root / "tests" / "golden" / "disvoice.npz") as golden:
        for name, path in recordings.items():
            compare(model, name, path, golden)


@pytest.mark.parametrize("model", ["CAE", "RAE"])
def test_recordings_that_a_front_end_could_take_otherwise(
    model: str, recordings: dict[str, Path], reference: dict[str, np.ndarray]
) -> None:
    for name, path in recordings.items():
        compare(model, name, path, reference)
    # 11 windows, of which those in or beside the zeros are dropped, where they stay zeros.
    assert len(reference[f"{model}/dynamic/digital silence that the mean moves"]) == 11
    assert 1 <= len(reference[f"{model}/dynamic/digital silence that stays zero"]) < 9


def test_the_published_table(shared: Path, osr: Path) -> None:
    golden = json.loads((shared / "reference" / "disvoice_golden.json").read_text())
    extractor = RepLearning(golden["model"])
    for kind in ("static", "dynamic"):
        table = extractor.extract_features_file(str(osr), static=kind == "static", fmt="dataframe")
        assert len(table) == (1 if kind == "static" else 186)
        for row in golden[kind]["rows"]:
            found = table.loc[row["row"], golden[kind]["columns"]].to_numpy()
            np.testing.assert_allclose(found, row["values"], rtol=0, atol=PRINTED)


def _cells(notebook: str) -> list[str]:
    """Code of the cells: what follows `In [n]:`, up to what was printed."""
    cells = []
    for part in re.split(r"^In \[\d+\]:\n", notebook, flags=re.MULTILINE)[1:]:
        lines = itertools.takewhile(lambda line: not line.startswith(("  ", "Unnamed: 0")), part.splitlines())
        cells.append("\n".join(lines))
    return cells


def test_the_notebook_runs_with_the_import_changed(
    shared: Path, osr: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = (shared / "reference" / "documents" / "disvoice_replearning_notebook.txt").read_text()
    (tmp_path / "audios").mkdir()
    (tmp_path / "audios" / osr.name).symlink_to(osr)
    monkeypatch.setenv("PROJECT_DIR", str(tmp_path))
    cells = _cells(notebook)
    assert "RepLearning" in cells[0]
    space: dict[str, object] = {}
    for cell in cells:
        exec(cell.replace("from disvoice import", "from edgevoice.compat.disvoice import"), space)
    assert space["features_static"].shape == (1, 1536)
    assert space["features_dynamic"].shape == (186, 384)


_STARVED = """
import resource, sys
import edgevoice, scipy.signal
from edgevoice.compat.disvoice import RepLearning
extractor = RepLearning("CAE")
extractor.extract_features_file(sys.argv[1])
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (100 << 20),) * 2)
try:
    extractor.extract_features_file(sys.argv[2])
except edgevoice.DeviceMemoryError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does")
def test_a_recording_that_does_not_fit_into_memory_is_a_typed_error(speech: Path, osr: Path) -> None:
    command = [sys.executable, "-c", _STARVED, speech, osr]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == f"{osr}: does not fit into memory as a whole: use shorter recordings\n"

"""The numbers are DisVoice's."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from edgevoice.compat.disvoice import RepLearning

# The first test waits for the import of DisVoice's weights.
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


@pytest.mark.parametrize("model", ["CAE", "RAE"])
def test_golden_numbers_of_recordings_that_a_front_end_could_take_otherwise(
    model: str, recordings: dict[str, Path], root: Path
) -> None:
    extractor = RepLearning(model)
    with np.load(root / "tests" / "golden" / "disvoice.npz") as golden, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dropped windows
        for name, path in recordings.items():
            for kind in ("dynamic", "static"):
                expected = golden[f"{model}/{kind}/{name}"]
                found = extractor.extract_features_file(str(path), static=kind == "static")
                assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
                np.testing.assert_allclose(found, expected, rtol=RELATIVE if kind == "static" else 0, atol=ABSOLUTE)
        # 11 windows, of which those in or beside the zeros are dropped, where they stay zeros.
        assert len(golden[f"{model}/dynamic/digital silence that the mean moves"]) == 11
        assert 1 <= len(golden[f"{model}/dynamic/digital silence that stays zero"]) < 9


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

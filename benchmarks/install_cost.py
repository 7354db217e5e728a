"""The cost of an installation, up to the first features, beside that of peers.

    python -m benchmarks.install_cost edgevoice-0.1.0-py3-none-any.whl

For each program a new environment, `pip install` with everything in pip's cache (what a network adds is the network's), the
size of what was installed, and the time of a process from its start to the features of `tests/data/speech.wav`. Writes
benchmarks/results/install_cost.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.measuring import RESULTS, ROOT, SPEECH, seconds, show

PROGRAMS = {
    "EdgeVoice": (
        ["{wheel}[cpu]"],
        "import edgevoice; edgevoice.load().extract({speech!r}).functionals()",
    ),
    "openSMILE": (
        ["opensmile"],
        "import opensmile; opensmile.Smile().process_file({speech!r})",
    ),
    "pyAudioAnalysis": (
        ["pyAudioAnalysis", "eyed3", "pydub", "matplotlib", "scipy", "tqdm"],  # it imports all but itself without asking
        """
import numpy
numpy.int = int  # gone from NumPy, but still used there
from pyAudioAnalysis import ShortTermFeatures
from scipy.io import wavfile
rate, samples = wavfile.read({speech!r})
ShortTermFeatures.feature_extraction(samples, rate, rate // 20, rate // 40)
""",
    ),
}
"""What to install, and a program that prints features of a recording."""


def install(folder: Path, packages: list[str]) -> float:
    """Install into a new environment; return seconds of pip."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    command = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *packages]
    return seconds(partial(subprocess.run, [*command, "--constraint", str(ROOT / "constraints.txt")], check=True))


def size_of(folder: Path) -> int:
    """Size of the packages, without pip itself."""
    site = next((folder / "lib").glob("python*/site-packages"))
    files = (path for path in site.rglob("*") if path.is_file() and path.relative_to(site).parts[0] != "pip")
    return sum(path.stat().st_size for path in files)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS / "install_cost.json")
    options = parser.parse_args()
    results = {}
    for name, (packages, program) in PROGRAMS.items():
        wanted = [package.format(wheel=options.wheel.resolve()) for package in packages]
        with tempfile.TemporaryDirectory() as work:
            install(Path(work) / "first", wanted)
            taken = install(Path(work) / "second", wanted)
            command = [str(Path(work) / "second" / "bin" / "python"), "-c", program.format(speech=str(SPEECH))]
            run = partial(subprocess.run, command, check=True, capture_output=True, cwd=work)
            first, *starts = (seconds(run) for _ in range(4))
            results[name] = {
                "install, s": round(taken, 1),
                "installed, MB": round(size_of(Path(work) / "second") / 1e6),
                "first use, s": round(first, 2),
                "start to features, s": round(median(starts), 2),
            }
    show(results, options.out)


if __name__ == "__main__":
    main()

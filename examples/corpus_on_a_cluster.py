"""A folder of recordings on a cluster's workers, to a folder of Parquet parts that is one table.

    pip install '.[cpu,cluster]'
    python corpus_on_a_cluster.py RECORDINGS OUT [SCHEDULER]

SCHEDULER is the address of a dask scheduler whose workers see both folders under the same paths and have EdgeVoice;
without one, two processes of this machine do it. A worker that dies loses nothing, and the same command goes on where it
was stopped.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
from dask.distributed import LocalCluster


def main(folder: Path, out: Path, scheduler: str | None = None) -> int:
    """Write the parts; return the exit code of the command."""
    own = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") if scheduler is None else nullcontext()
    with own as cluster:
        address: Any = scheduler or cluster.scheduler_address
        command = [sys.executable, "-m", "edgevoice.cli", "extract", str(folder), "-o", f"{out}/", "--static"]
        code = subprocess.run([*command, "--scheduler", address], check=False).returncode
    if out.is_dir():
        print(f"{out}: {len(pd.read_parquet(out))} recordings")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4]))

"""A folder of recordings on a cluster's workers, to one Parquet table.

    python corpus_on_a_cluster.py RECORDINGS OUT.parquet [SCHEDULER]

SCHEDULER is the address of a dask scheduler whose workers see the folder under the same path and have EdgeVoice; without
one, two processes of this machine do it. The extractor travels as what it was loaded from, and every worker loads it once.
Needs `pip install 'edgevoice[cpu,tables]' distributed` and pyarrow.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from dask.distributed import Client, LocalCluster, as_completed

import edgevoice


def static(extractor: edgevoice.Extractor, path: str) -> np.ndarray | str:
    """One row, or why there is none: a recording that cannot be read must not end the others."""
    try:
        return extractor.extract(path, workers=1).functionals()
    except edgevoice.AudioError as error:
        return str(error)


def main(folder: Path, out: Path, scheduler: str | None = None) -> int:
    """Write the table; return 1 where a recording failed."""
    extractor = edgevoice.load("cae-256")
    files = sorted(path for path in folder.resolve().rglob("*") if path.is_file())
    rows, failed = {}, 0
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) if scheduler is None else scheduler
    with Client(cluster) as client:
        shared = client.scatter(extractor, broadcast=True)
        tasks = {client.submit(static, shared, str(path), pure=False): path for path in files}
        for task, row in as_completed(tasks, with_results=True):
            if isinstance(row, str):
                print(row, file=sys.stderr)
                failed += 1
            else:
                rows[tasks[task].relative_to(folder.resolve()).as_posix()] = row
    if not isinstance(cluster, str):
        cluster.close()
    table = pd.DataFrame.from_dict(rows, orient="index", columns=extractor.layout.functional_names)
    table.sort_index().rename_axis("file").to_parquet(out)
    print(f"{out}: {len(table)} recordings; {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4]))

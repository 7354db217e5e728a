"""A folder of recordings to one Parquet table.

    python corpus_to_parquet.py RECORDINGS OUT.parquet

One row a recording: its file, relative to the folder, and the static features of the model. What cannot be read is named,
and the rest is done. Needs `pip install 'edgevoice[cpu,tables]'` and pyarrow.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

import edgevoice


def main(folder: Path, out: Path) -> int:
    """Write the table; return 1 where a recording failed."""
    extractor = edgevoice.load("cae-256")
    rows, failed = {}, 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            features = extractor.extract(path)
        except edgevoice.AudioError as error:
            print(error, file=sys.stderr)
            failed += 1
            continue
        rows[path.relative_to(folder).as_posix()] = features.functionals()
        names = features.functional_names
    if not rows:
        return 1
    table = pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis("file")
    table.to_parquet(out)
    print(f"{out}: {table.shape[0]} recordings, {table.shape[1]} numbers each; {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

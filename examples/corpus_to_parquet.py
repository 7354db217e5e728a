"""A folder of recordings to one Parquet table.

    pip install '.[cpu,tables]' pyarrow
    python corpus_to_parquet.py RECORDINGS OUT.parquet

One row per recording: its file, relative to the folder, and the static features of the model. What cannot be read is named,
and the rest is done. (`edgevoice extract RECORDINGS --static -o OUT.parquet` does the same from a terminal.)
"""

from __future__ import annotations

import sys
from pathlib import Path

import edgevoice


def main(folder: Path, out: Path) -> int:
    """Write the table; return 1 where a recording failed."""
    table = edgevoice.table(folder, edgevoice.load("cae-256"), static=True)
    for failure in table.attrs["failed"]:
        print(failure["reason"], file=sys.stderr)
    table.to_parquet(out)
    print(f"{out}: {len(table)} recordings; {len(table.attrs['failed'])} failed")
    return 1 if table.attrs["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

"""Fuzzes the parsers of our own, guided by coverage: graphs, recipes, CSV and ark tables, kinds of audio.

pip install atheris; python .ci/fuzz.py -max_total_time=600
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edgevoice"]):
    import edgevoice.tables.arkfile
    import edgevoice.tables.csvfile  # noqa: F401
    from edgevoice.audio.families import family_of
    from edgevoice.errors import EdgeVoiceError
    from edgevoice.recipe import Recipe
    from edgevoice.sessions import check_self_contained
    from edgevoice.tables.table import read_content

FOLDER = Path(tempfile.mkdtemp())


def parse(data: bytes) -> None:
    """Give bytes to one of the parsers, which the first of them chooses: errors of EdgeVoice's own are right."""
    content = data[1:]
    family_of(content)
    with contextlib.suppress(EdgeVoiceError):
        if data[:1] < b"\x40":
            check_self_contained(content)
        elif data[:1] < b"\x80":
            Recipe.from_json(content)
        else:
            path = FOLDER / ("table.ark" if data[:1] < b"\xc0" else "table.csv")
            path.write_bytes(content)
            read_content(path)


atheris.Setup(sys.argv, parse)
atheris.Fuzz()

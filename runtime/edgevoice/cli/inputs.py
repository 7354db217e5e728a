"""The inputs of a command: files and folders, or an index."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from edgevoice.cli.command import STANDARD_INPUT
from edgevoice.corpus.index import Index, index_of_inputs, read_index
from edgevoice.errors import ArgumentError, AudioFileNotFoundError


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments INPUT..., --index, --only, --root, --start and --end."""
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="an audio file, or a folder with audio files")
    parser.add_argument("--index", metavar="CSV", help="read what this CSV lists, or standard input (-)")
    parser.add_argument(
        "--only", action="append", metavar="FILE", help="read only the rows of this file from an index; may be repeated"
    )
    parser.add_argument(
        "--root",
        metavar="DIR",
        help="the folder that files of an index are in, and are named below (default: the folder given, that of the CSV, "
        "or the current one)",
    )
    parser.add_argument("--start", type=float, metavar="S", help="start of what is read from each input, in seconds")
    parser.add_argument("--end", type=float, metavar="S", help="end of what is read from each input, in seconds")


def read_inputs(arguments: argparse.Namespace) -> Index:
    """Make the index of the inputs.

    Raises:
        ArgumentError: both kinds of input were named, or none; or the index cannot be used.
        AudioFileNotFoundError: a folder or the index is not there.
    """
    if bool(arguments.inputs) == (arguments.index is not None):
        raise ArgumentError("expected INPUT..., or --index CSV, and not both")
    if arguments.root is not None and not Path(arguments.root).is_dir():
        raise AudioFileNotFoundError(f"{arguments.root}: no such folder, expected the root of the files")
    if arguments.index is None:
        if arguments.only:
            raise ArgumentError("--only is for an index: name the files as INPUT...")
        index = index_of_inputs(arguments.inputs, arguments.root)
        rows = tuple(row._replace(start=arguments.start, end=arguments.end) for row in index.rows)
        return replace(index, rows=rows)
    if arguments.start is not None or arguments.end is not None:
        raise ArgumentError("--start and --end are for INPUT...: an index has columns of these names")
    index = _read_csv(arguments)
    for file in arguments.only or []:
        if all(row.file != file for row in index.rows):
            raise ArgumentError(f"--only {file}: the index has no row of this file")
    if arguments.only:
        index = replace(index, rows=tuple(row for row in index.rows if row.file in arguments.only))
    return index


def _read_csv(arguments: argparse.Namespace) -> Index:
    if arguments.index == STANDARD_INPUT:
        if sys.stdin is None:
            raise ArgumentError("standard input: is closed")
        return read_index(sys.stdin.buffer, arguments.root)
    # Whatever its name ends with, it is an index.
    from edgevoice.corpus.index import read_index_file

    return read_index_file(arguments.index, arguments.root)

"""`edgevoice repeat`: compute a table again from the same inputs, and compare."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edgevoice.cli import extract, options
from edgevoice.cli.console import show, tell
from edgevoice.errors import ArgumentError, ModelNotFoundError, ModelUseError
from edgevoice.modelfolder import ModelFolder, find_model, list_models
from edgevoice.recipe import Recipe
from edgevoice.tables.table import read_content, read_recipe, table_format

_EPILOG = """\
examples:
  edgevoice repeat features.csv recordings/ -o again.csv
  edgevoice repeat corpus.parquet --index corpus.csv -o again.parquet

You name the inputs, as they were named for `edgevoice extract`. The settings come from the table's recipe, which is in the
table, or in the JSON file beside it: level, hop, channel, padding, descriptors, static or not. The model is found by the
recipe's name of it, and has to have the same networks. Another version of a package, or another processor, may give other
numbers: the command prints how many differ, and by how much. The exit code is 1 if a number differs.
"""


@dataclass(frozen=True, slots=True)
class Repeat:
    """The table, what it was made of, and where it is made again."""

    inputs: options.Inputs
    machine: options.Machine
    table: str = options.option("table", metavar="TABLE", help="a table or dataset that `edgevoice extract` wrote")
    output: str = options.option("-o", required=True, metavar="OUT", help="the table that is made, in the same format")
    model: str | None = options.option(metavar="PATH", help="the model (default: found by its name in the recipe)")
    jobs: int | None = options.jobs_option()


def run(asked: Repeat) -> int:
    """Make the table again, and compare; return 1 if a number differs."""
    table, output = Path(asked.table), asked.output
    recipe = read_recipe(table)
    if table_format(output) != table_format(table):
        raise ArgumentError(f"{output}: expected the suffix of {table}")
    if Path(output).exists():  # a dataset there would be completed, not made
        raise ArgumentError(f"{output}: already exists; choose another name")
    model = find_model(asked.model) if asked.model else _named(recipe)
    config = model.config
    found = Recipe.of(config)
    if (found.networks, found.settings) != (recipe.networks, recipe.settings):
        raise ModelUseError(
            f"{model.path}: is not the model that made {table}: {recipe.model} {recipe.version} with other networks or "
            "settings; give that one with --model"
        )
    code = extract.run(
        extract.Extract(
            inputs=asked.inputs,
            model=options.ModelOptions(**asdict(asked.machine), model=str(model.path), descriptors=recipe.descriptors),  # type: ignore[arg-type]
            reading=options.ReadingOptions.of(recipe),
            output=output + os.sep * (table.is_dir() and not output.endswith(os.sep)),
            static=bool(recipe.static),
            jobs=asked.jobs,
        )
    )
    if not Path(output).exists():
        tell("nothing could be read, so there is nothing to compare")
        return 1
    before, after = (read_content(place, others=False).values for place in (table, Path(output)))
    if code:
        tell("some inputs failed, as they may have when the table was made")
    if before.shape != after.shape:
        show(f"{after.shape[0]} rows of {after.shape[1]} numbers, not {before.shape[0]} of {before.shape[1]}")
        return 1
    different = before.view(np.uint32) != after.view(np.uint32)
    count = int(np.count_nonzero(different))
    most = f", by {np.abs(before[different] - after[different]).max():.2g} at most" if count else ""
    show(f"{count} of {before.size} numbers differ{most}")
    return 1 if count else 0


def _named(recipe: Recipe) -> ModelFolder:
    """The model that a recipe names, among those that are installed: never in the current folder, or at a path."""
    named = [folder for folder in list_models() if folder.config.name == recipe.model]
    same = [folder for folder in named if Recipe.of(folder.config).networks == recipe.networks]
    if not named:
        raise ModelNotFoundError(f"no model {recipe.model!r}, which the recipe names: give its folder with --model")
    return (same or named)[0]


add = options.command("repeat", Repeat, run, _EPILOG)

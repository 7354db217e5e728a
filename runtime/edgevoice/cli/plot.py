"""`edgevoice plot`: a recording and its features in one figure, or several recordings compared."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edgevoice.audio.files import open_source, resampled
from edgevoice.cli.console import quiet_libraries, tell
from edgevoice.cli.options import Inputs, ModelOptions, WindowOptions, check_places, command, force_option, option
from edgevoice.errors import ArgumentError, AudioError
from edgevoice.features import Features
from edgevoice.files import whole_file
from edgevoice.plotting.figurefile import STYLES, PictureOptions, figure_format, write_figure
from edgevoice.plotting.page import Sound, sound_of, write_page
from edgevoice.plotting.recordings import MOST, draw_comparison, draw_overview
from edgevoice.recipe import Reading

_EPILOG = f"""\
examples:
  edgevoice plot speech.wav -o speech.png --end 10
  edgevoice plot speech.wav -o speech.html
  edgevoice plot recordings/ -o compared.png
  edgevoice plot --index segments.csv -o compared.png

One recording is drawn with waveform, spectrogram, reconstruction, difference, bottleneck and error. Several recordings, at
most {MOST}, are drawn one below the other, with bottleneck and error in the same colours. The recipe, the settings that
made the numbers, is stored in the picture's metadata. A page (.html, with Bokeh) is one file that loads nothing: it shows
the values under the cursor, zooms, and plays the recording from where it is clicked.
"""


def _size(text: str) -> tuple[float, float]:
    try:
        width, height = map(float, re.split("[x,]", text))
        return width, height
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected width and height in inches, as 8x5") from None


_picture = partial(option, group="picture")


@dataclass(frozen=True, slots=True)
class Look(PictureOptions):
    """What a user may choose about a picture."""

    title: str | None = _picture(metavar="TEXT", help="written above (default: what is drawn)")
    dpi: float = _picture(type=float, default=120, metavar="N", help="pixels per inch (default: 120)")
    size: tuple[float, float] | None = _picture(type=_size, metavar="WxH", help="width and height in inches, as 8x5")
    style: str = _picture(choices=STYLES, default="paper", help="on white, or dark (default: paper)")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, and where it goes to."""

    options: Look
    output: str = option("-o", required=True, metavar="OUT", help="a .png, .pdf or .svg picture, or an .html page")
    force: bool = force_option()


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn, and where to."""

    inputs: Inputs
    picture: Picture
    model: ModelOptions
    windows: WindowOptions


def run(asked: Plot) -> int:
    """Draw the figure; return 1 if one of several recordings could not be read."""
    picture, chosen = asked.picture, asked.picture.options
    kind = figure_format(picture.output, "html")
    index = asked.inputs.read()
    check_places([picture.output], asked.inputs.files(index), picture.force)
    several = len(index.rows) + len(index.errors) > 1
    if index.errors and not several:
        raise index.errors[0][1]
    if not index.rows and not index.errors:
        raise ArgumentError(f"{asked.inputs.index}: lists no recording, so there is nothing to draw")
    if len(index.rows) > MOST:
        raise ArgumentError(
            f"{len(index.rows)} recordings: expected at most {MOST} in one figure; `edgevoice map` shows a table"
        )
    extractor, windows = asked.model.load(), asked.windows
    model = extractor.config.name
    failures: list[Any] = [error for _, error in index.errors]
    read: list[tuple[str, Features]] = []
    sounds: list[Sound] = []
    with quiet_libraries():
        for row in index.rows:
            channel = windows.channel if row.channel is None else row.channel
            try:
                with open_source(row.path, row.start, row.end, channel) as source:
                    features = extractor.extract(source, level=windows.level, hop=windows.hop, channel=channel)
                    whole = row.start is None and row.end is None
                    name = row.file if whole else f"{row.file}  {features.start[0]:g} s to {features.end[-1]:g} s"
                    blocks: Any = resampled(source, extractor.config.audio.rate, channel)
                    if kind == "html":
                        sounds.append(sound_of(name if several else Path(name).name, features, blocks))
                        blocks = [sounds[-1].samples]
                    if not several:
                        title = f"{Path(row.path).name} · {model}" if chosen.title is None else chosen.title
                        figure = draw_overview(extractor, blocks, features, title, options=chosen)
            except AudioError as error:
                if not several:
                    raise
                failures.append(error)
            else:
                read.append((name, features))
        if not read:
            raise failures[0]
        if several:
            title = model if chosen.title is None else chosen.title
            figure = draw_comparison(read, title, extractor, options=chosen)
    made_by = extractor.recipe(Reading(windows.level, windows.hop, windows.channel))
    with whole_file(picture.output, picture.force) as file:
        if kind == "html":
            file.write(write_page(figure, made_by, sounds))
        else:
            write_figure(figure, file, kind, made_by)
    for failure in failures:
        tell(failure)
    return 1 if failures else 0


add = command("plot", Plot, run, _EPILOG)

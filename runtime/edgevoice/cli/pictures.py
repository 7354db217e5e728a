"""The options of commands that draw."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from functools import partial

from edgevoice.cli.options import force_option, option
from edgevoice.plotting.figurefile import STYLES, PictureOptions


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

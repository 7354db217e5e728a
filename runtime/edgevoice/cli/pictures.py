"""The options of commands that draw."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass

from edgevoice.cli.options import add_force
from edgevoice.plotting.figurefile import STYLES, PictureOptions


@dataclass(frozen=True, slots=True)
class Picture:
    """Where a picture goes to, and what a user may choose about it."""

    output: str
    force: bool
    options: PictureOptions


def add_picture_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `Picture`."""
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="a .png, .pdf or .svg picture, or an .html page"
    )
    add_force(parser)
    group = parser.add_argument_group("picture")
    group.add_argument("--title", metavar="TEXT", help="written above (default: what is drawn)")
    group.add_argument("--size", type=_size, metavar="WxH", help="width and height in inches, as 8x5")
    group.add_argument("--dpi", type=float, default=120, metavar="N", help="pixels per inch (default: 120)")
    group.add_argument("--style", choices=STYLES, default="paper", help="on white, or dark (default: paper)")


def _size(text: str) -> tuple[float, float]:
    found = re.fullmatch(r"([\d.]+)[x,]([\d.]+)", text.strip())
    try:
        return float(found[1]), float(found[2])  # type: ignore[index]
    except (TypeError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r}: expected width and height in inches, as 8x5") from None

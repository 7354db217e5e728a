"""The options of commands that draw."""

from __future__ import annotations

import argparse
import re

from edgevoice.plotting.figurefile import STYLES, PictureOptions


def add_picture_options(parser: argparse.ArgumentParser) -> None:
    """Add what a user may choose about a picture."""
    group = parser.add_argument_group("picture")
    group.add_argument("--title", metavar="TEXT", help="written above (default: what is drawn)")
    group.add_argument("--size", type=_size, metavar="WxH", help="width and height in inches, as 8x5")
    group.add_argument("--dpi", type=float, default=120, metavar="N", help="pixels per inch (default: 120)")
    group.add_argument("--style", choices=STYLES, default="paper", help="on white, or dark (default: paper)")


def picture_options(arguments: argparse.Namespace) -> PictureOptions:
    """What was chosen.

    Raises:
        ArgumentError: a value is outside what is allowed.
    """
    return PictureOptions(arguments.title, arguments.dpi, arguments.size, arguments.style)


def _size(text: str) -> tuple[float, float]:
    found = re.fullmatch(r"([\d.]+)[x,]([\d.]+)", text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected width and height in inches, as 8x5")
    return float(found[1]), float(found[2])

"""Makes figures in a style, and writes them to files."""

from __future__ import annotations

import functools
import io
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from edgevoice.audio.samples import as_float
from edgevoice.errors import ArgumentError, missing
from edgevoice.files import writing
from edgevoice.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg")
STYLES = ("paper", "dark")
_MOST_PIXELS = 2e8


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """What a user may choose about a picture."""

    title: str | None = None
    """Written above; None is the picture's own title, an empty one is none."""
    dpi: float = 120
    """Pixels per inch, 20 to 1200."""
    size: tuple[float, float] | None = None
    """Width and height in inches, 1 to 100 each; None is the picture's own."""
    style: str = "paper"
    """`paper`, on white, or `dark`."""

    def __post_init__(self) -> None:
        if not 20 <= as_float(self.dpi) <= 1200:
            raise ArgumentError(f"dpi {self.dpi!r}: expected pixels per inch, from 20 to 1200")
        sides: Any = self.size if isinstance(self.size, list | tuple) else [self.size]
        if self.size is not None and not (len(sides) == 2 and all(1 <= as_float(side) <= 100 for side in sides)):
            raise ArgumentError(f"size {self.size!r}: expected width and height in inches, from 1 to 100 each")
        if self.size is not None and math.prod(self.size) * self.dpi**2 > _MOST_PIXELS:
            raise ArgumentError(f"size {self.size!r} at {self.dpi:g} dpi: more than 200 million pixels")
        if self.style not in STYLES:
            raise ArgumentError(f"style {self.style!r}: expected {' or '.join(STYLES)}")


_DEFAULT = PictureOptions()


def figure_format(path: str | os.PathLike[str], *others: str) -> str:
    """The format for the suffix of a path, one of `FORMATS` or of the others; checked before anything is computed.

    Raises:
        ArgumentError: it names no known format.
        MissingPackageError: matplotlib is not installed, or for a page Bokeh.
    """
    name = Path(path).suffix.lower().removeprefix(".")
    if name not in (*FORMATS, *others):
        raise ArgumentError(
            f"{path}: expected a name that ends in {', '.join(f'.{known}' for known in (*FORMATS, *others))}"
        )
    for package, what in (("matplotlib", "a figure"), *[("bokeh", "a page")] * (name == "html")):
        if find_spec(package) is None:
            raise missing(package, what)
    return name


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Let a function that draws take `options` too; without matplotlib it raises a MissingPackageError."""

    @functools.wraps(draw)
    def call(*arguments: Any, options: PictureOptions = _DEFAULT, **named: Any) -> Figure:
        with _style(options.style):
            figure: Any = draw(*arguments, **named)
            figure.style = options.style
            figure.set_dpi(options.dpi)
            if options.size is not None:
                figure.set_size_inches(options.size)
            _make_readable(figure)
        return cast("Figure", figure)

    return call


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure with a size in inches, without a window."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    class Picture(Figure):
        """A figure that keeps its style, with fonts of Type 42; notebooks show it even where pyplot is not imported."""

        style = "paper"

        def savefig(self, *arguments: Any, **named: Any) -> None:
            with mpl.rc_context({"pdf.fonttype": 42}):
                super().savefig(*arguments, **named)

        def draw(self, renderer: Any) -> None:
            with _style(self.style):  # ticks are made when they are drawn
                super().draw(renderer)

        def _repr_png_(self) -> bytes:
            file = io.BytesIO()
            self.savefig(file, format="png", dpi=80)
            return file.getvalue()

    return Picture(figsize=(width, height), layout="constrained")


def write_figure(figure: Figure, file: IO[bytes], kind: str, recipe: Recipe | None = None) -> None:
    """Write a figure in one of the `FORMATS`.

    The recipe of its numbers is kept in the picture's metadata, as JSON: `edgevoice.recipe` of a PNG, the description of an
    SVG, the subject of a PDF.
    """
    key = {"png": "edgevoice.recipe", "svg": "Description", "pdf": "Subject"}[kind]
    metadata = None if recipe is None else {key: recipe.to_json()}
    figure.savefig(file, format=kind, dpi=figure.dpi, metadata=metadata)


@contextmanager
def _style(name: str) -> Iterator[None]:
    """Matplotlib's settings for a style; what a user has set about LaTeX and NumPy's errors does not matter inside."""
    try:
        with writing("a figure"):  # it wants a folder of its own
            import matplotlib.figure
            import matplotlib.style
    except ImportError as error:
        raise missing("matplotlib", "a figure") from error
    styles = [*["dark_background"] * (name == "dark"), {"text.usetex": False}]
    with matplotlib.style.context(styles), np.errstate(under="ignore"):
        yield


def _make_readable(figure: Any) -> None:
    """Show every text as it is: no mathematics in it, and its characters from any font of this machine that has them.

    A name that is too long for its place loses its middle; of ticks with names, those that would touch others are left out.
    """
    from matplotlib import font_manager, rcParams
    from matplotlib.legend import Legend
    from matplotlib.text import Text
    from matplotlib.ticker import FixedLocator

    axes = [axis for panel in figure.axes for axis in (panel.xaxis, panel.yaxis)]
    named = [axis for axis in axes if isinstance(axis.get_major_locator(), FixedLocator) and len(axis.get_ticklocs())]
    narrow = {text for legend in figure.findobj(Legend) for text in (legend.get_title(), *legend.get_texts())}
    narrow |= {label for axis in named for label in axis.get_ticklabels()}
    columns = max(panel.get_gridspec().ncols for panel in figure.axes if panel.get_gridspec())
    texts = figure.findobj(Text)
    for text in texts:
        text.set_parse_math(False)
    absent = {letter for text in texts for letter in text.get_text() if letter.isprintable() and ord(letter) > 0x2FF}
    families = [*rcParams["font.family"]]
    own = font_manager.findfont(font_manager.FontProperties(family=families))
    others = {font.fname for font in font_manager.fontManager.ttflist if font.style == "normal"}
    # LastResort is a font of boxes.
    for path in (own, *sorted(path for path in others if "LastResort" not in path)) if absent else ():
        if found := absent and absent & _letters(path):
            absent -= found
            families += [font_manager.get_font(path).family_name] * (path != own)

    def shown(text: str) -> str:
        # What no font has, and control characters, would be boxes and warnings.
        return "".join(c if c == "\n" or (c.isprintable() and c not in absent) else "\ufffd" for c in text)

    for text in texts:
        text.set_text(shown(text.get_text()))
        if len(families) > 1:
            text.set_fontfamily(families)
        whole = text.get_text() == figure.get_suptitle()
        _shorten(text, 0.35 if text in narrow else 0.95 if whole or text.get_rotation() else 0.75 / columns)
    ticks = [(axis, axis.get_ticklocs(), [tick.label1 for tick in axis.get_major_ticks()]) for axis in named]
    for axis, places, labels in ticks:
        axis.set_ticks(places, [label.get_text() for label in labels])
    figure.draw_without_rendering()  # places panels
    for axis, places, labels in ticks:
        side = axis is axis.axes.yaxis
        pixels = axis.axes.transData.transform(np.stack([places, places], axis=1))[:, int(side)]
        room = 1.1 * max((label.get_window_extent().size[int(side)] for label in labels), default=0)
        kept: list[int] = []
        for k in np.argsort(-pixels).tolist():
            if not kept or pixels[kept[-1]] - pixels[k] >= room:
                kept.append(k)
        axis.set_ticks([places[k] for k in kept], [labels[k].get_text() for k in kept])


def _shorten(text: Any, share: float) -> None:
    """Cut the middle of a text that is longer than a share of the figure's width, or height if it is turned."""
    turned = int(text.get_rotation() == 90)
    length, room = text.get_window_extent().size[turned], share * text.figure.bbox.size[turned]
    if length > room:
        name = text.get_text()
        count = max(4, int(len(name) * room / length) - 1)
        text.set_text(f"{name[: count // 3]}\u2026{name[count // 3 - count :]}")


@functools.cache
def _letters(path: str) -> frozenset[str]:
    """The characters of a font; none of one that is broken."""
    from matplotlib import font_manager

    try:
        return frozenset(map(chr, font_manager.get_font(path).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()

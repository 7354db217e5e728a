"""A picture of a corpus, with a point for each row of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError
from edgevoice.plotting.figurefile import new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 20_000
"""Largest number of points; from more rows, this many are taken evenly."""
_NAMED = 20
"""Number of groups with their own colour: the largest ones."""
_ENCLOSED = 8
"""Largest number of groups that get an ellipse."""
_SHAPES = "os^D"
_UNITS = {"start": "s", "end": "s", "loudness": "dB of full scale"}


@styled
def draw_map(values: NDArray[np.floating], cells: Sequence[Any] | None = None, name: str = "", title: str = "") -> Figure:
    """Draw the rows of a table in two dimensions: rows with similar numbers are near each other.

    The dimensions are the first two principal components (K. Pearson, Phil. Mag. 2(11), 1901) of the numbers, each
    standardised over the rows; the axes say how much of the variance they hold.

    Args:
        values: numbers of each row, (rows, numbers), at least two rows.
        cells: what each row is coloured by: text, or numbers. Numbers of more than 20 values get a colour bar, all else
            colours and shapes, a legend of the 20 most frequent values, and ellipses that hold about two thirds of a group.
        name: what the cells are called.
        title: written above.
        options: style, size and dpi, a `PictureOptions`.

    Raises:
        ArgumentError: there are fewer than two rows, or their numbers are all the same.
        MissingPackageError: matplotlib is not installed.
    """
    figure = new_figure(9, 7)
    if len(values) < 2:
        raise ArgumentError(f"{len(values)} row(s): expected at least two for a map")
    chosen = np.unique(np.linspace(0, len(values) - 1, min(_MOST, len(values))).astype(np.int64))
    points, shares = principal_components(values[chosen], 2)
    panel = figure.subplots()
    size = float(np.clip(40_000 / len(chosen), 10, 70))
    if cells is None:
        panel.scatter(points[:, 0], points[:, 1], s=size, linewidths=0, color="C0", alpha=0.8)
    else:
        _colour(figure, panel, points, [cells[k] for k in chosen.tolist()], name, size)
    rows = f"{len(chosen)} of {len(values)} rows" if len(chosen) < len(values) else f"{len(values)} rows"
    parts = [title, rows, *["ellipses: 68 % of a normal distribution"] * bool(panel.lines)]
    panel.set_title("  ·  ".join(filter(None, parts)), loc="left")
    panel.set_xlabel(f"first principal component, {100 * shares[0]:.0f} % of the variance")
    panel.set_ylabel(f"second principal component, {100 * shares[1]:.0f} % of the variance")
    return figure


def principal_components(values: NDArray[np.floating], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project rows on the directions of largest variance: (rows, count), and the share of the variance in each, (count,).

    Columns are standardised first; those that do not vary are left out. The sign of a direction is such that its largest
    weight is positive, so that the picture does not depend on the machine.

    Raises:
        ArgumentError: no column varies.
    """
    spread = values.std(axis=0, dtype=np.float64)
    varies = spread > 0
    if not varies.any():
        raise ArgumentError("all rows have the same numbers: there is nothing to draw")
    rows = (values[:, varies] - values[:, varies].mean(axis=0, dtype=np.float64)) / spread[varies]
    # The smaller of the two products gives the same directions.
    if len(rows) < rows.shape[1]:
        variances, vectors = np.linalg.eigh(rows @ rows.T)
        directions = rows.T @ vectors
    else:
        variances, directions = np.linalg.eigh(rows.T @ rows)
    directions = directions[:, ::-1][:, :count]
    directions /= np.maximum(np.linalg.norm(directions, axis=0), 1e-30)
    directions *= np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])])
    points = np.zeros((len(rows), count))
    points[:, : directions.shape[1]] = rows @ directions
    shares = np.zeros(count)
    shares[: directions.shape[1]] = np.maximum(0, variances[::-1][:count]) / variances.sum()
    return points, shares


def _colour(figure: Figure, panel: Any, points: NDArray[np.float64], cells: Sequence[Any], name: str, size: float) -> None:
    numbers = _numbers(cells)
    if numbers is not None:
        known = np.isfinite(numbers)
        panel.scatter(*points[~known].T, s=size, linewidths=0, color="0.8")
        drawn = panel.scatter(*points[known].T, s=size, linewidths=0, c=numbers[known], cmap="viridis")
        unit = f" ({_UNITS[name]})" if name in _UNITS else ""
        figure.colorbar(drawn, ax=panel, label=f"{name}{unit}")
        return
    # A name of a file may have bytes that are not Unicode, which matplotlib refuses.
    groups = ["" if cell is None else str(cell).encode(errors="replace").decode() for cell in cells]
    counts = Counter(groups)
    named = sorted(counts, key=lambda group: (-counts[group], group))[:_NAMED]
    rest = np.array([group not in named for group in groups])
    if rest.any():
        label = f"{len(counts) - len(named)} others ({int(rest.sum())})"
        panel.scatter(*points[rest].T, s=size, linewidths=0, color="0.5", alpha=0.4, label=label)
    for k, group in enumerate(sorted(named)):
        own, look = np.array([other == group for other in groups]), {"color": f"C{k % 10}", "linewidths": 0, "alpha": 0.8}
        label = f"{group or 'none'} ({counts[group]})"
        panel.scatter(*points[own].T, s=size, marker=_SHAPES[k // 10 + k % 3], label=label, **look)
        if len(named) <= _ENCLOSED and counts[group] > 2:
            panel.plot(*_ellipse(points[own]), color=f"C{k % 10}", linewidth=1.2)
    figure.legend(loc="outside right upper", title=name, fontsize="small")


def _ellipse(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The outline, (2, 100), that holds 68 % of a normal distribution with the mean and covariance of points (n, 2)."""
    turn = np.linspace(0, 2 * np.pi, 100)
    variances, axes = np.linalg.eigh(np.cov(points.T))
    radii = np.sqrt(-2 * np.log(1 - 0.68) * np.maximum(0, variances))
    outline: NDArray[np.float64] = points.mean(axis=0)[:, None] + axes @ (radii[:, None] * [np.cos(turn), np.sin(turn)])
    return outline


def _numbers(cells: Sequence[Any]) -> NDArray[np.float64] | None:
    """The cells as numbers, with NaN for missing ones; None where they are names, or so few that a legend can list them."""
    found = []
    for cell in cells:
        text = "" if cell is None else str(cell)
        if isinstance(cell, bool) or (text[:1] == "0" and text.isdigit() and len(text) > 1):
            return None  # 0092 is a name
        try:
            found.append(float(text) if text else np.nan)
        except ValueError:
            return None
    values = np.array(found)
    return values if len(set(values[np.isfinite(values)].tolist())) > _NAMED else None

"""A picture of a corpus, with a point for each row of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError, missing
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
METHODS = ("pca", "lda", "umap")
_UNITS = {"start": "s", "end": "s", "loudness": "dB of full scale"}


@styled
def draw_map(
    values: NDArray[np.floating], cells: Sequence[Any] | None = None, name: str = "", title: str = "", method: str = "pca"
) -> Figure:
    """Draw the rows of a table in two dimensions: rows with similar numbers are near each other.

    The numbers are standardised over the rows. `pca` shows their first two principal components (K. Pearson, Phil. Mag.
    2(11), 1901), and how much of the variance they hold; `lda` the directions in which the groups of the cells differ most,
    of their first 50 components at most, by scikit-learn; `umap` an embedding by umap-learn.

    Args:
        values: numbers of each row, (rows, numbers), at least two rows.
        cells: what each row is coloured by: text, or numbers. Numbers of more than 20 values get a colour bar, all else
            colours and shapes, a legend of the 20 most frequent values, and ellipses that hold about two thirds of a group.
        name: what the cells are called.
        title: written above.
        method: one of METHODS.

    Raises:
        ArgumentError: there are fewer than two rows, their numbers are all the same, or `lda` has no groups.
        MissingPackageError: what the method needs is not installed.
    """
    figure = new_figure(9, 7)
    if len(values) < 2:
        raise ArgumentError(f"{len(values)} row(s): expected at least two for a map")
    chosen = np.unique(np.linspace(0, len(values) - 1, min(_MOST, len(values))).astype(np.int64))
    some = None if cells is None else [cells[k] for k in chosen.tolist()]
    points, axes = _place(values[chosen], some, name, method)
    panel: Any = figure.subplots()
    size = float(np.clip(60_000 / len(chosen), 14, 90))

    def scatter(which: Any, **look: Any) -> Any:
        drawn = panel.scatter(*points[which].T, s=size, linewidths=0, **look)
        drawn.rows = chosen[which]
        return drawn

    if some is None:
        scatter(slice(None), color="C0", alpha=0.8)
    elif (numbers := _numbers(some)) is not None:
        known = np.isfinite(numbers)
        scatter(~known, color="0.8")
        drawn = scatter(known, c=numbers[known], cmap="viridis")
        figure.colorbar(drawn, ax=panel, label=f"{name} ({_UNITS[name]})" if name in _UNITS else name)
    else:
        _draw_groups(panel, points, some, scatter)
        figure.legend(loc="outside right upper", title=name, fontsize="small")
    rows = f"{len(chosen)} of {len(values)} rows" if len(chosen) < len(values) else f"{len(values)} rows"
    parts = [title, rows, *["ellipses: 68 % of a normal distribution"] * bool(panel.lines)]
    panel.set_title("  ·  ".join(filter(None, parts)), loc="left")
    panel.set(xlabel=axes[0], ylabel=axes[1])
    return figure


def _place(
    values: NDArray[np.floating], cells: Sequence[Any] | None, name: str, method: str
) -> tuple[NDArray[np.float64], list[str]]:
    """Where the rows are, (rows, 2), and what the two axes are."""
    points, shares = principal_components(values, 2)
    first, second = (f"{100 * share:.0f} % of the variance" for share in shares)
    axes = [f"first principal component, {first}", f"second principal component, {second}"]
    if method == "pca":
        return points, axes
    try:
        if method == "umap":
            from umap import UMAP

            points = UMAP(random_state=0, n_jobs=1).fit_transform(_standardised(values))
            return points.astype(np.float64), ["first dimension of UMAP", "second dimension of UMAP"]
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    except ImportError as error:
        raise missing("umap-learn" if method == "umap" else "scikit-learn", method) from error
    groups = None if cells is None or _numbers(cells) is not None else [str(cell) for cell in cells]
    if groups is None or not 2 <= len(set(groups)) < len(groups):
        raise ArgumentError("lda separates groups: expected a column of names, two or more, of which some have several rows")
    parts, _ = principal_components(values, max(1, min(50, (len(values) - len(set(groups))) // 2)))
    found = LinearDiscriminantAnalysis().fit_transform(parts[:, parts.std(axis=0) > 1e-6], groups)
    count = min(2, found.shape[1])
    points[:, :count] = found[:, :count]  # two groups have one direction
    return points, [f"direction {k + 1} that separates {name}" for k in range(count)] + axes[: 2 - count]


def principal_components(values: NDArray[np.floating], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project rows on the directions of largest variance: (rows, count), and the share of the variance in each, (count,).

    Columns are standardised first; those that do not vary are left out. The sign of a direction is such that its largest
    weight is positive, so that the picture does not depend on the machine.
    """
    rows = _standardised(values)
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


def _standardised(values: NDArray[np.floating]) -> NDArray[np.float64]:
    spread = values.std(axis=0, dtype=np.float64)
    varies = spread > 0
    if not varies.any():
        raise ArgumentError("all rows have the same numbers: there is nothing to draw")
    return np.asarray((values[:, varies] - values[:, varies].mean(axis=0, dtype=np.float64)) / spread[varies])


def _draw_groups(panel: Any, points: NDArray[np.float64], cells: Sequence[Any], scatter: Callable[..., Any]) -> None:
    # A name of a file may have bytes that are not Unicode, which matplotlib refuses.
    groups = np.array(["" if cell is None else str(cell).encode(errors="replace").decode() for cell in cells])
    counts = Counter(groups.tolist())
    named = sorted(counts, key=lambda group: (-counts[group], group))[:_NAMED]
    rest = ~np.isin(groups, named)
    if rest.any():
        scatter(rest, color="0.5", alpha=0.4, label=f"{len(counts) - len(named)} others ({int(rest.sum())})")
    for k, group in enumerate(sorted(named)):
        own, colour, label = groups == group, f"C{k % 10}", f"{group or 'none'} ({counts[group]})"
        scatter(own, marker=_SHAPES[k // 10 + k % 3], label=label, color=colour, alpha=0.8)
        if len(named) <= _ENCLOSED and counts[group] > 2:
            panel.plot(*_ellipse(points[own]), color=colour, linewidth=1.2)


def _ellipse(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The outline, (2, 100), that holds 68 % of a normal distribution with the mean and covariance of points (n, 2)."""
    turn = np.linspace(0, 2 * np.pi, 100)
    variances, axes = np.linalg.eigh(np.cov(points.T))
    radii = np.sqrt(-2 * np.log(1 - 0.68) * np.maximum(0, variances))
    return np.asarray(points.mean(axis=0)[:, None] + axes @ (radii[:, None] * [np.cos(turn), np.sin(turn)]))


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

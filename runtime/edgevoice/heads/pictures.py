"""Pictures of heads and comparisons."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from edgevoice.heads.comparing import Comparison
from edgevoice.heads.head import Head
from edgevoice.plotting.figurefile import new_figure, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_confusion(head: Head) -> Figure:
    """Draw what was said of the pieces of each label, on groups that were held out, in shares of a row."""
    from sklearn.metrics import ConfusionMatrixDisplay

    confusion, scores = np.array(head.scores["confusion"], float), head.scores
    counts = confusion.sum(axis=1, keepdims=True)
    side = 2.5 + 0.55 * min(len(counts), 25)
    figure = new_figure(side + 0.8, side)
    panel = figure.subplots()
    shown = ConfusionMatrixDisplay(confusion / np.maximum(counts, 1), display_labels=head.labels)
    turn = "horizontal" if len(counts) < 4 else "vertical"
    shown.plot(ax=panel, include_values=len(counts) <= 12, cmap="cividis", values_format=".0%", xticks_rotation=turn)
    shown.im_.set_clim(0, 1)
    panel.set_yticks(range(len(counts)), [f"{name} ({n:.0f})" for name, n in zip(head.labels, counts[:, 0], strict=True)])
    panel.set(xlabel="said, in shares of a row", ylabel=f"{head.about['column']} (pieces)")
    low, high = scores["interval"]
    panel.set_title(f"recall {scores['value']:.2f} ({low:.2f} to {high:.2f}), chance {scores['chance']:.2f}")
    return figure


def draw_comparison(comparison: Comparison) -> Figure:
    """Draw the scores with their intervals and, where there are, the curves over the share of labelled recordings."""
    found = comparison.found
    curves = bool(found[0].curve)
    figure = new_figure(13 if curves else 7, 1.6 + max(2.5, 0.5 * len(found)))
    panels = figure.subplots(1, 1 + curves, squeeze=False)[0]
    for k, one in enumerate(found):
        colour = f"C{k % 10}"
        panels[0].plot(one.scores["interval"], [k, k], color=colour, linewidth=2)
        panels[0].plot(one.scores["value"], k, "o", color=colour)
        if curves:
            shares, (means, spreads) = list(one.curve), np.array(list(one.curve.values())).T
            panels[1].plot(shares, means, "o-", color=colour, label=one.name)
            panels[1].fill_between(shares, means - spreads, means + spreads, color=colour, alpha=0.15, linewidth=0)
            panels[1].set(xlabel="share of the recordings that are labelled", ylabel=one.scores["name"])
    panels[0].axvline(found[0].scores["chance"], color="grey", linestyle=":", label="chance")
    panels[0].set_yticks(range(len(found)), [one.name for one in found])
    panels[0].invert_yaxis()
    panels[0].set_xlabel(f"{found[0].scores['name']}, and where as many other groups would be")
    panels[0].set_title(f"{comparison.column}: {sum(comparison.pieces.values())} pieces of {comparison.groups} groups")
    for panel in panels:
        panel.legend()
    return figure


def comparison_page(comparison: Comparison, lines: Sequence[str]) -> str:
    """A comparison as one HTML page that loads nothing: a picture, and lines of text."""
    file = io.BytesIO()
    write_figure(draw_comparison(comparison), file, "png")
    picture = base64.b64encode(file.getvalue()).decode()
    title = escape(f"{comparison.column}: what features are worth")
    lost = [f"Left out of all: {len(comparison.left_out)} rows", *map(": ".join, comparison.left_out)]
    text = escape("\n".join([*lines, "", *lost]))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        f'<body style="font: 16px sans-serif; margin: 2em"><h1>{title}</h1>\n'
        f'<img alt="scores" style="max-width: 100%" src="data:image/png;base64,{picture}">\n'
        f'<pre style="overflow: auto">{text}</pre></html>\n'
    )

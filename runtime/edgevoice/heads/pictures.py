"""Pictures of heads and comparisons."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from edgevoice.heads.comparing import Comparison
from edgevoice.heads.head import Head
from edgevoice.heads.judging import sentence
from edgevoice.plotting.figurefile import new_figure, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMED = 12
"""Up to so many labels, each cell of a confusion matrix has its number."""
_STYLE = "body{font:16px sans-serif;margin:2em;max-width:60em}td,th{padding:.2em .8em;text-align:left}"


def draw_confusion(head: Head) -> Figure:
    """Draw what was said of the pieces of each label, on groups that were held out, in shares of a row."""
    confusion = np.array(head.scores["confusion"], float)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    count, about = len(shares), head.facts.about
    side = 2.5 + 0.55 * min(count, 25)
    figure = new_figure(side + 0.8, side)
    panel = figure.subplots()
    image = panel.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    panel.set_xticks(range(count), head.labels, rotation=0 if count < 4 else 90)
    panel.set_yticks(range(count), [f"{name} ({n:.0f})" for name, n in zip(head.labels, confusion.sum(axis=1), strict=True)])
    panel.set_xlabel("said")
    panel.set_ylabel(f"{about['column']} (pieces)")
    if count <= _NAMED:
        for (row, column), share in np.ndenumerate(shares):
            text = f"{100 * share:.0f} %"
            panel.text(column, row, text, ha="center", va="center", color="white" if share < 0.5 else "black")
    figure.colorbar(image, ax=panel, label="share of the pieces", shrink=0.8)
    low, high = head.scores["interval"]
    panel.set_title(f"recall {head.scores['value']:.2f} ({low:.2f} to {high:.2f}), chance {head.scores['chance']:.2f}")
    return figure


def draw_comparison(comparison: Comparison) -> Figure:
    """Draw the scores with their intervals and, where there are, the curves over the share of labelled recordings."""
    found = comparison.found
    curves = any(one.curve for one in found)
    figure = new_figure(13 if curves else 7, 1.6 + max(2.5, 0.5 * len(found)))
    panels = figure.subplots(1, 2 if curves else 1, squeeze=False)[0]
    for k, one in enumerate(found):
        low, high = one.scores["interval"]
        panels[0].plot([low, high], [k, k], color=f"C{k % 10}", linewidth=2)
        panels[0].plot(one.scores["value"], k, "o", color=f"C{k % 10}")
        if curves:
            shares = list(one.curve)
            means, spreads = np.array(list(one.curve.values())).T
            panels[1].plot(shares, means, "o-", color=f"C{k % 10}", label=one.name)
            panels[1].fill_between(shares, means - spreads, means + spreads, color=f"C{k % 10}", alpha=0.15, linewidth=0)
    panels[0].axvline(found[0].scores["chance"], color="grey", linestyle=":", label="chance")
    panels[0].set_yticks(range(len(found)), [one.name for one in found])
    panels[0].invert_yaxis()
    panels[0].set_xlabel(f"{found[0].scores['name']}, and where as many other groups would be")
    panels[0].set_title(f"{comparison.column}: {sum(comparison.pieces.values())} pieces of {comparison.groups} groups")
    panels[0].legend()
    if curves:
        panels[1].set_xlabel("share of the recordings that are labelled")
        panels[1].set_ylabel(found[0].scores["name"])
        panels[1].legend()
    return figure


def comparison_page(comparison: Comparison) -> str:
    """A comparison as one HTML page that loads nothing."""
    file = io.BytesIO()
    write_figure(draw_comparison(comparison), file, "png")
    rows = comparison.rows()
    cells = [
        "".join(
            f"<td>{escape(f'{cell:.3f}' if isinstance(cell, float) else '' if cell is None else str(cell))}</td>"
            for cell in row
        )
        for row in (row.values() for row in rows)
    ]
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in rows[0])
    words = [
        f"{one.name}: {sentence(one.scores, comparison.seconds, comparison.column, comparison.group)}"
        for one in comparison.found
    ]
    lost = "".join(f"<li>{escape(name)}: {escape(reason)}</li>" for name, reason in comparison.left_out)
    title = escape(f"{comparison.column}: what features are worth")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>'
        f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in words)}</ul>"
        f'<img alt="scores" style="max-width:100%" src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}">'
        f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
        f"<h2>Left out of all: {len(comparison.left_out)} rows</h2><ul>{lost}</ul></html>\n"
    )

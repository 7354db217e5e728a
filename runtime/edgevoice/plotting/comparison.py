"""A figure of several recordings, one below the other, with the same colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevoice.errors import ArgumentError
from edgevoice.plotting.figurefile import new_figure
from edgevoice.plotting.overview import label_hertz, narrowed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from edgevoice.config import BandsConfig
    from edgevoice.extractor import Typical
    from edgevoice.features import Features

MOST = 24
"""Largest number of recordings in one figure."""


def draw_comparison(
    recordings: Sequence[tuple[str, Features]],
    title: str = "",
    typical: Typical | None = None,
    bands: BandsConfig | None = None,
) -> Figure:
    """Draw bottleneck and reconstruction error of several recordings, one below the other.

    All have the same time axis and the same colours, which bars at the side explain.

    Args:
        recordings: the name and the features of each, 1 to 24, all of one model.
        title: written above.
        typical: what the bottleneck's standard deviations are counted from; these recordings' own mean and spread if None.
        bands: what frequencies the errors are of; the bands have numbers if None.

    Raises:
        ArgumentError: there are none, or too many, or one has no frame.
        MissingPackageError: matplotlib is not installed.
    """
    if not 1 <= len(recordings) <= MOST:
        raise ArgumentError(f"{len(recordings)} recordings: expected 1 to {MOST} in one figure (edgevoice map shows more)")
    for name, features in recordings:
        if not len(features):
            raise ArgumentError(f"{name or 'features'}: no frame, so there is nothing to draw")
    layout = recordings[0][1].layout
    kinds = ["bottleneck"] * bool(layout.bottleneck) + ["error"] * bool(layout.error)
    figure = new_figure(6 * len(kinds), 1.2 + 1.1 * len(recordings))
    panels = figure.subplots(len(recordings), len(kinds), sharex=True, squeeze=False)
    if title:
        figure.suptitle(title, x=0.01, ha="left", parse_math=False)
    longest = max(float(features.end[-1]) for _, features in recordings)
    for column, kind in enumerate(kinds):
        images = _images(recordings, kind, typical)
        low, high = (-3.0, 3.0) if kind == "bottleneck" else (min(i.min() for i in images), max(i.max() for i in images))
        colours = "RdBu_r" if kind == "bottleneck" else "magma"
        for panel, image, (name, features) in zip(panels[:, column], images, recordings, strict=True):
            hop = features.end[1] - features.end[0] if len(features) > 1 else layout.window / layout.rate
            extent = [features.end[0] - hop, features.end[-1], 0, len(image)]
            drawn = panel.imshow(
                image,
                origin="lower",
                aspect="auto",
                extent=extent,
                cmap=colours,
                vmin=low,
                vmax=high,
                interpolation="nearest",
            )
            panel.set(xlim=(0, longest), yticks=[])
            if column == 0:
                panel.set_title(name, loc="left", fontsize="small", parse_math=False)
            if kind == "error":
                if bands is None:
                    panel.set_yticks([0, len(image)])
                else:
                    label_hertz(panel, bands.low, bands.high, len(image), bands.scale == "bins")
        panels[-1, column].set_xlabel("seconds")
        label = "bottleneck, standard deviations" if kind == "bottleneck" else "error, log10 of the mean square"
        figure.colorbar(drawn, ax=panels[:, column], label=label)
    return figure


def _images(recordings: Sequence[tuple[str, Features]], kind: str, typical: Typical | None) -> list[Any]:
    """The images of each recording, (numbers, columns)."""
    if kind == "error":
        return [narrowed(features.error, lambda error: np.log10(error + 1e-9)) for _, features in recordings]
    if typical is not None:
        count = recordings[0][1].layout.bottleneck
        mean, spread = typical.mean[:count], typical.spread[:count]
    else:
        rows = np.concatenate([features.bottleneck for _, features in recordings])
        mean, spread = rows.mean(axis=0), rows.std(axis=0)
    return [narrowed(features.bottleneck, lambda code: (code - mean) / (spread + 1e-9)) for _, features in recordings]

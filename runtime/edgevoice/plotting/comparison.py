"""A figure of several recordings, one below the other, with the same colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgevoice.errors import ArgumentError
from edgevoice.plotting.figurefile import new_figure, styled
from edgevoice.plotting.timeaxis import TimeAxis, draw_code, label_hertz

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from edgevoice.config import BandsConfig
    from edgevoice.extractor import Typical
    from edgevoice.features import Features

MOST = 24
"""Largest number of recordings in one figure."""


@styled
def draw_comparison(
    recordings: Sequence[tuple[str, Features]],
    title: str = "",
    typical: Typical | None = None,
    bands: BandsConfig | None = None,
) -> Figure:
    """Draw bottleneck and reconstruction error of several recordings, one below the other.

    All have the same time axis and the same colours, which bars at the side explain. A frame is drawn at the middle of its
    window, as wide as the hop.

    Args:
        recordings: the name and the features of each, 1 to 24, all of one model.
        title: written above.
        typical: what the bottleneck's standard deviations are counted from; these recordings' own mean and spread if None.
        bands: what frequencies the errors are of; the bands have numbers if None.
        options: style, size and dpi, a `PictureOptions`.

    Raises:
        ArgumentError: there are none, or too many, or one has no frame, or they are of several models.
        MissingPackageError: matplotlib is not installed.
    """
    if not 1 <= len(recordings) <= MOST:
        raise ArgumentError(f"{len(recordings)} recordings: expected 1 to {MOST} in one figure (edgevoice map shows more)")
    for name, features in recordings:
        if not len(features):
            raise ArgumentError(f"{name or 'features'}: no frame, so there is nothing to draw")
        if features.names != recordings[0][1].names:
            raise ArgumentError(f"{name or 'features'}: has other descriptors than the first: expected those of one model")
    kinds = [kind for kind in ("bottleneck", "error") if getattr(recordings[0][1], kind).shape[1]]
    figure = new_figure(6 * len(kinds), 1.2 + 1.1 * len(recordings))
    panels = figure.subplots(len(recordings), len(kinds), sharex=True, squeeze=False)
    figure.suptitle(title, x=0.01, ha="left")
    rows = np.concatenate([features.bottleneck for _, features in recordings])
    units = rows.shape[1]
    mean, spread = (rows.mean(axis=0), rows.std(axis=0)) if typical is None else (typical.mean, typical.spread)
    errors = [features.error for _, features in recordings]
    for column, kind in enumerate(kinds):
        for panel, (name, features) in zip(panels[:, column], recordings, strict=True):
            axis = TimeAxis(features)
            if kind == "bottleneck":
                drawn = draw_code(axis, panel, features.bottleneck, mean[:units], spread[:units])
            else:
                limits = (np.log10(min(e.min() for e in errors) + 1e-9), np.log10(max(e.max() for e in errors) + 1e-9))
                drawn = axis.draw_image(panel, features.error, lambda some: np.log10(some + 1e-9), limits, "magma")
                panel.set_yticks([0, features.error.shape[1]])
                if bands is not None:
                    label_hertz(panel, bands)
            axis.mark(panel, features)
            if column == 0:
                panel.set_title(name, loc="left", fontsize="small")
        panels[-1, column].set_xlabel("seconds")
        label = "bottleneck, standard deviations" if kind == "bottleneck" else "error, log10 of the mean square"
        figure.colorbar(drawn, ax=panels[:, column], label=label)
    panels[0, 0].set_xlim(0, max(float(features.end[-1]) for _, features in recordings))
    return figure

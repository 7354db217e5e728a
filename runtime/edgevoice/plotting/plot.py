"""`edgevoice.plot`: what there is to see, as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgevoice.audio.files import AudioInput, open_source, resampled
from edgevoice.errors import ArgumentError
from edgevoice.extractor import Extractor, load
from edgevoice.features import Features
from edgevoice.plotting.figurefile import PictureOptions
from edgevoice.plotting.recordings import draw_comparison, draw_overview

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(
    what: Features | list[Features] | AudioInput,
    extractor: Extractor | None = None,
    *,
    title: str | None = None,
    size: tuple[float, float] | None = None,
    dpi: float = 120,
    style: str = "paper",
) -> Figure:
    """Draw features or a recording as a matplotlib figure; a notebook shows it, `figure.savefig(path)` writes it.

    Features are drawn as bottleneck and error over time; several, up to 24, one below the other with the same colours. A
    recording is drawn with its waveform, its spectrogram, what the decoder made of it, the difference, bottleneck and error.
    The bottleneck is in standard deviations: from its mean over speech where the extractor is given, and else over what is
    drawn.

    Args:
        what: features, several of one model, or a recording as `Extractor.extract` takes it.
        extractor: for a recording; the default model if None. For features, it gives scales: frequencies and typical values.
        title: written above; None is the name of what is drawn.
        size: width and height in inches.
        dpi: pixels per inch.
        style: `paper`, on white, or `dark`.

    Raises:
        ArgumentError: there is no frame, or an option is outside what is allowed.
        AudioError: the recording cannot be used.
        MissingPackageError: matplotlib is not installed.
    """
    options = PictureOptions(title, dpi, size, style)
    several = [what] if isinstance(what, Features) else what
    if isinstance(several, list):
        if not several or not all(isinstance(one, Features) for one in several):
            raise ArgumentError("plot: expected features, a list of features, or audio")
        if extractor and extractor.layout.names != several[0].names:
            raise ArgumentError(
                f"plot: the features are not of {extractor.config.name}: expected their own extractor, or none"
            )
        recipe = several[0].recipe
        named = [(one.source, one) for one in several]
        given = title if title is not None else recipe.model if recipe else ""
        typical, bands = (extractor.typical, extractor.config.spectrogram.bands) if extractor else (None, None)
        return draw_comparison(named, given, typical, bands, options=options)
    extractor = extractor or load()
    with open_source(several) as source:
        features = extractor.extract(source)
        name = title if title is not None else " · ".join(filter(None, [Path(source.name).name, extractor.config.name]))
        rate = extractor.config.audio.rate
        return draw_overview(extractor, resampled(source, rate, None), features, name, options=options)

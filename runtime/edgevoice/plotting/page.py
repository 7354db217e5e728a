"""A figure as a page for a browser, by Bokeh: values under the cursor, zoom, and recordings that play."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgevoice.errors import ArgumentError
from edgevoice.recipe import Recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from edgevoice.features import Features

_LONGEST = 1800
"""Seconds of audio in one recording."""
_PAGE = """{% block inner_body %}
<style>body { margin: 1em; font-family: sans-serif; color-scheme: {{ "dark" if dark else "light" }};
background: {{ "#15181d" if dark else "white" }}; color: {{ "#e6e8eb" if dark else "black" }} }
audio { height: 2em; width: 100% }</style><script type="application/json" id="edgevoice.recipe">{{ recipe }}</script>
<h3>{{ heading|e }}</h3>
{% for name, sound in sounds %}<div>{{ name|e }}<br><audio controls src="{{ sound }}"></audio></div>{% endfor %}
{{ super() }}
<script>setInterval(() => document.querySelectorAll('audio').forEach((player, k) => {
  const head = Bokeh.documents[0] && Bokeh.documents[0].get_model_by_name('playing ' + k)
  if (head && !player.paused) head.location = head.tags[0] + player.currentTime
}), 40)</script>{% endblock %}"""
_PLAY = """const player = document.querySelectorAll('audio')[k]
player.currentTime = Math.max(0, cb_obj.x - head.tags[0]); head.location = cb_obj.x; player.play()"""


class Sound(NamedTuple):
    """A recording that a page plays."""

    name: str
    rate: int
    first: float
    """Where it begins on the time axis, in seconds."""
    samples: NDArray[np.float32]

    @property
    def address(self) -> str:
        """The recording itself as FLAC, as a data URL."""
        import soundfile

        file, whole = io.BytesIO(), np.clip(np.round(self.samples * 2**15), -(2**15), 2**15 - 1).astype(np.int16)
        soundfile.write(file, whole, self.rate, format="FLAC", subtype="PCM_16")
        return f"data:audio/flac;base64,{base64.b64encode(file.getvalue()).decode()}"


def sound_of(name: str, features: Features, blocks: Iterable[NDArray[np.float32]]) -> Sound:
    """Keep the recording of some features, in blocks (samples,) at the model's rate.

    Raises:
        ArgumentError: it is too long for a page.
    """
    first = float(features.start[0])
    if features.end[-1] - first > _LONGEST:
        raise ArgumentError(
            f"{name}: over {_LONGEST // 60} minutes, too much for a page: choose a part with --start and --end, or draw a "
            "picture"
        )
    return Sound(name, features.layout.rate, first, np.concatenate([*blocks]))


def write_page(
    figure: Figure, recipe: Recipe | None = None, sounds: Sequence[Sound] = (), about: Sequence[str] = ()
) -> bytes:
    """The figure as one HTML file that loads nothing from elsewhere.

    The figure is by `draw_overview`, `draw_comparison` or `draw_map`, its numbers by a recipe. The sounds are one for all
    panels, or one for each row of panels; `about` is what is said of the points of a map, in the order of its table.
    """
    from bokeh.embed import file_html
    from bokeh.layouts import gridplot
    from bokeh.models import CustomJS, Span
    from bokeh.resources import INLINE

    drawn: Any = figure
    drawn.draw_without_rendering()  # places ticks
    axes, dark = [one for one in drawn.axes if one.get_label() != "<colorbar>"], drawn.style == "dark"
    heads = [Span(dimension="height", line_color="red", name=f"playing {k}", tags=[s.first]) for k, s in enumerate(sounds)]
    panels: dict[tuple[int, int], Any] = {}
    for one in axes:
        place = one.get_subplotspec()
        row, column = place.rowspan.start, place.colspan.start
        panel = panels[row, column] = _panel(one, about, next(iter(panels.values()), None))
        if heads:
            k = min(row, len(heads) - 1)
            panel.add_layout(heads[k])
            panel.js_on_event("tap", CustomJS(args={"k": k, "head": heads[k]}, code=_PLAY))
    rows, columns = (1 + max(place[k] for place in panels) for k in (0, 1))
    grid = [[panels.get((row, column)) for column in range(columns)] for row in range(rows)]
    heading = drawn.get_suptitle()
    variables = {
        "dark": dark,
        "heading": heading,
        "recipe": "" if recipe is None else recipe.to_json().replace("<", "\\u003c"),
        "sounds": [(sound.name, sound.address) for sound in sounds],
    }
    title = heading or axes[0].get_title(loc="left") or "EdgeVoice"
    layout = gridplot(grid, sizing_mode="stretch_width", merge_tools=True, toolbar_options={"logo": None})
    look: Any = {"template": _PAGE, "template_variables": variables, "theme": "dark_minimal" if dark else None}
    return bytes(file_html(layout, INLINE, title, **look).encode(errors="replace"))


def _panel(axes: Any, about: Sequence[str], first: Any) -> Any:
    """A panel of matplotlib as one of Bokeh; it shares the time axis of the first one, if one is given."""
    from bokeh.models import ColorBar, CustomJSHover, HoverTool, LinearColorMapper
    from bokeh.plotting import figure
    from matplotlib.colors import to_hex

    height = max(70, round(90 * axes.get_position().height * axes.figure.get_size_inches()[1]))
    height += 100 if axes.get_xlabel() and axes.images else 50  # for the labels
    times = axes.get_xlim() if first is None else first.x_range
    low, high = axes.get_ylim()
    tools = {"tools": "pan,wheel_zoom,box_zoom,reset", "active_scroll": "wheel_zoom"}
    panel = figure(height=height, x_range=times, y_range=(low, high), **tools)
    panel.title.text = axes.get_title(loc="left")
    panel.yaxis.axis_label, panel.xaxis.axis_label = axes.get_ylabel(), axes.get_xlabel()

    def tell(glyph: Any, *shown: tuple[str, str], **more: Any) -> None:
        panel.add_tools(HoverTool(renderers=[glyph], tooltips=list(shown), **more))

    for image in axes.images:
        marks = dict(zip(map(float, axes.get_yticks()), (text.get_text() for text in axes.get_yticklabels()), strict=True))
        panel.yaxis.ticker, panel.yaxis.major_label_overrides = list(marks), marks
        left, right, *_ = image.get_extent()
        values = np.ma.filled(image.get_array(), np.nan).astype(np.float32)
        palette = [to_hex(image.cmap(k)) for k in range(256)]
        mapper = LinearColorMapper(palette, low=image.norm.vmin, high=image.norm.vmax, nan_color="#00000000")
        glyph = panel.image([values], x=left, y=low, dw=right - left, dh=high - low, color_mapper=mapper)
        names = [axes.format_ydata(row + 0.5) for row in range(len(values))]
        row = CustomJSHover(args={"names": names}, code="return names[Math.floor(value)]")
        unit = image.colorbar.ax.get_ylabel() if image.colorbar else "value"
        tell(glyph, (unit, "@image{0.00}"), ("row", "$y{custom}"), ("seconds", "$x{0.00}"), formatters={"$y": row})
        if image.colorbar:
            beside = len(unit) <= 10  # a longer one has no room there
            panel.add_layout(ColorBar(color_mapper=mapper, title=unit if beside else None, width=8), "right")
            panel.xaxis.axis_label += "" if beside else f"\ncolours: {unit}"
    for line in axes.lines:
        glyph = panel.line(*map(np.asarray, line.get_data()), color=to_hex(line.get_color()), line_width=1.5)
        if not about:
            tell(glyph, (axes.get_ylabel(), "@y{0.000}"), ("seconds", "@x{0.00}"), mode="vline")
    for collection in axes.collections:
        name, colours = str(collection.get_label()), [to_hex(colour) for colour in collection.get_facecolor()]
        legend = {} if name.startswith("_") else {"legend_label": name}
        paths = [path.vertices for path in collection.get_paths()]
        if (rows := getattr(collection, "rows", None)) is not None:
            points = np.asarray(collection.get_offsets(), np.float64)
            data = {"x": points[:, 0], "y": points[:, 1], "about": [about[row] for row in rows]}
            data["colour"] = colours if len(colours) == len(rows) else colours * len(rows)
            tell(panel.scatter("x", "y", color="colour", alpha=0.8, size=8, source=data, **legend), (name, "@about"))
        elif legend:  # silence and gaps, a strip above
            edges = [path[:, 0] for path in paths]
            bottom = high - 0.06 * (high - low)
            panel.quad([x.min() for x in edges], [x.max() for x in edges], high, bottom, color=colours[0], **legend)
        else:
            for path in paths:
                panel.patch(*path.T, color=colours[0], alpha=float(collection.get_alpha() or 1))
    return panel

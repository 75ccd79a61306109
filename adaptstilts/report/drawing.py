"""How figures are drawn: matplotlib to an SVG fragment whose colours and fonts the page decides."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

WIDTH_INCHES = 4.4

# Stand-ins that matplotlib draws with; each becomes a CSS variable, so that one figure serves
# light, dark and print.
INK = "#010101"
MUTED = "#020202"
RULE = "#030303"
# Both ends of the diverging scale: blue and orange, which all kinds of colour vision tell apart.
BELOW = "#0a0a0a"
ABOVE = "#0b0b0b"
_SERIES = ("#040404", "#050505", "#060606", "#070707", "#080808", "#090909")
SERIES = len(_SERIES)
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    BELOW: "--below",
    ABOVE: "--above",
} | {colour: f"--series-{place}" for place, colour in enumerate(_SERIES)}
# Markers and dashes say the same as the colours, for eyes and printers that see none.
_MARKERS = ("o", "s", "^", "D", "v", "P")
_DASHES: tuple[str | tuple[float, tuple[float, ...]], ...] = (
    (0, (4, 2)),
    "-",
    (0, (1, 1.2)),
    (0, (6, 1.5, 1, 1.5)),
    (0, (2, 1)),
    (0, (8, 2)),
)

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "adaptstilts",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.labelsize": 9.5,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "xtick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.color": RULE,
    "ytick.labelcolor": MUTED,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.labelcolor": INK,
    "legend.handlelength": 2.3,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


@dataclass(frozen=True)
class Series:
    """How one system, or one layer, looks in every figure."""

    colour: str
    marker: str
    dashes: str | tuple[float, tuple[float, ...]]


def series(place: int) -> Series:
    """The look of a place, 0 to `SERIES` - 1; 0 is the baseline's."""
    return Series(_SERIES[place], _MARKERS[place], _DASHES[place])


@contextmanager
def canvas(height_inches: float) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure with one pair of axes in the house style."""
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
        yield figure, figure.add_subplot()


@contextmanager
def panels(heights: Sequence[float]) -> Iterator[tuple[Figure, list[Axes]]]:
    """Axes below each other, so many inches high, over one and the same x axis."""
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(WIDTH_INCHES, sum(heights)), layout="constrained")
        grid = figure.subplots(
            len(heights), 1, sharex=True, squeeze=False, height_ratios=list(heights)
        )
        yield figure, list(grid[:, 0])


def svg(figure: Figure, name: str, label: str) -> str:
    """A figure as an SVG fragment for a page.

    Args:
        figure: The figure, drawn inside `canvas`.
        name: A name unique on the page; it keeps the ids of several figures apart.
        label: What the figure shows, for those who cannot see it.

    Returns:
        One `<svg>` element with role, label and title; no prolog, no metadata, no address, the same
        bytes for the same figure.
    """
    FigureCanvasSVG(figure)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = text.replace("xlink:href", "href")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = text.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, f"var({variable})")
    box = re.search(r'viewBox="([^"]*)"', text)
    if box is None:
        raise AssertionError("matplotlib wrote an SVG without a viewBox: a bug in adaptstilts")
    body = text[text.index(">") + 1 :]
    spoken = escape(label)
    opening = f'<svg role="img" aria-label="{spoken}" viewBox="{box[1]}"><title>{spoken}</title>'
    return re.sub(r"\n\s*", "\n", opening + body).strip()

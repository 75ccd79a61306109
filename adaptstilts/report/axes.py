"""What figures share: looks of systems, lines with bands, signed axes, legends."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from adaptstilts.record.scores import Effect, Score
from adaptstilts.report import number
from adaptstilts.report.drawing import MUTED, RULE, SERIES, Series
from adaptstilts.report.load import Run
from adaptstilts.report.roles import drawn

_BAND_ALPHA = 0.18


def place(run: Run, system: str) -> int:
    """The place that decides a system's look: the baseline is 0, the others follow the recipe.

    Systems that are drawn together come first, so that their looks differ.
    """
    together = [name for name in drawn(run) if name != run.baseline]
    names = [
        *together,
        *(name for name in run.systems if name != run.baseline and name not in together),
    ]
    return names.index(system) % (SERIES - 1) + 1 if system in names else 0


def line(
    axes: Axes,
    across: Sequence[float],
    rows: Sequence[Score] | Sequence[Effect],
    style: Series,
    label: str,
) -> None:
    """A line with markers, and its interval as a band where every row has one."""
    values = [row.value * 100 for row in rows]
    if all(number.is_interval(row.low, row.high) for row in rows):
        lows, highs = [row.low * 100 for row in rows], [row.high * 100 for row in rows]
        axes.fill_between(across, lows, highs, color=style.colour, alpha=_BAND_ALPHA, linewidth=0)
    axes.plot(
        across,
        values,
        color=style.colour,
        linestyle=style.dashes,
        linewidth=1.5,
        marker=style.marker,
        markersize=4.5,
        markevery=max(1, -(-len(rows) // 13)),
        label=label,
    )


def margins(rows: Sequence[Effect]) -> list[list[float]]:
    """Distances from values to both ends of their intervals, in points; 0 where there is none."""
    pairs = [
        (row.value - row.low, row.high - row.value)
        if number.is_interval(row.low, row.high)
        else (0, 0)
        for row in rows
    ]
    return [[max(0.0, pair[end]) * 100 for pair in pairs] for end in (0, 1)]


def layer_axis(axes: Axes, headline: int | None) -> None:
    """Layers across, with an upright line at the headline's."""
    axes.set_xlabel("layer (0 = embeddings)")
    axes.set_ymargin(0.13)  # room for the line's name above the curves
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=13))
    axes.grid(axis="y", color=RULE, linewidth=0.5, alpha=0.6)
    if headline is not None:
        axes.axvline(headline, color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)), zorder=0.5)
        axes.annotate(
            f"layer {headline}",
            (headline, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, -1),
            textcoords="offset points",
            ha="left",
            va="top",
            color=MUTED,
            fontsize=8,
        )


def signed(axes: Axes, which: str) -> None:
    """Signs before the numbers of the `x` or the `y` axis."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))


def tick(value: float) -> str:
    """A tick with its sign and as many decimals as it needs, such as `+0.25`."""
    decimals = next(
        (few for few in (0, 1, 2) if math.isclose(value, round(value, few), abs_tol=1e-9)), 3
    )
    return number.points(value / 100, decimals)


def legend(axes: Axes, entries: int) -> None:
    """A legend above the axes, where it can hide nothing, with as many columns as names allow."""
    longest = max(len(text) for text in axes.get_legend_handles_labels()[1])
    fitting = max(1, 58 // (longest + 7))
    rows = -(-entries // min(entries, fitting))
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=-(-entries // rows),
        borderaxespad=0.2,
        columnspacing=1.4,
    )

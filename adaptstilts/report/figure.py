"""The figures of the page: what stands on which axis; how it is drawn lives in `drawing`."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from adaptstilts.record.scores import Effect, Score
from adaptstilts.report import number
from adaptstilts.report.drawing import INK, MUTED, RULE, SERIES, Series, canvas, series, svg
from adaptstilts.report.load import Run
from adaptstilts.report.naming import language_name, metric_name
from adaptstilts.report.selection import (
    dynamics,
    language_effects,
    layer_effects,
    layer_scores,
)

_BAND_ALPHA = 0.18


def place(run: Run, system: str) -> int:
    """The place that decides a system's look: the baseline is 0, the others follow the recipe."""
    names = [name for name in run.systems if name != run.baseline]
    return names.index(system) % (SERIES - 1) + 1 if system in names else 0


def layer_curve(run: Run) -> str | None:
    """Macro score of each system by layer, with interval bands; None where there are no layers."""
    curves = {system: layer_scores(run, system) for system in run.systems}
    curves = {system: rows for system, rows in curves.items() if rows}
    headline = run.record.headline
    if not curves or headline is None:
        return None
    with canvas(3.0) as (figure, axes):
        for system, rows in curves.items():
            _line(axes, [row.layer or 0 for row in rows], rows, series(place(run, system)), system)
        _layer_axis(axes, headline.layer)
        axes.set_ylabel(f"macro {metric_name(headline.metric)} (%)")
        _legend(axes, len(curves))
        said = "; ".join(
            f"{system} from {number.percent(rows[0].value)} at layer {rows[0].layer} to "
            f"{number.percent(rows[-1].value)} at layer {rows[-1].layer}"
            for system, rows in curves.items()
        )
        return svg(figure, "layers", f"Macro {metric_name(headline.metric)} by layer: {said}.")


def effect_curve(run: Run) -> str | None:
    """Effect of each system on the macro score by layer, with interval bands."""
    curves = {
        system: layer_effects(run, system) for system in run.systems if system != run.baseline
    }
    curves = {system: rows for system, rows in curves.items() if rows}
    headline = run.record.headline
    if not curves or headline is None:
        return None
    with canvas(3.0) as (figure, axes):
        axes.axhline(0, color=INK, linewidth=0.8)
        for system, rows in curves.items():
            _line(axes, [row.layer or 0 for row in rows], rows, series(place(run, system)), system)
        _layer_axis(axes, headline.layer)
        axes.set_ylabel(f"difference to {run.baseline} (points)")
        _signed(axes, "y")
        _legend(axes, len(curves))
        said = "; ".join(
            f"{system} lies between {number.points(min(row.value for row in rows))} and "
            f"{number.points(max(row.value for row in rows))} points"
            for system, rows in curves.items()
        )
        return svg(figure, "effects", f"Difference to {run.baseline} by layer: {said}.")


def language_bars(run: Run, system: str, which: int) -> str | None:
    """Effect of one system in each language at the headline layer, sorted, with intervals and n.

    Args:
        run: The run.
        system: A system that is not the baseline.
        which: Its number on the page, which keeps the figures' ids apart.

    Returns:
        An SVG fragment, or None where the run has no effect by language.
    """
    effects = sorted(
        language_effects(run, system).values(), key=lambda row: (row.value, row.language)
    )
    if not effects:
        return None
    colours = series(place(run, system))
    with canvas(0.9 + 0.21 * len(effects)) as (figure, axes):
        rows = range(len(effects))
        values = [row.value * 100 for row in effects]
        axes.barh(rows, values, height=0.62, color=colours.colour, alpha=0.35, linewidth=0)
        axes.errorbar(
            values,
            rows,
            xerr=_margins(effects),
            fmt=colours.marker,
            color=colours.colour,
            markersize=4,
            elinewidth=1.1,
            capsize=2,
        )
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(rows, [language_name(row.language) for row in effects], color=INK)
        axes.set_ylim(-0.7, len(effects) - 0.3)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        for position, row in enumerate(effects):
            axes.text(
                1.02,
                position,
                number.count(row.n),
                transform=axes.get_yaxis_transform(),
                ha="left",
                va="center",
                color=MUTED,
                fontsize=8,
            )
        axes.text(
            1.02,
            1.0,
            "n",
            transform=axes.transAxes,
            ha="left",
            va="bottom",
            color=MUTED,
            fontsize=8,
        )
        axes.grid(axis="x", color=RULE, linewidth=0.5, alpha=0.6)
        axes.set_xlabel(f"difference to {run.baseline} (points)")
        _signed(axes, "x")
        said = ", ".join(
            f"{language_name(row.language)} {number.points(row.value)}" for row in effects
        )
        return svg(
            figure,
            f"languages-{which}",
            f"Difference of {system} to {run.baseline} by language, in points: {said}.",
        )


def dynamics_curve(run: Run, system: str, which: int) -> str | None:
    """Macro score against the share of training, at the headline layer and a few others.

    Args:
        run: The run.
        system: A system that was measured during its training.
        which: Its number on the page, which keeps the figures' ids apart.

    Returns:
        An SVG fragment, or None where nothing was measured during training.
    """
    headline = run.record.headline
    curves = dynamics(run).get(system, {})
    if not curves or headline is None:
        return None
    shown = _few_layers(sorted(curves), headline.layer)
    with canvas(3.2) as (figure, axes):
        others = 0
        for layer in shown:
            rows = curves[layer]
            shares = [(row.trained_share or 0.0) * 100 for row in rows]
            if layer == headline.layer:
                _line(axes, shares, rows, series(place(run, system)), f"layer {layer} (headline)")
            else:
                other = series(others + 2)
                others += 1
                style = Series(MUTED, other.marker, other.dashes)
                _line(axes, shares, rows, style, f"layer {layer}")
        axes.set_xlabel("share of training (%)")
        axes.set_ylabel(f"macro {metric_name(headline.metric)} (%)")
        axes.set_xlim(-2, 102)
        axes.grid(axis="y", color=RULE, linewidth=0.5, alpha=0.6)
        _legend(axes, len(shown))
        ends = "; ".join(
            f"layer {layer} goes from {number.percent(curves[layer][0].value)} to "
            f"{number.percent(curves[layer][-1].value)}"
            for layer in shown
        )
        return svg(figure, f"dynamics-{which}", f"{system} during its training: {ends}.")


def _few_layers(layers: Sequence[int], headline: int | None, most: int = 4) -> list[int]:
    """The headline layer and layers spread evenly over the rest, with the last."""
    others = [layer for layer in layers if layer != headline]
    spread = min(most - 1, len(others))
    chosen = {others[(place + 1) * len(others) // spread - 1] for place in range(spread)}
    return [layer for layer in layers if layer == headline or layer in chosen]


def _line(
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


def _margins(rows: Sequence[Effect]) -> list[list[float]]:
    """Distances from values to both ends of their intervals, in points; 0 where there is none."""
    pairs = [
        (row.value - row.low, row.high - row.value)
        if number.is_interval(row.low, row.high)
        else (0, 0)
        for row in rows
    ]
    return [[max(0.0, pair[end]) * 100 for pair in pairs] for end in (0, 1)]


def _layer_axis(axes: Axes, headline: int | None) -> None:
    axes.set_xlabel("layer (0 = embeddings)")
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


def _signed(axes: Axes, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(
        FuncFormatter(
            lambda value, _: number.points(value / 100, 0 if value == round(value) else 1)
        )
    )


def _legend(axes: Axes, entries: int) -> None:
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

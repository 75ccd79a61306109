"""The figures by layer and by language: what stands on which axis."""

from __future__ import annotations

from adaptstilts.report import number
from adaptstilts.report.axes import layer_axis, legend, line, margins, place, signed
from adaptstilts.report.drawing import INK, MUTED, RULE, SERIES, canvas, series, svg
from adaptstilts.report.load import Run
from adaptstilts.report.naming import language_name, metric_name, space_name
from adaptstilts.report.roles import drawn
from adaptstilts.report.selection import (
    language_effects,
    layer_effects,
    layer_scores,
    shown_layer,
)
from adaptstilts.report.spaces import space_curves


def layer_curve(run: Run) -> str | None:
    """Macro score of each system by layer, with interval bands; None where there are no layers."""
    curves = {system: layer_scores(run, system) for system in drawn(run)}
    curves = {system: rows for system, rows in curves.items() if rows}
    headline = run.record.headline
    if not curves or headline is None:
        return None
    with canvas(3.0) as (figure, axes):
        for system, rows in curves.items():
            line(axes, [row.layer or 0 for row in rows], rows, series(place(run, system)), system)
        layer_axis(axes, shown_layer(run))
        axes.set_ylabel(f"macro {metric_name(headline.metric)} (%)")
        legend(axes, len(curves))
        said = "; ".join(
            f"{system} from {number.percent(rows[0].value)} at layer {rows[0].layer} to "
            f"{number.percent(rows[-1].value)} at layer {rows[-1].layer}"
            for system, rows in curves.items()
        )
        return svg(figure, "layers", f"Macro {metric_name(headline.metric)} by layer: {said}.")


def effect_curve(run: Run) -> str | None:
    """Effect of each system on the macro score by layer, with interval bands."""
    curves = {system: layer_effects(run, system) for system in drawn(run) if system != run.baseline}
    curves = {system: rows for system, rows in curves.items() if rows}
    headline = run.record.headline
    if not curves or headline is None:
        return None
    with canvas(3.0) as (figure, axes):
        axes.axhline(0, color=INK, linewidth=0.8)
        for system, rows in curves.items():
            line(axes, [row.layer or 0 for row in rows], rows, series(place(run, system)), system)
        layer_axis(axes, shown_layer(run))
        axes.set_ylabel(f"difference to {run.baseline} (points)")
        signed(axes, "y")
        legend(axes, len(curves))
        said = "; ".join(
            f"{system} lies between {number.points(min(row.value for row in rows))} and "
            f"{number.points(max(row.value for row in rows))} points"
            for system, rows in curves.items()
        )
        return svg(figure, "effects", f"Difference to {run.baseline} by layer: {said}.")


def language_bars(run: Run, system: str, which: int) -> str | None:
    """Effect of one system in each language in the headline's cell, sorted, with intervals and n.

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
            xerr=margins(effects),
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
        signed(axes, "x")
        said = ", ".join(
            f"{language_name(row.language)} {number.points(row.value)}" for row in effects
        )
        return svg(
            figure,
            f"languages-{which}",
            f"Difference of {system} to {run.baseline} by language, in points: {said}.",
        )


def space_curve(run: Run) -> str | None:
    """The baseline's accuracy by layer in its vectors as they are and after each post-processing.

    Returns:
        An SVG fragment, or None where no post-processed space was scored.
    """
    curves = space_curves(run)
    if not curves:
        return None
    with canvas(3.1) as (figure, axes):
        for number_, (space, rows) in enumerate(curves.items()):
            across = [row.layer or 0 for row in rows]
            line(axes, across, rows, series(number_ % SERIES), space_name(space))
        layer_axis(axes, shown_layer(run))
        axes.set_ylabel("macro accuracy (%)")
        legend(axes, len(curves))
        said = "; ".join(
            f"{space_name(space)} highest at layer {best.layer} with {number.percent(best.value)}"
            for space, rows in curves.items()
            for best in [max(rows, key=lambda row: row.value)]
        )
        return svg(figure, "spaces", f"Macro accuracy of {run.baseline} by layer: {said}.")

"""Effects beside those of controls, and against the factor of a sweep."""

from __future__ import annotations

from matplotlib.axes import Axes

from adaptstilts.record.scores import Effect
from adaptstilts.report import number
from adaptstilts.report.axes import margins, place, signed
from adaptstilts.report.controls import contrasts
from adaptstilts.report.drawing import INK, MUTED, RULE, canvas, series, svg
from adaptstilts.report.load import Run
from adaptstilts.report.roles import sweeps
from adaptstilts.report.selection import headline_effects


def forest(run: Run) -> str | None:
    """The effect of each studied system and, below it, of each of its controls, with intervals.

    Returns:
        An SVG fragment, or None where no system has controls.
    """
    groups = contrasts(run)
    rows: list[tuple[str, Effect, bool]] = []
    for group in groups:
        if group.effect is not None:
            rows.append((group.system, group.effect, True))
        rows += [(row.control, row.effect, False) for row in group.comparisons if row.effect]
    if not rows:
        return None
    with canvas(0.75 + 0.3 * len(rows)) as (figure, axes):
        _margin(axes, run, is_upright=True)
        axes.axvline(0, color=INK, linewidth=0.8)
        for position, (system, effect, is_studied) in enumerate(reversed(rows)):
            look = series(place(run, system))
            axes.errorbar(
                [effect.value * 100],
                [position],
                xerr=margins([effect]),
                fmt=look.marker,
                color=look.colour,
                markersize=7 if is_studied else 5,
                elinewidth=1.8 if is_studied else 1.2,
                capsize=3,
            )
            if is_studied and position < len(rows) - 1:
                axes.axhline(position + 0.5, color=RULE, linewidth=0.7)
            axes.text(
                1.02,
                position,
                number.points(effect.value, number.decimals_for(effect.low, effect.high)),
                transform=axes.get_yaxis_transform(),
                ha="left",
                va="center",
                color=INK if is_studied else MUTED,
                fontsize=8.5,
            )
        names = [system if is_studied else f"· {system}" for system, _, is_studied in rows]
        axes.set_yticks(range(len(rows)), names[::-1], color=INK)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=RULE, linewidth=0.5, alpha=0.6)
        axes.set_xlabel(f"difference to {run.baseline} (points)")
        signed(axes, "x")
        said = "; ".join(
            f"{system} {number.points(effect.value)} "
            f"({number.points_interval(effect.low, effect.high) or 'no interval'})"
            for system, effect, _ in rows
        )
        return svg(
            figure,
            "forest",
            f"Difference to {run.baseline} of systems and their controls, in points: {said}.",
        )


def dose_response(run: Run, adapter: str, which: int) -> str | None:
    """Effect against the factor by which an adapter's update is scaled; 0 is the baseline.

    Args:
        run: The run.
        adapter: The adapter that is scaled.
        which: Its number on the page, which keeps the figures' ids apart.

    Returns:
        An SVG fragment, or None where fewer than two factors were measured.
    """
    steps = dose_steps(run, adapter)
    if len(steps) < 2:
        return None
    points = sorted([(0.0, 0.0), *((factor, effect.value * 100) for factor, effect in steps)])
    with canvas(2.9) as (figure, axes):
        _margin(axes, run, is_upright=False)
        axes.axhline(0, color=INK, linewidth=0.8)
        look = series(1)
        axes.plot(*zip(*points, strict=True), color=look.colour, linewidth=1.2, alpha=0.6)
        axes.errorbar(
            [factor for factor, _ in steps],
            [effect.value * 100 for _, effect in steps],
            yerr=margins([effect for _, effect in steps]),
            fmt=look.marker,
            color=look.colour,
            markersize=5,
            elinewidth=1.2,
            capsize=3,
        )
        base = series(0)
        axes.plot([0], [0], base.marker, color=base.colour, markersize=7)
        marks = {0.0: str(run.baseline), 1.0: adapter}
        for factor, value in points:
            if factor in marks:
                axes.annotate(
                    marks[factor],
                    (factor, value),
                    xytext=(5, 6),
                    textcoords="offset points",
                    color=MUTED,
                    fontsize=8.5,
                )
        axes.set_xticks([factor for factor, _ in points])
        axes.set_xticklabels([f"{factor:g}".replace("-", number.MINUS) for factor, _ in points])
        axes.set_xlabel(f"factor on the update of {adapter}")
        axes.set_ylabel(f"difference to {run.baseline} (points)")
        axes.grid(axis="y", color=RULE, linewidth=0.5, alpha=0.6)
        axes.margins(x=0.08)
        signed(axes, "y")
        said = ", ".join(
            f"{number.points(effect.value)} at {number.plain(factor, 2)}"
            for factor, effect in steps
        )
        return svg(
            figure,
            f"dose-{which}",
            f"Difference to {run.baseline} by the factor on {adapter}, in points: {said}.",
        )


def dose_steps(run: Run, adapter: str) -> list[tuple[float, Effect]]:
    """Factors of an adapter's sweep and their effects, by factor."""
    effects = headline_effects(run)
    return [
        (factor, effects[system])
        for system, factor in sweeps(run).get(adapter, {}).items()
        if system in effects
    ]


def _margin(axes: Axes, run: Run, *, is_upright: bool) -> None:
    """A band over the changes that would not matter."""
    if run.margin is None:
        return
    span = axes.axvspan if is_upright else axes.axhspan
    span(-run.margin * 100, run.margin * 100, color=MUTED, alpha=0.13, linewidth=0, zorder=0)

"""Alignment during training, above the training's own loss and dev score."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from adaptstilts.record.run import AdapterRecord
from adaptstilts.report import number
from adaptstilts.report.axes import legend, line, place
from adaptstilts.report.drawing import MUTED, RULE, Series, panels, series, svg
from adaptstilts.report.load import Run
from adaptstilts.report.naming import dev_metric_name, metric_name
from adaptstilts.report.roles import trainings
from adaptstilts.report.selection import dynamics, dynamics_seeds, shown_layer

_HEIGHTS = (2.6, 1.1, 1.2)


def dynamics_curve(run: Run, system: str, which: int) -> str | None:
    """Macro score against the share of training, and below it the training's loss and dev score.

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
    main = shown_layer(run)
    shown = _few_layers(sorted(curves), main)
    records = training_records(run, system)
    with panels(_HEIGHTS if records else (3.2,)) as (figure, all_axes):
        top = all_axes[0]
        others = 0
        for layer in shown:
            rows = curves[layer]
            shares = [(row.trained_share or 0.0) * 100 for row in rows]
            if layer == main:
                look = series(place(run, system))
                _seed_lines(top, run, system, layer, look)
                line(top, shares, rows, look, f"layer {layer} (headline)")
            else:
                other = series(others + 2)
                others += 1
                style = Series(MUTED, other.marker, other.dashes)
                line(top, shares, rows, style, f"layer {layer}")
        top.set_ylabel(f"macro {metric_name(headline.metric)} (%)")
        top.set_xlim(-2, 102)
        top.grid(axis="y", color=RULE, linewidth=0.5, alpha=0.6)
        legend(top, len(shown))
        if records:
            look = series(place(run, system))
            _training(all_axes[1], records, "loss", look)
            _training(all_axes[2], records, "dev_accuracy", look)
            figure.align_ylabels(all_axes)
        all_axes[-1].set_xlabel("share of training (%)")
        ends = "; ".join(
            f"layer {layer} goes from {number.percent(curves[layer][0].value)} to "
            f"{number.percent(curves[layer][-1].value)}"
            for layer in shown
        )
        below = "".join(
            f" {name}: loss from {record.curve[0].loss:.3f} to {record.curve[-1].loss:.3f}, dev "
            f"accuracy from {number.percent(record.curve[0].dev_accuracy)} to "
            f"{number.percent(record.curve[-1].dev_accuracy)}."
            for name, record in records.items()
        )
        return svg(figure, f"dynamics-{which}", f"{system} during its training: {ends}.{below}")


def training_records(run: Run, system: str) -> dict[str, AdapterRecord]:
    """The trainings of the one adapter that a system is, as far as their curves were kept."""
    expression = run.systems.get(system)
    found = trainings(run, expression) if isinstance(expression, str) else {}
    return {name: record for name, record in found.items() if record.curve}


def _seed_lines(axes: Axes, run: Run, system: str, layer: int, look: Series) -> None:
    """A thin line for each seed, where there are several."""
    seeds = dynamics_seeds(run, system, layer)
    if len(seeds) < 2:
        return
    for rows in seeds.values():
        axes.plot(
            [(row.trained_share or 0.0) * 100 for row in rows],
            [row.value * 100 for row in rows],
            color=look.colour,
            linewidth=0.7,
            alpha=0.7,
        )


def _training(axes: Axes, records: dict[str, AdapterRecord], what: str, look: Series) -> None:
    """The loss or the dev score of every training; the mean is thick where there are several."""
    metric = dev_metric_name(next(iter(records.values())).dev_metric)
    score = f"dev {metric} (%)".replace(" accuracy", "\naccuracy")
    factor, label = (1, "loss") if what == "loss" else (100, score)
    lines = [
        [(point.share * 100, getattr(point, what) * factor) for point in record.curve]
        for record in records.values()
    ]
    is_many = len(lines) > 1
    for points in lines:
        axes.plot(
            *zip(*points, strict=True),
            color=look.colour,
            linewidth=0.7 if is_many else 1.5,
            alpha=0.7 if is_many else 1,
            marker=None if is_many else look.marker,
            markersize=3.5,
        )
    shares = [share for share, _ in lines[0]]
    if is_many and all([share for share, _ in points] == shares for points in lines):
        means = [
            sum(points[step][1] for points in lines) / len(lines) for step in range(len(shares))
        ]
        axes.plot(
            shares, means, color=look.colour, linewidth=1.5, marker=look.marker, markersize=3.5
        )
    axes.set_ylabel(label)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
    axes.grid(axis="y", color=RULE, linewidth=0.5, alpha=0.6)


def _few_layers(layers: Sequence[int], headline: int | None, most: int = 4) -> list[int]:
    """The headline layer and layers spread evenly over the rest, with the last."""
    others = [layer for layer in layers if layer != headline]
    spread = min(most - 1, len(others))
    chosen = {others[(place + 1) * len(others) // spread - 1] for place in range(spread)}
    return [layer for layer in layers if layer == headline or layer in chosen]

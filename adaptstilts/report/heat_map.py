"""Where and when alignment moves: the change of every layer at every share of training."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.patches import Rectangle

from adaptstilts.report import number
from adaptstilts.report.drawing import ABOVE, BELOW, INK, MUTED, canvas, svg
from adaptstilts.report.load import Run
from adaptstilts.report.selection import dynamics, dynamics_effects, shown_layer

# More cells than this across leave no room for numbers in them.
_MOST_NUMBERED = 13
_STRONGEST = 0.75
# The strongest colour is never less than this, or noise would look like an effect.
_LEAST = 0.01


@dataclass(frozen=True)
class Cell:
    """The change of one layer at one share of training.

    Attributes:
        change: In 0–1, from the first share that was measured.
        is_real: Whether the interval of its paired difference leaves out zero; None where no
            paired difference to the baseline was measured.
    """

    change: float
    is_real: bool | None


def changes(run: Run, system: str) -> dict[int, dict[float, Cell]]:
    """The change of the macro score from the start: layer → share → cell, all layers, all shares.

    Where snapshots were compared with the baseline, and it is what the training starts from, the
    paired difference is the same change, and its interval says whether it is real.
    """
    paired = dynamics_effects(run, system)
    found: dict[int, dict[float, Cell]] = {}
    for layer, rows in dynamics(run).get(system, {}).items():
        start = rows[0]
        known = {row.trained_share: row for row in paired.get(layer, []) if row.n == start.n}
        cells = {}
        for row in rows:
            effect = known.get(row.trained_share)
            change = row.value - start.value
            is_same = effect is not None and abs(effect.value - change) < 5e-4
            real = None
            if effect is not None and is_same and number.is_interval(effect.low, effect.high):
                real = not effect.low <= 0 <= effect.high
            cells[row.trained_share or 0.0] = Cell(change, real)
        found[layer] = cells
    return found


def heat_map(run: Run, system: str, which: int) -> str | None:
    """Layer against share of training; colour and number are the change in points.

    Args:
        run: The run.
        system: A system that was measured during its training.
        which: Its number on the page, which keeps the figures' ids apart.

    Returns:
        An SVG fragment, or None where fewer than two shares or layers were measured.
    """
    found = changes(run, system)
    shares = sorted({share for cells in found.values() for share in cells})
    layers = sorted(found)
    if len(shares) < 2 or len(layers) < 2:
        return None
    largest = _largest(run)
    is_numbered = len(shares) <= _MOST_NUMBERED
    size = 7.5 if len(shares) <= 8 else 6
    main = shown_layer(run)
    with canvas(0.8 + 0.24 * len(layers)) as (figure, axes):
        for y, layer in enumerate(layers):
            for x, share in enumerate(shares):
                cell = found[layer].get(share)
                if cell is None:
                    continue
                strength = abs(cell.change) / largest
                axes.add_patch(
                    Rectangle(
                        (x - 0.5, y - 0.5),
                        1,
                        1,
                        facecolor=ABOVE if cell.change > 0 else BELOW,
                        alpha=_STRONGEST * strength,
                        linewidth=0,
                    )
                )
                if is_numbered:
                    axes.text(
                        x,
                        y,
                        number.points(cell.change),
                        ha="center",
                        va="center",
                        color=INK if cell.is_real or strength > 0.3 else MUTED,
                        fontsize=size,
                        fontweight="bold" if cell.is_real else "normal",
                    )
        axes.set_xlim(-0.5, len(shares) - 0.5)
        axes.set_ylim(-0.5, len(layers) - 0.5)
        every = max(1, -(-len(shares) // 11))
        axes.set_xticks(
            range(0, len(shares), every), [f"{share * 100:g}" for share in shares[::every]]
        )
        axes.set_yticks(range(len(layers)), [str(layer) for layer in layers])
        for label, layer in zip(axes.get_yticklabels(), layers, strict=True):
            if layer == main:
                label.set_color(INK)
                label.set_fontweight("bold")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_xlabel("share of training (%)")
        axes.set_ylabel("layer (0 = embeddings)")
        ends = ", ".join(
            f"layer {layer} {number.points(found[layer][max(found[layer])].change)}"
            for layer in layers
        )
        return svg(
            figure,
            f"heat-{which}",
            f"Change of {system} from its start, by layer and share of training; at the end, in "
            f"points: {ends}.",
        )


def _largest(run: Run) -> float:
    """The change that has the strongest colour, the same in all maps of a run."""
    found = [
        abs(cell.change)
        for system in dynamics(run)
        for cells in changes(run, system).values()
        for cell in cells.values()
    ]
    return max([_LEAST, *found])

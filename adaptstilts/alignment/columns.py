"""Every score of a system as one column: who asks, in which space, at which layer, what counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.protocol import BOTH, Direction, Metric, Protocol
from adaptstilts.alignment.retrieval import Retrieval, outcomes
from adaptstilts.record.scores import AS_IS

# What `metrics: all` adds to a protocol's own.
ALL_METRICS: tuple[Metric, ...] = (
    "accuracy",
    "mrr",
    "accuracy_margin",
    "accuracy_csls",
    "accuracy_strong",
    "xsim_error",
    "cosine_gap",
)

# How the names of metrics begin that are shares of items which are right, or wrong.
SHARES = ("accuracy", "xsim")


@dataclass(frozen=True)
class Column:
    """One score of every language.

    Attributes:
        direction: Who asks.
        space: What was done to the vectors.
        layer: Index into `hidden_states`; None where languages have layers of their own.
        chosen: What chose the layer; None where it is given.
        metric: What is counted.
        is_own: Whether the protocol itself scores so; others are diagnostics.
    """

    direction: Direction
    space: str
    layer: int | None
    chosen: str | None
    metric: Metric
    is_own: bool


@dataclass(frozen=True)
class Chosen:
    """The layer that was chosen for each language.

    Attributes:
        on: What chose them: `held_out`, `leave_languages_out` or `oracle`.
        layers: By language an index into `hidden_states`.
    """

    on: str
    layers: dict[str, int]

    @property
    def layer(self) -> int | None:
        """The layer, where all languages have the same."""
        found = set(self.layers.values())
        return found.pop() if len(found) == 1 else None


@dataclass(frozen=True)
class Found:
    """What a system found on one language.

    Attributes:
        retrieval: In the vectors as they are.
        spaces: In the vectors after each post-processing, by its name.
    """

    retrieval: Retrieval
    spaces: dict[str, Retrieval]


def tabulate(
    found: Sequence[Found], protocol: Protocol, chosen: Chosen | None, *, everything: bool = False
) -> tuple[list[Column], list[NDArray[np.float64]]]:
    """Every score of a system as columns of outcomes.

    The protocol's own metrics are given in all of its directions; other metrics and spaces in its
    first direction alone.

    Args:
        found: One for each language, all with the same layers and spaces.
        protocol: How it is scored.
        chosen: The chosen layers, for columns of their own.
        everything: Whether the metrics of `metrics: all` are given too.

    Returns:
        The columns, and for each language the outcome of each item, shape [items, columns].
    """
    columns: list[Column] = []
    parts: list[list[NDArray[np.float64]]] = [[] for _ in found]

    def add(space: str, direction: Direction, metric: Metric, *, is_own: bool) -> None:
        layers = found[0].retrieval.layers
        values = [outcomes(_of(one, space), direction, metric) for one in found]
        columns.extend(Column(direction, space, layer, None, metric, is_own) for layer in layers)
        for part, value in zip(parts, values, strict=True):
            part.append(value)
        if chosen is not None and is_own:
            columns.append(Column(direction, space, chosen.layer, chosen.on, metric, is_own))
            for part, value, one in zip(parts, values, found, strict=True):
                place = layers.index(chosen.layers[one.retrieval.language])
                part.append(value[:, [place]])

    for direction in protocol.directions:
        for metric in protocol.metrics:
            add(AS_IS, direction, metric, is_own=True)
    first = protocol.directions[0]
    if everything:
        for metric in ALL_METRICS:
            if metric not in protocol.metrics:
                add(AS_IS, first, metric, is_own=False)
    for space in found[0].spaces:
        add(space, first, "accuracy", is_own=False)
    return columns, [np.concatenate(part, axis=1) for part in parts]


def _of(found: Found, space: str) -> Retrieval:
    return found.retrieval if space == AS_IS else found.spaces[space]


def is_binary(column: Column) -> bool:
    """Whether each outcome is 0 or 1, so that an interval for a share fits."""
    return column.direction != BOTH and column.metric.startswith(SHARES)


def best_layer(values: NDArray[Any], layers: Sequence[int], candidates: Sequence[int]) -> int:
    """The candidate with the highest value; of equals the lowest.

    Args:
        values: One for each of `layers`.
        layers: Indices into `hidden_states`.
        candidates: Those to choose from.
    """
    places = [place for place, layer in enumerate(layers) if layer in candidates]
    return layers[max(places, key=lambda place: (values[place], -place))]


def choose(
    on: str,
    languages: Sequence[str],
    means: NDArray[np.float64],
    layers: Sequence[int],
    candidates: Sequence[int],
) -> Chosen:
    """Chooses a layer for each language by the baseline's scores.

    Args:
        on: `held_out` (the means are of other sentences), `leave_languages_out` (each language's
            layer by all other languages) or `oracle` (by the scored rows themselves).
        languages: The scored languages; with `leave_languages_out` and `oracle` those of `means`.
        means: The baseline's score of each language and layer, shape [languages, layers].
        layers: Indices into `hidden_states`, as in `means`.
        candidates: The layers to choose from.

    Returns:
        With `held_out` and `oracle` the same layer for all languages.

    Raises:
        ValueError: `leave_languages_out` with a single language.
    """
    if on != "leave_languages_out":
        layer = best_layer(means.mean(axis=0), layers, candidates)
        return Chosen(on, dict.fromkeys(languages, layer))
    if len(languages) < 2:
        raise ValueError("to leave a language out, two or more are needed")
    # Not the sum of all less the language's own: its rounding would let the own decide ties.
    others = [np.delete(means, place, axis=0).mean(axis=0) for place in range(len(means))]
    return Chosen(
        on,
        {
            language: best_layer(row, layers, candidates)
            for language, row in zip(languages, others, strict=True)
        },
    )

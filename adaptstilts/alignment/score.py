"""From what systems found to tidy scores with intervals, and to paired effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.protocol import BOTH, Direction, Metric, Protocol
from adaptstilts.alignment.retrieval import Retrieval, outcomes
from adaptstilts.metric.bootstrap import (
    Interval,
    difference_interval,
    language_difference_intervals,
    language_intervals,
    macro_interval,
)
from adaptstilts.metric.interval import wilson
from adaptstilts.record.scores import MACRO, Effect, Score


@dataclass(frozen=True)
class Measured:
    """What one system found on a benchmark, and who it was.

    Attributes:
        system: Name in the recipe.
        seed: Its training's seed, or None for the bare base.
        trained_share: For a snapshot taken during training the share that was done; else None.
        retrievals: One for each language.
    """

    system: str
    seed: int | None
    trained_share: float | None
    retrievals: Sequence[Retrieval]


def scores(
    measured: Measured,
    clusters: Sequence[NDArray[np.int64]],
    *,
    benchmark: str,
    protocol: Protocol,
) -> list[Score]:
    """Every score of a system: each direction, metric, layer and language, and their macro mean.

    Intervals are 95 %: Wilson's for the share of right answers in one direction, else a bootstrap
    clustered by English sentence.

    Args:
        measured: What the system found.
        clusters: For each language the number of each item's English sentence, shape [items].
        benchmark: Name of the data that was scored.
        protocol: How it is scored.
    """
    rows: list[Score] = []
    for direction in protocol.directions:
        for metric in protocol.metrics:
            hits = _outcomes(measured, direction, metric)
            intervals = (
                _wilson_intervals(hits)
                if metric == "accuracy" and direction != BOTH
                else language_intervals(hits, clusters)
            )
            named = [
                *zip((r.language for r in measured.retrievals), intervals, strict=True),
                (MACRO, macro_interval(hits, clusters)),
            ]
            for language, interval in named:
                rows += [
                    Score(**cell)
                    for cell in _cells(
                        measured, interval, language, direction, metric, benchmark, protocol.name
                    )
                ]
    return rows


def effects(
    measured: Measured,
    baseline: Measured,
    clusters: Sequence[NDArray[np.int64]],
    *,
    benchmark: str,
    protocol: Protocol,
) -> list[Effect]:
    """Paired differences of a system to a baseline on the same sentences.

    Args:
        measured: What the system found.
        baseline: What the baseline found on the same items, in the same order.
        clusters: As in `scores`; intervals are a bootstrap clustered by English sentence.
        benchmark: Name of the data that was scored.
        protocol: How it is scored.

    Raises:
        ValueError: The two were not measured on the same languages and layers.
    """
    ours = [(r.language, r.layers, r.items) for r in measured.retrievals]
    theirs = [(r.language, r.layers, r.items) for r in baseline.retrievals]
    if ours != theirs:
        raise ValueError(
            f"{measured.system} and {baseline.system} were not measured on the same sentences"
        )
    rows: list[Effect] = []
    for direction in protocol.directions:
        for metric in protocol.metrics:
            hits = _outcomes(measured, direction, metric)
            others = _outcomes(baseline, direction, metric)
            intervals = language_difference_intervals(hits, others, clusters)
            named = [
                *zip((r.language for r in measured.retrievals), intervals, strict=True),
                (MACRO, difference_interval(hits, others, clusters)),
            ]
            for language, interval in named:
                rows += [
                    Effect(**cell, baseline=baseline.system)
                    for cell in _cells(
                        measured, interval, language, direction, metric, benchmark, protocol.name
                    )
                ]
    return rows


def _outcomes(measured: Measured, direction: Direction, metric: Metric) -> list[NDArray[Any]]:
    """Each language's outcomes, shape [items, layers]."""
    return [outcomes(retrieval, direction, metric) for retrieval in measured.retrievals]


def _wilson_intervals(hits: Sequence[NDArray[Any]]) -> list[Interval]:
    """Wilson's interval of each language and layer."""
    intervals = []
    for right in hits:
        ends = np.array([wilson(int(layer.sum()), len(layer)) for layer in right.T])
        share = right.mean(axis=0)
        error = np.sqrt(share * (1 - share) / len(right))
        intervals.append(Interval(share, ends[:, 0], ends[:, 1], error))
    return intervals


def _cells(
    measured: Measured,
    interval: Interval,
    language: str,
    direction: Direction,
    metric: Metric,
    benchmark: str,
    protocol: str,
) -> list[dict[str, Any]]:
    """The columns of one score or effect for each layer."""
    retrievals = [r for r in measured.retrievals if language in (MACRO, r.language)]
    return [
        {
            "system": measured.system,
            "seed": measured.seed,
            "benchmark": benchmark,
            "protocol": protocol,
            "language": language,
            "direction": direction,
            "layer": layer,
            "metric": metric,
            "value": float(interval.value[index]),
            "n": sum(r.items for r in retrievals),
            "low": float(interval.low[index]),
            "high": float(interval.high[index]),
            "trained_share": measured.trained_share,
        }
        for index, layer in enumerate(measured.retrievals[0].layers)
    ]

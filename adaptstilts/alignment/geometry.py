"""The shape of a space, layer by layer: cones, hubs, shared structure, languages told apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.protocol import EN_XX, XX_EN
from adaptstilts.alignment.retrieval import Retrieval
from adaptstilts.metric.cka import cka_null, debiased_cka
from adaptstilts.metric.geometry import anisotropy, antihub_share, hubness_skew
from adaptstilts.metric.interval import Estimate
from adaptstilts.metric.probe import language_probe
from adaptstilts.record.scores import MACRO

# Sentences of each language that the probe and its folds take: enough for a percent, and quick.
PROBE_SENTENCES = 200
NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Measure:
    """One figure about the space of one layer.

    Attributes:
        language: Code, or `macro` for the mean over languages or what is of all together.
        direction: For hubs who asks; else None.
        layer: Index into `hidden_states`.
        metric: `anisotropy`, `anisotropy_top10` (the part of it that the ten strongest dimensions
            make), `cka`, `cka_null` (the 95 % quantile where pairs are shuffled), `hubness_skew`,
            `antihub_share`, `language_probe` or `language_probe_chance`.
        value: The figure.
        low: Lower end of its 95 % interval; not a number where it has none.
        high: Upper end of it.
        n: Sentences that it was made from.
    """

    language: str
    direction: str | None
    layer: int
    metric: str
    value: float
    low: float
    high: float
    n: int


def measure(
    vectors: NDArray[Any],
    retrievals: Sequence[Retrieval],
    *,
    layers: Sequence[int],
    foreign: dict[str, list[int]],
    english: dict[str, list[int]],
) -> list[Measure]:
    """Measures the space of every layer: each language with English, and all together.

    Args:
        vectors: Of all distinct sentences, shape [layers, sentences, width].
        retrievals: What was found, one for each language, with the hubs' counts.
        layers: Indices into `hidden_states`, as in `vectors`.
        foreign: By language the sentence of each item's foreign side.
        english: By language the sentence of each item's English side.

    Raises:
        ValueError: As `metric.cka` and `metric.probe`: too few sentences.
    """
    rows: list[Measure] = []
    for place, layer in enumerate(layers):
        states = np.asarray(vectors[place])
        found = [
            row
            for retrieval in retrievals
            for row in _language(
                states[foreign[retrieval.language]],
                states[english[retrieval.language]],
                retrieval,
                place,
                layer,
            )
        ]
        rows += [*found, *_means(found, layer), *_probe(states, layer, foreign, english)]
    return rows


def _language(
    x: NDArray[Any], y: NDArray[Any], retrieval: Retrieval, place: int, layer: int
) -> Iterator[Measure]:
    """The figures of one language with English."""
    language = retrieval.language
    cone = anisotropy(x)
    yield Measure(language, None, layer, "anisotropy", *cone.cosine)
    n = cone.cosine.n
    top = Estimate(float(cone.contributions.sum()), math.nan, math.nan, n)
    yield Measure(language, None, layer, "anisotropy_top10", *top)
    yield Measure(language, None, layer, "cka", *debiased_cka(x, y))
    null = cka_null(x, y)
    yield Measure(language, None, layer, "cka_null", null.quantile, math.nan, math.nan, n)
    for direction in (EN_XX, XX_EN):
        counts = (retrieval.occurrences or {})[direction][place]
        yield Measure(language, direction, layer, "hubness_skew", *hubness_skew(counts))
        yield Measure(language, direction, layer, "antihub_share", *antihub_share(counts))


def _means(rows: Sequence[Measure], layer: int) -> Iterator[Measure]:
    """The mean over languages of each figure.

    The interval joins the languages' own as if they were independent, which sentences that
    languages share make a little too narrow.
    """
    kinds = dict.fromkeys((row.metric, row.direction) for row in rows)
    for metric, direction in kinds:
        same = [row for row in rows if (row.metric, row.direction) == (metric, direction)]
        known = [row for row in same if math.isfinite(row.value)]
        if not known:
            continue
        value = float(np.mean([row.value for row in known]))
        errors = np.array([(row.high - row.low) / (2 * NORMAL_95) for row in known])
        half = NORMAL_95 * float(np.sqrt(np.sum(errors**2))) / len(known)
        low, high = value - half, value + half
        if metric == "antihub_share":
            low, high = max(0.0, low), min(1.0, high)
        n = sum(row.n for row in known)
        yield Measure(MACRO, direction, layer, metric, value, low, high, n)


def _probe(
    states: NDArray[Any],
    layer: int,
    foreign: dict[str, list[int]],
    english: dict[str, list[int]],
) -> Iterator[Measure]:
    """How well a linear probe tells the languages apart; not where there is but one."""
    if len(foreign) < 2:
        return
    sentences, names, groups = [], [], []
    for language, own in foreign.items():
        for sentence, group in list(zip(own, english[language], strict=True))[:PROBE_SENTENCES]:
            sentences.append(sentence)
            names.append(language)
            groups.append(group)
    probe = language_probe(states[sentences], names, groups)
    yield Measure(MACRO, None, layer, "language_probe", *probe.accuracy)
    chance = Estimate(probe.chance, math.nan, math.nan, probe.accuracy.n)
    yield Measure(MACRO, None, layer, "language_probe_chance", *chance)

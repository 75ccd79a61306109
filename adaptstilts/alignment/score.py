"""From what systems found to tidy scores with intervals, and to paired effects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.columns import SHARES, Chosen, Column, Found, is_binary, tabulate
from adaptstilts.alignment.protocol import Protocol
from adaptstilts.metric.interval import wilson
from adaptstilts.metric.significance import Discordance, cohens_h, detectable, holm, mcnemar
from adaptstilts.metric.summary import Summary, summarize, summarize_each
from adaptstilts.record.scores import Effect, Score


@dataclass(frozen=True)
class Measured:
    """What one system found on a benchmark, and who it was.

    Attributes:
        system: Name in the recipe.
        seeds: Its trainings' seeds, one for each member of `found`; a None for the bare base.
        trained_share: For a snapshot taken during training the share that was done; else None.
        found: For each seed, one for each language.
    """

    system: str
    seeds: tuple[int | None, ...]
    trained_share: float | None
    found: Sequence[Sequence[Found]]

    @property
    def shapes(self) -> list[tuple[str, tuple[int, ...], int]]:
        """Language, layers and items of each retrieval."""
        first = [one.retrieval for one in self.found[0]]
        return [(one.language, one.layers, one.items) for one in first]


@dataclass(frozen=True)
class Table:
    """How a measurement is scored.

    Attributes:
        benchmark: Name of the data that were scored.
        protocol: How they are scored.
        clusters: For each language the number of each item's English sentence, shape [items].
        groups: By name the languages whose mean is given beside the macro mean.
        chosen: The chosen layers; None where none is chosen.
        everything: Whether metrics beside the protocol's own are given.
    """

    benchmark: str
    protocol: Protocol
    clusters: Sequence[NDArray[np.int64]]
    groups: Mapping[str, Sequence[str]]
    chosen: Chosen | None = None
    everything: bool = False


def scores(measured: Measured, table: Table) -> list[Score]:
    """Every score of a system: for each seed, and over all of them where there are several.

    Intervals are 95 %: Wilson's for the share of right answers in one direction, language and
    seed, else a bootstrap clustered by English sentence, joined with the spread of the seeds.

    Args:
        measured: What the system found.
        table: How it is scored.
    """
    columns, hits = _tabulated(measured, table)
    rows: list[Score] = []
    for seeds, one in _by_seed(measured.seeds, hits):
        names = [language for language, _, _ in measured.shapes]
        each = summarize_each(one, table.clusters)
        if len(one) == 1:
            each = [
                _with_wilson(summary, columns, right)
                for summary, right in zip(each, one[0], strict=True)
            ]
        summaries = dict(zip(names, each, strict=True)) | _over_languages(one, table, names)
        rows += [Score(**cell) for cell, *_ in _cells(measured, table, columns, seeds, summaries)]
    return rows


def effects(measured: Measured, baseline: Measured, table: Table) -> list[Effect]:
    """Paired differences of a system to a baseline on the same sentences.

    A seed of the system is compared with the same seed of the baseline, or with its only one. The
    bare base has no seeds, so it is compared with each of the baseline's, and the rows say which.

    Args:
        measured: What the system found.
        baseline: What the baseline found on the same items, in the same order.
        table: How both are scored; intervals as in `scores`, without Wilson's.

    Raises:
        ValueError: The two were not measured on the same languages and layers.
    """
    if measured.shapes != baseline.shapes:
        raise ValueError(
            f"{measured.system} and {baseline.system} were not measured on the same sentences"
        )
    columns, hits = _tabulated(measured, table)
    _, others = _tabulated(baseline, table)
    paired = measured.seeds if len(hits) >= len(others) else baseline.seeds
    ours_of = dict(zip(measured.seeds, hits, strict=True))
    theirs_of = dict(zip(baseline.seeds, others, strict=True))
    pairs = [(ours_of.get(seed, hits[0]), theirs_of.get(seed, others[0])) for seed in paired]
    differences = [[ours - theirs for ours, theirs in zip(*pair, strict=True)] for pair in pairs]
    levels = [_levels([pair[side] for pair in pairs], table, measured) for side in (0, 1)]
    rows: list[Effect] = []
    for number, (seeds, one) in enumerate(_by_seed(paired, differences)):
        names = [language for language, _, _ in measured.shapes]
        each = summarize_each(one, table.clusters)
        summaries = dict(zip(names, each, strict=True)) | _over_languages(one, table, names)
        tests = _sign_tests(one[0], columns, names) if len(one) == 1 else {}
        for cell, name, place, summary in _cells(measured, table, columns, seeds, summaries):
            p, adjusted = tests.get((name, place), (None, None))
            is_share = columns[place].metric.startswith(SHARES)
            ours, theirs = (level[number][name][place] for level in levels)
            rows.append(
                Effect(
                    **cell,
                    baseline=baseline.system,
                    low90=float(summary.low90[place]),
                    high90=float(summary.high90[place]),
                    detectable=detectable(
                        float(summary.error[place]), freedom=float(summary.freedom[place])
                    ),
                    p=p,
                    p_holm=adjusted,
                    h=cohens_h(min(ours, 1.0), min(theirs, 1.0)) if is_share else None,
                )
            )
    return rows


def _tabulated(
    measured: Measured, table: Table
) -> tuple[list[Column], list[list[NDArray[np.float64]]]]:
    """The columns, and each seed's outcomes by language, shape [items, columns]."""
    tables = [
        tabulate(one, table.protocol, table.chosen, everything=table.everything)
        for one in measured.found
    ]
    return tables[0][0], [hits for _, hits in tables]


def _by_seed(
    seeds: tuple[int | None, ...], hits: list[list[NDArray[np.float64]]]
) -> Iterator[tuple[tuple[int | None, ...], list[list[NDArray[np.float64]]]]]:
    """Each seed alone, then all together where there are several."""
    for seed, one in zip(seeds, hits, strict=True):
        yield (seed,), [one]
    if len(hits) > 1:
        yield seeds, hits


def _over_languages(
    seeds: list[list[NDArray[np.float64]]], table: Table, names: Sequence[str]
) -> dict[str, Summary]:
    """Macro, micro and the groups' means."""
    places = {
        group: [names.index(language) for language in languages]
        for group, languages in table.groups.items()
    }
    return summarize(seeds, table.clusters, groups=places)


def _levels(
    seeds: list[list[NDArray[np.float64]]], table: Table, measured: Measured
) -> list[dict[str, NDArray[np.float64]]]:
    """The plain means of each language and group, for each seed and then over all."""
    names = [language for language, _, _ in measured.shapes]

    def means(hits: list[NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
        own = dict(zip(names, (right.mean(axis=0) for right in hits), strict=True))
        groups = {"macro": names, **table.groups}
        found = {
            name: np.mean([own[language] for language in languages], axis=0)
            for name, languages in groups.items()
        }
        return own | found | {"micro": np.concatenate(hits).mean(axis=0)}

    single = [means(hits) for hits in seeds]
    if len(single) == 1:
        return single
    pooled = {name: np.mean([one[name] for one in single], axis=0) for name in single[0]}
    return [*single, pooled]


def _with_wilson(
    summary: Summary, columns: Sequence[Column], right: NDArray[np.float64]
) -> Summary:
    """A language's summary with Wilson's interval for every share of right answers."""
    low, high = summary.low.copy(), summary.high.copy()
    for place, column in enumerate(columns):
        if is_binary(column):
            successes = round(float(right[:, place].sum()))
            low[place], high[place] = wilson(successes, len(right))
    return summary._replace(low=low, high=high)


def _sign_tests(
    differences: Sequence[NDArray[np.float64]], columns: Sequence[Column], names: Sequence[str]
) -> dict[tuple[str, int], tuple[float, float]]:
    """By language and column the exact sign test of the items that differ, plain and by Holm.

    Where items are right or wrong it is McNemar's test.
    """
    p = np.array([mcnemar(Discordance((one > 0).sum(0), (one < 0).sum(0))) for one in differences])
    return {
        (name, place): (float(p[row, place]), float(adjusted[row]))
        for place, column in enumerate(columns)
        if column.metric.startswith(SHARES)
        for adjusted in [holm(p[:, place])]
        for row, name in enumerate(names)
    }


def _cells(
    measured: Measured,
    table: Table,
    columns: Sequence[Column],
    seeds: tuple[int | None, ...],
    summaries: Mapping[str, Summary],
) -> Iterator[tuple[dict[str, Any], str, int, Summary]]:
    """What scores and effects share: the row's columns, its language, its place, its summary.

    Means over groups of languages and over items are given for the protocol's own scores alone.
    """
    items = {language: n for language, _, n in measured.shapes}
    members = {
        **{language: [language] for language in items},
        "macro": list(items),
        "micro": list(items),
        **table.groups,
    }
    for name, summary in summaries.items():
        n = sum(items[language] for language in members[name])
        for place, column in enumerate(columns):
            if not column.is_own and name not in items and name != "macro":
                continue
            cell = {
                "system": measured.system,
                "seed": seeds[0] if len(seeds) == 1 else None,
                "seeds": sum(seed is not None for seed in seeds),
                "benchmark": table.benchmark,
                "protocol": table.protocol.name,
                "language": name,
                "direction": column.direction,
                "space": column.space,
                "layer": column.layer,
                "chosen": column.chosen,
                "metric": column.metric,
                "value": float(summary.value[place]),
                "n": n,
                "low": float(summary.low[place]),
                "high": float(summary.high[place]),
                "trained_share": measured.trained_share,
            }
            yield cell, name, place, summary

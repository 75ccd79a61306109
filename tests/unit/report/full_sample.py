"""A made-up run with all that a recipe can ask for: seeds, controls, a sweep, spaces, geometry."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from report_sample import Sample, adapter
from report_sample import record as simple_record

from adaptstilts.metric.significance import cohens_h, holm
from adaptstilts.record import run as record_run
from adaptstilts.record.run import AdapterRecord, CurvePoint, HeadlineRecord, RunRecord
from adaptstilts.record.scores import (
    AS_IS,
    Effect,
    Score,
    is_language,
    write_effects,
    write_scores,
)

SEEDS = (1, 2, 3)
SCRIPTS = {
    "de": "Latn", "fr": "Latn", "tr": "Latn", "sw": "Latn", "jv": "Latn", "vi": "Latn",
    "ru": "Cyrl", "bg": "Cyrl", "kk": "Cyrl", "ka": "Geor", "ja": "Jpan", "zh": "Hans",
}  # fmt: skip
SIZES = dict(
    zip(SCRIPTS, (1000, 999, 1000, 390, 205, 998, 1000, 994, 575, 746, 1000, 1000), strict=True)
)
GROUPS = {
    f"script={script}": [code for code in SCRIPTS if SCRIPTS[code] == script]
    for script in ("Latn", "Cyrl")
} | {"size=1 to 10 GiB": ["sw", "kk", "ka"]}
# What part of the studied adapter's effect each system has at the headline's layer.
FACTORS = {
    "base": 0.0,
    "sst2": 1.0,
    "random": 0.05,
    "shuffled": 0.4,
    "mlm": 0.93,
    "contrastive": -1.2,
    "scaled_minus_1": -0.3,
    "scaled_0_5": 0.6,
    "scaled_1_5": 1.3,
}
CONTROLS = ("random", "shuffled", "mlm", "contrastive")
SPACES = {"centred": 0.06, "without_top_pcs": 0.04, "whitened": 0.02, "averaged": -0.03}
METRICS = {"mrr": 0.05, "accuracy_margin": 0.09, "accuracy_csls": 0.08, "accuracy_strong": -0.12}
SHARES = tuple(step / 10 for step in range(11))

RECIPE = """\
name: sst2_controls
description: Made-up numbers with everything that a recipe can ask for.
seeds: [1, 2, 3]
adapters:
  sst2: {{task: sst2, method: {{kind: lora, rank: 8}}}}
  random: {{control: random, of: sst2}}
  shuffled: {{control: shuffled_labels, of: sst2}}
  mlm: {{control: english_mlm, of: sst2}}
  contrastive: {{control: english_contrastive, of: sst2}}
systems:
  base: none
  sst2: sst2
  random: random
  shuffled: shuffled
  mlm: mlm
  contrastive: contrastive
  scaled_minus_1: {{scale: {{of: sst2, by: -1}}}}
  scaled_0_5: {{scale: {{of: sst2, by: 0.5}}}}
  scaled_1_5: {{scale: {{of: sst2, by: 1.5}}}}
report: {{baseline: base, margin: {margin}}}
"""


@dataclass(frozen=True)
class Full:
    """What the run shall look like.

    Attributes:
        effect: The studied system's macro effect at the headline's layer.
        margin: The recipe's margin.
        chosen: What chose the headline's layer; None where it is named.
        layers: How many layers there are.
        headline: The headline's layer, and that of the highest score.
        is_split: Whether the languages have chosen layers of their own.
    """

    effect: float = -0.031
    margin: float = 0.01
    chosen: str | None = None
    layers: int = 13
    headline: int = 7
    is_split: bool = False


def write_full(folder: Path, full: Full | None = None) -> Path:
    """Write the run folder."""
    full = full or Full()
    folder.mkdir(parents=True, exist_ok=True)
    record_run.write(folder / "record.json", record(full))
    (folder / "recipe.resolved.yaml").write_text(
        RECIPE.format(margin=full.margin), encoding="utf-8"
    )
    rows = [*_scores(full), *_tasks(), *_geometry(full)]
    write_scores(folder / "scores.parquet", rows)
    write_effects(folder / "effects.parquet", _effects(full, rows))
    return folder


def record(full: Full) -> RunRecord:
    """The record: every adapter once for each seed."""
    plain = simple_record(Sample())
    trained = {
        f"{name}-seed{seed}": _adapter(name, seed)
        for name in ("sst2", "shuffled", "mlm", "contrastive")
        for seed in SEEDS
    }
    own = {code: full.headline + (place % 2) for place, code in enumerate(SIZES)}
    headline = HeadlineRecord(
        benchmark="tatoeba",
        protocol="xtreme",
        layer=None if full.is_split else full.headline,
        direction="en-xx",
        metric="accuracy",
        why=f"chosen: {full.chosen}" if full.chosen else "the recipe names the layer",
        chosen=full.chosen,
        layers={}
        if full.chosen is None
        else own
        if full.is_split
        else dict.fromkeys(SIZES, full.headline),
    )
    return plain.model_copy(
        update={"name": "sst2_controls", "adapters": trained, "headline": headline}
    )


def _adapter(name: str, seed: int) -> AdapterRecord:
    made = adapter(Sample())
    curve = [
        CurvePoint(
            step=100 * step,
            share=0.1 * step,
            loss=0.25 + 0.45 / step + 0.02 * math.sin(step + seed),
            dev_accuracy=0.93 - 0.25 / step + 0.005 * math.sin(3 * step + seed),
        )
        for step in range(1, 11)
    ]
    return made.model_copy(update={"seed": seed, "curve": curve, "task": "sst2"})


def _value(full: Full, system: str, seed: int, language: str, layer: int, share: float) -> float:
    """A made-up accuracy: a hill over the layers, moved by the system, a little by the seed."""
    place = list(SIZES).index(language)
    hill = 0.74 - 0.5 * ((layer - full.headline) / full.layers) ** 2 - 0.012 * place
    far = layer / full.headline
    moved = full.effect + 0.002 * (place - (len(SIZES) - 1) / 2)
    noise = 0.0 if system == "base" else 0.0015 * math.sin(7 * seed + len(system)) * far
    return hill + (FACTORS[system] * moved * far * (2 * share - share**2)) + noise * share


def _scores(full: Full) -> Iterator[Score]:
    for system in FACTORS:
        seeds: Sequence[int | None] = (None,) if system == "base" else (*SEEDS, None)
        for seed in seeds:
            yield from _finished(full, system, seed)
    for share in SHARES:
        for seed in (*SEEDS, None):
            for layer in range(full.layers):
                yield from _means(full, "sst2", seed, layer, share)


def _finished(full: Full, system: str, seed: int | None) -> Iterator[Score]:
    for layer in range(full.layers):
        rows = list(_means(full, system, seed, layer, None))
        yield from rows
        macro = rows[-1 - len(GROUPS) - 1]
        for space, more in SPACES.items():
            yield _moved(macro, more, space=space)
        for metric, more in METRICS.items():
            yield _moved(macro, more, metric=metric)
        yield replace(macro, metric="xsim_error", value=1 - macro.value, low=0.2, high=0.3)
        gap = 0.1 + macro.value / 10
        yield replace(macro, metric="cosine_gap", value=gap, low=gap - 0.002, high=gap + 0.002)
    if full.chosen is not None:
        layer = None if full.is_split else full.headline
        for row in _means(full, system, seed, full.headline, None, full.chosen):
            yield replace(row, layer=layer)


def _moved(row: Score, more: float, **changes: Any) -> Score:
    return replace(row, value=row.value + more, low=row.low + more, high=row.high + more, **changes)


def _means(
    full: Full,
    system: str,
    seed: int | None,
    layer: int,
    share: float | None,
    chosen: str | None = None,
) -> Iterator[Score]:
    """Every language, macro, micro and the groups, in this order."""
    counted = 0 if system == "base" else (len(SEEDS) if seed is None else 1)
    trained = SEEDS if seed is None else (seed,)
    values = {
        code: sum(_value(full, system, one, code, layer, 1.0 if share is None else share)
                  for one in trained) / len(trained)
        for code in SIZES
    }  # fmt: skip
    total = sum(SIZES.values())
    groups = {
        name: sum(values[code] for code in codes) / len(codes) for name, codes in GROUPS.items()
    }
    means = {
        **values,
        "macro": sum(values.values()) / len(values),
        "micro": sum(values[code] * n for code, n in SIZES.items()) / total,
        **groups,
    }
    for language, value in means.items():
        members = GROUPS.get(language, list(SIZES))
        n = SIZES.get(language, sum(SIZES[code] for code in members))
        half = 0.9 / math.sqrt(n)
        yield Score(
            system=system,
            seed=seed,
            seeds=counted,
            benchmark="tatoeba",
            protocol="xtreme",
            language=language,
            direction="en-xx",
            space=AS_IS,
            layer=layer,
            chosen=chosen,
            metric="accuracy",
            value=value,
            n=n,
            low=value - half,
            high=value + half,
            trained_share=share,
        )


def _tasks() -> Iterator[Score]:
    for seed in SEEDS:
        value = 0.92 + 0.003 * seed
        yield Score(
            system="sst2",
            seed=seed,
            seeds=1,
            benchmark="sst2",
            protocol="validation",
            language="en",
            direction=None,
            space=None,
            layer=None,
            chosen=None,
            metric="accuracy",
            value=value,
            n=872,
            low=value - 0.018,
            high=value + 0.018,
            trained_share=None,
        )


def _geometry(full: Full) -> Iterator[Score]:
    figures: dict[tuple[str, str | None], float] = {
        ("anisotropy", None): 0.72,
        ("anisotropy_top10", None): 0.65,
        ("cka", None): 0.55,
        ("cka_null", None): 0.012,
        ("hubness_skew", "en-xx"): 2.1,
        ("hubness_skew", "xx-en"): 1.8,
        ("antihub_share", "en-xx"): 0.21,
        ("antihub_share", "xx-en"): 0.19,
        ("language_probe", None): 0.973,
        ("language_probe_chance", None): 0.083,
    }
    for system in ("base", "sst2", *CONTROLS):
        for (metric, direction), value in figures.items():
            for layer in (0, full.headline):
                has_interval = metric not in {
                    "anisotropy_top10",
                    "cka_null",
                    "language_probe_chance",
                }
                moved = value * (1 - 0.02 * FACTORS[system])
                half = 0.01 if has_interval else math.nan
                yield Score(
                    system=system,
                    seed=None,
                    seeds=0 if system == "base" else 3,
                    benchmark="tatoeba",
                    protocol="xtreme",
                    language="macro",
                    direction=direction,
                    space=AS_IS,
                    layer=layer,
                    chosen=None,
                    metric=metric,
                    value=moved,
                    n=9907,
                    low=moved - half,
                    high=moved + half,
                    trained_share=None,
                )


def _effects(full: Full, rows: Sequence[Score]) -> list[Effect]:
    """Against the baseline all, and of the studied system against each control."""

    def cell(row: Score) -> tuple[object, ...]:
        return (row.language, row.space, row.layer, row.chosen, row.metric, row.direction)

    own = {(row.system, row.seed, *cell(row)): row for row in rows if row.trained_share is None}
    found = []
    for row in rows:
        if row.system == "base" or row.language == "en" or row.metric in _SHAPE:
            continue
        found.append(_effect(row, own["base", None, *cell(row)], "base"))
        if row.system == "sst2" and row.trained_share is None:
            found += [_effect(row, own[name, row.seed, *cell(row)], name) for name in CONTROLS]
    return _with_holm(found)


_WITHOUT_INTERVAL = {"anisotropy_top10", "cka_null", "language_probe_chance"}
_SHAPE = {
    "anisotropy", "anisotropy_top10", "cka", "cka_null", "hubness_skew", "antihub_share",
    "language_probe", "language_probe_chance",
}  # fmt: skip


def _effect(row: Score, other: Score, baseline: str) -> Effect:
    value = row.value - other.value
    half = (0.55 if is_language(row.language) else 0.4) / math.sqrt(row.n)
    half *= 1.2 if row.seeds > 1 else 1.0
    if row.metric == "cosine_gap":
        half /= 10
    moved = replace(row, value=value, low=value - half, high=value + half)
    p = None
    if is_language(row.language) and row.seeds == 1:
        p = math.erfc(abs(value) / half * 1.96 / math.sqrt(2))
    return Effect(
        **vars(moved),
        baseline=baseline,
        low90=value - 0.84 * half,
        high90=value + 0.84 * half,
        detectable=1.43 * half,
        p=p,
        p_holm=None,
        h=cohens_h(row.value, other.value) if row.metric.startswith("accuracy") else None,
    )


def _with_holm(rows: Sequence[Effect]) -> list[Effect]:
    """Adjusted over the languages of one system, seed, cell and baseline."""
    families: dict[tuple[object, ...], list[int]] = {}
    for place, row in enumerate(rows):
        if row.p is not None:
            key = (row.system, row.seed, row.space, row.layer, row.chosen, row.metric,
                   row.trained_share, row.baseline)  # fmt: skip
            families.setdefault(key, []).append(place)
    adjusted = list(rows)
    for places in families.values():
        values = holm([rows[place].p for place in places])  # type: ignore[arg-type]
        for place, value in zip(places, values, strict=True):
            adjusted[place] = replace(rows[place], p_holm=float(value))
    return adjusted

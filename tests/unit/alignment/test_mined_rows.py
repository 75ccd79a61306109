"""Rows of mined pairs: figures from sets of pairs, paired differences, means over languages."""

from __future__ import annotations

import numpy as np
import pytest

from adaptstilts.alignment.bucc import Threshold
from adaptstilts.alignment.mined_rows import (
    MinedSystem,
    MiningTable,
    cut,
    mined_effects,
    mined_scores,
)
from adaptstilts.metric.mining import Candidates

TABLE = MiningTable("bucc2018/dev", "jiant", 4, "oracle")
GOLD = {"de": 40, "zh": 25}


def candidates(seed: int, language: str) -> Candidates:
    """Pairs of which most are right, with margins that tell a little."""
    draw = np.random.default_rng([seed, len(language), GOLD[language]])
    n = GOLD[language] + 15
    right = draw.random(n) < 0.7
    pairs = np.stack([np.arange(n), np.where(right, np.arange(n), np.arange(n) + 100)], axis=1)
    scores = 1 + draw.random(n) + 0.3 * right
    order = np.argsort(-scores)
    return Candidates(pairs[order], scores[order])


def gold(language: str) -> np.ndarray:
    return np.stack([np.arange(GOLD[language])] * 2, axis=1)


def system(name: str, *seeds: int | None) -> MinedSystem:
    return MinedSystem(
        name,
        seeds,
        [
            {
                language: cut(
                    candidates(seed or 0, language), gold(language), name=f"bucc2018/{language}"
                )
                for language in GOLD
            }
            for seed in seeds
        ],
    )


def plain_f1(measured: MinedSystem, place: int, language: str) -> float:
    one = measured.cuts[place][language]
    found = candidates(measured.seeds[place] or 0, language)
    kept = {
        tuple(pair)
        for pair, score in zip(found.pairs.tolist(), found.scores, strict=True)
        if score >= one.threshold.value
    }
    wanted = set(map(tuple, gold(language).tolist()))
    right = len(kept & wanted)
    precision, recall = right / len(kept), right / len(wanted)
    return 2 * precision * recall / (precision + recall)


def test_a_seed_alone_is_what_its_sets_of_pairs_say() -> None:
    base = system("base", None)
    rows = {(row.language, row.metric): row for row in mined_scores(base, TABLE)}
    assert len(rows) == 3 * 3
    for language in GOLD:
        row = rows[language, "f1"]
        assert row.value == pytest.approx(plain_f1(base, 0, language))
        assert (row.seed, row.seeds, row.n) == (None, 0, GOLD[language])
        assert row.low < row.value < row.high
    macro = rows["macro", "f1"]
    assert macro.value == pytest.approx(np.mean([rows[code, "f1"].value for code in GOLD]))
    assert macro.n == sum(GOLD.values())
    narrower = macro.high - macro.low
    assert narrower < max(rows[code, "f1"].high - rows[code, "f1"].low for code in GOLD)
    for row in rows.values():
        assert (row.benchmark, row.protocol, row.layer) == ("bucc2018/dev", "jiant", 4)
        assert (row.direction, row.space, row.chosen) == (None, "as_is", "oracle")


def test_seeds_are_given_alone_and_together() -> None:
    measured = system("sst2", 1, 2)
    rows = [row for row in mined_scores(measured, TABLE) if row.metric == "f1"]
    zh = [row for row in rows if row.language == "zh"]
    assert [(row.seed, row.seeds) for row in zh] == [(1, 1), (2, 1), (None, 2)]
    assert zh[2].value == pytest.approx((zh[0].value + zh[1].value) / 2)
    for place in (0, 1):
        assert zh[place].value == pytest.approx(plain_f1(measured, place, "zh"))


def test_effects_are_differences_of_the_scores_seed_by_seed() -> None:
    measured, base = system("sst2", 1, 2), system("base", None)
    level = {
        (row.system, row.seed, row.seeds, row.language): row.value
        for measure in (measured, base)
        for row in mined_scores(measure, TABLE)
        if row.metric == "f1"
    }
    effects = mined_effects(measured, base, TABLE)
    assert len(effects) == 3 * 3
    for row in effects:
        ours = level["sst2", row.seed, row.seeds, row.language]
        assert row.value == pytest.approx(ours - level["base", None, 0, row.language])
        assert (row.baseline, row.metric, row.p) == ("base", "f1", None)
        assert row.low <= row.low90 <= row.value <= row.high90 <= row.high


def test_a_seed_meets_its_own_seed_of_the_baseline() -> None:
    measured, twin = system("sst2", 1, 2), system("twin", 2, 1)
    for row in mined_effects(measured, twin, TABLE):
        assert (row.value, row.low, row.high) == (0, 0, 0)


def test_a_detectable_effect_of_few_seeds_is_larger_than_their_interval() -> None:
    for row in mined_effects(system("sst2", 1, 2), system("base", None), TABLE):
        assert row.detectable > (row.high - row.low) / 2 * (1.2 if row.seed is None else 1.0)


def test_a_system_without_seeds_meets_every_seed_of_a_trained_baseline() -> None:
    trained, base = system("sst2", 1, 2), system("base", None)
    forth = {(row.language, row.seed): row for row in mined_effects(trained, base, TABLE)}
    back = mined_effects(base, trained, TABLE)
    assert {row.seed for row in back} == {1, 2, None}
    assert len(back) == len(forth)
    for row in back:
        other = forth[row.language, row.seed]
        assert (row.system, row.baseline) == ("base", "sst2")
        assert (row.seeds, row.n) == (other.seeds, other.n)
        assert row.value == pytest.approx(-other.value)
        # Groups of pairs are numbered in the order of the systems, so that the draws are others.
        assert (row.low, row.high) == pytest.approx((-other.high, -other.low), abs=0.03)


def test_a_threshold_from_elsewhere_is_kept_and_named() -> None:
    threshold = Threshold(1.5, "bucc2018/zh-en/dev")
    found = cut(candidates(3, "zh"), gold("zh"), name="bucc2018/zh-en/test", threshold=threshold)
    assert found.threshold == threshold
    assert found.score.predicted == len(found.predicted)
    assert found.score.predicted == int((candidates(3, "zh").scores >= 1.5).sum())
    own = cut(candidates(3, "zh"), gold("zh"), name="bucc2018/zh-en/test")
    assert own.threshold.chosen_on == "bucc2018/zh-en/test"
    assert own.score.f1 >= found.score.f1

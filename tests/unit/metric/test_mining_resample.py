"""Resamples of mined pairs of several systems: groups that share a sentence, drawn together."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptstilts.metric.mining_resample import group_counts, mining_draws

Pair = tuple[int, int]
pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=10, unique=True)
golds = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=8, unique=True
)


def array(found: list[Pair]) -> np.ndarray:
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def plain_groups(found: set[Pair]) -> list[set[Pair]]:
    """Groups of pairs that are linked by sentences, by walking from pair to pair."""
    left, groups = set(found), []
    while left:
        group, edge = set(), {left.pop()}
        while edge:
            group |= edge
            edge = {b for b in left if any(a[0] == b[0] or a[1] == b[1] for a in edge)}
            left -= edge
        groups.append(group)
    return groups


def plain_counts(group: set[Pair], systems: list[list[Pair]], gold: list[Pair]) -> list[int]:
    counts: list[int] = []
    for predicted in systems:
        own = group & set(predicted)
        counts += [len(own & set(gold)), len(own)]
    return [*counts, len(group & set(gold))]


@given(systems=st.lists(pairs, min_size=1, max_size=3), gold=golds)
def test_counts_equal_a_walk_from_pair_to_pair(systems: list[list[Pair]], gold: list[Pair]) -> None:
    found = group_counts([array(one) for one in systems], array(sorted(gold)))
    groups = plain_groups({pair for one in [*systems, gold] for pair in one})
    expected = [plain_counts(group, systems, gold) for group in groups]
    assert sorted(found.tolist()) == sorted(expected)


@given(predicted=pairs, gold=golds, seed=st.integers(0, 9))
@settings(deadline=None)
def test_equal_systems_are_equal_in_every_draw(
    predicted: list[Pair], gold: list[Pair], seed: int
) -> None:
    draws = mining_draws([array(predicted)] * 2, array(gold), resamples=50, seed=seed)
    if draws is None:
        assert len(plain_groups({*predicted, *gold})) == 1
        return
    assert draws.shape == (50, 2, 3)
    assert np.array_equal(draws[:, 0], draws[:, 1])
    alone = mining_draws([array(predicted)], array(gold), resamples=50, seed=seed)
    assert alone is not None
    assert np.array_equal(alone[:, 0], draws[:, 0])
    assert (draws >= 0).all()
    assert (draws <= 1).all()


def test_a_difference_equals_a_plain_paired_bootstrap() -> None:
    draw = random.Random(5)
    gold = [(i, i) for i in range(60)]
    ours = [(i, i) for i in range(50)] + [(55, 56), (70, 71)]
    theirs = [(i, i) if i % 3 else (i, i + 1) for i in range(0, 55)]
    theirs = list({pair[1]: pair for pair in theirs}.values())
    draws = mining_draws([array(ours), array(theirs)], array(gold), resamples=6000, seed=1)
    assert draws is not None
    found = draws[:, 0, 2] - draws[:, 1, 2]
    groups = plain_groups({*ours, *theirs, *gold})
    counts = [plain_counts(group, [ours, theirs], gold) for group in groups]

    def f1(total: list[int], place: int) -> float:
        return 2 * total[2 * place] / (total[2 * place + 1] + total[-1])

    plain = []
    for _ in range(6000):
        drawn = [draw.choice(counts) for _ in counts]
        total = [sum(column) for column in zip(*drawn, strict=True)]
        plain.append(f1(total, 0) - f1(total, 1))
    whole = [sum(column) for column in zip(*counts, strict=True)]
    assert found.mean() == pytest.approx(f1(whole, 0) - f1(whole, 1), abs=0.01)
    assert found.std() == pytest.approx(np.std(plain), rel=0.06)
    for share in (0.025, 0.975):
        assert np.quantile(found, share) == pytest.approx(np.quantile(plain, share), abs=0.012)

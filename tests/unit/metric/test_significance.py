"""Tests of differences: against scipy, against their definitions, and by simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from adaptstilts.metric.significance import (
    Discordance,
    cohens_h,
    detectable,
    discordance,
    equivalence,
    holm,
    mcnemar,
)

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_sign_test_on_the_discordant_items(gained: int, lost: int) -> None:
    (found,) = mcnemar(Discordance(np.array([gained]), np.array([lost])))
    expected = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert found == pytest.approx(expected, rel=1e-9)


def test_discordance_counts_what_one_system_has_and_the_other_has_not() -> None:
    ours = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    theirs = np.array([[1, 1], [0, 0], [1, 0], [0, 0]])
    found = discordance(ours, theirs)
    assert found.gained.tolist() == [1, 2]
    assert found.lost.tolist() == [1, 1]
    back = discordance(theirs, ours)
    assert (back.gained.tolist(), back.lost.tolist()) == ([1, 1], [1, 2])
    with pytest.raises(ValueError, match="one shape"):
        discordance(ours, theirs[:2])
    with pytest.raises(ValueError, match="right or wrong"):
        discordance(ours * 0.5, theirs)


def test_mcnemar_keeps_its_level_where_the_systems_are_equal() -> None:
    rng = np.random.default_rng(0)
    shares = rng.random((400, 1))
    ours, theirs = (rng.random((400, 2000)) < shares for _ in range(2))
    rejected = float((mcnemar(discordance(ours, theirs)) < 0.05).mean())
    assert rejected <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)
    assert rejected > 0.02, "an exact test may be careful, not deaf"


@given(P_VALUES)
def test_holm_is_its_definition(values: list[float]) -> None:
    found = holm(np.array(values))
    order = sorted(range(len(values)), key=lambda i: values[i])
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, (len(values) - rank) * values[index])
        assert found[index] == pytest.approx(min(1.0, highest))


@given(P_VALUES, st.randoms(use_true_random=False))
def test_holm_does_not_depend_on_the_order(values: list[float], random: object) -> None:
    order = np.random.default_rng(len(values)).permutation(len(values))
    assert holm(np.array(values)[order]) == pytest.approx(holm(np.array(values))[order])


@given(P_VALUES)
def test_holm_lies_between_no_correction_and_bonferroni(values: list[float]) -> None:
    array = np.array(values)
    found = holm(array)
    assert (found >= array).all()
    assert (found <= np.minimum(array * len(values), 1.0) + 1e-12).all()


def test_holm_refuses_what_is_no_p_value() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        holm(np.array([0.1, 1.2]))


@given(st.floats(0, 1), st.floats(0, 1))
def test_effect_size_is_odd_and_grows_with_the_share(share: float, baseline: float) -> None:
    assert cohens_h(share, baseline) == pytest.approx(-cohens_h(baseline, share))
    if share > baseline:
        assert cohens_h(share, baseline) >= 0
    assert abs(cohens_h(share, baseline)) <= math.pi + 1e-12


def test_a_detectable_effect_is_detected_as_often_as_promised() -> None:
    error = 0.7
    effect = detectable(error, level=0.05, power=0.8)
    assert effect == pytest.approx(2.8016 * error, rel=1e-4)
    draws = np.random.default_rng(0).normal(effect, error, 20_000)
    assert (np.abs(draws) > 1.959964 * error).mean() == pytest.approx(0.8, abs=0.01)
    with pytest.raises(ValueError, match="between 0 and 1"):
        detectable(error, power=1.0)


@given(st.floats(1, 1e9), st.floats(1e-6, 10))
def test_a_detectable_effect_is_never_within_the_interval(freedom: float, error: float) -> None:
    found = detectable(error, freedom=freedom)
    half = stats.t.ppf(0.975, freedom) * error
    assert found > half
    # scipy.stats' noncentral t is another implementation than the one that is inverted.
    if freedom < 1000:
        power = stats.nct.sf(half / error, freedom, found / error)
        assert power == pytest.approx(0.8, abs=1e-4)


def test_fewer_seeds_see_less_and_many_as_much_as_the_normal_test() -> None:
    found = [detectable(1.0, freedom=freedom) for freedom in (1, 2, 5, 30, 1e4, 1e6, 1e9, math.inf)]
    assert all(more >= less for more, less in itertools.pairwise(found))
    assert found[-2] == pytest.approx(found[-1], rel=1e-5)
    assert found[-1] == detectable(1.0) == pytest.approx(2.8016, rel=1e-4)
    assert math.isnan(detectable(math.nan, freedom=math.nan))
    with pytest.raises(ValueError, match="above 0"):
        detectable(1.0, freedom=0.0)


def test_three_seeds_find_their_detectable_effect_as_often_as_promised() -> None:
    # All that varies is the seed, so that the mean of three has two degrees of freedom.
    effect = detectable(0.7 / math.sqrt(3), freedom=2)
    draws = np.random.default_rng(1).normal(effect, 0.7, (20_000, 3))
    assert (stats.ttest_1samp(draws, 0.0, axis=1).pvalue < 0.05).mean() == pytest.approx(
        0.8, abs=0.01
    )


def test_equivalence_is_rarely_claimed_at_the_margin_and_often_at_nothing() -> None:
    rng = np.random.default_rng(0)
    half = 1.644854

    def claimed(effect: float) -> float:
        draws = rng.normal(effect, 1.0, 20_000)
        return float(np.mean([equivalence(x - half, x + half, 4.0).is_equivalent for x in draws]))

    assert claimed(4.0) == pytest.approx(0.05, abs=0.006)
    assert claimed(0.0) > 0.95
    assert equivalence(-0.4, 0.9, 1.0) == (True, 0.9)
    with pytest.raises(ValueError, match="above 0"):
        equivalence(-1, 1, 0)
    with pytest.raises(ValueError, match="wrong order"):
        equivalence(1, -1, 1)

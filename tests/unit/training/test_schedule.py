"""The learning rate at each step and where the evaluations fall."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptstilts.training.schedule import evaluation_steps, learning_rate

PEAK = 3e-4


def rates(steps: int, warmup: float) -> list[float]:
    return [
        learning_rate(step, steps=steps, warmup=warmup, peak=PEAK) for step in range(1, steps + 1)
    ]


def test_a_schedule_by_hand() -> None:
    assert rates(10, 0.2) == pytest.approx(
        [PEAK * x / 18 for x in (9, 18, 16, 14, 12, 10, 8, 6, 4, 2)]
    )


@given(steps=st.integers(1, 500), warmup=st.floats(0, 1))
def test_it_rises_to_the_peak_once_and_then_falls(steps: int, warmup: float) -> None:
    found = rates(steps, warmup)
    top = max(1, round(warmup * steps)) - 1
    assert found[top] == PEAK == max(found)
    assert all(a < b for a, b in pairwise(found[: top + 1]))
    assert all(a > b for a, b in pairwise(found[top:]))


@given(steps=st.integers(1, 500), warmup=st.floats(0, 1))
def test_no_step_is_wasted(steps: int, warmup: float) -> None:
    assert min(rates(steps, warmup)) > 0


@given(steps=st.integers(2, 500))
def test_without_warmup_it_begins_at_the_peak_and_falls_evenly(steps: int) -> None:
    found = rates(steps, 0.0)
    assert found[0] == PEAK
    assert found[-1] == pytest.approx(PEAK / steps)


def test_evaluations_by_hand() -> None:
    assert evaluation_steps(steps=100, evaluations=4) == {25: 0.25, 50: 0.5, 75: 0.75, 100: 1.0}
    assert evaluation_steps(steps=7, evaluations=1) == {7: 1.0}


@given(steps=st.integers(1, 3000), evaluations=st.integers(1, 50))
def test_evaluations_are_spread_evenly_and_end_at_the_end(steps: int, evaluations: int) -> None:
    found = evaluation_steps(steps=steps, evaluations=evaluations)
    assert [*found] == sorted(found)
    assert found[steps] == 1.0
    assert min(found) >= 1
    assert max(found) == steps
    for step, share in found.items():
        assert abs(step - share * steps) <= 1


@given(evaluations=st.integers(1, 50), more=st.integers(0, 1000))
def test_there_are_as_many_as_asked_for_if_there_are_steps_enough(
    evaluations: int, more: int
) -> None:
    found = evaluation_steps(steps=evaluations + more, evaluations=evaluations)
    assert len(found) == evaluations
    assert set(found.values()) == {part / evaluations for part in range(1, evaluations + 1)}

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptstilts.metric.strata import group_means, micro

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def sample(sizes: list[int], seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.random((n, 3)) < 0.5 for n in sizes]


@given(SIZES, st.integers(0, 99))
def test_micro_is_the_mean_over_all_items(sizes: list[int], seed: int) -> None:
    hits = sample(sizes, seed)
    items = [row for array in hits for row in array.tolist()]
    assert micro(hits) == pytest.approx(
        [sum(row[column] for row in items) / len(items) for column in range(3)]
    )


@given(SIZES, st.integers(0, 99))
def test_a_group_of_all_is_the_macro_mean_and_of_one_its_own(sizes: list[int], seed: int) -> None:
    hits = sample(sizes, seed)
    codes = [f"l{i}" for i in range(len(sizes))]
    found = group_means(hits, codes, {"all": codes[::-1], "first": ["l0"]})
    assert found["all"].value == pytest.approx(np.mean([h.mean(axis=0) for h in hits], axis=0))
    assert found["all"].languages == tuple(codes)
    assert found["all"].n == sum(sizes)
    assert found["first"].value == pytest.approx(hits[0].mean(axis=0))
    assert found["first"].n == sizes[0]


def test_languages_that_were_not_measured_are_passed_over() -> None:
    hits = [np.array([[1], [0]]), np.array([[1], [1], [1], [1]])]
    groups = {"east": ("ja", "de", "xx"), "none": ("xx",), "both": ("de", "ja")}
    found = group_means(hits, ["de", "ja"], groups)
    assert list(found) == ["east", "both"]
    assert found["both"].value.tolist() == [0.75]  # of means, not of items
    assert found["east"].languages == ("de", "ja")
    assert micro(hits).tolist() == [5 / 6]


def test_what_does_not_fit_is_refused() -> None:
    hits = sample([2, 3])
    for codes in (["a"], ["a", "a"]):
        with pytest.raises(ValueError, match="needs the code"):
            group_means(hits, codes, {})
    for wrong in ([], [np.ones(3)], [np.ones((0, 2))]):
        with pytest.raises(ValueError, match="a language or more"):
            micro(wrong)
    with pytest.raises(ValueError, match="differ in columns"):
        micro([np.ones((2, 3)), np.ones((2, 2))])

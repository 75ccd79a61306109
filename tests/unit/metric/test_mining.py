"""Mining against a plain re-computation, one pair at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adaptstilts.metric.mining import distinct, margin_scores, mine

MARGINS = ["ratio", "distance", "absolute"]
RETRIEVALS = ["forward", "backward", "intersection", "max"]
SIZES = st.tuples(
    st.integers(1, 9), st.integers(1, 9), st.integers(2, 6), st.integers(1, 5), st.integers(0, 9999)
)
CLEAR = 1e-5


def drawn(n: int, m: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors whose neighbourhoods have positive means, as those of an encoder have."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, d)) + 1.5, generator.normal(size=(m, d)) + 1.5


def plain_margins(x: np.ndarray, y: np.ndarray, k: int, margin: str) -> list[list[float]]:
    """The margin of every pair there is, and only where nothing is too near to tell apart."""
    cosines = [
        [
            sum(a * b for a, b in zip(u, v, strict=True))
            / (sum(a * a for a in u) ** 0.5 * sum(b * b for b in v) ** 0.5)
            for v in y.tolist()
        ]
        for u in x.tolist()
    ]
    for_row = [sorted(row, reverse=True)[:k] for row in cosines]
    for_column = [sorted(column, reverse=True)[:k] for column in zip(*cosines, strict=True)]
    found = []
    for i, row in enumerate(cosines):
        found.append([])
        for j, cosine in enumerate(row):
            means = sum(for_row[i]) / len(for_row[i]), sum(for_column[j]) / len(for_column[j])
            between = (means[0] + means[1]) / 2
            assume(abs(between) > 0.02)
            if margin == "ratio":
                found[-1].append(cosine / between if between > 0 else -np.inf)
            else:
                found[-1].append(cosine - between if margin == "distance" else cosine)
    every = sorted(value for row in found for value in row if value > -np.inf)
    assume(all(high - low > CLEAR for low, high in pairwise(every)))
    every = sorted(value for row in cosines for value in row)
    assume(all(high - low > CLEAR for low, high in pairwise(every)))
    # Only neighbours can be chosen.
    for i, row in enumerate(cosines):
        for j, cosine in enumerate(row):
            found[i][j] = (found[i][j], cosine in for_row[i], cosine in for_column[j])
    return found


def plain_mine(
    x: np.ndarray, y: np.ndarray, k: int, margin: str, retrieval: str
) -> dict[tuple[int, int], float]:
    """Pairs with their margins, in the order of the latter."""
    margins = plain_margins(x, y, k, margin)
    n, m = len(x), len(y)
    forward, backward = {}, {}
    for i in range(n):
        j = max((j for j in range(m) if margins[i][j][1]), key=lambda j: margins[i][j][0])
        forward[i, j] = margins[i][j][0]
    for j in range(m):
        i = max((i for i in range(n) if margins[i][j][2]), key=lambda i: margins[i][j][0])
        backward[i, j] = margins[i][j][0]
    if retrieval == "forward":
        found = forward
    elif retrieval == "backward":
        found = backward
    elif retrieval == "intersection":
        found = {pair: score for pair, score in forward.items() if pair in backward}
    else:
        found, left, right = {}, set(), set()
        for (i, j), score in sorted((forward | backward).items(), key=lambda item: -item[1]):
            if i not in left and j not in right:
                found[i, j] = score
                left.add(i)
                right.add(j)
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return {pair: score for pair, score in ordered if score > -np.inf}


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("retrieval", RETRIEVALS)
@settings(deadline=None, max_examples=25)
@given(sizes=SIZES, block=st.integers(1, 90))
def test_equals_a_plain_recomputation(
    margin: str, retrieval: str, sizes: tuple[int, ...], block: int
) -> None:
    n, m, d, k, seed = sizes
    x, y = drawn(n, m, d, seed)
    expected = plain_mine(x, y, k, margin, retrieval)
    found = mine(x, y, k=k, margin=margin, retrieval=retrieval, block=block)
    assert [tuple(pair) for pair in found.pairs.tolist()] == list(expected)
    np.testing.assert_allclose(found.scores, list(expected.values()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("retrieval", RETRIEVALS)
@settings(deadline=None, max_examples=25)
@given(sizes=SIZES)
def test_permuted_rows_mine_the_same_pairs(retrieval: str, sizes: tuple[int, ...]) -> None:
    n, m, d, k, seed = sizes
    x, y = drawn(n, m, d, seed)
    plain_margins(x, y, k, "ratio")  # nothing too near to tell apart
    generator = np.random.default_rng(seed)
    rows, columns = generator.permutation(n), generator.permutation(m)
    whole = mine(x, y, k=k, retrieval=retrieval)
    permuted = mine(x[rows], y[columns], k=k, retrieval=retrieval)
    back = np.stack([rows[permuted.pairs[:, 0]], columns[permuted.pairs[:, 1]]], axis=1)
    assert set(map(tuple, back.tolist())) == set(map(tuple, whole.pairs.tolist()))
    np.testing.assert_allclose(permuted.scores, whole.scores, rtol=1e-12)


@settings(deadline=None, max_examples=40)
@given(sizes=SIZES, block=st.integers(1, 99), margin=st.sampled_from(MARGINS))
def test_max_is_one_to_one_and_holds_the_intersection(
    sizes: tuple[int, ...], block: int, margin: str
) -> None:
    n, m, d, k, seed = sizes
    x = np.random.default_rng(seed).integers(-1, 2, size=(n, d)) + 1e-9
    y = np.random.default_rng(seed + 1).integers(-1, 2, size=(m, d)) + 1e-9
    found = {
        retrieval: mine(x, y, k=k, retrieval=retrieval, margin=margin, block=block)
        for retrieval in RETRIEVALS
    }
    for side in found["max"].pairs.T:
        assert len(set(side.tolist())) == len(side)
    pairs = {name: set(map(tuple, one.pairs.tolist())) for name, one in found.items()}
    assert pairs["intersection"] == pairs["forward"] & pairs["backward"]
    assert pairs["max"] <= pairs["forward"] | pairs["backward"]
    for one in found.values():
        assert (np.diff(one.scores) <= 0).all()
    in_one_tile = mine(x, y, k=k, margin=margin)
    assert np.array_equal(in_one_tile.pairs, found["max"].pairs)
    assert np.array_equal(in_one_tile.scores, found["max"].scores)


def test_both_sides_see_one_margin() -> None:
    x, y = drawn(60, 50, 12, 3)
    one, other = mine(x, y), mine(y, x)
    assert np.array_equal(one.scores, other.scores)
    assert np.array_equal(one.pairs, other.pairs[:, ::-1])


def test_equal_margins_are_taken_in_the_order_of_their_rows() -> None:
    # Every pair of (a, a) with (a, a) ties; so do all of (b, b) with (b, b).
    x = np.array([[1.0, 0.1], [1.0, 0.1], [0.1, 1.0], [0.1, 1.0]])
    found = mine(x, x[::-1], k=2)
    assert found.pairs.tolist() == [[0, 2], [2, 0]]  # the others chose what was taken
    assert found.scores[0] == found.scores[1]


def test_with_fewer_sentences_than_k_all_are_neighbours() -> None:
    found = mine(np.array([[1.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.9]]), k=4)
    assert found.pairs.tolist() == [[0, 1]]


@pytest.mark.parametrize("retrieval", RETRIEVALS)
def test_an_empty_side_gives_no_pairs(retrieval: str) -> None:
    x, none = np.ones((3, 4)), np.ones((0, 4))
    for sides in ((x, none), (none, x), (none, none)):
        found = mine(*sides, retrieval=retrieval)
        assert len(found) == 0
        assert found.pairs.shape == (0, 2)


def test_margins_by_hand() -> None:
    similarity, forward, backward = np.array([0.9, 0.6]), np.array([0.5, 0.5]), np.array([0.7, 0.1])
    assert margin_scores(similarity, forward, backward).tolist() == pytest.approx([1.5, 2.0])
    distance = margin_scores(similarity, forward, backward, margin="distance")
    assert distance.tolist() == pytest.approx([0.3, 0.3])
    absolute = margin_scores(similarity, forward, backward, margin="absolute")
    assert absolute.tolist() == [0.9, 0.6]


def test_a_ratio_over_no_positive_mean_is_never_mined() -> None:
    less, zero = np.array([-0.4, -0.5, 0.0]), np.zeros(3)
    assert margin_scores(np.array([-0.5, 0.5, 0.0]), less, zero).tolist() == [-np.inf] * 3
    opposite = np.array([[1.0, 0.0]]), np.array([[-1.0, 0.0]])
    assert len(mine(*opposite)) == 0
    assert mine(*opposite, margin="absolute").scores.tolist() == [-1.0]


def test_unknown_names_are_refused() -> None:
    x = np.eye(2)
    with pytest.raises(ValueError, match="no margin is called 'cosine'; take ratio, distance"):
        mine(x, x, margin="cosine")
    with pytest.raises(ValueError, match="no retrieval is called 'fwd'; take forward, backward"):
        mine(x, x, retrieval="fwd")


@given(st.lists(st.sampled_from(["a", "b", "c", "", "a "]), max_size=12))
def test_distinct_texts_and_where_they_are(texts: list[str]) -> None:
    found = distinct(texts)
    assert list(found.texts) == list(dict.fromkeys(texts))
    assert [found.texts[number] for number in found.number] == texts
    assert found.first.tolist() == [texts.index(text) for text in found.texts]

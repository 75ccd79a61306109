"""The search behind every retrieval score, against one pair at a time in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptstilts.alignment import neighbours as module
from adaptstilts.alignment.neighbours import Neighbours, neighbours
from adaptstilts.metric.retrieval import nearest_both

DIRECTIONS = ("en-xx", "xx-en")
# More than float32 can be wrong by here.
SLACK = 1e-5


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Foreign and English vectors: some pairs near, some rows repeated, also across languages."""
    n, d = draw(st.integers(1, 40)), draw(st.integers(2, 16))
    generator = np.random.default_rng(draw(st.integers(0, 9999)))
    y = generator.normal(size=(n, d)).astype(np.float32)
    noise = draw(st.sampled_from([0.0, 0.3, 1.0, 10.0]))
    x = (y + noise * generator.normal(size=(n, d))).astype(np.float32)
    for _ in range(draw(st.integers(0, 6))):
        to, of = (draw(st.sampled_from([x, y])) for _ in range(2))
        to[draw(st.integers(0, n - 1))] = of[draw(st.integers(0, n - 1))]
    return x, y


class Reference:
    """What the papers define, one query at a time, in float64; equal rows are made equal."""

    def __init__(self, queries: np.ndarray, candidates: np.ndarray) -> None:
        self.queries, self.candidates = queries, candidates
        self.n = len(queries)
        self.cosine = [[self.of(q, c) for c in candidates] for q in queries]
        # The first candidate with the same vector.
        self.first = [
            next(i for i in range(j + 1) if np.array_equal(candidates[i], candidates[j]))
            for j in range(self.n)
        ]
        # For each query the candidates from the nearest to the farthest.
        self.order = [
            sorted(range(self.n), key=lambda j: (-row[self.first[j]], j)) for row in self.cosine
        ]

    @staticmethod
    def of(a: np.ndarray, b: np.ndarray) -> float:
        a, b = a.astype(np.float64), b.astype(np.float64)
        return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))

    def mean_of_nearest(self, i: int, k: int) -> float:
        return sum(self.cosine[i][j] for j in self.order[i][:k]) / k

    def set_is_clear(self, i: int, k: int) -> bool:
        """Whether no two different candidates lie at the border of the k nearest."""
        order = self.order[i]
        if len(order) <= k:
            return True
        last, out = order[k - 1], order[k]
        is_same = self.first[last] == self.first[out]
        return is_same or self.cosine[i][last] - self.cosine[i][out] > SLACK


def both_ways(x: np.ndarray, y: np.ndarray) -> dict[str, tuple[Reference, Reference]]:
    """For each direction the reference that asks and its reverse."""
    english, foreign = Reference(y, x), Reference(x, y)
    return {"en-xx": (english, foreign), "xx-en": (foreign, english)}


@given(pairs())
@settings(deadline=None, max_examples=60)
def test_nearest_is_best_and_first_of_its_equals(sides: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = sides
    found = neighbours(x, y, device="cpu")
    for direction, (asks, _) in both_ways(x, y).items():
        for i, j in enumerate(found.nearest[direction]):
            assert asks.cosine[i][j] >= max(asks.cosine[i]) - SLACK
            assert asks.first[j] == j


@given(pairs())
@settings(deadline=None, max_examples=60)
def test_nearest_is_that_of_the_plain_search(sides: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = sides
    found = neighbours(x, y, device="cpu")
    for direction, plain in zip(DIRECTIONS, nearest_both(y, x), strict=True):
        asks, _ = both_ways(x, y)[direction]
        for i, (ours, theirs) in enumerate(zip(found.nearest[direction], plain, strict=True)):
            assert abs(asks.cosine[i][ours] - asks.cosine[i][theirs]) < 1e-6
            if asks.set_is_clear(i, 1):
                assert ours == theirs


@given(pairs())
@settings(deadline=None, max_examples=60)
def test_rank_counts_who_stands_before_the_translation(
    sides: tuple[np.ndarray, np.ndarray],
) -> None:
    x, y = sides
    found = neighbours(x, y, device="cpu")
    for direction, (asks, _) in both_ways(x, y).items():
        for i, rank in enumerate(found.rank[direction]):
            pair = asks.cosine[i][i]
            earlier = sum(asks.first[j] == asks.first[i] for j in range(i))
            others = [c for j, c in enumerate(asks.cosine[i]) if asks.first[j] != asks.first[i]]
            assert 1 + earlier + sum(c > pair + SLACK for c in others) <= rank
            assert rank <= 1 + earlier + sum(c >= pair - SLACK for c in others)
            assert (rank == 1) == (found.nearest[direction][i] == i)


@given(pairs())
@settings(deadline=None, max_examples=60)
def test_margin_is_laser_s_rule(sides: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = sides
    found = neighbours(x, y, device="cpu")
    k = min(4, len(x))
    for direction, (asks, back) in both_ways(x, y).items():
        for i in range(asks.n):
            # xsim.py, told again: search k each way, average, divide, take the best of the k.
            nearest = asks.order[i][:k]
            middles = [
                (asks.mean_of_nearest(i, k) + back.mean_of_nearest(j, k)) / 2 for j in nearest
            ]
            if not asks.set_is_clear(i, k) or min(map(abs, middles)) < 0.05:
                continue
            ratios = [asks.cosine[i][j] / b for j, b in zip(nearest, middles, strict=True)]
            picked = found.margin[direction][i]
            assert picked in nearest
            assert ratios[nearest.index(picked)] >= max(ratios) - 100 * SLACK
            assert asks.first[picked] == picked


@given(pairs())
@settings(deadline=None, max_examples=60)
def test_csls_is_muse_s_formula(sides: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = sides
    found = neighbours(x, y, device="cpu")
    k = min(10, len(x))
    for direction, (asks, back) in both_ways(x, y).items():
        for i in range(asks.n):
            scores = [
                2 * asks.cosine[i][j] - asks.mean_of_nearest(i, k) - back.mean_of_nearest(j, k)
                for j in range(asks.n)
            ]
            picked = found.csls[direction][i]
            assert scores[picked] >= max(scores) - 3 * SLACK
            assert asks.first[picked] == picked


@given(pairs(), st.sampled_from([1, 3, 128]))
@settings(deadline=None, max_examples=80)
def test_strong_needs_both_languages(sides: tuple[np.ndarray, np.ndarray], block_rows: int) -> None:
    x, y = sides
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_ROWS", block_rows)
        found = neighbours(x, y, device="cpu")
    for direction, (asks, _) in both_ways(x, y).items():
        for i, strong in enumerate(found.strong[direction]):
            own = [
                Reference.of(asks.queries[i], asks.queries[j])
                for j in range(asks.n)
                # Who equals the translation cannot be nearer than it.
                if j != i and not np.array_equal(asks.queries[j], asks.candidates[i])
            ]
            ahead = asks.cosine[i][i] - max(own, default=-2.0)
            if abs(ahead) > SLACK:
                assert strong == (found.nearest[direction][i] == i and ahead > 0)


@given(pairs())
@settings(deadline=None, max_examples=60)
def test_gap_and_occurrences(sides: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = sides
    n, k = len(x), min(10, len(x))
    found = neighbours(x, y, device="cpu")
    ways = both_ways(x, y)
    cosine = ways["xx-en"][0].cosine
    for i, gap in enumerate(found.gap):
        others = [cosine[i][j] for j in range(n) if j != i]
        others += [cosine[j][i] for j in range(n) if j != i]
        assert gap == pytest.approx(cosine[i][i] - np.mean(others) if others else 0.0, abs=SLACK)
    for direction, (asks, _) in ways.items():
        assert found.occurrences[direction].sum() == n * k
        if all(asks.set_is_clear(i, k) for i in range(n)):
            times = [0] * n
            for i in range(n):
                for j in asks.order[i][:k]:
                    times[j] += 1
            assert found.occurrences[direction].tolist() == times


def clear_pairs(seed: int = 0, n: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Vectors whose every decision is far from a tie, and none of them easy."""
    generator = np.random.default_rng(seed)
    y = generator.normal(size=(n, 24))
    return y + 1.4 * generator.normal(size=(n, 24)), y


def assert_equal(one: Neighbours, other: Neighbours) -> None:
    for direction in DIRECTIONS:
        for quantity in ("nearest", "margin", "csls", "rank", "strong", "occurrences"):
            ours, theirs = (getattr(side, quantity)[direction] for side in (one, other))
            assert np.array_equal(ours, theirs), quantity
    np.testing.assert_allclose(one.gap, other.gap, atol=1e-6)


def test_all_criteria_together_on_clear_vectors_and_they_differ() -> None:
    x, y = clear_pairs()
    found = neighbours(x, y, device="cpu")
    gold = np.arange(len(x))
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y)]
    for direction, (candidates, queries) in zip(DIRECTIONS, (unit, unit[::-1]), strict=True):
        cosine = queries @ candidates.T
        assert np.array_equal(found.nearest[direction], cosine.argmax(axis=1))
        places = (-cosine).argsort(axis=1)
        assert np.array_equal(found.rank[direction], 1 + (places == gold[:, None]).argmax(axis=1))
        forth, back = (np.sort(c, axis=1)[:, :-11:-1] for c in (cosine, cosine.T))
        csls = 2 * cosine - forth.mean(axis=1)[:, None] - back.mean(axis=1)
        assert np.array_equal(found.csls[direction], csls.argmax(axis=1))
        ratio = cosine / ((forth[:, :4].mean(axis=1)[:, None] + back[:, :4].mean(axis=1)) / 2)
        ratio[cosine < forth[:, 3:4]] = -np.inf
        assert np.array_equal(found.margin[direction], ratio.argmax(axis=1))
        union = np.concatenate([cosine, queries @ queries.T - 3 * np.eye(len(gold))], axis=1)
        assert np.array_equal(found.strong[direction], union.argmax(axis=1) == gold)
        times = np.bincount(places[:, :10].ravel(), minlength=len(gold))
        assert np.array_equal(found.occurrences[direction], times)
        shares = [
            (found.nearest[direction] == gold).mean(),
            (found.margin[direction] == gold).mean(),
            (found.csls[direction] == gold).mean(),
            found.strong[direction].mean(),
        ]
        assert len(set(shares)) == 4
        assert all(0.2 < share < 0.95 for share in shares)


@pytest.mark.parametrize("seed", range(4))
def test_rotation_and_scale_of_rows_do_not_matter(seed: int) -> None:
    x, y = clear_pairs(seed)
    generator = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(generator.normal(size=(24, 24)))
    scales = generator.uniform(0.1, 10, size=(2, len(x), 1))
    turned = neighbours(scales[0] * x @ rotation, scales[1] * y @ rotation, device="cpu")
    assert_equal(turned, neighbours(x, y, device="cpu"))


@pytest.mark.parametrize("seed", range(4))
def test_permuted_pairs_give_permuted_results(seed: int) -> None:
    x, y = clear_pairs(seed)
    order = np.random.default_rng(seed).permutation(len(x))
    before, after = (neighbours(a, b, device="cpu") for a, b in ((x, y), (x[order], y[order])))
    for direction in DIRECTIONS:
        for quantity in ("nearest", "margin", "csls"):
            ours, theirs = (getattr(side, quantity)[direction] for side in (after, before))
            assert np.array_equal(order[ours], theirs[order]), quantity
        for quantity in ("rank", "strong", "occurrences"):
            ours, theirs = (getattr(side, quantity)[direction] for side in (after, before))
            assert np.array_equal(ours, theirs[order]), quantity
    np.testing.assert_allclose(after.gap, before.gap[order], atol=1e-6)


def test_swapped_languages_swap_the_directions() -> None:
    x, y = clear_pairs()
    ours, swapped = neighbours(x, y, device="cpu"), neighbours(y, x, device="cpu")
    for quantity in ("nearest", "margin", "csls", "rank", "strong", "occurrences"):
        for direction, other in zip(DIRECTIONS, DIRECTIONS[::-1], strict=True):
            one, two = getattr(ours, quantity)[direction], getattr(swapped, quantity)[other]
            assert np.array_equal(one, two), quantity


@pytest.mark.parametrize("copies", [2, 7, 40])
def test_repeated_pairs_go_to_the_first_whatever_the_product_rounds(copies: int) -> None:
    # Wide and many: rows at the edge of a block of the product are summed in another order.
    generator = np.random.default_rng(copies)
    y = generator.normal(size=(23, 257)).astype(np.float32)
    x = (y + 0.1 * generator.normal(size=y.shape)).astype(np.float32)
    found = neighbours(np.tile(x, (copies, 1)), np.tile(y, (copies, 1)), device="cpu")
    first = np.tile(np.arange(23), copies)
    for direction in DIRECTIONS:
        for one in (found.nearest, found.margin, found.csls):
            assert np.array_equal(one[direction], first)
        assert np.array_equal(found.rank[direction], 1 + np.repeat(np.arange(copies), 23))


def test_a_repeated_sentence_of_the_own_language_is_nearer_than_a_translation() -> None:
    x, y = np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32)
    x[3] = x[2]  # foreign 2 and 3 are one sentence
    y += 0.1
    strong = neighbours(x, y, device="cpu").strong
    assert strong["xx-en"].tolist() == [True, True, False, False]
    # English 3 finds foreign 0, 1 or 2 and not its own, which is equal to 2.
    assert strong["en-xx"].tolist() == [True, True, True, False]


def test_a_tie_of_the_translation_with_the_own_language_is_strong() -> None:
    x = np.array([[1, 1], [1, 0]], dtype=np.float32)
    y = np.array([[0, 1], [1, -1]], dtype=np.float32)
    assert neighbours(x, y, device="cpu").strong["xx-en"].tolist() == [True, True]
    nudged = y * 0.999 + 0.001 * np.array([[-1, 0], [0, 0]])
    assert neighbours(x, nudged, device="cpu").strong["xx-en"].tolist() == [False, True]


def test_bad_input_is_refused() -> None:
    good, zero = np.ones((3, 2)), np.ones((3, 2))
    zero[1] = 0
    with pytest.raises(ValueError, match="row 1 of the second array is all zero"):
        neighbours(good, zero, device="cpu")
    with pytest.raises(ValueError, match="pairs are incomplete: 3 foreign, 2 English"):
        neighbours(good, good[:2], device="cpu")
    with pytest.raises(ValueError, match="width"):
        neighbours(good, np.ones((3, 4)), device="cpu")

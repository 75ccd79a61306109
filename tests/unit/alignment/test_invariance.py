"""What must not change a score: a turned space, lengths of vectors, order of rows, batch sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from near_ties import ROUNDING, parting
from scipy.stats import ortho_group

from adaptstilts.alignment import encode as encode_module
from adaptstilts.alignment.corpus import corpus
from adaptstilts.alignment.encode import encode
from adaptstilts.alignment.retrieval import Retrieval, outcomes, retrieve
from adaptstilts.base.identity import identify
from adaptstilts.base.load import load_base
from adaptstilts.data.bitext import bitext
from adaptstilts.data.pocket import Pocket
from adaptstilts.task.target.tatoeba import TATOEBA

DIRECTIONS = ("en-xx", "xx-en")


def pairs(seed: int, *, items: int, width: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Foreign and English vectors [items, width] of which some pairs are nearest, some not."""
    draw = np.random.default_rng([seed, items, width])
    english = draw.normal(size=(items, width)) + draw.normal(size=width)
    foreign = english + noise * draw.normal(size=(items, width))
    return foreign.astype(np.float32), english.astype(np.float32)


def found(foreign: np.ndarray, english: np.ndarray) -> Retrieval:
    n = len(foreign)
    return retrieve(
        np.concatenate([foreign, english])[None],
        language="de",
        layers=(4,),
        foreign=range(n),
        english=range(n, 2 * n),
    )


def check_same(
    one: Retrieval, other: Retrieval, foreign: np.ndarray, english: np.ndarray
) -> dict[str, int]:
    """Every find is the same but for ties within rounding; gives how many of those there are."""
    sides = {"en-xx": (english, foreign), "xx-en": (foreign, english)}
    ties = {}
    for direction, (queries, candidates) in sides.items():
        apart = parting(
            one.found[direction][0],
            other.found[direction][0],
            queries=queries,
            candidates=candidates,
        )
        assert apart.gap <= ROUNDING, (direction, apart)
        ties[direction] = len(apart.items)
    return ties


spaces = st.builds(
    pairs,
    st.integers(0, 2**16),
    items=st.integers(2, 60),
    width=st.integers(2, 40),
    noise=st.floats(0.1, 2.0),
)


@given(space=spaces, seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=40)
def test_a_turned_space(space: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    foreign, english = space
    turn = ortho_group.rvs(foreign.shape[1], random_state=seed)
    turned = found((foreign @ turn).astype(np.float32), (english @ turn).astype(np.float32))
    check_same(found(foreign, english), turned, foreign, english)


@given(space=spaces, seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=40)
def test_lengths_of_vectors(space: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    foreign, english = space
    draw = np.random.default_rng(seed)
    longer = [
        (side * 10.0 ** draw.uniform(-3, 3, size=(len(side), 1))).astype(np.float32)
        for side in space
    ]
    check_same(found(foreign, english), found(*longer), foreign, english)


@given(space=spaces, seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=40)
def test_order_of_rows(space: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    foreign, english = space
    order = np.random.default_rng(seed).permutation(len(foreign))
    moved = found(foreign[order], english[order])
    # Back to the old numbers: item `order[i]` stood at i, and found what stood at moved[i].
    back = {name: np.empty_like(rows) for name, rows in moved.found.items()}
    for name, rows in moved.found.items():
        back[name][:, order] = order[rows]
    there = found(foreign, english)
    ties = check_same(there, Retrieval("de", (4,), back), foreign, english)
    for direction in DIRECTIONS:
        for metric in ("accuracy", "f1"):
            value = outcomes(there, direction, metric).mean()
            if not ties[direction]:
                assert outcomes(moved, direction, metric).mean() == pytest.approx(value)


@given(space=spaces)
@settings(deadline=None, max_examples=40)
def test_sides_exchanged_exchange_the_directions(space: tuple[np.ndarray, np.ndarray]) -> None:
    foreign, english = space
    there, back = found(foreign, english), found(english, foreign)
    exchanged = Retrieval("de", (4,), {"en-xx": back.found["xx-en"], "xx-en": back.found["en-xx"]})
    check_same(there, exchanged, foreign, english)


def test_batch_size_with_the_pocket_base(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = identify("pocket", None)
    base = load_base(identity, revision=None, quantization="int8", compute="fp32", device="cpu")
    text = bitext(Pocket().read(TATOEBA.tables["th"]), "th")
    gathered = corpus([text], base.tokenizer, max_length=base.shape.positions - 2)
    sides = gathered.foreign["th"], gathered.english["th"]
    results = []
    for budget in (200, 2048, 8192):  # from a handful of sentences at a time to hundreds
        monkeypatch.setitem(encode_module.TOKENS_PER_BATCH, "cpu", budget)
        vectors = np.zeros((1, len(gathered.token_ids), base.shape.width), dtype=np.float32)
        batches = list(encode(base, gathered.token_ids, layers=[4], vectors=vectors))
        found_here = retrieve(
            vectors, language="th", layers=(4,), foreign=sides[0], english=sides[1]
        )
        results.append((len(batches), vectors, found_here))
    counts = [count for count, _, _ in results]
    assert counts[0] > 3 * counts[1] > 3 * counts[2]
    (_, vectors, there), *others = results
    foreign, english = vectors[0][sides[0]], vectors[0][sides[1]]
    assert 0.3 < outcomes(there, "en-xx", "accuracy").mean() < 0.99
    for _, other_vectors, other in others:
        np.testing.assert_allclose(other_vectors, vectors, atol=1e-5)
        ties = check_same(there, other, foreign, english)
        for direction in DIRECTIONS:
            value, here = (outcomes(r, direction, "accuracy").mean() for r in (there, other))
            assert abs(value - here) <= ties[direction] / len(text) + 1e-12

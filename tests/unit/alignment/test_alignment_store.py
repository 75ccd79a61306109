"""What a system found survives a file, in the smallest type that holds it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptstilts.alignment.retrieval import Retrieval, retrieve
from adaptstilts.alignment.store import BY_DIRECTION, pack, unpack


def found(items: int, *, everything: bool, language: str = "de") -> Retrieval:
    vectors = np.random.default_rng(items).normal(size=(2, 2 * items, 8)).astype(np.float32)
    return retrieve(
        vectors,
        language=language,
        layers=(0, 3),
        foreign=range(items),
        english=range(items, 2 * items),
        everything=everything,
    )


def assert_same(one: Retrieval, other: Retrieval) -> None:
    assert (one.language, one.layers, one.items) == (other.language, other.layers, other.items)
    for quantity in BY_DIRECTION:
        ours, theirs = getattr(one, quantity), getattr(other, quantity)
        assert (ours is None) == (theirs is None)
        for direction in ours or ():
            assert ours[direction].dtype == theirs[direction].dtype
            assert np.array_equal(ours[direction], theirs[direction])
    assert (one.gap is None) == (other.gap is None)
    if one.gap is not None:
        assert one.gap.dtype == other.gap.dtype
        assert np.array_equal(one.gap, other.gap)


@given(items=st.integers(1, 40), everything=st.booleans())
@settings(deadline=None, max_examples=30)
def test_packed_and_unpacked_is_the_same(items: int, everything: bool) -> None:
    before = found(items, everything=everything)
    assert_same(unpack(pack(before), language="de", layers=(0, 3)), before)


def test_languages_share_a_file(tmp_path: Path) -> None:
    languages = {
        "de": found(30, everything=True),
        "jv": found(9, everything=True, language="jv"),
        "fr": found(30, everything=False, language="fr"),
    }
    arrays = {}
    for one in languages.values():
        arrays |= pack(one)
    np.savez_compressed(tmp_path / "found.npz", allow_pickle=False, **arrays)
    with np.load(tmp_path / "found.npz") as file:
        for language, before in languages.items():
            assert_same(unpack(file, language=language, layers=(0, 3)), before)
        with pytest.raises(KeyError, match="nl/found"):
            unpack(file, language="nl", layers=(0, 3))


@pytest.mark.parametrize(
    ("items", "dtype"),
    [(127, np.int8), (128, np.int16), (32_767, np.int16), (32_768, np.int32)],
)
def test_the_smallest_type_holds_the_highest_rank(items: int, dtype: type) -> None:
    rows = {way: np.arange(items, dtype=np.int32)[None] for way in ("en-xx", "xx-en")}
    ranks = {way: row + 1 for way, row in rows.items()}
    before = Retrieval("de", (4,), rows, rank=ranks)
    packed = pack(before)
    assert {array.dtype for array in packed.values()} == {np.dtype(dtype)}
    assert packed["de/rank/en-xx"].max() == items
    assert_same(unpack(packed, language="de", layers=(4,)), before)

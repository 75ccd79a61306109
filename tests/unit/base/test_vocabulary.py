"""Vocabulary trimming is lossless: bit-equal outputs from a fraction of the table."""

from __future__ import annotations

import functools

import pytest
import torch
from builders import QUANTIZATIONS, TINY, add_adapter, tiny_base
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptstilts.base.hidden_states import pooled_states
from adaptstilts.base.load import Base
from adaptstilts.base.vocabulary import ABSENT, trim, used_pieces
from adaptstilts.data.batches import collate

SPECIAL = (0, 1, 2, 3)
text = st.lists(st.integers(4, TINY.pieces - 1), min_size=1, max_size=12).map(
    lambda inner: [0, *inner, 2]
)
texts = st.lists(text, min_size=1, max_size=4)


@functools.cache
def whole_base(quantization: str) -> Base:
    base = tiny_base(quantization)
    add_adapter(base)
    return base


def all_states(base: Base, ids: list[list[int]]) -> torch.Tensor:
    input_ids, mask = collate(ids, padding_id=1, rows=base.rows)
    return pooled_states(base.model, input_ids, mask, [0, 1, 2, 3])


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
@given(ids=texts, more=st.sets(st.integers(0, TINY.pieces - 1), max_size=5))
@settings(deadline=None, max_examples=8)
def test_trimmed_base_is_bit_equal(quantization: str, ids: list[list[int]], more: set[int]) -> None:
    base = tiny_base(quantization)
    add_adapter(base)
    base.trim_vocabulary(sorted({*used_pieces(ids, SPECIAL), *more}))
    assert base.model.get_input_embeddings().num_embeddings < TINY.pieces
    assert torch.equal(all_states(base, ids), all_states(whole_base(quantization), ids))


def test_padding_is_masked_and_keeps_its_id() -> None:
    base = tiny_base()
    base.trim_vocabulary([0, 1, 2, 3, 100, 200])
    input_ids, mask = collate([[0, 100, 200, 2], [0, 200, 2]], padding_id=1, rows=base.rows)
    assert input_ids.tolist() == [[0, 4, 5, 2], [0, 5, 2, 1]]
    assert mask.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert base.model.get_input_embeddings().padding_idx == 1


def test_a_piece_that_was_trimmed_away_is_refused() -> None:
    base = tiny_base()
    base.trim_vocabulary([0, 1, 2, 3, 100])
    assert int(base.rows[101]) == ABSENT
    with pytest.raises(ValueError, match="piece 101 was trimmed"):
        collate([[0, 100, 2], [0, 101, 2]], padding_id=1, rows=base.rows)


@pytest.mark.parametrize("pieces", [[0, 2, 3, 9], [1, 2, 3, 9]])
def test_a_trim_that_would_move_the_padding_is_refused(pieces: list[int]) -> None:
    base = tiny_base()
    with pytest.raises(ValueError, match="padding id 1"):
        trim(base.model, pieces)
    assert base.model.get_input_embeddings().num_embeddings == TINY.pieces


def test_a_base_is_trimmed_once() -> None:
    base = tiny_base()
    base.trim_vocabulary([0, 1, 2, 3, 100])
    with pytest.raises(ValueError, match="trimmed already"):
        base.trim_vocabulary([0, 1, 2, 3])


def test_trimming_saves_the_table_s_bytes() -> None:
    base = tiny_base()
    before = base.bytes
    base.trim_vocabulary([0, 1, 2, 3, 100])
    assert before - base.bytes == (TINY.pieces - 5) * TINY.width * 4


@given(ids=texts)
def test_used_pieces_are_distinct_and_ascending(ids: list[list[int]]) -> None:
    used = used_pieces(ids, SPECIAL)
    assert used == sorted(set(used))
    assert set(used) == {piece for one in ids for piece in one} | set(SPECIAL)

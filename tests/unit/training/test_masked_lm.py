"""Gaps: which pieces are asked for, and that the loss is the one of transformers' own model."""

from __future__ import annotations

import random

import pytest
import torch
from builders import TINY, add_adapter, padded, tiny_base, token_ids
from hypothesis import given
from hypothesis import strategies as st
from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM

from adaptstilts.base.load import Base, frozen_base
from adaptstilts.head.masked_lm import MaskedLMHead
from adaptstilts.training.masked_lm import MaskedLM, mask_pieces, masked_lm

MASK = 299
SPECIAL = frozenset({0, 1, 2, 3, MASK})
OTHERS = list(range(4, 50))
texts = st.lists(
    st.lists(st.integers(4, 298), min_size=0, max_size=40).map(lambda inner: [0, *inner, 2]),
    max_size=6,
)


@given(texts, st.integers(0, 1000))
def test_fifteen_per_cent_are_asked_for_and_the_rest_stays(
    token_ids: list[list[int]], seed: int
) -> None:
    masked = mask_pieces(
        token_ids, random.Random(seed), mask_id=MASK, special_ids=SPECIAL, others=OTHERS
    )
    assert len(masked.places) == len(set(masked.places)) == len(masked.pieces)
    asked = set(masked.places)
    for text, (before, after) in enumerate(zip(token_ids, masked.token_ids, strict=True)):
        assert len(before) == len(after)
        mine = [place for number, place in masked.places if number == text]
        free = len(before) - 2
        assert len(mine) == (0 if free == 0 else max(1, round(0.15 * free)))
        for place, piece in enumerate(before):
            if (text, place) not in asked:
                assert after[place] == piece
    for (text, place), piece in zip(masked.places, masked.pieces, strict=True):
        assert token_ids[text][place] == piece
        assert piece not in SPECIAL
        assert masked.token_ids[text][place] in {MASK, piece, *OTHERS}


def test_of_these_eighty_per_cent_are_masked_ten_replaced_and_ten_kept() -> None:
    long = [[0, *([200] * 2000), 2] for _ in range(20)]
    masked = mask_pieces(long, random.Random(0), mask_id=MASK, special_ids=SPECIAL, others=OTHERS)
    shown = [masked.token_ids[text][place] for text, place in masked.places]
    n = len(shown)
    assert n == 20 * 300
    assert shown.count(MASK) / n == pytest.approx(0.8, abs=0.02)
    assert shown.count(200) / n == pytest.approx(0.1, abs=0.02)
    assert sum(piece in OTHERS for piece in shown) / n == pytest.approx(0.1, abs=0.02)


def whole_model() -> XLMRobertaForMaskedLM:
    config = XLMRobertaConfig(
        vocab_size=TINY.pieces,
        hidden_size=TINY.width,
        num_hidden_layers=TINY.layers,
        num_attention_heads=TINY.heads,
        intermediate_size=TINY.intermediate,
        max_position_embeddings=TINY.positions,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    torch.manual_seed(0)
    model = XLMRobertaForMaskedLM(config).eval()
    with torch.no_grad():
        model.lm_head.bias.normal_()
    return model


def ours(train: list[list[int]], dev: list[list[int]], *, keep: list[int] | None) -> MaskedLM:
    model = whole_model()
    decoder = MaskedLMHead(width=TINY.width, pieces=TINY.pieces, epsilon=1e-5)
    named = model.lm_head.state_dict()
    decoder.load_state_dict({name: named[name] for name in decoder.state_dict()})
    encoder = model.roberta
    base: Base = frozen_base(encoder, None, quantization="none", compute="fp32", device="cpu")
    if keep is not None:
        base.trim_vocabulary(keep)
    return masked_lm(base, decoder, train=train, dev=dev, mask_id=MASK, special_ids=[0, 1, 2, 3])


def test_the_loss_is_that_of_transformers_where_every_piece_is_used() -> None:
    train = [*token_ids(20, seed=1), *[[0, piece, 2] for piece in range(4, 299)]]
    one = ours(train, token_ids(3, seed=2), keep=None)
    assert len(one.place) == TINY.pieces
    (part,) = one.parts([list(range(20))], draw="1/1")
    masked = mask_pieces(
        train[:20],
        random.Random("masks/1/1"),
        mask_id=MASK,
        special_ids=SPECIAL,
        others=list(range(4, 299)),
    )
    ids, mask = padded(masked.token_ids)
    labels = torch.full_like(ids, -100)
    for (text, place), piece in zip(masked.places, masked.pieces, strict=True):
        labels[text, place] = piece
    with torch.no_grad():
        expected = whole_model()(input_ids=ids, attention_mask=mask, labels=labels).loss
        found = part.loss() / part.count
    assert part.count == len(masked.pieces)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_what_else_a_trimmed_base_keeps_changes_no_bit() -> None:
    train, dev = token_ids(12, seed=1, pieces=80), token_ids(6, seed=2, pieces=90)
    used = sorted({0, 1, 2, 3, MASK, *(piece for ids in [*train, *dev] for piece in ids)})
    whole = ours(train, dev, keep=None)
    assert list(whole.place) == used
    assert whole.bias.shape == (len(used),)
    for keep in (used, sorted({*used, *range(200, 240)})):
        trimmed = ours(train, dev, keep=keep)
        assert trimmed.place == whole.place
        assert torch.equal(trimmed.words, whole.words)
        (a,), (b,) = (one.parts([[0, 1, 2, 3]], draw="1/1") for one in (trimmed, whole))
        with torch.no_grad():
            assert torch.equal(a.loss(), b.loss())
        found, expected = (one.evaluate(tokens_per_batch=60) for one in (trimmed, whole))
        assert found == expected


def test_a_text_without_a_piece_to_ask_for_costs_nothing() -> None:
    base = tiny_base()
    add_adapter(base)
    decoder = MaskedLMHead(width=TINY.width, pieces=TINY.pieces, epsilon=1e-5)
    one = masked_lm(
        base, decoder, train=[[0, 2]], dev=[[0, 2]], mask_id=MASK, special_ids=[0, 1, 2, 3]
    )
    (part,) = one.parts([[0]], draw="1/1")
    assert part.count == 0
    assert float(part.loss().detach()) == 0.0
    assert one.evaluate(tokens_per_batch=10).n == 0

"""The classification head equals RoBERTa's."""

from __future__ import annotations

import pytest
import torch
from builders import padded, token_ids
from transformers import XLMRobertaConfig
from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaClassificationHead

from adaptstilts.head.classification import new_head


def test_first_pooling_equals_transformers_head() -> None:
    config = XLMRobertaConfig(hidden_size=16, num_labels=3, hidden_dropout_prob=0.1)
    theirs = XLMRobertaClassificationHead(config).eval()
    ours = new_head(width=16, labels=3, pooling="first", dropout=0.1, seed=1).eval()
    ours.load_state_dict(theirs.state_dict())
    states = torch.randn(4, 7, 16)
    assert torch.equal(ours(states, torch.ones(4, 7)), theirs(states))


def test_mean_pooling_leaves_padding_out() -> None:
    head = new_head(width=16, labels=3, pooling="mean", dropout=0.1, seed=1).eval()
    _, mask = padded(token_ids(4))
    states = torch.randn(*mask.shape, 16)
    scores = head(states, mask)
    noisy = torch.where(mask.bool().unsqueeze(-1), states, torch.full_like(states, 1e6))
    assert torch.equal(head(noisy, mask), scores)
    alone = head(states[:1, : int(mask[0].sum())], mask[:1, : int(mask[0].sum())])
    torch.testing.assert_close(alone, scores[:1])


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_scores_are_in_full_precision(pooling: str) -> None:
    head = new_head(width=16, labels=2, pooling=pooling, dropout=0.0, seed=1)
    scores = head(torch.randn(2, 3, 16, dtype=torch.bfloat16), torch.ones(2, 3))
    assert scores.dtype == torch.float32


def test_initial_weights_are_decided_by_the_seed_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    one = new_head(width=64, labels=2, pooling="first", dropout=0.1, seed=1)
    assert torch.equal(torch.rand(2), expected)
    same = new_head(width=64, labels=2, pooling="first", dropout=0.1, seed=1)
    other = new_head(width=64, labels=2, pooling="first", dropout=0.1, seed=2)
    assert torch.equal(one.dense.weight, same.dense.weight)
    assert not torch.equal(one.dense.weight, other.dense.weight)
    assert float(one.dense.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
    assert (one.dense.bias == 0).all()

"""The base's masked-LM head is found where transformers and the bundled base keep it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from builders import TINY, padded, token_ids
from safetensors.torch import load_file
from torch import Tensor
from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM, XLMRobertaModel

from adaptstilts.base.identity import Identity, identify, pocket_folder
from adaptstilts.base.load import Base, frozen_base, load_base
from adaptstilts.errors import DataError
from adaptstilts.head.masked_lm import load_masked_lm_head

TEXTS = token_ids(4, seed=3)


def saved(folder: Path, **settings: object) -> XLMRobertaForMaskedLM:
    config = XLMRobertaConfig(
        vocab_size=TINY.pieces,
        hidden_size=TINY.width,
        num_hidden_layers=TINY.layers,
        num_attention_heads=TINY.heads,
        intermediate_size=TINY.intermediate,
        max_position_embeddings=TINY.positions,
        type_vocab_size=1,
        **settings,
    )
    torch.manual_seed(0)
    model = XLMRobertaForMaskedLM(config).eval()
    with torch.no_grad():
        model.lm_head.bias.normal_()
    model.save_pretrained(folder)
    return model


def based(encoder: XLMRobertaModel) -> Base:
    return frozen_base(encoder, None, quantization="none", compute="fp32", device="cpu")


def identity(folder: Path) -> Identity:
    return Identity(str(folder), folder, "key", TINY)


def test_scores_are_those_of_transformers(tmp_path: Path) -> None:
    model = saved(tmp_path)
    ids, mask = padded(TEXTS)
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=mask).logits
    base = based(model.roberta)
    head = load_masked_lm_head(identity(tmp_path), base, revision=None)
    words = base.model.get_input_embeddings().weight
    with torch.no_grad():
        states = base.model(input_ids=ids, attention_mask=mask).last_hidden_state
        found: Tensor = head(states, words, head.bias)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert not any(parameter.requires_grad for parameter in head.parameters())
    assert not head.training


def test_the_bundled_base_has_one_that_fills_gaps() -> None:
    found = identify("pocket", None)
    base = load_base(found, revision=None, quantization="none", compute="fp32", device="cpu")
    head = load_masked_lm_head(found, base, revision=None)
    for name, value in load_file(pocket_folder() / "lm_head.safetensors").items():
        assert torch.equal(head.state_dict()[name.removeprefix("lm_head.")], value.float())
    assert base.tokenizer is not None
    mask_id = base.tokenizer.mask_token_id
    ids = base.tokenizer("I do not know what you are talking about.")["input_ids"]
    masked = torch.tensor([[*ids[:place], mask_id, *ids[place + 1 :]] for place in range(1, 8)])
    with torch.no_grad():
        states = base.model(input_ids=masked).last_hidden_state
        at = states[torch.arange(7), torch.arange(1, 8)]
        scores = head(at, base.model.get_input_embeddings().weight, head.bias)
    loss = torch.nn.functional.cross_entropy(scores, torch.tensor(ids[1:8]))
    # Without any knowledge it would be the logarithm of the number of pieces, 10.5.
    assert float(loss) < 7


def test_a_base_without_one_is_told_of(tmp_path: Path) -> None:
    model = saved(tmp_path / "whole")
    model.roberta.save_pretrained(tmp_path / "encoder")
    with pytest.raises(DataError, match=r"no masked-LM head.*found none of its weights"):
        load_masked_lm_head(identity(tmp_path / "encoder"), based(model.roberta), revision=None)


def test_an_untied_decoder_is_refused(tmp_path: Path) -> None:
    model = saved(tmp_path, tie_word_embeddings=False)
    with pytest.raises(DataError, match="the word embeddings as decoder"):
        load_masked_lm_head(identity(tmp_path), based(model.roberta), revision=None)

"""Two copies of a text attract: the loss, the noise, and where the noise ends."""

from __future__ import annotations

import math

import pytest
import torch
from builders import add_adapter, padded, states, tiny_base, token_ids
from torch import nn

from adaptstilts.base.load import Base
from adaptstilts.training import contrastive
from adaptstilts.training.contrastive import Contrastive, encoder_noise

TEXTS = token_ids(6, seed=4)


def based() -> Base:
    base = tiny_base()
    add_adapter(base, dropout=0.5)
    return base


def test_without_noise_the_loss_is_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrastive, "NOISE", 0.0)
    base = based()
    (part,) = Contrastive(base, TEXTS, TEXTS).parts([list(range(6))], draw="1/1")
    found = float(part.loss().detach())
    vectors = []
    for row, text in zip(states(base, TEXTS), TEXTS, strict=True):
        mean = row[: len(text)].double().mean(dim=0)
        vectors.append(mean / mean.norm())
    expected = 0.0
    for i, one in enumerate(vectors):
        scores = [float(one @ other) / 0.05 for other in vectors]
        expected += math.log(sum(math.exp(score - scores[i]) for score in scores))
    assert found == pytest.approx(expected, rel=1e-4)
    assert part.count == 6


def test_two_copies_differ_and_the_noise_ends_with_the_context() -> None:
    base = based()
    ids, mask = padded(TEXTS)

    def copy() -> torch.Tensor:
        with torch.no_grad():
            return base.model(input_ids=ids, attention_mask=mask).last_hidden_state

    quiet = copy()
    with encoder_noise(base.model, 0.1):
        first, second = copy(), copy()
    assert not torch.equal(first, second)
    assert not torch.equal(first, quiet)
    assert torch.equal(copy(), quiet)
    with encoder_noise(base.model, 0.0):
        assert torch.equal(copy(), quiet)


def test_hidden_and_attention_dropout_act_and_the_adapter_s_does_not() -> None:
    base = based()
    layers = base.model.encoder.layer
    before = {path: (m.training, getattr(m, "p", None)) for path, m in base.model.named_modules()}
    off = {path for path, module in base.model.named_modules() if not module.training}
    with encoder_noise(base.model, 0.25):
        on = {path for path, module in base.model.named_modules() if module.training} & off
        assert all(
            module.p == 0.25
            for path, module in base.model.named_modules()
            if isinstance(module, nn.Dropout) and "lora_dropout" not in path
        )
    expected = {"embeddings.dropout"}
    for number in range(len(layers)):
        where = f"encoder.layer.{number}"
        expected |= {
            f"{where}.attention.self",
            f"{where}.attention.self.dropout",
            f"{where}.attention.output.dropout",
            f"{where}.output.dropout",
        }
    assert on == expected
    after = {path: (m.training, getattr(m, "p", None)) for path, m in base.model.named_modules()}
    assert after == before


def test_the_attention_s_own_dropout_is_felt() -> None:
    base = based()
    ids, mask = padded(TEXTS)
    with torch.no_grad(), encoder_noise(base.model, 0.3):
        for module in base.model.modules():
            if isinstance(module, nn.Dropout):
                module.training = False  # all that is left is what the attention takes itself
        first, second = (
            base.model(input_ids=ids, attention_mask=mask).last_hidden_state for _ in range(2)
        )
    assert not torch.equal(first, second)


def test_an_error_under_noise_still_ends_it() -> None:
    base = based()
    with pytest.raises(RuntimeError, match="stop"), encoder_noise(base.model, 0.1):
        raise RuntimeError("stop")
    dropouts = [module for module in base.model.modules() if isinstance(module, nn.Dropout)]
    assert dropouts
    assert not any(module.training for module in dropouts)


def test_the_dev_score_is_the_share_of_copies_found(monkeypatch: pytest.MonkeyPatch) -> None:
    base = based()
    assert Contrastive(base, TEXTS, TEXTS).evaluate(tokens_per_batch=30).n == 6
    monkeypatch.setattr(contrastive, "NOISE", 0.0)
    # A twin of a text is as right an answer as the text itself.
    twins = [TEXTS[0], TEXTS[1], TEXTS[0]]
    assert Contrastive(base, TEXTS, twins).evaluate(tokens_per_batch=30).value == 1.0
    monkeypatch.setattr(
        Contrastive,
        "_copies",
        lambda _self, draw, _tokens: torch.eye(3)[[1, 2, 0]] if draw == "dev/1" else torch.eye(3),
    )
    assert Contrastive(base, TEXTS, TEXTS[:3]).evaluate(tokens_per_batch=30).value == 0.0

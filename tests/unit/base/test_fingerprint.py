"""A base's fingerprint changes with everything that decides its outputs, and with nothing else."""

from __future__ import annotations

import torch
from builders import tiny_base, tiny_encoder

from adaptstilts.base.fingerprint import fingerprint, is_same_model, tokenizer_sha, weights_sha
from adaptstilts.base.identity import identify
from adaptstilts.base.load import load_tokenizer


def test_same_weights_have_the_same_sha() -> None:
    assert weights_sha(tiny_encoder(seed=4)) == weights_sha(tiny_encoder(seed=4))
    assert weights_sha(tiny_encoder(seed=4)) != weights_sha(tiny_encoder(seed=5))


def test_one_bit_of_one_weight_changes_the_sha() -> None:
    model = tiny_encoder()
    before = weights_sha(model)
    bias = model.encoder.layer[2].output.dense.bias.data
    bias[-1] = torch.nextafter(bias[-1], torch.tensor(1.0))
    assert weights_sha(model) != before


def test_type_counts_as_well_as_value() -> None:
    model = tiny_encoder()
    exact = {name: p.half().float() for name, p in model.state_dict().items()}
    model.load_state_dict(exact)
    assert weights_sha(model) != weights_sha(model.half())


def test_quantization_and_precision_are_in_the_fingerprint_and_not_in_the_weights() -> None:
    bases = [tiny_base("int8"), tiny_base("none"), tiny_base("none", compute="bf16")]
    assert len({base.fingerprint for base in bases}) == 3
    assert len({base.weights for base in bases}) == 1
    assert bases[0].fingerprint.endswith(" int8/float32")
    assert bases[2].fingerprint.endswith(" none/bfloat16")


def test_trimming_keeps_the_fingerprint() -> None:
    base = tiny_base()
    before = base.fingerprint
    base.trim_vocabulary([0, 1, 2, 3, 50])
    assert base.fingerprint == before == tiny_base().fingerprint


def test_same_model_is_weights_and_tokenizer() -> None:
    line = fingerprint("a" * 64, "b" * 64, "int8", torch.float32)
    assert is_same_model(line, fingerprint("a" * 64, "b" * 64, "none", torch.bfloat16))
    assert not is_same_model(line, fingerprint("a" * 64, "c" * 64, "int8", torch.float32))
    assert not is_same_model(line, fingerprint("c" * 64, "b" * 64, "int8", torch.float32))


def test_a_tokenizer_that_lower_cases_has_another_sha() -> None:
    tokenizer = load_tokenizer(identify("pocket", None), None)
    before = tokenizer_sha(tokenizer)
    assert tokenizer_sha(tokenizer) == before

    class LowerCased:
        def __call__(self, text: str) -> dict[str, list[int]]:
            return tokenizer(text.lower())

    assert tokenizer_sha(LowerCased()) != before

"""Weight-only int8: rounding, gradients, what is kept for them, and independence of the batch."""

from __future__ import annotations

import bitsandbytes as bnb
import pytest
import torch
from builders import (
    QUANTIZATIONS,
    add_adapter,
    padded,
    saved_for_backward,
    tiny_base,
    tiny_encoder,
    token_ids,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from peft.tuners.lora.bnb import Linear8bitLt as PeftLinear8bit
from torch import nn
from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

from adaptstilts.adapter.attach import adapter_layers
from adaptstilts.base.hidden_states import pooled_states
from adaptstilts.base.int8 import FrozenInt8Matmul, Int8Linear, dequantize
from adaptstilts.base.load import frozen_base
from adaptstilts.base.quantize import OUTLIER_THRESHOLD, quantize

CPU = torch.device("cpu")


def linear(*, seed: int = 0, width: int = 48, out: int = 24, bias: bool = True) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(width, out, bias=bias)


def plain(layer: Int8Linear) -> nn.Linear:
    """The same layer in 32-bit floats, by the definition: code x row's largest value / 127."""
    copy = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None)
    weight = layer.weight
    copy.weight.data = weight.data.double().mul(weight.SCB.double()[:, None] / 127.0).float()
    if layer.bias is not None:
        copy.bias.data = layer.bias.data.float()
    return copy


@given(seed=st.integers(0, 10_000), exponent=st.integers(-6, 3))
@settings(deadline=None, max_examples=25)
def test_codes_lie_within_half_a_step_of_the_weight(seed: int, exponent: int) -> None:
    source = linear(seed=seed)
    source.weight.data.mul_(10.0**exponent)
    layer = Int8Linear(source, device=CPU, dtype=torch.float32)
    # bitsandbytes rounds from float16, so that is the weight in question.
    weight = source.weight.data.half().float()
    step = weight.abs().amax(dim=1, keepdim=True) / 127.0
    restored = dequantize(layer.weight.data, layer.weight.SCB, torch.float32)
    # The row's scale is multiplied in float16 before it is rounded: a little over half a step.
    assert ((restored - weight).abs() <= 0.57 * step).all()
    assert int(layer.weight.data.abs().max()) == 127
    assert layer.weight.dtype == torch.int8


def test_weight_of_zeros_stays_zero() -> None:
    source = linear(bias=False)
    source.weight.data[3] = 0.0
    layer = Int8Linear(source, device=CPU, dtype=torch.float32)
    restored = dequantize(layer.weight.data, layer.weight.SCB, torch.float32)
    assert (restored[3] == 0).all()
    assert torch.isfinite(restored).all()


@pytest.mark.parametrize("bias", [True, False])
def test_forward_and_input_gradient_equal_a_dequantised_linear(bias: bool) -> None:
    layer = Int8Linear(linear(bias=bias), device=CPU, dtype=torch.float32)
    reference = plain(layer)
    x = torch.randn(2, 5, 48, requires_grad=True)
    twin = x.detach().clone().requires_grad_()
    upstream = torch.randn(2, 5, 24)
    ours, theirs = layer(x), reference(twin)
    ours.backward(upstream)
    theirs.backward(upstream)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(x.grad, twin.grad, rtol=1e-5, atol=1e-5)


def test_gradient_is_the_derivative() -> None:
    layer = Int8Linear(linear(width=6, out=4), device=CPU, dtype=torch.float64)
    x = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))


def test_bf16_computes_in_bf16() -> None:
    layer = Int8Linear(linear(), device=CPU, dtype=torch.bfloat16)
    x = torch.randn(4, 48)
    low = layer(x.bfloat16())
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), plain(layer)(x), rtol=0.05, atol=0.05)


def test_input_is_not_kept_for_the_backward_pass() -> None:
    layer = Int8Linear(linear(), device=CPU, dtype=torch.float32)
    x = torch.randn(4, 48, requires_grad=True)
    with saved_for_backward() as kept:
        layer(x)
    assert kept, "the weight has to be kept"
    assert not any(tensor.is_floating_point() and tensor.shape == x.shape for tensor in kept)
    assert {tensor.data_ptr() for tensor in kept} == {
        layer.weight.data_ptr(),
        layer.weight.SCB.data_ptr(),
    }


def test_bitsandbytes_own_function_keeps_the_input() -> None:
    # Why `FrozenInt8Matmul` exists. When this fails, bitsandbytes has mended it.
    frozen = bnb.nn.Linear8bitLt(48, 24, bias=False, has_fp16_weights=False, device="meta")
    weight = bnb.nn.Int8Params(linear().weight.data, requires_grad=False, has_fp16_weights=False)
    frozen.weight = weight.to("cpu")
    x = torch.randn(4, 48, requires_grad=True)
    output = frozen.train()(x)
    assert output.grad_fn.A.shape == x.shape


def test_peft_wraps_it_as_an_8_bit_layer() -> None:
    base = tiny_base("int8")
    add_adapter(base)
    layers = [layer for _, layer in adapter_layers(base.model)]
    assert len(layers) == 6
    assert all(isinstance(layer, PeftLinear8bit) for layer in layers)
    assert all(isinstance(layer.get_base_layer(), Int8Linear) for layer in layers)


@pytest.mark.parametrize("quantization", ["int8", "nf4", "none"])
def test_a_sentence_does_not_depend_on_its_batch(quantization: str) -> None:
    base = tiny_base(quantization)
    add_adapter(base)
    texts = token_ids(8, longest=30)
    together = pooled_states(base.model, *padded(texts), [0, 1, 2, 3])
    for index, text in enumerate(texts):
        alone = pooled_states(base.model, *padded([text]), [0, 1, 2, 3])
        torch.testing.assert_close(alone[:, 0], together[:, index], rtol=1e-5, atol=1e-5)


def _llm_int8_layer() -> tuple[bnb.nn.Linear8bitLt, torch.Tensor]:
    torch.manual_seed(0)
    layer = bnb.nn.Linear8bitLt(
        64, 32, bias=False, has_fp16_weights=False, threshold=OUTLIER_THRESHOLD, device="meta"
    )
    values = torch.randn(32, 64) * 0.05
    values[:, 7] = 1.0
    weight = bnb.nn.Int8Params(values, requires_grad=False, has_fp16_weights=False)
    layer.weight = weight.to("cpu")
    sentence = torch.randn(4, 64).half()
    sentence[:, 3] = 5.9  # the largest value below the threshold decides the step
    sentence[:, 7] = 20.5 * 5.9 / 127.0  # falls between two steps
    return layer.eval(), sentence


def test_llm_int8_depends_on_its_batch() -> None:
    # In eval() mode on the CPU bitsandbytes runs the same mixed decomposition as on CUDA: a column
    # with one outlier, in whatever sentence, is computed in float16 for all sentences.
    layer, sentence = _llm_int8_layer()
    neighbour = sentence.clone()
    neighbour[0, 7] = OUTLIER_THRESHOLD + 1.0
    with torch.no_grad():
        alone = layer(sentence).float()
        among_equals = layer(torch.cat([sentence, sentence])).float()[:4]
        with_outlier = layer(torch.cat([sentence, neighbour])).float()[:4]
    assert torch.equal(alone, among_equals)
    moved = (with_outlier - alone).abs().max() / alone.abs().max()
    assert moved > 0.01

    x, weight = sentence.float(), (layer.state.CB, layer.state.SCB, None)
    ours = FrozenInt8Matmul.apply(torch.cat([x, neighbour.float()]), *weight)[:4]
    torch.testing.assert_close(ours, FrozenInt8Matmul.apply(x, *weight), rtol=1e-6, atol=1e-6)


def test_llm_int8_sentence_moves_with_its_neighbours_in_a_whole_encoder() -> None:
    def change(quantization: str) -> float:
        model = tiny_encoder()
        # Piece 299 makes column 5 of the first layer's input an outlier, which matters there.
        model.embeddings.LayerNorm.weight.data[5] = 1.2
        model.embeddings.word_embeddings.weight.data[299] = 0.0
        model.embeddings.word_embeddings.weight.data[299, 5] = 1.0
        model.encoder.layer[0].attention.self.value.weight.data[:, 5] *= 30.0
        base = frozen_base(model, None, quantization=quantization, compute="fp32", device="cpu")
        text, loud = [0, 10, 20, 30, 2], [0, 299, 299, 299, 2]
        alone = pooled_states(base.model, *padded([text]), [1, 2, 3])[:, 0]
        beside = pooled_states(base.model, *padded([text, loud]), [1, 2, 3])[:, 0]
        return float((alone - beside).abs().max())

    assert change("int8") < 1e-5
    assert change("llm_int8") > 1e-3


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_everything_is_frozen_and_no_training_flag_is_on(quantization: str) -> None:
    base = tiny_base(quantization)
    assert not any(parameter.requires_grad for parameter in base.model.parameters())
    assert not any(module.training for module in base.model.modules())


@pytest.mark.parametrize(("quantization", "share"), [("int8", 1.0), ("nf4", 0.5), ("none", 4.0)])
def test_linear_layers_take_the_bytes_that_they_should(quantization: str, share: float) -> None:
    base = tiny_base(quantization)
    held = sum(
        module.weight.numel() * module.weight.element_size()
        for name, module in base.model.named_modules()
        if name.endswith(("query", "key", "value", "dense"))
    )
    assert held == share * base.shape.linear_parameters


def test_output_layers_are_left_alone() -> None:
    config = XLMRobertaConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=20,
    )
    model = XLMRobertaForSequenceClassification(config)
    quantize(model, "int8", device=CPU, dtype=torch.float32)
    assert type(model.classifier.dense) is nn.Linear
    assert type(model.classifier.out_proj) is nn.Linear
    assert isinstance(model.roberta.encoder.layer[0].output.dense, Int8Linear)

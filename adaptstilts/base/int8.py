"""Weight-only int8 linear layers whose results do not depend on what else is in the batch."""

from __future__ import annotations

from typing import Any

import bitsandbytes as bnb
import torch
from torch import Tensor, nn
from torch.nn import functional

# bitsandbytes stores a row's largest absolute value, which the code 127 stands for.
LARGEST_CODE = 127.0


def dequantize(codes: Tensor, row_absmax: Tensor, dtype: torch.dtype) -> Tensor:
    """Weights from row-wise int8 codes.

    Args:
        codes: int8, shape [out, in].
        row_absmax: float32, shape [out]; each row's largest absolute weight.
        dtype: Type of the result.

    Returns:
        Weights, shape [out, in].
    """
    # Scaled in float32 and rounded once: a scale rounded to bf16 would shift its whole row.
    return (codes * (row_absmax / LARGEST_CODE).unsqueeze(1)).to(dtype)


class FrozenInt8Matmul(torch.autograd.Function):
    """`x @ W.T + b` for a frozen int8 `W`.

    The backward pass needs only the weight, so nothing of the input is kept: bitsandbytes' own
    function holds the input until the backward pass although a frozen weight has no gradient.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, codes: Tensor, row_absmax: Tensor, bias: Tensor | None
    ) -> Tensor:
        """Multiplies `x` [..., in] by the dequantised weight [out, in]."""
        ctx.save_for_backward(codes, row_absmax)
        weight = dequantize(codes, row_absmax, x.dtype)
        return functional.linear(x, weight, None if bias is None else bias.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """Gradient of the input alone; weight and bias are frozen."""
        (gradient,) = gradients
        codes, row_absmax = ctx.saved_tensors
        return gradient @ dequantize(codes, row_absmax, gradient.dtype), None, None, None


class Int8Linear(bnb.nn.Linear8bitLt):
    """A frozen linear layer in row-wise absmax int8.

    A subclass of bitsandbytes' module so that PEFT recognises it as an 8-bit layer; storage and
    rounding are bitsandbytes', the multiplication is `FrozenInt8Matmul`.
    """

    def __init__(self, linear: nn.Linear, *, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(
            linear.in_features,
            linear.out_features,
            bias=False,
            has_fp16_weights=False,
            threshold=0.0,
            device="meta",
        )
        weight = linear.weight.data.to(device=device, dtype=torch.float16)
        codes, row_absmax, _ = bnb.functional.int8_vectorwise_quant(weight)
        self.weight = bnb.nn.Int8Params(
            codes, requires_grad=False, has_fp16_weights=False, CB=codes, SCB=row_absmax
        )
        self.state.CB, self.state.SCB = codes, row_absmax
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.data.to(device, dtype), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps `x` [..., in] to [..., out]."""
        return FrozenInt8Matmul.apply(x, self.weight.data, self.weight.SCB, self.bias)

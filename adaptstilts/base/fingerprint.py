"""What a base is, in one short text, so that scores of different bases are never compared."""

from __future__ import annotations

import hashlib
import json

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

# Scripts, combining marks, full-width and zero-width characters, numerals: where tokenizers differ.
PROBE = (
    "The café isn’t open; 3.5 % of “all” naïve users — sorry!",
    "Дом стоял на берегу реки. Жили-были дед да баба…",
    "今日は良い天気ですね。ＡＢＣ１２３ ｶﾀｶﾅ",
    "لا إلهَ إلّا اللّٰه، السّلام عليكم؟",
    "हिन्दी में लिखिए। क्या हाल है?",
    "ภาษาไทยไม่มีช่องว่าง",
    "한국어 문장입니다. 띄어쓰기 확인!",
    "Ελληνικά; Çağrı’nın şişesi. Đặng Thị Ngọc Ánh",
    "zero\u200dwidth\u200bspace\u00a0and\ttabs  ﬁne ½",
)


def weights_sha(model: nn.Module) -> str:
    """SHA-256 over a model's parameters in the order of their names, with names and types."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def tokenizer_sha(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 over the ids that a tokenizer gives for a fixed probe text in many scripts."""
    ids = [tokenizer(text)["input_ids"] for text in PROBE]
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()


def fingerprint(weights: str, tokenizer: str, quantization: str, dtype: torch.dtype) -> str:
    """One line that changes when anything that decides a base's outputs changes."""
    precision = str(dtype).removeprefix("torch.")
    return f"weights:{weights[:16]} tokenizer:{tokenizer[:16]} {quantization}/{precision}"


def is_same_model(one: str, other: str) -> bool:
    """Whether two fingerprints name the same weights and tokenizer, however they are held."""
    return one.rpartition(" ")[0] == other.rpartition(" ")[0]

"""Texts to token ids, with the length limit that a recipe names."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase


def tokenize(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, max_length: int
) -> list[list[int]]:
    """Token ids of each text with `<s>` and `</s>`, cut to `max_length` tokens.

    Args:
        tokenizer: The base's tokenizer.
        texts: Any number of texts.
        max_length: Most tokens of a text, the two special ones included.
    """
    if not texts:
        return []
    ids = tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"]
    return [list(map(int, text)) for text in ids]

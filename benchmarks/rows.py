"""Synthetic token rows whose lengths are distributed as those of SST-2 and of Tatoeba."""

from __future__ import annotations

import numpy as np

from adaptstilts.training.classification import Labelled

# Tokens of a text with XLM-R's tokenizer, <s> and </s> included: the quantiles 0, 5, …, 100 % of
# SST-2's 67,349 training sentences (mean 15.4) and of the 59,926 distinct sentences of Tatoeba in
# XTREME's 36 languages and English (mean 11.2; its longest has 164, which 1 in 1,000 comes near).
SST2_LENGTHS = (3, 4, 5, 6, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 21, 23, 27, 32, 39, 76)
TATOEBA_LENGTHS = (4, 7, 7, 8, 8, 8, 9, 9, 10, 10, 10, 11, 11, 12, 12, 13, 13, 14, 16, 19, 46)
START, PADDING, END, FIRST = 0, 1, 2, 4


def token_rows(quantiles: tuple[int, ...], *, n: int, pieces: int, seed: int) -> list[list[int]]:
    """Token ids of `n` texts, as even draws from the pieces `FIRST` to `pieces` - 1."""
    draw = np.random.default_rng(seed)
    grid = np.linspace(0.0, 1.0, len(quantiles))
    lengths = np.interp(draw.random(n), grid, quantiles).astype(int)
    return [
        [START, *draw.integers(FIRST, pieces, size=length - 2).tolist(), END] for length in lengths
    ]


def labelled(*, n: int, pieces: int, seed: int) -> Labelled:
    """Rows with SST-2's lengths and two labels."""
    labels = np.random.default_rng(seed + 1).integers(0, 2, size=n).tolist()
    return Labelled(token_rows(SST2_LENGTHS, n=n, pieces=pieces, seed=seed), labels)

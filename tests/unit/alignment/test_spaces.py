"""Spaces of too few sentences: refused where, and only where, retrieval in them would fail."""

from __future__ import annotations

import numpy as np
import pytest

from adaptstilts.alignment.spaces import FEWEST_PAIRS, require_pairs, retrieve_in
from adaptstilts.errors import DataError


@pytest.mark.parametrize("space", sorted(FEWEST_PAIRS))
@pytest.mark.parametrize(
    "english", [[9], [8, 9], [9, 9], [7, 8, 9], [8, 8, 9], [9, 9, 9], [6, 7, 8, 9], [9, 9, 9, 9]]
)
def test_what_is_refused_is_what_fails(space: str, english: list[int]) -> None:
    vectors = np.random.default_rng(len(english)).normal(size=(2, 10, 32)).astype(np.float32)
    foreign = list(range(len(english)))
    try:
        retrieve_in(space, vectors, language="de", layers=[0, 1], foreign=foreign, english=english)
        works = True
    except ValueError:
        works = False
    others = {"fr": [0, 1, 2, 3]}
    sides = {**others, "de": foreign}, {**others, "de": english}
    if works:
        require_pairs([space], *sides)
    else:
        message = rf"de: {len(english)} sentence pairs?\b.*`{space}`"
        with pytest.raises(DataError, match=message):
            require_pairs([space], *sides)

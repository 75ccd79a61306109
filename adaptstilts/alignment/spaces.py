"""Retrieval in vectors that were changed without training, beside that in vectors as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.retrieval import Retrieval, retrieve
from adaptstilts.errors import DataError
from adaptstilts.metric.space import averaged, centred, whitened, without_top_pcs

Sides = tuple[NDArray[np.float32], NDArray[np.float32]]

# Each takes the foreign and the English vectors of one language and layer.
BY_LAYER: dict[str, Callable[[NDArray[Any], NDArray[Any]], Sides]] = {
    "centred": centred,
    "without_top_pcs": without_top_pcs,
    "whitened": whitened,
}
AVERAGED = "averaged"

# Of fewer pairs nothing is left: one vector less the mean of one, four directions less three.
FEWEST_PAIRS = {"centred": 2, "without_top_pcs": 3, "whitened": 2, AVERAGED: 1}


def require_pairs(
    spaces: Sequence[str],
    foreign: Mapping[str, Sequence[int]],
    english: Mapping[str, Sequence[int]],
) -> None:
    """Refuses spaces that are not defined on so few sentences, before anything is encoded.

    Args:
        spaces: `averaged` or keys of `BY_LAYER`.
        foreign: For each language the sentence of each item's foreign side.
        english: For each language the sentence of each item's English side.

    Raises:
        DataError: A language has too few pairs, or the same sentence all along one side, which
            less its mean is nothing; names language, space and number of pairs.
    """
    for language, sentences in foreign.items():
        pairs = len(sentences)
        distinct = min(len(set(sentences)), len(set(english[language])))
        for space in spaces:
            fewest = FEWEST_PAIRS[space]
            if pairs >= fewest and distinct >= min(fewest, 2):
                continue
            what = f"{pairs} sentence pair{'s' * (pairs != 1)}"
            if pairs >= fewest:
                what += ", with one and the same sentence all along one side,"
            raise DataError(
                f"{language}: {what} cannot be searched in the space `{space}`, which needs at "
                f"least {fewest} different ones; add sentences, or take the language or the space "
                "out of the measurement"
            )


def retrieve_in(
    space: str,
    vectors: NDArray[Any],
    *,
    language: str,
    layers: Sequence[int],
    foreign: Sequence[int],
    english: Sequence[int],
) -> Retrieval:
    """Cosine nearest neighbours of one language in a changed space, in both directions.

    Args:
        space: `averaged` (the mean of the layers up to each) or a key of `BY_LAYER`.
        vectors: Of all distinct sentences, shape [layers, sentences, width].
        language: Its code.
        layers: Indices into `hidden_states`, as in `vectors`.
        foreign: The sentence of each item's foreign side.
        english: The sentence of each item's English side.

    Raises:
        ValueError: As `metric.space`: a vector is not finite, or there are too few sentences.
    """
    x, y = (
        np.stack([np.asarray(layer)[list(side)] for layer in vectors])
        for side in (foreign, english)
    )
    if space == AVERAGED:
        changed = averaged(x), averaged(y)
    else:
        pairs = [BY_LAYER[space](one, other) for one, other in zip(x, y, strict=True)]
        changed = np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])
    items = x.shape[1]
    return retrieve(
        np.concatenate(changed, axis=1),
        language=language,
        layers=layers,
        foreign=range(items),
        english=range(items, 2 * items),
    )

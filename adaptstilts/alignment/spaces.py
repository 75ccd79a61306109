"""Retrieval in vectors that were changed without training, beside that in vectors as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.retrieval import Retrieval, retrieve
from adaptstilts.metric.space import averaged, centred, whitened, without_top_pcs

Sides = tuple[NDArray[np.float32], NDArray[np.float32]]

# Each takes the foreign and the English vectors of one language and layer.
BY_LAYER: dict[str, Callable[[NDArray[Any], NDArray[Any]], Sides]] = {
    "centred": centred,
    "without_top_pcs": without_top_pcs,
    "whitened": whitened,
}
AVERAGED = "averaged"


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

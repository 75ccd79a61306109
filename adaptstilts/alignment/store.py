"""What a system found, as small arrays for one file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.protocol import EN_XX, XX_EN, Direction
from adaptstilts.alignment.retrieval import Retrieval

BY_DIRECTION = ("found", "margin", "csls", "rank", "strong", "occurrences")


def pack(retrieval: Retrieval) -> dict[str, NDArray[Any]]:
    """The arrays of a retrieval under names of their own, whole numbers as small as they fit.

    Indices, ranks and counts reach the number of items at most: int8 up to 127 items, int16 up to
    32,767, else int32.

    Args:
        retrieval: What a system found on one language.

    Returns:
        `<language>/<quantity>/<direction>`, and `<language>/gap`, each of shape [layers, items];
        only what is there.
    """
    smallest = np.min_scalar_type(-retrieval.items - 1)  # signed, and holds the number itself
    arrays: dict[str, NDArray[Any]] = {}
    for quantity in BY_DIRECTION:
        for direction, array in (getattr(retrieval, quantity) or {}).items():
            name = f"{retrieval.language}/{quantity}/{direction}"
            arrays[name] = array if array.dtype == np.bool_ else array.astype(smallest)
    if retrieval.gap is not None:
        arrays[f"{retrieval.language}/gap"] = retrieval.gap
    return arrays


def unpack(
    arrays: Mapping[str, NDArray[Any]], *, language: str, layers: tuple[int, ...]
) -> Retrieval:
    """The retrieval of one language from what `pack` made, perhaps beside other languages.

    Args:
        arrays: By name, such as an open `.npz` file.
        language: Its code.
        layers: Indices into `hidden_states`, as they were packed.

    Raises:
        KeyError: The language is not there.
    """

    def by_direction(quantity: str) -> dict[Direction, NDArray[Any]]:
        found = {way: arrays[f"{language}/{quantity}/{way}"] for way in (EN_XX, XX_EN)}
        return {
            way: array if array.dtype == np.bool_ else array.astype(np.int32)
            for way, array in found.items()
        }

    more = {
        quantity: by_direction(quantity)
        for quantity in BY_DIRECTION[1:]
        if f"{language}/{quantity}/{EN_XX}" in arrays
    }
    gap = arrays.get(f"{language}/gap")
    return Retrieval(language, layers, by_direction("found"), **more, gap=gap)

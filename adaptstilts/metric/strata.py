"""Means over all items, and means over groups of languages: by script, family, size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class GroupMean(NamedTuple):
    """The mean of one group of languages.

    Attributes:
        value: Mean over the languages of the mean over their items, shape [k].
        languages: Those of the group that were measured, in the order given.
        n: Their items in all.
    """

    value: NDArray[np.float64]
    languages: tuple[str, ...]
    n: int


def micro(hits: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Mean over all items, so that a language weighs by its number of items.

    Args:
        hits: For each language the outcome of each item, shape [n_l, k].

    Returns:
        Shape [k]; for its interval see `bootstrap.micro_interval`.

    Raises:
        ValueError: There is no language, one is empty, or the shapes do not fit.
    """
    arrays = _checked(hits)
    sums = np.sum([array.sum(axis=0) for array in arrays], axis=0)
    return np.asarray(sums / sum(map(len, arrays)), dtype=np.float64)


def group_means(
    hits: Sequence[NDArray[Any]], languages: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> dict[str, GroupMean]:
    """The macro mean of each group of languages; a language may be in several.

    Args:
        hits: For each language the outcome of each item, shape [n_l, k].
        languages: Their codes, in the same order.
        groups: For each group its languages, as from `task.strata.strata`. Those that were not
            measured are passed over, and so is a group that has no others.

    Returns:
        A mean for each group, in the order of `groups`.

    Raises:
        ValueError: As `micro`, or `languages` differ in number from `hits` or repeat.
    """
    arrays = _checked(hits)
    if len(arrays) != len(languages) or len(set(languages)) != len(languages):
        raise ValueError(
            f"each of {len(arrays)} arrays needs the code of its language, once; got {languages}"
        )
    measured = dict(zip(languages, arrays, strict=True))
    means = {}
    for name, codes in groups.items():
        wanted = set(codes)
        members = tuple(code for code in languages if code in wanted)
        if members:
            value = np.mean([measured[code].mean(axis=0) for code in members], axis=0)
            n = sum(len(measured[code]) for code in members)
            means[name] = GroupMean(np.asarray(value, dtype=np.float64), members, n)
    return means


def _checked(hits: Sequence[NDArray[Any]]) -> list[NDArray[np.float64]]:
    arrays = [np.asarray(array, dtype=np.float64) for array in hits]
    if not arrays or any(a.ndim != 2 or 0 in a.shape for a in arrays):
        raise ValueError("hits must hold a language or more, each of shape [n, k], n and k above 0")
    if len({array.shape[1] for array in arrays}) > 1:
        raise ValueError(f"languages differ in columns: {[array.shape for array in arrays]}")
    return arrays

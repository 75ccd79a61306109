"""Made-up results of systems, and an independent reading of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from adaptstilts.alignment.columns import Chosen, Found
from adaptstilts.alignment.protocol import PROTOCOLS
from adaptstilts.alignment.retrieval import Retrieval
from adaptstilts.alignment.score import Measured, Table

LANGUAGES = {"de": 30, "fr": 50, "jv": 7}
LAYERS = (0, 4)
# The first sentences of English are those of all languages.
CLUSTERS = [np.arange(n) for n in LANGUAGES.values()]
GROUPS = {"script=Latn": ("de", "jv"), "family=Indo-European": ("de", "fr")}
DIRECTIONS = ("en-xx", "xx-en")


def retrieval(
    language: str,
    items: int,
    *,
    seed: int,
    skill: float,
    layers: Sequence[int] = LAYERS,
    everything: bool = False,
) -> Retrieval:
    """What a system found whose queries find their translation with chance `skill`."""
    draw = np.random.default_rng([seed, items])
    shape = (len(layers), items)

    def found() -> dict[str, np.ndarray]:
        directions = {}
        for direction in DIRECTIONS:
            wrong = draw.integers(0, items, size=shape)
            is_right = draw.random(shape) < skill
            directions[direction] = np.where(is_right, np.arange(items), wrong).astype(np.int32)
        return directions

    nearest, margin = found(), found()
    if not everything:
        return Retrieval(language, tuple(layers), nearest, margin=margin)
    ranks = {
        direction: np.where(picked == np.arange(items), 1, draw.integers(2, 9, size=shape))
        for direction, picked in nearest.items()
    }
    return Retrieval(
        language,
        tuple(layers),
        nearest,
        margin=margin,
        csls=found(),
        rank={direction: rank.astype(np.int32) for direction, rank in ranks.items()},
        strong={direction: rank == 1 for direction, rank in ranks.items()},
        occurrences={way: draw.integers(0, 9, size=shape).astype(np.int32) for way in DIRECTIONS},
        gap=draw.normal(size=shape).astype(np.float32),
    )


def found(
    *, seed: int, skill: float, spaces: Sequence[str] = (), everything: bool = False
) -> list[Found]:
    """What one training of a system found in each language."""
    return [
        Found(
            retrieval(language, n, seed=seed, skill=skill, everything=everything),
            {
                space: retrieval(language, n, seed=seed + 100 * number, skill=skill)
                for number, space in enumerate(spaces, start=1)
            },
        )
        for language, n in LANGUAGES.items()
    ]


def measured(
    system: str,
    seeds: Sequence[int | None] = (2,),
    *,
    skill: float = 0.5,
    share: float | None = None,
    draw: int = 0,
    spaces: Sequence[str] = (),
    everything: bool = False,
) -> Measured:
    """A system's results with each seed; `draw` keeps systems of the same seeds apart."""
    each = [
        found(seed=1000 * draw + (seed or 0), skill=skill, spaces=spaces, everything=everything)
        for seed in seeds
    ]
    return Measured(system, tuple(seeds), share, each)


def table(
    protocol: str = "xtreme",
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    chosen: Chosen | None = None,
    benchmark: str = "tatoeba",
    everything: bool = False,
) -> Table:
    return Table(benchmark, PROTOCOLS[protocol], CLUSTERS, groups or {}, chosen, everything)


def hits(one: Measured, language: str, direction: str, layer: int, *, run: int = 0) -> np.ndarray:
    """Whether each query found its translation, read off the arrays."""
    (of_language,) = (f.retrieval for f in one.found[run] if f.retrieval.language == language)
    row = of_language.found[direction][of_language.layers.index(layer)]
    return row == np.arange(len(row))

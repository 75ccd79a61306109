"""What a plan tells of its data: where each set of tables is read from."""

from __future__ import annotations

from collections.abc import Iterable

from adaptstilts.data.source import Source
from adaptstilts.experiment.stage import Stage, tables_of


def data_notices(stages: Iterable[Stage]) -> list[str]:
    """One notice for each dataset, in the order in which stages need them."""
    found = [located for stage in stages for located in tables_of(stage)]
    sources = {one.dataset: one.source for one in reversed(found)}
    names = dict.fromkeys(one.dataset for one in found)
    return [f"data {name}: from the {_source_words(sources[name])}" for name in names]


def _source_words(source: Source) -> str:
    """How a source is called in a notice."""
    words = {
        "pocket": "bundled stand-in (not the benchmark itself)",
        "hub": "hub",
        "files": "files that the recipe names",
    }
    return words.get(source.name, f"mirror {getattr(source, 'root', None)}")

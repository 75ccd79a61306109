"""Whether the sentences that choose a layer are others than those that it is judged by."""

from __future__ import annotations

from collections.abc import Mapping

from adaptstilts.errors import DataError
from adaptstilts.experiment.inputs import read_bitexts
from adaptstilts.experiment.stage import Located, Score


def same_tables(held_out: Mapping[str, Located], scored: Mapping[str, Located]) -> list[str]:
    """The languages whose held-out table is one of the scored ones, told without reading them.

    Args:
        held_out: The table of each language on which a layer is chosen.
        scored: The table of each language that is scored.
    """
    contents = {_content(one) for one in scored.values()}
    return [language for language, one in held_out.items() if _content(one) in contents]


def require_other_pairs(stage: Score) -> None:
    """Refuses a choice of the layer by pairs that are scored too, whatever file they stand in.

    English sentences that both have with other translations are let pass.

    Args:
        stage: A measurement; nothing is read unless held-out sentences choose its layer.

    Raises:
        DataError: Pairs of a language are in both; tells how many, and what to do.
    """
    if stage.selection is None or not stage.selection.aligns:
        return
    held_out = {one.language: one for one in read_bitexts(stage.selection.aligns[0].bitexts)[0]}
    found = []
    for scored in read_bitexts(stage.bitexts)[0]:
        other = held_out.get(scored.language)
        if other is None:
            continue
        pairs = set(zip(other.foreign, other.english, strict=True))
        shared = pairs & set(zip(scored.foreign, scored.english, strict=True))
        if shared:
            found.append(f"{len(shared)} of {len(pairs)} in {scored.language}")
    if found:
        raise DataError(
            f"{stage.benchmark}: pairs of `select.bitext` are scored too ({', '.join(found)}), so "
            "the layer would be chosen on what it is judged by. Take these pairs out of the "
            "held-out files, name another bitext, or write `select: {on: oracle}`, which says so"
        )


def _content(located: Located) -> str:
    """What a table holds, whichever of its columns are read and in which order."""
    identity = located.identity
    return identity.partition(":")[0] if located.source.name == "files" else identity

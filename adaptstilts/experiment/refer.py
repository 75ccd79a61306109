"""Planning the reference encoders of a measurement. No torch here."""

from __future__ import annotations

from pathlib import Path

from adaptstilts.alignment.reference_source import reference_key
from adaptstilts.experiment.key import stage_key
from adaptstilts.experiment.stage import Extras, Located, Refer
from adaptstilts.recipe.recipe import Recipe
from adaptstilts.record.provenance import versions

LIBRARIES = ("sentence-transformers",)


def references(
    recipe: Recipe, folder: Path, bitexts: dict[str, Located], *, extras: Extras
) -> tuple[tuple[Refer, ...], list[str]]:
    """The stages that measure a benchmark with each reference encoder of a recipe.

    Args:
        recipe: The recipe, its device chosen.
        folder: The recipe's folder, from which paths go.
        bitexts: The table of each language.
        extras: What the systems are measured by; the encoders are searched alike.

    Returns:
        The stages, and for each encoder what the user should be told.

    Raises:
        DataError: There is no such folder or module, or a commit is missing.
    """
    stages, notices = [], []
    for name, reference in recipe.references.items():
        place = folder / Path(reference.encoder).expanduser()
        encoder = str(place) if place.is_dir() else reference.encoder
        identity = reference_key(encoder, revision=reference.revision)
        key = stage_key(
            "refer",
            {
                "encoder": identity,
                "prefix": reference.prefix,
                "device": recipe.base.device,
                "everything": extras.everything,
                "encoder_libraries": versions(LIBRARIES),
                "languages": {language: one.identity for language, one in bitexts.items()},
            },
        )
        stages.append(
            Refer(
                name=name,
                key=key,
                encoder=encoder,
                revision=reference.revision,
                prefix=reference.prefix,
                device=recipe.base.device,
                bitexts=bitexts,
                everything=extras.everything,
            )
        )
        prefix = f", with {reference.prefix!r} before every sentence" if reference.prefix else ""
        notices.append(f"reference {name}: {reference.encoder} ({identity}){prefix}")
    return tuple(stages), notices

"""Where a system's adapters come from: trainings of the recipe, or folders, which are read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adaptstilts.adapter.folder import StoredAdapter, look_through
from adaptstilts.base.shape import Shape
from adaptstilts.errors import DataError
from adaptstilts.experiment.trainings import Trainings
from adaptstilts.recipe.adapter import Stored, numbered_layers
from adaptstilts.recipe.recipe import Recipe
from adaptstilts.record.run import StoredRecord


@dataclass(frozen=True)
class Origin:
    """Where the weights of an adapter come from.

    Attributes:
        key: Key of the stage that makes it, or digest of the files that it lies in.
        folder: Where an adapter that is trained already lies; else None.
        seed: The seed of its training; None where a folder does not tell.
        first_layer: The lowest layer that it changes, from 1.
    """

    key: str
    folder: Path | None
    seed: int | None
    first_layer: int


def origin(
    name: str, seed: int | None, trained: Trainings, stored: Mapping[str, StoredAdapter]
) -> Origin:
    """Where an adapter of a recipe comes from.

    Args:
        name: Its name.
        seed: One of the recipe's seeds, or None.
        trained: The adapters that the recipe trains.
        stored: Those that are trained already.
    """
    if name in stored:
        one = stored[name]
        return Origin(one.digest, one.folder, one.seed, one.first_layer)
    training = trained[name, seed]
    layers = numbered_layers(training.adapter.method.layers) or [1]
    return Origin(training.key, None, training.adapter.training.seed, layers[0])


def found(
    recipe: Recipe, folder: Path, shape: Shape | None
) -> tuple[dict[str, StoredAdapter], list[str]]:
    """Looks through the folder of every adapter that a recipe takes from one. Nothing is loaded.

    Args:
        recipe: The recipe.
        folder: The recipe's own folder, from which its paths go.
        shape: The base's dimensions, if they are known.

    Returns:
        The adapters by name, and what the user should be told.

    Raises:
        DataError: A folder holds no adapter, or one that does not fit the base.
        AdapterError: Its provenance cannot be read.
    """
    adapters: dict[str, StoredAdapter] = {}
    notices = []
    for name, entry in recipe.adapters.items():
        if not isinstance(entry, Stored):
            continue
        path = folder / Path(entry.folder).expanduser()
        try:
            adapters[name] = look_through(path.absolute(), shape)
        except DataError as error:
            raise DataError(f"adapters.{name}.from: {error}") from error
        if adapters[name].provenance is None:
            said = f"; its files name {adapters[name].base}" if adapters[name].base else ""
            notices.append(
                f"adapter {name} does not say which weights it was trained on{said}: that they are "
                "this base's is not checked"
            )
    return adapters, notices


def records(adapters: Mapping[str, StoredAdapter]) -> dict[str, StoredRecord]:
    """What a run's record says of such adapters."""
    rows = {}
    for name, one in adapters.items():
        row = StoredRecord(
            folder=str(one.folder),
            sha256=one.digest,
            parameters=one.parameters,
            base=one.base or None,
        )
        if one.provenance is not None:
            told = one.provenance
            row = row.model_copy(
                update={
                    "task": told.task,
                    "base": told.base,
                    "revision": told.revision,
                    "details": told.details,
                }
            )
        rows[name] = row
    return rows

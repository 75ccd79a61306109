"""The stages that train a recipe's adapters and make their controls. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adaptstilts.data.source import Source
from adaptstilts.errors import RecipeError
from adaptstilts.experiment.bitexts import holder
from adaptstilts.experiment.key import stage_key
from adaptstilts.experiment.stage import Located, Train
from adaptstilts.recipe.adapter import Resolved, numbered_layers, resolved
from adaptstilts.recipe.recipe import Recipe
from adaptstilts.recipe.tree import KeyPath
from adaptstilts.task.registry import TASKS

Trainings = dict[tuple[str, int | None], Train]
"""The stage that makes an adapter, by its name and one of the recipe's seeds (None: its own)."""


def trainings(
    recipe: Recipe,
    *,
    decides: Mapping[str, Any],
    sources: Sequence[Source],
    depth: Callable[[], int],
    problem: Callable[[KeyPath, str], RecipeError],
) -> Trainings:
    """Every adapter with every seed, controls after what they are controls of.

    Args:
        recipe: The recipe.
        decides: What of the base decides a result.
        sources: Where tables are looked for, in order.
        depth: Gives the base's number of layers.
        problem: Makes an error of a place in the recipe and a message.

    Raises:
        DataError: A table is in none of the sources.
        RecipeError: An adapter is for layers that the base does not have.
    """
    found: Trainings = {}
    seeds: list[int | None] = [None] if recipe.seeds is None else list(recipe.seeds)
    entries = resolved(recipe.adapters)
    for name, entry in entries.items():
        layers = numbered_layers(entry.adapter.method.layers)
        if layers is not None and layers[-1] > depth():
            message = f"layer {layers[-1]} is not there: the base has layers 1 to {depth()}"
            raise problem(("adapters", entry.of or name, "method", "layers"), message)
    for seed in seeds:
        for name, entry in entries.items():
            studied = found.get((entry.of, seed)) if entry.of else None
            found[name, seed] = _training(name, entry, seed, studied, decides, sources)
    return found


def seeded(name: str, seed: int | None) -> str:
    """What a stage of one of several seeds is called."""
    return name if seed is None else f"{name}-seed{seed}"


def _training(
    name: str,
    entry: Resolved,
    seed: int | None,
    studied: Train | None,
    decides: Mapping[str, Any],
    sources: Sequence[Source],
) -> Train:
    """The stage that makes one adapter; `studied` is the training that it is a control of."""
    adapter = entry.adapter
    if seed is not None:
        training = adapter.training.model_copy(update={"seed": seed})
        adapter = adapter.model_copy(update={"training": training})
    of_key = studied.key if studied is not None and entry.control == "random" else None
    task = TASKS[adapter.task]
    source = holder([task.train, task.test], sources)
    train, test = Located(task.train, source), Located(task.test, source)
    key = stage_key(
        "train",
        {
            **decides,
            "adapter": adapter.model_dump(mode="json"),
            "control": entry.control,
            "of": of_key,
            "columns": (*task.text_columns, task.label_column),
            "labels": task.labels,
            "dev_rows": task.dev_rows,
            "train": train.identity,
            "test": test.identity,
        },
    )
    return Train(
        name=seeded(name, seed),
        key=key,
        adapter_name=name,
        adapter=adapter,
        task=task,
        train=train,
        test=test,
        control=entry.control,
        of=entry.of,
        of_key=of_key,
    )

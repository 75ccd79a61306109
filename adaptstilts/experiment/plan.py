"""From a recipe to the stages that it needs, in order: pure, quick, and without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptstilts.alignment.protocol import PROTOCOLS, headline_layer
from adaptstilts.base.identity import POCKET, Identity, identify
from adaptstilts.composition.expression import adapter_weights
from adaptstilts.data.source import Profile, Source, find, mirror_root, open_sources
from adaptstilts.errors import Problem, RecipeError
from adaptstilts.experiment.key import stage_key
from adaptstilts.experiment.machine import (
    Choice,
    choose_compute,
    choose_device,
    choose_profile,
)
from adaptstilts.experiment.stage import Align, Headline, Located, Score, Stage, Train, Update
from adaptstilts.recipe.adapter import numbered_layers, resolved
from adaptstilts.recipe.load import load, profiles
from adaptstilts.recipe.measure import Tatoeba
from adaptstilts.recipe.recipe import Recipe
from adaptstilts.recipe.tree import spell
from adaptstilts.record.provenance import hardware
from adaptstilts.record.run import HardwareRecord
from adaptstilts.task.declaration import Table
from adaptstilts.task.registry import BENCHMARKS, NAMES, TASKS, languages


@dataclass(frozen=True)
class Plan:
    """Everything that a run will do, settled before it does anything.

    Attributes:
        recipe: The recipe with nothing left to choose.
        path: The recipe's file.
        choice: The profile, and why.
        identity: The base.
        hardware: This machine.
        stages: What is to be done, each after what it needs.
        notices: Everything that was chosen for the user, in words.
    """

    recipe: Recipe
    path: Path
    choice: Choice
    identity: Identity
    hardware: HardwareRecord
    stages: tuple[Stage, ...]
    notices: tuple[str, ...]


def plan(
    path: Path,
    *,
    profile: str = "auto",
    overrides: Sequence[str] = (),
    mirror: Path | None = None,
) -> Plan:
    """Reads a recipe and works out what a run of it on this machine would do.

    Args:
        path: The recipe's file.
        profile: `auto`, `full`, or a profile of the recipe.
        overrides: `key=value` texts that change the recipe.
        mirror: Folder of a data mirror; None takes `$ADAPTSTILTS_DATA`.

    Raises:
        RecipeError: The recipe has mistakes; all are named.
        DataError: A table is in none of the sources.
        MachineError: This machine cannot run it.
    """
    machine = HardwareRecord.model_validate(hardware())
    choice, recipe = _choose(path, profile, overrides, mirror, machine)
    device = choose_device(recipe.base.device, choice.profile, machine)
    compute = choose_compute(recipe.base.compute, device, machine)
    notices = [f"profile {choice.profile}: {choice.reason}"]
    if "auto" in (recipe.base.device, recipe.base.compute):
        notices.append(f"device {device} and precision {compute}: chosen for this machine")
    base = recipe.base.model_copy(update={"device": device, "compute": compute})
    recipe = recipe.model_copy(update={"base": base})
    identity = identify(base.model, base.revision)
    sources = open_sources(choice.profile, mirror)
    builder = _Builder(recipe, str(path), choice, identity, sources, notices)
    return Plan(recipe, path, choice, identity, machine, tuple(builder.stages()), tuple(notices))


def _choose(
    path: Path,
    profile: str,
    overrides: Sequence[str],
    mirror: Path | None,
    machine: HardwareRecord,
) -> tuple[Choice, Recipe]:
    """The profile and the recipe under it; a profile that was asked for is taken as it is."""
    if profile == POCKET and POCKET not in profiles(path):
        recipe = load(path, overrides=overrides, names=NAMES)
        if recipe.base.model == POCKET:
            return Choice("pocket", None, "the recipe itself uses the pocket base"), recipe
    if profile != "auto":
        recipe = load(path, profile=profile, overrides=overrides, names=NAMES)
        kind: Profile = "pocket" if recipe.base.model == POCKET else "full"
        return Choice(kind, profile, f"asked for by --profile {profile}"), recipe
    # Only the base decides the profile, and an override may fit the chosen profile alone.
    about_base = [text for text in overrides if text.startswith("base.")]
    base = load(path, overrides=about_base, names=NAMES).base
    choice = choose_profile(
        offered=profiles(path),
        base=base.model,
        revision=base.revision,
        has_mirror=mirror_root(mirror) is not None,
        hardware=machine,
    )
    return choice, load(path, profile=choice.layer, overrides=overrides, names=NAMES)


@dataclass
class _Builder:
    """Gathers the stages of one recipe."""

    recipe: Recipe
    source: str
    choice: Choice
    identity: Identity
    sources: list[Source]
    notices: list[str]

    def stages(self) -> list[Stage]:
        """All stages, each after what it needs, none twice."""
        trainings = {name: self._train(name) for name in resolved(self.recipe.adapters)}
        stages: dict[str, Stage] = {stage.key: stage for stage in trainings.values()}
        for index, measure in enumerate(self.recipe.measure):
            score = self._score(index, measure.tatoeba, trainings)
            for align in score.aligns:
                stages.setdefault(align.key, align)
            stages.setdefault(score.key, score)
        found = [
            located
            for stage in stages.values()
            for located in (
                (stage.train, stage.test) if stage.kind == "train" else stage.bitexts.values()
            )
        ]
        for name in dict.fromkeys(located.dataset for located in found):
            source = next(located.source for located in found if located.dataset == name)
            self.notices.append(f"data {name}: from the {_source_words(source)}")
        return list(stages.values())

    def _base(self) -> dict[str, Any]:
        """What of the base decides a result; trimming does not, it is lossless."""
        base = self.recipe.base
        return {
            "base": self.identity.key,
            "quantization": base.quantization,
            "compute": base.compute,
            "device": base.device,
        }

    def _train(self, name: str) -> Train:
        """The stage that trains an adapter."""
        entry = resolved(self.recipe.adapters)[name]
        adapter = entry.adapter
        self._require_layers(entry.of or name, numbered_layers(adapter.method.layers))
        of_key = self._train(entry.of).key if entry.of and entry.control == "random" else None
        task = TASKS[adapter.task]
        source = self._holder([task.train, task.test])
        train, test = Located(task.train, source), Located(task.test, source)
        key = stage_key(
            "train",
            {
                **self._base(),
                "adapter": adapter.model_dump(mode="json"),
                "control": entry.control,
                "of": of_key,
                "columns": (*task.text_columns, task.label_column),
                "labels": task.labels,
                "dev_rows": task.dev_rows,
                "train": _identity(train),
                "test": _identity(test),
            },
        )
        return Train(name, key, adapter, task, train, test, entry.control, entry.of, of_key)

    def _require_layers(self, name: str, layers: list[int] | None) -> None:
        """Refuses an adapter on layers that the base does not have.

        Raises:
            RecipeError: A layer is deeper than the base, or the base's depth is not known.
        """
        if layers is not None and layers[-1] > self._depth():
            place = spell(("adapters", name, "method", "layers"))
            message = f"layer {layers[-1]} is not there: the base has layers 1 to {self._depth()}"
            raise RecipeError(self.source, [Problem(0, 0, place, message)])

    def _score(self, index: int, tatoeba: Tatoeba, trainings: dict[str, Train]) -> Score:
        """The stage that scores one measurement, with the encodings that it needs."""
        protocol = PROTOCOLS[tatoeba.protocol]
        bitexts = self._bitexts(tatoeba)
        benchmark = next(iter(bitexts.values())).dataset
        depth = self._depth()
        try:
            layer, why = headline_layer(protocol, asked=tatoeba.layer, layers=depth)
        except LookupError as error:
            place = spell(("measure", index, "tatoeba", "layer"))
            raise RecipeError(self.source, [Problem(0, 0, place, str(error))]) from error
        layers = range(depth + 1) if tatoeba.layers == "all" else sorted(tatoeba.layers)
        if max(layers) > depth:
            place = spell(("measure", index, "tatoeba", "layers"))
            message = f"layer {max(layers)} is not there: the base has layers 0 to {depth}"
            raise RecipeError(self.source, [Problem(0, 0, place, message)])
        names = list(self.recipe.systems) if tatoeba.systems == "all" else tatoeba.systems
        shares = _shares(tatoeba)
        aligns = tuple(
            self._align(name, share, bitexts, tuple(layers), trainings)
            for name in names
            for share in shares
        )
        baseline = None
        if tatoeba.during is None:
            baseline = next((a for a in aligns if a.system == self.recipe.report.baseline), None)
        decides = {
            "headline": layer,
            "aligns": [(align.key, align.system, align.seed) for align in aligns],
            "baseline": None if baseline is None else baseline.key,
            "protocol": protocol.name,
            "benchmark": benchmark,
            "languages": {language: _identity(one) for language, one in bitexts.items()},
        }
        return Score(
            name=tatoeba.protocol if tatoeba.during is None else "during training",
            key=stage_key("score", decides),
            benchmark=benchmark,
            protocol=protocol,
            headline=Headline(layer, why),
            aligns=aligns,
            baseline=baseline,
            bitexts=bitexts,
        )

    def _align(
        self,
        system: str,
        share: float | None,
        bitexts: dict[str, Located],
        layers: tuple[int, ...],
        trainings: dict[str, Train],
    ) -> Align:
        """The stage that encodes a benchmark with one system, finished or at a share."""
        weights = adapter_weights(self.recipe.systems[system])
        updates = tuple(
            Update(name, trainings[name].key, share, weight)
            for name, weight in weights.items()
            if share != 0.0
        )
        key = stage_key(
            "align",
            {
                **self._base(),
                # An update of weight 0 is switched off, so that system is the base and shares it.
                "updates": [(u.training, u.share, u.weight) for u in updates if u.weight != 0.0],
                "layers": layers,
                "languages": {language: _identity(one) for language, one in bitexts.items()},
            },
        )
        seeds = [trainings[name].adapter.training.seed for name in weights]
        return Align(
            name=system if share is None else f"{system}@{share:.0%}",
            key=key,
            system=system,
            seed=seeds[0] if seeds else None,
            trained_share=share,
            updates=updates,
            bitexts=bitexts,
            layers=layers,
        )

    def _bitexts(self, tatoeba: Tatoeba) -> dict[str, Located]:
        """The table of each language of a measurement, all from one source.

        Under the pocket profile a named set is measured in those of its languages that there are,
        and that is told; a language that the recipe lists must be there.
        """
        tables = BENCHMARKS["tatoeba"].tables
        # Sorted, since the order decides batches and draws, but not what is asked.
        codes = sorted(languages(tatoeba.languages))
        is_set = isinstance(tatoeba.languages, str)
        if is_set and self.choice.profile == "pocket":
            held = {
                source.name: [code for code in codes if source.has(tables[code])]
                for source in self.sources
            }
            name = next((name for name, found in held.items() if found), None)
            if name is not None and len(held[name]) < len(codes):
                lacking = " ".join(code for code in codes if code not in held[name])
                self.notices.append(
                    f"{len(held[name])} of the {len(codes)} languages of {tatoeba.languages} are "
                    f"measured: the {name} data have none of {lacking}"
                )
                codes = held[name]
        source = self._holder([tables[code] for code in codes])
        return {code: Located(tables[code], source) for code in codes}

    def _holder(self, tables: Sequence[Table]) -> Source:
        """The first source that has all of some tables, so that real data and stand-ins never mix.

        Raises:
            DataError: None has them all; tells where the first missing one was looked for.
        """
        for source in self.sources:
            if all(source.has(table) for table in tables):
                return source
        fullest = max(self.sources, key=lambda one: sum(one.has(table) for table in tables))
        missing = next(table for table in tables if not fullest.has(table))
        return find(missing, [fullest])

    def _depth(self) -> int:
        """The base's number of layers."""
        if self.identity.shape is None:
            message = (
                f"the depth of `{self.identity.model}` is not known before it is downloaded; "
                "download it to a folder and name that folder in base.model"
            )
            raise RecipeError(self.source, [Problem(0, 0, "base.model", message)])
        return self.identity.shape.layers


def _identity(located: Located) -> str:
    """What decides a table's content."""
    return located.source.identity(located.table)


def _shares(tatoeba: Tatoeba) -> list[float | None]:
    """The shares of the training at which a measurement is taken; None means when finished."""
    if tatoeba.during is None:
        return [None]
    parts = round(1 / tatoeba.every)
    return [round(part * tatoeba.every, 6) for part in range(parts + 1)]


def _source_words(source: Source) -> str:
    """How a source is called in a notice."""
    root = getattr(source, "root", None)
    words = {"pocket": "bundled stand-in (not the benchmark itself)", "hub": "hub"}
    return words.get(source.name, f"mirror {root}")

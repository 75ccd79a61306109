"""From a recipe to the stages that it needs, in order: pure, quick, and without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adaptstilts.adapter.folder import StoredAdapter
from adaptstilts.alignment.protocol import PROTOCOLS, headline_layer
from adaptstilts.base.identity import Identity, identify
from adaptstilts.composition.expression import adapter_weights
from adaptstilts.data.source import Source, open_sources
from adaptstilts.errors import Problem, RecipeError
from adaptstilts.experiment import bitexts, mining, stored_adapters
from adaptstilts.experiment.choice import choose
from adaptstilts.experiment.held_out import same_tables
from adaptstilts.experiment.key import stage_key
from adaptstilts.experiment.machine import Choice, choose_compute, choose_device
from adaptstilts.experiment.measurement import contrasts_of, extras_of, needs_everything, shares_of
from adaptstilts.experiment.notices import data_notices
from adaptstilts.experiment.refer import references
from adaptstilts.experiment.stage import (
    NO_EXTRAS,
    Align,
    Extras,
    Headline,
    Located,
    Refer,
    Score,
    ScoreMined,
    Selection,
    Stage,
    Update,
)
from adaptstilts.experiment.stored_adapters import origin
from adaptstilts.experiment.trainings import Trainings, seeded, trainings
from adaptstilts.recipe.bucc import Bucc
from adaptstilts.recipe.measure import Measure, OwnBitext, Tatoeba
from adaptstilts.recipe.recipe import Recipe, without_sweeps
from adaptstilts.recipe.system import NO_ADAPTER
from adaptstilts.recipe.tree import KeyPath, spell
from adaptstilts.record.provenance import hardware
from adaptstilts.record.run import HardwareRecord


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
        stored: The adapters that are trained already, by name.
    """

    recipe: Recipe
    path: Path
    choice: Choice
    identity: Identity
    hardware: HardwareRecord
    stages: tuple[Stage, ...]
    notices: tuple[str, ...]
    stored: dict[str, StoredAdapter] = field(default_factory=dict)


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
        DataError: A table is in none of the sources, or a folder holds no adapter that fits.
        MachineError: This machine cannot run it.
    """
    machine = HardwareRecord.model_validate(hardware())
    choice, recipe = choose(path, profile, overrides, mirror, machine)
    device = choose_device(recipe.base.device, choice.profile, machine)
    compute = choose_compute(recipe.base.compute, device, machine)
    notices = [f"profile {choice.profile}: {choice.reason}"]
    if "auto" in (recipe.base.device, recipe.base.compute):
        notices.append(f"device {device} and precision {compute}: chosen for this machine")
    base = recipe.base.model_copy(update={"device": device, "compute": compute})
    recipe = without_sweeps(recipe.model_copy(update={"base": base}))
    identity = identify(base.model, base.revision)
    sources = open_sources(choice.profile, mirror)
    stored, told = stored_adapters.found(recipe, path.parent, identity.shape)
    notices += told
    builder = _Builder(recipe, str(path), path.parent, choice, identity, sources, notices, stored)
    stages = tuple(builder.stages())
    return Plan(recipe, path, choice, identity, machine, stages, tuple(notices), stored)


@dataclass
class _Builder:
    """Gathers the stages of one recipe."""

    recipe: Recipe
    source: str
    folder: Path
    choice: Choice
    identity: Identity
    sources: list[Source]
    notices: list[str]
    stored: dict[str, StoredAdapter]

    def stages(self) -> list[Stage]:
        """All stages, each after what it needs, none twice."""
        trained = trainings(
            self.recipe,
            decides=self._base(),
            sources=self.sources,
            depth=self._depth,
            problem=self._problem,
        )
        stages: dict[str, Stage] = {stage.key: stage for stage in trained.values()}
        for index, measure in enumerate(self.recipe.measure):
            if measure.bucc is not None:
                mined = self._mined(index, measure.bucc, trained)
                needed: list[Stage] = [*mined.mines, mined]
            else:
                score = self._score(index, measure, trained)
                chosen_by = () if score.selection is None else score.selection.aligns
                needed = [*chosen_by, *score.aligns, *score.references, score]
            for stage in needed:
                stages.setdefault(stage.key, stage)
        self.notices += data_notices(stages.values())
        return list(stages.values())

    def _seeds(self) -> list[int | None]:
        """The seeds that all adapters are trained with; None for each adapter's own."""
        return [None] if self.recipe.seeds is None else list(self.recipe.seeds)

    def _base(self) -> dict[str, Any]:
        """What of the base decides a result; trimming does not, it is lossless."""
        base = self.recipe.base
        return {
            "base": self.identity.key,
            "quantization": base.quantization,
            "compute": base.compute,
            "device": base.device,
        }

    def _score(self, index: int, measure: Measure, trained: Trainings) -> Score:
        """The stage that scores one measurement, with the encodings that it needs."""
        section = measure.retrieval
        place = ("measure", index, measure.key)
        protocol = PROTOCOLS[section.protocol]
        located = self._bitexts(section)
        benchmark = next(iter(located.values())).dataset
        depth = self._depth()
        layers = tuple(range(depth + 1) if section.layers == "all" else sorted(section.layers))
        listed = [] if section.select is None else section.select.layer
        for name, deepest in (
            (("layers",), max(layers)),
            (("select", "layer"), max((x for x in listed if isinstance(x, int)), default=0)),
        ):
            if deepest > depth:
                message = f"layer {deepest} is not there: the base has layers 0 to {depth}"
                raise self._problem((*place, *name), message)
        selection = self._selection(section, place, located, layers, trained)
        headline = None
        if selection is None:
            try:
                layer, why = headline_layer(protocol, asked=section.layer, layers=depth)
            except LookupError as error:
                raise self._problem((*place, "layer"), str(error)) from error
            if layer not in layers:
                message = (
                    f"the headline is at layer {layer} ({why}), which is not measured; name "
                    "another with `layer`, or add it to `layers`"
                )
                raise self._problem((*place, "layers"), message)
            headline = Headline(layer, why)
        names = list(self.recipe.systems) if section.systems == "all" else section.systems
        aligns = tuple(
            self._align(name, seed, share, located, layers, trained, extras=extras_of(section))
            for name in names
            for seed in self._seeds_of(name)
            for share in shares_of(section)
        )
        baseline = self.recipe.report.baseline
        if section.during is None:
            baselines = tuple(a for a in aligns if a.system == baseline)
        else:  # before its first step a training is the bare base
            is_bare = self.recipe.systems[baseline] == NO_ADAPTER
            baselines = tuple(a for a in aligns if is_bare and a.trained_share == 0.0)[:1]
        contrasts = () if section.during else contrasts_of(self.recipe, names)
        others: tuple[Refer, ...] = ()
        if section.during is None:
            others, told = references(self.recipe, self.folder, located, extras=extras_of(section))
            self.notices += [notice for notice in told if notice not in self.notices]
        decides = {
            "references": [(one.key, one.name) for one in others],
            "contrasts": contrasts,
            "headline": None if headline is None else headline.layer,
            "selection": None
            if selection is None
            else (selection.on, selection.layers, [align.key for align in selection.aligns]),
            "aligns": [(one.key, one.system, one.seed, one.trained_share) for one in aligns],
            "baseline": baseline,
            "baselines": [align.key for align in baselines],
            "protocol": protocol.name,
            "metrics": section.metrics,
            "benchmark": benchmark,
            "languages": {language: one.identity for language, one in located.items()},
        }
        return Score(
            name=section.protocol if section.during is None else "during training",
            key=stage_key("score", decides),
            benchmark=benchmark,
            protocol=protocol,
            headline=headline,
            selection=selection,
            aligns=aligns,
            contrasts=contrasts,
            baseline=baseline,
            baselines=baselines,
            bitexts=located,
            references=others,
            everything=section.metrics == "all",
        )

    def _mined(self, index: int, section: Bucc, trained: Trainings) -> ScoreMined:
        """The stage that scores one measurement by mining, with the minings that it needs."""
        names = list(self.recipe.systems) if section.systems == "all" else section.systems
        try:
            return mining.mined(
                section,
                sources=self.sources,
                depth=self._depth(),
                systems=lambda layer: [
                    self._align(name, seed, None, {}, (layer,), trained, extras=NO_EXTRAS)
                    for name in names
                    for seed in self._seeds_of(name)
                ],
                baseline=self.recipe.report.baseline,
                contrasts=contrasts_of(self.recipe, names),
            )
        except LookupError as error:
            raise self._problem(("measure", index, "bucc", "layer"), str(error)) from error

    def _problem(self, path: KeyPath, message: str) -> RecipeError:
        """A mistake of the recipe that only the base's shape shows."""
        return RecipeError(self.source, [Problem(0, 0, spell(path), message)])

    def _align(
        self,
        system: str,
        seed: int | None,
        share: float | None,
        bitexts: dict[str, Located],
        layers: tuple[int, ...],
        trained: Trainings,
        *,
        extras: Extras,
    ) -> Align:
        """The stage that encodes a benchmark with one system, finished or at a share."""
        weights = adapter_weights(self.recipe.systems[system])
        origins = {name: origin(name, seed, trained, self.stored) for name in weights}
        updates = tuple(
            Update(name, origins[name].key, share, weight, origins[name].folder)
            for name, weight in weights.items()
            if share != 0.0
        )
        key = stage_key(
            "align",
            {
                **self._base(),
                # An update of weight 0 is switched off, so that system is the base and shares it.
                "updates": [(u.key, u.share, u.weight) for u in updates if u.weight != 0.0],
                "layers": layers,
                "extras": vars(extras),
                "languages": {language: one.identity for language, one in bitexts.items()},
            },
        )
        seeds = [one.seed for one in origins.values()]
        name = seeded(system, seed)
        return Align(
            name=name if share is None else f"{name}@{share:.0%}",
            key=key,
            system=system,
            seed=seeds[0] if seeds else None,
            trained_share=share,
            updates=updates,
            bitexts=bitexts,
            layers=layers,
            first_layer=min(
                (origins[u.adapter].first_layer for u in updates if u.weight != 0.0),
                default=self._depth() + 1,
            ),
            extras=extras,
        )

    def _seeds_of(self, system: str) -> list[int | None]:
        """The seeds with which a system is measured: none where nothing of it is trained here."""
        names = adapter_weights(self.recipe.systems[system])
        return self._seeds() if names.keys() - self.stored.keys() else [None]

    def _bitexts(self, section: Tatoeba | OwnBitext) -> dict[str, Located]:
        """The table of each language of a measurement."""
        if isinstance(section, OwnBitext):
            return bitexts.own(section, self.folder)
        found, notices = bitexts.tatoeba(section, self.sources, self.choice.profile)
        self.notices += notices
        return found

    def _selection(
        self,
        section: Tatoeba | OwnBitext,
        place: KeyPath,
        scored: dict[str, Located],
        layers: tuple[int, ...],
        trained: Trainings,
    ) -> Selection | None:
        """How the headline's layer is chosen; None where it is named in advance."""
        select = section.select
        if select is None:
            return None
        if select.on == "leave_languages_out" and len(scored) < 2:
            message = (
                f"only {' '.join(scored)} is scored, and to leave one out takes two or more "
                "languages; add some, or name the headline's `layer`"
            )
            raise self._problem((*place, "select", "on"), message)
        candidates = layers if select.layer == "all" else tuple(sorted(select.layer))
        aligns: tuple[Align, ...] = ()
        if select.bitext is not None:
            found, notices = bitexts.held_out(select.bitext, self.folder, list(scored))
            twice = same_tables(found, scored)
            if twice:
                message = (
                    f"the held-out table is the scored one in {', '.join(twice)}; name other "
                    "sentences, or write `on: oracle`, which says what it is"
                )
                raise self._problem((*place, "select", "bitext"), message)
            self.notices += notices
            name = self.recipe.report.baseline
            extras = Extras(needs_everything(section), (), False)
            aligns = tuple(
                self._align(name, seed, None, found, candidates, trained, extras=extras)
                for seed in self._seeds_of(name)
            )
        return Selection(select.on, candidates, aligns)

    def _depth(self) -> int:
        """The base's number of layers."""
        if self.identity.shape is None:
            message = (
                f"the depth of `{self.identity.model}` is not known before it is downloaded; "
                "download it to a folder and name that folder in base.model"
            )
            raise RecipeError(self.source, [Problem(0, 0, "base.model", message)])
        return self.identity.shape.layers

"""What no single section can see: names that must exist, settings that must fit each other.

Works on the plain tree, piece by piece: a mistake in one piece does not hide those in another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from adaptstilts.recipe.adapter import (
    Adapter,
    AdapterEntry,
    Control,
    Training,
    is_control,
    is_stored,
)
from adaptstilts.recipe.layer_rules import layers_fit, selection_fits
from adaptstilts.recipe.measure import OwnBitext, Tatoeba
from adaptstilts.recipe.names import Names
from adaptstilts.recipe.outside_systems import outside_systems
from adaptstilts.recipe.problems import Finding, suggestion, unknown_name
from adaptstilts.recipe.system import (
    NO_ADAPTER,
    ScaleSystem,
    SweepSystem,
    SystemEntry,
    adapter_of,
    expanded,
)
from adaptstilts.recipe.tree import KeyPath

Piece = TypeVar("Piece")

_TRAINING: TypeAdapter[Training] = TypeAdapter(Training)
_ADAPTER: TypeAdapter[AdapterEntry] = TypeAdapter(AdapterEntry)
_CONTROL: TypeAdapter[Control] = TypeAdapter(Control)
_RETRIEVAL: dict[str, TypeAdapter[Any]] = {
    "tatoeba": TypeAdapter(Tatoeba),
    "bitext": TypeAdapter(OwnBitext),
}
_SYSTEM: TypeAdapter[SystemEntry] = TypeAdapter(SystemEntry)


@dataclass(frozen=True)
class _Pieces:
    """The parts of a recipe that are sound in themselves; None for one that is not."""

    adapters: dict[str, Training | None]
    controls: dict[str, Control]
    stored: list[str]
    systems: dict[str, SystemEntry | None]
    measures: dict[tuple[int, str], Tatoeba | OwnBitext]
    baseline: str | None


def cross_check(tree: dict[str, Any], names: Names | None = None) -> list[Finding]:
    """Finds what does not fit together.

    Args:
        tree: The plain tree of a recipe; parts may be wrong or missing, they are then passed over.
        names: The tasks and languages that there are; None leaves their names unchecked.

    Returns:
        The findings, in the order of the sections.
    """
    measure = tree.get("measure")
    pieces = _Pieces(
        adapters={
            name: _sound(_TRAINING, _mapping(adapter).get("training"))
            for name, adapter in _mapping(tree.get("adapters")).items()
        },
        controls={
            name: control
            for name, entry in _mapping(tree.get("adapters")).items()
            if (control := _sound(_CONTROL, entry)) is not None
        },
        stored=[name for name, one in _mapping(tree.get("adapters")).items() if is_stored(one)],
        systems={
            name: _sound(_SYSTEM, system) for name, system in _mapping(tree.get("systems")).items()
        },
        measures={
            (index, key): section
            for index, entry in enumerate(measure if isinstance(measure, list) else [])
            for key, adapter in _RETRIEVAL.items()
            if (section := _sound(adapter, _mapping(entry).get(key))) is not None
        },
        baseline=_mapping(tree.get("report")).get("baseline"),
    )
    return [
        *_adapters(pieces),
        *_controls(tree, pieces),
        *_twins(tree),
        *_systems(pieces),
        *_sweeps(pieces),
        *_seeds(tree),
        *_measures(pieces),
        *outside_systems(tree, pieces.systems),
        *_baseline(pieces),
        *([] if names is None else _names(tree, pieces, names)),
    ]


def _names(tree: dict[str, Any], pieces: _Pieces, names: Names) -> Iterator[Finding]:
    """Tasks and languages that are declared elsewhere."""
    for adapter, section in _mapping(tree.get("adapters")).items():
        task = _mapping(section).get("task")
        if isinstance(task, str) and task and task not in names.tasks:
            yield Finding(("adapters", adapter, "task"), unknown_name(task, "task", names.tasks))
    for (index, _), tatoeba in pieces.measures.items():
        if not isinstance(tatoeba, Tatoeba):
            continue
        here: KeyPath = ("measure", index, "tatoeba", "languages")
        if isinstance(tatoeba.languages, str):
            listed = [(here, tatoeba.languages)]
        else:
            listed = [((*here, place), name) for place, name in enumerate(tatoeba.languages)]
        for path, name in listed:
            if name not in names.languages:
                near = suggestion(name, names.languages) or (
                    "; give an ISO-639-1 code (ISO-639-3 where there is none) or a set such as "
                    "xtreme36"
                )
                yield Finding(path, f"no language or set of languages is called `{name}`{near}")


def _mapping(value: Any) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def _sound(adapter: TypeAdapter[Piece], value: Any) -> Piece | None:
    """The validated piece; None if it has mistakes of its own."""
    try:
        return adapter.validate_python(value)
    except ValidationError:
        return None


def _adapters(pieces: _Pieces) -> Iterator[Finding]:
    """Each adapter is used, may be called so, and knows how long it is trained."""
    used = {adapter_of(system) for system in pieces.systems.values() if system is not None}
    are_all_sound = None not in pieces.systems.values()
    for name, training in pieces.adapters.items():
        here: KeyPath = ("adapters", name)
        if name == NO_ADAPTER:
            message = "`none` means the bare base; choose another name"
            yield Finding(here, message, is_about_key=True)
        elif name not in used and are_all_sound:
            message = f"no system uses this adapter; add one, such as `{name}: {name}`"
            yield Finding(here, message, is_about_key=True)
        if training is not None:
            yield from _training(training, (*here, "training"))


def _controls(tree: dict[str, Any], pieces: _Pieces) -> Iterator[Finding]:
    """Each control is one of an adapter that is trained in this recipe."""
    trained = [
        name
        for name, entry in _mapping(tree.get("adapters")).items()
        if not is_control(entry) and name not in pieces.stored
    ]
    for name, control in pieces.controls.items():
        here: KeyPath = ("adapters", name, "of")
        if control.of not in pieces.adapters:
            yield Finding(here, unknown_name(control.of, "adapter", trained))
        elif control.of not in trained:
            what = "trained already" if control.of in pieces.stored else "a control itself"
            message = f"`{control.of}` is {what}; name an adapter that is trained in this recipe"
            near = f", such as {trained[0]}" if trained else ""
            yield Finding(here, message + near)


def _twins(tree: dict[str, Any]) -> Iterator[Finding]:
    """Two adapters that are the same, seed included, would be one training under two names."""
    seen: list[tuple[str, AdapterEntry]] = []
    for name, section in _mapping(tree.get("adapters")).items():
        adapter = _sound(_ADAPTER, section)
        if adapter is None:
            continue
        twin = next((other for other, known in seen if known == adapter), None)
        if twin is not None:
            message = f"`{name}` is the same as `{twin}`, seed included; change its training.seed"
            if not isinstance(adapter, Adapter):
                message = f"`{name}` is the same as `{twin}`; one of them is enough"
            yield Finding(("adapters", name), message, is_about_key=True)
        seen.append((name, adapter))


def _training(training: Training, here: KeyPath) -> Iterator[Finding]:
    """The settings of one training fit each other."""
    if training.epochs is None and training.steps is None:
        yield Finding(here, "give `epochs` or `steps`: how long to train", is_about_key=True)
    if training.epochs is not None and training.steps is not None:
        message = "give `epochs` or `steps`, not both; `null` takes one out"
        yield Finding((*here, "steps"), message, is_about_key=True)
    if training.tokens_per_batch < training.max_length:
        message = (
            f"a batch of {training.tokens_per_batch} tokens cannot hold a row of up to "
            f"{training.max_length} (`max_length`)"
        )
        yield Finding((*here, "tokens_per_batch"), message)
    if training.steps is not None and training.evaluations > training.steps:
        message = (
            f"{training.evaluations} evaluations do not fit into {training.steps} steps; "
            f"give at most {training.steps}"
        )
        yield Finding((*here, "evaluations"), message)


def _systems(pieces: _Pieces) -> Iterator[Finding]:
    """Each system runs on an adapter that is there."""
    for name, system in pieces.systems.items():
        if system is None:
            continue
        adapter = adapter_of(system)
        path: KeyPath = ("systems", name)
        is_scaled = not isinstance(system, str)
        if isinstance(system, SweepSystem):
            system, path = system.sweep.of, (*path, "sweep", "of")
        while isinstance(system, ScaleSystem):
            system, path = system.scale.of, (*path, "scale", "of")
        if adapter is None:
            if is_scaled:
                yield Finding(path, "`none` is the bare base; there is nothing in it to scale")
        elif adapter not in pieces.adapters:
            yield Finding(path, unknown_name(adapter, "adapter", [*pieces.adapters, NO_ADAPTER]))


def _sweeps(pieces: _Pieces) -> Iterator[Finding]:
    """The systems that a sweep stands for have names that no other has."""
    sound = {name: system for name, system in pieces.systems.items() if system is not None}
    for name, group in expanded(sound).items():
        for inner in group:
            if inner != name and inner in sound:
                message = f"factor {inner.removeprefix(name + '_')} would be called `{inner}`, "
                yield Finding(
                    ("systems", name), message + "which is taken; rename one", is_about_key=True
                )


def _seeds(tree: dict[str, Any]) -> Iterator[Finding]:
    """A seed is given once: for all adapters together, or for each."""
    if tree.get("seeds") is None:
        return
    for name, adapter in _mapping(tree.get("adapters")).items():
        if _mapping(_mapping(adapter).get("training")).get("seed") is not None:
            message = "give `seeds` for all adapters, or `training.seed` for each, not both"
            yield Finding(("adapters", name, "training", "seed"), message, is_about_key=True)


def _measures(pieces: _Pieces) -> Iterator[Finding]:
    """Each measurement names systems that are there, and fits their training."""
    for (index, key), section in pieces.measures.items():
        here: KeyPath = ("measure", index, key)
        listed = [] if section.systems == "all" else section.systems
        for place, name in enumerate(listed):
            if name not in pieces.systems:
                message = unknown_name(name, "system", pieces.systems)
                yield Finding((*here, "systems", place), message)
        yield from layers_fit(section, here)
        if section.select is not None:
            yield from selection_fits(
                section,
                section.select,
                (*here, "select"),
                systems=pieces.systems,
                baseline=pieces.baseline,
            )
        if section.during is not None:
            yield from _during(section, here, pieces)
        elif "every" in section.model_fields_set:
            message = "`every` needs `during: training`"
            yield Finding((*here, "every"), message, is_about_key=True)
        if isinstance(section, OwnBitext):
            yield from _pairs(section, here)
            yield from _own_name(section, here, pieces)


def _pairs(section: OwnBitext, here: KeyPath) -> Iterator[Finding]:
    """Pairs are of two languages, English second, and either all with English or none."""
    with_english = {name.endswith("-en") for name in section.pairs}
    for name in section.pairs:
        first, _, second = name.partition("-")
        path: KeyPath = (*here, "pairs", name)
        if first == second:
            yield Finding(path, "a pair is of two languages", is_about_key=True)
        elif first == "en":
            message = f"English comes second: write `{second}-en`, and the columns in that order"
            yield Finding(path, message, is_about_key=True)
    if len(with_english) > 1:
        message = (
            "pairs with English and pairs without it are scored in different directions; make two "
            "measurements of them"
        )
        yield Finding((*here, "pairs"), message, is_about_key=True)


def _own_name(section: OwnBitext, here: KeyPath, pieces: _Pieces) -> Iterator[Finding]:
    """A name stands for one bitext, so that rows of a table are told apart."""
    if section.name == "tatoeba":
        yield Finding((*here, "name"), "`tatoeba` is the benchmark's name; choose another")
    before = [one for (index, _), one in pieces.measures.items() if index < int(here[1])]
    for one in before:
        if isinstance(one, OwnBitext) and one.name == section.name and one.pairs != section.pairs:
            message = f"`{section.name}` is the name of other pairs already; give these another"
            yield Finding(here, message, is_about_key=True)
            return


def _during(section: Tatoeba | OwnBitext, here: KeyPath, pieces: _Pieces) -> Iterator[Finding]:
    """Measuring during training: systems that are one adapter, at moments that have a snapshot."""
    single = [
        name
        for name, system in pieces.systems.items()
        if isinstance(system, str) and system in pieces.adapters and system not in pieces.stored
    ]
    if section.systems == "all":
        example = f", such as [{', '.join(single)}]" if single else ""
        message = f"`during: training` needs a list of systems that are one adapter{example}"
        is_given = "systems" in section.model_fields_set
        yield Finding((*here, "systems") if is_given else here, message)
        return
    for place, name in enumerate(section.systems):
        system = pieces.systems.get(name)
        if system is None:
            continue
        if system in pieces.stored:
            message = f"`{name}` is trained already (`from`), so it has no training to follow"
            yield Finding((*here, "systems", place), message)
            continue
        if name not in single:
            if not isinstance(system, str) or system == NO_ADAPTER:
                message = f"`{name}` is not simply one adapter, so it has no training to follow"
                yield Finding((*here, "systems", place), message)
            continue
        control = pieces.controls.get(str(system))
        if control is not None and control.control == "random":
            message = f"`{name}` is a random adapter, so it has no training to follow"
            yield Finding((*here, "systems", place), message)
            continue
        trained = str(system) if control is None else control.of
        training = pieces.adapters.get(trained)
        if training is not None and not _falls_on(section.every, training.evaluations):
            message = (
                f"{100 * section.every:.4g}% does not divide the training into equal parts that "
                f"end at one of the {training.evaluations} evaluations of `{system}` (every "
                f"{100 / training.evaluations:.4g}%)"
            )
            yield Finding((*here, "every"), message)


def _falls_on(every: float, evaluations: int) -> bool:
    """Whether a share is a whole number of evaluations, and the whole a number of such shares."""
    return all(
        round(number) >= 1 and abs(number - round(number)) < 1e-6
        for number in (every * evaluations, 1 / every)
    )


def _baseline(pieces: _Pieces) -> Iterator[Finding]:
    """The report compares with a system that is there."""
    name = pieces.baseline
    if not (isinstance(name, str) and name and pieces.systems):
        return
    if name not in pieces.systems:
        yield Finding(("report", "baseline"), unknown_name(name, "system", pieces.systems))
    elif isinstance(pieces.systems[name], SweepSystem):
        message = f"`{name}` is a sweep, so several systems; the baseline is one"
        yield Finding(("report", "baseline"), message)

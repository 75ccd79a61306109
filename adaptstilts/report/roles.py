"""Which part each system plays: studied, a control of another, or a step of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adaptstilts.record.run import AdapterRecord
from adaptstilts.report.expression import adapters_in, scaled
from adaptstilts.report.load import Run


@dataclass(frozen=True)
class Declared:
    """An adapter that the recipe calls a control.

    Attributes:
        kind: Such as `random`; see `controls.KINDS`.
        of: The adapter that it is a control of.
    """

    kind: str
    of: str


def declared_controls(adapters: Mapping[str, object]) -> dict[str, Declared]:
    """The adapters that are controls, by name.

    Args:
        adapters: The section of the resolved recipe; a control is `{control: random, of: sst2}`.
    """
    return {
        name: Declared(str(entry["control"]), str(entry["of"]))
        for name, entry in adapters.items()
        if isinstance(entry, dict) and entry.get("control") and entry.get("of")
    }


def control_kind(run: Run, system: str) -> str | None:
    """What kind of control a system is, `scale` for a scaled adapter; None where nothing says."""
    found = scaled(run.systems.get(system))
    if found is None:
        return None
    adapter, factor = found
    if factor != 1:
        return "scale"
    declared = declared_controls(run.adapters).get(adapter)
    return declared.kind if declared else None


def controls_of(run: Run) -> dict[str, list[str]]:
    """The controls of each system that has some, both in the recipe's order.

    A system is a control where effects are measured against it beside the baseline, or where it is
    an adapter that the recipe declares as a control of the other's adapter.
    """
    declared = declared_controls(run.adapters)
    pairs = {(system, other) for system, other in run.pairs if other != run.baseline}
    for system, expression in run.systems.items():
        for other, others in run.systems.items():
            control = declared.get(others) if isinstance(others, str) else None
            if control is not None and control.of == expression:
                pairs.add((system, other))
    found = {
        system: [other for other in run.systems if (system, other) in pairs]
        for system in run.systems
        if system != run.baseline
    }
    return {system: controls for system, controls in found.items() if controls}


def control_systems(run: Run) -> list[str]:
    """Every system that is a control, in the recipe's order."""
    declared = declared_controls(run.adapters)
    named = {name for controls in controls_of(run).values() for name in controls}
    return [
        system
        for system, expression in run.systems.items()
        if system in named or (isinstance(expression, str) and expression in declared)
    ]


def sweeps(run: Run) -> dict[str, dict[str, float]]:
    """By adapter its scaled systems and their factors, by factor, where there are two or more.

    The adapter alone is among them, as factor 1, where it is a system.
    """
    found: dict[str, dict[str, float]] = {}
    for system, expression in run.systems.items():
        step = scaled(expression)
        if step is not None and system != run.baseline:
            found.setdefault(step[0], {})[system] = step[1]
    return {
        adapter: dict(sorted(steps.items(), key=lambda step: step[1]))
        for adapter, steps in found.items()
        if sum(isinstance(run.systems[system], dict) for system in steps) > 1
    }


def studied(run: Run) -> list[str]:
    """The systems that the report speaks about one by one, in the recipe's order.

    Those are all but the baseline, controls and the steps of a sweep; where nothing else is left,
    the steps too.
    """
    controls = set(control_systems(run))
    others = [name for name in run.systems if name != run.baseline and name not in controls]
    steps = {
        system
        for group in sweeps(run).values()
        for system in group
        if isinstance(run.systems[system], dict)
    }
    return [name for name in others if name not in steps] or others


def drawn(run: Run) -> list[str]:
    """The systems that a figure of all shows: the baseline, the studied ones, then controls."""
    baseline = [name for name in run.systems if name == run.baseline]
    return [*baseline, *studied(run), *control_systems(run)]


def trainings(run: Run, adapter: str) -> dict[str, AdapterRecord]:
    """The records of an adapter's trainings: one, or one for each seed, as `sst2-seed1`."""
    return {
        name: record
        for name, record in run.record.adapters.items()
        if name == adapter
        or (name.startswith(f"{adapter}-seed") and name == f"{adapter}-seed{record.seed}")
    }


def collapses(run: Run, system: str) -> tuple[list[int], bool]:
    """The seeds with which an adapter of a system ended on one class, and whether all did.

    A control may do so, and says what it was made to say all the same.
    """
    records = [
        record
        for adapter in adapters_in(run.systems.get(system))
        for record in trainings(run, adapter).values()
        if record.control is None
    ]
    seeds = sorted({record.seed for record in records if record.is_collapsed})
    return seeds, bool(seeds) and seeds == sorted({record.seed for record in records})

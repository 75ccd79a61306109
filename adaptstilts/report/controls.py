"""Whether a system moves alignment more than its controls do."""

from __future__ import annotations

from dataclasses import dataclass

from adaptstilts.record.scores import Effect
from adaptstilts.report import number
from adaptstilts.report.load import Run
from adaptstilts.report.roles import control_kind, controls_of
from adaptstilts.report.selection import headline_effects
from adaptstilts.report.verdict import TESTS, is_within

MORE = "more"
LESS = "less"
OTHER_WAY = "the other way"
DIFFERENT = "different"
ALIKE = "alike"
NOT_TOLD_APART = "not told apart"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Kind:
    """A kind of control.

    Attributes:
        name: As people write it.
        what: What is the same as in the studied system, and what is not.
        is_positive: Whether it is there to show that an effect can be seen at all.
    """

    name: str
    what: str
    is_positive: bool = False


KINDS = {
    "random": Kind(
        "a random adapter of the same norm",
        "an update of the same Frobenius norm in every module, in random directions: any change of "
        "that size; its spectral norm is usually smaller, since no direction stands out",
    ),
    "shuffled_labels": Kind(
        "training on shuffled labels",
        "the same text and steps with the labels permuted: training as such, without the task; as "
        "it stands at its last step",
    ),
    "english_mlm": Kind(
        "English masked-LM training",
        "the same English text without labels: more English, without the task; at the checkpoint "
        "that the dev rows chose",
    ),
    "english_contrastive": Kind(
        "English contrastive training",
        "positive control: training that is meant to move sentence vectors; where it moves "
        "nothing, this measurement may see nothing; as it stands at its last step",
        is_positive=True,
    ),
    "scale": Kind(
        "the adapter scaled",
        "the same update, larger, smaller or negated: whether the effect follows its size and sign",
    ),
}
_OTHER = Kind("another system", "another system of this recipe")


@dataclass(frozen=True)
class Comparison:
    """A system beside one of its controls.

    Attributes:
        system: The studied system.
        control: The control's name as a system.
        kind: What kind of control it is.
        effect: The control's own effect against the baseline; None where it was not measured.
        difference: The system minus the control on the same sentences; likewise.
        relation: `more`, `less`, `the other way`, `different`, `alike`, `not told apart` or
            `unknown`.
        sentence: The same in words, with points and interval.
    """

    system: str
    control: str
    kind: Kind
    effect: Effect | None
    difference: Effect | None
    relation: str
    sentence: str


@dataclass(frozen=True)
class Contrast:
    """A system and all of its controls.

    Attributes:
        system: The studied system.
        effect: Its effect against the baseline; None where it was not measured.
        comparisons: One for each control, in the recipe's order.
        summary: Whether it moves alignment more than they do, in a sentence or two.
    """

    system: str
    effect: Effect | None
    comparisons: list[Comparison]
    summary: str


def contrasts(run: Run) -> list[Contrast]:
    """Every system that has controls, beside them; empty where no system has any."""
    effects = headline_effects(run)
    found = []
    for system, controls in controls_of(run).items():
        own = effects.get(system)
        rows = [_comparison(run, system, name, own, effects.get(name)) for name in controls]
        if any(row.effect is not None or row.difference is not None for row in rows):
            found.append(Contrast(system, own, rows, _summary(system, rows)))
    return found


def _comparison(
    run: Run, system: str, control: str, own: Effect | None, other: Effect | None
) -> Comparison:
    kind = KINDS.get(control_kind(run, control) or "", _OTHER)
    difference = headline_effects(run, against=control).get(system)
    relation = relate(own, other, difference, run.margin)
    said = _sentence(relation, kind.name if kind is not _OTHER else control, difference, run.margin)
    return Comparison(system, control, kind, other, difference, relation, said)


def relate(
    own: Effect | None, other: Effect | None, difference: Effect | None, margin: float | None
) -> str:
    """How a system's effect stands to a control's.

    Args:
        own: The system's effect against the baseline.
        other: The control's effect against the baseline.
        difference: The system minus the control, paired.
        margin: The smallest change that would matter, in 0–1; None where none is named.
    """
    if difference is None or not number.is_interval(difference.low, difference.high):
        return UNKNOWN
    if difference.low <= 0 <= difference.high:
        return ALIKE if is_within(difference, margin) else NOT_TOLD_APART
    apart = 1 if difference.low > 0 else -1
    ours, theirs = _sign(own), _sign(other)
    if ours == apart:
        return OTHER_WAY if theirs == -apart else MORE
    if theirs == -apart:  # the control moves, and the system does not, or less far
        return LESS
    return DIFFERENT


def _sign(effect: Effect | None) -> int:
    """The direction of an effect whose interval leaves out zero; else 0."""
    if effect is None or not number.is_interval(effect.low, effect.high):
        return 0
    return (effect.low > 0) - (effect.high < 0)


def _sentence(relation: str, name: str, difference: Effect | None, margin: float | None) -> str:
    if relation == UNKNOWN or difference is None:
        return f"no paired difference to {name} was measured"
    decimals = number.decimals_for(difference.low, difference.high)
    points = f"{number.points(difference.value, decimals)} points"
    interval = number.points_interval(difference.low, difference.high, decimals)
    words = {
        MORE: f"moves alignment more than {name}: {points} further",
        LESS: f"moves alignment less than {name}: {points} apart",
        OTHER_WAY: f"moves alignment the other way than {name}: {points} apart",
        DIFFERENT: f"differs from {name}: {points}",
        NOT_TOLD_APART: f"is not told apart from {name}: {points}",
        ALIKE: f"differs from {name} by less than {number.sized(margin or 0.0)}: {points}",
    }
    within = f"; {TESTS}" if relation == ALIKE else ""
    return f"{words[relation]} ({interval}{within})"


def _summary(system: str, rows: list[Comparison]) -> str:
    """The answer to the section's question."""
    negative = [row for row in rows if not row.kind.is_positive]
    more = [row.control for row in negative if row.relation == MORE]
    other = [row.control for row in negative if row.relation == OTHER_WAY]
    rest = [row.control for row in negative if row.relation not in (MORE, OTHER_WAY)]
    if not negative:
        said = f"{system} has no control that shows what other training does."
    elif len(more) == len(negative):
        all_ = "its only control" if len(more) == 1 else f"each of its {len(more)} controls"
        said = f"{system} moves alignment more than {all_} ({number.listed(more)})."
    elif len(rest) == len(negative):
        none = "its only control" if len(rest) == 1 else f"any of its {len(rest)} controls"
        said = f"{system} is not shown to move alignment more than {none} ({number.listed(rest)})."
    else:
        parts = []
        if more:
            of = f"{len(more)} of its {len(negative)} controls"
            parts.append(f"more than {of} ({number.listed(more)})")
        if other:
            parts.append(f"the other way than {number.listed(other)}")
        said = f"{system} moves alignment {', '.join(parts)}"
        said += f"; this is not shown for {number.listed(rest)}." if rest else "."
    for row in rows:
        if row.kind.is_positive and row.effect is not None:
            moves = _sign(row.effect) != 0
            decimals = number.decimals_for(row.effect.low, row.effect.high)
            said += (
                f" The positive control {row.control} "
                + ("moves it" if moves else "moves nothing that this test could see")
                + f" ({number.points(row.effect.value, decimals)} points"
                + ("), so this measurement can see a change." if moves else ").")
            )
    return said

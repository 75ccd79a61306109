"""What no single section can see: names that must exist, settings that must fit."""

from __future__ import annotations

import pytest

from adaptstilts.errors import RecipeError
from adaptstilts.recipe.load import parse

TEXT = """\
name: trial
base: {model: pocket}
adapters:
  sst2:
    task: sst2
    method: {kind: lora}
    training: {steps: 100}
systems:
  base: none
  sst2: sst2
  back: {scale: {of: sst2, by: -1}}
measure:
  - tatoeba: {systems: [base, sst2]}
  - tatoeba: {systems: [sst2], during: training, every: 20%}
report: {baseline: base}
"""


# The `§` in the new text marks the place that the problem must have.
@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        ("of: sst2", "of: §sst1", "systems.back.scale.of", "did you mean `sst2`?"),
        ("of: sst2", "of: §none", "systems.back.scale.of", "nothing in it to scale"),
        ("[base, sst2]", "[base, §ss2]", "measure[0].tatoeba.systems[1]", "mean `sst2`?"),
        ("baseline: base", "baseline: §all", "report.baseline", "there are base, sst2, back"),
        ("training: {steps: 100", "§training: {seed: 3", "adapters.sst2.training", "give `epochs`"),
        ("steps: 100", "§steps: 99, epochs: 1", "adapters.sst2.training.steps", "both"),
        (
            "steps: 100",
            "steps: 100, evaluations: §200",
            "adapters.sst2.training.evaluations",
            "give at most 100",
        ),
        (
            "steps: 100",
            "steps: 100, tokens_per_batch: §64",
            "adapters.sst2.training.tokens_per_batch",
            "row of up to 128",
        ),
        ("every: 20%", "every: §15%", "measure[1].tatoeba.every", "15% does not divide"),
        ("every: 20%", "every: §5%", "measure[1].tatoeba.every", "(every 10%)"),
        ("during: training, every", "§every", "measure[1].tatoeba.every", "needs `during"),
        ("[sst2], d", "[§back], d", "measure[1].tatoeba.systems[0]", "no training to follow"),
        ("[sst2], d", "[§base], d", "measure[1].tatoeba.systems[0]", "no training to follow"),
        ("[sst2], d", "§all, d", "measure[1].tatoeba.systems", "such as [sst2]"),
        (
            "[base, sst2]",
            "all, layers: [1, 2], layer: §4",
            "measure[0].tatoeba.layer",
            "not among `layers`",
        ),
    ],
)
def test_what_does_not_fit(old: str, new: str, path: str, message: str) -> None:
    assert TEXT.count(old) == 1
    marked = TEXT.replace(old, new)
    before = marked[: marked.index("§")]
    place = (before.count("\n") + 1, len(before) - before.rfind("\n"), path)
    with pytest.raises(RecipeError) as caught:
        parse(marked.replace("§", ""), source="trial.yaml")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.path) == place
    assert message in problem.message


def test_adapter_that_no_system_uses() -> None:
    other = "  other: {task: sst2, method: {kind: lora}, training: {epochs: 1}}\nsystems:\n"
    with pytest.raises(RecipeError) as caught:
        parse(TEXT.replace("systems:\n", other, 1), source="trial.yaml")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.path) == (8, 3, "adapters.other")
    assert "no system uses" in problem.message


def test_adapter_called_none() -> None:
    text = TEXT.replace("  sst2:\n    task", "  none:\n    task")
    with pytest.raises(RecipeError, match="`none` means the bare base"):
        parse(text, source="trial.yaml")


def test_mistakes_of_both_kinds_are_told_together() -> None:
    text = TEXT.replace("steps: 100", "steps: 100, epochs: 1").replace("pocket", "3")
    with pytest.raises(RecipeError) as caught:
        parse(text, source="trial.yaml")
    assert [problem.line for problem in caught.value.problems] == [2, 7]


def test_every_follows_the_evaluations() -> None:
    text = TEXT.replace("steps: 100", "steps: 100, evaluations: 20").replace("20%}", "5%}")
    assert parse(text, source="trial.yaml").measure[1].tatoeba.every == 0.05

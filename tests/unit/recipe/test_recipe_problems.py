"""Mistakes in recipes: all at once, each with its place and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaptstilts.errors import RecipeError
from adaptstilts.recipe.load import check, load, parse

TEXT = """\
name: trial
base: {model: pocket}
adapters:
  sst2:
    task: sst2
    method: {kind: lora, rank: 8}
    training: {steps: 100}
systems:
  base: none
  sst2: sst2
measure:
  - tatoeba: {languages: [de, fr]}
report:
  baseline: base
"""


def problems(text: str, **options: object) -> list[tuple[int, int, str, str]]:
    with pytest.raises(RecipeError) as caught:
        parse(text, source="trial.yaml", **options)  # type: ignore[arg-type]
    return [(p.line, p.column, p.path, p.message) for p in caught.value.problems]


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) == 1, old
    return TEXT.replace(old, new)


def test_the_text_itself_is_right() -> None:
    parse(TEXT, source="trial.yaml")


FIVE = """\
name: trial
base: {model: pocket, quantisation: nf4}
adapters:
  sst2:
    tsak: sst2
    method: {kind: lora, rank: "8"}
    training: {steps: 100}
systems:
  base: none
  sst2: sst2
measure:
  - tatoeba: {protocol: xtrem}
report:
  baseline: bse
"""


def test_five_mistakes_are_five_problems_with_their_places() -> None:
    assert problems(FIVE) == [
        (2, 23, "base", "unknown key `quantisation`; did you mean `quantization`?"),
        (5, 5, "adapters.sst2", "unknown key `tsak`; did you mean `task`?"),
        (6, 32, "adapters.sst2.method.rank", 'expected a whole number, got the text "8"'),
        (
            12,
            25,
            "measure[0].tatoeba.protocol",
            "`xtrem` is not one of xtreme, jiant, mteb, both, xsim; did you mean `xtreme`?",
        ),
        (14, 13, "report.baseline", "no system is called `bse`; did you mean `base`?"),
    ]


def test_five_mistakes_inside_a_profile_keep_the_file_s_places() -> None:
    profile = """\
profiles:
  small:
    base: {modle: pocket}
    adapters:
      sst2:
        method: {rank: 0}
        training: {steps: ten}
        head: {pooling: max}
    report: {baseline: best}
"""
    found = problems(TEXT + profile, profile="small")
    assert [place[:3] for place in found] == [
        (17, 12, "profiles.small.base"),
        (20, 24, "profiles.small.adapters.sst2.method.rank"),
        (21, 27, "profiles.small.adapters.sst2.training.steps"),
        (22, 25, "profiles.small.adapters.sst2.head.pooling"),
        (23, 24, "profiles.small.report.baseline"),
    ]
    assert found[0][3] == "unknown key `modle`; did you mean `model`?"
    assert found[1][3] == "must be at least 1, got 0"


def test_check_tells_a_mistake_once_and_finds_those_of_every_profile(tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    text = changed("rank: 8", "rank: x") + "profiles:\n  a: {base: {model: 3}}\n  b: {bas: 1}\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        check(path)
    assert [(p.line, p.path) for p in caught.value.problems] == [
        (6, "adapters.sst2.method.rank"),
        (16, "profiles.a.base.model"),
        (17, "profiles.b"),
    ]


def test_repeated_keys_are_all_found() -> None:
    text = changed("    task: sst2\n", "    task: sst2\n    task: sst2\n") + "name: other\n"
    assert problems(text) == [
        (6, 5, "adapters.sst2", "the key `task` stands here twice (first in line 5)"),
        (16, 1, "recipe", "the key `name` stands here twice (first in line 1)"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("name: a\nbase: {model: x\nreport: y\n", 3, 7, "no YAML"),
        ("name: a\n\tbase: x\n", 2, 1, "no YAML"),
        ("name: 'a\nbase: x\n", 3, 1, "starts in line 1"),
        ("name: *here\n", 1, 7, "undefined alias"),
        ("name: a\n---\nname: b\n", 2, 1, "another document"),
        ("", 1, 1, "empty"),
        ("# nothing\n", 1, 1, "empty"),
        ("- a\n", 1, 1, "expected a mapping"),
        ("%YAML 1.1\n---\nname: a\n", 1, 1, "YAML 1.2"),
        ("name: a\nbase: &b\n  model: *b\n", 3, 3, "inside the value that it repeats"),
        ("name: a\x01\n", 1, 1, "no YAML"),
    ],
)
def test_no_yaml(text: str, line: int, column: int, message: str) -> None:
    (found,) = problems(text)
    assert found[:2] == (line, column)
    assert message in found[3]


def test_text_that_is_too_deep_or_too_large_is_refused() -> None:
    deep = "name: " + "[" * 500 + "]" * 500
    assert "too deep" in problems(deep)[0][3]
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 8)
    )
    assert "too large" in problems(laughs)[0][3]


METHOD = "adapters.sst2.method"
TATOEBA = "measure[0].tatoeba"


# The `§` in the new text marks the place that the problem must have.
@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        ("name: trial", "name: §My Trial", "name", "cannot be a name"),
        ("model: pocket", "model: §3", "base.model", "got the number 3; put it in quotes"),
        ("model: pocket", "model: §''", "base.model", "must not be empty"),
        ("rank: 8", "rank: §true", f"{METHOD}.rank", "got true"),
        ("rank: 8", "rank: §8.0", f"{METHOD}.rank", "got the number 8.0"),
        ("rank: 8", "rank: §2000", f"{METHOD}.rank", "at most 1024, got 2000"),
        ("rank: 8", "alpha: §.inf", f"{METHOD}.alpha", "finite"),
        ("rank: 8", "alpha: §1_000x", f"{METHOD}.alpha", "expected a number"),
        ("rank: 8", "targets: §[]", f"{METHOD}.targets", "at least 1 entry"),
        ("rank: 8", "targets: §[key, key]", f"{METHOD}.targets", "`key` stands here twice"),
        ("rank: 8", "targets: [key, §kye]", f"{METHOD}.targets[1]", "did you mean `key`?"),
        ("task: sst2", "task: §!x sst2", "adapters.sst2.task", "a recipe has no tags"),
        ("rank: 8", "§lora: 8", METHOD, "unknown key `lora`; there are"),
        ("method: {kind: lora, ", "§method: {", METHOD, "the key `kind` is missing"),
        ("task: sst2\n", "§rank: 4\n    task: sst2\n", "adapters.sst2", "belongs inside `method`"),
        ("steps: 100", "steps: 99, warmup: §a", "adapters.sst2.training.warmup", "a share such as"),
        ("steps: 100", "steps: 99, warmup: §110%", "adapters.sst2.training.warmup", "at most 1"),
        ("base: none", "base: §3", "systems.base", "expected `none`, the name"),
        (
            "base: none",
            "base: {scale: {of: §3, by: 1}}",
            "systems.base.scale.of",
            "expected `none`",
        ),
        ("base: none", "base: {scale: §1}", "systems.base.scale", "expected a mapping"),
        ("base: none", "base: {§scal: 1}", "systems.base", "did you mean `scale`?"),
        ("  sst2: sst2", "  §SST: sst2", "systems.SST", "cannot be a name"),
        ("[de, fr]", "§3", f"{TATOEBA}.languages", "expected a named set"),
        ("languages: [de, fr]", "systems: §base", f"{TATOEBA}.systems", "expected `all` or a list"),
        ("languages: [de, fr]", "layers: [3, §-1]", f"{TATOEBA}.layers[1]", "at least 0, got -1"),
        (
            "- tatoeba: {languages: [de, fr]}",
            "- §{}",
            "measure[0]",
            "exactly one of `tatoeba`, `bitext` and `bucc`",
        ),
        ("report:\n  baseline: base", "§report: {}", "report", "`baseline` is missing"),
        ("name: trial\n", "§", "recipe", "`name` is missing (a short name; "),
    ],
)
def test_one_mistake(old: str, new: str, path: str, message: str) -> None:
    marked = changed(old, new)
    before = marked[: marked.index("§")]
    (found,) = problems(marked.replace("§", ""))
    assert found[:3] == (before.count("\n") + 1, len(before) - before.rfind("\n"), path)
    assert message in found[3]


def test_empty_value_stands_near_its_key() -> None:
    (found,) = problems(changed("rank: 8", "rank: "))
    assert (found[0], found[2]) == (6, "adapters.sst2.method.rank")
    assert found[3] == "expected a whole number, got nothing"


@pytest.mark.parametrize(
    ("override", "path", "message"),
    [
        ("rank", "rank", "expected key=value"),
        ("=3", "override", "expected key=value"),
        ("a..b=3", "override", "expected key=value"),
        ("base.modle=x", "base", "unknown key `modle`; did you mean `model`?"),
        ("adapters.sst2.method.rank=x", "adapters.sst2.method.rank", 'got the text "x"'),
        ("adapters.sst2.method.rank=[", "adapters.sst2.method.rank", "no YAML"),
        ("name.first=x", "name.first", "no `first` inside a single value"),
        ("measure[1].tatoeba.layer=3", "measure[1].tatoeba.layer", "1 items"),
        ("measure.tatoeba.layer=3", "measure.tatoeba.layer", "position in a list"),
        ("profiles.a.name=x", "profiles.a.name", "cannot be overridden"),
        ("base={revision: x}", "base", "the key `model` is missing"),
    ],
)
def test_bad_override(override: str, path: str, message: str) -> None:
    (found,) = problems(TEXT, overrides=[override])
    assert found[:3] == (0, 0, path)
    assert message in found[3]
    assert f"(from the override `{override}`)" in found[3]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("missing.yaml", None, "no such file"), ("latin.yaml", b"name: \xe9t\xe9\n", "not UTF-8")],
)
def test_file_that_cannot_be_read(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RecipeError, match=message):
        load(tmp_path / name)


def test_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("profiles: 3\n", "expected a mapping of names"),
        ("profiles: {full: {}}\n", "the recipe without a profile"),
        ("profiles: {Small: {}}\n", "cannot be a name"),
        ("profiles: {small: 3}\n", "expected a mapping of what"),
        ("profiles: {small: {profiles: {}}}\n", "profiles of its own"),
    ],
)
def test_bad_profiles(section: str, message: str) -> None:
    (found,) = problems(TEXT + section)
    assert found[0] == 15
    assert message in found[3]

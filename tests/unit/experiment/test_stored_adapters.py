"""Adapters that are trained already: in a recipe, in a plan and in what a run leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import add_adapter, save_adapter

from adaptstilts.adapter.folder import PROVENANCE, digest_of
from adaptstilts.base.identity import POCKET, identify
from adaptstilts.base.load import load_base
from adaptstilts.errors import DataError, RecipeError
from adaptstilts.experiment.budget import estimate
from adaptstilts.experiment.execute import execute
from adaptstilts.experiment.plan import Plan, plan
from adaptstilts.experiment.stage import Align
from adaptstilts.recipe.adapter import Stored, is_stored, resolved
from adaptstilts.recipe.load import load, parse, resolved_yaml
from adaptstilts.record.scores import read_scores

TEXT = """\
name: trial
base: {model: pocket}
seeds: [1, 2]
adapters:
  before: {from: kept/before}
  sst2: {task: sst2, method: {kind: lora}, training: {steps: 4, evaluations: 1}}
systems:
  base: none
  before: before
  half: {scale: {of: before, by: 0.5}}
  sst2: sst2
measure:
  - tatoeba: {systems: all, protocol: both, layer: 4, languages: [de]}
  - tatoeba: {systems: [sst2], protocol: both, layer: 4, languages: [de], during: training, every: 100%}
report: {baseline: base}
"""  # noqa: E501


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADAPTSTILTS_DATA", raising=False)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe and the adapter that it names."""
    folder = tmp_path_factory.mktemp("recipe")
    base = load_base(
        identify(POCKET, None), revision=None, quantization="int8", compute="fp32", device="cpu"
    )
    add_adapter(base, "before", strength=0.1)
    save_adapter(base, folder / "kept" / "before", "before")
    (folder / "trial.yaml").write_text(TEXT, encoding="utf-8")
    return folder


def aligns(planned: Plan) -> list[Align]:
    return [stage for stage in planned.stages if isinstance(stage, Align)]


def test_it_is_read_written_and_no_training(kept: Path) -> None:
    recipe = load(kept / "trial.yaml")
    assert recipe.adapters["before"] == Stored.model_validate({"from": "kept/before"})
    assert list(resolved(recipe.adapters)) == ["sst2"]
    assert parse(resolved_yaml(recipe), source="again.yaml") == recipe
    assert [is_stored(one) for one in recipe.adapters.values()] == [True, False]


# The `§` in the new text marks the place that the problem must have.
@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        ("{from: kept/before}", "{from: §3}", "adapters.before.from", "expected text"),
        ("{from: kept/before}", '{from: §""}', "adapters.before.from", "must not be empty"),
        (
            "from: kept/before",
            "from: kept/before, §task: sst2",
            "adapters.before",
            "`task` cannot stand beside `from`",
        ),
        ("from: kept/before", "from: x, §form: y", "adapters.before", "unknown key `form`"),
        (
            "  before: {from",
            "  again: {control: random, of: §before}\n  before: {from",
            "adapters.again.of",
            "`before` is trained already; name an adapter that is trained in this recipe",
        ),
        (
            "  before: {from",
            "  first: {from: kept/before}\n  §before: {from",
            "adapters.before",
            "`before` is the same as `first`; one of them is enough",
        ),
        ("[sst2]", "[§before]", "measure[1].tatoeba.systems[0]", "no training to follow"),
        ("  before: before\n", "", "adapters.before", None),
    ],
)
def test_what_does_not_fit(old: str, new: str, path: str, message: str | None) -> None:
    assert TEXT.count(old) == 1
    marked = TEXT.replace(old, new)
    if message is None:
        parse(marked, source="trial.yaml")  # the scaled system uses it still
        return
    before = marked[: marked.index("§")]
    place = (before.count("\n") + 1, len(before) - before.rfind("\n"), path)
    with pytest.raises(RecipeError) as caught:
        parse(marked.replace("§", ""), source="trial.yaml")
    found = {(p.line, p.column, p.path): p.message for p in caught.value.problems}
    assert message in found[place]


def test_seeds_do_not_multiply_it_and_its_files_decide_the_key(kept: Path) -> None:
    planned = plan(kept / "trial.yaml")
    names = [stage.name for stage in aligns(planned)]
    assert names.count("before") == names.count("half") == names.count("base") == 1
    assert {"sst2-seed1", "sst2-seed2"} <= set(names)
    assert [s.name for s in planned.stages if s.kind == "train"] == ["sst2-seed1", "sst2-seed2"]
    budget = estimate(planned)
    assert budget is not None
    assert budget.adapter_parameters["before"] == 6 * 2 * 4 * 2 * 256
    by_name = {stage.name: stage for stage in aligns(planned)}
    (update,) = by_name["before"].updates
    folder = kept / "kept" / "before"
    assert (update.folder, update.key) == (folder.absolute(), digest_of(folder))
    assert by_name["before"].seed is None
    config = folder / "adapter_config.json"
    text = config.read_text(encoding="utf-8")
    config.write_text(text + "\n", encoding="utf-8")
    changed = {stage.name: stage.key for stage in aligns(plan(kept / "trial.yaml"))}
    config.write_text(text, encoding="utf-8")
    assert {name for name, key in changed.items() if key != by_name[name].key} == {"before", "half"}


def test_a_wrong_folder_stops_the_plan(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "trial.yaml").write_text(TEXT, encoding="utf-8")
    with pytest.raises(DataError, match=r"adapters\.before\.from: .*there is no such folder"):
        plan(tmp_path / "trial.yaml")


def test_a_run_measures_and_records_it(kept: Path, tmp_path: Path) -> None:
    text = TEXT.replace("seeds: [1, 2]\n", "").partition("  - tatoeba: {systems: [sst2]")[0]
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("  sst2: ")]
    path = kept / "alone.yaml"
    path.write_text("".join(lines) + "report: {baseline: base}\n", encoding="utf-8")
    record = execute(plan(path), tmp_path / "run")
    assert record.adapters == {}
    assert record.seeds == {}
    assert record.stored["before"].sha256 == digest_of(kept / "kept" / "before")
    assert record.stored["before"].details == {"seed": 1}
    assert not (tmp_path / "run" / "adapters").exists()
    scores = read_scores(tmp_path / "run" / "scores.parquet")
    level = {(row.system, row.layer): row.value for row in scores if row.language == "macro"}
    assert level["before", 0] == level["base", 0]
    assert len({level[name, 6] for name in ("base", "half", "before")}) > 1
    assert {(row.seed, row.seeds) for row in scores} == {(None, 0)}


def test_one_without_provenance_is_told(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    folder = tmp_path / "kept" / "before"
    folder.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors", PROVENANCE):
        (folder / name).write_bytes((kept / "kept" / "before" / name).read_bytes())
    (tmp_path / "trial.yaml").write_text(TEXT, encoding="utf-8")
    told = "does not say which weights it was trained on"
    assert not any(told in notice for notice in plan(tmp_path / "trial.yaml").notices)
    (folder / PROVENANCE).unlink()
    assert any(told in notice for notice in plan(tmp_path / "trial.yaml").notices)

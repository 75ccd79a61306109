"""Controls as stages: what their keys depend on, what they leave, what is said of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from adaptstilts.adapter import store as adapter_store
from adaptstilts.adapter.attach import product_norm
from adaptstilts.errors import RecipeError
from adaptstilts.experiment import execute as execution
from adaptstilts.experiment.budget import estimate
from adaptstilts.experiment.execute import execute
from adaptstilts.experiment.plan import Plan, plan
from adaptstilts.experiment.stage import Train
from adaptstilts.experiment.store import Summary, read_summary, snapshot_folder, stage_folder
from adaptstilts.experiment.train_stage import _chosen
from adaptstilts.recipe.adapter import ControlKind
from adaptstilts.report import number
from adaptstilts.report.controls import contrasts
from adaptstilts.report.headline import findings
from adaptstilts.report.load import Run, read_run
from adaptstilts.report.section import adapters as adapter_rows

CONTROLS = Path(__file__).resolve().parents[3] / "recipes" / "smoke" / "controls.yaml"
KINDS = {
    "sst2": None,
    "same_size": "random",
    "shuffled": "shuffled_labels",
    "mlm": "english_mlm",
    "contrastive": "english_contrastive",
}
# One language and one layer: what is looked at here is the training.
SHORT = [
    "measure.0.tatoeba.languages=[de]",
    "measure.0.tatoeba.layers=[4]",
    "measure.1.tatoeba.languages=[de]",
    "measure.1.tatoeba.systems=[mlm]",
    "measure.1.tatoeba.every=100%",
]


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADAPTSTILTS_DATA", raising=False)


def trainings(planned: Plan) -> dict[str, Train]:
    return {stage.name: stage for stage in planned.stages if isinstance(stage, Train)}


def test_a_control_is_a_stage_of_its_own_after_what_it_is_a_control_of() -> None:
    found = trainings(plan(CONTROLS))
    assert {name: stage.control for name, stage in found.items()} == KINDS
    assert next(iter(found)) == "sst2"
    assert len({stage.key for stage in found.values()}) == 5
    assert {name: stage.of_key for name, stage in found.items() if stage.of_key} == {
        "same_size": found["sst2"].key
    }


def test_the_order_of_the_recipe_does_not_matter(tmp_path: Path) -> None:
    text = CONTROLS.read_text()
    line = "  same_size: {control: random, of: sst2}\n"
    assert text.count(line) == 1
    first = text.replace(line, "").replace("adapters:\n", f"adapters:\n{line}")
    (tmp_path / "other.yaml").write_text(first)
    ours, theirs = trainings(plan(CONTROLS)), trainings(plan(tmp_path / "other.yaml"))
    assert list(theirs) == ["sst2", "same_size", "shuffled", "mlm", "contrastive"]
    assert {n: s.key for n, s in ours.items()} == {n: s.key for n, s in theirs.items()}


def test_every_key_follows_the_settings_that_are_shared() -> None:
    before = trainings(plan(CONTROLS))
    after = trainings(plan(CONTROLS, overrides=["adapters.sst2.training.learning_rate=2e-3"]))
    assert all(before[name].key != after[name].key for name in KINDS)


def test_layers_decide_the_size_and_must_be_there() -> None:
    counted = {}
    for layers in ("all", "3-6", "[6]"):
        budget = estimate(plan(CONTROLS, overrides=[f"adapters.sst2.method.layers={layers}"]))
        assert budget is not None
        counted[layers] = budget.adapter_parameters["sst2"]
    assert counted["all"] == 6 * counted["[6]"]
    assert counted["3-6"] == 4 * counted["[6]"]
    with pytest.raises(RecipeError, match=r"method\.layers.*layer 7 is not there"):
        plan(CONTROLS, overrides=["adapters.sst2.method.layers=3-7"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("controls") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ADAPTSTILTS_DATA", raising=False)
        execute(plan(CONTROLS, overrides=SHORT), made)
    return made


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return read_run(folder)


def test_the_random_adapter_has_the_trained_one_s_size_on_every_module(folder: Path) -> None:
    kept = folder / "adapters"
    trained, drawn = (
        adapter_store.read_weights_file(kept / name) for name in ("sst2", "same_size")
    )
    assert trained.keys() == drawn.keys()
    modules = {name.partition(".lora_")[0] for name in trained}
    assert len(modules) == 4 * 2
    assert {int(name.split(".")[2]) for name in modules} == {2, 3, 4, 5}
    for module in modules:
        norms = [
            product_norm(one[f"{module}.lora_A.weight"], one[f"{module}.lora_B.weight"])
            for one in (trained, drawn)
        ]
        assert norms[0] > 0
        assert norms[1] == pytest.approx(norms[0], rel=1e-5)
        assert not torch.equal(trained[f"{module}.lora_A.weight"], drawn[f"{module}.lora_A.weight"])
    told = adapter_store.read_provenance(folder / "adapters" / "same_size").details
    assert (told["control"], told["of"]) == ("random", "sst2")
    assert "control" not in adapter_store.read_provenance(folder / "adapters" / "sst2").details


def test_the_record_says_what_each_control_is_and_scores(run: Run) -> None:
    found = run.record.adapters
    assert {name: adapter.control for name, adapter in found.items()} == KINDS
    assert {adapter.of for name, adapter in found.items() if name != "sst2"} == {"sst2"}
    assert {name: adapter.dev_metric for name, adapter in found.items()} == {
        "sst2": "accuracy",
        "same_size": "accuracy",
        "shuffled": "accuracy",
        "mlm": "masked_accuracy",
        "contrastive": "copy_accuracy",
    }
    tested = {name for name, adapter in found.items() if adapter.test_accuracy is not None}
    assert tested == {"sst2", "shuffled"}
    scored = {row.system for row in run.scores if row.protocol == "validation"}
    assert scored == tested
    drawn = found["same_size"]
    assert (drawn.steps, drawn.dev_accuracy, drawn.curve) == (0, None, [])
    assert drawn.parameters == found["sst2"].parameters
    for name in ("shuffled", "mlm", "contrastive"):
        assert found[name].steps == found["sst2"].steps == 6
        assert len(found[name].curve) == 2
    assert found["shuffled"].chosen_step == found["contrastive"].chosen_step == 6
    assert all(point.dev_loss is not None for point in found["mlm"].curve)
    assert found["mlm"].head_parameters == found["contrastive"].head_parameters == 0


@pytest.mark.parametrize(
    ("control", "step"),
    [(None, 2), ("english_mlm", 2), ("shuffled_labels", 6), ("english_contrastive", 6)],
)
def test_controls_whose_dev_score_says_nothing_keep_the_last_checkpoint(
    control: ControlKind | None, step: int
) -> None:
    points = [
        {"step": 2, "dev_accuracy": 1.0},
        {"step": 4, "dev_accuracy": 1.0},
        {"step": 6, "dev_accuracy": 0.9},
    ]
    stage = replace(trainings(plan(CONTROLS))["shuffled"], control=control)
    assert _chosen(stage, points)["step"] == step


def test_trained_controls_keep_snapshots_and_only_task_heads(folder: Path, run: Run) -> None:
    for name, stage in trainings(plan(CONTROLS, overrides=SHORT)).items():
        finished = stage_folder("train", stage.key)
        kept = [snapshot_folder(finished, share) for share in (0.5, 1.0)]
        assert [path.is_dir() for path in kept] == [name != "same_size"] * 2
        has_head = (folder / "adapters" / name / "head.safetensors").is_file()
        assert has_head == (name in {"sst2", "shuffled"})
        items = folder / "items" / f"sst2.{name}.json"
        assert items.is_file() == has_head
    assert {row.system for row in run.scores if row.trained_share is not None} == {"mlm"}


def test_the_report_does_not_call_a_control_training_on_the_task(folder: Path, run: Run) -> None:
    said = {found.system: found.statement for found in findings(run)}
    assert "training changes" in said["sst2"]
    controls = {"same_size", "shuffled", "mlm", "contrastive"}
    assert not controls & set(said), "they stand beside it, in a section of their own"
    (found,) = contrasts(run)
    assert {row.control for row in found.comparisons} == controls
    cells = {row["name"]: row for row in adapter_rows(run)}
    assert (cells["same_size"]["dev"], cells["same_size"]["test"]) == (number.ABSENT, number.ABSENT)
    assert cells["mlm"]["test"] == number.ABSENT
    assert cells["mlm"]["control"] == "english mlm of sst2"
    assert (folder / "report.html").stat().st_size > 10_000


def test_a_second_run_has_nothing_to_do(folder: Path, tmp_path: Path) -> None:
    record = execute(plan(CONTROLS, overrides=SHORT), tmp_path / "again")
    assert all(stage.is_cached for stage in record.stages)
    before = json.loads((folder / "record.json").read_text())["adapters"]
    assert json.loads((tmp_path / "again" / "record.json").read_text())["adapters"] == before


def test_a_collapsed_control_is_no_failed_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def collapsed(kind: str, key: str) -> Summary:
        summary = read_summary(kind, key)
        if summary.name not in {"sst2", "shuffled"} or kind != "train":
            return summary
        return replace(summary, details=summary.details | {"is_collapsed": True})

    monkeypatch.setattr(execution, "read_summary", collapsed)
    record = execute(plan(CONTROLS, overrides=SHORT), tmp_path / "run")
    about = [notice for notice in record.notices if notice.startswith("training of ")]
    assert "measures a failed training" in about[0]
    assert "it is a control of sst2 (shuffled_labels), not a failed training" in about[1]
    voided = {found.system for found in findings(read_run(tmp_path / "run")) if found.reservation}
    assert voided == {"sst2"}

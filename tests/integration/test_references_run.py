"""Whole runs with reference encoders: rows beside the systems, never effects, cached, named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from letters import vector
from sentence_models import write_sentence_transformer

from adaptstilts.data.bitext import bitext
from adaptstilts.data.pocket import Pocket
from adaptstilts.errors import DataError
from adaptstilts.experiment.execute import execute
from adaptstilts.experiment.plan import plan
from adaptstilts.experiment.stage import Refer
from adaptstilts.experiment.store import CACHE_VARIABLE
from adaptstilts.record import run as record_run
from adaptstilts.record.scores import REFERENCE, Score, read_effects, read_items, read_scores
from adaptstilts.task.target.tatoeba import TATOEBA

RECIPE = """
name: referred
base: {model: pocket}
systems: {base: none}
references:
  letters: {encoder: "letters:Letters"}
  prefixed: {encoder: "letters:Letters", prefix: "query: "}
  trained: {encoder: model}
measure:
  - tatoeba: {protocol: both, layer: 4, layers: [4, 6], languages: [de, tr]}
  - tatoeba: {protocol: xsim, layers: [6], languages: [de], metrics: all}
report: {baseline: base}
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder))
        patch.delenv("ADAPTSTILTS_DATA", raising=False)
        yield folder


@pytest.fixture(scope="module")
def recipe(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe, with a model in a folder beside it, by which it is named."""
    path = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    write_sentence_transformer(path.parent / "model")
    return path


@pytest.fixture(scope="module")
def finished(recipe: Path) -> Path:
    execute(plan(recipe), recipe.parent / "run")
    return recipe.parent / "run"


def references(folder: Path) -> list[Score]:
    return [row for row in read_scores(folder / "scores.parquet") if row.space == REFERENCE]


def plain_accuracy(language: str, prefix: str = "") -> float:
    """English queries over foreign candidates, by cosine, written out plainly."""
    texts = bitext(Pocket().read(TATOEBA.tables[language]), language)
    foreign, english = (
        np.array([vector(prefix + text) for text in side])
        for side in (texts.foreign, texts.english)
    )
    foreign, english = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (foreign, english))
    nearest = (english @ foreign.T).argmax(axis=1)
    return float(np.mean(nearest == np.arange(len(nearest))))


def test_rows_stand_beside_those_of_the_systems(finished: Path) -> None:
    rows = references(finished)
    assert {row.system for row in rows} == {"letters", "prefixed", "trained"}
    for row in rows:
        assert (row.seed, row.seeds, row.layer, row.chosen) == (None, 0, None, None)
        assert row.trained_share is None
        assert row.low <= row.value <= row.high
    own = [row for row in rows if row.protocol == "both" and row.metric == "accuracy"]
    for name in ("letters", "prefixed", "trained"):
        cells = {(row.language, row.direction) for row in own if row.system == name}
        directions = ("both", "en-xx", "xx-en")
        assert cells >= {(code, way) for code in ("de", "tr", "macro") for way in directions}


def test_figures_are_those_of_a_plain_search(finished: Path) -> None:
    found = {
        (row.system, row.language): row.value
        for row in references(finished)
        if (row.protocol, row.direction, row.metric) == ("both", "en-xx", "accuracy")
    }
    for language in ("de", "tr"):
        # A near tie may fall differently in float32: at most one sentence of 320.
        assert found["letters", language] == pytest.approx(plain_accuracy(language), abs=1.5 / 320)
        prefixed = plain_accuracy(language, "query: ")
        assert found["prefixed", language] == pytest.approx(prefixed, abs=1.5 / 320)
    assert found["letters", "macro"] == pytest.approx(
        (found["letters", "de"] + found["letters", "tr"]) / 2
    )


def test_the_same_encoder_finds_what_its_last_layer_finds(finished: Path) -> None:
    base = {
        (row.language, row.direction): row.value
        for row in read_scores(finished / "scores.parquet")
        if (row.system, row.protocol, row.metric) == ("base", "both", "accuracy") and row.layer == 6
    }
    for row in references(finished):
        if (row.system, row.protocol, row.metric) == ("trained", "both", "accuracy"):
            # The base is held in 8 bits and the reference in 32-bit floats.
            assert row.value == pytest.approx(base[row.language, row.direction], abs=0.05)
            assert row.value > 0.2


def test_all_metrics_where_they_are_asked_for(finished: Path) -> None:
    def metrics(protocol: str) -> set[str]:
        return {row.metric for row in references(finished) if row.protocol == protocol}

    assert metrics("both") == {"accuracy"}
    assert metrics("xsim") >= {"xsim_error", "accuracy", "mrr", "accuracy_csls", "cosine_gap"}


def test_they_are_no_treatment_and_no_items_of_the_base(finished: Path) -> None:
    assert read_effects(finished / "effects.parquet") == []
    assert {row.system for row in read_items(finished / "items" / "pocket.bitext.parquet")} == {
        "base"
    }


def test_the_record_says_which_encoders(finished: Path, recipe: Path) -> None:
    notices = record_run.read(finished / "record.json").notices
    told = [notice for notice in notices if notice.startswith("reference ")]
    assert len(told) == 3
    assert "letters:Letters" in told[0]
    assert "'query: '" in told[1]
    again = execute(plan(recipe), recipe.parent / "again")
    assert all(stage.is_cached for stage in again.stages)
    assert references(recipe.parent / "again") == references(finished)


def test_keys_follow_from_the_encoder_and_the_sentences(recipe: Path) -> None:
    def keys(*overrides: str) -> list[str]:
        stages = plan(recipe, overrides=overrides).stages
        return [stage.key for stage in stages if isinstance(stage, Refer)]

    same = keys()
    assert len(set(same)) == 6
    assert keys("base.quantization=none", "measure[0].tatoeba.layers=[4]") == same
    changed = keys("references.prefixed.prefix='passage: '")
    assert [one == other for one, other in zip(changed, same, strict=True)] == [
        *(True, False, True, True, False, True)
    ]
    assert len(keys("references={letters: {encoder: 'letters:Letters'}}")) == 2


def test_snapshots_of_a_training_are_not_joined(recipe: Path) -> None:
    overrides = [
        "adapters={sst2: {task: sst2, method: {kind: lora}, training: {steps: 4, evaluations: 2}}}",
        "systems.sst2=sst2",
        "measure[1].tatoeba={systems: [sst2], layer: 4, layers: [4], languages: [de], "
        "during: training, every: 50%, protocol: both}",
    ]
    stages = plan(recipe, overrides=overrides).stages
    scores = [stage for stage in stages if stage.kind == "score"]
    assert [len(getattr(stage, "references", ())) for stage in scores] == [3, 0]


def test_an_encoder_that_is_not_there_is_refused_before_anything_is_done(recipe: Path) -> None:
    with pytest.raises(DataError, match="no_such_module"):
        plan(recipe, overrides=["references.letters.encoder=no_such_module:Encoder"])
    with pytest.raises(DataError, match="needs its commit"):
        plan(recipe, overrides=["references.letters.encoder=sentence-transformers/LaBSE"])

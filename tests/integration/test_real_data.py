"""The whole flow on the real SST-2 and Tatoeba, where a mirror has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adaptstilts.base.identity import pocket_folder
from adaptstilts.experiment.execute import execute
from adaptstilts.experiment.plan import plan
from adaptstilts.record.scores import read_scores

pytestmark = pytest.mark.mirror

SMOKE = Path(__file__).resolve().parents[2] / "recipes" / "smoke" / "sst2_tatoeba.yaml"
LANGUAGE = "th"


def test_the_pocket_base_scores_on_real_tatoeba_what_its_card_says(
    mirror: Path, tmp_path: Path
) -> None:
    overrides = [f"measure.{index}.tatoeba.languages=[{LANGUAGE}]" for index in (0, 1)]
    planned = plan(SMOKE, overrides=overrides, mirror=mirror)
    record = execute(planned, tmp_path / "run")
    assert {row.source for row in record.data} == {"mirror"}
    assert {row.table for row in record.data} == {
        "sst2/train",
        "sst2/validation",
        f"tatoeba/{LANGUAGE}-en",
    }
    assert record.adapters["sst2"].test_n == 872
    scores = read_scores(tmp_path / "run" / "scores.parquet")
    assert {row.benchmark for row in scores} == {"sst2", "tatoeba"}
    found = [
        100 * row.value
        for row in scores
        if (row.system, row.language, row.direction) == ("base", LANGUAGE, "both")
    ]
    # Measured by another program, `pocket.evaluate`, in float32 from the same int8 file.
    card = json.loads((pocket_folder() / "card.json").read_text(encoding="utf-8"))
    assert found == pytest.approx(card["scores"]["tatoeba"]["languages"][LANGUAGE]["mean"], abs=0.3)

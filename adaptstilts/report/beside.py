"""What stands beside the headline: other encoders on the same sentences, and mined translations."""

from __future__ import annotations

from adaptstilts.record.scores import MACRO, REFERENCE, Score
from adaptstilts.report import number
from adaptstilts.report.load import Run
from adaptstilts.report.naming import dataset_name, language_name
from adaptstilts.report.section import effect_cell, score_cell
from adaptstilts.report.selection import fullest

MINED = "bucc2018/"
THRESHOLDS = {
    "oracle": "oracle: the threshold was chosen on the scored pairs",
    "held_out": "chosen on other pairs (held out)",
}


def references(run: Run) -> list[dict[str, str]]:
    """Other encoders by the headline's direction and metric, means over languages."""
    headline = run.record.headline
    if headline is None:
        return []
    kind = (headline.benchmark, headline.protocol, headline.direction, headline.metric)
    rows = [
        row
        for row in run.scores
        if row.space == REFERENCE
        and row.language == MACRO
        and (row.benchmark, row.protocol, row.direction, row.metric) == kind
    ]
    found = fullest(rows, lambda row: row.system)
    return [
        {
            "name": row.system,
            "value": (cell := score_cell(row)).value,
            "interval": cell.interval,
            "n": number.count(row.n),
        }
        for row in found.values()
    ]


def mined(run: Run) -> list[dict[str, str]]:
    """Mined translations: precision, recall and F1 of each system, language and set."""
    rows = fullest(
        (row for row in run.scores if row.benchmark.startswith(MINED)),
        lambda row: (row.benchmark, row.protocol, row.system, row.language, row.metric),
    )
    effects = fullest(
        (
            row
            for row in run.effects
            if row.benchmark.startswith(MINED) and row.baseline == run.baseline
        ),
        lambda row: (row.benchmark, row.protocol, row.system, row.language),
    )
    found = []
    for row in rows.values():
        if row.metric != "f1":
            continue
        cell = (row.benchmark, row.protocol, row.system, row.language)
        effect = effect_cell(effects.get(cell))
        f1 = score_cell(row)
        found.append(
            {
                "system": row.system,
                "set": f"{dataset_name(row.benchmark)}, {_language(row)}",
                "protocol": f"{row.protocol}, layer {row.layer}",
                "f1": f1.value,
                "f1_interval": f1.interval,
                "precision": score_cell(rows.get((*cell, "precision"))).value,
                "recall": score_cell(rows.get((*cell, "recall"))).value,
                "effect": "baseline" if row.system == run.baseline else effect.value,
                "effect_interval": effect.interval,
                "n": number.count(row.n),
                "threshold": THRESHOLDS.get(row.chosen or "", row.chosen or ""),
            }
        )
    return found


def _language(row: Score) -> str:
    return "all languages" if row.language == MACRO else language_name(row.language)

"""A run folder with made-up numbers, for the tests of the report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from adaptstilts.metric.interval import wilson
from adaptstilts.record import run as record_run
from adaptstilts.record.run import (
    AdapterRecord,
    BaseRecord,
    CurvePoint,
    DataRecord,
    GitRecord,
    GpuRecord,
    HardwareRecord,
    HeadlineRecord,
    RunRecord,
    StageRecord,
)
from adaptstilts.record.scores import AS_IS, Effect, Score, write_effects, write_scores

LANGUAGES = {"de": 1000, "fr": 999, "tr": 1000, "ka": 746, "sw": 390, "jv": 205}
FEWER = {"de": 1000, "fr": 999, "tr": 1000}
LAYERS = range(7)
HEADLINE_LAYER = 4
DIRECTIONS = ("en-xx", "xx-en", "both")
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

RECIPE = """\
name: {name}
description: Made-up numbers that test the report.
base: {{model: xlm-roberta-large, quantization: int8}}
systems:
  base: none
  {system}: sst2
  {system}_negated: {{scale: {{of: sst2, by: -1}}}}
report: {{baseline: base{margin}}}
"""


@dataclass(frozen=True)
class Sample:
    """What a sample run shall look like."""

    name: str = "sst2_tatoeba"
    system: str = "sst2"
    profile: Literal["full", "pocket"] = "full"
    status: Literal["running", "finished", "failed"] = "finished"
    error: str | None = None
    is_collapsed: bool = False
    effect: float = -0.031
    half_width: float = 0.005
    has_dynamics: bool = True
    margin: float | None = None
    benchmark: str = "tatoeba"
    task: str = "sst2"
    languages: dict[str, int] = field(default_factory=lambda: dict(LANGUAGES))


def write_sample(folder: Path, sample: Sample | None = None) -> Path:
    """Write a run folder of made-up, smooth and repeatable numbers."""
    sample = sample or Sample()
    folder.mkdir(parents=True, exist_ok=True)
    record_run.write(folder / "record.json", record(sample))
    margin = "" if sample.margin is None else f", margin: {sample.margin}"
    text = RECIPE.format(name=sample.name, system=sample.system, margin=margin)
    (folder / "recipe.resolved.yaml").write_text(text, encoding="utf-8")
    if sample.status == "finished":
        write_scores(folder / "scores.parquet", scores(sample))
        write_effects(folder / "effects.parquet", effects(sample))
    return folder


def record(sample: Sample) -> RunRecord:
    is_finished = sample.status == "finished"
    stand_in = sample.profile == "pocket"
    return RunRecord(
        name=sample.name,
        profile=sample.profile,
        profile_reason="asked for with --profile",
        status=sample.status,
        error=sample.error,
        started_at="2026-11-22T10:00:00Z",
        finished_at="2026-11-22T11:42:05Z" if is_finished else None,
        seconds=None if sample.status == "running" else 6125.4,
        command=["adaptstilts", "run", "recipes/sst2_tatoeba.yaml"],
        versions={"adaptstilts": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0"},
        git=GitRecord(commit="0123456789abcdef0123456789abcdef01234567", is_dirty=True),
        hardware=HardwareRecord(
            cpu="Example CPU 9000",
            cores=8,
            memory_bytes=32 * 2**30,
            gpu=GpuRecord(name="Example GPU", memory_bytes=12 * 2**30, compute_capability="8.6"),
            python="3.11.2",
            platform="Linux-6.1",
        ),
        seeds={"sst2": 1, "bootstrap": 0},
        base=BaseRecord(
            model="pocket" if stand_in else "xlm-roberta-large",
            revision=None if stand_in else "c23d21b0620b635a76227c604d44e43a9f0ee389",
            quantization="int8",
            compute="bf16",
            device="cuda",
            layers=6,
            hidden_size=64,
            parameters=1_234_567,
            pieces=250_002,
            kept_pieces=40_321,
            fingerprint="9f" * 16,
            bytes=456_789_012,
        ),
        data=[
            DataRecord(
                table="sst2/train",
                source="pocket" if stand_in else "mirror",
                location="sst2/train.jsonl.gz",
                revision=None,
                sha256="ab" * 32,
                n=67_349,
            ),
            DataRecord(
                table="tatoeba/de-en",
                source="hub",
                location="google/xtreme/tatoeba.deu",
                revision="ec5f1f46e9af79639a90684a7a70a956c4998f04",
                sha256="cd" * 32,
                n=1000,
            ),
        ],
        stages=[
            StageRecord(
                kind="train",
                name="sst2",
                key="12" * 16,
                is_cached=False,
                seconds=3725.0,
                peak_memory_bytes=5 * 2**30,
            ),
            StageRecord(
                kind="align",
                name="base",
                key="34" * 16,
                is_cached=True,
                seconds=0.4,
                peak_memory_bytes=None,
            ),
        ],
        adapters={"sst2": adapter(sample)},
        headline=HeadlineRecord(
            benchmark=sample.benchmark,
            protocol="both",
            layer=HEADLINE_LAYER,
            direction="both",
            metric="accuracy",
            why="the recipe names layer 4",
        ),
        notices=["compute: bf16, because the GPU has it", "device: cuda"],
        peak_memory_bytes=5 * 2**30,
    )


def adapter(sample: Sample) -> AdapterRecord:
    return AdapterRecord(
        task="sst2",
        method={
            "kind": "lora",
            "rank": 8,
            "alpha": 16.0,
            "dropout": 0.0,
            "targets": ["query", "value"],
        },
        parameters=786_432,
        seed=1,
        steps=1000,
        chosen_step=800,
        chosen_share=0.8,
        dev_accuracy=0.51 if sample.is_collapsed else 0.934,
        dev_n=1000,
        test_accuracy=444 / 872 if sample.is_collapsed else 809 / 872,
        test_n=872,
        head_parameters=1_051_650,
        curve=[
            CurvePoint(step=200 * i, share=0.2 * i, loss=0.7 / i, dev_accuracy=0.9 + 0.01 * i)
            for i in range(1, 6)
        ],
        is_collapsed=sample.is_collapsed,
    )


def level(layer: int, language: str) -> float:
    """A made-up accuracy of the base: highest in the middle layers, higher for large languages."""
    return round(
        0.72 - 0.035 * (layer - 3.6) ** 2 + 0.0001 * LANGUAGES.get(language, 700) - 0.06, 4
    )


def shift(sample: Sample, layer: int, language: str) -> float:
    """A made-up effect: none at the embeddings, the sample's at the headline layer on average."""
    places = sorted(sample.languages)
    spread = (places.index(language) - (len(places) - 1) / 2) * 0.006 if language in places else 0
    return round((sample.effect + spread) * layer / HEADLINE_LAYER, 4)


def scores(sample: Sample) -> list[Score]:
    rows = []
    systems = {"base": 0.0, sample.system: 1.0, f"{sample.system}_negated": -0.2}
    for system, factor in systems.items():
        rows += _grid(sample, system, factor, None, sample.languages)
    if sample.has_dynamics:
        for share in SHARES:
            rows += _grid(sample, sample.system, share, share, FEWER)
    right = 444 if sample.is_collapsed else 809
    low, high = wilson(right, 872)
    rows.append(
        Score(
            system=sample.system,
            seed=1,
            seeds=1,
            benchmark=sample.task,
            protocol="validation",
            language="en",
            direction=None,
            space=None,
            layer=None,
            chosen=None,
            metric="accuracy",
            value=right / 872,
            n=872,
            low=low,
            high=high,
            trained_share=None,
        )
    )
    return rows


def effects(sample: Sample) -> list[Effect]:
    rows = scores(sample)
    base = {
        (row.language, row.layer, row.direction, row.n): row.value
        for row in rows
        if row.system == "base"
    }
    found = []
    for row in rows:
        if row.system == "base" or row.layer is None or row.trained_share is not None:
            continue
        value = row.value - base[row.language, row.layer, row.direction, row.n]
        width = sample.half_width * (1 if row.language == "macro" else 3)
        moved = replace(row, value=value, low=value - width, high=value + width)
        found.append(
            Effect(
                **vars(moved),
                baseline="base",
                low90=value - 0.84 * width,
                high90=value + 0.84 * width,
                detectable=1.43 * width,
                p=None,
                p_holm=None,
                h=None,
            )
        )
    return found


def _grid(
    sample: Sample, system: str, factor: float, share: float | None, languages: dict[str, int]
) -> list[Score]:
    """Rows for all languages, layers and directions, and their macro rows."""
    rows = []
    for direction in DIRECTIONS:
        tilt = {"en-xx": 0.004, "xx-en": -0.004, "both": 0.0}[direction]
        for layer in LAYERS:
            values = {
                language: level(layer, language) + factor * shift(sample, layer, language) + tilt
                for language in languages
            }
            common: dict[str, Any] = {
                "system": system,
                "seed": None if system == "base" else 1,
                "seeds": 0 if system == "base" else 1,
                "space": AS_IS,
                "chosen": None,
                "benchmark": sample.benchmark,
                "protocol": "both",
                "direction": direction,
                "layer": layer,
                "metric": "accuracy",
                "trained_share": share,
            }
            for language, value in values.items():
                n = languages[language]
                low, high = wilson(round(value * n), n)
                rows.append(
                    Score(**common, language=language, value=value, n=n, low=low, high=high)
                )
            mean = sum(values.values()) / len(values)
            rows.append(
                Score(
                    **common,
                    language="macro",
                    value=mean,
                    n=sum(languages.values()),
                    low=mean - 0.012,
                    high=mean + 0.012,
                )
            )
    return rows

"""Planning a measurement by mining: which sets there are, and the stages that it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from adaptstilts.alignment.mining_protocol import MINING_PROTOCOLS, MiningProtocol, mining_layer
from adaptstilts.data.source import MIRROR_VARIABLE, Source
from adaptstilts.errors import DataError
from adaptstilts.experiment.key import stage_key
from adaptstilts.experiment.stage import Align, Corpora, Located, Mine, ScoreMined, Split
from adaptstilts.recipe.bucc import Bucc
from adaptstilts.record.provenance import versions
from adaptstilts.task.declaration import MiningTables
from adaptstilts.task.registry import MINING_BENCHMARKS

BENCHMARK = "bucc2018"


def mined(
    section: Bucc,
    *,
    sources: Sequence[Source],
    depth: int,
    systems: Callable[[int], Sequence[Align]],
    baseline: str,
    contrasts: tuple[tuple[str, str], ...],
) -> ScoreMined:
    """The stage that scores one measurement, with the minings that it needs.

    Args:
        section: What is measured.
        sources: Where tables are looked for, in order.
        depth: The base's number of layers.
        systems: Gives each system with each of its seeds, as it would be encoded at a layer.
        baseline: The system that the others are compared with.
        contrasts: Pairs of systems, the second a control of the first.

    Raises:
        DataError: Sets are missing; tells which, and what can be run without them.
        LookupError: The protocol has no layer for this base, or the layer is not there.
    """
    protocol = MINING_PROTOCOLS[section.protocol]
    layer, why = mining_layer(protocol, asked=section.layer, layers=depth)
    changed = _changed(protocol, section)
    corpora = located(section, protocol, sources)
    mines = tuple(
        Mine(
            name=one.name,
            key=stage_key(
                "mine",
                {
                    # Base, adapters and layer, as for an encoding of no sentences.
                    "encoding": one.key,
                    "protocol": [
                        *(changed.pooling, changed.max_length, changed.k, changed.margin),
                        *(changed.retrieval, changed.repeats),
                    ],
                    # numpy and faiss find the same, bit for bit.
                    "search": None
                    if section.search != "faiss_approximate"
                    else versions(["faiss-cpu"]),
                    "corpora": {
                        table.name: table.identity
                        for splits in corpora.values()
                        for one_set in splits.values()
                        for table in one_set.tables
                    },
                },
            ),
            system=one.system,
            seed=one.seed,
            updates=one.updates,
            protocol=changed,
            layer=layer,
            search=section.search,
            corpora=corpora,
        )
        for one in systems(layer)
    )
    baselines = tuple(one for one in mines if one.system == baseline)
    split = _splits(protocol)[-1]
    oracle = "the threshold is the best on the scored pairs themselves"
    return ScoreMined(
        name=f"bucc {changed.name}",
        key=stage_key(
            "score_mined",
            {
                "contrasts": contrasts,
                "mines": [(one.key, one.system, one.seed) for one in mines],
                "baseline": baseline,
                "baselines": [one.key for one in baselines],
                "protocol": changed.name,
                "split": split,
                "layer": layer,
            },
        ),
        benchmark=f"{BENCHMARK}/{split}",
        protocol=changed,
        layer=layer,
        why=f"{why}; {oracle if protocol.is_oracle else 'the threshold was chosen on the dev set'}",
        mines=mines,
        contrasts=contrasts,
        baselines=baselines,
    )


def located(
    section: Bucc, protocol: MiningProtocol, sources: Sequence[Source]
) -> dict[str, dict[Split, Corpora]]:
    """The sets that a protocol needs, in the languages that are asked for.

    Args:
        section: What is measured.
        protocol: Decides which sets are needed.
        sources: Where tables are looked for, in order.

    Raises:
        DataError: Sets are missing; tells which, and what can be run without them.
    """
    sets = MINING_BENCHMARKS[BENCHMARK].sets
    languages = sorted(sets) if section.languages == "all" else sorted(section.languages)
    found: dict[str, dict[Split, Corpora]] = {}
    missing: dict[str, list[Split]] = {}
    for language in languages:
        for split in _splits(protocol):
            tables = sets[language][split]
            source = next((one for one in sources if _has(one, tables)), None)
            if source is None:
                missing.setdefault(language, []).append(split)
                continue
            found.setdefault(language, {})[split] = Corpora(
                Located(tables.foreign, source),
                Located(tables.english, source),
                Located(tables.gold, source),
            )
    if missing:
        raise DataError(_missing_words(missing, protocol, sources))
    return found


def _missing_words(
    missing: Mapping[str, Sequence[Split]], protocol: MiningProtocol, sources: Sequence[Source]
) -> str:
    """What is missing, where it was looked for, and what can be run without it."""
    sets = MINING_BENCHMARKS[BENCHMARK].sets
    lines = [f"BUCC 2018 cannot be mined by protocol {protocol.name}: sets are missing"]
    mirror = next((source for source in sources if source.name == "mirror"), None)
    for language, splits in missing.items():
        for split in splits:
            tables = sets[language][split]
            lacking = next(one for one in _tables(tables) if mirror is None or not mirror.has(one))
            place = "no mirror is named" if mirror is None else mirror.where(lacking)
            lines.append(f"  {BENCHMARK}/{language}-en/{split}: {place}")
    lines.append(
        "Neither the hub nor the bundled data have BUCC's sentences (the hub has its gold pairs "
        f"alone, and these cannot be mined). What to do: put the files into a mirror (--data DIR "
        f"or ${MIRROR_VARIABLE}), each set as <language>.jsonl.gz, en.jsonl.gz and gold.jsonl.gz"
    )
    here = {
        split: [
            language
            for language in sorted(sets)
            if any(_has(source, sets[language][split]) for source in sources)
        ]
        for split in get_args(Split)
    }
    needed = _splits(protocol)
    complete = [one for one in here["dev"] if all(one in here[split] for split in needed)]
    if complete:
        lines[-1] += f"; or write `languages: [{', '.join(complete)}]`, which are there"
    elif here["dev"] and not protocol.is_oracle:
        lines[-1] += (
            f"; or take `protocol: jiant`, which needs the dev set alone and can run on "
            f"`languages: [{', '.join(here['dev'])}]`: its threshold is the best on the scored "
            "pairs themselves, an oracle's, and the report says so"
        )
    lines[-1] += "."
    return "\n".join(lines)


def _changed(protocol: MiningProtocol, section: Bucc) -> MiningProtocol:
    """The protocol as the section changes it, under a name that says so."""
    parts = [protocol.name]
    if section.margin != protocol.margin:
        parts.append(section.margin)
    if section.search == "faiss_approximate":
        parts.append("approximate")
    return replace(protocol, name="-".join(parts), margin=section.margin)


def _splits(protocol: MiningProtocol) -> tuple[Split, ...]:
    """The sets that a protocol needs; the last is scored."""
    return ("dev",) if protocol.is_oracle else ("dev", "test")


def _tables(tables: MiningTables) -> tuple[Any, ...]:
    """The three tables of a set."""
    return tables.foreign, tables.english, tables.gold


def _has(source: Source, tables: MiningTables) -> bool:
    """Whether a source has a whole set."""
    return all(source.has(table) for table in _tables(tables))

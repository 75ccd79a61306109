from __future__ import annotations

import pytest

from adaptstilts.data.pocket import Pocket
from adaptstilts.task import registry
from adaptstilts.task.declaration import Table
from adaptstilts.task.intermediate.sst2 import SST2
from adaptstilts.task.languages import LANGUAGE_SETS, LANGUAGES
from adaptstilts.task.registry import UnknownName
from adaptstilts.task.target.bucc2018 import BUCC2018
from adaptstilts.task.target.tatoeba import TATOEBA


def all_tables() -> list[Table]:
    tables = [table for task in registry.TASKS.values() for table in (task.train, task.test)]
    tables += [t for b in registry.BENCHMARKS.values() for t in b.tables.values()]
    mined = [s for b in registry.MINING_BENCHMARKS.values() for s in b.sets.values()]
    sets = [one for splits in mined for one in splits.values()]
    return tables + [table for one in sets for table in (one.foreign, one.english, one.gold)]


def test_names_lead_to_declarations() -> None:
    assert registry.task("sst2") is SST2
    assert registry.benchmark("tatoeba") is TATOEBA
    assert registry.mining_benchmark("bucc2018") is BUCC2018
    assert all(name == task.name for name, task in registry.TASKS.items())
    assert all(name == benchmark.name for name, benchmark in registry.BENCHMARKS.items())


def test_two_declarations_of_one_name_are_a_bug() -> None:
    with pytest.raises(RuntimeError, match="'sst2': this is a bug"):
        registry._by_name([SST2, SST2])


def test_tables_have_names_of_their_own_and_pinned_revisions() -> None:
    tables = all_tables()
    for places in (
        [table.name for table in tables],
        [table.mirror for table in tables],
        [table.pocket for table in tables if table.pocket],
        [table.hub for table in tables if table.hub],
    ):
        assert len(set(places)) == len(places)
    for table in tables:
        assert table.columns
        assert not table.mirror.endswith((".gz", ".jsonl"))
        if table.hub:
            assert len(table.hub.revision) == 40
            int(table.hub.revision, 16)


def test_every_declared_stand_in_is_bundled() -> None:
    declared = [table for table in all_tables() if table.pocket]
    assert [table.name for table in declared if not Pocket().has(table)] == []


def test_sst2() -> None:
    assert SST2.train.columns == ("sentence", "label") == (*SST2.text_columns, SST2.label_column)
    assert SST2.labels == ("negative", "positive")
    assert SST2.test.mirror == "sst2/validation"
    assert SST2.train.mirror == "sst2/train"
    assert SST2.train.pocket == "sentiment/en/train"
    assert SST2.test.hub
    assert SST2.test.hub.split == "validation"
    assert SST2.dev_rows > 0


def test_tatoeba() -> None:
    german = TATOEBA.tables["de"]
    assert german.name == "tatoeba/de-en"
    assert german.mirror == "tatoeba/tatoeba.deu-eng"
    assert german.pocket == "bitext/de-en"
    assert german.hub
    assert german.hub.config == "tatoeba.deu"
    assert set(TATOEBA.tables) == set(LANGUAGES)
    on_hub = {code for code, table in TATOEBA.tables.items() if table.hub}
    in_pocket = {code for code, table in TATOEBA.tables.items() if table.pocket}
    assert on_hub == set(LANGUAGE_SETS["xtreme36"])
    assert in_pocket == set(LANGUAGE_SETS["pocket"])


def test_bucc2018() -> None:
    assert set(BUCC2018.sets) == {"de", "fr", "ru", "zh"} <= set(LANGUAGES)
    for language, sets in BUCC2018.sets.items():
        assert set(sets) == {"dev", "test"}
        for split, tables in sets.items():
            assert tables.foreign.name == f"bucc2018/{language}-en/{split}/{language}"
            assert tables.english.name == f"bucc2018/{language}-en/{split}/en"
            assert tables.gold.name == f"bucc2018/{language}-en/{split}/gold"
            assert tables.foreign.columns == tables.english.columns == ("id", "text")
            assert tables.gold.columns == ("source_id", "target_id")
            # The hub has the gold pairs alone, and the bundled data have no comparable corpora.
            every = (tables.foreign, tables.english, tables.gold)
            assert not any(table.hub or table.pocket for table in every)
    assert BUCC2018.sets["zh"]["dev"].foreign.mirror == "bucc2018/zh-en/zh"


def test_languages_resolve_sets_and_codes_in_order() -> None:
    assert registry.languages("xtreme36") == list(LANGUAGE_SETS["xtreme36"])
    assert registry.languages("de") == ["de"]
    assert registry.languages(["fr", "de", "fr"]) == ["fr", "de"]
    assert registry.languages(["zh", "pocket"])[:2] == ["zh", "de"]
    assert len(registry.languages(["pocket", "tatoeba112"])) == 112
    assert registry.languages([]) == []


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("deu", "de"),
        ("DE", "de"),
        ("German", "de"),
        ("germn", "de"),
        ("xtreme-36", "xtreme36"),
        ("cmn", "zh"),
    ],
)
def test_an_unknown_language_suggests_what_was_meant(name: str, suggestion: str) -> None:
    with pytest.raises(UnknownName) as caught:
        registry.languages(["fr", name])
    assert caught.value.suggestions[0] == suggestion
    assert (caught.value.name, caught.value.kind) == (name, "language")
    assert str(caught.value).startswith(f"no language is named {name!r}; did you mean ")
    assert repr(suggestion) in str(caught.value)


def test_unknown_tasks_and_benchmarks() -> None:
    with pytest.raises(UnknownName, match="no task is named 'SST-2'; did you mean 'sst2'"):
        registry.task("SST-2")
    with pytest.raises(LookupError, match="no benchmark is named 'tatoba'; did you mean 'tatoeba'"):
        registry.benchmark("tatoba")
    with pytest.raises(UnknownName, match="no mining benchmark is named 'bucc'; did you mean"):
        registry.mining_benchmark("bucc")
    with pytest.raises(UnknownName, match=r"no task is named 'zzzzzz'$") as caught:
        registry.task("zzzzzz")
    assert caught.value.suggestions == ()

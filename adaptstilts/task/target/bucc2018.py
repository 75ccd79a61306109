"""BUCC 2018: translations hidden among the sentences of comparable corpora, four languages."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, Literal

from adaptstilts.task.declaration import MiningBenchmark, MiningTables, Table

# The sets by XTREME's names: `dev` is the shared task's sample set and `test` its training set,
# for the gold pairs of its own test set were never published (google-research/xtreme issue #13).
_FOLDERS: Final[dict[Literal["dev", "test"], str]] = {"dev": "{pair}", "test": "{pair}.test"}
_TEXT_COLUMNS = ("id", "text")
_GOLD_COLUMNS = ("source_id", "target_id")  # the foreign sentence first, then the English one


def _table(pair: str, split: Literal["dev", "test"], part: str, columns: tuple[str, ...]) -> Table:
    return Table(
        name=f"bucc2018/{pair}/{split}/{part}",
        columns=columns,
        mirror=f"bucc2018/{_FOLDERS[split].format(pair=pair)}/{part}",
        # Neither `google/xtreme` (`bucc18.<language>`) nor MTEB's `BUCC.v2` has the corpora: both
        # keep the gold pairs alone, aligned, and with nothing to reject there is nothing to mine.
        hub=None,
        pocket=None,
    )


def _tables(language: str, split: Literal["dev", "test"]) -> MiningTables:
    pair = f"{language}-en"
    return MiningTables(
        foreign=_table(pair, split, language, _TEXT_COLUMNS),
        english=_table(pair, split, "en", _TEXT_COLUMNS),
        gold=_table(pair, split, "gold", _GOLD_COLUMNS),
    )


BUCC2018: Final = MiningBenchmark(
    name="bucc2018",
    sets=MappingProxyType(
        {
            language: MappingProxyType({split: _tables(language, split) for split in _FOLDERS})
            for language in ("de", "fr", "ru", "zh")
        }
    ),
    licence="terms of the shared task; none stated with the data",
    homepage="https://comparable.limsi.fr/bucc2018/bucc2018-task.html",
    citation="Zweigenbaum, Sharoff and Rapp 2018, Overview of the Third BUCC Shared Task: Spotting "
    "Parallel Sentences in Comparable Corpora (BUCC workshop at LREC)",
)

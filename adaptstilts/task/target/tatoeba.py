"""Tatoeba: up to 1,000 sentences with their English translations in each of 112 languages."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from adaptstilts.task.declaration import Benchmark, HubAddress, Table
from adaptstilts.task.languages import LANGUAGE_SETS, LANGUAGES, Language

_REVISION = "ec5f1f46e9af79639a90684a7a70a956c4998f04"
_COLUMNS = ("source_sentence", "target_sentence")  # the foreign side first, then English


def _table(language: Language) -> Table:
    is_on_hub = language.code in LANGUAGE_SETS["xtreme36"]
    is_in_pocket = language.code in LANGUAGE_SETS["pocket"]
    return Table(
        name=f"tatoeba/{language.code}-en",
        columns=_COLUMNS,
        mirror=f"tatoeba/tatoeba.{language.iso3}-eng",
        hub=HubAddress("google/xtreme", _REVISION, f"tatoeba.{language.iso3}", "validation")
        if is_on_hub
        else None,
        pocket=f"bitext/{language.code}-en" if is_in_pocket else None,
    )


TATOEBA: Final = Benchmark(
    name="tatoeba",
    tables=MappingProxyType({code: _table(language) for code, language in LANGUAGES.items()}),
    licence="CC BY 2.0 FR (the sentences, as Tatoeba states)",
    homepage="https://github.com/facebookresearch/LASER/tree/main/data/tatoeba/v1",
    citation="Artetxe and Schwenk 2019, Massively Multilingual Sentence Embeddings for Zero-Shot "
    "Cross-Lingual Transfer and Beyond (TACL); 36 languages of XTREME, Hu et al. 2020 (ICML)",
)

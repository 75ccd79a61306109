from __future__ import annotations

import pytest

from adaptstilts.task.languages import LANGUAGE_SETS, LANGUAGES

# google-research/xtreme evaluate.py, XTREME_TASK2LANGS["tatoeba"], in its order.
XTREME = (
    "ar,he,vi,id,jv,tl,eu,ml,ta,te,af,nl,de,el,bn,hi,mr,ur,fa,fr,it,pt,es,bg,ru,ja,ka,ko,th,sw,"
    "zh,kk,tr,et,fi,hu"
)

# The 36 as XTREME maps them, and the others by ISO 639.
CODES = (
    "afr af ara ar ben bn bul bg cmn zh deu de ell el est et eus eu fin fi fra fr heb he hin hi "
    "hun hu ind id ita it jav jv jpn ja kat ka kaz kk kor ko mal ml mar mr nld nl pes fa por pt "
    "rus ru spa es swh sw tam ta tel te tgl tl tha th tur tr urd ur vie vi "
    "aze az lit lt pol pl ron ro ukr uk lvs lv zsm ms cor kw cha ch nob nb nno nn sqi sq gle ga"
)


def test_there_are_112_and_each_is_keyed_by_its_code() -> None:
    assert len(LANGUAGES) == 112
    assert all(code == language.code for code, language in LANGUAGES.items())
    assert list(LANGUAGES) == sorted(LANGUAGES)
    assert len({language.iso3 for language in LANGUAGES.values()}) == 112
    assert len({language.name for language in LANGUAGES.values()}) == 112


def test_codes_and_scripts_have_their_form() -> None:
    for language in LANGUAGES.values():
        assert language.code == language.iso3 or len(language.code) == 2
        assert len(language.iso3) == 3
        assert len(language.script) == 4
        assert language.script == language.script.title()


def test_codes_are_those_of_xtreme() -> None:
    words = CODES.split()
    by_iso3 = {language.iso3: language.code for language in LANGUAGES.values()}
    for iso3, code in zip(words[::2], words[1::2], strict=True):
        assert by_iso3[iso3] == code


def test_named_sets() -> None:
    assert set(LANGUAGE_SETS["xtreme36"]) == set(XTREME.split(","))
    added = set(LANGUAGE_SETS["xtreme41"]) - set(LANGUAGE_SETS["xtreme36"])
    assert added == {"az", "lt", "pl", "ro", "uk"}
    sizes = {name: len(codes) for name, codes in LANGUAGE_SETS.items()}
    assert sizes == {"xtreme36": 36, "xtreme41": 41, "tatoeba112": 112, "pocket": 20}
    for codes in LANGUAGE_SETS.values():
        assert len(set(codes)) == len(codes)
        assert set(codes) <= set(LANGUAGES)
    assert not set(LANGUAGE_SETS) & set(LANGUAGES)


def test_the_tables_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        LANGUAGES["xx"] = LANGUAGES["de"]  # type: ignore[index]
    with pytest.raises(TypeError):
        LANGUAGE_SETS["mine"] = ("de",)  # type: ignore[index]

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptstilts.task.languages import LANGUAGE_SETS, LANGUAGES
from adaptstilts.task.strata import FAMILIES, GIB, seen_by_xlmr, size_class, strata


def test_every_language_has_one_family() -> None:
    assert set(FAMILIES) == set(LANGUAGES)


def test_the_languages_of_the_benchmarks_are_in_the_pretraining() -> None:
    # XTREME chose its languages among those of multilingual BERT and XLM-R.
    for name in ("xtreme36", "xtreme41", "pocket"):
        assert all(map(seen_by_xlmr, LANGUAGE_SETS[name]))
    assert set(GIB) <= set(LANGUAGES)
    assert not any(map(seen_by_xlmr, ("ang", "yue", "tzl", "nn", "tt")))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("jv", "under 1 GiB"),
        ("sw", "1 to 10 GiB"),
        ("ka", "1 to 10 GiB"),
        ("ta", "10 to 50 GiB"),
        ("pt", "10 to 50 GiB"),
        ("es", "over 50 GiB"),
        ("ru", "over 50 GiB"),
        ("kab", None),
    ],
)
def test_sizes(code: str, expected: str | None) -> None:
    assert size_class(code) == expected


def test_groups_of_xtreme() -> None:
    found = strata(LANGUAGE_SETS["xtreme36"])
    assert found["script=Arab"] == ("ar", "fa", "ur")
    assert found["family=Uralic"] == ("et", "fi", "hu")
    assert found["family=Dravidian"] == ("ml", "ta", "te")
    assert len(found["size=over 50 GiB"]) == 14
    # Of one language each: Greek, Javanese's size.
    assert "family=Greek" not in found
    assert "size=under 1 GiB" not in found
    kinds = [name.split("=")[0] for name in found]
    assert kinds == sorted(kinds, key=["script", "family", "size"].index)
    assert "pretraining=seen" not in found, "XLM-R has seen them all"


@given(st.lists(st.sampled_from(sorted(LANGUAGES)), max_size=30))
def test_groups_are_parts_of_what_was_given(codes: list[str]) -> None:
    distinct = list(dict.fromkeys(codes))
    found = strata(codes)
    for group in found.values():
        assert 2 <= len(group) < len(distinct)
        assert list(group) == [code for code in distinct if code in group]
    for kind in ("script", "family", "size", "pretraining"):
        members = [c for name, group in found.items() if name.startswith(kind) for c in group]
        assert len(members) == len(set(members)), "a language is in one group of a kind"
    for name, group in found.items():
        if name.startswith("script="):
            assert {LANGUAGES[code].script for code in group} == {name.removeprefix("script=")}


def test_languages_that_xlmr_has_not_seen_are_a_group() -> None:
    found = strata(["de", "fr", "kab", "war"])
    assert found["size=not in pretraining"] == ("kab", "war")
    assert found["size=over 50 GiB"] == found["pretraining=seen"] == ("de", "fr")
    assert "script=Latn" not in found  # all of them


def test_a_code_that_is_not_known_is_refused() -> None:
    for function in (seen_by_xlmr, size_class, lambda code: strata([code])):
        with pytest.raises(ValueError, match="'xx' is not a language"):
            function("xx")

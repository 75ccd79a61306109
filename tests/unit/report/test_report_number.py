from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptstilts.report import number


@pytest.mark.parametrize(
    ("value", "said"),
    [(-0.0312, "−3.1"), (0.0312, "+3.1"), (0.0, "0.0"), (-0.0004, "0.0"), (0.0004, "0.0")],
)
def test_points_have_a_true_minus_and_zero_has_no_sign(value: float, said: str) -> None:
    assert number.points(value) == said


def test_percent_has_one_decimal() -> None:
    assert number.percent(0.71349) == "71.3 %"
    assert number.bare_percent(1.0) == "100.0"
    assert number.percent_interval(0.7, 0.7249) == "70.0–72.5"


def test_an_interval_off_zero_never_reads_as_one_that_touches_it() -> None:
    assert number.points_interval(-0.05, -0.0003) == "−5.00 to −0.03"
    assert number.points_interval(-0.05, 0.0003) == "−5.0 to 0.0"


@given(st.floats(0.00002, 1), st.floats(0, 1), st.booleans())
def test_the_sign_of_an_interval_is_visible(nearer: float, width: float, is_negative: bool) -> None:
    ends = (-nearer - width, -nearer) if is_negative else (nearer, nearer + width)
    said = number.points_interval(*ends)
    assert all(part[0] == ("−" if is_negative else "+") for part in said.split(" to "))


def test_no_interval_is_written_as_nothing() -> None:
    assert number.percent_interval(math.nan, math.nan) == ""
    assert number.points_interval(math.nan, 0.1) == ""


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.44, "0.4 s"),
        (59.9, "59.9 s"),
        (59.99, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_duration(seconds: float, said: str) -> None:
    assert number.duration(seconds) == said


def test_size_and_counts() -> None:
    assert number.size(None) == "—"
    assert number.size(512) == "512 B"
    assert number.size(5 * 2**30) == "5.0 GiB"
    assert number.counted(1, "language") == "1 language"
    assert number.counted(19548, "sentence pair") == "19,548 sentence pairs"


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (0.01, "1 point"),
        (-0.01, "1 point"),
        (0.005, "0.5 points"),
        (0.0141, "1.4 points"),
        (0.12, "12 points"),
    ],
)
def test_a_size_has_its_unit_and_no_sign(difference: float, text: str) -> None:
    assert number.sized(difference) == text


@pytest.mark.parametrize(
    ("value", "plain", "signed"),
    [
        (0.0421, "0.042", "+0.042"),
        (-0.0421, "−0.042", "−0.042"),
        (-0.0001, "0.000", "0.000"),
        (0.0, "0.000", "0.000"),
        (math.nan, "—", "—"),
    ],
)
def test_numbers_that_are_no_shares(value: float, plain: str, signed: str) -> None:
    assert number.plain(value) == plain
    assert number.signed(value) == signed


@pytest.mark.parametrize(
    ("p", "text"), [(None, "—"), (math.nan, "—"), (0.0, "< 0.001"), (0.0324, "0.032"), (1, "1.000")]
)
def test_p_values(p: float | None, text: str) -> None:
    assert number.chance(p) == text


@pytest.mark.parametrize(
    ("names", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists_in_a_sentence(names: list[str], text: str) -> None:
    assert number.listed(names) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.701, 0.724, "70.1–72.4"),
        (-0.002, 0.005, "−0.2 to 0.5"),
        (-0.03, -0.01, "−3.0 to −1.0"),
        (-0.0001, 0.01, "0.0–1.0"),
        (math.nan, 0.5, ""),
    ],
)
def test_intervals_of_shares(low: float, high: float, text: str) -> None:
    assert number.percent_interval(low, high) == text

"""Which layer is chosen by what, and the columns that scores are made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from results import LANGUAGES, LAYERS, found

from adaptstilts.alignment.columns import (
    ALL_METRICS,
    Chosen,
    Column,
    best_layer,
    choose,
    is_binary,
    tabulate,
)
from adaptstilts.alignment.protocol import PROTOCOLS
from adaptstilts.alignment.retrieval import outcomes

CODES = ("de", "fr", "jv", "sw")
CURVES = arrays.arrays(
    np.float64, (4, 5), elements=st.integers(0, 10).map(lambda tenths: tenths / 10)
)
DEEP = (0, 3, 6, 9, 12)


def test_the_best_layer_is_the_highest_candidate_and_of_equals_the_lowest() -> None:
    values = np.array([0.9, 0.5, 0.7, 0.7, 0.1])
    assert best_layer(values, DEEP, DEEP) == 0
    assert best_layer(values, DEEP, (3, 6, 9)) == 6
    assert best_layer(values, DEEP, (9, 6)) == 6
    assert best_layer(values, DEEP, (12,)) == 12
    assert best_layer(np.zeros(5), DEEP, (12, 9)) == 9


@given(values=arrays.arrays(np.float64, 5, elements=st.floats(-1, 1)))
def test_no_candidate_beats_the_best_layer(values: np.ndarray) -> None:
    best = values[DEEP.index(best_layer(values, DEEP, DEEP[1:]))]
    assert best == values[1:].max()


@pytest.mark.parametrize("on", ["held_out", "oracle"])
@given(means=CURVES)
def test_one_layer_for_all_by_the_mean_over_languages(on: str, means: np.ndarray) -> None:
    found = choose(on, CODES, means, DEEP, DEEP)
    macro = [sum(row[place] for row in means) / 4 for place in range(5)]
    assert found.on == on
    assert set(found.layers) == set(CODES)
    assert found.layer is not None
    assert macro[DEEP.index(found.layer)] == pytest.approx(max(macro))


def test_held_out_means_may_be_of_other_languages() -> None:
    means = np.array([[0.1, 0.2, 0.3, 0.9, 0.4]])
    assert choose("held_out", CODES, means, DEEP, DEEP).layers == dict.fromkeys(CODES, 9)


@given(means=CURVES, replaced=CURVES, place=st.integers(0, 3))
def test_a_language_s_own_hits_never_choose_its_layer(
    means: np.ndarray, replaced: np.ndarray, place: int
) -> None:
    other = means.copy()
    other[place] = replaced[place]
    before = choose("leave_languages_out", CODES, means, DEEP, DEEP).layers
    after = choose("leave_languages_out", CODES, other, DEEP, DEEP).layers
    assert before[CODES[place]] == after[CODES[place]]


@given(own=arrays.arrays(np.float64, 5, elements=st.floats(0, 1)), others=st.floats(0, 1))
def test_not_even_by_rounding(own: np.ndarray, others: float) -> None:
    # All others are equal at every layer, so that the last bit of a sum would decide.
    means = np.vstack([own, np.full((3, 5), others)])
    assert choose("leave_languages_out", CODES, means, DEEP, DEEP).layers["de"] == DEEP[0]


@given(means=CURVES)
def test_a_language_s_layer_is_the_best_of_all_others(means: np.ndarray) -> None:
    layers = choose("leave_languages_out", CODES, means, DEEP, DEEP[1:]).layers
    for place, code in enumerate(CODES):
        others = [np.mean(np.delete(means, place, axis=0)[:, one]) for one in range(5)]
        assert layers[code] in DEEP[1:]
        assert others[DEEP.index(layers[code])] == pytest.approx(max(others[1:]))


def test_a_single_language_leaves_none_to_choose_by() -> None:
    with pytest.raises(ValueError, match="two or more"):
        choose("leave_languages_out", ["de"], np.zeros((1, 5)), DEEP, DEEP)


def test_the_layer_of_all_languages_is_told_only_where_they_have_the_same() -> None:
    assert Chosen("oracle", {"de": 3, "fr": 3}).layer == 3
    assert Chosen("leave_languages_out", {"de": 3, "fr": 6}).layer is None


@pytest.mark.parametrize("name", [*PROTOCOLS])
def test_columns_of_given_layers_are_the_outcomes(name: str) -> None:
    protocol, results = PROTOCOLS[name], found(seed=1, skill=0.5)
    columns, hits = tabulate(results, protocol, None)
    assert columns == [
        Column(direction, "as_is", layer, None, metric, is_own=True)
        for direction in protocol.directions
        for metric in protocol.metrics
        for layer in LAYERS
    ]
    for one, table in zip(results, hits, strict=True):
        assert table.shape == (one.retrieval.items, len(columns))
        for place, column in enumerate(columns):
            expected = outcomes(one.retrieval, column.direction, column.metric)
            assert np.array_equal(table[:, place], expected[:, LAYERS.index(column.layer)])


@settings(deadline=None, max_examples=20)
@given(layers=st.tuples(*[st.sampled_from(LAYERS)] * 3), name=st.sampled_from([*PROTOCOLS]))
def test_a_chosen_column_is_each_language_s_own_layer(layers: tuple[int, ...], name: str) -> None:
    protocol, results = PROTOCOLS[name], found(seed=1, skill=0.5)
    chosen = Chosen("leave_languages_out", dict(zip(LANGUAGES, layers, strict=True)))
    columns, hits = tabulate(results, protocol, chosen)
    places = [place for place, column in enumerate(columns) if column.chosen is not None]
    assert [(columns[place].direction, columns[place].metric) for place in places] == [
        (direction, metric) for direction in protocol.directions for metric in protocol.metrics
    ]
    for place in places:
        assert columns[place].chosen == "leave_languages_out"
        assert columns[place].layer == (layers[0] if len(set(layers)) == 1 else None)
        for one, layer, table in zip(results, layers, hits, strict=True):
            same = [
                number
                for number, column in enumerate(columns)
                if column.chosen is None
                and column.layer == layer
                and (column.direction, column.metric)
                == (columns[place].direction, columns[place].metric)
            ]
            assert one.retrieval.items == len(table)
            assert np.array_equal(table[:, place], table[:, same[0]])


def test_more_metrics_and_spaces_have_no_chosen_layer_and_are_not_the_protocol_s_own() -> None:
    results = found(seed=1, skill=0.5, spaces=["centred"], everything=True)
    chosen = Chosen("oracle", dict.fromkeys(LANGUAGES, 4))
    columns, _ = tabulate(results, PROTOCOLS["mteb"], chosen, everything=True)
    more = [column for column in columns if not column.is_own]
    assert {column.chosen for column in more} == {None}
    assert {column.direction for column in more} == {"xx-en"}
    named = [(column.space, column.metric) for column in more]
    assert named[:: len(LAYERS)] == [
        *(("as_is", metric) for metric in ALL_METRICS if metric != "accuracy"),
        ("centred", "accuracy"),
    ]


def test_what_is_binary_is_0_or_1_for_every_item() -> None:
    results = found(seed=1, skill=0.5, spaces=["centred"], everything=True)
    for protocol in PROTOCOLS.values():
        columns, hits = tabulate(results, protocol, None, everything=True)
        every = np.concatenate(hits)
        for place, column in enumerate(columns):
            assert is_binary(column) == bool(np.isin(every[:, place], (0, 1)).all()), column

"""From what systems found to tidy scores and paired effects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptstilts.alignment.protocol import PROTOCOLS
from adaptstilts.alignment.retrieval import Retrieval
from adaptstilts.alignment.score import Measured, effects, scores
from adaptstilts.metric.interval import wilson
from adaptstilts.record.scores import MACRO

LANGUAGES = {"de": 30, "fr": 50, "jv": 7}
LAYERS = (0, 4)


def retrieval(language: str, items: int, *, seed: int, skill: float) -> Retrieval:
    draw = np.random.default_rng([seed, items])

    def found() -> dict[str, np.ndarray]:
        directions = {}
        for direction in ("en-xx", "xx-en"):
            wrong = draw.integers(0, items, size=(len(LAYERS), items))
            is_right = draw.random((len(LAYERS), items)) < skill
            rows = np.where(is_right, np.arange(items), wrong)
            directions[direction] = rows.astype(np.int32)
        return directions

    return Retrieval(language, LAYERS, found(), margin=found())


def measured(system: str, *, seed: int, skill: float, share: float | None = None) -> Measured:
    return Measured(
        system,
        seed,
        share,
        [retrieval(language, n, seed=seed, skill=skill) for language, n in LANGUAGES.items()],
    )


CLUSTERS = [np.arange(n) for n in LANGUAGES.values()]
BASE, SST2 = measured("base", seed=1, skill=0.4), measured("sst2", seed=2, skill=0.6)


def hits(one: Measured, language: str, direction: str, layer: int) -> np.ndarray:
    (found,) = (r for r in one.retrievals if r.language == language)
    row = found.found[direction][LAYERS.index(layer)]
    return row == np.arange(len(row))


@pytest.mark.parametrize("name", [*PROTOCOLS])
def test_every_cell_is_there_once(name: str) -> None:
    protocol = PROTOCOLS[name]
    rows = scores(SST2, CLUSTERS, benchmark="tatoeba", protocol=protocol)
    cells = [(r.direction, r.metric, r.language, r.layer) for r in rows]
    assert sorted(set(cells)) == sorted(cells)
    assert set(cells) == {
        (direction, metric, language, layer)
        for direction in protocol.directions
        for metric in protocol.metrics
        for language in [*LANGUAGES, MACRO]
        for layer in LAYERS
    }
    assert {(r.system, r.seed, r.benchmark, r.protocol) for r in rows} == {
        ("sst2", 2, "tatoeba", name)
    }


@pytest.mark.parametrize("name", [*PROTOCOLS])
def test_macro_is_the_mean_over_languages_and_n_the_number_of_pairs(name: str) -> None:
    rows = scores(SST2, CLUSTERS, benchmark="tatoeba", protocol=PROTOCOLS[name])
    for row in rows:
        of_languages = [
            other
            for other in rows
            if other.language != MACRO
            and (other.direction, other.metric, other.layer)
            == (row.direction, row.metric, row.layer)
        ]
        if row.language == MACRO:
            assert row.value == pytest.approx(np.mean([other.value for other in of_languages]))
            assert row.n == sum(LANGUAGES.values())
        else:
            assert row.n == LANGUAGES[row.language]
        assert 0 <= row.low <= row.value <= row.high <= 1


def test_values_and_wilson_intervals_are_those_of_the_hits() -> None:
    for row in scores(SST2, CLUSTERS, benchmark="tatoeba", protocol=PROTOCOLS["xtreme"]):
        if row.language != MACRO:
            right = hits(SST2, row.language, "en-xx", row.layer)
            assert row.value == pytest.approx(right.mean())
            low, high = wilson(int(right.sum()), len(right))
            assert (row.low, row.high) == pytest.approx((low, high))


def test_xsim_counts_errors_by_margin_with_wilson_intervals() -> None:
    rows = scores(SST2, CLUSTERS, benchmark="tatoeba", protocol=PROTOCOLS["xsim"])
    assert {(row.direction, row.metric) for row in rows} == {("xx-en", "xsim_error")}
    for row in rows:
        if row.language != MACRO:
            (one,) = (r for r in SST2.retrievals if r.language == row.language)
            picked = one.margin["xx-en"][LAYERS.index(row.layer)]
            wrong = int((picked != np.arange(one.items)).sum())
            assert row.value == pytest.approx(wrong / one.items)
            assert (row.low, row.high) == pytest.approx(wilson(wrong, one.items))


def test_both_is_the_mean_of_its_directions() -> None:
    rows = scores(SST2, CLUSTERS, benchmark="tatoeba", protocol=PROTOCOLS["both"])
    values = {(r.direction, r.language, r.layer): r.value for r in rows}
    for language in [*LANGUAGES, MACRO]:
        for layer in LAYERS:
            one, other = (values[d, language, layer] for d in ("en-xx", "xx-en"))
            assert values["both", language, layer] == pytest.approx((one + other) / 2)


@pytest.mark.parametrize("name", [*PROTOCOLS])
def test_an_effect_is_the_difference_of_two_scores(name: str) -> None:
    protocol = PROTOCOLS[name]
    ours, theirs = (
        {
            (r.direction, r.metric, r.language, r.layer): r
            for r in scores(one, CLUSTERS, benchmark="tatoeba", protocol=protocol)
        }
        for one in (SST2, BASE)
    )
    rows = effects(SST2, BASE, CLUSTERS, benchmark="tatoeba", protocol=protocol)
    assert len(rows) == len(ours)
    for row in rows:
        cell = (row.direction, row.metric, row.language, row.layer)
        assert row.value == pytest.approx(ours[cell].value - theirs[cell].value, abs=1e-6)
        assert row.low <= row.value <= row.high
        assert row.n == ours[cell].n
        assert (row.system, row.seed, row.baseline) == ("sst2", 2, "base")


def test_a_paired_interval_is_narrower_than_two_unpaired_ones() -> None:
    # The same hits but for one sentence: the systems differ by little, and surely.
    other = Measured("near", 2, None, [_nudged(found) for found in SST2.retrievals])
    (row,) = (
        r
        for r in effects(other, SST2, CLUSTERS, benchmark="tatoeba", protocol=PROTOCOLS["xtreme"])
        if r.language == "fr" and r.layer == 4
    )
    (score,) = (
        r
        for r in scores(SST2, CLUSTERS, benchmark="tatoeba", protocol=PROTOCOLS["xtreme"])
        if r.language == "fr" and r.layer == 4
    )
    assert row.high - row.low < 0.5 * (score.high - score.low)


def _nudged(found: Retrieval) -> Retrieval:
    rows = {direction: array.copy() for direction, array in found.found.items()}
    for array in rows.values():
        array[:, 0] = np.where(array[:, 0] == 0, 1, 0)
    return Retrieval(found.language, found.layers, rows)


def test_an_effect_on_oneself_is_nothing() -> None:
    for row in effects(BASE, BASE, CLUSTERS, benchmark="tatoeba", protocol=PROTOCOLS["both"]):
        assert (row.value, row.low, row.high) == (0.0, 0.0, 0.0)


def test_seed_and_share_are_carried_along() -> None:
    snapshot = measured("sst2", seed=3, skill=0.5, share=0.3)
    for rows in (
        scores(snapshot, CLUSTERS, benchmark="pocket/bitext", protocol=PROTOCOLS["xtreme"]),
        effects(snapshot, BASE, CLUSTERS, benchmark="pocket/bitext", protocol=PROTOCOLS["xtreme"]),
    ):
        assert {(r.seed, r.trained_share, r.benchmark) for r in rows} == {(3, 0.3, "pocket/bitext")}


@pytest.mark.parametrize("change", ["language", "layers", "items", "order"])
def test_unequal_sentences_are_refused(change: str) -> None:
    rest = list(BASE.retrievals)
    if change == "language":
        rest[0] = Retrieval("nl", LAYERS, rest[0].found)
    elif change == "layers":
        rest[0] = Retrieval("de", (0, 5), rest[0].found)
    elif change == "items":
        rest[0] = retrieval("de", 29, seed=1, skill=0.4)
    else:
        rest.reverse()
    with pytest.raises(ValueError, match="sst2 and base were not measured on the same sentences"):
        effects(
            SST2,
            Measured("base", None, None, rest),
            CLUSTERS,
            benchmark="tatoeba",
            protocol=PROTOCOLS["xtreme"],
        )


@given(seed=st.integers(0, 99), skill=st.floats(0, 1))
@settings(deadline=None, max_examples=8)
def test_intervals_hold_their_values(seed: int, skill: float) -> None:
    one = measured("one", seed=seed, skill=skill)
    for protocol in (PROTOCOLS["mteb"], PROTOCOLS["xtreme"]):
        for row in scores(one, CLUSTERS, benchmark="tatoeba", protocol=protocol):
            assert row.low <= row.value + 1e-9
            assert row.value <= row.high + 1e-9

"""From what systems found to tidy scores and paired effects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from results import (
    CLUSTERS,
    GROUPS,
    LANGUAGES,
    LAYERS,
    hits,
    measured,
    retrieval,
    table,
)
from scipy import stats

from adaptstilts.alignment.columns import ALL_METRICS, Chosen, Found
from adaptstilts.alignment.protocol import PROTOCOLS
from adaptstilts.alignment.retrieval import Retrieval
from adaptstilts.alignment.score import Measured, effects, scores
from adaptstilts.metric.interval import wilson
from adaptstilts.metric.significance import discordance, mcnemar
from adaptstilts.metric.summary import summarize
from adaptstilts.record.scores import MACRO, MICRO, Effect, Score, is_language

MEANS = [MACRO, MICRO]
BASE = measured("base", [None], skill=0.4, draw=1)
SST2 = measured("sst2", [2], skill=0.6)
SEEDED = measured("sst2", [1, 2, 3], skill=0.6, draw=2)


def cell(row: Score | Effect) -> tuple[object, ...]:
    return row.direction, row.metric, row.language, row.space, row.layer, row.chosen, row.seed


@pytest.mark.parametrize("name", [*PROTOCOLS])
def test_every_cell_is_there_once(name: str) -> None:
    protocol = PROTOCOLS[name]
    rows = scores(SST2, table(name, groups=GROUPS))
    cells = [(r.direction, r.metric, r.language, r.layer) for r in rows]
    assert len(set(cells)) == len(cells)
    assert set(cells) == {
        (direction, metric, language, layer)
        for direction in protocol.directions
        for metric in protocol.metrics
        for language in [*LANGUAGES, *MEANS, *GROUPS]
        for layer in LAYERS
    }
    assert {(r.system, r.seed, r.seeds, r.benchmark, r.protocol) for r in rows} == {
        ("sst2", 2, 1, "tatoeba", name)
    }
    assert {(r.space, r.chosen) for r in rows} == {("as_is", None)}


@pytest.mark.parametrize("name", [*PROTOCOLS])
def test_means_are_those_of_languages_or_items_and_n_the_number_of_pairs(name: str) -> None:
    rows = scores(SST2, table(name, groups=GROUPS))
    of_language = {cell(row): row.value for row in rows if is_language(row.language)}
    members = {MACRO: tuple(LANGUAGES), MICRO: tuple(LANGUAGES), **GROUPS}
    for row in rows:
        assert 0 <= row.low <= row.value <= row.high <= 1
        names = members.get(row.language, (row.language,))
        sizes = [LANGUAGES[language] for language in names]
        values = [of_language[cell(replace(row, language=language))] for language in names]
        assert row.n == sum(sizes)
        weights = sizes if row.language == MICRO else None
        assert row.value == pytest.approx(np.average(values, weights=weights))


def test_values_and_wilson_intervals_are_those_of_the_hits() -> None:
    for row in scores(SST2, table()):
        if is_language(row.language):
            right = hits(SST2, row.language, "en-xx", row.layer)
            assert row.value == pytest.approx(right.mean())
            low, high = wilson(int(right.sum()), len(right))
            assert (row.low, row.high) == pytest.approx((low, high))


def test_xsim_counts_errors_by_margin_with_wilson_intervals() -> None:
    rows = scores(SST2, table("xsim"))
    assert {(row.direction, row.metric) for row in rows} == {("xx-en", "xsim_error")}
    for row in rows:
        if is_language(row.language):
            (one,) = (f.retrieval for f in SST2.found[0] if f.retrieval.language == row.language)
            picked = one.margin["xx-en"][LAYERS.index(row.layer)]
            wrong = int((picked != np.arange(one.items)).sum())
            assert row.value == pytest.approx(wrong / one.items)
            assert (row.low, row.high) == pytest.approx(wilson(wrong, one.items))


def test_both_is_the_mean_of_its_directions() -> None:
    rows = scores(SST2, table("both"))
    values = {(r.direction, r.language, r.layer): r.value for r in rows}
    for language in [*LANGUAGES, MACRO]:
        for layer in LAYERS:
            one, other = (values[d, language, layer] for d in ("en-xx", "xx-en"))
            assert values["both", language, layer] == pytest.approx((one + other) / 2)


def test_all_metrics_and_spaces_are_rows_of_languages_and_their_macro_mean() -> None:
    one = measured("sst2", [2], everything=True, spaces=["centred", "averaged"])
    assert {row.metric for row in scores(one, table("both"))} == {"accuracy"}  # unless asked for
    rows = scores(one, table("both", groups=GROUPS, everything=True))
    more = [row for row in rows if row.metric != "accuracy"]
    assert {row.metric for row in more} == set(ALL_METRICS) - {"accuracy"}
    assert {row.direction for row in more} == {"both"}
    in_spaces = [row for row in rows if row.space != "as_is"]
    assert {row.space for row in in_spaces} == {"centred", "averaged"}
    assert {(row.direction, row.metric) for row in in_spaces} == {("both", "accuracy")}
    for row in [*more, *in_spaces]:
        assert is_language(row.language) or row.language == MACRO
    (of_germany,) = (f for f in one.found[0] if f.retrieval.language == "de")
    found = {(r.space, r.metric): r.value for r in rows if (r.language, r.layer) == ("de", 4)}
    layer = LAYERS.index(4)
    assert found["as_is", "cosine_gap"] == pytest.approx(of_germany.retrieval.gap[layer].mean())
    for space in ("centred", "averaged"):
        there = of_germany.spaces[space].found
        right = [(there[way][layer] == np.arange(30)).mean() for way in ("en-xx", "xx-en")]
        assert found[space, "accuracy"] == pytest.approx(np.mean(right))


def test_each_seed_has_rows_and_so_has_their_mean() -> None:
    rows = scores(SEEDED, table(groups=GROUPS))
    assert [row.seed for row in rows[:: len(rows) // 4]] == [1, 2, 3, None]
    by_seed = {cell(row): row for row in rows if row.seed is not None}
    pooled = [row for row in rows if row.seed is None]
    assert len(by_seed) == 3 * len(pooled)
    for row in pooled:
        each = [by_seed[cell(replace(row, seed=seed))] for seed in (1, 2, 3)]
        assert row.seeds == 3
        assert [one.seeds for one in each] == [1, 1, 1]
        assert row.value == pytest.approx(np.mean([one.value for one in each]))
        assert {one.n for one in each} == {row.n}
        assert row.low <= row.value <= row.high
    # Each seed's rows are those of that seed alone.
    alone = Measured("sst2", (2,), None, [SEEDED.found[1]])
    assert scores(alone, table(groups=GROUPS)) == [row for row in rows if row.seed == 2]


def test_the_bare_base_has_no_seeds() -> None:
    assert {(row.seed, row.seeds) for row in scores(BASE, table())} == {(None, 0)}


@pytest.mark.parametrize("name", [*PROTOCOLS])
@pytest.mark.parametrize("system", [SST2, SEEDED], ids=["one seed", "three seeds"])
def test_an_effect_is_the_difference_of_two_scores(name: str, system: Measured) -> None:
    how = table(name, groups=GROUPS)
    ours = {cell(row): row for row in scores(system, how)}
    theirs = {cell(row): row for row in scores(BASE, how)}
    rows = effects(system, BASE, how)
    assert [cell(row) for row in rows] == list(ours)
    for row in rows:
        base = theirs[cell(replace(row, seed=None))]
        assert row.value == pytest.approx(ours[cell(row)].value - base.value, abs=1e-6)
        assert row.low <= row.low90 <= row.value <= row.high90 <= row.high
        assert row.n == ours[cell(row)].n
        assert row.seeds == ours[cell(row)].seeds
        assert (row.system, row.baseline) == ("sst2", "base")
        if row.metric in ("accuracy", "xsim_error"):
            angles = [2 * np.arcsin(np.sqrt(one.value)) for one in (ours[cell(row)], base)]
            assert row.h == pytest.approx(angles[0] - angles[1], abs=1e-6)
        else:
            assert row.h is None


def test_intervals_of_effects_are_those_of_paired_differences() -> None:
    rows = effects(SEEDED, BASE, table(groups=GROUPS))
    differences = [
        [
            np.stack(
                [
                    hits(SEEDED, language, "en-xx", layer, run=run).astype(float)
                    - hits(BASE, language, "en-xx", layer)
                    for layer in LAYERS
                ],
                axis=1,
            )
            for language in LANGUAGES
        ]
        for run in range(3)
    ]
    places = {"script=Latn": [0, 2], "family=Indo-European": [0, 1]}
    for seeds, runs in (((1,), [0]), ((3,), [2]), ((), [0, 1, 2])):
        expected = summarize([differences[run] for run in runs], CLUSTERS, groups=places)
        for row in rows:
            if row.seed == (seeds[0] if seeds else None) and not is_language(row.language):
                layer = LAYERS.index(row.layer)
                found = (row.value, row.low, row.high, row.low90, row.high90)
                assert found == pytest.approx([end[layer] for end in expected[row.language][:5]])
                error = expected[row.language].error[layer]
                if row.seed is not None:
                    units = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
                    assert row.detectable == pytest.approx(units * error)
                else:
                    # The test whose interval the row gives finds it four times in five.
                    half = (row.high - row.low) / 2
                    freedom = expected[row.language].freedom[layer]
                    assert row.detectable > half
                    power = stats.nct.sf(half / error, freedom, row.detectable / error)
                    assert power == pytest.approx(0.8, abs=1e-4)


def test_a_seed_is_compared_with_the_same_seed() -> None:
    control = measured("control", [1, 2, 3], skill=0.4, draw=5)
    rows = effects(SEEDED, control, table())
    levels = {
        (row.system, row.language, row.layer, row.seed): row.value
        for one in (SEEDED, control)
        for row in scores(one, table())
    }
    assert {row.seed for row in rows} == {1, 2, 3, None}
    for row in rows:
        place = (row.language, row.layer, row.seed)
        expected = levels["sst2", *place] - levels["control", *place]
        assert row.value == pytest.approx(expected, abs=1e-6)
    # In another order of the seeds the same seeds meet.
    turned = Measured("control", (3, 1, 2), None, [control.found[i] for i in (2, 0, 1)])
    assert effects(SEEDED, turned, table()) == rows


def test_the_bare_base_is_compared_with_every_seed_of_a_trained_baseline() -> None:
    forth = {cell(row): row for row in effects(SEEDED, BASE, table())}
    back = effects(BASE, SEEDED, table())
    assert {row.seed for row in back} == {1, 2, 3, None}
    for row in back:
        other = forth[cell(row)]
        assert (row.seeds, row.value) == pytest.approx((other.seeds, -other.value))
        assert (row.low, row.high) == pytest.approx((-other.high, -other.low), abs=1e-6)


def test_the_sign_test_is_mcnemar_where_items_are_right_or_wrong_and_holm_is_over_languages() -> (
    None
):
    rows = effects(SST2, BASE, table(groups=GROUPS))
    for layer in LAYERS:
        expected = {
            language: mcnemar(
                discordance(
                    hits(SST2, language, "en-xx", layer)[:, None],
                    hits(BASE, language, "en-xx", layer)[:, None],
                )
            )[0]
            for language in LANGUAGES
        }
        found = {row.language: row for row in rows if row.layer == layer}
        assert {language: found[language].p for language in LANGUAGES} == pytest.approx(expected)
        # Holm: the smallest times 3, the next times 2, never falling.
        ordered = sorted(expected, key=expected.__getitem__)
        least = 0.0
        for rank, language in enumerate(ordered):
            least = max(least, min(1.0, (3 - rank) * expected[language]))
            assert found[language].p_holm == pytest.approx(least)
        for name in (*MEANS, *GROUPS):
            assert (found[name].p, found[name].p_holm) == (None, None)


def test_the_sign_test_of_both_directions_counts_items_that_gained_and_lost() -> None:
    (row,) = (
        row
        for row in effects(SST2, BASE, table("both"))
        if (row.direction, row.language, row.layer) == ("both", "fr", 4)
    )
    ours, theirs = (
        sum(hits(one, "fr", direction, 4).astype(int) for direction in ("en-xx", "xx-en"))
        for one in (SST2, BASE)
    )
    gained, lost = int((ours > theirs).sum()), int((ours < theirs).sum())
    assert row.p == pytest.approx(stats.binomtest(gained, gained + lost).pvalue)


def test_several_seeds_and_other_metrics_have_no_sign_test() -> None:
    of_seeds = [row for row in effects(SEEDED, BASE, table()) if row.seed is None]
    of_f1 = [row for row in effects(SST2, BASE, table("mteb")) if row.metric == "f1"]
    for row in (*of_seeds, *of_f1):
        assert (row.p, row.p_holm) == (None, None)


def test_chosen_layers_are_rows_of_their_own() -> None:
    layers = {"de": 0, "fr": 4, "jv": 4}
    how = table(groups=GROUPS, chosen=Chosen("leave_languages_out", layers))
    rows = scores(SEEDED, how)
    given = {cell(row): row for row in rows if row.chosen is None}
    chosen = [row for row in rows if row.chosen is not None]
    assert {(row.chosen, row.layer) for row in chosen} == {("leave_languages_out", None)}
    assert len(chosen) == 4 * len([*LANGUAGES, *MEANS, *GROUPS])
    for row in chosen:
        if is_language(row.language):
            there = given[cell(replace(row, layer=layers[row.language], chosen=None))]
            assert (row.value, row.low, row.high) == (there.value, there.low, there.high)
    of_seed = {row.language: row.value for row in chosen if row.seed == 2}
    assert of_seed[MACRO] == pytest.approx(np.mean([of_seed[code] for code in LANGUAGES]))
    differences = [row for row in effects(SEEDED, BASE, how) if row.chosen is not None]
    assert len(differences) == len(chosen)


def test_a_paired_interval_is_narrower_than_two_unpaired_ones() -> None:
    # The same hits but for one sentence: the systems differ by little, and surely.
    near = [Found(_nudged(one.retrieval), {}) for one in SST2.found[0]]
    (row,) = (
        r
        for r in effects(Measured("near", (2,), None, [near]), SST2, table())
        if r.language == "fr" and r.layer == 4
    )
    (score,) = (r for r in scores(SST2, table()) if r.language == "fr" and r.layer == 4)
    assert row.high - row.low < 0.5 * (score.high - score.low)


def _nudged(found: Retrieval) -> Retrieval:
    rows = {direction: array.copy() for direction, array in found.found.items()}
    for array in rows.values():
        array[:, 0] = np.where(array[:, 0] == 0, 1, 0)
    return Retrieval(found.language, found.layers, rows)


def test_an_effect_on_oneself_is_nothing() -> None:
    for row in effects(SEEDED, SEEDED, table("both", groups=GROUPS)):
        assert (row.value, row.low, row.high, row.low90, row.high90) == (0.0,) * 5
        assert (row.detectable, row.h) == (0.0, 0.0)
        assert row.p in (1.0, None)


def test_seed_and_share_are_carried_along() -> None:
    snapshot = measured("sst2", [3], share=0.3)
    how = table(benchmark="pocket/bitext")
    for rows in (scores(snapshot, how), effects(snapshot, BASE, how)):
        assert {(r.seed, r.trained_share, r.benchmark) for r in rows} == {(3, 0.3, "pocket/bitext")}


@pytest.mark.parametrize("change", ["language", "layers", "items", "order"])
def test_unequal_sentences_are_refused(change: str) -> None:
    rest = list(BASE.found[0])
    if change == "language":
        rest[0] = Found(Retrieval("nl", LAYERS, rest[0].retrieval.found), {})
    elif change == "layers":
        rest[0] = Found(Retrieval("de", (0, 5), rest[0].retrieval.found), {})
    elif change == "items":
        rest[0] = Found(retrieval("de", 29, seed=1, skill=0.4), {})
    else:
        rest.reverse()
    with pytest.raises(ValueError, match="sst2 and base were not measured on the same sentences"):
        effects(SST2, Measured("base", (None,), None, [rest]), table())


@given(seed=st.integers(0, 99), skill=st.floats(0, 1), seeds=st.integers(1, 3))
@settings(deadline=None, max_examples=8)
def test_intervals_hold_their_values(seed: int, skill: float, seeds: int) -> None:
    one = measured("one", range(seeds), draw=seed, skill=skill)
    for protocol in ("mteb", "xtreme"):
        for row in scores(one, table(protocol)):
            assert row.low <= row.value + 1e-9
            assert row.value <= row.high + 1e-9

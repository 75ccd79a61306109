"""Which sentence finds which: directions, outcomes, and conformance to the published scripts."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from builders import DEEP, add_adapter, padded, tiny_base, token_ids
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import accuracy_score, f1_score

from adaptstilts.alignment.corpus import MAX_LENGTH, corpus
from adaptstilts.alignment.encode import TOKENS_PER_BATCH, System, encode, encode_systems
from adaptstilts.alignment.neighbours import neighbours
from adaptstilts.alignment.protocol import PROTOCOLS, headline_layer
from adaptstilts.alignment.retrieval import Retrieval, outcomes, retrieve
from adaptstilts.base.hidden_states import pooled_states
from adaptstilts.base.identity import identify
from adaptstilts.base.load import Base, load_tokenizer
from adaptstilts.composition.activate import active
from adaptstilts.data.bitext import Bitext
from adaptstilts.errors import AdapterError

ITEMS = 40
FOREIGN_IDS = token_ids(ITEMS, seed=1, longest=20)
# "Translations" share some pieces with their sentence, so that some are found and some are not.
ENGLISH_IDS = [
    [0, *text[1:-1][: max(1, len(text) - 4)], *extra[1:-1][:3], 2]
    for text, extra in zip(FOREIGN_IDS, token_ids(ITEMS, seed=2), strict=True)
]


def found_by_us(base: Base, layers: list[int]) -> Retrieval:
    sentences = [*ENGLISH_IDS, *FOREIGN_IDS]
    vectors = np.zeros((len(layers), len(sentences), base.shape.width), dtype=np.float32)
    assert list(encode(base, sentences, layers=layers, vectors=vectors))[-1] == len(sentences)
    return retrieve(
        vectors,
        language="de",
        layers=layers,
        foreign=range(ITEMS, 2 * ITEMS),
        english=range(ITEMS),
    )


def xtreme_predictions(base: Base, *, num_layers: int, specific_layer: int) -> np.ndarray:
    """XTREME's Tatoeba script, rewritten from its text: extract, pool, normalise, search by L2.

    `all_layer_outputs[-num_layers:][specific_layer]`, mean over the attention mask; the index holds
    the source (foreign) side and the target (English) side asks.
    """
    sides = []
    for side in (FOREIGN_IDS, ENGLISH_IDS):
        embeddings = np.zeros((ITEMS, base.shape.width), dtype=np.float32)
        for start in range(0, ITEMS, 16):
            input_ids, mask = padded(side[start : start + 16])
            with torch.no_grad():
                all_layer_outputs = base.model(
                    input_ids=input_ids,
                    attention_mask=mask,
                    token_type_ids=torch.zeros_like(input_ids),
                    output_hidden_states=True,
                ).hidden_states
            embeds = all_layer_outputs[-num_layers:][specific_layer]
            pooled = (embeds * mask.unsqueeze(2).float()).sum(dim=1)
            pooled = pooled / mask.sum(dim=1).view(-1, 1).float()
            embeddings[start : start + 16] = pooled.numpy()
        sides.append(embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True))
    x, y = sides
    distances = ((y[:, None, :].astype(np.float64) - x[None, :, :]) ** 2).sum(axis=2)
    return distances.argmin(axis=1)


@pytest.fixture(scope="module")
def deep() -> Base:
    return tiny_base("none", shape=DEEP)


@pytest.mark.parametrize("name", ["xtreme", "jiant"])
def test_conforms_to_the_xtreme_script(deep: Base, name: str) -> None:
    protocol = PROTOCOLS[name]
    layer, _ = headline_layer(protocol, asked=None, layers=24)
    # scripts/run_tatoeba.sh: NLAYER=24, LAYER=13.
    expected = xtreme_predictions(deep, num_layers=24, specific_layer=13)
    found = found_by_us(deep, [layer])
    assert np.array_equal(found.found["en-xx"][0], expected)
    accuracy = float(np.mean(expected == np.arange(ITEMS)))
    assert 0.1 < accuracy < 0.99, "an easy or a hopeless example would show nothing"
    hits = outcomes(found, protocol.directions[0], protocol.metrics[0])
    assert hits.mean() == pytest.approx(accuracy)


def test_neighbouring_layers_and_the_other_direction_differ(deep: Base) -> None:
    expected = xtreme_predictions(deep, num_layers=24, specific_layer=13)
    found = found_by_us(deep, [13, 14, 15])
    assert not np.array_equal(found.found["en-xx"][0], expected)
    assert np.array_equal(found.found["en-xx"][1], expected)
    assert not np.array_equal(found.found["en-xx"][2], expected)
    assert not np.array_equal(found.found["xx-en"][1], expected)


def test_hidden_state_14_is_the_script_s_layer_13(deep: Base) -> None:
    input_ids, mask = padded(FOREIGN_IDS)
    with torch.no_grad():
        states = deep.model(
            input_ids=input_ids, attention_mask=mask, output_hidden_states=True
        ).hidden_states
    assert len(states) == 25
    assert states[-24:][13] is states[14]
    ours = pooled_states(deep.model, input_ids, mask, [14])[0]
    theirs = (states[14] * mask.unsqueeze(2)).sum(dim=1) / mask.sum(dim=1, keepdim=True)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_conforms_to_mteb(deep: Base) -> None:
    protocol = PROTOCOLS["mteb"]
    layer, _ = headline_layer(protocol, asked=None, layers=24)
    found = found_by_us(deep, [layer])
    # MTEB's bitext mining: each foreign sentence asks; gold pairs (i, i); sklearn's weighted F1.
    vectors = [
        np.stack([pooled_states(deep.model, *padded([text]), [24])[0, 0].numpy() for text in side])
        for side in (FOREIGN_IDS, ENGLISH_IDS)
    ]
    foreign, english = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors)
    predictions = (foreign @ english.T).argmax(axis=1)
    assert np.array_equal(found.found["xx-en"][0], predictions)
    gold = np.arange(ITEMS)
    f1 = f1_score(gold, predictions, average="weighted", zero_division=0)
    (direction,) = protocol.directions
    assert outcomes(found, direction, protocol.metrics[0]).mean() == pytest.approx(f1)
    accuracy = accuracy_score(gold, predictions)
    assert outcomes(found, direction, protocol.metrics[1]).mean() == pytest.approx(accuracy)
    assert f1 < accuracy


# English 0 lies between both foreign sentences and nearer to the wrong one; English 1 is right.
VECTORS = np.array([[[1.0, 0.2], [0.0, 1.0], [0.2, 1.0], [1.0, 0.9]]], dtype=np.float32)


def test_english_queries_search_the_foreign_side() -> None:
    # English 0 (1, .2) finds foreign 1 (1, .9); English 1 (0, 1) finds foreign 0 (.2, 1).
    # Foreign 0 finds English 1; foreign 1 finds English 0 (cos .87 against .67).
    found = retrieve(VECTORS, language="de", layers=[4], foreign=[2, 3], english=[0, 1])
    assert found.found["en-xx"].tolist() == [[1, 0]]
    assert found.found["xx-en"].tolist() == [[1, 0]]
    # Now English 0 and foreign 0 are the same direction; foreign 1 lies near English 0 too.
    one_sided = np.array([[[1, 0], [0, 1], [1, 0], [1, 0.5]]], dtype=np.float32)
    found = retrieve(one_sided, language="de", layers=[4], foreign=[2, 3], english=[0, 1])
    assert found.found["en-xx"].tolist() == [[0, 1]]  # each English sentence finds its own
    assert found.found["xx-en"].tolist() == [[0, 0]]  # both foreign ones find English 0
    assert found.items == 2
    assert outcomes(found, "en-xx", "accuracy").tolist() == [[1.0], [1.0]]
    assert outcomes(found, "xx-en", "accuracy").tolist() == [[1.0], [0.0]]
    assert outcomes(found, "both", "accuracy").tolist() == [[1.0], [0.5]]


predictions = st.integers(1, 12).flatmap(
    lambda n: arrays.arrays(np.int32, (3, n), elements=st.integers(0, n - 1))
)


@given(en_xx=predictions)
@settings(deadline=None)
def test_mean_of_the_outcomes_is_the_score(en_xx: np.ndarray) -> None:
    xx_en = en_xx[::-1].copy()
    found = Retrieval("de", (0, 1, 2), {"en-xx": en_xx, "xx-en": xx_en})
    gold = np.arange(en_xx.shape[1])
    for direction, predicted in (("en-xx", en_xx), ("xx-en", xx_en)):
        accuracy = outcomes(found, direction, "accuracy")
        f1 = outcomes(found, direction, "f1")
        assert accuracy.shape == f1.shape == en_xx.T.shape
        for layer in range(3):
            row = predicted[layer]
            assert accuracy[:, layer].mean() == pytest.approx(accuracy_score(gold, row))
            assert f1[:, layer].mean() == pytest.approx(
                f1_score(gold, row, average="weighted", zero_division=0)
            )
    for metric in ("accuracy", "f1"):
        both = outcomes(found, "both", metric)
        halves = [outcomes(found, one, metric) for one in ("en-xx", "xx-en")]
        np.testing.assert_allclose(both, (halves[0] + halves[1]) / 2)


COMPLETE = Retrieval(
    "de",
    (3,),
    found={"en-xx": np.array([[0, 0, 2, 1]]), "xx-en": np.array([[0, 1, 2, 3]])},
    margin={"en-xx": np.array([[0, 1, 2, 1]]), "xx-en": np.array([[3, 1, 2, 3]])},
    csls={"en-xx": np.array([[0, 1, 3, 2]]), "xx-en": np.array([[1, 0, 2, 3]])},
    rank={"en-xx": np.array([[1, 2, 1, 4]]), "xx-en": np.array([[1, 1, 1, 1]])},
    strong={"en-xx": np.array([[True, False, False, False]]), "xx-en": np.ones((1, 4), bool)},
    occurrences={"en-xx": np.full((1, 4), 4), "xx-en": np.full((1, 4), 4)},
    gap=np.array([[0.5, -0.25, 0.0, 1.0]], dtype=np.float32),
)


@pytest.mark.parametrize(
    ("metric", "en_xx", "xx_en"),
    [
        ("accuracy", [1, 0, 1, 0], [1, 1, 1, 1]),
        ("accuracy_margin", [1, 1, 1, 0], [0, 1, 1, 1]),
        ("xsim_error", [0, 0, 0, 1], [1, 0, 0, 0]),
        ("accuracy_csls", [1, 1, 0, 0], [0, 0, 1, 1]),
        ("accuracy_strong", [1, 0, 0, 0], [1, 1, 1, 1]),
        ("mrr", [1, 0.5, 1, 0.25], [1, 1, 1, 1]),
        ("cosine_gap", [0.5, -0.25, 0, 1], [0.5, -0.25, 0, 1]),
    ],
)
def test_outcomes_of_every_search(metric: str, en_xx: list[float], xx_en: list[float]) -> None:
    both = [(forth + back) / 2 for forth, back in zip(en_xx, xx_en, strict=True)]
    for direction, expected in (("en-xx", en_xx), ("xx-en", xx_en), ("both", both)):
        got = outcomes(COMPLETE, direction, metric)
        assert got.shape == (4, 1)
        assert got[:, 0].tolist() == expected


@pytest.mark.parametrize(
    "metric",
    ["mrr", "accuracy_margin", "accuracy_csls", "accuracy_strong", "xsim_error", "cosine_gap"],
)
def test_an_outcome_that_was_not_searched_for_is_refused(metric: str) -> None:
    found = retrieve(VECTORS, language="de", layers=[4], foreign=[2, 3], english=[0, 1])
    with pytest.raises(ValueError, match=f"{metric} of de needs more than .* everything=True"):
        outcomes(found, "both", metric)


def test_everything_holds_each_layer_and_side_as_they_were_given() -> None:
    draw = np.random.default_rng(7)
    vectors = draw.normal(size=(3, 50, 12)).astype(np.float32)
    foreign, english = list(range(20, 50)), list(range(30))
    settings = {"language": "de", "layers": [0, 2, 5], "foreign": foreign, "english": english}
    plain, whole = retrieve(vectors, **settings), retrieve(vectors, **settings, everything=True)
    assert plain.margin is None
    assert plain.gap is None
    assert whole.layers == plain.layers == (0, 2, 5)
    for layer, states in enumerate(vectors):
        alone = neighbours(states[foreign], states[english], device="cpu")
        for direction in ("en-xx", "xx-en"):
            assert np.array_equal(whole.found[direction], plain.found[direction])
            pairs = [
                (whole.found, alone.nearest),
                (whole.margin, alone.margin),
                (whole.csls, alone.csls),
                (whole.rank, alone.rank),
                (whole.strong, alone.strong),
                (whole.occurrences, alone.occurrences),
            ]
            for ours, theirs in pairs:
                assert ours[direction].dtype == theirs[direction].dtype
                assert np.array_equal(ours[direction][layer], theirs[direction])
        assert np.array_equal(whole.gap[layer], alone.gap)


def test_encoding_equals_one_sentence_at_a_time(deep: Base) -> None:
    sentences = token_ids(30, seed=5, longest=30)
    vectors = np.full((2, 30, 16), np.nan, dtype=np.float32)
    done = list(encode(deep, sentences, layers=[3, 24], vectors=vectors))
    assert done[-1] == 30
    assert done == sorted(done)
    for index, text in enumerate(sentences):
        alone = pooled_states(deep.model, *padded([text]), [3, 24])[:, 0].numpy()
        np.testing.assert_allclose(vectors[:, index], alone, atol=1e-5)


def test_encoding_writes_to_a_file_on_disk_and_uses_the_active_system(tmp_path: object) -> None:
    base = tiny_base()
    sentences = token_ids(10)
    shape = (1, 10, 32)
    vectors = np.lib.format.open_memmap(tmp_path / "v.npy", mode="w+", dtype="f4", shape=shape)
    list(encode(base, sentences, layers=[3], vectors=vectors))
    bare = vectors.copy()
    add_adapter(base)
    list(encode(base, sentences, layers=[3], vectors=vectors))
    assert np.array_equal(vectors, bare)
    with active(base.model, {"sst2": 1.0}):
        list(encode(base, sentences, layers=[3], vectors=vectors))
    assert not np.isclose(vectors, bare).all(axis=2).any()


def test_encoding_keeps_to_its_fixed_budget(deep: Base) -> None:
    sizes: list[int] = []
    handle = deep.model.register_forward_pre_hook(
        lambda _module, _args, kwargs: sizes.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    sentences = token_ids(300, longest=40)
    list(encode(deep, sentences, layers=[1], vectors=np.zeros((1, 300, 16), dtype=np.float32)))
    handle.remove()
    assert max(sizes) <= TOKENS_PER_BATCH["cpu"]
    assert len(sizes) < 300 / 20


@pytest.mark.parametrize("quantization", ["int8", "none"])
@pytest.mark.parametrize(
    ("layers", "shared"),
    [([0, 1, 2, 3], 0), ([0, 1, 2, 3], 1), ([0, 1, 2, 3], 2), ([3], 2), ([1, 2], 2), ([0], 1)],
)
def test_systems_that_share_lower_layers_are_encoded_as_each_alone(
    quantization: str, layers: list[int], shared: int
) -> None:
    base = tiny_base(quantization)
    sentences = token_ids(40, seed=6, longest=30)
    first = range(shared + 1, 4)
    add_adapter(base, "one", seed=1, layers=first)
    add_adapter(base, "two", seed=2, layers=first, targets=["intermediate"])
    weights = [{}, {"one": 1.0}, {"one": -1.0}, {"two": 1.0}, {"one": 0.5, "two": 2.0}]
    shape = (len(layers), len(sentences), base.shape.width)
    alone = np.zeros((len(weights), *shape), dtype=np.float32)
    for vectors, system in zip(alone, weights, strict=True):
        with active(base.model, system):
            list(encode(base, sentences, layers=layers, vectors=vectors))
    together = np.full((len(weights), *shape), np.nan, dtype=np.float32)
    systems = [
        System(functools.partial(active, base.model, system), vectors)
        for vectors, system in zip(together, weights, strict=True)
    ]
    done = list(encode_systems(base, sentences, layers=layers, systems=systems, shared=shared))
    assert done[-1] == len(sentences)
    assert np.array_equal(together, alone)
    above = [place for place, layer in enumerate(layers) if layer > shared]
    for one in range(len(weights)):
        for other in range(one):
            # What is shared is the same, and what is not differs.
            same = (together[one] == together[other]).all(axis=(1, 2))
            assert same.tolist() == [place not in above for place in range(len(layers))]


def test_a_state_that_is_no_number_is_told_with_its_layer() -> None:
    base = tiny_base()
    add_adapter(base, "huge", layers=[3], strength=1e38)
    sentences = token_ids(4)
    vectors = np.zeros((2, 4, 32), dtype=np.float32)
    system = System(functools.partial(active, base.model, {"huge": 1.0}), vectors)
    with pytest.raises(AdapterError, match="states are no numbers at layer 3"):
        list(encode_systems(base, sentences, layers=[2, 3], systems=[system], shared=2))


def test_corpus_holds_each_sentence_once() -> None:
    tokenizer = load_tokenizer(identify("pocket", None), None)
    found = corpus(
        [
            Bitext("de", ["Danke.", "Nein."], ["Thanks.", "No."]),
            Bitext("fr", ["Merci.", "No."], ["Thanks.", "Never mind."]),
        ],
        tokenizer,
        max_length=128,
    )
    assert found.foreign == {"de": [0, 1], "fr": [4, 3]}
    assert found.english == {"de": [2, 3], "fr": [2, 5]}
    assert len(found.token_ids) == 6
    texts = ["Danke.", "Nein.", "Thanks.", "No.", "Merci.", "Never mind."]
    assert found.token_ids == [tokenizer(text)["input_ids"] for text in texts]


def test_corpus_cuts_at_the_base_s_limit_and_at_xtreme_s() -> None:
    tokenizer = load_tokenizer(identify("pocket", None), None)
    long = [Bitext("de", ["sehr " * 900], ["very " * 900])]
    assert [len(ids) for ids in corpus(long, tokenizer, max_length=128).token_ids] == [128, 128]
    assert {len(ids) for ids in corpus(long, tokenizer, max_length=9999).token_ids} == {MAX_LENGTH}

"""XTREME's Tatoeba rule, computed again from its description with faiss, against ours.

The rule: google-research/xtreme @838c13b, `scripts/run_tatoeba.sh`, `third_party/
evaluate_retrieval.py`, `utils_retrieve.py` and `utils_preprocess.py`, in own words.
"""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np
import pytest
import torch
from near_ties import ENCODED_APART, ROUNDING, parting
from numpy.typing import NDArray
from reference_sentences import LAYERS, Sentences

from adaptstilts.alignment.columns import Found
from adaptstilts.alignment.encode import encode
from adaptstilts.alignment.protocol import PROTOCOLS, headline_layer
from adaptstilts.alignment.retrieval import outcomes
from adaptstilts.alignment.score import Measured, Table, scores
from adaptstilts.base.load import Base, frozen_base, random_encoder
from adaptstilts.base.shape import Shape
from adaptstilts.record.scores import MACRO
from adaptstilts.task.languages import LANGUAGE_SETS

LAYER = 4
"""Named for the pocket encoder, as a recipe must: the rule's own layer is of 24."""

PLAINLY_ENCODED = ("de", "th", "zh")


def xtreme_predictions(
    foreign: NDArray[np.float32], english: NDArray[np.float32], english_texts: Sequence[str]
) -> tuple[list[int], list[int]]:
    """What the script predicts for each line of its sorted English file, and that file's labels.

    Args:
        foreign: Pooled vectors in the order of the foreign file, shape [n, d].
        english: Pooled vectors of the translations in that order, shape [n, d].
        english_texts: The translations.
    """
    # The English file is sorted, so that its line numbers give nothing away; the label of a line
    # is the foreign line that it translates.
    labels = sorted(range(len(english_texts)), key=lambda line: english_texts[line])
    x, y = foreign.copy(), english[labels].copy()
    faiss.normalize_L2(x)
    faiss.normalize_L2(y)
    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x)
    _, predictions = index.search(y, 1)
    return predictions[:, 0].tolist(), labels


def check_every_language(sentences: Sentences) -> dict[str, float]:
    """Compares predictions and accuracy of each language; gives the accuracies in per cent."""
    protocol = PROTOCOLS["xtreme"]
    layer, _ = headline_layer(protocol, asked=LAYER, layers=6)
    row = LAYERS.index(layer)
    (direction,), (metric,) = protocol.directions, protocol.metrics
    accuracies = {}
    for code, found in sentences.found.items():
        foreign, english = (side[row] for side in sentences.vectors[code])
        texts = sentences.bitexts[code].english
        predictions, labels = xtreme_predictions(foreign, english, texts)
        right = sum(map(int.__eq__, predictions, labels))
        accuracy = right / len(labels) * 100.0
        ours = found.found[direction][row][labels]
        apart = parting(ours, np.array(predictions), queries=english[labels], candidates=foreign)
        assert apart.gap <= ROUNDING, (code, apart)
        here = 100.0 * float(outcomes(found, direction, metric)[:, row].mean())
        ties = len(apart.items) / len(labels) * 100.0
        assert abs(here - accuracy) <= ties + 1e-9, (code, here, accuracy, apart)
        accuracies[code] = accuracy
    return accuracies


def test_bundled_bitext(bundled: Sentences) -> None:
    accuracies = check_every_language(bundled)
    assert len(accuracies) == 10
    assert all(5 < value < 100 for value in accuracies.values()), "shows little at the ends"


@pytest.mark.mirror
def test_tatoeba_s_36_languages(real: Sentences) -> None:
    accuracies = check_every_language(real)
    assert tuple(accuracies) == LANGUAGE_SETS["xtreme36"]
    measured = Measured("base", (None,), None, [[Found(one, {}) for one in real.found.values()]])
    clusters = [np.arange(len(text)) for text in real.bitexts.values()]
    rows = scores(measured, Table("tatoeba", PROTOCOLS["xtreme"], clusters, {}))
    (macro,) = (r.value for r in rows if (r.language, r.layer) == (MACRO, LAYER))
    assert 100 * macro == pytest.approx(np.mean(list(accuracies.values())), abs=0.02)


def test_labels_of_the_sorted_file_matter(bundled: Sentences) -> None:
    # Issue 61 of the repository: line numbers of the sorted file as labels score near nothing.
    foreign, english = (side[0] for side in bundled.vectors["de"])
    predictions, labels = xtreme_predictions(foreign, english, bundled.bitexts["de"].english)
    assert labels != list(range(len(labels)))
    assert np.mean(np.array(predictions) == np.arange(len(labels))) < 0.05
    assert np.mean(np.array(predictions) == labels) > 0.5


def plain_vectors(base: Base, texts: Sequence[str], *, layers: int, layer: int) -> np.ndarray:
    """The script's extraction: 100 sentences at a time in the file's order, padded together."""
    parts = []
    for start in range(0, len(texts), 100):
        lines = list(texts[start : start + 100])
        batch = base.tokenizer(lines, padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            outputs = base.model(**batch, output_hidden_states=True)
        states = outputs.hidden_states[-layers:][layer]
        mask = batch["attention_mask"].unsqueeze(2).float()
        parts.append(((states * mask).sum(dim=1) / mask.sum(dim=1)).numpy())
    return np.concatenate(parts)


@pytest.mark.parametrize("code", PLAINLY_ENCODED)
def test_from_text_to_accuracy(bundled: Sentences, pocket_base: Base, code: str) -> None:
    # Shares nothing with our code but the loaded encoder and its tokenizer.
    text = bundled.bitexts[code]
    foreign, english = (
        plain_vectors(pocket_base, side, layers=6, layer=LAYER - 1)
        for side in (text.foreign, text.english)
    )
    for theirs, ours in zip((foreign, english), bundled.vectors[code], strict=True):
        np.testing.assert_allclose(ours[LAYERS.index(LAYER)], theirs, atol=2e-5)
    predictions, labels = xtreme_predictions(foreign, english, text.english)
    ours = bundled.found[code].found["en-xx"][LAYERS.index(LAYER)][labels]
    apart = parting(ours, np.array(predictions), queries=english[labels], candidates=foreign)
    assert apart.gap <= ENCODED_APART, apart


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        # scripts/run_tatoeba.sh: NLAYER=24, LAYER=13, of the tuple that begins with embeddings.
        ("xtreme", lambda states: states[-24:][13]),
        # jiant @daa5a25 guides/benchmarks/xtreme.md: pooler "mean", layer 14 of that tuple.
        ("jiant", lambda states: states[14]),
    ],
)
def test_layer_of_a_24_layer_encoder(name: str, rule: object) -> None:
    shape = Shape(layers=24, width=32, heads=4, intermediate=64, pieces=200, positions=40)
    base = frozen_base(
        random_encoder(shape, seed=3), None, quantization="none", compute="fp32", device="cpu"
    )
    draw = np.random.default_rng(5)
    texts = [[0, *draw.integers(4, 200, size=draw.integers(1, 30)), 2] for _ in range(12)]
    layer, _ = headline_layer(PROTOCOLS[name], asked=None, layers=24)
    vectors = np.zeros((3, len(texts), 32), dtype=np.float32)
    for _ in encode(base, texts, layers=[layer, layer - 1, layer + 1], vectors=vectors):
        pass
    for place, text in enumerate(texts):
        with torch.no_grad():
            states = base.model(
                input_ids=torch.tensor([text]), output_hidden_states=True
            ).hidden_states
        assert len(states) == 25
        theirs = rule(states)[0].mean(dim=0).numpy()
        np.testing.assert_allclose(vectors[0, place], theirs, atol=1e-5)
        assert np.abs(vectors[1:, place] - theirs).max(axis=1).min() > 1e-2

"""The `mteb` protocol against MTEB's own code, and both directions against sentence-transformers.

Nothing is downloaded: MTEB's Tatoeba task is given the sentences, its scoring is its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from mteb._evaluators import BitextMiningEvaluator
from mteb.models import ModelMeta, SentenceTransformerEncoderWrapper
from mteb.models.abs_encoder import AbsEncoder
from mteb.tasks import TatoebaBitextMining
from mteb.timing import TimingStack
from near_ties import ENCODED_APART, parting
from reference_sentences import LAYERS, Sentences
from sentence_models import write_sentence_transformer
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import TranslationEvaluator

from adaptstilts.alignment.columns import Found
from adaptstilts.alignment.protocol import PROTOCOLS, headline_layer
from adaptstilts.alignment.score import Measured, Table, scores
from adaptstilts.base.load import Base
from adaptstilts.data.bitext import Bitext
from adaptstilts.record.scores import is_language
from adaptstilts.task.languages import LANGUAGES

BATCH = {"batch_size": 100}
REAL_LANGUAGES = ("ar", "de", "eu", "hi", "ja", "jv", "ka", "sw", "ta", "th", "tr", "zh")
LAST = LAYERS.index(6)


class PlainEncoder(AbsEncoder):
    """Any base in MTEB's interface: last layer, mean over `<s>`, pieces and `</s>`.

    It shares the loaded encoder and its tokenizer with our code, and nothing else.
    """

    def __init__(self, base: Base) -> None:
        self.base = base
        self.mteb_model_meta = ModelMeta.create_empty()

    def encode(self, inputs: Any, **_: Any) -> np.ndarray:
        parts = []
        for batch in inputs:
            tokens = self.base.tokenizer(
                batch["text"], padding=True, truncation=True, return_tensors="pt"
            )
            with torch.no_grad():
                states = self.base.model(**tokens).last_hidden_state
            mask = tokens["attention_mask"].unsqueeze(2).float()
            parts.append(((states * mask).sum(dim=1) / mask.sum(dim=1)).numpy())
        return np.concatenate(parts)


def mteb_subset(text: Bitext) -> str:
    return f"{LANGUAGES[text.language].iso3}-eng"


def mteb_rows(text: Bitext) -> Dataset:
    return Dataset.from_dict({"sentence1": text.foreign, "sentence2": text.english})


def mteb_scores(model: AbsEncoder, bitexts: list[Bitext]) -> dict[str, dict[str, float]]:
    """What MTEB's Tatoeba task says of each language."""
    task = TatoebaBitextMining()
    task.dataset = {mteb_subset(text): {"test": mteb_rows(text)} for text in bitexts}
    task.data_loaded = True
    task.hf_subsets = [*task.dataset]
    found = task.evaluate(model, split="test", encode_kwargs=BATCH)
    assert task.metadata.main_score == PROTOCOLS["mteb"].metrics[0]
    return {text.language: found[mteb_subset(text)] for text in bitexts}


def mteb_predictions(model: AbsEncoder, text: Bitext) -> np.ndarray:
    """The English sentence that MTEB's evaluator finds for each foreign one."""
    columns = [("sentence1", "sentence2")]
    evaluator = BitextMiningEvaluator(
        mteb_rows(text),
        task_metadata=TatoebaBitextMining.metadata,
        hf_split="test",
        hf_subset=mteb_subset(text),
        pair_columns=columns,
        timer=TimingStack(),
    )
    (neighbours,) = evaluator(model, encode_kwargs=BATCH).values()
    return np.array([row["corpus_id"] for row in neighbours])


def our_scores(sentences: Sentences, languages: tuple[str, ...]) -> dict[tuple[str, str], float]:
    """Language and metric → our score by the protocol `mteb`."""
    protocol = PROTOCOLS["mteb"]
    layer, _ = headline_layer(protocol, asked=None, layers=6)
    measured = Measured("base", (None,), None, [[Found(sentences.found[c], {}) for c in languages]])
    clusters = [np.arange(len(sentences.bitexts[code])) for code in languages]
    rows = scores(measured, Table("tatoeba", protocol, clusters, {}))
    return {
        (row.language, row.metric): row.value
        for row in rows
        if row.layer == layer and is_language(row.language)
    }


def check_mteb(model: AbsEncoder, sentences: Sentences, languages: tuple[str, ...]) -> None:
    ours = our_scores(sentences, languages)
    theirs = mteb_scores(model, [sentences.bitexts[code] for code in languages])
    assert {language for language, _ in ours} == set(theirs)
    for (language, metric), value in ours.items():
        if value == pytest.approx(theirs[language][metric], abs=1e-6):
            continue
        # Only a tie that rounding decided may part us: MTEB encodes in other batches.
        text = sentences.bitexts[language]
        foreign, english = (side[LAST] for side in sentences.vectors[language])
        apart = parting(
            sentences.found[language].found["xx-en"][LAST],
            mteb_predictions(model, text),
            queries=foreign,
            candidates=english,
        )
        assert apart.items.size, (language, metric, value, theirs[language])
        assert apart.gap <= ENCODED_APART, (language, metric, value, theirs[language], apart)


def test_mteb_on_the_bundled_bitext(bundled: Sentences, pocket_base: Base) -> None:
    check_mteb(PlainEncoder(pocket_base), bundled, tuple(bundled.bitexts))


@pytest.mark.mirror
def test_mteb_on_real_languages(real: Sentences, pocket_base: Base) -> None:
    check_mteb(PlainEncoder(pocket_base), real, REAL_LANGUAGES)


def test_the_comparison_can_tell(bundled: Sentences, pocket_base: Base) -> None:
    # Layer, direction and metric each change the figure by far more than is forgiven.
    text = bundled.bitexts["th"]
    (theirs,) = mteb_scores(PlainEncoder(pocket_base), [text]).values()
    found = bundled.found["th"].found
    right = np.arange(len(text))
    assert abs(theirs["f1"] - theirs["accuracy"]) > 1e-3
    assert abs(np.mean(found["xx-en"][0] == right) - theirs["accuracy"]) > 1e-3
    assert abs(np.mean(found["en-xx"][LAST] == right) - theirs["accuracy"]) > 1e-3


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    folder = write_sentence_transformer(tmp_path_factory.mktemp("model"))
    return SentenceTransformer(str(folder), device="cpu")


def test_mteb_with_its_own_wrapper(bundled: Sentences, model: SentenceTransformer) -> None:
    # Now nothing at all is shared: the weights are read, encoded and scored by others.
    wrapper = SentenceTransformerEncoderWrapper(model)
    check_mteb(wrapper, bundled, ("de", "ja", "th"))


@pytest.mark.parametrize("code", ["de", "ja", "th"])
def test_translation_evaluator(bundled: Sentences, model: SentenceTransformer, code: str) -> None:
    text = bundled.bitexts[code]
    evaluator = TranslationEvaluator(text.foreign, text.english, write_csv=False)
    theirs = evaluator(model)
    measured = Measured("base", (None,), None, [[Found(bundled.found[code], {})]])
    rows = scores(measured, Table("tatoeba", PROTOCOLS["both"], [np.arange(len(text))], {}))
    ours = {r.direction: r.value for r in rows if r.layer == 6 and r.language == code}
    for direction, name in (
        ("xx-en", "src2trg_accuracy"),
        ("en-xx", "trg2src_accuracy"),
        ("both", "mean_accuracy"),
    ):
        assert ours[direction] == pytest.approx(theirs[name], abs=1e-6), direction
    assert len(set(ours.values())) > 1, "an example in which all directions agree shows little"

"""The pocket encoder's making, on a few sentences: every step runs, packing keeps its promise."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from pocket.batches import draw_block, leave_out, odds, tokenize
from pocket.embeddings import fit
from pocket.evaluate import accuracies, encode, neighbours, perplexity
from pocket.export import card, encoder_of, export, exported_encoder, exported_head, head_of
from pocket.pairs import Examples, span_of
from pocket.teacher import fit_projection, project
from pocket.train import Settings, train
from pocket.training import ALIGNED_LAYER, Learner, configuration, optimizer_for, rate
from pocket.vocabulary import build_tokenizer, train_pieces, write_tokenizer

WORDS = [
    *("the", "cat", "sees", "a", "small", "red", "house"),
    *("near", "green", "water", "and", "old", "trees"),
]
FOREIGN = [
    *("die", "Katze", "sieht", "ein", "kleines", "rotes", "Haus"),
    *("neben", "grünem", "Wasser", "und", "alte", "Bäume"),
]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with a tokenizer and 60 sentence pairs."""
    folder = tmp_path_factory.mktemp("pocket")
    rng = np.random.default_rng(0)
    examples = Examples()
    for _ in range(60):
        chosen = rng.integers(len(WORDS), size=int(rng.integers(3, 9)))
        english = " ".join(WORDS[i] for i in chosen)
        examples.add("de", "made_up", " ".join(FOREIGN[i % len(FOREIGN)] for i in chosen), english)
    examples.write(folder)
    lines = [row[3] for row in examples.rows] * 5
    write_tokenizer(build_tokenizer(*train_pieces(lines, 60, 1)), folder / "tokenizer")
    return folder


def test_tokenizer_has_the_ids_and_frames_of_xlmr(work: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(work / "tokenizer")
    ends = tokenizer.convert_tokens_to_ids(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    assert ends == [0, 1, 2, 3, len(tokenizer) - 1]
    ids = tokenizer("the cat")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "the cat"
    pair = tokenizer("the cat", "a house")["input_ids"]
    assert pair[: len(ids)] == ids
    assert pair[len(ids)] == 2
    assert pair[-1] == 2
    joined = tokenizer("the\u200dcat")["input_ids"]
    assert joined == ids, "U+200D must count as a space"


@pytest.fixture(scope="module")
def trained(work: Path) -> Path:
    """The work folder after two steps, a stop, and two more."""
    tokens = tokenize(work, 32)
    generator = torch.Generator().manual_seed(0)
    count = int(tokens.anchors.max()) + 1
    anchors = torch.nn.functional.normalize(torch.randn(count, 32, generator=generator), dim=1)
    pieces = torch.randn(len(words_of(work)), 32, generator=generator)
    start = fit(tokens, anchors, pieces, steps=2, batch_size=16)
    assert start.shape == pieces.shape
    assert bool(start.isfinite().all())
    settings = Settings(steps=4, budget=256)
    first = train(work, tokens, anchors, start, Settings(steps=2, budget=256), hidden=32)
    more = train(work, tokens, anchors, start, settings, hidden=32)
    assert (first.step, more.step) == (2, 4)
    assert more.texts > first.texts
    return work


def words_of(work: Path) -> dict[str, int]:
    """The tokenizer's pieces."""
    vocabulary: dict[str, int] = Tokenizer.from_file(str(tokenizer_file(work))).get_vocab()
    return vocabulary


def tokenizer_file(work: Path) -> Path:
    """Where the work folder's tokenizer is."""
    return work / "tokenizer" / "tokenizer.json"


def test_a_run_is_the_same_for_the_same_seed_and_goes_on_where_it_was(
    work: Path, tmp_path: Path
) -> None:
    tokens = tokenize(work, 32)
    anchors = torch.nn.functional.normalize(
        torch.randn(int(tokens.anchors.max()) + 1, 32, generator=torch.Generator().manual_seed(3)),
        dim=1,
    )
    start = torch.randn(len(words_of(work)), 32, generator=torch.Generator().manual_seed(4))
    weights = []
    for name, stops in (("whole", [4]), ("broken", [2, 4])):
        folder = tmp_path / name
        folder.mkdir()
        for stop in stops:
            torch.manual_seed(99 + stop)  # nothing may hang on the generator that happens to be
            settings = Settings(steps=4, budget=256, stop=stop)
            train(folder, tokens, anchors, start, settings, hidden=32)
        weights.append(torch.load(folder / "checkpoint.pt", weights_only=True)["learner"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_export_keeps_the_encoder_and_the_head(trained: Path, tmp_path: Path) -> None:
    export(trained, tmp_path, seed=1)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    encoder, stored = encoder_of(trained / "checkpoint.pt"), exported_encoder(tmp_path)
    texts = ["the cat sees a house", "old trees and water"]
    whole, packed = encode(encoder, tokenizer, texts), encode(stored, tokenizer, texts)
    assert whole.shape == (7, 2, 32)
    assert torch.allclose(whole, packed, atol=0.05)
    assert accuracies(whole, packed).tolist() == [[100.0, 100.0]] * 7
    head = head_of(trained / "checkpoint.pt", encoder.config)
    again = exported_head(tmp_path, encoder.config)
    one, two = (perplexity(encoder, found, tokenizer, texts * 20) for found in (head, again))
    assert one["n"] == two["n"] > 10
    assert one["perplexity"] == pytest.approx(two["perplexity"], rel=0.01)
    content = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    assert content["training"]["steps"] == 4
    assert content["aligned_layer"] == ALIGNED_LAYER
    digest = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    assert content["sha256"]["model.safetensors"] == digest
    assert card(encoder.config, {"seconds": 60, "step": 1, "texts": 2}, trained / "none", 7)


def test_neighbours_are_found_among_the_pool(trained: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tokenizer_file(trained)))
    pool = [("de", "die Katze"), ("en", "the cat"), ("de", "alte Bäume")]
    (found,) = neighbours(
        encoder_of(trained / "checkpoint.pt"), tokenizer, 4, ["the cat"], pool, count=2
    )
    assert found["nearest"][0] == {"language": "en", "text": "the cat", "cosine": 1.0}


def test_uniform_guessing_has_the_vocabulary_as_its_perplexity(trained: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tokenizer_file(trained)))
    encoder = encoder_of(trained / "checkpoint.pt")
    head = head_of(trained / "checkpoint.pt", encoder.config)
    torch.nn.init.zeros_(head.layer_norm.weight)
    torch.nn.init.zeros_(head.layer_norm.bias)
    torch.nn.init.zeros_(head.bias)
    found = perplexity(encoder, head, tokenizer, ["the cat sees a house near water"] * 10)
    assert found["perplexity"] == pytest.approx(tokenizer.get_vocab_size(), rel=0.01)
    assert found["unigram"] < 20


def test_batches_are_the_same_for_the_same_seed_and_keep_the_budget(work: Path) -> None:
    tokens = tokenize(work, 32)
    chances = odds(tokens)
    assert chances.sum() == pytest.approx(1)
    english = tokens.languages == tokens.names.index("en")
    assert chances[english].sum() == pytest.approx(0.15)
    cumulative = np.cumsum(chances)
    one, two = (draw_block(tokens, cumulative, 200, 7, 3) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert all(len(batch) * tokens.lengths[batch].max() <= 200 for batch in one)


def test_a_text_that_is_its_own_anchor_is_drawn_less_than_a_translation(tmp_path: Path) -> None:
    examples = Examples()
    for number in range(40):
        examples.add("de", "pairs", f"Katze {number}", f"cat {number}")
        examples.add("de", "alone", f"Haus {number}", f"Haus {number}", spoken="de")
    examples.write(tmp_path)
    lines = [row[3] for row in examples.rows] * 5
    write_tokenizer(build_tokenizer(*train_pieces(lines, 40, 1)), tmp_path / "tokenizer")
    tokens = tokenize(tmp_path, 32)
    chances, german = odds(tokens), tokens.languages == tokens.names.index("de")
    alone = tokens.origins == tokens.sources.index("alone")
    ratio = chances[german & alone].mean() / chances[german & ~alone].mean()
    assert ratio == pytest.approx(0.35)
    left = leave_out(tokens, ["alone"])
    assert len(left.starts) == 80
    assert [left.of(i).tolist() for i in range(80)] == [
        tokens.of(i).tolist() for i in np.flatnonzero(~alone)
    ]
    with pytest.raises(ValueError, match="no example is from"):
        leave_out(tokens, ["elsewhere"])


def test_spans_are_cut_out_of_their_text() -> None:
    rng = random.Random(0)
    text = "Der Hund bellt laut. Die Katze schläft seit heute früh im Garten!"
    spans = {span_of(text, "de", rng) for _ in range(200)}
    assert all(span in text for span in spans)
    assert "Der Hund bellt laut." in spans
    assert any(len(span.split()) == 1 for span in spans)
    assert {span_of("猫在睡觉，狗在跑。", "zh", rng) for _ in range(50)} == {
        "猫在睡觉，狗在跑。", "猫在睡觉", "狗在跑。",
    }  # fmt: skip
    assert span_of("", "de", rng) == ""


def test_upper_layers_learn_slower_and_no_weight_is_left_out() -> None:
    learner = Learner(configuration(60, hidden=32))
    groups = optimizer_for(learner, 1e-3).param_groups
    counted = [id(value) for group in groups for value in group["params"]]
    assert sorted(counted) == sorted(id(value) for value in learner.parameters())
    shares = {id(value): group["share"] for group in groups for value in group["params"]}
    layers = learner.encoder.encoder.layer
    assert {shares[id(value)] for value in layers[5].parameters()} == {0.4}
    assert {shares[id(value)] for value in layers[3].parameters()} == {1.0}


def test_projection_gives_unit_vectors_and_the_rate_ends_at_nothing() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    reduced = project(vectors, *fit_projection(vectors, 4))
    assert reduced.shape == (50, 4)
    assert np.linalg.norm(reduced, axis=1) == pytest.approx(1, abs=1e-5)
    assert rate(0) == 0
    assert rate(0.03) == pytest.approx(1)
    assert rate(1) == 0

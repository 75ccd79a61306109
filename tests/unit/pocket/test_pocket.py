"""The pocket encoder's making, on a few sentences: every step runs, packing keeps its promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from adaptstilts.base.store import save
from pocket.batches import draw_block, language_shares, tokenize
from pocket.embeddings import fit
from pocket.evaluate import accuracies, encode
from pocket.export import card, encoder_of, exported_encoder
from pocket.pairs import Examples
from pocket.teacher import fit_projection, project
from pocket.top import train_top
from pocket.train import Settings, train
from pocket.training import rate
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


def test_training_runs_resumes_and_exports(work: Path, tmp_path: Path) -> None:
    tokens = tokenize(work, 32)
    generator = torch.Generator().manual_seed(0)
    count = int(tokens.anchors.max()) + 1
    anchors = torch.nn.functional.normalize(torch.randn(count, 32, generator=generator), dim=1)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(work / "tokenizer" / "tokenizer.json"))
    pieces = torch.randn(tokenizer.get_vocab_size(), 32, generator=generator)
    start = fit(tokens, anchors, pieces, minutes=1, batch_size=16, most_steps=2)
    assert start.shape == pieces.shape
    assert bool(start.isfinite().all())

    first = train(work, tokens, anchors, start, Settings(steps=2, budget=256), hidden=32)
    more = train(work, tokens, anchors, start, Settings(steps=3, budget=256), hidden=32)
    assert (first.step, more.step) == (2, 3)
    assert more.texts > first.texts

    state = torch.load(work / "checkpoint.pt", weights_only=True)
    torch.save(train_top(state, tokens, anchors, 1, budget=256, most_steps=2), work / "top.pt")
    below, encoder = (encoder_of(work / name) for name in ("checkpoint.pt", "top.pt"))
    encoder.config.save_pretrained(tmp_path)
    save(encoder.state_dict(), tmp_path / "model.safetensors")
    texts = ["the cat sees a house", "old trees and water"]
    whole = encode(encoder, tokenizer, texts)
    stored = encode(exported_encoder(tmp_path), tokenizer, texts)
    before = encode(below, tokenizer, texts)
    assert torch.equal(whole[:5], before[:5]), "the layers up to the aligned one are frozen"
    assert not torch.equal(whole[6], before[6])
    assert whole.shape == (7, 2, 32)
    assert torch.allclose(whole, stored, atol=0.05)
    assert accuracies(whole, stored).tolist() == [[100.0, 100.0]] * 7
    content = card(encoder.config, vars(more), work / "examples.tsv", 1)
    assert content["training"]["steps"] == 3
    assert content["aligned_layer"] == 4


def test_batches_are_the_same_for_the_same_seed_and_keep_the_budget(work: Path) -> None:
    tokens = tokenize(work, 32)
    shares = language_shares(tokens, 0.6, 0.2)
    assert shares.sum() == pytest.approx(1)
    assert shares[tokens.names.index("en")] == 0.2
    one, two = (draw_block(tokens, shares, 200, 7, 3) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert all(len(batch) * tokens.lengths[batch].max() <= 200 for batch in one)


def test_projection_gives_unit_vectors_and_the_rate_ends_at_nothing() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    reduced = project(vectors, *fit_projection(vectors, 4))
    assert reduced.shape == (50, 4)
    assert np.linalg.norm(reduced, axis=1) == pytest.approx(1, abs=1e-5)
    assert rate(0) == 0
    assert rate(0.03) == pytest.approx(1)
    assert rate(1) == 0

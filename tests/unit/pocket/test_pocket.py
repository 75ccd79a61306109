"""The pocket encoder's making, on a few sentences: every step runs, packing keeps its promise."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from pocket_work import write
from tokenizers import Tokenizer

from pocket import teacher
from pocket.batches import (
    draw,
    draw_block,
    leave_out,
    padded,
    piece_shares,
    sampling_probabilities,
    tokenize,
)
from pocket.card import main as card
from pocket.corpus import HELD_OUT
from pocket.evaluate import Texts, encode, neighbours, perplexity, retrieval, retrieval_of
from pocket.export import export, exported, unpacked
from pocket.pairs import Examples, gather, span_of
from pocket.teacher import encode_cached, fit_projection, project
from pocket.training import (
    PAD,
)


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


def test_nothing_is_gathered_from_the_held_out_source(tmp_path: Path) -> None:
    for source in ("common_voice", HELD_OUT):
        (tmp_path / "mono" / source).mkdir(parents=True)
        with gzip.open(tmp_path / "mono" / source / "it.txt.gz", "wt", encoding="utf-8") as file:
            file.writelines(f"{source} dice qualcosa {number}.\n" for number in range(9))
    for source in ("wesnoth", HELD_OUT):
        (tmp_path / "parallel" / source).mkdir(parents=True)
        path = tmp_path / "parallel" / source / "en-it.tsv.gz"
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.writelines(f"{source} says {n}.\t{source} parla {n}.\n" for n in range(5))
            file.write(f"{source} {'says ' * 30}\tcosì\n")
    examples = gather(tmp_path, ["it"], seed=1, words={"it": ["casa", "x"]})
    assert [row for row in examples.rows if row[1] == "wordfreq"] == [
        ("it", "wordfreq", examples.anchors.index(("it", "casa")), "casa")
    ]
    rows = examples.rows
    texts = [text for *_, text in rows]
    assert not [text for text in texts if HELD_OUT in text]
    assert {f"wesnoth parla {n}." for n in range(5)} <= set(texts)
    assert "così" not in texts, "its English side is too long"
    assert {"common_voice dice qualcosa 3.", "wesnoth says 4."} <= set(texts)


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


def test_teacher_vectors_belong_to_their_texts_when_a_call_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def lengths(texts: list[str]) -> np.ndarray:
        calls.append(len(texts))
        return np.array([[len(text)] for text in texts], dtype=np.float32)

    monkeypatch.setattr(teacher, "encode", lengths)
    monkeypatch.setattr(teacher, "CHUNK", 2)
    monkeypatch.setattr(teacher, "ProcessPoolExecutor", _InThisProcess)
    assert encode_cached(["a", "bb", "ccc"], tmp_path, 1).tolist() == [[1], [2], [3]]
    assert encode_cached(["a", "bb", "dddd"], tmp_path, 1).tolist() == [[1], [2], [4]]
    assert calls == [2, 1, 1], "the first part is kept, the changed one is encoded anew"


class _InThisProcess:
    def __init__(self, processes: int) -> None:
        del processes

    def __enter__(self) -> type[_InThisProcess]:
        return _InThisProcess

    def __exit__(self, *_: object) -> None: ...

    map = staticmethod(map)


def test_batches_are_the_same_for_the_same_seed_and_keep_the_budget(work: Path) -> None:
    tokens = tokenize(work)
    probabilities = sampling_probabilities(tokens)
    assert probabilities.sum() == pytest.approx(1)
    english = tokens.languages == tokens.names.index("en")
    assert probabilities[english].sum() == pytest.approx(0.15)
    cumulative = np.cumsum(probabilities)
    one, two = (draw_block(tokens, cumulative, 200, 7, 3) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert all(len(batch) * tokens.lengths[batch].max() <= 200 for batch in one)
    for row, index in zip(padded(tokens, one[0]).tolist(), one[0], strict=True):
        ids = tokens.of(index).tolist()
        assert row == ids + [PAD] * (len(row) - len(ids))


def test_a_text_that_is_its_own_anchor_is_drawn_less_than_a_translation(tmp_path: Path) -> None:
    examples = Examples()
    for number in range(40):
        examples.add("de", "pairs", f"Katze {number}", f"cat {number}")
        examples.add("de", "alone", f"Haus {number}", f"Haus {number}", spoken="de")
    write(examples, tmp_path)
    tokens = tokenize(tmp_path)
    german = tokens.languages == tokens.names.index("de")
    alone = tokens.origins == tokens.sources.index("alone")
    probabilities = sampling_probabilities(tokens)
    ratio = probabilities[german & alone].mean() / probabilities[german & ~alone].mean()
    assert ratio == pytest.approx(0.35)
    left = leave_out(tokens, ["alone"])
    assert len(left.ids) == left.lengths.sum()
    assert [left.of(i).tolist() for i in range(len(left.starts))] == [
        tokens.of(i).tolist() for i in np.flatnonzero(~alone)
    ]
    with pytest.raises(ValueError, match="no example is from"):
        leave_out(tokens, ["elsewhere"])


def test_technical_texts_are_drawn_less_and_languages_keep_their_shares(tmp_path: Path) -> None:
    examples = Examples()
    for number in range(40):
        examples.add("de", "wesnoth", f"Katze {number}", f"cat {number}")
        examples.add("de", "libreoffice_help", f"Zelle {number}", f"cell {number}")
        examples.add("it", "libreoffice_help", f"cella {number}", f"cell {number}")
    write(examples, tmp_path)
    tokens = tokenize(tmp_path)
    probabilities = sampling_probabilities(tokens)
    german = tokens.languages == tokens.names.index("de")
    technical = tokens.origins == tokens.sources.index("libreoffice_help")
    ratio = probabilities[german & technical].mean() / probabilities[german & ~technical].mean()
    assert ratio == pytest.approx(0.3)
    italian = probabilities[tokens.languages == tokens.names.index("it")].sum()
    assert italian / probabilities[german].sum() == pytest.approx(0.5**0.4)


def test_piece_shares_are_those_of_the_draw(work: Path) -> None:
    tokens = tokenize(work)
    shares = piece_shares(tokens, int(tokens.ids.max()) + 1, 4)
    assert shares.sum() == pytest.approx(1)
    assert not shares[:4].any()
    rng = np.random.default_rng(0)
    drawn = draw(np.cumsum(sampling_probabilities(tokens)), 20_000, rng)
    ids = np.concatenate([tokens.of(i) for i in drawn])
    counts = np.bincount(ids[ids >= 4], minlength=len(shares))
    assert counts / counts.sum() == pytest.approx(shares, abs=0.005)


def test_export_keeps_the_encoder_and_the_head(trained: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.json"
    scores.write_text('{"tatoeba": 1}', encoding="utf-8")
    folder = tmp_path / "exported"
    export(trained, folder)
    bare = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    called = CliRunner().invoke(card, ["--folder", str(folder), "--part", f"scores={scores}"])
    assert called.exit_code == 0
    (encoder, head, path), (packed, packed_head, _) = unpacked(trained), exported(folder)
    tokenizer = Tokenizer.from_file(str(path))
    texts = ["the cat sees a house", "old trees and water"]
    whole, again = encode(encoder, tokenizer, texts), encode(packed, tokenizer, texts)
    assert whole.shape == (7, 2, 128)
    assert torch.allclose(whole, again, atol=0.05)
    one = perplexity(encoder, head, tokenizer, texts * 20)
    two = perplexity(encoder, packed_head, tokenizer, texts * 20)
    assert one["n"] == two["n"] > 10
    assert one["perplexity"] == pytest.approx(two["perplexity"], rel=0.01)
    content = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert content["training"]["steps"] == 4
    assert content["training"]["pairs"] == 60
    assert content == {**bare, "scores": {"tatoeba": 1}}
    for name, digest in content["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        assert (folder / name).stat().st_mode & 0o777 == 0o644


def test_retrieval_is_scored_in_both_directions_and_the_layer_is_the_best_held_out() -> None:
    places = {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [0.8, 0.6], "x": [0.6, 0.8]}

    def encode(texts: list[str]) -> torch.Tensor:
        good = torch.tensor([places[text[-1]] for text in texts])
        return torch.stack([torch.ones_like(good) / 2**0.5, good])

    found = retrieval(encode, {"de": (["1a", "1b", "1c"], ["2a", "2b", "2x"])})["languages"]["de"]
    # From foreign every nearest is right; from English "2x" is as near to "1c" as to nothing else.
    assert found["from_foreign"] == [33.33, 100.0]
    assert found["from_english"] == [33.33, 100.0]
    lopsided = retrieval(encode, {"de": (["1a", "1c"], ["2x", "2c"])})["languages"]["de"]
    assert lopsided["from_foreign"][1] == 50.0
    assert lopsided["from_english"][1] == 50.0
    assert lopsided["mean"][1] == 50.0
    codes = ["de", "es", "fr", "it", "pt", "nl", "pl", "ru", "tr", "ar"]
    codes += ["ja", "ko", "zh", "th", "id", "vi", "bg", "fi", "hu", "el"]
    bitexts = dict.fromkeys(codes, (["1a", "1b"], ["2a", "2b"]))
    result = retrieval_of(encode, encode, Texts(bitexts, {}, bitexts))
    assert result["held_out"]["layer"] == 1
    assert result["tatoeba"]["macro15"] == [50.0, 100.0]
    assert result["tatoeba"]["macro15_low"][1] == 100.0
    assert "pocket_bitext" not in result


def test_neighbours_are_found_among_the_pool(trained: Path) -> None:
    encoder, _, path = unpacked(trained)
    pool = [("de", "die Katze"), ("en", "the cat"), ("de", "alte Bäume")]
    tokenizer = Tokenizer.from_file(str(path))
    (found,) = neighbours(encoder, tokenizer, 4, ["the cat"], pool, count=2)
    assert found["nearest"][0] == {"language": "en", "text": "the cat", "cosine": 1.0}
    assert found["nearest"][0]["cosine"] >= found["nearest"][1]["cosine"]


def test_perplexity_is_that_of_guessing_and_of_frequencies(trained: Path) -> None:
    encoder, head, path = unpacked(trained)
    tokenizer = Tokenizer.from_file(str(path))
    texts = ["the cat sees a house near water"] * 10
    for value in (head.layer_norm.weight, head.layer_norm.bias, head.bias):
        torch.nn.init.zeros_(value)
    found = perplexity(encoder, head, tokenizer, texts)
    assert found["perplexity"] == pytest.approx(tokenizer.get_vocab_size(), rel=0.01)
    ids = [i for i in tokenizer.encode(texts[0]).ids if i >= 4]
    counts = np.bincount(ids)
    with torch.no_grad():
        head.bias.copy_(torch.full_like(head.bias, -30.0))
        head.bias[: len(counts)] = torch.from_numpy(counts / len(ids)).clamp(1e-9).log().float()
    again = perplexity(encoder, head, tokenizer, texts)
    assert again["perplexity"] == pytest.approx(again["unigram"], rel=0.01)


def test_projection_gives_unit_vectors() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    reduced = project(vectors, *fit_projection(vectors, 4))
    assert reduced.shape == (50, 4)
    assert np.linalg.norm(reduced, axis=1) == pytest.approx(1, abs=1e-5)

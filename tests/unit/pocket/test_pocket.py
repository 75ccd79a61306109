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
from tokenizers import Tokenizer

from pocket import teacher
from pocket.batches import (
    Tokens,
    draw,
    draw_block,
    leave_out,
    padded,
    piece_shares,
    sampling_probabilities,
    tokenize,
)
from pocket.corpus import HELD_OUT, LANGUAGES
from pocket.embeddings import fit
from pocket.evaluate import Texts, encode, neighbours, perplexity, retrieval, retrieval_of
from pocket.export import export, exported, unpacked
from pocket.pairs import Examples, gather, span_of
from pocket.teacher import encode_cached, fit_projection, project
from pocket.train import Settings, Watch, keep_entries, train
from pocket.training import (
    ALIGNED_LAYER,
    PAD,
    SET_APART,
    Student,
    alignment_losses,
    configuration,
    corrupt,
    mean_pooled,
    optimizer_for,
)
from pocket.vocabulary import build_tokenizer, train_pieces, write_tokenizer

WORDS = [
    *("the", "cat", "sees", "a", "small", "red", "house"),
    *("near", "green", "water", "and", "old", "trees"),
]
FOREIGN = [
    *("die", "Katze", "sieht", "ein", "kleines", "rotes", "Haus"),
    *("neben", "grünem", "Wasser", "und", "alte", "Bäume"),
]
SETTINGS = Settings(steps=4, budget=256)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with a tokenizer and 60 sentence pairs."""
    folder = tmp_path_factory.mktemp("pocket")
    rng = np.random.default_rng(0)
    examples = Examples()
    for _ in range(60):
        chosen = rng.integers(len(WORDS), size=int(rng.integers(3, 9)))
        english = " ".join(WORDS[i] for i in chosen)
        examples.add("de", "wesnoth", " ".join(FOREIGN[i % len(FOREIGN)] for i in chosen), english)
    write(examples, folder)
    return folder


def write(examples: Examples, folder: Path) -> None:
    """Writes examples and a tokenizer of their text."""
    examples.write(folder)
    lines = [row[3] for row in examples.rows] * 5
    write_tokenizer(build_tokenizer(*train_pieces(lines, 60, 1)), folder / "tokenizer")


def unit_vectors(count: int, seed: int) -> torch.Tensor:
    vectors = torch.randn(count, 128, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(vectors, dim=1)


def inputs(work: Path) -> tuple[Tokens, torch.Tensor, torch.Tensor]:
    """A work folder's examples, with made-up teacher vectors of the anchors and the pieces."""
    tokens = tokenize(work)
    pieces = Tokenizer.from_file(str(work / "tokenizer" / "tokenizer.json")).get_vocab_size()
    return tokens, unit_vectors(int(tokens.anchors.max()) + 1, 0), unit_vectors(pieces, 1)


@pytest.fixture(scope="module")
def trained(work: Path) -> Path:
    """The work folder after a training of four steps."""
    tokens, anchors, pieces = inputs(work)
    start = fit(tokens, anchors, pieces, steps=2, batch_size=16)
    assert start.shape == pieces.shape
    assert bool(start.isfinite().all())
    assert train(work, tokens, anchors, start, SETTINGS, hidden=128).step == 4
    return work


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
    rows = gather(tmp_path, ["it"], seed=1).rows
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


def test_the_encoder_starts_as_a_bag_of_words(work: Path) -> None:
    tokens, _, pieces = inputs(work)
    wide = torch.randn(len(pieces), 256, generator=torch.Generator().manual_seed(0)) / 16
    wide *= torch.linspace(0.2, 1.4, len(pieces))[torch.randperm(len(pieces))][:, None]
    wide[:4] = wide[-1] = 0.0
    wide[:, -SET_APART:] = 0.0
    torch.manual_seed(0)
    student = Student(configuration(len(wide)), wide).eval()
    ids = padded(tokens, np.arange(60))
    with torch.inference_mode():
        hidden, _ = student.aligned(ids)
        found = torch.nn.functional.normalize(mean_pooled(hidden, ids.ne(PAD)), dim=1)
        bags = torch.nn.functional.normalize((wide[ids] * ids.ne(PAD)[..., None]).sum(1), dim=1)
    assert (found * bags).sum(1).min().item() > 0.97
    equal = torch.nn.functional.normalize(wide[ids], dim=2)
    flat = torch.nn.functional.normalize((equal * ids.ne(PAD)[..., None]).sum(1), dim=1)
    assert (found * flat).sum(1).mean().item() < (found * bags).sum(1).mean().item()


def test_the_first_heads_start_with_a_look_at_their_neighbours() -> None:
    torch.manual_seed(0)
    student = Student(configuration(60), torch.randn(60, 256) / 16).eval()
    ids = torch.randint(4, 59, (1, 12))
    inner = student.encoder.encoder.layer[1].attention.self
    with torch.inference_mode():
        hidden = student.encoder(ids, output_hidden_states=True).hidden_states[1]
        query, key = (
            module(hidden).view(12, 4, 64).transpose(0, 1) for module in (inner.query, inner.key)
        )
        looks = (query @ key.transpose(1, 2) / 8).softmax(-1)
    assert looks[0, 1:].argmax(1).tolist() == list(range(11)), "the token before"
    assert looks[1, :-1].argmax(1).tolist() == list(range(1, 12)), "the token after"
    assert looks[:2].max(-1).values.mean() > 0.7
    assert looks[2:].max(-1).values.mean() < 0.3


def test_accuracy_is_written_down_on_the_way(work: Path, tmp_path: Path) -> None:
    tokens, anchors, pieces = inputs(work)
    tokenizer = Tokenizer.from_file(str(work / "tokenizer" / "tokenizer.json"))
    pair = (["die Katze sieht", "rotes Haus"], ["the cat sees", "red house"])
    watch = Watch(tokenizer, dict.fromkeys(LANGUAGES, pair), 2)
    train(tmp_path, tokens, anchors, pieces, SETTINGS, hidden=128, watch=watch)
    entries = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [2, 4]
    assert all(set(entry["accuracy"]) == set(LANGUAGES) for entry in entries)
    alone = tmp_path / "alone"
    alone.mkdir()
    train(alone, tokens, anchors, pieces, SETTINGS, hidden=128)
    with_watch, without = (
        torch.load(folder / "checkpoint.pt", weights_only=True)["student"]
        for folder in (tmp_path, alone)
    )
    assert all(torch.equal(with_watch[name], without[name]) for name in without)


def test_masks_are_those_of_bert() -> None:
    ids = torch.randint(4, 999, (400, 50), generator=torch.Generator().manual_seed(0))
    ids[:, 0], ids[:, 40], ids[:, 41:] = 0, 2, PAD
    changed, chosen = corrupt(ids, 300, 1000, torch.Generator().manual_seed(1))
    assert torch.equal(changed[300:], ids[300:])
    assert torch.equal(changed[:300][~chosen], ids[:300][~chosen])
    assert not chosen[:, 0].any()
    assert not chosen[:, 40:].any()
    assert chosen[:, 1:40].double().mean().item() == pytest.approx(0.2, abs=0.01)
    picked, was = changed[:300][chosen], ids[:300][chosen]
    assert (picked == 999).double().mean().item() == pytest.approx(0.8, abs=0.02)
    assert (picked == was).double().mean().item() == pytest.approx(0.1, abs=0.02)


def test_a_text_is_no_negative_of_its_own_anchor() -> None:
    anchors = unit_vectors(6, 5)
    which, others = torch.tensor([0, 1, 0]), torch.tensor([1, 4])
    contrastive, cosine = alignment_losses(anchors[which], which, anchors, others)
    assert cosine.item() == pytest.approx(0, abs=1e-6)
    allowed = [[0, 1, 4], [1, 0, 0, 4], [0, 1, 4]]  # its own anchor first
    expected = [
        -torch.log_softmax(16 * anchors[options] @ anchors[own], 0)[0].item()
        for own, options in zip([0, 1, 0], allowed, strict=True)
    ]
    expected[0] = expected[2] = -torch.log_softmax(16 * anchors[[0, 1, 1, 4]] @ anchors[0], 0)[
        0
    ].item()
    assert contrastive.item() == pytest.approx(np.mean(expected), abs=1e-5)


def test_the_student_s_layers_are_the_encoder_s() -> None:
    student = Student(configuration(60, 32)).eval()
    ids = torch.tensor([[0, 5, 6, 7, 2], [0, 8, 2, PAD, PAD]])
    states = student.encoder(
        ids, attention_mask=ids.ne(PAD).long(), output_hidden_states=True
    ).hidden_states
    hidden, wide = student.aligned(ids)
    is_text = ids.ne(PAD)
    assert torch.allclose(hidden[is_text], states[ALIGNED_LAYER][is_text], atol=1e-5)
    assert torch.allclose(student.top(hidden, wide)[is_text], states[-1][is_text], atol=1e-5)


def test_upper_layers_learn_slower_and_no_weight_is_left_out() -> None:
    student = Student(configuration(60, 32))
    groups = optimizer_for(student, 1e-3).param_groups
    counted = [id(value) for group in groups for value in group["params"]]
    assert sorted(counted) == sorted(id(value) for value in student.parameters())
    shares = {id(value): group["share"] for group in groups for value in group["params"]}
    layers = student.encoder.encoder.layer
    assert {shares[id(value)] for value in layers[5].parameters()} == {0.4}
    assert {shares[id(value)] for value in layers[3].parameters()} == {1.0}


def test_a_run_that_is_broken_off_ends_as_one_that_is_not(work: Path, tmp_path: Path) -> None:
    tokens, anchors, pieces = inputs(work)
    weights = []
    for name, stops in (("whole", [None]), ("broken", [1, 3, None])):
        folder = tmp_path / name
        folder.mkdir()
        for number, stop in enumerate(stops):
            torch.manual_seed(99 + number)  # nothing may hang on the generator that happens to be
            train(folder, tokens, anchors, pieces, SETTINGS, hidden=128, stop=stop)
        weights.append(torch.load(folder / "checkpoint.pt", weights_only=True)["student"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    with pytest.raises(ValueError, match="was made with"):
        train(folder, tokens, anchors, pieces, Settings(steps=5, budget=256), hidden=128)


def test_entries_of_steps_that_are_taken_again_are_dropped(tmp_path: Path) -> None:
    log = tmp_path / "train.jsonl"
    log.write_text("".join(f'{{"step": {step}}}\n' for step in (25, 50, 75)), encoding="utf-8")
    keep_entries(log, 60)
    assert log.read_text(encoding="utf-8").splitlines() == ['{"step": 25}', '{"step": 50}']
    keep_entries(tmp_path / "none.jsonl", 3)


def test_export_keeps_the_encoder_and_the_head(trained: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.json"
    scores.write_text('{"tatoeba": 1}', encoding="utf-8")
    folder = tmp_path / "exported"
    export(trained, folder, scores)
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
    assert content["scores"] == {"tatoeba": 1}
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

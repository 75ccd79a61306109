"""How the pocket encoder starts, what it learns from a batch, and how a run is taken up again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pocket_work import SETTINGS, inputs, unit_vectors
from tokenizers import Tokenizer

from pocket.batches import padded
from pocket.corpus import LANGUAGES
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

"""Classification gives the weights that its formulas give, written out plainly."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

import torch
from toy_training import SETTINGS, TRAIN, parts, training

from adaptstilts.adapter.attach import adapter_layers, read_weights, trainable
from adaptstilts.training.batches import step_batches
from adaptstilts.training.classification import shuffled_labels
from adaptstilts.training.schedule import learning_rate


def test_steps_are_those_of_the_formulas_bit_for_bit() -> None:
    one = training()
    list(one.run())

    base, head = parts()
    model = base.model
    weights = trainable(model, "sst2")
    weights |= {f"head.{name}": value for name, value in head.named_parameters()}
    optimizer = torch.optim.AdamW(
        [
            {"params": [w for w in weights.values() if w.ndim > 1], "weight_decay": 0.01},
            {"params": [w for w in weights.values() if w.ndim == 1], "weight_decay": 0.0},
        ],
        eps=1e-8,
    )
    head.train()
    for _, layer in adapter_layers(model):
        layer.lora_dropout["sst2"].train()
    drawn = step_batches(
        [len(ids) for ids in TRAIN.token_ids], tokens_per_batch=60, accumulation=2, seed=1
    )
    for step, batches in enumerate(islice(drawn, SETTINGS.steps), start=1):
        torch.manual_seed(random.Random(f"1/{step}").getrandbits(63))
        texts = sum(len(batch) for batch in batches)
        for batch in batches:
            longest = max(len(TRAIN.token_ids[index]) for index in batch)
            ids = torch.ones(len(batch), longest, dtype=torch.long)
            mask = torch.zeros(len(batch), longest, dtype=torch.long)
            for row, index in enumerate(batch):
                text = TRAIN.token_ids[index]
                ids[row, : len(text)] = torch.tensor(text)
                mask[row, : len(text)] = 1
            states = model(input_ids=ids, attention_mask=mask).last_hidden_state
            labels = torch.tensor([TRAIN.labels[index] for index in batch])
            loss = torch.nn.functional.cross_entropy(head(states, mask), labels, reduction="sum")
            (loss / texts).backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), SETTINGS.clip)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps=6, warmup=0.1, peak=3e-3)
        optimizer.step()
        optimizer.zero_grad()

    ours, theirs = read_weights(one.base.model, "sst2"), read_weights(model, "sst2")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    trained = one.objective.head.state_dict()
    assert all(torch.equal(trained[name], value) for name, value in head.state_dict().items())


def test_shuffled_labels_are_a_permutation_that_the_seed_decides() -> None:
    shuffled = shuffled_labels(TRAIN, seed=1)
    assert shuffled.token_ids is TRAIN.token_ids
    assert Counter(shuffled.labels) == Counter(TRAIN.labels)
    assert shuffled.labels != TRAIN.labels
    assert shuffled_labels(TRAIN, seed=1) == shuffled
    assert shuffled_labels(TRAIN, seed=2) != shuffled
    agreed = sum(map(int.__eq__, shuffled.labels, TRAIN.labels)) / len(TRAIN.labels)
    assert 0.2 < agreed < 0.8

"""What a sentiment adapter trained on English alone says of sentences in other languages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click
import torch

from adaptstilts.adapter.store import load as load_adapter
from adaptstilts.base.identity import POCKET, identify
from adaptstilts.base.load import Base, load_base, load_tokenizer
from adaptstilts.composition.activate import active
from adaptstilts.data.batches import collate, length_sorted
from adaptstilts.data.pocket import BUNDLED
from adaptstilts.data.tokens import tokenize
from adaptstilts.head.classification import ClassificationHead, new_head
from adaptstilts.head.store import load as load_head
from adaptstilts.metric.classification import accuracy, majority_share
from adaptstilts.metric.interval import wilson
from pocket.evaluate import read_rows

ADAPTER = "sentiment"
TWEETS = "tweet_sentiment_multilingual"
IDS_PER_BATCH = 4096

Labelled = tuple[list[str], list[int]]
"""Texts, and their labels: 0 negative, 1 positive."""


def pocket_sentiment() -> dict[str, Labelled]:
    """The bundled test sentences of every language."""
    found = {}
    for path in sorted((BUNDLED / "sentiment").glob("*/test.jsonl")):
        rows = read_rows(path)
        texts, labels = [row["sentence"] for row in rows], [int(row["label"]) for row in rows]
        found[path.parent.name] = (texts, labels)
    return found


def tweets(mirror: Path) -> dict[str, Labelled]:
    """The negative and the positive test tweets of every language; the neutral are left out.

    Hindi is among them, which the pocket encoder was not taught.
    """
    found = {}
    for path in sorted((mirror / TWEETS).glob("*/test.jsonl.gz")):
        rows = [row for row in read_rows(path) if int(row["label"]) != 1]
        texts, labels = [row["text"] for row in rows], [int(row["label"]) // 2 for row in rows]
        found[path.parent.name] = (texts, labels)
    return found


@torch.inference_mode()
def predict(base: Base, head: ClassificationHead, token_ids: list[list[int]]) -> list[int]:
    """The label with the highest score for each text, with the adapter switched on."""
    found = [0] * len(token_ids)
    with active(base.model, {ADAPTER: 1.0}):
        for batch in length_sorted([len(ids) for ids in token_ids], tokens_per_batch=IDS_PER_BATCH):
            texts = [token_ids[index] for index in batch]
            padding = base.model.config.pad_token_id
            input_ids, mask = collate(texts, padding_id=padding, rows=base.rows)
            states = base.model(input_ids=input_ids, attention_mask=mask).last_hidden_state
            for index, label in zip(batch, head(states, mask).argmax(dim=1).tolist(), strict=True):
                found[index] = label
    return found


def score(predicted: list[int], gold: list[int]) -> dict[str, float | int]:
    """Accuracy in per cent with its 95 % Wilson interval, n, and the majority class's share."""
    right = sum(map(int.__eq__, predicted, gold))
    low, high = wilson(right, len(gold))
    return {
        "n": len(gold),
        "accuracy": round(100 * accuracy(predicted, gold), 1),
        "low": round(100 * low, 1),
        "high": round(100 * high, 1),
        "majority": round(100 * majority_share(gold), 1),
    }


def evaluate(
    folder: Path, sets: Mapping[str, Mapping[str, Labelled]]
) -> dict[str, dict[str, dict[str, float | int]]]:
    """Scores an adapter of the pocket base.

    Args:
        folder: The adapter's folder in a run.
        sets: Data set → language → its texts and labels.

    Returns:
        Data set → language → what `score` gives.
    """
    identity = identify(POCKET, None)
    base = load_base(identity, revision=None, quantization="int8", compute="fp32", device="cpu")
    details = load_adapter(folder, base, ADAPTER).details
    head = new_head(
        width=base.shape.width,
        labels=len(details["labels"]),
        pooling=details["head"]["pooling"],
        dropout=0.0,
        seed=0,
    )
    load_head(folder, head.eval())
    tokenizer = load_tokenizer(identity, None)
    found: dict[str, dict[str, dict[str, float | int]]] = {}
    for name, languages in sets.items():
        found[name] = {}
        for language, (texts, gold) in languages.items():
            token_ids = tokenize(tokenizer, texts, max_length=details["training"]["max_length"])
            found[name][language] = score(predict(base, head, token_ids), gold)
    return found


@click.command()
@click.option("--adapter", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--mirror", type=click.Path(path_type=Path, exists=True), help="For the tweets.")
@click.option("--threads", default=2, show_default=True)
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The JSON to write.")
def main(adapter: Path, mirror: Path | None, threads: int, to: Path) -> None:
    """Scores the adapter in a run's folder (RUN/adapters/NAME) on sentiment in many languages."""
    torch.set_num_threads(threads)
    sets = {"pocket/sentiment": pocket_sentiment()}
    if mirror is not None:
        sets[TWEETS] = tweets(mirror)
    found = evaluate(adapter, sets)
    to.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for name, languages in found.items():
        for language, row in languages.items():
            click.echo(
                f"{name} {language}: {row['accuracy']} ({row['low']} to {row['high']}, "
                f"n {row['n']}; majority {row['majority']})"
            )


if __name__ == "__main__":
    main()

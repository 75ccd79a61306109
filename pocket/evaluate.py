"""Tatoeba accuracy of every layer: nearest neighbour by cosine, in both directions."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import XLMRobertaModel

from pocket.corpus import LANGUAGES
from pocket.export import encoder_of, exported_encoder
from pocket.training import PAD, mean_pooled

MACRO15 = tuple(LANGUAGES)[:15]
"""The first fifteen languages: the five that follow them are tests of the teaching alone."""


def read_tatoeba(data: Path, language: str) -> tuple[list[str], list[str]]:
    """A language's foreign sentences and their English translations."""
    path = data / "tatoeba" / f"tatoeba.{LANGUAGES[language]}-eng.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row["source_sentence"] for row in rows], [row["target_sentence"] for row in rows]


@torch.inference_mode()
def encode(encoder: XLMRobertaModel, tokenizer: Tokenizer, texts: list[str]) -> torch.Tensor:
    """Mean-pooled, L2-normalised vectors of all layers [layers + 1, texts, hidden]."""
    tokenizer.enable_truncation(128)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    config = encoder.config
    result = torch.zeros(config.num_hidden_layers + 1, len(ids), config.hidden_size)
    for start in range(0, len(order), 128):
        batch = order[start : start + 128]
        width = max(len(ids[i]) for i in batch)
        padded = torch.tensor([ids[i] + [PAD] * (width - len(ids[i])) for i in batch])
        mask = padded.ne(PAD)
        output = encoder(padded, attention_mask=mask.long(), output_hidden_states=True)
        for layer, hidden in enumerate(output.hidden_states):
            result[layer, batch] = functional.normalize(mean_pooled(hidden, mask), dim=1)
    return result


def accuracies(foreign: torch.Tensor, english: torch.Tensor) -> NDArray[np.float64]:
    """Share of right nearest neighbours, in per cent [layers, 2]: from foreign, from English."""
    truth = torch.arange(foreign.shape[1])
    scores = []
    for here, there in zip(foreign, english, strict=True):
        similar = here @ there.T
        scores.append(
            [(similar.argmax(axis) == truth).double().mean().item() * 100 for axis in (1, 0)]
        )
    return np.array(scores)


def evaluate(
    encoder: XLMRobertaModel, tokenizer: Tokenizer, data: Path, languages: list[str]
) -> dict[str, Any]:
    """Scores the encoder.

    Returns:
        Per language: n, and for each layer the accuracy from foreign, from English and their mean;
        `macro20` and `macro15`: the means over languages, for each layer.
    """
    found: dict[str, Any] = {}
    for language in languages:
        foreign, english = read_tatoeba(data, language)
        both = encode(encoder, tokenizer, foreign + english)
        scores = accuracies(both[:, : len(foreign)], both[:, len(foreign) :])
        found[language] = {
            "n": len(foreign),
            "from_foreign": scores[:, 0].round(2).tolist(),
            "from_english": scores[:, 1].round(2).tolist(),
            "mean": scores.mean(1).round(2).tolist(),
        }
    result: dict[str, Any] = {"metric": "accuracy, %", "layers": "hidden_states[0] first"}
    for name, group in (("macro20", tuple(LANGUAGES)), ("macro15", MACRO15)):
        if set(group) <= set(found):
            means = np.array([found[language]["mean"] for language in group])
            result[name] = means.mean(0).round(2).tolist()
    return {**result, "languages": found}


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A training checkpoint,")
@click.option("--tokenizer", type=click.Path(path_type=Path), help="and its tokenizer.json.")
@click.option("--folder", type=click.Path(path_type=Path), help="Or an exported folder.")
@click.option("--languages", default=",".join(LANGUAGES), show_default=True)
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The JSON to write.")
def main(
    data: Path,
    checkpoint: Path | None,
    tokenizer: Path | None,
    folder: Path | None,
    languages: str,
    to: Path,
) -> None:
    """Scores a checkpoint, or an exported folder, on Tatoeba."""
    if folder is not None:
        encoder, words = exported_encoder(folder), folder / "tokenizer.json"
    elif checkpoint is not None and tokenizer is not None:
        encoder, words = encoder_of(checkpoint), tokenizer
    else:
        raise click.UsageError("give --folder, or --checkpoint and --tokenizer")
    torch.set_num_threads(2)
    scores = evaluate(encoder, Tokenizer.from_file(str(words)), data, languages.split(","))
    to.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    for language, score in scores["languages"].items():
        click.echo(f"{language} {score['n']:5d} {score['mean']}")
    click.echo(f"macro20 {scores.get('macro20')}\nmacro15 {scores.get('macro15')}")


if __name__ == "__main__":
    main()

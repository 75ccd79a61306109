"""What the encoder can do: translations found at every layer, masked tokens told, neighbours.

The layer is chosen on held-out bitext, never on Tatoeba.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import XLMRobertaModel

from pocket.corpus import HELD_OUT, LANGUAGES, read_held_out
from pocket.export import encoder_of, exported_encoder, exported_head, head_of
from pocket.training import PAD, LanguageModelHead, corrupt, mean_pooled

MACRO15 = tuple(LANGUAGES)[:15]
"""The languages of the headline; the five that follow them have no teacher of their own."""

LONGEST = 128
TEXTS_PER_BATCH = 128

Bitext = tuple[list[str], list[str]]
"""Foreign sentences, and their English translations in the same order."""


def read_rows(path: Path) -> list[dict[str, str]]:
    """The objects of a JSON Lines file, gzipped or not."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_bitext(path: Path) -> Bitext:
    """A file of `source_sentence` (foreign) and `target_sentence` (English)."""
    rows = read_rows(path)
    return [row["source_sentence"] for row in rows], [row["target_sentence"] for row in rows]


def batches(tokenizer: Tokenizer, texts: Sequence[str]) -> list[tuple[list[int], torch.Tensor]]:
    """Batches of like length: the texts' places, and their padded ids [batch, length]."""
    tokenizer.enable_truncation(LONGEST)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    found = []
    for start in range(0, len(order), TEXTS_PER_BATCH):
        places = order[start : start + TEXTS_PER_BATCH]
        width = max(len(ids[i]) for i in places)
        padded = torch.tensor([ids[i] + [PAD] * (width - len(ids[i])) for i in places])
        found.append((places, padded))
    return found


@torch.inference_mode()
def encode(encoder: XLMRobertaModel, tokenizer: Tokenizer, texts: Sequence[str]) -> torch.Tensor:
    """Mean-pooled, L2-normalised vectors of all layers [layers + 1, texts, hidden]."""
    config = encoder.config
    result = torch.zeros(config.num_hidden_layers + 1, len(texts), config.hidden_size)
    for places, padded in batches(tokenizer, texts):
        mask = padded.ne(PAD)
        output = encoder(padded, attention_mask=mask.long(), output_hidden_states=True)
        for layer, hidden in enumerate(output.hidden_states):
            result[layer, places] = functional.normalize(mean_pooled(hidden, mask), dim=1)
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


def retrieval(
    encoder: XLMRobertaModel, tokenizer: Tokenizer, bitexts: Mapping[str, Bitext]
) -> dict[str, Any]:
    """Scores translation retrieval by cosine, in both directions.

    Returns:
        Per language: n, and for each layer the accuracy from foreign, from English and their mean;
        `macro20` and `macro15`: the means over languages, for each layer.
    """
    found: dict[str, Any] = {}
    for language, (foreign, english) in bitexts.items():
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


@torch.inference_mode()
def perplexity(
    encoder: XLMRobertaModel,
    head: LanguageModelHead,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    seed: int = 1,
) -> dict[str, float]:
    """The masked LM's pseudo-perplexity: exp of the mean cross-entropy of corrupted tokens.

    A fifth of the tokens is chosen as in training (80 % masked, 10 % replaced, 10 % kept).

    Returns:
        `n`: tokens told; `perplexity`: of the model; `unigram`: of these tokens' own frequencies in
        the texts, what a model without context could reach at best.
    """
    generator = torch.Generator().manual_seed(seed)
    words = encoder.embeddings.word_embeddings.weight
    total, told = 0.0, []
    counts = torch.zeros(len(words))
    for _, padded in batches(tokenizer, texts):
        corrupted, chosen = corrupt(padded, len(padded), len(words), generator)
        mask = padded.ne(PAD).long()
        hidden = encoder(corrupted, attention_mask=mask).last_hidden_state[chosen]
        truth = padded[chosen]
        total += functional.cross_entropy(head(hidden, words), truth, reduction="sum").item()
        told.append(truth)
        counts += torch.bincount(padded[padded > PAD], minlength=len(words))
    truth = torch.cat(told)
    surprise = -(counts / counts.sum()).log()[truth].mean().item()
    return {
        "n": len(truth),
        "perplexity": round(math.exp(total / len(truth)), 1),
        "unigram": round(math.exp(surprise), 1),
    }


def neighbours(
    encoder: XLMRobertaModel,
    tokenizer: Tokenizer,
    layer: int,
    queries: Sequence[str],
    pool: Sequence[tuple[str, str]],
    count: int = 5,
) -> list[dict[str, Any]]:
    """The nearest of a pool of (language, text) to each query, by cosine at one layer."""
    vectors = encode(encoder, tokenizer, [*queries, *(text for _, text in pool)])[layer]
    similar = vectors[: len(queries)] @ vectors[len(queries) :].T
    found = []
    for query, row in zip(queries, similar, strict=True):
        best = row.topk(count)
        found.append(
            {
                "query": query,
                "nearest": [
                    {"language": pool[i][0], "text": pool[i][1], "cosine": round(value, 3)}
                    for value, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
                ],
            }
        )
    return found


def best_layer(scores: Mapping[str, Any]) -> int:
    """The layer with the best mean over languages."""
    return int(np.argmax(scores["macro20"]))


@click.command()
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A training checkpoint,")
@click.option("--tokenizer", type=click.Path(path_type=Path), help="and its tokenizer.json.")
@click.option("--folder", type=click.Path(path_type=Path), help="Or an exported folder.")
@click.option("--held-out", type=click.Path(path_type=Path), help="The pretraining text.")
@click.option("--bitext", type=click.Path(path_type=Path), help="The product's pocket bitext.")
@click.option("--mirror", type=click.Path(path_type=Path), help="A data mirror, for Tatoeba.")
@click.option("--threads", default=2, show_default=True)
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The JSON to write.")
def main(
    checkpoint: Path | None,
    tokenizer: Path | None,
    folder: Path | None,
    held_out: Path | None,
    bitext: Path | None,
    mirror: Path | None,
    threads: int,
    to: Path,
) -> None:
    """Scores a checkpoint, or an exported folder, on what is given."""
    if folder is not None:
        encoder, path = exported_encoder(folder), folder / "tokenizer.json"
        head = exported_head(folder, encoder.config)
    elif checkpoint is not None and tokenizer is not None:
        encoder, path = encoder_of(checkpoint), tokenizer
        head = head_of(checkpoint, encoder.config)
    else:
        raise click.UsageError("give --folder, or --checkpoint and --tokenizer")
    torch.set_num_threads(threads)
    words = Tokenizer.from_file(str(path))
    result: dict[str, Any] = {}
    if held_out is not None:
        pairs = {code: read_held_out(held_out, code) for code in LANGUAGES}
        scores = retrieval(encoder, words, pairs)
        result["held_out"] = {"bitext": HELD_OUT, "layer": best_layer(scores), **scores}
        texts = {"en": pairs["de"][1]} | {code: foreign for code, (foreign, _) in pairs.items()}
        result["masked_lm"] = {
            code: perplexity(encoder, head, words, found) for code, found in texts.items()
        }
    if bitext is not None:
        found = {code: read_bitext(bitext / f"{code}-en.jsonl") for code in LANGUAGES}
        result["pocket_bitext"] = retrieval(encoder, words, found)
        layer = best_layer(result.get("held_out", result["pocket_bitext"]))
        english = found["de"][1]
        pool = [(code, text) for code, (foreign, _) in found.items() for text in foreign]
        result["neighbours"] = neighbours(encoder, words, layer, english[5:300:60], pool)
    if mirror is not None:
        paths = {
            code: mirror / "tatoeba" / f"tatoeba.{iso3}-eng.jsonl.gz"
            for code, iso3 in LANGUAGES.items()
        }
        result["tatoeba"] = retrieval(
            encoder, words, {code: read_bitext(path) for code, path in paths.items()}
        )
    to.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, scores in result.items():
        if "macro20" in scores:
            click.echo(f"{name} macro20 {scores['macro20']} macro15 {scores['macro15']}")
    if "masked_lm" in result:
        told = {code: one["perplexity"] for code, one in result["masked_lm"].items()}
        click.echo(f"layer chosen on {HELD_OUT}: {result['held_out']['layer']}; perplexity {told}")


if __name__ == "__main__":
    main()

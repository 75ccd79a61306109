"""What the encoder can do: translations found at every layer, masked tokens told, neighbours.

The layer is chosen on held-out bitext, never on Tatoeba.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import XLMRobertaModel

from adaptstilts.metric.bootstrap import cluster_ids
from adaptstilts.metric.summary import MACRO, summarize
from adaptstilts.record.files import write_text
from pocket import teacher
from pocket.corpus import HELD_OUT, LANGUAGES, read_held_out
from pocket.export import exported, unpacked
from pocket.training import FIRST_PIECE, MASK_SHARE, PAD, LanguageModelHead, mean_pooled

MACRO15 = tuple(LANGUAGES)[:15]
"""The languages of the headline; all but Indonesian are the teacher's too."""

LONGEST = 128
LONGEST_HELD_OUT = 48
"""Most ids of a text; news sentences are cut to what nearly all of the training text kept to."""

HELD_OUT_SENTENCES = 500
"""How many of the held-out sentences are scored, in each language."""

TEXTS_PER_BATCH = 128

Bitext = tuple[list[str], list[str]]
"""Foreign sentences, and their English translations in the same order."""

Encode = Callable[[Sequence[str]], torch.Tensor]
"""Texts → unit vectors of all layers [layers, texts, width]."""


def read_rows(path: Path) -> list[dict[str, str]]:
    """The objects of a JSON Lines file, gzipped or not."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read_bitext(path: Path) -> Bitext:
    """A file of `source_sentence` (foreign) and `target_sentence` (English)."""
    rows = read_rows(path)
    return [row["source_sentence"] for row in rows], [row["target_sentence"] for row in rows]


def batches(
    tokenizer: Tokenizer, texts: Sequence[str], longest: int
) -> list[tuple[list[int], torch.Tensor]]:
    """Batches of like length: the texts' places, and their padded ids [batch, length]."""
    tokenizer.enable_truncation(longest)
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
def encode(
    encoder: XLMRobertaModel, tokenizer: Tokenizer, texts: Sequence[str], longest: int = LONGEST
) -> torch.Tensor:
    """Mean-pooled, L2-normalised vectors of all layers [layers + 1, texts, hidden]."""
    config = encoder.config
    result = torch.zeros(config.num_hidden_layers + 1, len(texts), config.hidden_size)
    for places, padded in batches(tokenizer, texts, longest):
        mask = padded.ne(PAD)
        output = encoder(padded, attention_mask=mask.long(), output_hidden_states=True)
        for layer, hidden in enumerate(output.hidden_states):
            result[layer, places] = functional.normalize(mean_pooled(hidden, mask), dim=1)
    return result


def teacher_encode(texts: Sequence[str]) -> torch.Tensor:
    """The teacher's own vectors, as one layer [1, texts, 512]."""
    return functional.normalize(torch.from_numpy(teacher.encode(list(texts))), dim=1)[None]


def hits(foreign: torch.Tensor, english: torch.Tensor) -> NDArray[np.float64]:
    """Which nearest neighbours are right [layers, 2, texts]: from foreign, and from English."""
    truth = torch.arange(foreign.shape[1])
    found = []
    for here, there in zip(foreign, english, strict=True):
        similar = here @ there.T
        found.append(torch.stack([similar.argmax(axis) == truth for axis in (1, 0)]))
    return torch.stack(found).double().numpy()


def retrieval(encode: Encode, bitexts: Mapping[str, Bitext]) -> dict[str, Any]:
    """Scores translation retrieval by cosine, in both directions.

    Args:
        encode: The encoder under test. English sentences that languages share are encoded once.
        bitexts: Language → its bitext.

    Returns:
        Per language: n, and for each layer the accuracy from foreign, from English and their mean.
        `macro20` and `macro15`: the means over languages, for each layer; `macro15_low` and
        `macro15_high`: the 95 % interval, resampled by English sentence.
    """
    right: dict[str, NDArray[np.float64]] = {}
    known: list[str] | None = None
    for language, (foreign, english) in bitexts.items():
        if english != known:
            known, goals = english, encode(english)
        right[language] = hits(encode(foreign), goals)
    result: dict[str, Any] = {"metric": "accuracy, %", "layers": "hidden_states[0] first"}
    means = {language: 100 * found.mean((1, 2)) for language, found in right.items()}
    for name, group in (("macro20", tuple(LANGUAGES)), ("macro15", MACRO15)):
        if set(group) <= set(means):
            result[name] = np.mean([means[code] for code in group], 0).round(2).tolist()
    if set(MACRO15) <= set(right):
        clusters = cluster_ids([bitexts[code][1] for code in MACRO15])
        found = summarize([[right[code].mean(1).T for code in MACRO15]], clusters)[MACRO]
        result["macro15_low"] = (100 * found.low).round(2).tolist()
        result["macro15_high"] = (100 * found.high).round(2).tolist()
    result["languages"] = {
        language: {
            "n": found.shape[2],
            "from_foreign": (100 * found[:, 0].mean(1)).round(2).tolist(),
            "from_english": (100 * found[:, 1].mean(1)).round(2).tolist(),
            "mean": means[language].round(2).tolist(),
        }
        for language, found in right.items()
    }
    return result


@torch.inference_mode()
def perplexity(
    encoder: XLMRobertaModel,
    head: LanguageModelHead,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    seed: int = 1,
) -> dict[str, float]:
    """Exp of the masked LM's mean cross-entropy, with a fifth of the tokens masked.

    It depends on how a language falls into pieces, so it compares encoders, not languages.

    Returns:
        `n`: tokens predicted. `perplexity`: the model's. `unigram`: that of the pieces' frequencies
        in these very texts, which no model without context can beat.
    """
    generator = torch.Generator().manual_seed(seed)
    words = encoder.embeddings.word_embeddings.weight
    counts = torch.zeros(len(words), dtype=torch.double)
    total, truths = 0.0, []
    for _, padded in batches(tokenizer, texts, LONGEST_HELD_OUT):
        is_piece = padded.ge(FIRST_PIECE)
        chosen = is_piece & (torch.rand(padded.shape, generator=generator) < MASK_SHARE)
        masked = padded.masked_fill(chosen, len(words) - 1)
        hidden = encoder(masked, attention_mask=padded.ne(PAD).long()).last_hidden_state
        truth = padded[chosen]
        scores = head(hidden[chosen], words)
        total += functional.cross_entropy(scores, truth, reduction="sum").item()
        truths.append(truth)
        counts += torch.bincount(padded[is_piece], minlength=len(words))
    truth = torch.cat(truths)
    entropy = -(counts / counts.sum()).log()[truth].mean().item()
    return {
        "n": len(truth),
        "perplexity": round(math.exp(total / len(truth)), 1),
        "unigram": round(math.exp(entropy), 1),
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


@dataclass(frozen=True)
class Texts:
    """Language → bitext, of each kind; empty where it was not asked for."""

    held_out: dict[str, Bitext]
    pocket: dict[str, Bitext]
    tatoeba: dict[str, Bitext]


def retrieval_of(encode: Encode, held_out: Encode, texts: Texts) -> dict[str, Any]:
    """Retrieval on every bitext that is given; `layer` is the best on held-out text."""
    result: dict[str, Any] = {}
    if texts.held_out:
        scores = retrieval(held_out, texts.held_out)
        result["held_out"] = {"bitext": HELD_OUT, "layer": best_layer(scores), **scores}
    if texts.pocket:
        result["pocket_bitext"] = retrieval(encode, texts.pocket)
    if texts.tatoeba:
        result["tatoeba"] = retrieval(encode, texts.tatoeba)
    return result


def read_bundled(folder: Path) -> dict[str, Bitext]:
    """The bundled bitext: language → its sentences."""
    return {code: read_bitext(folder / f"{code}-en.jsonl") for code in LANGUAGES}


def read_held_out_bitext(data: Path) -> dict[str, Bitext]:
    """The first held-out sentences: language → its sentences."""
    found = {code: read_held_out(data, code) for code in LANGUAGES}
    return {
        code: (x[:HELD_OUT_SENTENCES], y[:HELD_OUT_SENTENCES]) for code, (x, y) in found.items()
    }


def read_texts(held_out: Path | None, bitext: Path | None, mirror: Path | None) -> Texts:
    """Reads what is scored: pretraining text, the bundled bitext, a mirror's Tatoeba."""
    return Texts(
        {} if held_out is None else read_held_out_bitext(held_out),
        {} if bitext is None else read_bundled(bitext),
        {}
        if mirror is None
        else {
            code: read_bitext(mirror / "tatoeba" / f"tatoeba.{iso3}-eng.jsonl.gz")
            for code, iso3 in LANGUAGES.items()
        },
    )


@click.command()
@click.option("--work", type=click.Path(path_type=Path, exists=True), help="A work folder,")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="or an exported one,")
@click.option("--teacher", "is_teacher", is_flag=True, help="or the teacher itself.")
@click.option("--held-out", type=click.Path(path_type=Path, exists=True), help="Pretraining text.")
@click.option("--bitext", type=click.Path(path_type=Path, exists=True), help="The bundled bitext.")
@click.option("--mirror", type=click.Path(path_type=Path, exists=True), help="For Tatoeba.")
@click.option("--threads", default=2, show_default=True)
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The JSON to write.")
def main(
    work: Path | None,
    folder: Path | None,
    is_teacher: bool,
    held_out: Path | None,
    bitext: Path | None,
    mirror: Path | None,
    threads: int,
    to: Path,
) -> None:
    """Scores an encoder on what is given."""
    if [work, folder, is_teacher or None].count(None) != 2:
        raise click.UsageError("give one of --work, --folder and --teacher")
    torch.set_num_threads(threads)
    texts = read_texts(held_out, bitext, mirror)
    found = exported(folder) if folder else unpacked(work) if work else None
    if found is None:
        result = retrieval_of(teacher_encode, teacher_encode, texts)
    else:
        encoder, head, path = found
        tokenizer = Tokenizer.from_file(str(path))
        result = retrieval_of(
            partial(encode, encoder, tokenizer),
            partial(encode, encoder, tokenizer, longest=LONGEST_HELD_OUT),
            texts,
        )
        if texts.held_out:
            foreign = {code: pairs[0] for code, pairs in texts.held_out.items()}
            result["masked_lm"] = {
                code: perplexity(encoder, head, tokenizer, sentences)
                for code, sentences in {"en": texts.held_out["de"][1], **foreign}.items()
            }
        if texts.held_out and texts.pocket:
            pool = [(code, text) for code, pairs in texts.pocket.items() for text in pairs[0]]
            queries = texts.pocket["de"][1][5:300:60]
            layer = result["held_out"]["layer"]
            result["neighbours"] = neighbours(encoder, tokenizer, layer, queries, pool)
    write_text(to, json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    for name, scores in result.items():
        if "macro20" in scores:
            click.echo(f"{name} macro20 {scores['macro20']} macro15 {scores['macro15']}")
    if "held_out" in result:
        click.echo(f"layer chosen on {HELD_OUT}: {result['held_out']['layer']}")


if __name__ == "__main__":
    main()

"""Trains the tokenizer: a unigram model with XLM-R's special tokens, ids and normalisation."""

from __future__ import annotations

import io
import json
from pathlib import Path

import click
import numpy as np
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from adaptstilts.record.files import write_text
from pocket.batches import draw, read_examples, sampling_probabilities

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")
MASK_TOKEN = "<mask>"
MAX_LENGTH = 128
PIECES = 35_000
LINES = 1_000_000
"""How many texts are drawn."""

Piece = tuple[str, float]
"""A piece and its log probability."""


def sample_lines(work: Path, lines: int, seed: int) -> list[str]:
    """Draws examples with the probabilities with which the encoder will see them."""
    labels, texts = read_examples(work)
    cumulative = np.cumsum(sampling_probabilities(labels))
    drawn = draw(cumulative, lines, np.random.default_rng(seed))
    return [texts[i].replace("\u200d", " ") for i in drawn]


def train_pieces(lines: list[str], pieces: int, threads: int) -> tuple[list[Piece], bytes]:
    """Trains a unigram model.

    Returns:
        The pieces with their log probabilities, without special tokens, and the compiled
        `nmt_nfkc` normalisation rules.
    """
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="unigram",
        vocab_size=pieces,
        character_coverage=0.9995,
        normalization_rule_name="nmt_nfkc",
        num_threads=threads,
        num_sub_iterations=2,
        max_sentence_length=4000,
        hard_vocab_limit=False,
        minloglevel=1,
    )
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())  # type: ignore[attr-defined]
    normal = [(piece.piece, round(piece.score, 4)) for piece in proto.pieces if piece.type == 1]
    return normal, proto.normalizer_spec.precompiled_charsmap


def build_tokenizer(pieces: list[Piece], rules: bytes) -> Tokenizer:
    """Assembles the tokenizer: XLM-R's order of ids, `<s> A </s></s> B </s>` for a pair."""
    vocabulary = [(token, 0.0) for token in SPECIAL_TOKENS] + pieces + [(MASK_TOKEN, 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
    steps: list[normalizers.Normalizer] = [normalizers.Replace("\u200d", " ")]
    if rules:
        steps.append(normalizers.Precompiled(rules))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("▁", "always")]
    )
    tokenizer.decoder = decoders.Metaspace("▁", "always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL_TOKENS])
    tokenizer.add_special_tokens([AddedToken(MASK_TOKEN, lstrip=True, special=True)])
    return tokenizer


def tokenizer_config() -> dict[str, object]:
    """What `transformers` reads beside `tokenizer.json`."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "cls_token": "<s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "mask_token": {
            "__type": "AddedToken",
            "content": "<mask>",
            "lstrip": True,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": True,
        },
        "model_max_length": MAX_LENGTH,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
    }


def write_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Writes `tokenizer.json` and `tokenizer_config.json`."""
    config = json.dumps(tokenizer_config(), indent=2, ensure_ascii=False)
    write_text(folder / "tokenizer_config.json", config + "\n")
    write_text(folder / "tokenizer.json", tokenizer.to_str(pretty=False))


@click.command()
@click.option("--work", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(work: Path, threads: int, seed: int) -> None:
    """Trains the tokenizer on WORK's examples and writes it to WORK/tokenizer."""
    if (work / "tokenizer" / "tokenizer.json").exists():
        click.echo("tokenizer: there already")
        return
    text = sample_lines(work, LINES, seed)
    tokenizer = build_tokenizer(*train_pieces(text, PIECES, threads))
    write_tokenizer(tokenizer, work / "tokenizer")
    click.echo(f"tokenizer: {tokenizer.get_vocab_size()} pieces from {len(text)} lines")


if __name__ == "__main__":
    main()

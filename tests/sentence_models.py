"""The pocket encoder as a sentence-transformers model on disk, as the hub's models are stored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from transformers import XLMRobertaModel

from adaptstilts.base.identity import pocket_folder
from adaptstilts.base.store import load

MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]


def write_sentence_transformer(folder: Path) -> Path:
    """Writes the bundled encoder with a mean over `<s>`, pieces and `</s>`; returns the folder.

    Its weights are 32-bit floats read from the packed file; the loader of bases has no part in it.
    """
    source = pocket_folder()
    config = XLMRobertaModel.config_class.from_pretrained(source)
    model = XLMRobertaModel(config, add_pooling_layer=False)
    model.load_state_dict(load(source / "model.safetensors"))
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder / name)
    pooling = {"word_embedding_dimension": config.hidden_size, "pooling_mode_mean_tokens": True}
    for path, content in (
        ("modules.json", MODULES),
        ("1_Pooling/config.json", pooling),
        ("sentence_bert_config.json", {"max_seq_length": 128, "do_lower_case": False}),
    ):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(json.dumps(content), encoding="utf-8")
    return folder

"""The shipped pocket encoder: its size, its digests, and that its masked-LM head belongs to it."""

from __future__ import annotations

import hashlib
import json

import torch
from safetensors.torch import load_file

from adaptstilts.base.identity import identify, pocket_folder
from adaptstilts.base.load import load_base, load_tokenizer

MOST_BYTES = 14_000_000


def test_the_folder_is_small_and_its_card_tells_its_digests() -> None:
    folder = pocket_folder()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= MOST_BYTES
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert set(card["sha256"]) == {"model.safetensors", "lm_head.safetensors", "tokenizer.json"}
    for name, digest in card["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert (6 <= card["layers"] <= 8, 256 <= card["hidden"] <= 384) == (True, True)


def test_the_aligned_layer_is_the_one_that_held_out_text_prefers() -> None:
    card = json.loads((pocket_folder() / "card.json").read_text(encoding="utf-8"))
    assert card["scores"]["held_out"]["layer"] == card["aligned_layer"] == 4


def test_the_head_guesses_better_than_chance_on_the_encoder_s_states() -> None:
    identity = identify("pocket", None)
    base = load_base(identity, revision=None, quantization="none", compute="fp32", device="cpu")
    head = load_file(pocket_folder() / "lm_head.safetensors")
    tokenizer = load_tokenizer(identity, None)
    text = "The train to the city was late because of the snow."
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    with torch.no_grad():
        states = base.model(input_ids=ids).last_hidden_state[0]
    inner = torch.nn.functional.linear(
        states, head["lm_head.dense.weight"].float(), head["lm_head.dense.bias"].float()
    )
    inner = torch.nn.functional.layer_norm(
        torch.nn.functional.gelu(inner),
        inner.shape[-1:],
        head["lm_head.layer_norm.weight"].float(),
        head["lm_head.layer_norm.bias"].float(),
    )
    words = base.model.get_input_embeddings().weight.float()
    scores = inner @ words.T + head["lm_head.bias"].float()
    # Nothing is masked here: the head's surprise at what it sees must be far below log(pieces).
    surprise = torch.nn.functional.cross_entropy(scores[1:-1], ids[0, 1:-1]).item()
    assert surprise < 0.75 * torch.tensor(float(len(words))).log().item()

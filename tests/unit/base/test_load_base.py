"""Loading a base from a folder or the package."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from builders import QUANTIZATIONS, padded, states, tiny_base, tiny_encoder, token_ids
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel, XLMRobertaForMaskedLM

from adaptstilts.base.hidden_states import pooled_states
from adaptstilts.base.identity import identify, pocket_folder
from adaptstilts.base.load import (
    Base,
    check_device,
    load_base,
    load_tokenizer,
    random_encoder,
)
from adaptstilts.base.shape import Shape
from adaptstilts.data.tokens import tokenize
from adaptstilts.errors import DataError, HubError, MachineError

COMMIT = "0" * 40


def with_tokenizer(folder: Path) -> Path:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(pocket_folder() / name, folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_encoder().save_pretrained(tmp_path / "encoder")
    return with_tokenizer(tmp_path / "encoder")


def load(folder: Path | str, quantization: str = "none") -> Base:
    return load_base(
        identify(str(folder), None),
        revision=None,
        quantization=quantization,
        compute="fp32",
        device="cpu",
    )


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_a_folder_of_save_pretrained_loads_as_it_was(folder: Path, quantization: str) -> None:
    texts = token_ids(3)
    base, direct = load(folder, quantization), tiny_base(quantization)
    assert base.weights == direct.weights
    assert torch.equal(states(base, texts), states(direct, texts))
    assert base.shape == direct.shape


def test_a_model_with_a_head_loads_as_its_bare_encoder(tmp_path: Path) -> None:
    encoder = tiny_encoder()
    whole = XLMRobertaForMaskedLM(encoder.config)
    whole.roberta.load_state_dict(encoder.state_dict())
    whole.save_pretrained(tmp_path / "whole")
    assert load(with_tokenizer(tmp_path / "whole")).weights == tiny_base().weights


def test_half_precision_weights_load_in_full_precision(folder: Path) -> None:
    path = folder / "model.safetensors"
    halves = {name: tensor.half() for name, tensor in load_file(path).items()}
    save_file(halves, path, metadata={"format": "pt"})
    base = load(folder)
    assert {p.dtype for p in base.model.parameters()} == {torch.float32}


def test_missing_weights_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    weights.pop("encoder.layer.1.attention.self.key.weight")
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(
        DataError, match=r"lacks 1 weights .* encoder\.layer\.1\.attention\.self\.key\.weight"
    ):
        load(folder)


def test_another_kind_of_encoder_is_refused(tmp_path: Path) -> None:
    config = BertConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=20,
    )
    # All of BERT's weights have the names and shapes of XLM-R's, but its positions start at 0.
    BertModel(config).save_pretrained(tmp_path / "bert")
    with pytest.raises(DataError, match="is of the type 'bert'"):
        load(with_tokenizer(tmp_path / "bert"))


def test_the_hub_without_a_connection_says_what_to_do() -> None:
    identity = identify("nobody/nothing", COMMIT)
    with pytest.raises(HubError, match="Connect once so that it is cached"):
        load_tokenizer(identity, COMMIT)
    with pytest.raises(HubError, match=f"nobody/nothing@{COMMIT}"):
        load_base(identity, revision=COMMIT, quantization="int8", compute="fp32", device="cpu")


def test_a_device_that_is_not_there_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    check_device("cpu")
    with pytest.raises(MachineError, match=r"base\.device=cpu"):
        check_device("cuda")
    with pytest.raises(MachineError):
        load_base(
            identify(str(folder), None),
            revision=None,
            quantization="int8",
            compute="fp32",
            device="cuda",
        )


def test_random_weights_leave_the_global_generator_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one = random_encoder(Shape(1, 8, 2, 16, 20, 10), seed=3)
    assert torch.equal(torch.rand(3), expected)
    two = random_encoder(Shape(1, 8, 2, 16, 20, 10), seed=3)
    assert all(map(torch.equal, one.parameters(), two.parameters()))


@pytest.fixture(scope="module")
def pocket() -> Base:
    return load("pocket", "int8")


def vectors(base: Base, texts: list[str], layer: int) -> torch.Tensor:
    assert base.tokenizer is not None
    ids = tokenize(base.tokenizer, texts, max_length=128)
    pooled = pooled_states(base.model, *padded(ids), [layer])[0]
    return torch.nn.functional.normalize(pooled, dim=1)


def test_pocket_knows_its_tokenizer(pocket: Base) -> None:
    tokenizer = pocket.tokenizer
    assert tokenizer is not None
    (ids,) = tokenize(tokenizer, ["The house is small."], max_length=128)
    assert ids[0] == tokenizer.bos_token_id == 0
    assert ids[-1] == tokenizer.eos_token_id == 2
    assert tokenizer.pad_token_id == pocket.model.config.pad_token_id == 1
    assert tokenizer.decode(ids, skip_special_tokens=True) == "The house is small."
    assert len(tokenizer) <= pocket.shape.pieces


def test_pocket_has_every_weight_and_no_tensor_left_on_meta(pocket: Base) -> None:
    tensors = [*pocket.model.parameters(), *pocket.model.buffers()]
    assert not any(tensor.is_meta for tensor in tensors)
    assert all(torch.isfinite(tensor.float()).all() for tensor in tensors)


def test_pocket_puts_translations_together_in_layer_4(pocket: Base) -> None:
    english = ["I am hungry.", "Where is the station?", "My brother has a red car."]
    foreign = ["Ich habe Hunger.", "Wo ist der Bahnhof?", "Mein Bruder hat ein rotes Auto."]
    similarity = vectors(pocket, english, 4) @ vectors(pocket, foreign, 4).T
    pairs = similarity.diagonal()
    others = similarity[~torch.eye(3, dtype=torch.bool)]
    assert pairs.min() > others.max()


def test_a_hub_that_does_not_answer_is_told_at_once(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    code = (
        "from adaptstilts.base.identity import identify\n"
        "from adaptstilts.base.load import load_tokenizer\n"
        "from adaptstilts.errors import HubError\n"
        "try:\n"
        "    load_tokenizer(identify('some/encoder', '0' * 40), '0' * 40)\n"
        "except HubError as error:\n"
        "    print(error)\n"
    )
    environment = {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{port}",
        "HF_HOME": str(tmp_path),
    }
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert f"some/encoder@{'0' * 40}" in done.stdout
    assert "--profile pocket" in done.stdout
    assert "retr" not in done.stderr.lower(), "it must not go through rounds of retries"

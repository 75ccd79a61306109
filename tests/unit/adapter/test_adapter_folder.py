"""An adapter's folder is looked through before anything is loaded, whoever wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from builders import (
    EVERY_TARGET,
    TINY,
    add_adapter,
    save_adapter,
    states,
    tiny_base,
    tiny_encoder,
    token_ids,
)
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import XLMRobertaForSequenceClassification

from adaptstilts.adapter import store
from adaptstilts.adapter.attach import delta_norms, read_weights
from adaptstilts.adapter.folder import CONFIG, PROVENANCE, WEIGHTS, digest_of, look_through
from adaptstilts.base.load import Base
from adaptstilts.base.shape import Shape
from adaptstilts.composition.activate import active
from adaptstilts.errors import AdapterError, DataError

TEXTS = token_ids(4)


def saved(folder: Path, base: Base | None = None) -> Path:
    base = base or tiny_base()
    add_adapter(base, targets=EVERY_TARGET)
    return save_adapter(base, folder)


def with_head(folder: Path, **settings: object) -> Path:
    """A classifier of the tiny encoder with a LoRA that PEFT made, saved as PEFT saves it."""
    encoder = tiny_encoder()
    encoder.config.num_labels = 2
    model = XLMRobertaForSequenceClassification(encoder.config)
    model.roberta.load_state_dict(encoder.state_dict())
    config = LoraConfig(task_type=TaskType.SEQ_CLS, r=4, lora_alpha=8, **settings)
    wrapped = get_peft_model(model, config)
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)
    wrapped.save_pretrained(folder)
    return folder


def test_it_tells_size_layers_base_and_seed(tmp_path: Path) -> None:
    folder = saved(tmp_path / "sst2")
    found = look_through(folder, TINY)
    assert found.parameters == sum(
        weight.numel() for weight in load_file(folder / WEIGHTS).values()
    )
    assert (found.first_layer, found.last_layer, found.base) == (1, TINY.layers, "tiny")
    assert found.provenance is not None
    assert found.seed is None  # its provenance has no section `training`
    told = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    told["details"]["training"] = {"seed": 7}
    (folder / PROVENANCE).write_text(json.dumps(told), encoding="utf-8")
    again = look_through(folder, None)
    assert (again.seed, again.digest) == (7, found.digest)


def test_the_lowest_layer_is_found(tmp_path: Path) -> None:
    found = look_through(with_head(tmp_path / "a", layers_to_transform=[1, 2]), TINY)
    assert (found.first_layer, found.last_layer) == (2, 3)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_the_digest_follows_the_files_that_decide(tmp_path: Path, name: str) -> None:
    folder = saved(tmp_path / "sst2")
    before = digest_of(folder)
    (folder / "README.md").write_text("words", encoding="utf-8")
    assert digest_of(folder) == before
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    assert digest_of(folder) != before


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_rslora": True},
        {"rank_pattern": {"value": 2}, "alpha_pattern": {"layer.1.attention.self.query": 32}},
        {
            "target_modules": r"roberta\.encoder\.layer\.[12]\..*\.(key|dense)",
            "alpha_pattern": {"roberta.encoder.layer.1.output.dense": 32},
        },
    ],
)
def test_an_adapter_that_peft_made_inside_a_model_with_a_head_gives_equal_states(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    folder = with_head(tmp_path / "plain", **settings)
    model = XLMRobertaForSequenceClassification(tiny_encoder().config)
    model.roberta.load_state_dict(tiny_encoder().state_dict())
    theirs = PeftModel.from_pretrained(model, str(folder)).eval().base_model.model.roberta
    base = tiny_base("none")
    store.load_stored(folder, base, "ours", digest=look_through(folder, TINY).digest)
    bare = states(base, TEXTS)
    with active(base.model, {"ours": 1.0}):
        ours = states(base, TEXTS)
    assert not torch.equal(ours, bare)
    base.model = theirs
    torch.testing.assert_close(ours, states(base, TEXTS), rtol=0.0, atol=1e-5)


def test_ours_without_its_provenance_is_the_same_adapter(tmp_path: Path) -> None:
    folder = saved(tmp_path / "sst2")
    ours, plain = tiny_base(), tiny_base()
    digest = look_through(folder, TINY).digest
    store.load_stored(folder, ours, "a", digest=digest)
    (folder / PROVENANCE).unlink()
    store.load_stored(folder, plain, "a", digest=digest)
    found, expected = read_weights(plain.model, "a"), read_weights(ours.model, "a")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert delta_norms(plain.model, "a") == delta_norms(ours.model, "a")


def test_another_base_a_change_and_a_dead_adapter_are_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "sst2")
    digest = digest_of(folder)
    with pytest.raises(AdapterError, match="was trained on"):
        store.load_stored(folder, tiny_base(seed=1), "a", digest=digest)
    with pytest.raises(AdapterError, match="was changed since the run began"):
        store.load_stored(folder, tiny_base(), "a", digest="0" * 64)
    weights = {
        key: torch.zeros_like(weight) if "lora_B" in key else weight
        for key, weight in load_file(folder / WEIGHTS).items()
    }
    save_file(weights, folder / WEIGHTS)
    (folder / PROVENANCE).unlink()
    base = tiny_base()
    with pytest.raises(AdapterError, match="does nothing"):
        store.load_stored(folder, base, "a", digest=digest_of(folder))
    assert not hasattr(base.model, "peft_config")


def change_config(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8")) | changes
        (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")

    return change


def rename_weights(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        weights = load_file(folder / WEIGHTS)
        save_file(
            {key.replace(old, new): value for key, value in weights.items()}, folder / WEIGHTS
        )

    return change


def pickled(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_config(peft_type="IA3"), "of the kind 'IA3'; LoRA alone"),
        (change_config(use_dora=True), "a LoRA with DoRA"),
        (change_config(bias="all"), "a LoRA with trained biases"),
        (change_config(init_lora_weights="pissa"), "a changed base"),
        (lambda folder: (folder / CONFIG).write_text("{"), "is no JSON"),
        (lambda folder: (folder / CONFIG).unlink(), "adapter_config.json missing"),
        (pickled, "save it again as safetensors"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"no"), "is no safetensors file"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"\xff" * 99), "its header is too long"),
        (rename_weights("encoder.layer", "model.layers"), "of no linear layer of an XLM-R"),
        (rename_weights("self.query", "self.q_proj"), "of no linear layer of an XLM-R"),
        (rename_weights("lora_A", "lora_embedding_A"), "of no linear layer of an XLM-R"),
        (rename_weights("layer.2", "layer.3"), "changes layer 4, and the base has 3"),
    ],
)
def test_a_wrong_folder_is_refused(
    tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    folder = saved(tmp_path / "sst2")
    look_through(folder, TINY)
    change(folder)
    with pytest.raises(DataError, match=message):
        look_through(folder, TINY)


def test_another_width_and_no_folder_are_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "sst2")
    for width, intermediate in ((64, 64), (32, 128)):
        with pytest.raises(DataError, match="wide there; the adapter was trained on another base"):
            look_through(folder, Shape(3, width, 4, intermediate, 300, 66))
    with pytest.raises(DataError, match="there is no such folder"):
        look_through(tmp_path / "nowhere", TINY)
    (folder / PROVENANCE).write_text('{"task": "sst2"}', encoding="utf-8")
    with pytest.raises(AdapterError, match=f"{PROVENANCE} cannot be read"):
        look_through(folder, TINY)

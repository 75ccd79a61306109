"""An adapter on disk is a plain PEFT folder, bit for bit, and fits only its own base."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import (
    EVERY_TARGET,
    QUANTIZATIONS,
    add_adapter,
    provenance,
    save_adapter,
    states,
    tiny_base,
    tiny_encoder,
    token_ids,
)
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import XLMRobertaForSequenceClassification

from adaptstilts.adapter import store
from adaptstilts.adapter.attach import adapter_layers, attach, read_weights
from adaptstilts.adapter.lora import lora_config
from adaptstilts.base.load import Base
from adaptstilts.composition.activate import active
from adaptstilts.errors import AdapterError
from adaptstilts.head import store as head_store
from adaptstilts.head.classification import new_head

TEXTS = token_ids(4)


def with_adapter(base: Base, name: str = "sst2") -> torch.Tensor:
    with active(base.model, {name: 1.0}):
        return states(base, TEXTS)


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_saved_and_reloaded_is_bit_equal(tmp_path: Path, quantization: str) -> None:
    base, fresh = tiny_base(quantization), tiny_base(quantization)
    add_adapter(base, targets=EVERY_TARGET, dropout=0.3)
    save_adapter(base, tmp_path / "sst2")
    read = store.load(tmp_path / "sst2", fresh, "other_name")
    assert read == provenance(base)
    expected = read_weights(base.model, "sst2")
    found = read_weights(fresh.model, "other_name")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert torch.equal(with_adapter(fresh, "other_name"), with_adapter(base))
    assert torch.equal(with_adapter(fresh, "other_name"), with_adapter(base))


@pytest.mark.parametrize("quantization", ["none", "int8"])
def test_plain_peft_loads_it_on_the_bare_encoder(tmp_path: Path, quantization: str) -> None:
    base = tiny_base(quantization)
    add_adapter(base, targets=EVERY_TARGET, dropout=0.3)
    save_adapter(base, tmp_path / "sst2")
    plain = PeftModel.from_pretrained(tiny_base(quantization).model, str(tmp_path / "sst2"))
    ids = torch.tensor([TEXTS[0]])
    with torch.no_grad():
        theirs = plain(input_ids=ids).last_hidden_state
        with active(base.model, {"sst2": 1.0}):
            ours = base.model(input_ids=ids).last_hidden_state
        without = tiny_base(quantization).model(input_ids=ids).last_hidden_state
    assert torch.equal(theirs, ours)
    assert not torch.equal(theirs, without)


def test_plain_peft_loads_it_on_the_encoder_inside_a_classifier(tmp_path: Path) -> None:
    base = tiny_base("none")
    add_adapter(base)
    save_adapter(base, tmp_path / "sst2")
    whole = XLMRobertaForSequenceClassification(base.model.config).eval()
    whole.roberta.load_state_dict(tiny_encoder().state_dict())
    PeftModel.from_pretrained(whole.roberta, str(tmp_path / "sst2"))  # in place
    ids = torch.tensor([TEXTS[0]])
    with torch.no_grad(), active(base.model, {"sst2": 1.0}):
        inside = whole.roberta(input_ids=ids).last_hidden_state
        assert torch.equal(inside, base.model(input_ids=ids).last_hidden_state)


def test_plain_peft_warns_when_given_the_whole_classifier(tmp_path: Path) -> None:
    # The trap that "is it on?" exists for: the keys miss the `roberta.` prefix, so PEFT attaches
    # fresh, empty layers. It does say so, which keeps the no-op from being silent.
    base = tiny_base("none")
    add_adapter(base)
    save_adapter(base, tmp_path / "sst2")
    whole = XLMRobertaForSequenceClassification(base.model.config).eval()
    ids = torch.tensor([TEXTS[0]])
    with torch.no_grad():
        before = whole(input_ids=ids).logits
    with pytest.warns(UserWarning, match="Found missing adapter keys"):
        wrapped = PeftModel.from_pretrained(whole, str(tmp_path / "sst2"))
    with torch.no_grad():
        assert torch.equal(wrapped(input_ids=ids).logits, before)


def test_another_base_is_refused(tmp_path: Path) -> None:
    base, other = tiny_base(), tiny_base(seed=1)
    add_adapter(base)
    save_adapter(base, tmp_path / "sst2")
    with pytest.raises(AdapterError, match=r"was trained on tiny .* not on this base"):
        store.load(tmp_path / "sst2", other, "sst2")
    assert not any(True for _ in adapter_layers(other.model))


def test_the_whole_sha_of_the_weights_counts(tmp_path: Path) -> None:
    base = tiny_base()
    add_adapter(base)
    save_adapter(base, tmp_path / "sst2")
    # The fingerprint shows sixteen digits of it; here they are equal.
    other = replace(tiny_base(), weights=base.weights[:-1] + "x")
    with pytest.raises(AdapterError, match="not on this base"):
        store.load(tmp_path / "sst2", other, "sst2")


def test_another_tokenizer_is_refused(tmp_path: Path) -> None:
    base = tiny_base()
    add_adapter(base)
    save_adapter(base, tmp_path / "sst2")
    other = replace(tiny_base(), fingerprint=base.fingerprint.replace("tokenizer:none", "t:x"))
    with pytest.raises(AdapterError, match="not on this base"):
        store.load(tmp_path / "sst2", other, "sst2")


def test_another_quantization_of_the_same_base_is_welcome(tmp_path: Path) -> None:
    base, other = tiny_base("int8"), tiny_base("none", compute="bf16")
    add_adapter(base)
    save_adapter(base, tmp_path / "sst2")
    store.load(tmp_path / "sst2", other, "sst2")
    assert torch.isfinite(with_adapter(other)).all()


def test_a_trimmed_base_is_the_same_base(tmp_path: Path) -> None:
    base, other = tiny_base(), tiny_base()
    add_adapter(base)
    save_adapter(base, tmp_path / "sst2")
    other.trim_vocabulary([0, 1, 2, 3, *range(20, 30)])
    store.load(tmp_path / "sst2", other, "sst2")


def test_an_untrained_adapter_is_refused_and_taken_off_again(tmp_path: Path) -> None:
    base = tiny_base()
    config = lora_config(rank=2, alpha=4, dropout=0.0, targets=["query"])
    attach(base.model, "sst2", config, seed=1)
    save_adapter(base, tmp_path / "sst2")
    other = tiny_base()
    with pytest.raises(AdapterError, match="It was not trained, or its weights were not loaded"):
        store.load(tmp_path / "sst2", other, "sst2")
    assert not any(True for _ in adapter_layers(other.model))


def test_a_prefix_in_the_keys_is_refused(tmp_path: Path) -> None:
    base = tiny_base()
    add_adapter(base)
    path = save_adapter(base, tmp_path / "sst2") / store.WEIGHTS
    named = {
        key.replace("model.encoder", "model.roberta.encoder"): weight
        for key, weight in load_file(path).items()
    }
    save_file(named, path)
    other = tiny_base()
    with pytest.raises(AdapterError, match=r"lacks encoder\.layer\.0\S* \(one of 12\)"):
        store.load(tmp_path / "sst2", other, "sst2")
    assert not any(True for _ in adapter_layers(other.model))


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"adaptstilts\.json is missing"):
        store.load(tmp_path, tiny_base(), "sst2")


def test_saving_leaves_the_configuration_on_the_model_alone(tmp_path: Path) -> None:
    base = tiny_base()
    add_adapter(base)
    config = base.model.peft_config["sst2"]
    before = dict(vars(config))
    save_adapter(base, tmp_path / "sst2")
    assert vars(config) == before
    assert config.base_model_name_or_path is None
    written = json.loads((tmp_path / "sst2" / store.CONFIG).read_text(encoding="utf-8"))
    assert written["base_model_name_or_path"] == "tiny"
    assert written["inference_mode"] is True
    assert written["auto_mapping"] is None


def test_loading_asks_the_hub_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tiny_base()
    add_adapter(base)
    save_adapter(base, tmp_path / "sst2")

    def refuse(*arguments: object, **_: object) -> None:
        pytest.fail(f"asked the hub for {arguments}")

    monkeypatch.setattr("peft.utils.save_and_load.check_file_exists_on_hf_hub", refuse)
    fresh = tiny_base()
    store.load(tmp_path / "sst2", fresh, "sst2")
    read_weights(fresh.model, "sst2")


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    base = tiny_base()
    add_adapter(base)
    one, two = (save_adapter(base, tmp_path / name) for name in ("one", "two"))
    for name in (store.WEIGHTS, store.CONFIG, store.PROVENANCE):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_the_head_lies_beside_the_adapter_never_inside(tmp_path: Path) -> None:
    base = tiny_base()
    add_adapter(base)
    folder = save_adapter(base, tmp_path / "sst2")
    head = new_head(width=32, labels=2, pooling="first", dropout=0.1, seed=1)
    head_store.save(folder, head.state_dict())
    keys = load_file(folder / store.WEIGHTS).keys()
    assert all(".lora_A.weight" in key or ".lora_B.weight" in key for key in keys)
    assert load_file(folder / head_store.WEIGHTS).keys() == head.state_dict().keys()
    store.load(folder, tiny_base(), "sst2")
    other = new_head(width=32, labels=2, pooling="first", dropout=0.1, seed=2)
    head_store.load(folder, other)
    for key, weight in head.state_dict().items():
        assert torch.equal(other.state_dict()[key], weight)

"""Loading a base: from the package, a folder or the hub, frozen and quantized on its device."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from huggingface_hub import constants, try_to_load_from_cache
from torch import Tensor
from transformers import (
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedTokenizerBase,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from adaptstilts.base.fingerprint import fingerprint, tokenizer_sha, weights_sha
from adaptstilts.base.identity import POCKET, Identity
from adaptstilts.base.quantize import Quantization, quantize
from adaptstilts.base.shape import Shape
from adaptstilts.base.store import load as load_packed
from adaptstilts.base.vocabulary import trim
from adaptstilts.data.hub import require_answer
from adaptstilts.errors import DataError, HubError, MachineError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}

# Model types that are computed exactly as XLM-R is.
MODEL_TYPES = ("xlm-roberta", "roberta")


@dataclass
class Base:
    """A frozen encoder on its device.

    Attributes:
        model: The encoder without a pooler, in `eval()` mode.
        tokenizer: Its tokenizer; None for an encoder with random weights.
        shape: Its dimensions before any trimming.
        device: Where it is.
        dtype: Type of its computation.
        quantization: How its linear layers are held.
        weights: SHA-256 of its weights as they were loaded.
        fingerprint: One line for records and adapters.
        rows: After trimming, the embedding row of each piece, shape [pieces]; else None.
    """

    model: XLMRobertaModel
    tokenizer: PreTrainedTokenizerBase | None
    shape: Shape
    device: torch.device
    dtype: torch.dtype
    quantization: Quantization
    weights: str
    fingerprint: str
    rows: Tensor | None = field(default=None)

    @property
    def bytes(self) -> int:
        """Memory that its weights take, scales of quantized ones included."""
        return sum(t.numel() * t.element_size() for t in self.model.state_dict().values())

    def trim_vocabulary(self, pieces: list[int]) -> None:
        """Keeps only the embedding rows of these pieces; outputs stay bit-equal.

        Raises:
            ValueError: It is trimmed already, or the padding id would move.
        """
        if self.rows is not None:
            raise ValueError("the base is trimmed already; this is a bug in adaptstilts")
        self.rows = trim(self.model, pieces)


def load_tokenizer(identity: Identity, revision: str | None) -> PreTrainedTokenizerBase:
    """The base's tokenizer, from its folder or the hub at the pinned commit.

    Raises:
        HubError: The hub could not be reached and the cache has no copy.
    """
    if identity.folder is not None:
        return AutoTokenizer.from_pretrained(identity.folder)
    _require_hub(identity, revision)
    try:
        return AutoTokenizer.from_pretrained(identity.model, revision=revision)
    except OSError as error:
        raise _hub_error(identity, error) from error


def load_base(
    identity: Identity,
    *,
    revision: str | None,
    quantization: Quantization,
    compute: str,
    device: str,
) -> Base:
    """Loads an encoder, takes its fingerprint, then quantizes it onto its device.

    Args:
        identity: What `identify` found.
        revision: The pinned commit, for a base from the hub.
        quantization: How linear layers are held.
        compute: `fp32` or `bf16`.
        device: `cpu` or `cuda`.

    Raises:
        DataError: It is another kind of model, or its files lack some of the weights.
        HubError: The hub could not be reached and the cache has no copy.
        MachineError: There is no such device for this installation of torch.
    """
    check_device(device)
    tokenizer = load_tokenizer(identity, revision)
    if identity.model == POCKET and identity.folder is not None:
        model = _load_pocket(identity.folder)
    else:
        model = _load_pretrained(identity, revision)
    return frozen_base(model, tokenizer, quantization=quantization, compute=compute, device=device)


def frozen_base(
    model: XLMRobertaModel,
    tokenizer: PreTrainedTokenizerBase | None,
    *,
    quantization: Quantization,
    compute: str,
    device: str,
) -> Base:
    """Freezes an encoder that is in memory; `load_base` does the same for one that is not.

    Args:
        model: An encoder on the CPU; it is changed in place.
        tokenizer: Its tokenizer, or None where token ids are made without one.
        quantization: How linear layers are held.
        compute: `fp32` or `bf16`.
        device: `cpu` or `cuda`.
    """
    config = model.config
    shape = Shape(
        config.num_hidden_layers,
        config.hidden_size,
        config.num_attention_heads,
        config.intermediate_size,
        config.vocab_size,
        config.max_position_embeddings,
    )
    dtype = DTYPES[compute]
    weights = weights_sha(model)
    probe = "none" if tokenizer is None else tokenizer_sha(tokenizer)
    quantize(model, quantization, device=torch.device(device), dtype=dtype)
    return Base(
        model=model,
        tokenizer=tokenizer,
        shape=shape,
        device=torch.device(device),
        dtype=dtype,
        quantization=quantization,
        weights=weights,
        fingerprint=fingerprint(weights, probe, quantization, dtype),
    )


def random_encoder(shape: Shape, *, seed: int = 0) -> XLMRobertaModel:
    """An encoder of a given shape with random weights, for measuring memory and speed."""
    config = XLMRobertaConfig(
        vocab_size=shape.pieces,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=shape.positions,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return XLMRobertaModel(config, add_pooling_layer=False)


def check_device(device: str) -> None:
    """Refuses a device that this installation of torch cannot use.

    Raises:
        MachineError: CUDA was asked for and is not to be had.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise MachineError(
            f"this run needs a CUDA GPU, and torch {torch.__version__} sees none here. Run it on a "
            "machine with a GPU and a CUDA build of torch; or with --profile pocket, if the recipe "
            "has it; or with base.device=cpu base.compute=fp32, if the CPU is meant (slow)"
        )


def _load_pocket(folder: Path) -> XLMRobertaModel:
    """The bundled encoder from its packed int8 file."""
    config = XLMRobertaConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = XLMRobertaModel(config, add_pooling_layer=False)
    model.load_state_dict(load_packed(folder / "model.safetensors"), assign=True)
    embeddings = model.embeddings
    positions = torch.arange(config.max_position_embeddings).expand((1, -1))
    embeddings.position_ids = positions
    embeddings.token_type_ids = torch.zeros_like(positions)
    return model


def _load_pretrained(identity: Identity, revision: str | None) -> XLMRobertaModel:
    """An encoder from a folder or the hub; every one of its weights must be there.

    Raises:
        DataError: It is another kind of model, or lacks weights.
        HubError: It could not be had.
    """
    source = identity.model if identity.folder is None else str(identity.folder)
    pinned = revision if identity.folder is None else None
    try:
        config, _ = PretrainedConfig.get_config_dict(source, revision=pinned or "main")
        # transformers would put the weights of a BERT, say, into XLM-R's code with only a warning,
        # and that code numbers positions in another way.
        if config.get("model_type") not in MODEL_TYPES:
            raise DataError(
                f"base.model: {source} is of the type {config.get('model_type')!r}; an encoder of "
                f"the shape of XLM-R is needed (one of {', '.join(MODEL_TYPES)})"
            )
        model, info = XLMRobertaModel.from_pretrained(
            source,
            revision=pinned or "main",
            add_pooling_layer=False,
            dtype=torch.float32,
            use_safetensors=True,  # never a pickle
            output_loading_info=True,
        )
    except OSError as error:
        raise _hub_error(identity, error) from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise DataError(
            f"base.model: {source} lacks {len(missing)} weights of an XLM-R encoder, such as "
            f"{missing[0]}; is it an XLM-R-shaped model?"
        )
    return model


def _require_hub(identity: Identity, revision: str | None) -> None:
    """Says at once that the hub does not answer, where the cache has no copy of a base.

    Raises:
        HubError: Nothing answers there.
    """
    cached = try_to_load_from_cache(identity.model, "model.safetensors", revision=revision)
    if isinstance(cached, str) or constants.HF_HUB_OFFLINE:
        return
    try:
        require_answer(constants.ENDPOINT)
    except Exception as error:  # the HTTP library's own errors share no base with ours
        raise _hub_error(identity, error) from error


def _hub_error(identity: Identity, error: Exception) -> HubError:
    """What to say when a base cannot be fetched."""
    return HubError(
        f"the base {identity.key} could not be had from the hub or its cache "
        f"({str(error).splitlines()[0]}). Connect once so that it is cached, name a folder in "
        "base.model, or run with --profile pocket"
    )

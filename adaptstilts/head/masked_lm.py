"""The base's own masked-LM head: frozen, never trained, read from the base's checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from huggingface_hub import hf_hub_download
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

from adaptstilts.base.identity import Identity
from adaptstilts.base.load import Base
from adaptstilts.errors import DataError, HubError

PREFIX = "lm_head."
HUB_FILE = "model.safetensors"


class MaskedLMHead(nn.Module):
    """Dense layer, GELU, LayerNorm, and the word embeddings as decoder; in 32-bit floats.

    Source: transformers `XLMRobertaLMHead`, whose names the weights have; the decoder's weight is
        tied to the word embeddings there, so that it is an argument here.
    """

    def __init__(self, *, width: int, pieces: int, epsilon: float) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.layer_norm = nn.LayerNorm(width, eps=epsilon)
        self.bias = nn.Parameter(torch.zeros(pieces))

    def forward(self, states: Tensor, words: Tensor, bias: Tensor) -> Tensor:
        """Scores of some pieces.

        Args:
            states: The encoder's last layer at the places asked for, shape [places, width].
            words: Embeddings of the pieces that are scored, shape [scored, width].
            bias: Their part of `self.bias`, shape [scored].

        Returns:
            float32, shape [places, scored].
        """
        changed = self.layer_norm(functional.gelu(self.dense(states.float())))
        return functional.linear(changed, words, bias)


def load_masked_lm_head(identity: Identity, base: Base, *, revision: str | None) -> MaskedLMHead:
    """Reads the head of a base, for the whole vocabulary, frozen and on the base's device.

    The bundled base has it in `lm_head.safetensors`; a folder or a hub repository has it among the
    weights that `XLMRobertaForMaskedLM` saves.

    Args:
        identity: The base before it was loaded.
        base: The base as it was loaded.
        revision: Its commit, for a base from the hub.

    Raises:
        DataError: The checkpoint has no masked-LM head, one of another shape, or one whose decoder
            is not the word embeddings.
        HubError: The weights could not be had.
    """
    files = _files(identity, revision)
    weights = {name: tensor for file in files for name, tensor in _read(file)}
    # transformers ties the two names of the bias and may save either.
    bias = weights.pop("decoder.bias", None)
    if bias is not None:
        weights.setdefault("bias", bias)
    weights.pop("decoder.weight", None)
    config = base.model.config
    head = MaskedLMHead(
        width=base.shape.width, pieces=base.shape.pieces, epsilon=config.layer_norm_eps
    )
    expected = {name: tensor.shape for name, tensor in head.state_dict().items()}
    found = {name: tensor.shape for name, tensor in weights.items()}
    if found != expected or getattr(config, "tie_word_embeddings", True) is False:
        raise DataError(
            f"base.model: {identity.model} has no masked-LM head of XLM-R's form (`{PREFIX}dense`, "
            f"`{PREFIX}layer_norm`, `{PREFIX}bias`, the word embeddings as decoder), which the "
            "control english_mlm needs; found "
            f"{', '.join(sorted(found)) or 'none of its weights'}. Name a base that was saved "
            "with it, or leave that control out"
        )
    head.load_state_dict({name: tensor.to(torch.float32) for name, tensor in weights.items()})
    return head.requires_grad_(False).eval().to(base.device)


def _files(identity: Identity, revision: str | None) -> list[Path]:
    """The files that may hold the head.

    Raises:
        HubError: The hub could not be reached and the cache has no copy.
    """
    if identity.folder is not None:
        return sorted(identity.folder.glob("*.safetensors"))
    try:
        return [Path(hf_hub_download(identity.model, HUB_FILE, revision=revision))]
    except OSError as error:
        raise HubError(
            f"the masked-LM head of {identity.key} could not be had from the hub or its cache "
            f"({str(error).splitlines()[0]}). Connect once so that it is cached"
        ) from error


def _read(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The head's weights in one file, by their names inside the head."""
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118
            if name.startswith(PREFIX):
                yield name.removeprefix(PREFIX), file.get_tensor(name)

"""Other people's sentence encoders as rows beside the studied base: their vectors, what they find.

`reference_source` opens them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.encoder import Encoder
from adaptstilts.alignment.retrieval import Retrieval, retrieve
from adaptstilts.data.bitext import Bitext
from adaptstilts.errors import DataError

LAYERS = (0,)
"""What stands for the layer of an encoder that gives one vector a text: no hidden state."""


def encode_reference(
    encoder: Encoder, texts: Sequence[str], *, batch_size: int = 256, prefix: str = ""
) -> NDArray[np.float32]:
    """Vectors of some texts; each distinct text is encoded once, in batches of like length.

    Batches depend on the set of texts alone, longest first, so the order of `texts` and repeats
    in it change no vector.

    Args:
        encoder: What `open_encoder` gave, or any object with `encode`.
        texts: At least one.
        batch_size: Texts that are handed over at once.
        prefix: Put before each text, as some encoders were trained with one (`query: `).

    Returns:
        float32, shape [texts, width], at the encoder's own scale.

    Raises:
        DataError: It returned something other than one finite vector a text, not all zero and all
            of one width; says what was returned.
        ValueError: There are no texts, or `batch_size` is below 1.
    """
    if not texts or batch_size < 1:
        raise ValueError(f"nothing to encode: {len(texts)} texts in batches of {batch_size}")
    distinct = sorted(set(texts), key=lambda text: (-len(text), text))
    parts: list[NDArray[np.float32]] = []
    for start in range(0, len(distinct), batch_size):
        batch = [prefix + text for text in distinct[start : start + batch_size]]
        part = _vectors(encoder.encode(batch), batch)
        if parts and part.shape[1] != parts[0].shape[1]:
            raise DataError(
                f"the reference encoder returned vectors of {part.shape[1]} numbers after vectors "
                f"of {parts[0].shape[1]}; all must have one width to be compared"
            )
        parts.append(part)
    places = {text: place for place, text in enumerate(distinct)}
    vectors: NDArray[np.float32] = np.concatenate(parts)[[places[text] for text in texts]]
    return vectors


def reference_retrievals(
    encoder: Encoder,
    bitexts: Iterable[Bitext],
    *,
    batch_size: int = 256,
    prefix: str = "",
    everything: bool = False,
) -> list[Retrieval]:
    """What a reference encoder finds on each language, scored as any system's `Retrieval` is.

    Args:
        encoder: As in `encode_reference`.
        bitexts: One for each language, with the sentences that the systems were measured on.
        batch_size: As in `encode_reference`.
        prefix: As in `encode_reference`.
        everything: As in `retrieve`: whether all searches are done, or only that by cosine.

    Returns:
        One for each language, in order, with `LAYERS` as its layers.

    Raises:
        DataError: As `encode_reference`.
        ValueError: There are no bitexts.
    """
    numbers: dict[str, int] = {}
    sides = [
        (
            bitext.language,
            [numbers.setdefault(text, len(numbers)) for text in bitext.foreign],
            [numbers.setdefault(text, len(numbers)) for text in bitext.english],
        )
        for bitext in bitexts
    ]
    vectors = encode_reference(encoder, list(numbers), batch_size=batch_size, prefix=prefix)
    return [
        retrieve(
            vectors[None],
            language=language,
            layers=LAYERS,
            foreign=foreign,
            english=english,
            everything=everything,
        )
        for language, foreign, english in sides
    ]


def _vectors(returned: Any, texts: list[str]) -> NDArray[np.float32]:
    """What an encoder returned for some texts, checked, as float32 [texts, width]."""
    wanted = f"one vector a text, an array of shape [{len(texts)}, width]"
    if hasattr(returned, "detach"):  # a tensor of torch, on any device and in any precision
        returned = returned.detach().cpu().float().numpy()
    try:
        vectors = np.asarray(returned).astype(np.float32, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the reference encoder returned a {type(returned).__name__} that is no array of "
            f"floats ({error}); it must return {wanted}"
        ) from error
    if vectors.ndim != 2 or len(vectors) != len(texts) or vectors.shape[1] == 0:
        raise DataError(
            f"the reference encoder returned an array of shape {list(vectors.shape)} for "
            f"{len(texts)} texts; it must return {wanted}"
        )
    for rows, what in (
        (np.flatnonzero(~np.isfinite(vectors).all(axis=1)), "with numbers that are not finite"),
        (np.flatnonzero(~vectors.any(axis=1)), "that is all zero and so has no direction"),
    ):
        if rows.size:
            raise DataError(
                f"the reference encoder returned a vector {what} for {texts[rows[0]]!r}; "
                f"it must return {wanted}"
            )
    return vectors

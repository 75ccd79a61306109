"""Puts measured figures into an exported encoder's card."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pocket.export import refresh_card


def read_part(text: str) -> tuple[str, object]:
    """`NAME=FILE` as the part's name and the file's JSON."""
    name, _, path = text.partition("=")
    if not (name and path):
        raise click.BadParameter(f"expected NAME=FILE, got {text!r}", param_hint="--part")
    return name, json.loads(Path(path).read_text(encoding="utf-8"))


@click.command()
@click.option("--folder", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--part", "parts", multiple=True, help="NAME=FILE, the file holding JSON.")
def main(folder: Path, parts: tuple[str, ...]) -> None:
    """Writes FOLDER/card.json anew, with parts such as scores=WORK/scores.json."""
    refresh_card(folder, **dict(map(read_part, parts)))
    click.echo(f"card: {', '.join(json.loads((folder / 'card.json').read_text('utf-8')))}")


if __name__ == "__main__":
    main()

"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
RECIPE = click.argument("recipe", type=click.Path(path_type=Path))
OVERRIDES = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE…]")
PROFILE = click.option(
    "--profile",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="`full`, or a profile of the recipe such as `pocket`; `auto` takes what this machine can.",
)
DATA = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of a data mirror; without it $ADAPTSTILTS_DATA is taken.",
)

"""`adaptstilts recipe`: check recipes, explain their keys, print their JSON Schema."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("recipe")
def command() -> None:
    """Check a recipe, explain its keys, print its JSON Schema."""


@command.command("check")
@click.argument("arguments", nargs=-1, required=True, metavar="FILE… [KEY=VALUE…]")
@click.option(
    "--profile", metavar="NAME", help="Check this profile only; `full` is the recipe without one."
)
@click.pass_context
def check_cli(ctx: click.Context, arguments: tuple[str, ...], profile: str | None) -> None:
    """Find every mistake in recipes, in all their profiles; nothing is loaded or downloaded.

    KEY=VALUE changes a setting first, such as adapters.sst2.method.rank=16.
    """
    from adaptstilts.cli.failure import show
    from adaptstilts.errors import RecipeError

    files, overrides = _split(arguments)
    if not files:
        raise click.UsageError("Give at least one recipe file.", ctx)
    failed = 0
    for file in files:
        try:
            checked = _check(file, profile, overrides)
        except RecipeError as error:
            show(error)
            failed = error.exit_code
        else:
            click.echo(f"{file}: no problems ({', '.join(checked)})")
    ctx.exit(failed)


@command.command("explain")
@click.argument("key", required=False)
def explain_cli(key: str | None) -> None:
    """Explain KEY, such as adapters.method.rank, and all keys below it; all keys without KEY."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from adaptstilts.recipe.explain import UnknownKeyError, explain

    try:
        entries = explain(key)
    except UnknownKeyError as error:
        raise click.BadParameter(str(error), param_hint="KEY") from error
    console = Console()
    table = Table(box=None, pad_edge=False, header_style="bold", leading=1)
    table.add_column("key", no_wrap=True, style="cyan")
    table.add_column("value", overflow="fold", max_width=max(24, console.width // 3))
    table.add_column("meaning", overflow="fold")
    for entry in entries:
        default = entry.default if entry.default == "(required)" else f"default {entry.default}"
        value = "\n".join(filter(None, (entry.type, default, entry.allowed)))
        table.add_row(Text(entry.key), Text(value), Text(entry.description))
    console.print(table)


@command.command("schema")
def schema_cli() -> None:
    """Print the JSON Schema of a recipe file, for editors."""
    import json

    from adaptstilts.recipe.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _split(arguments: tuple[str, ...]) -> tuple[list[Path], list[str]]:
    """Files and `key=value` overrides apart; a file whose name has a `=` stays a file."""
    files, overrides = [], []
    for argument in arguments:
        if "=" in argument and not Path(argument).exists():
            overrides.append(argument)
        else:
            files.append(Path(argument))
    return files, overrides


def _check(file: Path, profile: str | None, overrides: list[str]) -> list[str]:
    """Checks one recipe; the names of the profiles that were checked."""
    from adaptstilts.recipe.load import check, load, profiles
    from adaptstilts.task.registry import NAMES

    if profile is not None:
        load(file, profile=profile, overrides=overrides, names=NAMES)
        return [profile]
    check(file, overrides=overrides, names=NAMES)
    return ["full", *profiles(file)]

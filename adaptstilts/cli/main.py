"""The `adaptstilts` command: a group that imports a command only when it is called."""

from __future__ import annotations

import importlib
from typing import Any

import click

from adaptstilts import __version__
from adaptstilts.errors import AdaptstiltsError

# Command → its line in `adaptstilts --help`. Each is `command` in the module of that name here.
COMMANDS = {
    "run": "Run a recipe: train, measure, report. Finished stages are reused.",
    "plan": "Show a recipe's stages, what is done already, and what the rest needs.",
    "align": "Measure the alignment of a base and of trained adapters, without a recipe.",
    "report": "Show the results of a run, in the terminal or as an HTML page.",
    "recipe": "Check a recipe, explain its keys, print its JSON Schema.",
    "data": "List the data, where each table is, and show its rows.",
    "doctor": "Check this machine: device, memory, quantization, cache, data.",
}
_INTERRUPTED = 130
_SMOKE = "recipes/smoke/sst2_tatoeba.yaml"


class LazyGroup(click.Group):
    """A group whose commands are imported on use; a user's errors end it with a message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"adaptstilts.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command that is called; suggests one for a word that is none."""
        if args and args[0] not in COMMANDS and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            there = f"Did you mean `{near[0]}`?" if near else f"There are {', '.join(COMMANDS)}."
            ctx.fail(f"No such command `{args[0]}`. {there}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; errors meant for a user become a message and an exit code."""
        try:
            return super().invoke(ctx)
        except AdaptstiltsError as error:
            from adaptstilts.cli.failure import show

            show(error)
            ctx.exit(error.exit_code)
        except OSError as error:
            # The disk or the file system refused; the error itself names the file and the reason.
            click.echo(f"Error: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("\nInterrupted.", err=True)
            ctx.exit(_INTERRUPTED)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nStart with:\n  adaptstilts doctor\n  adaptstilts run " + _SMOKE,
)
@click.version_option(__version__, prog_name="adaptstilts")
def main() -> None:
    """What does training on an English task do to a multilingual encoder?

    A recipe says which adapters are trained, which systems are compared and what is measured.
    """


if __name__ == "__main__":
    main()

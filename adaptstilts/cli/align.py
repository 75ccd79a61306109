"""`adaptstilts align`: measure the alignment of a base and of adapters, without a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adaptstilts.cli.options import DATA, JSON

if TYPE_CHECKING:
    from adaptstilts.cli.align_recipe import Options
    from adaptstilts.errors import RecipeError
    from adaptstilts.experiment.plan import Plan

POCKET = "pocket"
# Which option a place in the recipe comes from, by the last key of it that an option sets.
OPTIONS = {
    "revision": "--revision",
    "model": "--base",
    "quantization": "--quantization",
    "adapters": "--adapter",
    "protocol": "--protocol",
    "layers": "--layers",
    "layer": "--layer",
    "languages": "--languages",
    "pairs": "--bitext",
    "spaces": "--spaces",
}


def _listed(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> tuple[str, ...]:
    """The parts of a comma-separated list, each once."""
    parts = [] if value is None else [part.strip() for part in value.split(",")]
    if not all(parts):
        raise click.BadParameter("an entry of the list is empty")
    return tuple(dict.fromkeys(parts))


@click.command("align")
@click.option("--base", default=POCKET, show_default=True, help="Hub name, folder, or `pocket`.")
@click.option("--revision", help="Commit of a base on the hub, 40 hexadecimal digits.")
@click.option(
    "--quantization",
    type=click.Choice(["int8", "llm_int8", "nf4", "none"]),
    default="int8",
    show_default=True,
    help="How the base is held.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="`auto`: cuda where there is one.",
)
@click.option(
    "--adapter",
    "adapters",
    multiple=True,
    metavar="[NAME=]DIR",
    help="A trained adapter: RUN/adapters/NAME, or a PEFT folder of a LoRA. May be repeated.",
)
@click.option(
    "--bitext",
    multiple=True,
    default=("tatoeba",),
    metavar="tatoeba|PATH",
    help="Tatoeba, or a file of pairs, or a folder of <language>-en.tsv files. May be repeated. "
    "[default: tatoeba]",
)
@click.option(
    "--languages",
    callback=_listed,
    metavar="de,fr|SET",
    help="Codes, or a set such as xtreme36. [default: xtreme36; for the pocket base its own; of a "
    "folder all]",
)
@click.option("--pair", metavar="fr-es", help="The languages of one file of pairs.")
@click.option(
    "--protocol",
    type=click.Choice(["xtreme", "jiant", "mteb", "both", "xsim"]),
    default="both",
    show_default=True,
    help="The exact way to score.",
)
@click.option(
    "--layer",
    type=click.IntRange(min=0),
    help="The headline's layer. [default: the only one of --layers, or the protocol's, as deep in "
    "proportion on another base]",
)
@click.option(
    "--layers", default="all", show_default=True, help="`all`, or a list such as 0,4,7-12."
)
@click.option(
    "--metrics",
    type=click.Choice(["protocol", "all"]),
    default="protocol",
    show_default=True,
    help="`all` adds MRR, ratio margin, CSLS, strong alignment and the cosine gap.",
)
@click.option("--spaces", callback=_listed, metavar="centred,whitened,…", help="Further rows.")
@click.option("--geometry", is_flag=True, help="Measure the space itself: cones, hubs, CKA.")
@DATA
@click.option("--out", type=click.Path(path_type=Path), help="Folder [default: runs/align-…].")
@JSON
@click.option("--quiet", is_flag=True, help="Print the result alone, no progress.")
def command(
    *, data: Path | None, out: Path | None, as_json: bool, quiet: bool, **given: Any
) -> None:
    """Measure how near translations lie in a base, and in the base with trained adapters.

    What `adaptstilts run` does with a recipe of one measurement; the recipe stands in the folder.
    """
    import json
    import tempfile

    from rich.console import Console

    from adaptstilts.cli.align_table import found_in, numbers, render
    from adaptstilts.experiment.run_folder import default_folder

    errors = Console(stderr=True)
    is_quiet = quiet or as_json
    with tempfile.TemporaryDirectory(prefix="adaptstilts-align-") as scratch:
        plan = _plan(given, Path(scratch) / "align.yaml", data)
        folder = default_folder(plan) if out is None else out
        if not is_quiet:
            errors.print(f"align → {folder}", style="bold", markup=False, soft_wrap=True)

        from adaptstilts.cli.progress import watching
        from adaptstilts.experiment.execute import execute

        with watching(errors, is_quiet=is_quiet) as watcher:
            execute(plan, folder, watcher=watcher)
    found = found_in(folder)
    if as_json:
        click.echo(json.dumps(numbers(found), indent=2, allow_nan=False))
    else:
        Console().print(render(found))
        click.echo(f"Report: {folder / 'report.html'}")


def _plan(given: dict[str, Any], path: Path, mirror: Path | None) -> Plan:
    """Writes the recipe that the options stand for, and plans it.

    Raises:
        click.UsageError: The options make no recipe that can be run.
    """
    from dataclasses import replace

    from adaptstilts.cli.align_recipe import Options, recipe_values
    from adaptstilts.errors import RecipeError
    from adaptstilts.experiment.plan import plan as make_plan
    from adaptstilts.recipe.write import as_yaml
    from adaptstilts.task.languages import LANGUAGE_SETS

    options = Options(**given)
    if options.bitext == ("tatoeba",) and not options.languages:
        named = "pocket" if options.base == POCKET else "xtreme36"
        options = replace(options, languages=(named,))
    options, notices = _chosen(options)
    values = recipe_values(options, sets=list(LANGUAGE_SETS))
    path.write_text(as_yaml(values), encoding="utf-8")
    try:
        plan = make_plan(path, profile=POCKET if options.base == POCKET else "full", mirror=mirror)
    except RecipeError as error:
        raise click.UsageError(_in_options(error)) from error
    return replace(plan, notices=(*notices, *plan.notices))


def _chosen(options: Options) -> tuple[Options, list[str]]:
    """The options with device and layer filled in, and what the user should be told of that."""
    from dataclasses import replace

    from adaptstilts.alignment.protocol import PROTOCOLS
    from adaptstilts.base.identity import identify
    from adaptstilts.experiment.machine import is_cpu_build
    from adaptstilts.record.provenance import hardware

    notices = []
    if options.device == "auto":
        has_gpu = hardware()["gpu"] is not None and not is_cpu_build()
        options = replace(options, device="cuda" if has_gpu else "cpu")
    is_local = options.base == POCKET or Path(options.base).expanduser().is_dir()
    if not is_local and options.revision is None:
        raise click.UsageError(
            f"--base {options.base}: no folder of that name is here, and a base from the hub needs "
            "its commit: --revision with 40 hexadecimal digits"
        )
    shape = identify(options.base, options.revision).shape
    protocol = PROTOCOLS[options.protocol]
    if options.layer is None and options.layers.isdecimal():
        options = replace(options, layer=int(options.layers))  # the only one there is to lead with
    if options.layer is None and shape is not None and protocol.layers not in (None, shape.layers):
        layer = _in_proportion(protocol.layer or 0, protocol.layers or 1, shape.layers)
        options = replace(options, layer=layer)
        notices.append(
            f"headline at layer {layer} of {shape.layers}: in proportion to {protocol.layer_rule} "
            f"of protocol {protocol.name}; --layer names another"
        )
    return options, notices


def _in_proportion(layer: int, of: int, depth: int) -> int:
    """The layer as deep in an encoder of `depth` layers, halves rounded up."""
    return (2 * layer * depth + of) // (2 * of)


def _in_options(error: RecipeError) -> str:
    """A recipe's problems as problems of the options that it was made from."""
    told = []
    for problem in error.problems:
        keys = problem.path.replace("[", ".").replace("]", "").split(".")
        name = next((OPTIONS[key] for key in reversed(keys) if key in OPTIONS), problem.path)
        told.append(f"{name}: {problem.message}")
    return "; ".join(dict.fromkeys(told))

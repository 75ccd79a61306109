"""`adaptstilts run RECIPE`: train, measure, report."""

from __future__ import annotations

from pathlib import Path

import click

from adaptstilts.cli.options import DATA, JSON, OVERRIDES, PROFILE, RECIPE


@click.command("run")
@RECIPE
@OVERRIDES
@PROFILE
@DATA
@click.option(
    "--out", type=click.Path(path_type=Path), help="The run's folder [default: runs/<name>-<hash>]."
)
@JSON
@click.option("--quiet", is_flag=True, help="Print the result alone, no progress.")
def command(
    recipe: Path,
    *,
    overrides: tuple[str, ...],
    profile: str,
    data: Path | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run RECIPE: train its adapters, measure its systems, write record and report.

    KEY=VALUE changes the recipe first, such as adapters.sst2.training.seed=2. Finished stages are
    reused; a run that was cut off goes on where it was.
    """
    import json

    from rich.console import Console

    from adaptstilts.experiment.plan import plan as make_plan
    from adaptstilts.experiment.run_folder import default_folder

    plan = make_plan(recipe, profile=profile, overrides=overrides, mirror=data)
    folder = default_folder(plan) if out is None else out
    errors = Console(stderr=True)
    if not (quiet or as_json):
        errors.print(f"{plan.recipe.name} → {folder}", style="bold", markup=False, soft_wrap=True)

    from adaptstilts.cli.progress import watching
    from adaptstilts.experiment.execute import execute
    from adaptstilts.report.headline import numbers
    from adaptstilts.report.load import read_run
    from adaptstilts.report.table import render

    with watching(errors, is_quiet=quiet or as_json) as watcher:
        execute(plan, folder, watcher=watcher)
    found = read_run(folder)
    page = folder / "report.html"
    if as_json:
        click.echo(json.dumps({**numbers(found), "report": str(page)}, indent=2, allow_nan=False))
    else:
        Console().print(render(found))
        click.echo(f"Report: {page}")

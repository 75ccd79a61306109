"""`adaptstilts plan RECIPE`: what a run would do, what is done already, what the rest needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from adaptstilts.cli.options import DATA, JSON, OVERRIDES, PROFILE, RECIPE


@click.command("plan")
@RECIPE
@OVERRIDES
@PROFILE
@DATA
@JSON
def command(
    recipe: Path, *, overrides: tuple[str, ...], profile: str, data: Path | None, as_json: bool
) -> None:
    """Show the stages of RECIPE, which are cached, and an estimate of the memory they need.

    Nothing is loaded or downloaded.
    """
    import json

    from adaptstilts.experiment.budget import estimate
    from adaptstilts.experiment.plan import plan as make_plan
    from adaptstilts.experiment.store import is_finished

    plan = make_plan(recipe, profile=profile, overrides=overrides, mirror=data)
    budget = estimate(plan)
    stages: list[dict[str, Any]] = [
        {
            "kind": stage.kind,
            "name": stage.name,
            "key": stage.key,
            "is_cached": is_finished(stage.kind, stage.key),
        }
        for stage in plan.stages
    ]
    if as_json:
        whole = {
            "name": plan.recipe.name,
            "profile": plan.choice.profile,
            "notices": plan.notices,
            "stages": stages,
            "budget": None if budget is None else vars(budget),
        }
        click.echo(json.dumps(whole, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(f"[bold]{plan.recipe.name}[/bold]")
    for notice in plan.notices:
        console.print(f"  [dim]·[/dim] {notice}", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("stage", "name", "state", "key"):
        table.add_column(column)
    for stage in stages:
        state = "[green]cached[/green]" if stage["is_cached"] else "to do"
        table.add_row(stage["kind"], stage["name"], state, f"[dim]{stage['key']}[/dim]")
    console.print(table)
    if budget is None:
        console.print("The base's shape is not known before it is downloaded: no estimate.")
        return
    console.print(
        f"base {budget.base_parameters / 1e6:,.1f} M parameters, {_size(budget.base_bytes)} "
        f"held as {plan.recipe.base.quantization} before trimming",
        highlight=False,
    )
    for name, parameters in budget.adapter_parameters.items():
        words = "not trained"
        if name in budget.training_bytes:
            peak = _size(budget.training_bytes[name])
            words = f"training peaks at about {peak} (estimate, without the libraries themselves)"
        console.print(f"adapter {name}: {parameters:,} parameters; {words}", highlight=False)


def _size(count: int) -> str:
    """Bytes in words."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"

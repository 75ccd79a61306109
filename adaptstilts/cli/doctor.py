"""`adaptstilts doctor`: what this machine can do for a run."""

from __future__ import annotations

from pathlib import Path

import click

from adaptstilts.cli.options import DATA, JSON


@click.command("doctor")
@DATA
@JSON
def command(*, data: Path | None, as_json: bool) -> None:
    """Say what this machine can do: GPU, precision, quantization, cache, disk, data at hand."""
    import json

    from adaptstilts.experiment.examine import examine

    findings = examine(data)
    is_broken = any(finding.state == "broken" for finding in findings)
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings], indent=2))
        raise SystemExit(int(is_broken))
    from rich.console import Console
    from rich.table import Table

    marks = {"ok": "[green]✓[/green]", "absent": "[yellow]–[/yellow]", "broken": "[red]✗[/red]"}
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        table.add_row(marks[finding.state], f"[bold]{finding.what}[/bold]", finding.detail)
    Console().print(table)
    raise SystemExit(int(is_broken))

"""`adaptstilts report RUN`: build a run's page anew and print what the run found."""

from __future__ import annotations

import json
from pathlib import Path

import click

from adaptstilts.cli.options import JSON


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@JSON
def command(run: Path, *, as_json: bool) -> None:
    """Rebuild RUN/report.html from the run folder RUN and print the run's headline.

    Nothing is trained, encoded or scored: the page is made from record.json, scores.parquet and
    effects.parquet. Shares and differences in the JSON are in 0-1, not in percent or points.
    """
    from adaptstilts.report.headline import numbers
    from adaptstilts.report.load import read_run
    from adaptstilts.report.page import write

    page = write(run)
    found = read_run(run)
    if as_json:
        click.echo(json.dumps({**numbers(found), "report": str(page)}, indent=2, allow_nan=False))
        return

    from rich.console import Console

    from adaptstilts.report.table import render

    Console().print(render(found))
    # Not through rich, which would cut or break a long path.
    click.echo(f"Report: {page}")

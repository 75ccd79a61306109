"""The page of a run: one HTML file that needs no network, no script and no other file."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from adaptstilts.record.files import write_text
from adaptstilts.report import caption, figure, number, section
from adaptstilts.report.headline import (
    POCKET_LINE,
    findings,
    headline_sentences,
    question,
    status_sentence,
)
from adaptstilts.report.load import Run, read_run
from adaptstilts.report.naming import capitalized, metric_name
from adaptstilts.report.selection import dynamics


def html(run: Run) -> str:
    """The report of a run as one self-contained page.

    Args:
        run: The run; one that is running or failed gets a page that says so and claims nothing.

    Returns:
        HTML, the same bytes for the same run; text from the run is escaped.
    """
    others = [system for system in run.systems if system != run.baseline]
    headline = run.record.headline
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            record=run.record,
            baseline=run.baseline,
            description=run.description,
            recipe_text=run.recipe_text,
            headline=headline,
            metric=f"Macro {metric_name(headline.metric)}" if headline else "Score",
            measured_as=caption.measured_as(run),
            pocket_line=POCKET_LINE if run.record.profile == "pocket" else "",
            question=question(run),
            status=status_sentence(run),
            sentences=headline_sentences(run),
            findings=[
                {"found": found, "series": figure.place(run, found.system)}
                for found in findings(run)
            ],
            caveats=caption.caveats(run),
            systems=section.systems(run),
            tasks=section.tasks(run),
            adapters=section.adapters(run),
            layers=_drawn(figure.layer_curve(run)),
            layers_caption=caption.layers(run),
            effects=_drawn(figure.effect_curve(run)),
            effects_caption=caption.effects(run),
            languages=[
                {"svg": Markup(svg), "caption": caption.languages(run, system)}  # noqa: S704
                for number_, system in enumerate(others)
                if (svg := figure.language_bars(run, system, number_))
            ],
            table=section.languages(run),
            dynamics=[
                {"svg": Markup(svg), "caption": caption.dynamics(run, system)}  # noqa: S704
                for number_, system in enumerate(dynamics(run))
                if (svg := figure.dynamics_curve(run, system, number_))
            ],
            unplotted=caption.unplotted(run),
            facts=section.facts(run),
        )
    )


def write(folder: Path) -> Path:
    """Build `report.html` of a run folder anew.

    Args:
        folder: The run folder.

    Returns:
        Where the page lies.

    Raises:
        RecordError: The folder is no run, or its files are broken.
        OSError: The disk refused.
    """
    path = folder / "report.html"
    write_text(path, html(read_run(folder)))
    return path


def _drawn(svg: str | None) -> Markup | None:
    # Our own drawing: `drawing.svg` escapes every text that comes from a run.
    return None if svg is None else Markup(svg)  # noqa: S704


def _unbroken(text: str) -> str:
    """Numbers kept on one line with what belongs to them."""
    return text.replace(" %", "\u00a0%").replace("n = ", "n\u00a0=\u00a0")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["duration"] = number.duration
    environment.filters["size"] = number.size
    environment.filters["count_of"] = number.count
    environment.filters["capitalized"] = capitalized
    environment.filters["unbroken"] = _unbroken
    return environment

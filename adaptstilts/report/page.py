"""The page of a run: one HTML file that needs no network, no script and no other file."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from adaptstilts.record.files import write_text
from adaptstilts.report import (
    beside,
    caption,
    detail,
    diagnostics,
    figure,
    forest,
    heat_map,
    moving,
    number,
    section,
)
from adaptstilts.report.axes import place
from adaptstilts.report.controls import contrasts
from adaptstilts.report.finding import findings
from adaptstilts.report.headline import (
    POCKET_LINE,
    headline_sentences,
    question,
    status_sentence,
)
from adaptstilts.report.load import Run, read_run
from adaptstilts.report.naming import capitalized, metric_name
from adaptstilts.report.roles import studied, sweeps
from adaptstilts.report.selection import dynamics, shown_layer


def html(run: Run) -> str:
    """The report of a run as one self-contained page.

    Args:
        run: The run; one that is running or failed gets a page that says so and claims nothing.

    Returns:
        HTML, the same bytes for the same run; text from the run is escaped.
    """
    headline = run.record.headline
    is_finished = run.record.status == "finished"
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
                {"found": found, "series": place(run, found.system)} for found in findings(run)
            ],
            caveats=caption.caveats(run),
            systems=section.systems(run),
            tasks=section.tasks(run),
            adapters=section.adapters(run),
            shown_layer=shown_layer(run),
            contrasts=[
                {"found": found, "table": detail.contrast(run, found)}
                for found in (contrasts(run) if is_finished else [])
            ],
            contrasts_caption=caption.controls(run),
            forest=_figure(forest.forest(run), caption.forest(run)),
            doses=[
                drawn
                for number_, adapter in enumerate(sweeps(run))
                if (
                    drawn := _figure(
                        forest.dose_response(run, adapter, number_), caption.dose(run, adapter)
                    )
                )
            ],
            seeds=detail.seeds(run),
            layers=_figure(figure.layer_curve(run), caption.layers(run)),
            effects=_figure(figure.effect_curve(run), caption.effects(run)),
            languages=[
                drawn
                for number_, system in enumerate(studied(run))
                if (
                    drawn := _figure(
                        figure.language_bars(run, system, number_), caption.languages(run, system)
                    )
                )
            ],
            table=section.languages(run),
            tests=[
                table
                for system in run.systems
                if system != run.baseline and (table := detail.languages(run, system))
            ],
            groups=detail.groups(run),
            references=beside.references(run),
            mined=beside.mined(run),
            dynamics=[part for drawn in _during(run) for part in drawn if part],
            unplotted=caption.unplotted(run),
            views=diagnostics.other_views(run),
            shape=diagnostics.shape(run),
            spaces=_figure(figure.space_curve(run), caption.spaces(run)),
            chosen=caption.chosen(run),
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


def _figure(svg: str | None, said: str) -> dict[str, str] | None:
    # Our own drawing: `drawing.svg` escapes every text that comes from a run.
    return None if svg is None else {"svg": Markup(svg), "caption": said}  # noqa: S704


def _during(run: Run) -> list[list[dict[str, str] | None]]:
    """The figures of each system that was measured during its training."""
    return [
        [
            _figure(moving.dynamics_curve(run, system, which), caption.dynamics(run, system)),
            _figure(heat_map.heat_map(run, system, which), caption.heat(run, system)),
        ]
        for which, system in enumerate(dynamics(run))
    ]


def _unbroken(text: str) -> str:
    """Numbers kept on one line with what belongs to them."""
    return text.replace(" %", "\u00a0%").replace("n = ", "n\u00a0=\u00a0")


def _parts(text: str) -> str:
    """A text that may be broken after its semicolons alone."""
    return text.replace(" ", "\u00a0").replace(";\u00a0", "; ")


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
    environment.filters["parts"] = _parts
    environment.filters["unbroken"] = _unbroken
    return environment

"""Progress in the terminal: bars where there is a terminal, a line for each stage where not."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from adaptstilts.experiment.stage import Stage
from adaptstilts.experiment.watch import Silence, Watcher

SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def watching(console: Console, *, is_quiet: bool) -> Iterator[Watcher]:
    """A watcher that shows a run's progress; other libraries' bars and chatter are switched off."""
    _hush_libraries()
    if is_quiet:
        yield Silence()
    elif console.is_terminal:
        with _bars(console) as progress:
            yield Bars(progress)
    else:
        yield Lines(console)


class Bars:
    """A bar for the current stage, with rate and time left, and a line for each finished one."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task: TaskID | None = None

    def noticed(self, text: str) -> None:
        """Prints a notice above the bar."""
        self.progress.console.print(f"  · {text}", highlight=False, markup=False)

    def started(self, stage: Stage, total: int, unit: str) -> None:
        """Shows a new bar."""
        words = f"{stage.kind} [bold]{stage.name}[/bold]"
        self.task = self.progress.add_task(words, total=total, unit=unit, detail="")

    def advanced(self, done: int, detail: str) -> None:
        """Moves the bar."""
        if self.task is not None:
            speed = self.progress.tasks[-1].speed
            rate = "" if speed is None else f"{speed:.1f}/s  "
            self.progress.update(self.task, completed=done, detail=rate + detail)

    def finished(self, stage: Stage, *, is_cached: bool, seconds: float) -> None:
        """Takes the bar away and prints a line."""
        if self.task is not None:
            self.progress.remove_task(self.task)
            self.task = None
        self.progress.console.print(_line(stage, is_cached=is_cached, seconds=seconds))


class Lines:
    """Plain lines, for logs."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.words, self.total, self.last = "", 0, 0.0

    def noticed(self, text: str) -> None:
        """Prints a notice."""
        self.console.print(f"  · {text}", highlight=False, markup=False, soft_wrap=True)

    def started(self, stage: Stage, total: int, unit: str) -> None:
        """Remembers what is going on."""
        self.words, self.total = f"{stage.kind} {stage.name}: {{}} of {total} {unit}", total
        self.last = time.monotonic()

    def advanced(self, done: int, detail: str) -> None:
        """Prints a line now and then."""
        if time.monotonic() - self.last > SECONDS_BETWEEN_LINES:
            self.last = time.monotonic()
            words = f"  {self.words.format(done)}  {detail}"
            self.console.print(words, highlight=False, soft_wrap=True)

    def finished(self, stage: Stage, *, is_cached: bool, seconds: float) -> None:
        """Prints a line."""
        self.console.print(_line(stage, is_cached=is_cached, seconds=seconds), soft_wrap=True)


def _line(stage: Stage, *, is_cached: bool, seconds: float) -> str:
    """What is said of a finished stage."""
    took = f"{seconds:.1f} s"
    how = f"[dim]cached ({took} when it was made)[/dim]" if is_cached else took
    return f"  [green]✓[/green] {stage.kind} [bold]{stage.name}[/bold]  {how}"


def _bars(console: Console) -> Progress:
    """Bar, count, rate, time gone and time left."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[detail]}[/dim]"),
        console=console,
        transient=True,
    )


def _hush_libraries() -> None:
    """Keeps other libraries' bars and advice out of ours; their errors still come through."""
    import transformers
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    warnings.filterwarnings("ignore", module=r"(bitsandbytes|peft|transformers)(\..*)?")

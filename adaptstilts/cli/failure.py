"""How an error looks in the terminal: on stderr, in full, with what to do next."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from adaptstilts.errors import AdaptstiltsError, RecipeError


def show(error: AdaptstiltsError) -> None:
    """Prints an error on stderr; a recipe's problems as an aligned list with a hint."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if isinstance(error, RecipeError):
        console.print(_recipe_problems(error))
    else:
        console.print(Text.assemble(("Error: ", "bold red"), str(error)))


def _recipe_problems(error: RecipeError) -> Text:
    """`file:line:column  place  message` for each problem, in columns."""
    count = len(error.problems)
    rows = []
    for problem in error.problems:
        place = error.source
        if problem.line:
            place += f":{problem.line}:{problem.column}"
        rows.append((place, problem.path, problem.message))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)] if rows else [0, 0]
    text = Text()
    text.append(f"{error.source} has {count} problem{'' if count == 1 else 's'}", "bold red")
    for place, path, message in rows:
        text.append("\n  ")
        text.append(place.ljust(widths[0]), "cyan")
        text.append(f"  {path.ljust(widths[1])}  ", "bold")
        text.append(message)
    hint = _hint(error)
    return text.append(f"\n{hint}", "dim") if hint else text


def _hint(error: RecipeError) -> str | None:
    """Where to read on: the key that the first problem in the file is about, if there is one."""
    from adaptstilts.recipe.explain import nearest_key

    for problem in sorted(error.problems, key=lambda problem: problem.line == 0):
        key = nearest_key(problem.path)
        if key is not None:
            return f"See `adaptstilts recipe explain {key}`."
    return None

"""Looking up tasks, benchmarks and languages by the names that recipes use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

from adaptstilts.recipe.names import Names
from adaptstilts.task.declaration import Benchmark, MiningBenchmark, Task
from adaptstilts.task.intermediate.sst2 import SST2
from adaptstilts.task.languages import LANGUAGE_SETS, LANGUAGES
from adaptstilts.task.target.bucc2018 import BUCC2018
from adaptstilts.task.target.tatoeba import TATOEBA


class UnknownName(LookupError):  # noqa: N818 - the name that the interfaces agreed on
    """A name that no declaration has.

    Attributes:
        name: The name as it was given.
        kind: What it should have named: `task`, `benchmark`, `mining benchmark` or `language`.
        suggestions: The names that were probably meant, the best first; may be empty.
    """

    def __init__(self, name: str, kind: str, suggestions: Sequence[str]) -> None:
        self.name = name
        self.kind = kind
        self.suggestions = tuple(suggestions)
        super().__init__(name, kind, self.suggestions)

    def __str__(self) -> str:
        said = f"no {self.kind} is named {self.name!r}"
        if not self.suggestions:
            return said
        return f"{said}; did you mean {' or '.join(map(repr, self.suggestions))}?"


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_N = TypeVar("_N", bound=_Named)


def _by_name(declarations: Iterable[_N]) -> Mapping[str, _N]:
    found: dict[str, _N] = {}
    for declaration in declarations:
        if declaration.name in found:
            raise RuntimeError(
                f"two declarations are named {declaration.name!r}: this is a bug in adaptstilts"
            )
        found[declaration.name] = declaration
    return MappingProxyType(found)


TASKS: Final[Mapping[str, Task]] = _by_name([SST2])
BENCHMARKS: Final[Mapping[str, Benchmark]] = _by_name([TATOEBA])
MINING_BENCHMARKS: Final[Mapping[str, MiningBenchmark]] = _by_name([BUCC2018])
NAMES: Final = Names(tasks=tuple(TASKS), languages=(*LANGUAGE_SETS, *LANGUAGES))


def task(name: str) -> Task:
    """Find a task.

    Args:
        name: Its name, such as `sst2`.

    Returns:
        The declaration.

    Raises:
        UnknownName: No task has that name.
    """
    if name not in TASKS:
        raise UnknownName(name, "task", get_close_matches(name.lower(), TASKS))
    return TASKS[name]


def benchmark(name: str) -> Benchmark:
    """Find a benchmark.

    Args:
        name: Its name, such as `tatoeba`.

    Returns:
        The declaration.

    Raises:
        UnknownName: No benchmark has that name.
    """
    if name not in BENCHMARKS:
        raise UnknownName(name, "benchmark", get_close_matches(name.lower(), BENCHMARKS))
    return BENCHMARKS[name]


def mining_benchmark(name: str) -> MiningBenchmark:
    """Find a benchmark of mining.

    Args:
        name: Its name, such as `bucc2018`.

    Returns:
        The declaration.

    Raises:
        UnknownName: No benchmark of mining has that name.
    """
    if name not in MINING_BENCHMARKS:
        near = get_close_matches(name.lower(), MINING_BENCHMARKS)
        raise UnknownName(name, "mining benchmark", near)
    return MINING_BENCHMARKS[name]


def languages(names: str | Iterable[str]) -> list[str]:
    """Resolve language codes and named sets to codes.

    Args:
        names: A code (`de`), a named set (`xtreme36`), or several of them.

    Returns:
        Codes in the order given, each set in its own order; what is named again is dropped.

    Raises:
        UnknownName: A name is neither a code nor a set (the first such).
    """
    codes: dict[str, None] = {}
    for name in [names] if isinstance(names, str) else names:
        if name in LANGUAGE_SETS:
            codes.update(dict.fromkeys(LANGUAGE_SETS[name]))
        elif name in LANGUAGES:
            codes[name] = None
        else:
            raise UnknownName(name, "language", _language_suggestions(name))
    return list(codes)


def _language_suggestions(name: str) -> list[str]:
    """Codes whose ISO-639-3 code or English name was given, else names that look alike."""
    wanted = name.lower()
    exact = [
        code
        for code, language in LANGUAGES.items()
        if wanted in (code, language.iso3, language.name.lower())
    ]
    if exact:
        return exact
    by_name = {language.name.lower(): code for code, language in LANGUAGES.items()}
    close = get_close_matches(wanted, [*LANGUAGE_SETS, *LANGUAGES, *by_name])
    return list(dict.fromkeys(by_name.get(match, match) for match in close))

"""How datasets, directions, metrics and languages are called when people read them."""

from __future__ import annotations

from adaptstilts.task.languages import LANGUAGES

_DATASETS = {
    "sst2": "SST-2",
    "pocket/sentiment": "pocket sentiment",
    "tatoeba": "Tatoeba",
    "pocket/bitext": "pocket bitext",
}
_DIRECTIONS = {
    "en-xx": "English queries",
    "xx-en": "foreign queries",
    "both": "both directions",
}
_METRICS = {"accuracy": "accuracy", "f1": "F1"}


def dataset_name(name: str) -> str:
    """A task's or a benchmark's name as people write it, such as `SST-2`."""
    return _DATASETS.get(name, name)


def direction_name(direction: str | None) -> str:
    """A direction in words, such as `both directions`."""
    return _DIRECTIONS.get(direction or "", direction or "no direction")


def metric_name(metric: str) -> str:
    """A metric's name as people write it, such as `F1`."""
    return _METRICS.get(metric, metric)


def language_name(code: str) -> str:
    """The English name of a language, or its code where the code is not known."""
    language = LANGUAGES.get(code)
    return language.name if language else code


def capitalized(text: str) -> str:
    """The text with its first letter upper case and the rest as it was."""
    return text[:1].upper() + text[1:]

"""How datasets, directions, metrics and languages are called when people read them."""

from __future__ import annotations

from adaptstilts.task.languages import LANGUAGES

_DATASETS = {
    "sst2": "SST-2",
    "pocket/sentiment": "pocket sentiment",
    "tatoeba": "Tatoeba",
    "pocket/bitext": "pocket bitext",
    "bucc2018/dev": "BUCC 2018 dev",
    "bucc2018/test": "BUCC 2018 test",
}
_DIRECTIONS = {
    "en-xx": "English queries",
    "xx-en": "foreign queries",
    "both": "both directions",
}
_METRICS = {
    "accuracy": "accuracy",
    "f1": "F1",
    "mrr": "mean reciprocal rank",
    "accuracy_margin": "accuracy by ratio margin",
    "accuracy_csls": "accuracy by CSLS",
    "accuracy_strong": "strong alignment",
    "xsim_error": "xsim error",
    "cosine_gap": "cosine gap",
    "anisotropy": "anisotropy",
    "anisotropy_top10": "anisotropy, ten dimensions",
    "cka": "CKA with English",
    "hubness_skew": "hubness skew",
    "antihub_share": "share of antihubs",
    "language_probe": "language probe",
}
_DEV_METRICS = {"masked_accuracy": "masked accuracy", "copy_accuracy": "copy accuracy"}
_SPACES = {
    "as_is": "as they are",
    "centred": "centred",
    "without_top_pcs": "without top PCs",
    "whitened": "whitened",
    "averaged": "cumulative mean",
}

# Of these metrics less is better.
LOWER_IS_BETTER = frozenset({"xsim_error"})


def dataset_name(name: str) -> str:
    """A task's or a benchmark's name as people write it, such as `SST-2`."""
    return _DATASETS.get(name, name)


def direction_name(direction: str | None) -> str:
    """A direction in words, such as `both directions`."""
    return _DIRECTIONS.get(direction or "", direction or "no direction")


def metric_name(metric: str) -> str:
    """A metric's name as people write it, such as `F1`."""
    return _METRICS.get(metric, metric)


def dev_metric_name(metric: str) -> str:
    """What an adapter's dev rows are scored by, such as `masked accuracy`."""
    return _DEV_METRICS.get(metric, metric_name(metric))


def space_name(space: str) -> str:
    """What was done to the vectors, such as `centred`."""
    return _SPACES.get(space, space.replace("_", " "))


def group_name(language: str) -> str:
    """A group of languages in words: `script=Latn` as `script: Latn`."""
    kind, _, member = language.partition("=")
    return f"{'pretraining text' if kind == 'size' else kind}: {member}"


def language_name(code: str) -> str:
    """The English name of a language, or its code where the code is not known."""
    language = LANGUAGES.get(code)
    return language.name if language else code


def capitalized(text: str) -> str:
    """The text with its first letter upper case and the rest as it was."""
    return text[:1].upper() + text[1:]

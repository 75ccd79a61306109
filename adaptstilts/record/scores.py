"""The tidy tables of a run as parquet: scores, effects and per-item outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from adaptstilts.errors import RecordError
from adaptstilts.record.files import replacing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# pyarrow is slow to import, so that only the functions that need it import it.


# The `language` of a mean over languages, of a mean over all items, and what the name of a group of
# languages holds, as in `script=Cyrl`.
MACRO = "macro"
MICRO = "micro"
GROUP_SIGN = "="

# The `space` of vectors as the encoder gives them.
AS_IS = "as_is"

# The `space` of a reference encoder's own vectors: another encoder, without layers to choose from.
REFERENCE = "reference"


def is_language(name: str) -> bool:
    """Whether the `language` of a row is one language, not a mean over several."""
    return name not in (MACRO, MICRO) and GROUP_SIGN not in name


@dataclass(frozen=True)
class Score:
    """One cell: a system measured on one benchmark in one language.

    Attributes:
        system: Name of the system in the recipe.
        seed: Seed of its training; None for what was not trained, and for the mean over seeds.
        seeds: Trainings behind the row: 0 for the bare base, 1 for one seed, else a mean over them.
        benchmark: `tatoeba`, `sst2`, …, or `pocket/…` for a stand-in.
        protocol: Name of the way to score; `validation` for a task.
        language: Language code, `macro` for the mean over languages, `micro` for that over all
            items, or a group such as `script=Cyrl` for the mean over its languages.
        direction: `en-xx` (English queries), `xx-en`, `both` (their mean); None for a task.
        space: `as_is`, or what was done to the vectors without training; `reference` for a
            reference encoder's own; None for a task.
        layer: Layer of the vectors, 0 for the embeddings; None for a task, for a reference encoder,
            and where `chosen` languages have layers of their own.
        chosen: What chose the layer: `held_out`, `leave_languages_out`, or `oracle` for the scored
            rows themselves; None for a row of a given layer. In mining, whose layer is given, what
            chose the threshold: `held_out` (the dev set) or `oracle`.
        metric: `accuracy`, `f1` or another of `alignment.protocol.Metric`.
        value: The score, in 0–1 (`cosine_gap`: −2 to 2).
        n: Items scored; for means over languages those of all of them together.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
        trained_share: For a snapshot taken during training the share of it that was done, from 0
            to 1; None for a finished system.
    """

    system: str
    seed: int | None
    seeds: int
    benchmark: str
    protocol: str
    language: str
    direction: str | None
    space: str | None
    layer: int | None
    chosen: str | None
    metric: str
    value: float
    n: int
    low: float
    high: float
    trained_share: float | None


@dataclass(frozen=True)
class Effect:
    """The paired difference of a system to a baseline in one cell.

    Attributes:
        system: As in `Score`, and so for all that is not named here.
        seed: See `Score`.
        seeds: See `Score`.
        benchmark: See `Score`.
        protocol: See `Score`.
        language: See `Score`.
        direction: See `Score`.
        space: See `Score`.
        layer: See `Score`.
        chosen: See `Score`.
        metric: See `Score`.
        value: Score of the system minus score of the baseline, in -1 to 1.
        n: See `Score`.
        low: Lower end of the 95 % interval of the difference.
        high: Upper end of the 95 % interval of the difference.
        trained_share: See `Score`.
        baseline: Name of the system that it is compared with.
        low90: Lower end of the 90 % interval, which two one-sided tests of equivalence read.
        high90: Upper end of it.
        detectable: The smallest true difference that a test at 5 % finds with a power of 80 %; over
            several seeds that of the t test behind the interval.
        p: Exact sign test of the items that differ (McNemar's test where items are right or
            wrong); one language and one seed only, else None.
        p_holm: `p` adjusted, by Holm, for the languages of the row's measurement.
        h: Cohen's h, for accuracies and rates of errors, which are shares; None for other metrics.
    """

    system: str
    seed: int | None
    seeds: int
    benchmark: str
    protocol: str
    language: str
    direction: str | None
    space: str | None
    layer: int | None
    chosen: str | None
    metric: str
    value: float
    n: int
    low: float
    high: float
    trained_share: float | None
    baseline: str
    low90: float
    high90: float
    detectable: float
    p: float | None
    p_holm: float | None
    h: float | None


@dataclass(frozen=True, eq=False)
class Items:
    """What was retrieved for each item of a language.

    Attributes:
        system: Name of the system in the recipe.
        seed: As in `Score`.
        trained_share: As in `Score`.
        language: Language code.
        direction: `en-xx` or `xx-en`.
        layer: Layer of the vectors, 0 for the embeddings.
        predictions: Index of the sentence found for each query, shape [n]; item i is right when
            `predictions[i] == i`.
    """

    system: str
    seed: int | None
    trained_share: float | None
    language: str
    direction: str
    layer: int
    predictions: NDArray[np.int32]


_Row = TypeVar("_Row", Score, Effect, Items)


def write_scores(path: Path, rows: Sequence[Score]) -> None:
    """Write `scores.parquet`, whole or not at all.

    Args:
        path: The file to write or replace.
        rows: The rows, in the order they shall have; may be empty.

    Raises:
        TypeError: A row is not a `Score`.
        OSError: The disk refused.
    """
    _write(path, rows, Score)


def read_scores(path: Path) -> list[Score]:
    """Read what `write_scores` wrote.

    Args:
        path: The parquet file.

    Returns:
        The rows, in the order of the file.

    Raises:
        RecordError: The file is missing, broken, or holds other columns.
    """
    return _read(path, Score)


def write_effects(path: Path, rows: Sequence[Effect]) -> None:
    """Write `effects.parquet`, whole or not at all.

    Args:
        path: The file to write or replace.
        rows: The rows, in the order they shall have; may be empty.

    Raises:
        TypeError: A row is not an `Effect`.
        OSError: The disk refused.
    """
    _write(path, rows, Effect)


def read_effects(path: Path) -> list[Effect]:
    """Read what `write_effects` wrote.

    Args:
        path: The parquet file.

    Returns:
        The rows, in the order of the file.

    Raises:
        RecordError: The file is missing, broken, or holds other columns.
    """
    return _read(path, Effect)


def write_items(path: Path, rows: Sequence[Items]) -> None:
    """Write `items/<benchmark>.parquet`, whole or not at all.

    Args:
        path: The file to write or replace.
        rows: The rows, in the order they shall have; may be empty.

    Raises:
        TypeError: A row is not an `Items`.
        OSError: The disk refused.
    """
    _write(path, rows, Items)


def read_items(path: Path) -> list[Items]:
    """Read what `write_items` wrote.

    Args:
        path: The parquet file.

    Returns:
        The rows, in the order of the file.

    Raises:
        RecordError: The file is missing, broken, or holds other columns.
    """
    return _read(path, Items)


def _write(path: Path, rows: Sequence[_Row], kind: type[_Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for row in rows:
        if type(row) is not kind:
            raise TypeError(f"rows must be {kind.__name__}, but one is {type(row).__name__}")
    schema = _schema(kind)
    columns = [
        pa.array([getattr(row, field.name) for row in rows], type=field.type) for field in schema
    ]
    with replacing(path) as partial:
        pq.write_table(pa.table(columns, schema=schema), partial, compression="zstd")


def _read(path: Path, kind: type[_Row]) -> list[_Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Through an open file: given a path, pyarrow would read columns out of folder names.
        with path.open("rb") as file:
            table = pq.read_table(file)
    except FileNotFoundError as error:
        raise RecordError(
            f"{path} is missing: not a run folder, or a run that is not finished; "
            "run the recipe again to finish it"
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise RecordError(
            f"{path} cannot be read as parquet ({error}); delete it and run the recipe again"
        ) from error
    schema = _schema(kind)
    missing = sorted(set(schema.names) - set(table.schema.names))
    extra = sorted(set(table.schema.names) - set(schema.names))
    if missing or extra:
        raise RecordError(
            f"{path} does not hold {kind.__name__} rows: missing columns {missing}, "
            f"unknown columns {extra}; it was written by another version, or for something else"
        )
    try:
        table = table.select(schema.names).cast(schema)
    except (pa.ArrowException, ValueError) as error:
        raise RecordError(
            f"{path} has a column of another type than {kind.__name__} rows have ({error})"
        ) from error
    columns = [_values(table.column(name)) for name in schema.names]
    return [kind(*values) for values in zip(*columns, strict=True)]


def _schema(kind: type[Any]) -> Any:
    """The columns of a kind: its fields, their types, and null only where None is allowed."""
    import pyarrow as pa

    types = {
        "str": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "NDArray[np.int32]": pa.list_(pa.field("element", pa.int32(), nullable=False)),
    }
    columns = []
    for field in fields(kind):
        annotation, _, rest = str(field.type).partition(" | ")
        columns.append(pa.field(field.name, types[annotation], nullable=rest == "None"))
    return pa.schema(columns, metadata={"adaptstilts.table": kind.__name__})


def _values(column: Any) -> list[Any]:
    """The column as Python values; a list column as numpy arrays."""
    import numpy as np
    import pyarrow as pa

    if not pa.types.is_list(column.type):
        return list(column.to_pylist())
    return [np.array(row.values, dtype=np.int32) for row in column]

"""The closed models of `record.json`, and reading and writing it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from adaptstilts.errors import RecordError
from adaptstilts.record.files import write_text

UtcTime = Annotated[
    str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")
]


class _Closed(BaseModel):
    # Infinities and not-a-numbers (a diverged loss) are written as text, which JSON can hold.
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class GitRecord(_Closed):
    """State of the code: the commit, and whether tracked files were changed since."""

    commit: str
    is_dirty: bool


class GpuRecord(_Closed):
    """The first GPU of the machine."""

    name: str
    memory_bytes: int
    compute_capability: str


class HardwareRecord(_Closed):
    """The machine; what it does not tell is null."""

    cpu: str | None
    cores: int
    memory_bytes: int
    gpu: GpuRecord | None
    python: str
    platform: str


class BaseRecord(_Closed):
    """The base as it was loaded."""

    model: str
    revision: str | None
    quantization: str
    compute: str
    device: str
    layers: int
    hidden_size: int
    parameters: int
    pieces: int
    kept_pieces: int
    fingerprint: str
    bytes: int


class DataRecord(_Closed):
    """A table that was read: from where, which bytes, how many rows."""

    table: str
    source: str
    location: str
    revision: str | None
    sha256: str
    n: int


class StageRecord(_Closed):
    """One unit of work, whether it was taken from the cache, and when and on what it was made."""

    kind: str
    name: str
    key: str
    is_cached: bool
    seconds: float
    peak_memory_bytes: int | None
    made: str = ""


class CurvePoint(_Closed):
    """One evaluation during training, on the rows carved from the training set."""

    step: int
    share: float
    loss: float
    dev_accuracy: float
    dev_loss: float | None = None


class AdapterRecord(_Closed):
    """How an adapter was trained, which checkpoint was chosen and how it does on its own task.

    Attributes:
        dev_accuracy: The chosen checkpoint's share on the dev rows; null for a random adapter.
        dev_metric: What that is a share of: `accuracy` (labels), `masked_accuracy` (masked pieces
            found) or `copy_accuracy` (noisy copies found).
        test_accuracy: On the task's test rows; null for a control without the task's head.
        control: What kind of control it is; null for an adapter that is simply trained.
        of: The adapter that it is a control of; null for one that is simply trained.
    """

    task: str
    method: dict[str, Any]
    parameters: int
    seed: int
    steps: int
    chosen_step: int
    chosen_share: float
    dev_accuracy: float | None
    dev_n: int
    dev_metric: str = "accuracy"
    test_accuracy: float | None
    test_n: int
    head_parameters: int
    curve: list[CurvePoint]
    is_collapsed: bool
    control: str | None = None
    of: str | None = None


class StoredRecord(_Closed):
    """An adapter that was trained before the run, as far as its files tell.

    Attributes:
        folder: Where it was read from.
        sha256: Digest over its weights' file and its configuration.
        parameters: Number of its weights.
        task: The task it was trained on; null where its files do not tell, as all that follows.
        base: The base it was trained on.
        revision: The base's commit.
        details: Method, head, training and data.
    """

    folder: str
    sha256: str
    parameters: int
    task: str | None = None
    base: str | None = None
    revision: str | None = None
    details: dict[str, Any] = {}


class HeadlineRecord(_Closed):
    """The one row that the report leads with, and why that one.

    `chosen` says what chose its layer, as in `scores.parquet`; null where it was named in advance.
    `layers` are the chosen layers by language, and `layer` is theirs where they agree.
    """

    benchmark: str
    protocol: str
    layer: int | None
    direction: str | None
    metric: str
    why: str
    chosen: str | None = None
    layers: dict[str, int] = {}


class RunRecord(_Closed):
    """All that is known about a run beside its scores."""

    format: Literal[1] = 1
    name: str
    profile: Literal["full", "pocket"]
    profile_reason: str
    status: Literal["running", "finished", "failed"]
    error: str | None = None
    started_at: UtcTime
    finished_at: UtcTime | None = None
    seconds: float | None = None
    command: list[str]
    versions: dict[str, str]
    git: GitRecord | None
    hardware: HardwareRecord
    seeds: dict[str, int]
    base: BaseRecord | None = None
    data: list[DataRecord] = []
    stages: list[StageRecord] = []
    adapters: dict[str, AdapterRecord] = {}
    stored: dict[str, StoredRecord] = {}
    headline: HeadlineRecord | None = None
    notices: list[str] = []
    peak_memory_bytes: int | None = None


def write(path: Path, record: RunRecord) -> None:
    """Write a record as indented JSON, whole or not at all.

    Args:
        path: The file, `record.json` of a run folder.
        record: The record.

    Raises:
        OSError: The disk refused.
    """
    write_text(path, record.model_dump_json(indent=2) + "\n")


def read(path: Path) -> RunRecord:
    """Read a record.

    Args:
        path: The file, `record.json` of a run folder.

    Returns:
        The record, complete and checked.

    Raises:
        RecordError: The file is missing, or is not a record that this version understands.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RecordError(
            f"{path} is missing: {path.parent} is not a run folder; "
            "name the folder that `adaptstilts run` wrote"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} cannot be read ({error})") from error
    try:
        return RunRecord.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        count = error.error_count()
        raise RecordError(
            f"{path} is not a record of format 1: {place}: {first['msg']}"
            + (f" (and {count - 1} more)" if count > 1 else "")
            + "; it was changed, or written by another version of adaptstilts"
        ) from error

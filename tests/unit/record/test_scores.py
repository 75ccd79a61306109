from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptstilts.errors import RecordError
from adaptstilts.record import scores
from adaptstilts.record.scores import Effect, Items, Score

SCORE = Score(
    system="base",
    seed=None,
    seeds=0,
    benchmark="tatoeba",
    protocol="xtreme",
    language="de",
    direction="en-xx",
    space="as_is",
    layer=14,
    chosen=None,
    metric="accuracy",
    value=0.25,
    n=1000,
    low=0.2,
    high=0.3,
    trained_share=None,
)
TASK = replace(
    SCORE,
    system="sst2",
    seed=1,
    seeds=1,
    benchmark="sst2",
    protocol="validation",
    language="en",
    direction=None,
    space=None,
    layer=None,
    trained_share=1.0,
)
OF_EFFECTS = ["baseline", "low90", "high90", "detectable", "p", "p_holm", "h"]
EFFECT = Effect(
    **{**asdict(SCORE), "value": -0.1},
    baseline="base",
    low90=-0.18,
    high90=-0.02,
    detectable=0.07,
    p=0.04,
    p_holm=None,
    h=-0.25,
)

NUMBERS = st.floats(allow_nan=False)
ROWS = st.builds(
    Score,
    system=st.text(),
    seed=st.none() | st.integers(0, 2**63 - 1),
    seeds=st.integers(0, 100),
    benchmark=st.text(),
    protocol=st.text(),
    language=st.text(),
    direction=st.none() | st.text(),
    space=st.none() | st.text(),
    layer=st.none() | st.integers(0, 100),
    chosen=st.none() | st.text(),
    metric=st.text(),
    value=NUMBERS,
    n=st.integers(0, 2**40),
    low=NUMBERS,
    high=NUMBERS,
    trained_share=st.none() | NUMBERS,
)


@settings(deadline=None, max_examples=30)
@given(st.lists(ROWS, max_size=5))
def test_scores_come_back_as_they_were(tmp_path_factory, rows: list[Score]) -> None:
    path = tmp_path_factory.mktemp("run") / "scores.parquet"
    scores.write_scores(path, rows)
    assert scores.read_scores(path) == rows


def test_columns_are_those_of_the_record(tmp_path: Path) -> None:
    scores.write_scores(tmp_path / "scores.parquet", [SCORE, TASK])
    scores.write_effects(tmp_path / "effects.parquet", [EFFECT])
    columns = [
        *("system", "seed", "seeds", "benchmark", "protocol", "language", "direction"),
        *("space", "layer", "chosen", "metric", "value", "n", "low", "high", "trained_share"),
    ]
    assert pq.read_schema(tmp_path / "scores.parquet").names == columns
    assert pq.read_schema(tmp_path / "effects.parquet").names == [*columns, *OF_EFFECTS]
    assert scores.read_scores(tmp_path / "scores.parquet") == [SCORE, TASK]
    assert scores.read_effects(tmp_path / "effects.parquet") == [EFFECT]


def test_a_language_is_told_from_a_mean_over_several() -> None:
    assert all(map(scores.is_language, ("de", "fr-es", "cmn")))
    assert not any(map(scores.is_language, ("macro", "micro", "script=Cyrl", "size=over 50 GiB")))


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    scores.write_effects(tmp_path / "effects.parquet", [])
    assert scores.read_effects(tmp_path / "effects.parquet") == []
    assert "baseline" in pq.read_schema(tmp_path / "effects.parquet").names


def test_items_come_back_as_arrays(tmp_path: Path) -> None:
    path = tmp_path / "items" / "tatoeba.parquet"
    rows = [
        Items("base", None, None, "de", "en-xx", 0, np.array([0, 2, 1])),
        Items("sst2", 1, 0.5, "fr", "xx-en", 24, np.arange(5, dtype=np.int64)),
        Items("sst2", 2, 1.0, "fr", "xx-en", 24, np.array([], dtype=np.int32)),
    ]
    scores.write_items(path, rows)
    found = scores.read_items(path)
    assert [row.predictions.tolist() for row in found] == [[0, 2, 1], [0, 1, 2, 3, 4], []]
    assert all(row.predictions.dtype == np.int32 for row in found)
    assert [(row.system, row.seed, row.trained_share, row.language) for row in found] == [
        ("base", None, None, "de"),
        ("sst2", 1, 0.5, "fr"),
        ("sst2", 2, 1.0, "fr"),
    ]
    schema = pq.read_schema(path)
    assert schema.field("predictions").type.value_type == pa.int32()
    assert [field.name for field in schema if field.nullable] == ["seed", "trained_share"]


def test_a_row_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="rows must be Score, but one is Effect"):
        scores.write_scores(tmp_path / "scores.parquet", [EFFECT])
    with pytest.raises(Exception, match="null"):
        scores.write_scores(tmp_path / "scores.parquet", [replace(SCORE, value=None)])
    assert list(tmp_path.iterdir()) == []


def test_errors_say_which_file_and_why(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    with pytest.raises(RecordError, match=r"scores\.parquet is missing.*run the recipe again"):
        scores.read_scores(path)
    path.write_bytes(b"PAR1 but no more")
    with pytest.raises(RecordError, match=r"scores\.parquet cannot be read as parquet"):
        scores.read_scores(path)
    with pytest.raises(RecordError, match="cannot be read"):
        scores.read_scores(tmp_path)
    scores.write_effects(path, [EFFECT])
    with pytest.raises(RecordError, match=r"Score rows.*unknown columns \['baseline', 'detect"):
        scores.read_scores(path)
    scores.write_scores(path, [SCORE])
    with pytest.raises(RecordError, match=r"Effect rows.*missing columns \['baseline', 'detect"):
        scores.read_effects(path)


def test_a_column_of_another_type_or_with_holes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    scores.write_scores(path, [SCORE])
    table = pq.read_table(path)
    place = table.schema.get_field_index("value")
    for values in (["a"], [None]):
        pq.write_table(table.set_column(place, "value", [values]), path)
        with pytest.raises(RecordError, match=r"scores\.parquet has a column of another type"):
            scores.read_scores(path)


def test_a_folder_name_is_not_taken_for_a_column(tmp_path: Path) -> None:
    # pyarrow takes `a=b` in a path for a column; a run folder may be named so.
    path = tmp_path / "seed=1" / "scores.parquet"
    scores.write_scores(path, [SCORE])
    assert scores.read_scores(path) == [SCORE]


def test_importing_the_module_does_not_import_pyarrow_or_numpy() -> None:
    code = (
        "import sys, adaptstilts.record.scores, adaptstilts.record.run, adaptstilts.record.files, "
        "adaptstilts.record.provenance, adaptstilts.task.registry; "
        "print(sorted({'pyarrow', 'numpy', 'torch', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""SST-2: is a sentence of an English film review positive or negative."""

from __future__ import annotations

from typing import Final

from adaptstilts.task.declaration import HubAddress, Table, Task

_REVISION = "8d51e7e4887a4caaa95b3fbebbf53c0490b58bbb"
_COLUMNS = ("sentence", "label")


def _table(split: str) -> Table:
    return Table(
        name=f"sst2/{split}",
        columns=_COLUMNS,
        mirror=f"sst2/{split}",
        hub=HubAddress("stanfordnlp/sst2", _REVISION, None, split),
        pocket=f"sentiment/en/{split}",
    )


SST2: Final = Task(
    name="sst2",
    text_columns=("sentence",),
    label_column="label",
    labels=("negative", "positive"),
    head="classification",
    metric="accuracy",
    train=_table("train"),
    dev_rows=1000,
    # The hub hides the labels of GLUE's test split, so that the validation split is the one that
    # is scored, and checkpoints are chosen on rows of the training split.
    test=_table("validation"),
    licence="not stated by the publisher; made from Rotten Tomatoes reviews",
    homepage="https://nlp.stanford.edu/sentiment/",
    citation="Socher et al. 2013, Recursive Deep Models for Semantic Compositionality Over a "
    "Sentiment Treebank (EMNLP); split of GLUE, Wang et al. 2019 (ICLR)",
)

from __future__ import annotations

import numpy as np
import pytest

from adaptstilts.metric import bootstrap
from adaptstilts.metric.bootstrap import checked, cluster_ids, weight_chunks


def test_cluster_ids_are_shared_between_languages() -> None:
    ids = cluster_ids([["a", "b"], ["b", "c", "a"], []])
    assert [array.tolist() for array in ids] == [[0, 1], [1, 2, 0], []]


def test_each_resample_draws_as_many_clusters_as_there_are_whatever_the_chunk(monkeypatch) -> None:
    whole = np.concatenate(list(weight_chunks(30, 100, 4)))
    assert whole.shape == (100, 30)
    assert (whole.sum(axis=1) == 30).all()
    assert whole.mean(axis=0) == pytest.approx(np.ones(30), abs=0.5)
    monkeypatch.setattr(bootstrap, "CHUNK_RESAMPLES", 7)
    chunks = list(weight_chunks(30, 100, 4))
    assert [len(chunk) for chunk in chunks] == [7] * 14 + [2]
    assert np.array_equal(np.concatenate(chunks), whole)
    assert not np.array_equal(np.concatenate(list(weight_chunks(30, 100, 5))), whole)


def test_outcomes_that_fit_come_back_as_numbers() -> None:
    (found,) = checked([np.array([[True], [False]])], [np.arange(2)])
    assert found.dtype == np.float32
    assert found.tolist() == [[1.0], [0.0]]


def test_what_does_not_fit_is_refused() -> None:
    one, ids = np.ones((3, 2)), np.arange(3)
    with pytest.raises(ValueError, match="same languages"):
        checked([one], [ids, ids])
    with pytest.raises(ValueError, match="same languages"):
        checked([], [])
    with pytest.raises(ValueError, match="language 1 must have shape"):
        checked([one, np.ones((3, 1))], [ids, ids])
    with pytest.raises(ValueError, match="language 0 must have shape"):
        checked([np.ones(3)], [ids])
    with pytest.raises(ValueError, match="language 0 must have shape"):
        checked([np.ones((0, 2))], [np.arange(0)])
    with pytest.raises(ValueError, match="3 items but clusters of shape"):
        checked([one], [np.arange(2)])
    with pytest.raises(ValueError, match="not finite"):
        checked([np.full((3, 2), np.nan)], [ids])

"""Zero-shot sentiment: which texts are scored, and what a score says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pocket.zero_shot import pocket_sentiment, score, tweets


def test_the_bundled_sets_are_balanced_and_in_many_languages() -> None:
    sets = pocket_sentiment()
    assert {"en", "de", "es", "fr", "it", "pt", "ru", "tr", "ar", "ja", "zh"} == set(sets)
    for texts, labels in sets.values():
        assert len(texts) == len(labels) >= 120
        assert 2 * sum(labels) == len(labels)


def test_neutral_tweets_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "tweet_sentiment_multilingual" / "de"
    folder.mkdir(parents=True)
    rows = [{"text": name, "label": label} for label, name in enumerate(("bad", "so so", "good"))]
    with gzip.open(folder / "test.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    assert tweets(tmp_path) == {"de": (["bad", "good"], [0, 1])}


def test_a_score_has_its_interval_and_what_guessing_would_reach() -> None:
    found = score([1, 1, 1, 0, 0], [1, 1, 0, 0, 0])
    assert found["accuracy"] == 80.0
    assert found["majority"] == 60.0
    assert found["n"] == 5
    # Wilson's interval of 4 of 5, computed by hand from its formula with z = 1.959964.
    assert (found["low"], found["high"]) == (
        pytest.approx(37.6, abs=0.1),
        pytest.approx(96.4, abs=0.1),
    )

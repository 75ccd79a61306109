"""The language probe: chance on noise, 1 where languages are apart, and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import ledoit_wolf

from adaptstilts.metric.probe import language_probe


def corpus(languages: int, sentences: int, d: int, seed: int, apart: float = 0.0):
    """Vectors of translations: what the sentence says, the language's own mean, and noise."""
    generator = np.random.default_rng(seed)
    meanings = generator.normal(size=(sentences, d))
    means = generator.normal(size=(languages, d)) * apart
    vectors = (
        meanings[None] + means[:, None] + 0.5 * generator.normal(size=(languages, sentences, d))
    )
    names = [f"l{i}" for i in range(languages) for _ in range(sentences)]
    groups = [f"s{i}" for _ in range(languages) for i in range(sentences)]
    return vectors.reshape(-1, d).astype(np.float32), names, groups


@pytest.mark.parametrize(("languages", "d"), [(2, 10), (5, 10), (3, 400)])
def test_noise_gives_chance_and_separate_languages_give_one(languages: int, d: int) -> None:
    found = language_probe(*corpus(languages, 100, d, 0))
    assert found.chance == pytest.approx(1 / languages)
    assert found.accuracy.low <= found.chance <= found.accuracy.high
    assert found.accuracy.n == 100 * languages
    apart = language_probe(*corpus(languages, 100, d, 0, apart=10))
    assert apart.accuracy.value == 1
    assert 0.95 < apart.accuracy.low < apart.accuracy.high == 1


def test_noise_covers_chance_as_often_as_it_says() -> None:
    covered = []
    for seed in range(150):
        found = language_probe(*corpus(3, 60, 5, seed)).accuracy
        covered.append(found.low <= 1 / 3 <= found.high)
    assert np.mean(covered) >= 0.94


def test_a_language_between_two_others_is_not_hidden() -> None:
    generator = np.random.default_rng(0)
    vectors = np.concatenate([generator.normal(c, 0.3, size=(100, 1)) for c in (-3, 0, 3)])
    names = [name for name in "abc" for _ in range(100)]
    # Least squares on one-hot labels would name the middle language hardly ever.
    assert language_probe(vectors, names, list(range(300))).accuracy.value > 0.97


def test_is_the_nearest_mean_by_scipy_s_mahalanobis_distance() -> None:
    vectors, names, groups = corpus(4, 100, 60, 1, apart=0.2)
    found = language_probe(vectors, names, groups, folds=4, seed=2)
    fold = np.tile(np.random.default_rng(2).permutation(np.arange(100) % 4), 4)
    labels = np.repeat(np.arange(4), 100)
    right = 0
    for index in range(4):
        fitted, of = vectors[fold != index].astype(np.float64), labels[fold != index]
        means = np.stack([fitted[of == label].mean(axis=0) for label in range(4)])
        covariance, _ = ledoit_wolf(fitted - means[of], assume_centered=True)
        distances = cdist(
            vectors[fold == index], means, "mahalanobis", VI=np.linalg.inv(covariance)
        )
        right += int((distances.argmin(axis=1) == labels[fold == index]).sum())
    assert 0.4 < found.accuracy.value < 0.99
    assert found.accuracy.value == right / 400


def test_translations_never_straddle_folds() -> None:
    # Each meaning has copies in one language alone, so that knowing a sentence gives its language.
    generator = np.random.default_rng(0)
    meanings = generator.normal(size=(60, 200))
    vectors = np.repeat(meanings, 4, axis=0) + 0.01 * generator.normal(size=(240, 200))
    names = [("a", "b")[i % 2] for i in range(60) for _ in range(4)]
    honest = language_probe(vectors, names, [i for i in range(60) for _ in range(4)])
    leaking = language_probe(vectors, names, list(range(240)))
    assert leaking.accuracy.value > 0.95
    assert honest.accuracy.value < 0.7


def test_rotation_scale_and_place_do_not_matter() -> None:
    vectors, names, groups = corpus(3, 60, 20, 0, apart=0.3)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(20, 20)))[0]
    found = language_probe(vectors, names, groups)
    assert language_probe(30 * vectors @ turn + 4, names, groups) == found
    assert language_probe(vectors, names, groups, seed=9).accuracy.n == found.accuracy.n


def test_a_language_of_one_fold_alone_counts_as_wrong() -> None:
    vectors, names, groups = corpus(2, 40, 5, 0, apart=10)
    vectors = np.concatenate([vectors, vectors[:1] + 100])
    found = language_probe(vectors, [*names, "rare"], [*groups, "own"])
    assert found.accuracy.value == pytest.approx(80 / 81)
    assert found.chance == pytest.approx(40 / 81)


def test_what_does_not_fit_is_refused() -> None:
    vectors, names, groups = corpus(2, 10, 3, 0)
    with pytest.raises(ValueError, match="equal in number"):
        language_probe(vectors, names[:-1], groups)
    with pytest.raises(ValueError, match="two languages"):
        language_probe(vectors, ["a"] * 20, groups)
    with pytest.raises(ValueError, match="a group for each fold"):
        language_probe(vectors, names, ["one"] * 20)
    with pytest.raises(ValueError, match="no variance"):
        language_probe(np.ones((20, 3)), names, groups)

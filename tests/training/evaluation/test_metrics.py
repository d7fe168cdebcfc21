import math

import numpy as np
import pytest

from training.evaluation import metrics

SLATE = np.array([5, 7, 9, 1], np.int32)


def test_recall_counts_hits_over_what_could_be_hit() -> None:
    assert metrics.recall(SLATE, frozenset({7, 1, 3}), k=10) == pytest.approx(2 / 3)
    assert metrics.recall(SLATE, frozenset({7, 1, 3}), k=2) == pytest.approx(1 / 2)
    assert metrics.recall(SLATE, frozenset(range(5, 8)), k=2) == 1.0


def test_ndcg_of_the_best_slate_is_one_and_a_later_hit_gains_less() -> None:
    assert metrics.ndcg(SLATE, frozenset({5, 7}), k=2) == pytest.approx(1.0)
    assert metrics.ndcg(SLATE, frozenset({7}), k=10) == pytest.approx(1 / math.log2(3))
    assert metrics.ndcg(SLATE, frozenset({4}), k=10) == 0.0


def test_a_short_slate_is_measured_as_it_is() -> None:
    assert metrics.recall(SLATE[:1], frozenset({5, 7}), k=10) == pytest.approx(1 / 2)
    assert metrics.ndcg(np.zeros(0, np.int32), frozenset({5}), k=10) == 0.0


def test_the_interval_covers_the_mean_and_narrows_with_more_customers() -> None:
    few = metrics.mean(np.array([0.0, 1.0] * 20), seed=1)
    many = metrics.mean(np.array([0.0, 1.0] * 2000), seed=1)
    assert few.low < few.value == 0.5 < few.high
    assert many.high - many.low < (few.high - few.low) / 5
    # The interval of a coin thrown 40 times, by the normal approximation: ± 1.96 · 0.5 / √40
    assert few.high - few.low == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(40), rel=0.15)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(0).random(100)
    assert metrics.mean(values, seed=3) == metrics.mean(values, seed=3)

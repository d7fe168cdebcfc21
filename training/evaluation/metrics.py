"""Measure how good slates are, customer by customer, and how certain their mean is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 1000
CONFIDENCE: Final = 0.95  # of an interval that is reported


def recall(slate: NDArray[np.integer], targets: frozenset[int], k: int) -> float:
    """Return hits in the first k over min(k, targets)."""
    return len(targets.intersection(slate[:k].tolist())) / min(k, len(targets))


def ndcg(slate: NDArray[np.integer], targets: frozenset[int], k: int) -> float:
    """Return the NDCG: binary gain, discount 1 / log2(rank + 1), against the best slate of k."""
    gains = np.array([item in targets for item in slate[:k].tolist()], np.float64)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    return float(gains @ discounts[: len(gains)] / discounts[: min(k, len(targets))].sum())


@dataclass(frozen=True)
class Mean:
    """A mean over customers with the interval that resampled customers give."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def mean(values: NDArray[np.float64], seed: int, confidence: float = CONFIDENCE) -> Mean:
    """Return the mean of (customers,) values with its bootstrap interval.

    B. Efron: Bootstrap Methods, 1979.
    """
    resampled = np.concatenate(
        [values[picks].mean(axis=1) for picks in _resamples(len(values), seed)]
    )
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Mean(float(values.mean()), float(low), float(high))


def _resamples(n: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Draw rows of customers with replacement, in blocks that stay small."""
    random = np.random.default_rng(seed)
    return (random.integers(0, n, (RESAMPLES // 20, n)) for _ in range(20))

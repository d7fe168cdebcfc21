"""Regret without hindsight: what is served, held against the best of what could have been.

The best alternative is chosen on one half of a cell's customers and held against what is served on
the other half. Chosen on the customers it is scored on, the best of eleven equal methods would look
better than itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]

SERVED: Final = "served"
MIN_CUSTOMERS: Final = 200  # of a cell; smaller ones of a task are pooled
HASHES: Final = 5  # ways to halve the customers
RESAMPLES: Final = 1_000
CONFIDENCE: Final = 0.95
MAX_MEAN: Final = 0.01  # the rule: mean regret, and the upper end of its interval
MAX_UPPER: Final = 0.03


@dataclass(frozen=True, eq=False)
class Cell:
    """Hold the Recall of every method for the n customers of one task of one shop."""

    shop: str
    task: str
    ids: tuple[str, ...]  # of the customers, with their shop's name; one may have several rows
    methods: tuple[str, ...]  # SERVED first
    recall: Floats  # (n, methods)

    @property
    def means(self) -> dict[str, float]:
        """Return the mean Recall of each method."""
        return dict(zip(self.methods, self.recall.mean(axis=0).tolist(), strict=True))

    @property
    def best(self) -> str:
        """Return the alternative that is best in hindsight."""
        return self.methods[1 + int(np.argmax(self.recall.mean(axis=0)[1:]))]


@dataclass(frozen=True)
class Loss:
    """Hold an alternative that found more in one cell than what is served, beyond chance."""

    shop: str
    task: str
    method: str
    difference: float  # of the mean Recall
    chance: float  # Holm's p, of all alternatives and cells

    def __str__(self) -> str:
        return (
            f"{self.shop}, {self.task}: {self.method} finds {self.difference:.4f} more "
            f"(p = {self.chance:.4f} after Holm's correction)"
        )


@dataclass(frozen=True)
class Regret:
    """Hold the regret of all cells together."""

    mean: float  # of the cells; 0 where what is served is chosen
    upper: float  # end of the interval of the mean, by resampled customers
    against_best: float  # mean against the best alternative, below 0 where it finds less
    losses: tuple[Loss, ...]

    @property
    def holds(self) -> bool:
        """Return whether the rule holds."""
        return self.mean <= MAX_MEAN and self.upper <= MAX_UPPER and not self.losses


def pool_small(cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells, those of few customers pooled by task."""
    kept: list[Cell] = []
    small: dict[str, list[Cell]] = {}
    for cell in cells:
        if len(cell.ids) >= MIN_CUSTOMERS:
            kept.append(cell)
        else:
            small.setdefault(cell.task, []).append(cell)
    for task, parts in small.items():
        kept.append(_pool(task, parts))
    return kept


def _pool(task: str, parts: Sequence[Cell]) -> Cell:
    everywhere = set.intersection(*(set(part.methods) for part in parts))
    methods = tuple(name for name in parts[0].methods if name in everywhere)
    columns = [part.recall[:, list(map(part.methods.index, methods))] for part in parts]
    ids = tuple(name for part in parts for name in part.ids)
    return Cell(
        " + ".join(part.shop for part in parts), task, ids, methods, np.concatenate(columns)
    )


def halve(ids: Sequence[str], number: int) -> NDArray[np.bool_]:
    """Tell which customers are in the first half, by a hash of their ids: (ids,)."""
    return (
        np.array([hashlib.sha256(f"{number}:{name}".encode()).digest()[0] % 2 for name in ids]) > 0
    )


def draw_weights(ids: Sequence[str], resamples: int) -> Floats:
    """Return how often each customer is drawn in each resample: (1 + resamples, ids).

    They are Poisson numbers seeded by the id, so that a customer counts alike in all the cells they
    are in. The first row is the customers as they are.
    """
    rows = {}
    for name in set(ids):
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
        rows[name] = np.random.default_rng(seed).poisson(1.0, resamples).astype(np.float64)
    drawn = np.array([rows[name] for name in ids]).reshape(len(ids), resamples).T
    return np.concatenate([np.ones((1, len(ids))), drawn])


def measure_cell(cell: Cell, resamples: int = 0) -> tuple[Floats, Floats]:
    """Return the regret of a cell, and that against the best alternative: (1 + resamples,) each.

    Of the first, what is served is among the methods that are chosen from: so it tells what a shop
    would gain by choosing, and a large lead makes up for no loss elsewhere.
    """
    weights = draw_weights(cell.ids, resamples)
    chosen, alternative = [], []
    for number in range(HASHES):
        first = halve(cell.ids, number)
        means = [_mean_by_resample(cell, weights, half) for half in (first, ~first)]
        for here, there in (means, means[::-1]):
            chosen.append(_compare(there, np.argmax(here, axis=1)))
            alternative.append(_compare(there, 1 + np.argmax(here[:, 1:], axis=1)))
    return np.mean(chosen, axis=0), np.mean(alternative, axis=0)


def _mean_by_resample(cell: Cell, weights: Floats, half: NDArray[np.bool_]) -> Floats:
    """Return the mean Recall of each method in each resample: (resamples, methods)."""
    total = np.maximum(weights[:, half].sum(axis=1, keepdims=True), 1)
    means: Floats = weights[:, half] @ cell.recall[half] / total
    return means


def _compare(means: Floats, method: NDArray[np.intp]) -> Floats:
    """Return how much more a method finds than what is served, of the larger: (resamples,)."""
    other, served = means[np.arange(len(means)), method], means[:, 0]
    larger = np.maximum(np.maximum(other, served), 1e-12)
    result: Floats = (other - served) / larger
    return result


def measure_regret(cells: Iterable[Cell]) -> Regret:
    """Return the regret of cells, after those of few customers were pooled."""
    pooled = pool_small(cells)
    measured = [measure_cell(cell, RESAMPLES) for cell in pooled]
    means = np.mean([chosen for chosen, _ in measured], axis=0)
    return Regret(
        mean=float(means[0]),
        upper=float(np.quantile(means[1:], (1 + CONFIDENCE) / 2)),
        against_best=float(np.mean([alternative[0] for _, alternative in measured])),
        losses=tuple(find_losses(pooled)),
    )


def find_losses(cells: Sequence[Cell]) -> list[Loss]:
    """Return the alternatives that found more in a cell than what is served, beyond chance.

    S. Holm: A Simple Sequentially Rejective Multiple Test Procedure, 1979.
    """
    tests = []
    for cell in cells:
        gains = cell.recall[:, 1:] - cell.recall[:, :1]
        chances = norm.sf(_standardize(gains, cell.ids)).tolist()
        means = gains.mean(axis=0).tolist()
        for name, gain, chance in zip(cell.methods[1:], means, chances, strict=True):
            tests.append(Loss(cell.shop, cell.task, name, gain, chance))
    tests.sort(key=lambda test: test.chance)
    losses, corrected = [], 0.0
    for rank, test in enumerate(tests):
        corrected = max(corrected, min(test.chance * (len(tests) - rank), 1.0))
        if corrected > 1 - CONFIDENCE:
            break
        losses.append(Loss(test.shop, test.task, test.method, test.difference, corrected))
    return losses


def _standardize(gains: Floats, ids: Sequence[str]) -> Floats:
    """Return the mean gain of each method over its standard error: (methods,).

    The rows of one customer are no independent draws: they count as one.
    """
    _, owner = np.unique(ids, return_inverse=True)
    totals = np.zeros((owner.max() + 1, gains.shape[1]))
    np.add.at(totals, owner, gains - gains.mean(axis=0))
    errors = np.sqrt(np.square(totals).sum(axis=0)) / len(gains)
    result: Floats = gains.mean(axis=0) / np.maximum(errors, 1e-12)
    return result

"""What comes out for some customers of a split: hits of every method, of every source, of every score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.ranking.ranker import probability
from models.recommender import Recommender
from models.rules.shop_rules import ShopRule
from training.evaluation import metrics
from training.evaluation.methods import (
    DIVERSITIES,
    METHODS,
    SERVED,
    MethodSlates,
    build_method_slates,
)

TASKS: Final = ("all", "discovery")
METRICS: Final = ("recall", "ndcg", "hits")
PROPOSERS: Final = (
    *(
        "own_purchases",
        "due",
        "factors",
        "neighbours",
        "bought_together",
        "category",
        "popular",
        "new",
    ),
)
PROPOSED: Final = ("candidates", "caught", "unique")  # counts of a source
BINS: Final = np.concatenate([[0], np.geomspace(0.001, 1, 16)])  # of predicted probabilities

Customer = tuple[int, frozenset[int], frozenset[int]]  # user, targets, discoveries


@dataclass(frozen=True, eq=False)
class Observations:
    """c customers; NaN and -1 where a customer has no targets of a task."""

    values: NDArray[np.float64]  # (tasks, c, METHODS, METRICS)
    items: NDArray[np.int64]  # (tasks, c, k) what is served, -1 where the slate was shorter
    filled: NDArray[np.int64]  # (tasks, c)
    targets: NDArray[np.int64]  # (tasks, c)
    proposed: NDArray[np.int64]  # (tasks, c, PROPOSERS + all of them together, PROPOSED)
    varied: NDArray[np.int64]  # (tasks, c, DIVERSITIES, k)
    varied_ndcg: NDArray[np.float64]  # (tasks, c, DIVERSITIES)
    scores: NDArray[np.float64]  # (tasks, c, BINS - 1, 3) candidates, sum of probabilities, bought

    @classmethod
    def of(cls, parts: Sequence[Self]) -> Self:
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts], axis=1)
                for name in cls.__annotations__
            )
        )


def observe_customers(
    as_of: int,
    k: int,
    rules: tuple[ShopRule, ...],
    recommender: Recommender,
    customers: Sequence[Customer],
) -> Observations:
    shape = (len(TASKS), len(customers))
    seen = Observations(
        values=np.full((*shape, len(METHODS), len(METRICS)), np.nan),
        items=np.full((*shape, k), -1, np.int64),
        filled=np.zeros(shape, np.int64),
        targets=np.zeros(shape, np.int64),
        proposed=np.zeros((*shape, len(PROPOSERS) + 1, len(PROPOSED)), np.int64),
        varied=np.full((*shape, len(DIVERSITIES), k), -1, np.int64),
        varied_ndcg=np.full((*shape, len(DIVERSITIES)), np.nan),
        scores=np.zeros((*shape, len(BINS) - 1, 3)),
    )
    learned = recommender.model.lesson.learned
    for place, (user, *targets) in enumerate(customers):
        slates = build_method_slates(recommender, user, as_of, k, rules)
        for task, (answer, wanted) in enumerate(zip(slates, targets, strict=True)):
            if wanted:
                _note(seen, (task, place), answer, wanted, k, learned)
    return seen


def _note(
    seen: Observations,
    at: tuple[int, int],
    answer: MethodSlates,
    wanted: frozenset[int],
    k: int,
    learned: bool,
) -> None:
    for method, slate in answer.items.items():
        seen.values[(*at, METHODS.index(method))] = measure_slate(slate, wanted, k)
    served = answer.items[SERVED]
    seen.items[at][: len(served)] = served
    seen.filled[at] = answer.filled
    seen.targets[at] = len(wanted)
    targets = np.array(sorted(wanted))
    caught = np.array([np.isin(targets, answer.proposed[name]) for name in PROPOSERS])
    times = caught.sum(axis=0)
    for row, name in enumerate(PROPOSERS):
        unique = np.count_nonzero(caught[row] & (times == 1))
        seen.proposed[(*at, row)] = (
            len(answer.proposed[name]),
            np.count_nonzero(caught[row]),
            unique,
        )
    seen.proposed[(*at, -1)] = len(answer.ranked.items), np.count_nonzero(times), 0
    for row, slate in enumerate(answer.varied):
        seen.varied[at][row, : len(slate)] = slate
        seen.varied_ndcg[(*at, row)] = metrics.ndcg(slate, wanted, k)
    if learned:
        chance = probability(answer.ranked.scores).astype(np.float64)
        bins = np.clip(np.searchsorted(BINS, chance, side="right") - 1, 0, len(BINS) - 2)
        hit = np.isin(answer.ranked.items, targets)
        for column, weights in enumerate((None, chance, hit.astype(np.float64))):
            seen.scores[at][:, column] = np.bincount(bins, weights, len(BINS) - 1)


def measure_slate(
    slate: NDArray[np.int64], wanted: frozenset[int], k: int
) -> tuple[float, float, float]:
    """METRICS of one slate."""
    recall = metrics.recall(slate, wanted, k)
    return recall, metrics.ndcg(slate, wanted, k), recall * min(k, len(wanted))

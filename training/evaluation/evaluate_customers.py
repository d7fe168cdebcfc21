"""Hits of every method, every source and every score, customer by customer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.ranking.sources import SOURCES
from models.recommender import Recommender
from models.slate import SlateRequest
from models.trees import probability
from training.evaluation import metrics
from training.evaluation.methods import (
    DIVERSITIES,
    SERVED,
    AddedMethods,
    MethodSlates,
    build_method_slates,
    build_visit_slates,
    degrees_of_daring,
)
from training.evaluation.visits import Visit

TASKS: Final = ("all", "discovery")  # of known customers
VISIT: Final = "visit"  # the task of orders as visits by someone anonymous
NEXT_VIEW: Final = "next view"  # the task of visits in which products were looked at
RECENT, BASKET = "recent", "basket"  # where the products lie that a visit has seen
VISIT_FORMS: Final = {VISIT: (RECENT, BASKET), NEXT_VIEW: (RECENT,)}
METRICS: Final = ("recall", "ndcg", "hits")
PROPOSERS: Final = tuple(str(source.name) for source in SOURCES if source.evaluated)
PROPOSED: Final = ("candidates", "caught", "unique")  # counts of a source
BINS: Final = np.concatenate([[0], np.geomspace(0.001, 1, 16)])  # of predicted probabilities


class ScoredCustomer(NamedTuple):
    """A customer of a split and the products to be found, for each of TASKS."""

    user: int
    targets: frozenset[int]
    discoveries: frozenset[int]


@dataclass(frozen=True, eq=False)
class Observations:
    """Hold what was measured of c customers; NaN and -1 where one has no targets of a task."""

    values: NDArray[np.float64]  # (tasks, c, methods, METRICS)
    items: NDArray[np.int64]  # (tasks, c, k) what is served, -1 where the slate was shorter
    filled: NDArray[np.int64]  # (tasks, c)
    targets: NDArray[np.int64]  # (tasks, c)
    proposed: NDArray[np.int64]  # (tasks, c, PROPOSERS + all of them together, PROPOSED)
    varied: NDArray[np.int64]  # (tasks, c, DIVERSITIES, k)
    varied_ndcg: NDArray[np.float64]  # (tasks, c, DIVERSITIES)
    dared: NDArray[np.int64]  # (tasks, c, degrees of daring, k)
    scores: NDArray[np.float64]  # (tasks, c, BINS - 1, 3) candidates, sum of probabilities, bought

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join the customers of the parts, in their order."""
        arrays = {}
        for name in cls.__annotations__:
            arrays[name] = np.concatenate([getattr(part, name) for part in parts], axis=1)
        return cls(**arrays)


def observe_customers(
    as_of: int,
    k: int,
    added: AddedMethods,
    recommender: Recommender,
    customers: Sequence[ScoredCustomer],
) -> Observations:
    """Build every method's slates for some customers, and measure them on both tasks."""
    observations = _make_room(recommender, len(TASKS), len(customers), k, added)
    learned = recommender.model.lesson.learned
    for row, customer in enumerate(customers):
        slates = build_method_slates(recommender, customer.user, as_of, k, added)
        wanted = (customer.targets, customer.discoveries)
        for task, targets in enumerate(wanted):
            if targets:
                _record_slates(observations, (task, row), slates[task], targets, added)
                _record_sources(observations, (task, row), slates[task], targets, learned)
    return observations


def observe_visits(
    as_of: int,
    k: int,
    forms: Sequence[str],
    added: AddedMethods,
    recommender: Recommender,
    visits: Sequence[Visit],
) -> Observations:
    """Build every method's slates for some visits, and measure them: (1 task, visits · forms).

    Each visit is asked about in all forms, one after another: what it has seen was looked at, or
    lies in the basket.
    """
    observations = _make_room(recommender, 1, len(forms) * len(visits), k, added)
    learned = recommender.model.lesson.learned
    for row, (visit, form) in enumerate(itertools.product(visits, forms)):
        recent, basket = (visit.seen, ()) if form == RECENT else ((), visit.seen)
        request = SlateRequest(n=k, as_of=as_of, recent=recent, basket=basket)
        slates = build_visit_slates(recommender, request, added)
        _record_slates(observations, (0, row), slates, visit.targets, added)
        _record_sources(observations, (0, row), slates, visit.targets, learned)
    return observations


def _make_room(
    recommender: Recommender, tasks: int, customers: int, k: int, added: AddedMethods
) -> Observations:
    shape, degrees = (tasks, customers), len(degrees_of_daring(recommender))
    return Observations(
        values=np.full((*shape, len(added.names), len(METRICS)), np.nan),
        items=np.full((*shape, k), -1, np.int64),
        filled=np.zeros(shape, np.int64),
        targets=np.zeros(shape, np.int64),
        proposed=np.zeros((*shape, len(PROPOSERS) + 1, len(PROPOSED)), np.int64),
        varied=np.full((*shape, len(DIVERSITIES), k), -1, np.int64),
        varied_ndcg=np.full((*shape, len(DIVERSITIES)), np.nan),
        dared=np.full((*shape, degrees, k), -1, np.int64),
        scores=np.zeros((*shape, len(BINS) - 1, 3)),
    )


def _record_slates(
    observations: Observations,
    at: tuple[int, int],
    slates: MethodSlates,
    targets: frozenset[int],
    added: AddedMethods,
) -> None:
    k = observations.items.shape[-1]
    for method, slate in slates.items.items():
        observations.values[(*at, added.names.index(method))] = measure_slate(slate, targets, k)
    served = slates.items[SERVED]
    observations.items[at][: len(served)] = served
    observations.filled[at] = slates.filled
    observations.targets[at] = len(targets)
    for row, slate in enumerate(slates.varied):
        observations.varied[at][row, : len(slate)] = slate
        observations.varied_ndcg[(*at, row)] = metrics.ndcg(slate, targets, k)
    for row, slate in enumerate(slates.dared):
        observations.dared[at][row, : len(slate)] = slate


def _record_sources(
    observations: Observations,
    at: tuple[int, int],
    slates: MethodSlates,
    targets: frozenset[int],
    learned: bool,
) -> None:
    """Record what each source proposed, and the scores, where they are log odds of a purchase."""
    items = np.array(sorted(targets))
    caught = np.array([np.isin(items, slates.proposed[name]) for name in PROPOSERS])
    sources = caught.sum(axis=0)  # of each target
    for row, name in enumerate(PROPOSERS):
        hits = np.count_nonzero(caught[row])
        unique = np.count_nonzero(caught[row] & (sources == 1))
        observations.proposed[(*at, row)] = len(slates.proposed[name]), hits, unique
    candidates = len(slates.ranked.items)
    observations.proposed[(*at, -1)] = candidates, np.count_nonzero(sources), 0
    if learned:
        _record_scores(observations, at, slates, targets)


def _record_scores(
    observations: Observations,
    at: tuple[int, int],
    slates: MethodSlates,
    targets: frozenset[int],
) -> None:
    chance = probability(slates.ranked.scores).astype(np.float64)
    bins = np.clip(np.searchsorted(BINS, chance, side="right") - 1, 0, len(BINS) - 2)
    hits = np.isin(slates.ranked.items, np.array(sorted(targets)))
    for column, weights in enumerate((None, chance, hits.astype(np.float64))):
        observations.scores[at][:, column] = np.bincount(bins, weights, len(BINS) - 1)


def measure_slate(
    slate: NDArray[np.int64], targets: frozenset[int], k: int
) -> tuple[float, float, float]:
    """Return METRICS of one slate."""
    recall = metrics.recall(slate, targets, k)
    return recall, metrics.ndcg(slate, targets, k), recall * min(k, len(targets))

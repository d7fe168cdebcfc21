"""Build slates of published methods, from the same past and for the same customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.events import PURCHASE
from models.sources.scores import rank_best
from training.evaluation.ease import EaseSettings, fit_ease, select_products
from training.evaluation.evaluate_customers import NEXT_VIEW, TASKS, VISIT
from training.evaluation.split import Split
from training.evaluation.tifu_knn import (
    MAX_CANDIDATES,
    TifuKnnSettings,
    fit_tifu_knn,
    select_candidates,
)
from training.evaluation.visits import Visit
from training.progress import Advance, ignore

EASE: Final = "EASE"
TIFU_KNN: Final = "TIFU-KNN"
REFERENCE_METHODS: Final = (EASE, TIFU_KNN)
CHUNK: Final = 256  # customers scored at a time

Items = NDArray[np.int64]


class Scorer(Protocol):
    """A fitted method."""

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """Score each product for each user: (users, items), 0 for what is not to be shown."""
        ...

    def scores_of_visits(self, seen: csr_matrix) -> NDArray[np.float32]:
        """Score each product for visits that have seen some: (visits, items), as `scores`."""
        ...


def build_reference_slates(
    split: Split, k: int, *, on_progress: Advance = ignore
) -> dict[str, dict[str, Items]]:
    """Build each method's slates for the customers and visits of a split, by task.

    Slates are (customers, k), -1 where there is no product; they hold countable products alone.
    """
    slates = {}
    for number, method in enumerate(REFERENCE_METHODS):

        def advance(done: int, total: int, before: int = number) -> None:
            on_progress(before * total + done, len(REFERENCE_METHODS) * total)

        scorer = _fit(method, split)
        everything, new = _fill_slates(scorer, split, k, advance)
        slates[method] = dict(zip(TASKS, (everything, new), strict=True))
        for task, visits in ((VISIT, split.visits), (NEXT_VIEW, split.views)):
            slates[method][task] = _fill_visits(scorer, visits, len(split.countable), k)
    return slates


def list_limits(split: Split) -> dict[str, str]:
    """Return what bounded memory and time left out, by method; empty where nothing was."""
    limits = {}
    kept = len(select_products(split.past, split.countable))
    if kept < np.count_nonzero(split.countable):
        limits[EASE] = f"the {kept:,} most bought products alone"
    if len(select_candidates(split.past, split.countable)) == MAX_CANDIDATES:
        limits[TIFU_KNN] = f"neighbours from {MAX_CANDIDATES:,} customers"
    return limits


def _fit(method: str, split: Split) -> Scorer:
    if method == EASE:
        return fit_ease(split.past, split.countable, split.cut, EaseSettings())
    return fit_tifu_knn(split.past, split.countable, TifuKnnSettings())


def _fill_slates(scorer: Scorer, split: Split, k: int, on_progress: Advance) -> tuple[Items, Items]:
    shape = (len(split.users), k)
    everything, new = np.full(shape, -1, np.int64), np.full(shape, -1, np.int64)
    bought = _collect_bought(split)
    for start in range(0, len(split.users), CHUNK):
        users = split.users[start : start + CHUNK]
        for row, scores in enumerate(scorer.scores(users), start):
            slate = rank_best(scores, k)
            everything[row, : len(slate)] = slate
            scores[bought[row]] = 0
            slate = rank_best(scores, k)
            new[row, : len(slate)] = slate
        on_progress(start + len(users), len(split.users))
    return everything, new


def _fill_visits(scorer: Scorer, visits: Sequence[Visit], n_items: int, k: int) -> Items:
    slates = np.full((len(visits), k), -1, np.int64)
    for start in range(0, len(visits), CHUNK):
        part = visits[start : start + CHUNK]
        seen = np.zeros((len(part), n_items), np.float32)
        for row, visit in enumerate(part):
            seen[row, list(visit.seen)] = 1
        scores = scorer.scores_of_visits(csr_matrix(seen))
        scores[seen > 0] = 0
        for row, of_visit in enumerate(scores, start):
            slate = rank_best(of_visit, k)
            slates[row, : len(slate)] = slate
    return slates


def _collect_bought(split: Split) -> list[NDArray[np.int32]]:
    """Return what each customer of the split bought before the cut."""
    rows = split.past.kind == PURCHASE
    user, item = split.past.user[rows], split.past.item[rows]
    starts = np.searchsorted(user, split.users)
    stops = np.searchsorted(user, split.users, side="right")
    return [item[start:stop] for start, stop in zip(starts, stops, strict=True)]

"""Slates of published methods, run here on the same past and for the same customers."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.data.events import PURCHASE
from models.sources.scores import rank_best
from training.evaluation.ease import EaseSettings, fit_ease, select_products
from training.evaluation.split import Split
from training.evaluation.tifu_knn import (
    MAX_CANDIDATES,
    TifuKnnSettings,
    fit_tifu_knn,
    select_candidates,
)
from training.progress import Advance, ignore

EASE: Final = "EASE"
TIFU_KNN: Final = "TIFU-KNN"
REFERENCE_METHODS: Final = (EASE, TIFU_KNN)
CHUNK: Final = 256  # customers scored at a time

Items = NDArray[np.int64]


class Scorer(Protocol):
    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """How likely each user is to buy each product: (users, items)."""
        ...


def build_reference_slates(
    split: Split, k: int, *, on_progress: Advance = ignore
) -> dict[str, tuple[Items, Items]]:
    """Of each method what it shows the customers of a split, of anything and of what they never bought.

    Slates are (customers, k), -1 where there is no product; they hold countable products alone.
    """
    slates = {}
    for number, method in enumerate(REFERENCE_METHODS):

        def advance(done: int, total: int, before: int = number) -> None:
            on_progress(before * total + done, len(REFERENCE_METHODS) * total)

        slates[method] = _slates(_fitted(method, split), split, k, advance)
    return slates


def list_limits(split: Split) -> dict[str, str]:
    """What bounded memory and time left out, by method; empty where nothing was."""
    told = {}
    kept = len(select_products(split.past, split.countable))
    if kept < np.count_nonzero(split.countable):
        told[EASE] = f"the {kept:,} most bought products alone"
    if len(select_candidates(split.past, split.countable)) == MAX_CANDIDATES:
        told[TIFU_KNN] = f"neighbours from {MAX_CANDIDATES:,} customers"
    return told


def _fitted(method: str, split: Split) -> Scorer:
    if method == EASE:
        return fit_ease(split.past, split.countable, split.cut, EaseSettings())
    return fit_tifu_knn(split.past, split.countable, TifuKnnSettings())


def _slates(scorer: Scorer, split: Split, k: int, on_progress: Advance) -> tuple[Items, Items]:
    everything, new = (np.full((len(split.users), k), -1, np.int64) for _ in range(2))
    bought = _bought(split)
    for start in range(0, len(split.users), CHUNK):
        users = split.users[start : start + CHUNK]
        for place, scores in enumerate(scorer.scores(users), start):
            found = rank_best(scores, k)
            everything[place, : len(found)] = found
            scores[bought[place]] = 0
            found = rank_best(scores, k)
            new[place, : len(found)] = found
        on_progress(start + len(users), len(split.users))
    return everything, new


def _bought(split: Split) -> list[NDArray[np.int32]]:
    """What each customer of the split bought before the cut."""
    rows = split.past.kind == PURCHASE
    user, item = split.past.user[rows], split.past.item[rows]
    starts, stops = (
        np.searchsorted(user, split.users),
        np.searchsorted(user, split.users, side="right"),
    )
    return [item[start:stop] for start, stop in zip(starts, stops, strict=True)]

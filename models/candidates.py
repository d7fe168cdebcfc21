"""Which products are worth ranking for one customer: the best of each source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.factors import ItemFactors
from models.history import NEVER, Interactions
from models.neighbours import Neighbours
from models.pairs import OrderPairs
from models.sales import Popularity
from models.settings import ModelSettings

Floats = NDArray[np.float32]
STRIDE: Final = 32  # one score in so many is looked at first


@dataclass(frozen=True, eq=False)
class Evidence:
    """What each source says about every product: float32 (items,), 0 where it says nothing."""

    affinity: Floats  # factors: predicted preference, never below 0
    neighbours: Floats
    basket: Floats
    popularity: Popularity


def gather(
    pairs: Interactions,
    basket: list[int],
    popularity: Popularity,
    factors: ItemFactors,
    neighbours: Neighbours,
    orders: OrderPairs,
    settings: ModelSettings,
) -> Evidence:
    """Ask every source about every product, for one history and one basket."""
    vector = factors.fold_in(*observed(pairs, settings))
    recent = pairs.recent > 0
    return Evidence(
        affinity=np.maximum(factors.scores(vector), 0),
        neighbours=neighbours.scores(pairs.item[recent], pairs.recent[recent]),
        basket=orders.basket_scores(basket, settings.bundles.lift_weight),
        popularity=popularity,
    )


def observed(pairs: Interactions, settings: ModelSettings) -> tuple[NDArray[np.int32], Floats]:
    """The products that fold a customer in, and the confidence c = 1 + α · taste of each."""
    tasted = pairs.taste > 0
    return pairs.item[tasted], 1 + np.float32(settings.factors.alpha) * pairs.taste[tasted]


def candidates(
    evidence: Evidence, pairs: Interactions, allowed: NDArray[np.bool_], per_source: int
) -> NDArray[np.int64]:
    """Every product bought before and the `per_source` best new ones of each source: sorted items (c,)."""
    new = allowed.copy()
    owned = pairs.item[pairs.last != NEVER]
    new[owned] = False
    sources = (evidence.affinity, evidence.neighbours, evidence.basket, evidence.popularity.recent)
    chosen = [best(np.where(new, scores, 0), per_source) for scores in sources]
    return np.unique(np.concatenate([owned[allowed[owned]], *chosen]).astype(np.int64))


def best(scores: Floats, n: int) -> NDArray[np.int64]:
    """The n highest positive scores, best first, ties in the order of the items."""
    found = _likely(scores, n)
    if len(found) > n:
        values = scores[found]
        found = found[values >= np.partition(values, -n)[-n]]
    return found[np.argsort(-scores[found], kind="stable")][:n]


def _likely(scores: Floats, n: int) -> NDArray[np.int64]:
    """All of the n highest positive scores and, where there are many, few others: those above a sample's rank."""
    positive = scores > 0
    sample, rank = scores[::STRIDE], 2 * n // STRIDE + 16
    if np.count_nonzero(positive) > len(scores) // 8 and rank < len(sample):
        likely = np.flatnonzero(scores >= np.partition(sample, -rank)[-rank])
        if n <= len(likely) < len(scores) // 2:
            return likely
    return np.flatnonzero(positive)

"""Which products are worth ranking for one customer: the best of each source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.factors import ItemFactors
from models.history import NEVER, Interactions
from models.neighbours import Neighbours
from models.pairs import OrderPairs
from models.sales import Popularity
from models.settings import ModelSettings

Floats = NDArray[np.float32]


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
    tasted = pairs.taste > 0
    confidence = 1 + np.float32(settings.factors.alpha) * pairs.taste[tasted]
    vector = factors.fold_in(pairs.item[tasted], confidence)
    recent = pairs.recent > 0
    return Evidence(
        affinity=np.maximum(factors.scores(vector), 0),
        neighbours=neighbours.scores(pairs.item[recent], pairs.recent[recent]),
        basket=orders.basket_scores(basket, settings.bundles.lift_weight),
        popularity=popularity,
    )


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
    found = np.flatnonzero(scores > 0)
    if len(found) > n:
        values = scores[found]
        least = values[np.argpartition(values, -n)[-n]]
        found = found[values >= least]
    return found[np.argsort(-scores[found], kind="stable")][:n]

"""What may join a basket: candidates from the pairs, a row of features each, and their ranking.

The service and training take the same path, so what was learned is what is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.model import Model
from models.ranking.ranker import probability
from models.settings import BundleSettings
from models.sources.als import ItemFactors

Floats = NDArray[np.float32]

# The columns of a row; docs/ranking.md says what each one means.
FEATURES: Final = (
    "score",
    "strongest_tie",
    "lift_sum",
    "lift_max",
    "lift_mean",
    "tied",
    "confidence_max",
    "confidence_mean",
    "reverse_confidence_max",
    "cosine_max",
    "cosine_mean",
    "basket_size",
    "share",
    "trend",
    "taste",
    "neighbours",
    "same_category",
    "same_brand",
)


RECENT_DAYS: Final = 28
TINY: Final = np.float32(1e-9)


@dataclass(frozen=True, eq=False)
class Ties:
    """Pairs (product of the basket, candidate), the candidates' by item: (t,) each."""

    anchor: NDArray[np.int32]  # the basket's product
    place: NDArray[np.int64]  # in the arrays of OrderPairs
    score: Floats  # what the pair adds to the formula
    lift: NDArray[np.float64]  # from plain counts

    def only(self, keep: NDArray[np.bool_]) -> Ties:
        return Ties(self.anchor[keep], self.place[keep], self.score[keep], self.lift[keep])


@dataclass(frozen=True, eq=False)
class BasketCandidates:
    """Products that may join a basket, by item: (c,) each. The ties of c begin at `starts[c]`."""

    item: NDArray[np.int32]
    score: Floats  # of the formula
    ties: Ties
    starts: NDArray[np.int64]

    def strongest(self, candidate: int) -> int:
        """The place in `ties` of the strongest one above chance; the first of equals. Every candidate has one."""
        stop = (
            self.starts[candidate + 1] if candidate + 1 < len(self.starts) else len(self.ties.place)
        )
        ties = slice(self.starts[candidate], stop)
        above = np.where(self.ties.lift[ties] > 1, self.ties.score[ties], -1)
        return int(self.starts[candidate] + np.argmax(above))


class BasketRanker:
    """Ranks what may join a basket: by what was learned from orders, by a formula where nothing was."""

    def __init__(self, model: Model, settings: BundleSettings) -> None:
        self.model = model
        self.settings = settings
        self.trees = model.lesson.baskets
        self.trend = _trend(model)

    def ranked(
        self, basket: Sequence[int], allowed: NDArray[np.bool_]
    ) -> tuple[BasketCandidates, Floats, NDArray[np.int64]]:
        """The candidates, their scores (c,), and the order of these, best first, ties by item.

        Once something was learned a score is a chance: that this candidate is the one that is missing.
        """
        found = self.candidates(basket, allowed)
        scores = found.score
        if len(self.trees) and len(scores):
            scores = probability(self.trees.scores(self.rows(basket, found)))
        return found, scores, np.argsort(-scores, kind="stable")

    def candidates(self, basket: Sequence[int], allowed: NDArray[np.bool_]) -> BasketCandidates:
        """The products allowed (items,) with the strongest ties to a basket of different products.

        One of the ties is above chance; nothing is a substitute of what is in the basket.
        """
        pairs, settings = self.model.orders, self.settings
        allowed = allowed.copy()
        allowed[list(basket)] = False
        allowed[self.model.substitutes.of(basket)] = False
        rows = [pairs.row(anchor) for anchor in basket]
        place = np.concatenate(
            [np.zeros(0, np.int64), *(np.arange(row.start, row.stop) for row in rows)]
        )
        anchor = np.repeat(np.array(basket, np.int32), [row.stop - row.start for row in rows])
        kept = allowed[pairs.item[place]]
        place, anchor = place[kept], anchor[kept]
        order = np.argsort(pairs.item[place], kind="stable")
        place, anchor = place[order], anchor[order]
        item = pairs.item[place]
        expected = pairs.orders[anchor] * pairs.orders[item].astype(np.float64) / pairs.total[0]
        # The lift counts more the larger the basket m is: γ (1 - 1/m), and a little for one product
        exponent = max(
            settings.unit_lift_weight, settings.lift_weight * (1 - 1 / max(len(basket), 1))
        )
        ties = Ties(
            anchor,
            place,
            score=pairs.strength[place] * np.exp(np.float32(exponent) * pairs.log_lift[place]),
            lift=pairs.together[place] / expected,
        )
        return _strongest(item, ties, settings.candidates)

    def rows(self, basket: Sequence[int], found: BasketCandidates) -> Floats:
        """A row of features for every candidate: (c, FEATURES)."""
        model, pairs, starts = self.model, self.model.orders, found.starts
        within, item = np.array(basket, np.int32), found.item
        ties = found.ties
        together = pairs.together[ties.place].astype(np.float32)
        tied = np.diff(starts, append=len(together))
        with_anchor, with_item = pairs.orders[ties.anchor], np.repeat(pairs.orders[item], tied)
        log_lift, confidence = pairs.log_lift[ties.place], together / with_anchor
        cosine = together / np.sqrt(with_anchor * with_item.astype(np.float32))
        size = np.float32(len(basket))
        category, brand = model.traits.category, model.catalogue.brand
        lift_sum = np.add.reduceat(log_lift, starts)
        columns = (
            np.log(found.score / found.score.max(initial=0)),
            np.log(np.maximum.reduceat(ties.score, starts)),
            lift_sum,
            np.maximum.reduceat(log_lift, starts),
            lift_sum / tied,
            tied / size,
            np.maximum.reduceat(confidence, starts),
            np.add.reduceat(confidence, starts) / size,
            np.maximum.reduceat(together / with_item, starts),
            np.maximum.reduceat(cosine, starts),
            np.add.reduceat(cosine, starts) / size,
            np.full(len(item), size),
            np.log(pairs.orders[item] / np.float32(pairs.total[0])),
            self.trend[item],
            _taste(model.factors, within, item),
            model.neighbours.scores(within, np.ones(len(within), np.float32)).of(
                item.astype(np.int64)
            ),
            _share_alike(category[within], category[item]),
            _share_alike(brand[within], brand[item]),
        )
        return np.stack(columns).astype(np.float32).T


def _strongest(item: NDArray[np.int32], ties: Ties, n: int) -> BasketCandidates:
    """The n products with the highest scores among those with a tie above chance; `item` of each tie, sorted."""
    starts = np.flatnonzero(np.diff(item, prepend=-1))
    if not len(starts):
        return BasketCandidates(item, ties.score, ties, starts)
    score = np.add.reduceat(ties.score, starts)
    chosen = np.flatnonzero(np.maximum.reduceat(ties.lift, starts) > 1)
    chosen = np.sort(chosen[np.argsort(-score[chosen], kind="stable")[:n]])
    counts = np.diff(starts, append=len(item))
    kept = np.zeros(len(starts), np.bool_)
    kept[chosen] = True
    ends = np.cumsum(counts[chosen])
    return BasketCandidates(
        item[starts[chosen]],
        score[chosen],
        ties.only(np.repeat(kept, counts)),
        ends - counts[chosen],
    )


def _trend(model: Model) -> Floats:
    """ln of what every product sold lately over its part in all orders: (items,)."""
    orders, sales = model.orders.orders, model.sales
    recent = sales.window(int(sales.newest[0]), RECENT_DAYS, len(orders))
    expected = orders * (recent.sum() / max(int(orders.sum()), 1))
    trend: Floats = np.log((recent + 1) / (expected + 1)).astype(np.float32)
    return trend


def _taste(factors: ItemFactors, basket: NDArray[np.int32], item: NDArray[np.int32]) -> Floats:
    """Cosine of each candidate with the basket's mean direction among the factors, 0 without any: (c,)."""
    within = factors.row[basket]
    direction = _unit(factors.factors[:, within[within >= 0]]).sum(axis=1, keepdims=True)
    cosine: Floats = _unit(direction)[:, 0] @ _unit(factors.factors[:, factors.row[item]])
    return np.where(factors.row[item] >= 0, cosine, np.float32(0))


def _unit(columns: Floats) -> Floats:
    unit: Floats = columns / np.maximum(np.linalg.norm(columns, axis=0), TINY)
    return unit


def _share_alike(basket: NDArray[np.int32], item: NDArray[np.int32]) -> Floats:
    """Share of the basket with the candidate's code; what is unknown (-1) is like nothing: (c,)."""
    alike: Floats = (basket[None] == item[:, None]).mean(axis=1, dtype=np.float32)
    return np.where(item >= 0, alike, np.float32(0))

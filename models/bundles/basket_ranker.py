"""Ranking of what may join a basket: candidates from pairs, a row of features each, a score.

Service and training take the same path, so what is served is what was learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.bundles.stand_ins import StandIns
from models.bundles.units import UnitLimits
from models.data.ragged import mark_firsts
from models.model import Model
from models.settings import BundleSettings
from models.sources.als import ItemFactors
from models.trees import probability

Floats = NDArray[np.float32]
Items = NDArray[np.int32]

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
MIN_NORM: Final = np.float32(1e-9)  # so that a vector of zeros stays one


@dataclass(frozen=True, eq=False)
class Ties:
    """Pairs of a product of the basket and a candidate, sorted by candidate: (t,) each."""

    anchor: Items  # the basket's product
    pair: NDArray[np.int64]  # index in the arrays of CoPurchases
    score: Floats  # what the pair adds to the formula
    lift: NDArray[np.float64]  # from plain counts

    def only(self, kept: NDArray[np.bool_]) -> Ties:
        return Ties(self.anchor[kept], self.pair[kept], self.score[kept], self.lift[kept])


@dataclass(frozen=True, eq=False)
class BasketCandidates:
    """Products that may join a basket, by item: (c,) each. The ties of c begin at `starts[c]`."""

    item: Items
    score: Floats  # of the formula
    ties: Ties
    starts: NDArray[np.int64]

    def strongest_tie(self, candidate: int) -> int:
        """Return the index in `ties` of a candidate's strongest tie above chance.

        Every candidate has one. The first of equal ones is taken.
        """
        start, stop = self.starts[candidate], len(self.ties.pair)
        if candidate + 1 < len(self.starts):
            stop = self.starts[candidate + 1]
        lift, score = self.ties.lift[start:stop], self.ties.score[start:stop]
        return int(start + np.argmax(np.where(lift > 1, score, -1)))


class RankedBasket(NamedTuple):
    """Candidates of a basket with their scores.

    Once trees were learned a score is the probability that this candidate is what is missing.
    """

    candidates: BasketCandidates
    scores: Floats  # (c,)
    order: NDArray[np.int64]  # (c,) best first, ties by item


class BasketRanker:
    """A ranker of what may join a basket, by trees learned from orders or else by a formula."""

    def __init__(
        self, model: Model, settings: BundleSettings, sales_until: int | None = None
    ) -> None:
        """`sales_until`: what sold later does not count, seconds since 1970; None: all counts."""
        self.model = model
        self.settings = settings
        self.trees = model.lesson.baskets
        self.stand_ins = StandIns.in_baskets(model)
        self.trend = _trend(model, sales_until)

    @cached_property
    def unit_limits(self) -> UnitLimits:
        """Return what keeps products out of one unit."""
        return UnitLimits.of(self.model, self.settings)

    def rank(self, basket: Sequence[int], allowed: NDArray[np.bool_]) -> RankedBasket:
        """Rank the products allowed (items,) that are tied to a basket of different products."""
        candidates = self.find_candidates(basket, allowed)
        scores = candidates.score
        if len(self.trees) and len(scores):
            scores = probability(self.trees.scores(self.build_rows(basket, candidates)))
        return RankedBasket(candidates, scores, np.argsort(-scores, kind="stable"))

    def find_candidates(
        self, basket: Sequence[int], allowed: NDArray[np.bool_], most: int | None = None
    ) -> BasketCandidates:
        """Find the products allowed (items,) with the strongest ties to a basket.

        One of the ties is above chance; nothing stands in for what is in the basket. `most`: by
        default as many as the settings say.
        """
        pairs, settings = self.model.orders, self.settings
        allowed = allowed.copy()
        allowed[list(basket)] = False
        rows = [pairs.row(anchor) for anchor in basket]
        pair = np.concatenate(
            [np.zeros(0, np.int64), *(np.arange(row.start, row.stop) for row in rows)]
        )
        anchor = np.repeat(np.array(basket, np.int32), [row.stop - row.start for row in rows])
        kept = allowed[pairs.item[pair]]
        pair, anchor = pair[kept], anchor[kept]
        order = np.argsort(pairs.item[pair], kind="stable")
        order = order[self._is_lacking(pairs.item[pair][order], basket)]
        pair, anchor = pair[order], anchor[order]
        item = pairs.item[pair]
        expected = pairs.orders[anchor] * pairs.orders[item].astype(np.float64) / pairs.total[0]
        # The lift counts more the larger the basket m is: γ (1 - 1/m), and a little for one product
        lift_weight = settings.lift_weight * (1 - 1 / max(len(basket), 1))
        exponent = np.float32(max(settings.unit_lift_weight, lift_weight))
        ties = Ties(
            anchor,
            pair,
            score=pairs.strength[pair] * np.exp(exponent * pairs.log_lift[pair]),
            lift=pairs.together[pair] / expected,
        )
        return _select_strongest(item, ties, settings.candidates if most is None else most)

    def _is_lacking(self, item: Items, basket: Sequence[int]) -> NDArray[np.bool_]:
        """Mark which items (t,), sorted, stand in for nothing in a basket: (t,)."""
        first = mark_firsts(item)
        distinct = item[first]
        stands_in = self.stand_ins.mark(distinct, basket)
        lacking: NDArray[np.bool_] = ~stands_in[np.cumsum(first) - 1]
        return lacking

    def build_rows(self, basket: Sequence[int], candidates: BasketCandidates) -> Floats:
        """Return a row of features for every candidate: (c, FEATURES)."""
        model, pairs = self.model, self.model.orders
        starts, item, ties = candidates.starts, candidates.item, candidates.ties
        within = np.array(basket, np.int32)
        together = pairs.together[ties.pair].astype(np.float32)
        tied = np.diff(starts, append=len(together))
        with_anchor, with_item = pairs.orders[ties.anchor], np.repeat(pairs.orders[item], tied)
        log_lift, confidence = pairs.log_lift[ties.pair], together / with_anchor
        cosine = together / np.sqrt(with_anchor * with_item.astype(np.float32))
        size = np.float32(len(basket))
        category, brand = model.traits.category, model.catalogue.brand
        lift_sum = np.add.reduceat(log_lift, starts)
        neighbours = model.neighbours.scores(within, np.ones(len(within), np.float32))
        columns = {
            "score": np.log(candidates.score / candidates.score.max(initial=0)),
            "strongest_tie": np.log(np.maximum.reduceat(ties.score, starts)),
            "lift_sum": lift_sum,
            "lift_max": np.maximum.reduceat(log_lift, starts),
            "lift_mean": lift_sum / tied,
            "tied": tied / size,
            "confidence_max": np.maximum.reduceat(confidence, starts),
            "confidence_mean": np.add.reduceat(confidence, starts) / size,
            "reverse_confidence_max": np.maximum.reduceat(together / with_item, starts),
            "cosine_max": np.maximum.reduceat(cosine, starts),
            "cosine_mean": np.add.reduceat(cosine, starts) / size,
            "basket_size": np.full(len(item), size),
            "share": np.log(pairs.orders[item] / np.float32(pairs.total[0])),
            "trend": self.trend[item],
            "taste": _taste(model.factors, within, item),
            "neighbours": neighbours.of(item.astype(np.int64)),
            "same_category": _share_alike(category[within], category[item]),
            "same_brand": _share_alike(brand[within], brand[item]),
        }
        return np.stack([columns[name] for name in FEATURES]).astype(np.float32).T


def _select_strongest(item: Items, ties: Ties, n: int) -> BasketCandidates:
    """Select the n products with the highest scores among those with a tie above chance.

    `item`: the candidate of each tie, sorted.
    """
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


def _trend(model: Model, sales_until: int | None) -> Floats:
    """Compute ln of what every product sold lately over its part in all orders: (items,)."""
    orders, sales = model.orders.orders, model.sales
    end = int(sales.newest[0]) if sales_until is None else sales_until
    recent = sales.window(end, RECENT_DAYS, len(orders))
    expected = orders * (recent.sum() / max(int(orders.sum()), 1))
    trend: Floats = np.log((recent + 1) / (expected + 1)).astype(np.float32)
    return trend


def _taste(factors: ItemFactors, basket: Items, item: Items) -> Floats:
    """Compute each candidate's cosine with the basket's mean direction among the factors: (c,).

    It is 0 without factors.
    """
    within = factors.row[basket]
    direction = _unit(factors.factors[:, within[within >= 0]]).sum(axis=1, keepdims=True)
    cosine: Floats = _unit(direction)[:, 0] @ _unit(factors.factors[:, factors.row[item]])
    return np.where(factors.row[item] >= 0, cosine, np.float32(0))


def _unit(columns: Floats) -> Floats:
    unit: Floats = columns / np.maximum(np.linalg.norm(columns, axis=0), MIN_NORM)
    return unit


def _share_alike(basket: Items, item: Items) -> Floats:
    """Compute the share of the basket with each candidate's code; -1 is like nothing: (c,)."""
    alike: Floats = (basket[None] == item[:, None]).mean(axis=1, dtype=np.float32)
    return np.where(item >= 0, alike, np.float32(0))

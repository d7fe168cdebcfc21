"""Which products are worth ranking for one customer: the best of each source."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import sort_distinct
from models.model import Model
from models.ranking.context import RankingContext
from models.ranking.customer_profile import AISLES, CustomerProfile
from models.settings import ModelSettings
from models.sources.scores import rank_best

Floats = NDArray[np.float32]
Items = NDArray[np.int64]
DUE: Final = (0.75, 1.5)  # intervals after the last purchase between which a product is due


def proposals(
    case: RankingContext, model: Model, allowed: NDArray[np.bool_], settings: ModelSettings
) -> dict[str, Items]:
    """The candidates of each source, among the products that are allowed."""
    limits, evidence, pairs, clocks = settings.candidates, case.evidence, case.pairs, case.clocks
    owned = pairs.owned
    new = allowed.copy()
    new[pairs.item[owned]] = False
    kept = np.flatnonzero(owned & allowed[pairs.item])
    due = kept[(clocks.passed[kept] >= DUE[0]) & (clocks.passed[kept] <= DUE[1])]
    habits = (
        kept[rank_best(pairs.long[kept] + pairs.short[kept], limits.bought)]
        if len(kept) > limits.bought
        else kept
    )
    return {
        "own_purchases": pairs.item[habits].astype(np.int64),
        "due": pairs.item[due].astype(np.int64),
        "factors": evidence.affinity.best(new, limits.new),
        "neighbours": evidence.neighbours.best(new, limits.new),
        "basket": evidence.basket.best(new, limits.new),
        "bought_together": evidence.together.best(new, limits.new),
        "category": _of_categories(case, new, model, settings),
        "popular": _first(case.demand.bestsellers, new, limits.new),
        "new": arrivals(case, new, model)[: limits.arrivals],
    }


def candidates(proposed: dict[str, Items]) -> Items:
    """Every product that a source proposed: sorted items (c,)."""
    return sort_distinct(np.concatenate(list(proposed.values())))


def by_attributes(items: Items, profile: CustomerProfile, model: Model) -> Floats:
    """How well products suit a customer by category, brand and price alone: (items,), 0 without a known category."""
    # score = share of category · (1 + 4 · share of brand) · exp(-|how much dearer than the usual of this customer|)
    category, brand = model.traits.category[items], model.catalogue.brand[items]
    of_category, of_brand = (
        profile.aisles[AISLES.index("category_share"), category],
        profile.brands[brand],
    )
    dearer = model.traits.price_in_category[items] - np.float32(profile.price_in_category)
    dearer = np.where(np.isnan(dearer), 0, dearer)
    scores: Floats = (of_category * (1 + 4 * of_brand) * np.exp(-np.abs(dearer))).astype(np.float32)
    return scores


def arrivals(case: RankingContext, allowed: NDArray[np.bool_], model: Model) -> Items:
    """New arrivals that suit a customer, best first."""
    items = case.arrivals[allowed[case.arrivals]]
    return (
        items[rank_best(by_attributes(items, case.profile, model), len(items))]
        if len(items)
        else items
    )


def _first(items: Items, allowed: NDArray[np.bool_], n: int) -> Items:
    """The first n of many that are allowed."""
    near = items[: 4 * n]
    found = near[allowed[near]][:n]
    return found if len(found) == n or len(near) == len(items) else items[allowed[items]][:n]


def _of_categories(
    case: RankingContext, allowed: NDArray[np.bool_], model: Model, settings: ModelSettings
) -> Items:
    """What sells in the categories that a customer knows."""
    limits, demand, profile = settings.candidates, case.demand, case.profile
    known = rank_best(profile.category_lines, limits.categories)
    starts = demand.sellers_of[known]
    stops = np.minimum(demand.sellers_of[known + 1], starts + limits.category)
    sellers = [demand.sellers[a:b] for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]
    items: Items = np.concatenate([demand.sellers[:0], *sellers])
    items = items[allowed[items]].astype(np.int64)
    share = demand.popularity.recent[items] * profile.category_lines[model.traits.category[items]]
    return items[rank_best(share, limits.category)]

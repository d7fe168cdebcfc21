"""Which products are worth ranking for one customer: the best of each source."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.case import Case
from models.history import NEVER
from models.model import Model
from models.profile import Profile
from models.settings import ModelSettings

Floats = NDArray[np.float32]
Items = NDArray[np.int64]
STRIDE: Final = 32  # one score in so many is looked at first
DUE: Final = (0.75, 1.5)  # intervals after the last purchase between which a product is due


def proposals(case: Case, model: Model, allowed: NDArray[np.bool_], settings: ModelSettings) -> dict[str, Items]:
    """The candidates of each source, among the products that are allowed."""
    limits, evidence, pairs, clocks = settings.candidates, case.evidence, case.pairs, case.clocks
    owned = pairs.last != NEVER
    new = allowed.copy()
    new[pairs.item[owned]] = False
    kept = np.flatnonzero(owned & allowed[pairs.item])
    due = kept[(clocks.passed[kept] >= DUE[0]) & (clocks.passed[kept] <= DUE[1])]
    habits = kept[best(pairs.long[kept] + pairs.short[kept], limits.bought)] if len(kept) > limits.bought else kept
    return {
        "own_purchases": pairs.item[habits].astype(np.int64),
        "due": pairs.item[due].astype(np.int64),
        "factors": best(evidence.affinity * new, limits.new),
        "neighbours": best(evidence.neighbours * new, limits.new),
        "basket": best(evidence.basket * new, limits.new),
        "bought_together": best(evidence.together * new, limits.new),
        "category": _of_categories(case, new, model, settings),
        "popular": best(case.demand.popularity.recent * new, limits.new),
        "new": arrivals(case, new, model)[: limits.arrivals],
    }


def candidates(proposed: dict[str, Items]) -> Items:
    """Every product that a source proposed: sorted items (c,)."""
    return np.unique(np.concatenate(list(proposed.values())))


def by_attributes(items: Items, profile: Profile, model: Model) -> Floats:
    """How well products suit a customer by category, brand and price alone: (items,), 0 without a known category."""
    # score = share of category · (1 + 4 · share of brand) · exp(-|how much dearer than the usual of this customer|)
    category, brand = model.traits.category[items], model.catalogue.brand[items]
    of_category = np.where(category >= 0, np.append(profile.category_share, np.float32(0))[category], 0)
    of_brand = np.where(brand >= 0, np.append(profile.brand_share, np.float32(0))[brand], 0)
    dearer = np.nan_to_num(model.traits.price_in_category[items] - np.float32(profile.price_in_category))
    scores: Floats = (of_category * (1 + 4 * of_brand) * np.exp(-np.abs(dearer))).astype(np.float32)
    return scores


def arrivals(case: Case, allowed: NDArray[np.bool_], model: Model) -> Items:
    """New arrivals that suit a customer, best first."""
    items = case.arrivals[allowed[case.arrivals]]
    return items[best(by_attributes(items, case.profile, model), len(items))] if len(items) else items


def _of_categories(case: Case, allowed: NDArray[np.bool_], model: Model, settings: ModelSettings) -> Items:
    """What sells in the categories that a customer knows."""
    limits, demand, profile = settings.candidates, case.demand, case.profile
    known = best(profile.category_lines, limits.categories)
    starts = demand.sellers_of[known]
    stops = np.minimum(demand.sellers_of[known + 1], starts + limits.category)
    items: Items = np.concatenate(
        [demand.sellers[:0], *(demand.sellers[a:b] for a, b in zip(starts, stops, strict=True))]
    )
    items = items[allowed[items]].astype(np.int64)
    share = demand.popularity.recent[items] * profile.category_lines[model.traits.category[items]]
    return items[best(share, limits.category)]


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

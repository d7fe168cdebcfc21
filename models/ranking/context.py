"""One customer at one moment, with the scores of every source: all that a slate is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import Events
from models.data.history import (
    Interactions,
    add_session,
    build_interactions,
    find_pair_starts,
    join_histories,
)
from models.data.ragged import RowGroups, is_among
from models.model import Model
from models.ranking.customer_profile import CUSTOMER_FEATURES, CustomerProfile, build_profiles
from models.ranking.product_trends import ProductTrends
from models.rules.preferences import NOTHING_LIKED, LikedProducts
from models.settings import ModelSettings
from models.sources.als import FactorScores, ObservedProducts
from models.sources.repurchase import RepurchaseClocks, build_repurchase_clocks
from models.sources.scores import Scores

Floats = NDArray[np.float32]
VISITS: Final = CUSTOMER_FEATURES.index("visits")
CONTEXTS_AT_ONCE: Final = 128  # more at once take more memory and no less time


@dataclass(frozen=True, eq=False)
class SourceScores:
    """Hold scores of products by what was learned."""

    affinity: Scores  # factors: predicted preference
    neighbours: Scores
    basket: Scores  # orders: what completes the basket of the request
    together: Scores  # orders: what goes with the last purchase


@dataclass(frozen=True, eq=False)
class RankingContext:
    """Hold a customer at one moment, as one model with its settings sees them."""

    model: Model
    settings: ModelSettings
    as_of: int  # seconds since 1970, UTC
    lag_days: float  # between the newest event the model has learned from and `as_of`
    pairs: Interactions
    clocks: RepurchaseClocks
    profile: CustomerProfile
    trends: ProductTrends
    observed: ObservedProducts  # what the customer is folded in from
    scores: SourceScores
    basket: list[int]  # of the request and of the customer's cart, sorted
    arrivals: NDArray[np.int64]  # what has just come on sale and this customer never bought
    liked: LikedProducts  # by what the customer has said, and never bought

    @property
    def is_visit(self) -> bool:
        """Tell whether no purchase of the customer is known, as of an anonymous visit."""
        return bool(self.profile.customer[VISITS] == 0)


@dataclass(frozen=True, eq=False)
class ContextInputs:
    """Hold the inputs of a customer's context."""

    events: Events  # before `as_of`
    as_of: int  # seconds since 1970, UTC
    lag_days: float
    trends: ProductTrends
    arrivals: NDArray[np.int64]  # items that have just come on sale
    liked: LikedProducts = NOTHING_LIKED
    recent: tuple[int, ...] = ()  # products of the session
    basket: tuple[int, ...] = ()


def build_contexts(
    inputs: Sequence[ContextInputs], model: Model, settings: ModelSettings
) -> list[RankingContext]:
    """Build the contexts of m customers. Most steps take hardly longer for many than for one."""
    if not inputs:
        return []
    events, event_rows = join_histories([one.events for one in inputs])
    as_of = np.array([one.as_of for one in inputs], np.int64)
    starts = find_pair_starts(events, event_rows.owner if len(inputs) > 1 else None)
    pairs = build_interactions(events, starts, as_of[event_rows.owner], settings.history)
    pair_rows = RowGroups(starts.searchsorted(event_rows.bounds))
    pairs, pair_rows = _add_sessions(pairs, pair_rows, inputs)
    profiles = build_profiles(
        events, pairs, event_rows, pair_rows, model.traits, model.catalogue, as_of
    )
    items, confidence = observed(pairs, settings)
    observed_each = model.factors.observed_each(
        items, confidence, pair_rows.select(pairs.taste > 0)
    )
    baskets = _baskets(pairs, pair_rows, inputs)
    last_baskets = [profile.last_basket for profile in profiles]
    scores = _score_each(
        model, settings, pairs, pair_rows, observed_each, [*baskets, *last_baskets]
    )
    clocks = build_repurchase_clocks(pairs, model.repeats, as_of[pair_rows.owner], settings.repeats)
    contexts = []
    for index, (one, rows) in enumerate(zip(inputs, pair_rows.slices, strict=True)):
        own_pairs = pairs.at(rows) if len(inputs) > 1 else pairs
        bought = own_pairs.item[own_pairs.owned]
        contexts.append(
            RankingContext(
                model=model,
                settings=settings,
                as_of=one.as_of,
                lag_days=one.lag_days,
                pairs=own_pairs,
                clocks=clocks.at(rows) if len(inputs) > 1 else clocks,
                profile=profiles[index],
                trends=one.trends,
                observed=observed_each[index],
                scores=scores[index],
                basket=baskets[index],
                arrivals=one.arrivals[~is_among(one.arrivals, bought)],
                liked=one.liked.without(bought),
            )
        )
    return contexts


def _add_sessions(
    pairs: Interactions, rows: RowGroups, inputs: Sequence[ContextInputs]
) -> tuple[Interactions, RowGroups]:
    """Add the products of their sessions to the pairs of m customers."""
    if not any(one.recent or one.basket for one in inputs):
        return pairs, rows
    parts = []
    for one, own_rows in zip(inputs, rows.slices, strict=True):
        session = np.array(sorted({*one.recent, *one.basket}), np.int32)
        parts.append(add_session(pairs.at(own_rows), session))
    columns = {}
    for field in fields(Interactions):
        columns[field.name] = np.concatenate([getattr(part, field.name) for part in parts])
    return Interactions(**columns), RowGroups.of(map(len, parts))


def _baskets(
    pairs: Interactions, rows: RowGroups, inputs: Sequence[ContextInputs]
) -> list[list[int]]:
    """Return each customer's basket, sorted: that of the request and their cart."""
    carts = rows.select(pairs.in_cart).slices
    items = pairs.item[pairs.in_cart].tolist()
    return [sorted({*one.basket, *items[cart]}) for one, cart in zip(inputs, carts, strict=True)]


def observed(pairs: Interactions, settings: ModelSettings) -> tuple[NDArray[np.int32], Floats]:
    """Return the products that fold a customer in, and the confidence c = 1 + α · taste of each."""
    tasted = pairs.taste > 0
    return pairs.item[tasted], 1 + np.float32(settings.factors.alpha) * pairs.taste[tasted]


def _score_each(
    model: Model,
    settings: ModelSettings,
    pairs: Interactions,
    rows: RowGroups,
    observed_each: Sequence[ObservedProducts],
    baskets: Sequence[Sequence[int]],
) -> list[SourceScores]:
    """Score products for m customers; `baskets`: of each, then the last basket of each."""
    vectors = [products.folded_in() for products in observed_each]
    affinity = FactorScores.each(model.factors, vectors)
    recent = pairs.recent > 0
    neighbours = model.neighbours.scores_each(
        pairs.item[recent], pairs.recent[recent], rows.select(recent)
    )
    ties = model.orders.basket_scores_each(baskets, settings.bundles.lift_weight)
    last_baskets = ties[len(vectors) :]
    return list(map(SourceScores, affinity, neighbours, ties, last_baskets))

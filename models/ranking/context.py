"""One customer at one moment, with what every source says: all that a slate is made from."""

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
from models.ranking.customer_profile import CustomerProfile, customer_profiles
from models.ranking.product_trends import ProductTrends
from models.settings import ModelSettings
from models.sources.als import FactorScores, ObservedProducts
from models.sources.repurchase import RepurchaseClocks, build_repurchase_clocks
from models.sources.scores import Scores

Floats = NDArray[np.float32]
CONTEXTS_AT_ONCE: Final = (
    128  # customers who are looked at at once: more take memory, and no less time
)


@dataclass(frozen=True, eq=False)
class SourceScores:
    """What each source says about products."""

    affinity: Scores  # factors: predicted preference
    neighbours: Scores
    basket: Scores  # orders: what completes the basket of the request
    together: Scores  # orders: what goes with the last purchase


@dataclass(frozen=True, eq=False)
class RankingContext:
    as_of: int  # seconds since 1970, UTC
    lag_days: float  # between the newest event the model has learned from and `as_of`
    pairs: Interactions
    clocks: RepurchaseClocks
    profile: CustomerProfile
    demand: ProductTrends
    observed: ObservedProducts  # what the customer is folded in from
    evidence: SourceScores
    basket: list[int]  # of the request and of the customer's cart, sorted
    arrivals: NDArray[np.int64]  # what has just come on sale and this customer never bought


@dataclass(frozen=True, eq=False)
class ContextInputs:
    """Hold the inputs of a customer's context."""

    events: Events  # before `as_of`
    as_of: int  # seconds since 1970, UTC
    lag_days: float
    demand: ProductTrends
    arrivals: NDArray[np.int64]  # items that have just come on sale
    recent: tuple[int, ...] = ()  # products of the session
    basket: tuple[int, ...] = ()


def build_contexts(
    asked: Sequence[ContextInputs], model: Model, settings: ModelSettings
) -> list[RankingContext]:
    """Ask every source about every product, for m customers: most steps take hardly longer for many than for one."""
    if not asked:
        return []
    catalogue, lift_weight = model.catalogue, settings.bundles.lift_weight
    events, of_events = join_histories([one.events for one in asked])
    as_of = np.array([one.as_of for one in asked], np.int64)
    starts = find_pair_starts(events, of_events.owner if len(asked) > 1 else None)
    pairs = build_interactions(events, starts, as_of[of_events.owner], settings.history)
    pairs, rows = _with_sessions(pairs, RowGroups(starts.searchsorted(of_events.bounds)), asked)
    brand, brands = catalogue.brand, len(catalogue.brand_names)
    profiles = customer_profiles(events, pairs, of_events, rows, model.traits, brand, brands, as_of)
    tasted, recent = pairs.taste > 0, pairs.recent > 0
    seen = model.factors.observed_each(*observed(pairs, settings), rows.select(tasted))
    baskets = _baskets(pairs, rows, asked)
    together = model.orders.basket_scores_each(
        [*baskets, *(one.last_basket for one in profiles)], lift_weight
    )
    evidence = zip(
        FactorScores.each(model.factors, [one.folded_in() for one in seen]),
        model.neighbours.scores_each(pairs.item[recent], pairs.recent[recent], rows.select(recent)),
        together[: len(asked)],
        together[len(asked) :],
        strict=True,
    )
    times = build_repurchase_clocks(pairs, model.repeats, as_of[rows.owner], settings.repeats)
    parts = (
        [(pairs.at(span), times.at(span)) for span in rows.slices]
        if len(rows) > 1
        else [(pairs, times)]
    )
    return [
        RankingContext(
            as_of=one.as_of,
            lag_days=one.lag_days,
            pairs=theirs,
            clocks=since,
            profile=profile,
            demand=one.demand,
            observed=history,
            evidence=SourceScores(*told),
            basket=basket,
            arrivals=one.arrivals[~is_among(one.arrivals, theirs.item[theirs.owned])],
        )
        for one, (theirs, since), profile, history, told, basket in zip(
            asked, parts, profiles, seen, evidence, baskets, strict=True
        )
    ]


def _with_sessions(
    pairs: Interactions, rows: RowGroups, asked: Sequence[ContextInputs]
) -> tuple[Interactions, RowGroups]:
    """The pairs of m customers with the products of their sessions."""
    if not any(one.recent or one.basket for one in asked):
        return pairs, rows
    sessions = [np.array(sorted({*one.recent, *one.basket}), np.int32) for one in asked]
    parts = [
        add_session(pairs.at(span), session)
        for span, session in zip(rows.slices, sessions, strict=True)
    ]
    columns = ([getattr(part, field.name) for part in parts] for field in fields(Interactions))
    return Interactions(*map(np.concatenate, columns)), RowGroups.of(map(len, parts))


def _baskets(
    pairs: Interactions, rows: RowGroups, asked: Sequence[ContextInputs]
) -> list[list[int]]:
    """What lies in each customer's basket, sorted: of the request and of their cart."""
    carts = rows.select(pairs.in_cart).slices
    item = pairs.item[pairs.in_cart].tolist()
    return [sorted({*one.basket, *item[cart]}) for one, cart in zip(asked, carts, strict=True)]


def observed(pairs: Interactions, settings: ModelSettings) -> tuple[NDArray[np.int32], Floats]:
    """The products that fold a customer in, and the confidence c = 1 + α · taste of each."""
    tasted = pairs.taste > 0
    return pairs.item[tasted], 1 + np.float32(settings.factors.alpha) * pairs.taste[tasted]

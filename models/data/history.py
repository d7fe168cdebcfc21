"""Events of customers, and one customer's history at one moment.

The artifact keeps the events themselves, so that a history can be taken at any moment, earlier ones
included, and a new event is one more row. Training, export and service all take it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.events import (
    CART,
    DAY,
    DISMISS,
    KINDS,
    PURCHASE,
    RATING,
    REMOVED,
    RETURN,
    Events,
    concatenate_events,
)
from models.data.ragged import RowGroups
from models.settings import HistorySettings, KindWeights

NEVER = np.iinfo(np.int64).min
LATEST = np.iinfo(np.int64).max
# Kinds of events on a visit, which tell most while it lasts.
VISIT_KINDS = ("view", "cart", "wishlist", "remove_from_cart", "click")
IS_ON_VISIT = np.array([kind in VISIT_KINDS for kind in KINDS])  # (kinds,)
UNDOES = {"return": "purchase", "remove_from_cart": "cart"}
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Times = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Histories:
    """Hold the events of every user.

    Those of user u are `indptr[u]:indptr[u + 1]`, sorted by (item, time).
    """

    indptr: NDArray[np.int64]  # (users + 1,)
    events: Events

    def of(self, user: int) -> Events:
        return self.events.at(slice(self.indptr[user], self.indptr[user + 1]))

    def none(self) -> Events:
        """Return the history of someone unknown."""
        return self.events.at(slice(0))


@dataclass(frozen=True, eq=False)
class Interactions:
    """Hold p pairs of a customer and a product at one moment, sorted by item.

    A purchase line counts 1, a return subtracts the share of a line that came back; sums never fall
    below 0. Decayed sums halve every half-life of HistorySettings. Interest counts every kind of
    event by its weight.
    """

    item: NDArray[np.int32]  # (p,)
    lines: Floats  # (p,) purchase lines, returned ones too
    count: Floats  # (p,) purchase lines less returns
    first: NDArray[np.int64]  # (p,) first purchase, seconds since 1970; NEVER where there is none
    last: NDArray[np.int64]  # (p,) last purchase; NEVER where there is none
    long: Floats  # (p,) purchase lines, decayed slowly
    middle: Floats  # (p,) purchase lines, decayed over a season
    short: Floats  # (p,) purchase lines, decayed fast
    taste: Floats  # (p,) interest, for the fold-in
    recent: Floats  # (p,) interest, for the neighbours
    refused: NDArray[np.bool_]  # (p,) dismissed or rated low, and not bought since
    in_cart: NDArray[np.bool_]  # (p,) put there on this visit, not taken out and not bought since

    def at(self, rows: slice) -> Interactions:
        """Return the pairs in some rows."""
        return Interactions(
            item=self.item[rows],
            lines=self.lines[rows],
            count=self.count[rows],
            first=self.first[rows],
            last=self.last[rows],
            long=self.long[rows],
            middle=self.middle[rows],
            short=self.short[rows],
            taste=self.taste[rows],
            recent=self.recent[rows],
            refused=self.refused[rows],
            in_cart=self.in_cart[rows],
        )

    @cached_property
    def owned(self) -> Bools:
        """Tell which products were ever bought: (p,)."""
        owned: Bools = self.last != NEVER
        return owned

    def __len__(self) -> int:
        return len(self.item)


def join_histories(histories: Sequence[Events]) -> tuple[Events, RowGroups]:
    """Put the events of many customers one after another, and tell whose each row is."""
    rows = RowGroups.of(map(len, histories))
    events = histories[0] if len(histories) == 1 else concatenate_events(histories)
    return events, rows


def select_before(events: Events, as_of: int) -> Events:
    """Return the events that had happened at `as_of` (seconds since 1970)."""
    if len(events) == 0 or as_of == LATEST or events.time.max() <= as_of:
        return events
    return events.at(events.time <= as_of)


def find_pair_starts(events: Events, user: NDArray[np.integer[Any]] | None = None) -> Times:
    """Find the row where each pair of a customer and a product begins: int64 (pairs,).

    Events are sorted by (user, item, time); they are one customer's where `user` is None.
    """
    if len(events) == 0:
        return np.zeros(0, np.int64)
    is_first = np.empty(len(events), np.bool_)
    is_first[0] = True
    np.not_equal(events.item[1:], events.item[:-1], out=is_first[1:])
    if user is not None:
        is_first[1:] |= user[1:] != user[:-1]
    return np.flatnonzero(is_first)


def build_interactions(
    events: Events,
    starts: Times,
    as_of: int | Times,
    settings: HistorySettings,
) -> Interactions:
    """Sum up the events of each pair at `as_of`, or at a moment for each event.

    `starts`: as `find_pair_starts` returns them.
    """
    if len(starts) == 0:
        return _no_pairs(np.zeros(0, np.int32))
    bought = events.kind == PURCHASE
    lines = np.where(bought | (events.kind == RETURN), events.weight, np.float32(0))
    half_lives = (
        settings.long_half_life_days,
        settings.middle_half_life_days,
        settings.short_half_life_days,
        settings.taste_half_life_days,
        settings.recent_half_life_days,
    )
    decayed = weigh_by_age(events, as_of, half_lives)
    decayed[:3] *= lines
    decayed[3:] *= _interest(events, as_of, settings)
    long, middle, short, taste, recent = _sum(decayed, starts)
    last = np.maximum.reduceat(np.where(bought, events.time, NEVER), starts)
    refused, in_cart = _find_refused_and_in_cart(events, starts, last, as_of, settings)
    return Interactions(
        item=events.item[starts],
        lines=np.add.reduceat(bought.astype(np.float32), starts),
        count=_sum(lines, starts).round(3),  # a tenth and nine tenths sent back are all of it
        first=_find_first(events.time, bought, starts),
        last=last,
        long=long,
        middle=middle,
        short=short,
        taste=taste,
        recent=recent,
        refused=refused,
        in_cart=in_cart,
    )


def add_session(pairs: Interactions, items: NDArray[np.int32]) -> Interactions:
    """Add the products of a session to a history: 1 to the interest in each, none is bought."""
    new = _no_pairs(np.setdiff1d(items, pairs.item).astype(np.int32))
    item = np.concatenate([pairs.item, new.item])
    order = np.argsort(item)
    in_session = np.isin(item, items).astype(np.float32)
    return Interactions(
        item=item[order],
        lines=np.concatenate([pairs.lines, new.lines])[order],
        count=np.concatenate([pairs.count, new.count])[order],
        first=np.concatenate([pairs.first, new.first])[order],
        last=np.concatenate([pairs.last, new.last])[order],
        long=np.concatenate([pairs.long, new.long])[order],
        middle=np.concatenate([pairs.middle, new.middle])[order],
        short=np.concatenate([pairs.short, new.short])[order],
        taste=(np.concatenate([pairs.taste, new.taste]) + in_session)[order],
        recent=(np.concatenate([pairs.recent, new.recent]) + in_session)[order],
        refused=np.concatenate([pairs.refused, new.refused])[order],
        in_cart=np.concatenate([pairs.in_cart, new.in_cart])[order],
    )


def _no_pairs(item: NDArray[np.int32]) -> Interactions:
    """Return pairs of products with which nothing was ever done."""
    never = np.full(len(item), NEVER)
    zero, no = np.zeros(len(item), np.float32), np.zeros(len(item), np.bool_)
    return Interactions(
        item=item,
        lines=zero,
        count=zero,
        first=never,
        last=never,
        long=zero,
        middle=zero,
        short=zero,
        taste=zero,
        recent=zero,
        refused=no,
        in_cart=no,
    )


def sum_interest(
    events: Events,
    starts: Times,
    as_of: int,
    half_life_days: float,
    settings: HistorySettings,
) -> Floats:
    """Sum up the decayed weights of events of every kind for each pair: (pairs,)."""
    (decay,) = weigh_by_age(events, as_of, (half_life_days,))
    return _sum(_interest(events, as_of, settings) * decay, starts)


def _interest(events: Events, as_of: int | Times, settings: HistorySettings) -> Floats:
    """Weigh each event without its decay: (events,).

    Events of a visit weigh 1 while it lasts, as the products of a session do, and fade to the
    weight of their kind.
    """
    weights = weigh_kinds(settings.kind_weights)[events.kind]
    on_visit = IS_ON_VISIT[events.kind]
    if on_visit.any():
        # w = kind + (1 - kind) · 2^(-age / half-life of a visit)
        (freshness,) = weigh_by_age(events, as_of, (settings.visit_half_life_days,))
        weights = np.where(on_visit, weights + (1 - weights) * freshness, weights)
    return events.weight * weights


@lru_cache(maxsize=16)
def weigh_kinds(weights: KindWeights) -> Floats:
    """Return the weight of an event of each kind: (kinds,), read-only."""
    names = [UNDOES.get(kind, kind) for kind in KINDS]
    of_kind = np.array([getattr(weights, name, 0) for name in names], np.float32)
    of_kind.flags.writeable = False
    return of_kind


def _find_refused_and_in_cart(
    events: Events,
    starts: Times,
    bought: Times,
    as_of: int | Times,
    settings: HistorySettings,
) -> tuple[Bools, Bools]:
    """Tell which products the customer refuses, and which are in the cart: (pairs,) each.

    `bought`: when each pair was bought last.
    """
    if not (events.kind >= CART).any():
        return np.zeros(len(starts), np.bool_), np.zeros(len(starts), np.bool_)

    def find_last(selected: Bools) -> Times:
        return np.maximum.reduceat(np.where(selected, events.time, NEVER), starts)

    low_rating = (events.kind == RATING) & (events.weight < 0)
    high_rating = (events.kind == RATING) & ~low_rating
    disliked = np.maximum(find_last(events.kind == DISMISS), find_last(low_rating))
    liked = find_last(high_rating)
    refused = (disliked != NEVER) & (disliked > bought) & (disliked >= liked)
    added, removed = find_last(events.kind == CART), find_last(events.kind == REMOVED)
    now = as_of if isinstance(as_of, int) else as_of[starts]
    fresh = added > now - settings.cart_days * DAY
    in_cart = (added != NEVER) & (added > bought) & (added > removed) & fresh
    return refused, in_cart


def weigh_by_age(events: Events, as_of: int | Times, half_lives_days: tuple[float, ...]) -> Floats:
    """Compute 2^(-age / half-life) of each event: (half-lives, events)."""
    age = np.maximum(as_of - events.time, 0).astype(np.float32)
    rates = np.array([-1 / (DAY * days) for days in half_lives_days], np.float32)
    weights: Floats = np.exp2(age * rates[:, None])
    return weights


def _sum(values: Floats, starts: Times) -> Floats:
    """Sum up for each pair, never below 0: (…, events) -> (…, pairs)."""
    return np.maximum(np.add.reduceat(values, starts, axis=-1), np.float32(0))


def _find_first(time: Times, bought: Bools, starts: Times) -> Times:
    first = np.minimum.reduceat(np.where(bought, time, LATEST), starts)
    return np.where(first == LATEST, NEVER, first)

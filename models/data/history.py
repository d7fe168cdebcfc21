"""What customers did, and one customer's history at one moment.

The artifact keeps the events themselves, so that a history can be taken at any moment, earlier ones included, and a
new event is one more row. Training, export and service all take it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.events import CART, DAY, DISMISS, KINDS, PURCHASE, RATING, REMOVED, RETURN, Events
from models.data.ragged import RowGroups
from models.settings import HistorySettings

NEVER = np.iinfo(np.int64).min
LATEST = np.iinfo(np.int64).max
# What a customer does on a visit: tells most while it lasts.
VISIT = np.array(
    [kind in ("view", "cart", "wishlist", "remove_from_cart", "click") for kind in KINDS]
)
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Histories:
    """The events of every user: those of user u are `indptr[u]:indptr[u + 1]`, sorted by (item, time)."""

    indptr: NDArray[np.int64]  # (users + 1,)
    events: Events

    def of(self, user: int) -> Events:
        return self.events.at(slice(self.indptr[user], self.indptr[user + 1]))

    def none(self) -> Events:
        """The history of someone unknown."""
        return self.events.at(slice(0))


@dataclass(frozen=True, eq=False)
class Interactions:
    """p pairs of a customer and a product at one moment, sorted by item.

    A purchase line counts 1, a return subtracts the share of a line that came back; sums never fall below 0. Decayed
    sums halve every half-life of HistorySettings. Interest counts every kind of event by its weight.
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
        """A part of them."""
        return Interactions(
            *(
                self.item[rows],
                self.lines[rows],
                self.count[rows],
                self.first[rows],
                self.last[rows],
            ),
            *(
                self.long[rows],
                self.middle[rows],
                self.short[rows],
                self.taste[rows],
                self.recent[rows],
            ),
            *(self.refused[rows], self.in_cart[rows]),
        )

    @cached_property
    def owned(self) -> NDArray[np.bool_]:
        """(p,) what was ever bought."""
        owned: NDArray[np.bool_] = self.last != NEVER
        return owned

    def __len__(self) -> int:
        return len(self.item)


def join_histories(histories: Sequence[Events]) -> tuple[Events, RowGroups]:
    """The events of many customers, one customer's after another's."""
    if len(histories) == 1:
        return histories[0], RowGroups.of([len(histories[0])])
    columns = zip(
        *((one.item, one.time, one.kind, one.weight, one.order) for one in histories), strict=True
    )
    return Events(*map(np.concatenate, columns)), RowGroups.of(map(len, histories))


def select_before(events: Events, as_of: int) -> Events:
    """The events that had happened at `as_of` (seconds since 1970)."""
    if len(events) == 0 or events.time.max() <= as_of:
        return events
    return events.at(events.time <= as_of)


def find_pair_starts(
    events: Events, user: NDArray[np.integer[Any]] | None = None
) -> NDArray[np.int64]:
    """Where each pair begins: int64 (pairs,). Events are sorted by (user, item, time); one user when `user` is None."""
    if len(events) == 0:
        return np.zeros(0, np.int64)
    new = np.empty(len(events), np.bool_)
    new[0] = True
    np.not_equal(events.item[1:], events.item[:-1], out=new[1:])
    if user is not None:
        new[1:] |= user[1:] != user[:-1]
    return np.flatnonzero(new)


def build_interactions(
    events: Events,
    starts: NDArray[np.int64],
    as_of: int | NDArray[np.int64],
    settings: HistorySettings,
) -> Interactions:
    """Sum the events of each pair up at `as_of`, or at a moment for each event; `starts` from `find_pair_starts`."""
    if len(starts) == 0:
        none, no = np.zeros(0, np.float32), np.zeros(0, np.bool_)
        return Interactions(
            events.item[:0],
            none,
            none,
            events.time[:0],
            events.time[:0],
            none,
            none,
            none,
            none,
            none,
            no,
            no,
        )
    bought = events.kind == PURCHASE
    lines = np.where(bought | (events.kind == RETURN), events.weight, np.float32(0))
    half_lives = (
        *(
            settings.long_half_life_days,
            settings.middle_half_life_days,
            settings.short_half_life_days,
        ),
        *(settings.taste_half_life_days, settings.recent_half_life_days),
    )
    decayed = weigh_by_age(events, as_of, half_lives)
    decayed[:3] *= lines
    decayed[3:] *= _interest(events, as_of, settings)
    long, middle, short, taste, recent = _sum(decayed, starts)
    last = np.maximum.reduceat(np.where(bought, events.time, NEVER), starts)
    refused, in_cart = _wishes(events, starts, last, as_of, settings)
    return Interactions(
        item=events.item[starts],
        lines=np.add.reduceat(bought.astype(np.float32), starts),
        count=_sum(lines, starts).round(3),  # a tenth and nine tenths sent back are all of it
        first=_first(events.time, bought, starts),
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
    """The same history with the products of this session: each adds 1 to the interest, none is bought."""
    new = np.setdiff1d(items, pairs.item).astype(np.int32)
    item = np.concatenate([pairs.item, new])
    order = np.argsort(item)
    touched = np.isin(item, items).astype(np.float32)
    nothing, never, no = (
        np.zeros(len(new), np.float32),
        np.full(len(new), NEVER),
        np.zeros(len(new), np.bool_),
    )
    return Interactions(
        item=item[order],
        lines=np.concatenate([pairs.lines, nothing])[order],
        count=np.concatenate([pairs.count, nothing])[order],
        first=np.concatenate([pairs.first, never])[order],
        last=np.concatenate([pairs.last, never])[order],
        long=np.concatenate([pairs.long, nothing])[order],
        middle=np.concatenate([pairs.middle, nothing])[order],
        short=np.concatenate([pairs.short, nothing])[order],
        taste=(np.concatenate([pairs.taste, nothing]) + touched)[order],
        recent=(np.concatenate([pairs.recent, nothing]) + touched)[order],
        refused=np.concatenate([pairs.refused, no])[order],
        in_cart=np.concatenate([pairs.in_cart, no])[order],
    )


def sum_interest(
    events: Events,
    starts: NDArray[np.int64],
    as_of: int,
    half_life_days: float,
    settings: HistorySettings,
) -> Floats:
    """Events of every kind by their weight, decayed, summed up to pairs: (pairs,)."""
    return _sum(
        _interest(events, as_of, settings) * weigh_by_age(events, as_of, (half_life_days,))[0],
        starts,
    )


def _interest(events: Events, as_of: int | NDArray[np.int64], settings: HistorySettings) -> Floats:
    """What each event weighs before it is decayed: (events,).

    What is done on a visit weighs 1 while it lasts, as the products of a session do, and fades to the weight of its
    kind.
    """
    kinds = np.array(settings.kind_weights, np.float32)
    weights = kinds[events.kind]
    visit = VISIT[events.kind]
    if visit.any():
        # w = kind + (1 - kind) · 2^(-age / half-life of a visit)
        (now,) = weigh_by_age(events, as_of, (settings.visit_half_life_days,))
        weights = np.where(visit, weights + (1 - weights) * now, weights)
    return events.weight * weights


def _wishes(
    events: Events,
    starts: NDArray[np.int64],
    bought: NDArray[np.int64],
    as_of: int | NDArray[np.int64],
    settings: HistorySettings,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which products the customer does not want to see, and which are in the cart: (pairs,) each."""
    if not (events.kind >= CART).any():
        return np.zeros(len(starts), np.bool_), np.zeros(len(starts), np.bool_)

    def last(which: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.maximum.reduceat(np.where(which, events.time, NEVER), starts)

    low = (events.kind == RATING) & (events.weight < 0)
    high = (events.kind == RATING) & ~low
    refused = np.maximum(last(events.kind == DISMISS), last(low))
    put, taken = last(events.kind == CART), last(events.kind == REMOVED)
    now = as_of if isinstance(as_of, int) else as_of[starts]
    return (
        (refused != NEVER) & (refused > bought) & (refused >= last(high)),
        (put != NEVER) & (put > bought) & (put > taken) & (put > now - settings.cart_days * DAY),
    )


def weigh_by_age(
    events: Events, as_of: int | NDArray[np.int64], half_lives_days: tuple[float, ...]
) -> Floats:
    """2^(-age / half-life) of each event: (half-lives, events)."""
    age = np.maximum(as_of - events.time, 0).astype(np.float32)
    rates = np.array([-1 / (DAY * days) for days in half_lives_days], np.float32)
    weights: Floats = np.exp2(age * rates[:, None])
    return weights


def _sum(values: Floats, starts: NDArray[np.int64]) -> Floats:
    """Of each pair, never below 0: (…, events) -> (…, pairs)."""
    return np.maximum(np.add.reduceat(values, starts, axis=-1), np.float32(0))


def _first(
    time: NDArray[np.int64], bought: NDArray[np.bool_], starts: NDArray[np.int64]
) -> NDArray[np.int64]:
    first = np.minimum.reduceat(np.where(bought, time, LATEST), starts)
    return np.where(first == LATEST, NEVER, first)

"""What customers did, and one customer's history at one moment.

The artifact keeps the events themselves, so that a history can be taken at any moment, earlier ones included, and a
new event is one more row. Training, export and service all take it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.events import DAY, PURCHASE, RETURN, Events

NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True, eq=False)
class Histories:
    """The events of every user: those of user u are `indptr[u]:indptr[u + 1]`, sorted by (item, time)."""

    indptr: NDArray[np.int64]  # (users + 1,)
    events: Events

    def of(self, user: int) -> Events:
        rows = slice(self.indptr[user], self.indptr[user + 1])
        events = self.events
        return Events(events.item[rows], events.time[rows], events.kind[rows], events.weight[rows])


@dataclass(frozen=True, eq=False)
class Interactions:
    """p pairs of a customer and a product, taken at one moment.

    A purchase line counts 1 and a return subtracts the share of a line that came back, so `count` is what was kept.
    """

    item: NDArray[np.int32]  # (p,)
    count: NDArray[np.float32]  # (p,) purchase lines less returns, never below 0
    first: NDArray[np.int64]  # (p,) first purchase, seconds since 1970; NEVER where only looked at
    last: NDArray[np.int64]  # (p,) last purchase
    decayed: NDArray[np.float32]  # (p, half-lives) purchase lines less returns, each halved every half-life
    interest: NDArray[np.float32]  # (p,) all kinds by their weight, decayed at the last of the half-lives

    def __len__(self) -> int:
        return len(self.item)


def before(events: Events, as_of: int) -> Events:
    """The events that had happened at `as_of` (seconds since 1970)."""
    if len(events) == 0 or events.time.max() <= as_of:
        return events
    seen = events.time <= as_of
    return Events(events.item[seen], events.time[seen], events.kind[seen], events.weight[seen])


def pair_starts(events: Events, user: NDArray[np.int32] | None = None) -> NDArray[np.int64]:
    """Where each pair begins: int64 (pairs,). Events are sorted by (user, item, time); one user when `user` is None."""
    if len(events) == 0:
        return np.zeros(0, np.int64)
    new = np.empty(len(events), np.bool_)
    new[0] = True
    np.not_equal(events.item[1:], events.item[:-1], out=new[1:])
    if user is not None:
        new[1:] |= user[1:] != user[:-1]
    return np.flatnonzero(new)


def interactions(
    events: Events,
    starts: NDArray[np.int64],
    as_of: int,
    half_lives_days: Sequence[float],
    kind_weights: NDArray[np.float32],
) -> Interactions:
    """Sum events up to pairs at `as_of`; `kind_weights` (kinds,) is what an event of each kind says about interest.

    Exponential decay: an event of age t weighs 2^(-t / half-life).
    """
    if len(starts) == 0:
        none = np.zeros(0, np.float32)
        return Interactions(
            events.item[:0],
            none,
            events.time[:0],
            events.time[:0],
            np.zeros((0, len(half_lives_days)), np.float32),
            none,
        )
    bought = events.kind == PURCHASE
    net = np.where(bought | (events.kind == RETURN), events.weight, np.float32(0))
    age = (np.maximum(as_of - events.time, 0) / np.float32(DAY)).astype(np.float32)
    decays = [np.exp2(age * np.float32(-1 / half_life)) for half_life in half_lives_days]
    decayed = np.stack([_sum(net * decay, starts) for decay in decays], axis=1)
    interest = _sum(events.weight * kind_weights[events.kind] * decays[-1], starts)
    return Interactions(
        item=events.item[starts],
        count=_sum(net, starts),
        first=np.minimum.reduceat(np.where(bought, events.time, np.iinfo(np.int64).max), starts),
        last=np.maximum.reduceat(np.where(bought, events.time, NEVER), starts),
        decayed=decayed,
        interest=interest,
    )


def _sum(values: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.maximum(np.add.reduceat(values, starts), np.float32(0))

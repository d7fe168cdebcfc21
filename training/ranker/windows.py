"""Earlier moments of a history: what is before them is learned from, what follows is what customers then bought."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.data.events import DAY, PURCHASE
from models.settings import SHORTEST_HORIZON_DAYS, RankerSettings
from training.reading.purchases import Purchases

MIN_HORIZONS = 5  # that a history must span, one of them for the hits


@dataclass(frozen=True)
class Window:
    """Sources learn from what happened before `until`; seconds since 1970."""

    until: int
    moments: tuple[int, ...]  # for which slates are asked: the fit is as old as each is later
    horizon: int  # seconds after a moment in which a purchase is a hit


@dataclass(frozen=True)
class Example:
    """One customer at one moment, and what they bought within the horizon."""

    user: int
    as_of: int
    targets: frozenset[int]


def place_windows(first: int, end: int, settings: RankerSettings) -> list[Window]:
    """Windows between the first line and the end, newest first; shorter ones, and fewer, where the data are short."""
    span = (end - first) / DAY
    horizon_days = min(settings.horizon_days, span / MIN_HORIZONS)
    if horizon_days < SHORTEST_HORIZON_DAYS:
        return []
    lags = [int(lag * DAY * horizon_days / settings.horizon_days) for lag in settings.lags_days]
    horizon = int(horizon_days * DAY)
    starts = [end - max(lags) - (1 + place) * horizon for place in range(settings.windows)]
    return [
        Window(until, tuple(until + lag for lag in lags), horizon)
        for until in starts
        if until - first >= 2 * horizon
    ]


def draw_examples(purchases: Purchases, window: Window, seed: int) -> list[Example]:
    """Everyone who had bought before the window and within the horizon of their moment, by moment and customer.

    Each customer is asked about one moment, drawn by lot: the same weeks twice would tell little more.
    """
    bought = (purchases.kind == PURCHASE) & (purchases.user >= 0)
    user, item, time = purchases.user[bought], purchases.item[bought], purchases.time[bought]
    known = np.unique(user[time < window.until])
    lots = np.random.default_rng([seed, window.until]).integers(
        len(window.moments), size=len(purchases.customer_ids)
    )
    found = []
    for lot, as_of in enumerate(window.moments):
        inside = (
            (time >= as_of)
            & (time < as_of + window.horizon)
            & np.isin(user, known)
            & (lots[user] == lot)
        )
        users, starts = np.unique(user[inside], return_index=True)  # lines are sorted by customer
        baskets = np.split(item[inside], starts[1:]) if len(users) else []
        found += [
            Example(int(who), as_of, frozenset(basket.tolist()))
            for who, basket in zip(users, baskets, strict=True)
        ]
    return found

"""Earlier moments of a history: models are fitted before them, to rank what was bought after."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from models.data.events import DAY, PURCHASE
from models.settings import SHORTEST_HORIZON_DAYS, RankerSettings
from training.evaluation.visits import draw_views, draw_visits
from training.reading.purchases import Purchases

MIN_HORIZONS = 5  # that a history must span, one of them for the hits
MORE_WINDOWS = 4  # times as many where examples are few


@dataclass(frozen=True)
class Window:
    """A time `until` which sources learn, and moments after it; seconds since 1970."""

    until: int
    moments: tuple[int, ...]  # for which slates are made: the fit is as old as each is later
    horizon: int  # seconds after a moment in which a purchase is a hit

    @property
    def end(self) -> int:
        """Return when the last purchase that is asked about may have been made."""
        return max(self.moments) + self.horizon


@dataclass(frozen=True)
class Example:
    """A customer at one moment, or a visit, and what they bought within the horizon."""

    user: int  # of a visit -1: nobody knows them
    as_of: int
    targets: frozenset[int]
    recent: tuple[int, ...] = ()  # products that a visit has seen
    basket: tuple[int, ...] = ()


def place_windows(first: int, end: int, settings: RankerSettings) -> list[Window]:
    """Return windows between the first line and the end, newest first.

    They are shorter, and fewer, where the history is short.
    """
    span = (end - first) / DAY
    horizon_days = min(settings.horizon_days, span / MIN_HORIZONS)
    if horizon_days < SHORTEST_HORIZON_DAYS:
        return []
    lags = [int(lag * DAY * horizon_days / settings.horizon_days) for lag in settings.lags_days]
    horizon = int(horizon_days * DAY)
    starts = [end - max(lags) - (1 + number) * horizon for number in range(settings.windows)]
    return [
        Window(until, tuple(until + lag for lag in lags), horizon)
        for until in starts
        if until - first >= 2 * horizon
    ]


def draw_all_examples(
    purchases: Purchases, first: int, end: int, settings: RankerSettings, seed: int
) -> list[tuple[Window, list[Example]]]:
    """Return the windows between the first line and the end, newest first, with their examples.

    A shop of few customers looks back further. All together are customers and visits by lot, at
    most as many as the settings allow.
    """
    most = replace(settings, windows=MORE_WINDOWS * settings.windows)
    windows: list[Window] = []
    customers: list[list[Example]] = []
    total = 0
    for window in place_windows(first, end, most):
        if len(windows) >= settings.windows and total >= settings.examples:
            break
        windows.append(window)
        customers.append(draw_examples(purchases, window, seed))
        total += len(customers[-1])
    customers = _sample(customers, settings.customers, seed)
    limit = settings.visits // max(len(windows), 1)
    drawn = []
    for window, examples in zip(windows, customers, strict=True):
        visits = draw_visit_examples(purchases, window, limit, seed)
        if examples or visits:
            drawn.append((window, [*examples, *visits]))
    return drawn


def _sample(examples: list[list[Example]], limit: int, seed: int) -> list[list[Example]]:
    """Return at most so many examples of all windows, by lot, in their order."""
    total = sum(map(len, examples))
    if total <= limit:
        return examples
    kept = np.zeros(total, np.bool_)
    kept[np.random.default_rng(seed).choice(total, limit, replace=False)] = True
    ends = np.cumsum([len(of_window) for of_window in examples])[:-1]
    masks = np.split(kept, ends)
    return [
        list(itertools.compress(of_window, mask.tolist()))
        for of_window, mask in zip(examples, masks, strict=True)
    ]


def draw_examples(purchases: Purchases, window: Window, seed: int) -> list[Example]:
    """Return who bought before the window and within the horizon of a moment, by moment.

    Each customer has one moment, drawn by lot: the same weeks twice would tell little more.
    """
    bought = (purchases.kind == PURCHASE) & (purchases.user >= 0)
    user, item, time = purchases.user[bought], purchases.item[bought], purchases.time[bought]
    known = np.unique(user[time < window.until])
    moment_of = np.random.default_rng([seed, window.until]).integers(
        len(window.moments), size=len(purchases.customer_ids)
    )
    examples = []
    for number, as_of in enumerate(window.moments):
        inside = (time >= as_of) & (time < as_of + window.horizon)
        inside &= np.isin(user, known) & (moment_of[user] == number)
        users, starts = np.unique(user[inside], return_index=True)  # lines are sorted by customer
        baskets = np.split(item[inside], starts[1:]) if len(users) else []
        for customer, basket in zip(users.tolist(), baskets, strict=True):
            examples.append(Example(customer, as_of, frozenset(basket.tolist())))
    return examples


def draw_visit_examples(
    purchases: Purchases, window: Window, limit: int, seed: int
) -> list[Example]:
    """Return visits within the horizon of the window's moments, at most `limit` by lot.

    What each has seen was looked at, or lies in the basket, by turns. Where the shop reports views,
    as many visits are asked for what was looked at next.
    """
    random = np.random.default_rng([seed, window.until, limit])
    bought = (purchases.kind == PURCHASE) & (purchases.time < window.until)
    known = np.unique(purchases.user[bought & (purchases.user >= 0)])
    share = -(-limit // len(window.moments))
    everything = np.ones(len(purchases.product_ids), np.bool_)
    examples = []
    for as_of in window.moments:
        inside = (purchases.time >= as_of) & (purchases.time < as_of + window.horizon)
        for number, visit in enumerate(draw_visits(purchases, inside, known, share, random)):
            kind = ("recent", "basket")[number % 2]
            examples.append(Example(-1, as_of, visit.targets, **{kind: visit.seen}))
        views = draw_views(purchases, inside, everything, share, random)
        examples += [Example(-1, as_of, view.targets, recent=view.seen) for view in views]
    return examples

"""Take orders and views for visits of someone anonymous: some seen, others asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import PURCHASE, VIEW
from training.reading.purchases import Purchases

MOST_SEEN: Final = 5  # products of an order that the visit has seen
MIN_STRANGERS: Final = 200  # orders of unknown customers, below which known ones lend theirs
VISIT_SECONDS: Final = 30 * 60  # without a view, after which a visit has ended


@dataclass(frozen=True)
class Visit:
    """Hold an order as a visit: some of its products, by lot, and what else was bought.

    Or views: those that came first, and the next product that was looked at.
    """

    user: int  # whose order it is; guests are -1
    seen: tuple[int, ...]
    targets: frozenset[int]


def draw_visits(
    purchases: Purchases,
    rows: NDArray[np.bool_],
    known: NDArray[np.int32],
    limit: int,
    random: np.random.Generator,
) -> list[Visit]:
    """Return orders among some rows of purchases as visits, at most `limit` by lot.

    They are of customers who are not among the known ones, sorted, and of guests. Where these are
    few, orders of known customers are taken too, one of each customer.
    """
    orders = _find_orders(purchases, rows & (purchases.kind == PURCHASE))
    strangers = [order for order in orders if not _is_among(order.user, known)]
    chosen = strangers
    if len(strangers) < MIN_STRANGERS:
        acquainted = [order for order in orders if _is_among(order.user, known)]
        first_of: dict[int, _Order] = {}
        for index in random.permutation(len(acquainted)).tolist():
            first_of.setdefault(acquainted[index].user, acquainted[index])
        chosen = strangers + sorted(first_of.values(), key=lambda order: order.number)
    if len(chosen) > limit:
        kept = np.sort(random.choice(len(chosen), limit, replace=False)).tolist()
        chosen = [chosen[index] for index in kept]
    return [_hide_part(order, random) for order in chosen]


def draw_views(
    purchases: Purchases,
    among: NDArray[np.bool_],
    countable: NDArray[np.bool_],
    limit: int,
    random: np.random.Generator,
) -> list[Visit]:
    """Return visits by the views of customers `among` some rows of purchases, at most `limit`.

    What each has seen are the first products that were looked at, one to MOST_SEEN by lot; asked
    for is the next one, which is countable (items,).
    """
    rows = np.flatnonzero(among & (purchases.kind == VIEW) & (purchases.user >= 0))
    rows = rows[np.lexsort((purchases.time[rows], purchases.user[rows]))]
    user, time = purchases.user[rows], purchases.time[rows]
    begins = np.diff(user, prepend=-1) != 0
    begins |= np.diff(time, prepend=0) > VISIT_SECONDS
    drawn = []
    for visited in np.split(rows, np.flatnonzero(begins)[1:]) if len(rows) else []:
        items = list(dict.fromkeys(purchases.item[visited].tolist()))  # each once, in its order
        if len(items) > 1:
            size = int(random.integers(1, min(MOST_SEEN, len(items) - 1), endpoint=True))
            if countable[items[size]]:
                owner = int(purchases.user[visited[0]])
                drawn.append(Visit(owner, tuple(items[:size]), frozenset([items[size]])))
    if len(drawn) > limit:
        kept = np.sort(random.choice(len(drawn), limit, replace=False)).tolist()
        drawn = [drawn[index] for index in kept]
    return drawn


@dataclass(frozen=True)
class _Order:
    number: int
    user: int
    items: NDArray[np.int32]


def _find_orders(purchases: Purchases, rows: NDArray[np.bool_]) -> list[_Order]:
    """Return the orders of two different products or more."""
    lines = np.stack([purchases.order[rows], purchases.item[rows]])
    pairs, first = np.unique(lines, axis=1, return_index=True)
    if pairs.shape[1] == 0:
        return []
    users = purchases.user[rows][first]
    numbers, starts = np.unique(pairs[0], return_index=True)
    orders = []
    baskets = np.split(pairs[1], starts[1:])
    for number, start, items in zip(numbers.tolist(), starts.tolist(), baskets, strict=True):
        if len(items) > 1:
            orders.append(_Order(number, int(users[start]), items))
    return orders


def _is_among(user: int, known: NDArray[np.int32]) -> bool:
    index = int(known.searchsorted(user))
    return index < len(known) and int(known[index]) == user


def _hide_part(order: _Order, random: np.random.Generator) -> Visit:
    items = random.permutation(order.items).tolist()
    size = int(random.integers(1, min(MOST_SEEN, len(items) - 1), endpoint=True))
    return Visit(order.user, tuple(items[:size]), frozenset(items[size:]))

"""Cut a history in two: what a model may see, and what its customers bought afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.customers import nothing_said
from models.data.events import DAY, PURCHASE, VIEW
from training.config import EvaluationConfig
from training.evaluation.visits import Visit, draw_views, draw_visits
from training.fitting.counts import select_lines
from training.reading.purchases import Purchases

MIN_LINES: Final = 3  # before the cut, for a product to count
MIN_CUSTOMERS: Final = 20  # with targets, for a mean to say something
MIN_ORDERS: Final = 20  # after the cut, for anything to be measured
MIN_SHARE: Final = 5  # the days kept back are at most one in so many of a history
MOST_VISITS: Final = 2_000


@dataclass(frozen=True, eq=False)
class Split:
    """Hold a history before and after the cut, and the customers who are scored."""

    cut: int  # seconds since 1970; the past is before it
    past: Purchases
    future: Purchases
    countable: NDArray[np.bool_]  # (items,) bought often enough before the cut to be targets
    users: NDArray[np.int32]  # customers with a purchase before the cut and a target after it
    targets: list[frozenset[int]]  # of each of them: countable products bought after the cut
    discoveries: list[frozenset[int]]  # the targets that were never bought before
    visits: list[Visit]  # orders after the cut, as visits of someone anonymous; countable targets
    days: int  # after the cut
    # What was looked at next in visits after the cut, where the shop reports views
    views: list[Visit] = field(default_factory=list)


def split_history(purchases: Purchases, config: EvaluationConfig) -> Split | None:
    """Keep the last `test_days` back, or a fifth of a short history.

    None where too few orders lie in them.
    """
    days = days_kept_back(purchases, config.test_days)
    cut = find_cut(purchases, config.test_days)
    before = purchases.time < cut
    past, future = (
        hide_current_catalogue(select_lines(purchases, before)),
        select_lines(purchases, ~before),
    )
    bought = past.kind == PURCHASE
    countable = np.bincount(past.item[bought], minlength=len(purchases.product_ids)) >= MIN_LINES
    known = np.unique(past.user[bought & (past.user >= 0)])

    counts = (future.kind == PURCHASE) & countable[future.item] & np.isin(future.user, known)
    scored = np.unique(future.user[counts])
    sold_later = future.order[future.kind == PURCHASE]
    if len(np.unique(sold_later)) < MIN_ORDERS or not bought.any():
        return None
    if len(scored) > config.max_customers:
        random = np.random.default_rng(config.seed)
        chosen = random.choice(len(scored), config.max_customers, replace=False)
        scored = scored[np.sort(chosen)]
    targets = _products_of(future, counts, scored)
    before_cut = _products_of(past, bought & (past.user >= 0), scored)
    discoveries = [wanted - owned for wanted, owned in zip(targets, before_cut, strict=True)]
    visits = _draw_countable_visits(future, known, countable, config.seed)
    views = draw_views(
        future,
        np.ones(len(future), np.bool_),
        _count_seen(past),
        MOST_VISITS,
        np.random.default_rng(config.seed),
    )
    return Split(cut, past, future, countable, scored, targets, discoveries, visits, days, views)


def _count_seen(past: Purchases) -> NDArray[np.bool_]:
    """Tell which products were looked at or bought often enough to be looked at next: (items,)."""
    seen = np.isin(past.kind, (VIEW, PURCHASE))
    return np.bincount(past.item[seen], minlength=len(past.product_ids)) >= MIN_LINES


def _draw_countable_visits(
    future: Purchases, known: NDArray[np.int32], countable: NDArray[np.bool_], seed: int
) -> list[Visit]:
    """Return visits that have a countable target left."""
    random = np.random.default_rng(seed)
    everything = np.ones(len(future), np.bool_)
    visits = []
    for visit in draw_visits(future, everything, known, MOST_VISITS, random):
        targets = frozenset(item for item in visit.targets if countable[item])
        if targets:
            visits.append(replace(visit, targets=targets))
    return visits


def days_kept_back(purchases: Purchases, test_days: int) -> int:
    """Return how many days are kept back: at most a fifth of the history, at least one."""
    first = int(purchases.time[purchases.kind == PURCHASE].min(initial=purchases.shop_time))
    return max(min(test_days, (purchases.shop_time - first) // (MIN_SHARE * DAY)), 1)


def find_cut(purchases: Purchases, test_days: int) -> int:
    """Return the moment so many days before shop time."""
    return purchases.shop_time - days_kept_back(purchases, test_days) * DAY


def hide_current_catalogue(purchases: Purchases) -> Purchases:
    """Return the shop as it was at the end of these lines.

    Everything is in stock, whatever is sold out today, and what was not sold has no price. What
    customers say of themselves they may have said later.
    """
    sold = np.zeros(len(purchases.catalogue), np.bool_)
    sold[purchases.item] = True
    price = np.where(sold, purchases.catalogue.price, np.nan)  # it may be what was paid later
    catalogue = replace(purchases.catalogue, in_stock=np.ones(len(sold), np.bool_), price=price)
    return replace(purchases, catalogue=catalogue, preferences=nothing_said())


def _products_of(
    purchases: Purchases, rows: NDArray[np.bool_], users: NDArray[np.int32]
) -> list[frozenset[int]]:
    user, item = purchases.user[rows], purchases.item[rows]
    starts, stops = np.searchsorted(user, users), np.searchsorted(user, users, side="right")
    return [frozenset(item[start:stop].tolist()) for start, stop in zip(starts, stops, strict=True)]

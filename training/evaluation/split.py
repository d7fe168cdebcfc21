"""Cut a history in two: what a model may see, and what its customers bought afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY, PURCHASE
from training.config import EvaluationConfig
from training.fitting.counts import select_lines
from training.reading.purchases import Purchases

MIN_LINES: Final = 3  # before the cut, for a product to count
MIN_CUSTOMERS: Final = 20  # with targets, for a mean to say something


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


def split_history(purchases: Purchases, config: EvaluationConfig) -> Split | None:
    """Keep the last `test_days` back; None where too little would be left on either side."""
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
    if len(scored) < MIN_CUSTOMERS:
        return None
    if len(scored) > config.max_customers:
        random = np.random.default_rng(config.seed)
        chosen = random.choice(len(scored), config.max_customers, replace=False)
        scored = scored[np.sort(chosen)]
    targets = _products_of(future, counts, scored)
    before_cut = _products_of(past, bought & (past.user >= 0), scored)
    discoveries = [wanted - owned for wanted, owned in zip(targets, before_cut, strict=True)]
    return Split(cut, past, future, countable, scored, targets, discoveries)


def find_cut(purchases: Purchases, test_days: int) -> int:
    """Return the moment so many days before shop time."""
    return purchases.shop_time - test_days * DAY


def hide_current_catalogue(purchases: Purchases) -> Purchases:
    """Return the shop as it was at the end of these lines.

    Everything is in stock, whatever is sold out today, and what was not sold has no price.
    """
    sold = np.zeros(len(purchases.catalogue), np.bool_)
    sold[purchases.item] = True
    price = np.where(sold, purchases.catalogue.price, np.nan)  # it may be what was paid later
    catalogue = replace(purchases.catalogue, in_stock=np.ones(len(sold), np.bool_), price=price)
    return replace(purchases, catalogue=catalogue)


def _products_of(
    purchases: Purchases, rows: NDArray[np.bool_], users: NDArray[np.int32]
) -> list[frozenset[int]]:
    user, item = purchases.user[rows], purchases.item[rows]
    starts, stops = np.searchsorted(user, users), np.searchsorted(user, users, side="right")
    return [frozenset(item[start:stop].tolist()) for start, stop in zip(starts, stops, strict=True)]

"""What customers did around the start of an experiment: a row each, in three equal spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.data.customers import NO, PERSONALIZE_EMAIL, PERSONALIZE_WEB
from models.data.events import DAY, DISMISS, PURCHASE, RETURN
from training.insights.statistics.metrics import BEFORE, EARLIER
from training.reading.purchases import Purchases

KNOWN_DAYS: Final = 365  # before the start: who bought in them can be in an experiment


@dataclass(frozen=True, eq=False)
class SoldLines:
    """Hold n lines that customers bought or returned; guests have none here."""

    user: NDArray[np.int32]  # (n,)
    order: NDArray[np.int32]  # (n,) a number for each order; of returns it does not matter
    time: NDArray[np.int64]  # (n,) seconds since 1970
    kind: NDArray[np.uint8]  # (n,) PURCHASE or RETURN
    revenue: NDArray[np.float64]  # (n,) of the line, above 0 for returns too; NaN unknown
    margin: NDArray[np.float64]  # (n,) likewise

    @classmethod
    def of(cls, purchases: Purchases) -> Self:
        """Return the lines of a history that the shop itself knows of."""
        sold = np.isin(purchases.kind, (PURCHASE, RETURN)) & ~purchases.claim
        sold &= purchases.user >= 0
        quantity, item = purchases.quantity[sold].astype(np.float64), purchases.item[sold]
        revenue = quantity * purchases.price[sold]
        return cls(
            purchases.user[sold],
            purchases.order[sold],
            purchases.time[sold],
            purchases.kind[sold],
            revenue,
            revenue - quantity * purchases.catalogue.known_costs[item],
        )


@dataclass(frozen=True, eq=False)
class CustomerRefusals:
    """Hold n times that a customer dismissed a product, or said no to being personalised."""

    user: NDArray[np.int64]  # (n,)
    time: NDArray[np.int64]  # (n,) seconds since 1970

    @classmethod
    def of(cls, purchases: Purchases) -> Self:
        """Return those of a history; of answers it knows the newest alone."""
        dismissed = (purchases.kind == DISMISS) & (purchases.user >= 0)
        users, times = [purchases.user[dismissed].astype(np.int64)], [purchases.time[dismissed]]
        for purpose in (PERSONALIZE_WEB, PERSONALIZE_EMAIL):
            refused = np.flatnonzero(purchases.consent[:, purpose] == NO)
            users.append(refused)
            times.append(purchases.consent_time[refused, purpose])
        return cls(np.concatenate(users), np.concatenate(times))


def count_around(
    lines: SoldLines, refusals: CustomerRefusals, users: int, start: int, days: int, until: int
) -> pa.Table:
    """Return (user, orders, revenue, margin, refused, the same `_before` and `_earlier`).

    A row for everyone who bought within a year before the start. `until`: the end of what is known
    after it, seconds since 1970. What is unknown of money counts as nothing.
    """
    span = days * DAY
    known = _bought_in(lines, users, start - KNOWN_DAYS * DAY, start)
    columns: dict[str, pa.Array] = {"user": pa.array(np.flatnonzero(known))}
    spans = (("", start, until), (BEFORE, start - span, start), (EARLIER, start - 2 * span, start))
    for suffix, first, end in spans:
        end = min(end, first + span)
        inside = (lines.time >= first) & (lines.time < end)
        columns[f"orders{suffix}"] = pa.array(_count_orders(lines, inside, users)[known])
        sign = np.where(lines.kind == RETURN, -1.0, 1.0)
        for name in ("revenue", "margin"):
            money = np.nan_to_num(getattr(lines, name)) * sign
            total = np.bincount(lines.user[inside], money[inside], users)
            columns[f"{name}{suffix}"] = pa.array(total[known])
        refused = refusals.user[(refusals.time >= first) & (refusals.time < end)]
        has_refused = np.bincount(refused, minlength=users) > 0
        columns[f"refused{suffix}"] = pa.array(has_refused[known].astype(np.int64))
    return pa.table(columns)


def _bought_in(lines: SoldLines, users: int, first: int, end: int) -> NDArray[np.bool_]:
    """Tell who bought in a span: (users,)."""
    bought = (lines.kind == PURCHASE) & (lines.time >= first) & (lines.time < end)
    return np.bincount(lines.user[bought], minlength=users) > 0


def _count_orders(lines: SoldLines, inside: NDArray[np.bool_], users: int) -> NDArray[np.int64]:
    """Return how many orders each customer made in a span: (users,)."""
    bought = inside & (lines.kind == PURCHASE)
    pairs = np.unique(np.stack([lines.user[bought], lines.order[bought]]), axis=1)
    counts: NDArray[np.int64] = np.bincount(pairs[0], minlength=users)
    return counts

"""Find what looks odd in purchases that were read: usually an export gone wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from models.data.customers import NEVER_ASKED
from training.reading.purchases import Purchases
from training.reading.timestamps import format_date

YEAR_1990: Final = 631_152_000  # seconds since 1970
LARGEST_CUSTOMER: Final = 0.2  # of all lines
LARGEST_GUEST_SHARE: Final = 0.5  # of all lines
FEWEST_LINES: Final = 20  # of which shares tell something


def find_oddities(purchases: Purchases, now: int) -> list[str]:
    """Return a sentence for each. `now`: the wall clock in seconds since 1970."""
    return [
        *_odd_times(purchases, now),
        *_odd_customers(purchases),
        *_odd_consents(purchases),
        *_odd_ids("customers", purchases.customer_ids),
        *_odd_ids("products", purchases.product_ids),
    ]


def _odd_times(purchases: Purchases, now: int) -> list[str]:
    time, count = purchases.time, len(purchases)
    oddities = []
    if count >= FEWEST_LINES and time.min() == time.max():
        date = format_date(int(time[0]))
        oddities.append(
            f"all {count:,} lines are of one second, on {date}; is another column the timestamp "
            "(--column timestamp=NAME)?"
        )
    for name, are_odd in (("before 1990", time < YEAR_1990), ("ahead of now", time > now)):
        if odd := np.count_nonzero(are_odd):
            example = format_date(int(time[are_odd].min()))
            oddities.append(f"{odd:,} of {count:,} lines are dated {name}, such as on {example}.")
    return oddities


def _odd_customers(purchases: Purchases) -> list[str]:
    user, count = purchases.user, len(purchases)
    if count < FEWEST_LINES:
        return []
    oddities = []
    known = user[user >= 0]
    guests = count - len(known)
    if guests > LARGEST_GUEST_SHARE * count:
        oddities.append(
            f"{guests:,} of {count:,} lines have no customer; is another column the customer "
            "(--column customer_id=NAME)?"
        )
    lines = np.bincount(known, minlength=1)
    largest = int(lines.argmax())
    if lines[largest] >= LARGEST_CUSTOMER * count and len(purchases.customer_ids) > 1:
        oddities.append(
            f"customer {purchases.customer_ids[largest]!r} has {int(lines[largest]):,} of "
            f"{count:,} lines; if it stands for guests, leave its cell empty."
        )
    return oddities


def _odd_consents(purchases: Purchases) -> list[str]:
    """Tell where no customer with a consent has a line, so that no answer reaches anybody."""
    has_answered = (purchases.consent != NEVER_ASKED).any(axis=1)
    has_line = np.zeros(len(purchases.customer_ids), np.bool_)
    has_line[purchases.user[purchases.user >= 0]] = True
    answered = np.flatnonzero(has_answered)
    if len(answered) < FEWEST_LINES or not has_line.any() or (has_answered & has_line).any():
        return []
    buyer = purchases.customer_ids[int(has_line.argmax())]
    return [
        f"none of {len(answered):,} customers who said yes or no, such as "
        f"{purchases.customer_ids[int(answered[0])]!r}, has a line, and buyers are called like "
        f"{buyer!r}; do the files call customers by different ids?"
    ]


def _odd_ids(of: str, ids: Iterable[str]) -> list[str]:
    """Tell ids that differ by letter case, or by leading zeros, alone."""
    by_case: dict[str, str] = {}
    by_zeros: dict[str, str] = {}
    case: list[tuple[str, str]] = []
    zeros: list[tuple[str, str]] = []
    for name in ids:
        lower = name.casefold()
        if (other := by_case.setdefault(lower, name)) != name:
            case.append((other, name))
        elif (other := by_zeros.setdefault(lower.lstrip("0") or "0", name)) != name:
            zeros.append((other, name))
    return [
        f"{len(pairs):,} {of} differ by {difference} alone from another, such as {pairs[0][0]!r} "
        f"and {pairs[0][1]!r}; write them in one way."
        for difference, pairs in (("letter case", case), ("leading zeros", zeros))
        if pairs
    ]

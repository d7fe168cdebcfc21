"""What happened after a model learned: the same customer, with what they did since."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.customers import NEVER_ASKED, YES, Customers
from models.data.events import PURCHASE, RATING, REMOVED, RETURN, Events

STARS: Final = (3, 2)  # the middle, and how far it is to the ends


def _none() -> NDArray[np.int32]:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class CustomerUpdate:
    """What is known of a customer or a session beside the artifact. `events` in any order."""

    events: Events
    consent: tuple[tuple[int, int], ...] = (
        (NEVER_ASKED, 0),
    ) * 3  # for each purpose the answer, and when it was given
    unasked: int = YES  # what holds for who was never asked
    unused: NDArray[np.int32] = field(
        default_factory=_none
    )  # items the customer struck out of their history
    forgotten: bool = (
        False  # the customer was erased: nothing that the artifact holds of them may be used
    )


NO_UPDATE: Final = CustomerUpdate(
    Events(
        np.zeros(0, np.int32),
        np.zeros(0, np.int64),
        np.zeros(0, np.uint8),
        np.zeros(0, np.float32),
        np.zeros(0, np.uint32),
    )
)


def allows(customers: Customers, user: int, purpose: int, since: CustomerUpdate) -> bool:
    """Whether a purpose is allowed, by the later of what the artifact and the store hold; user -1 is unknown."""
    learned = (NEVER_ASKED, 0)
    if user >= 0 and not since.forgotten:
        learned = (
            int(customers.consent[user, purpose]),
            int(customers.consent_time[user, purpose]),
        )
    said = [answer for answer in (since.consent[purpose], learned) if answer[0] != NEVER_ASKED]
    # Of two of the same time the store's counts.
    value = max(said, key=lambda answer: answer[1])[0] if said else since.unasked
    return value == YES


def event_weights(
    pair: NDArray[np.integer],
    kind: NDArray[np.uint8],
    quantity: NDArray[np.float64],
    rating: NDArray[np.float64],
) -> NDArray[np.float32]:
    """As Events says, of n reported lines: (n,) each, NaN where nothing was told.

    `pair`: a number for customer and product; of one customer the product's alone.
    """
    weight = np.where(kind == REMOVED, -1.0, 1.0)
    middle, span = STARS
    np.copyto(weight, np.nan_to_num((rating - middle) / span), where=kind == RATING)
    back = kind == RETURN
    if back.any():
        amount = np.where(quantity > 0, quantity, 1.0)
        _, line = np.unique(pair, return_inverse=True)
        bought = kind == PURCHASE
        lines = np.bincount(line[bought], minlength=line.max() + 1)
        mean = (np.bincount(line[bought], amount[bought], len(lines)) / np.maximum(lines, 1))[line]
        # Of a purchase that the model learned of, the quantity is not known here: all of one came back.
        share = np.divide(amount, mean, out=np.ones_like(amount), where=mean > 0)
        weight[back] = -share[back]
    return weight.astype(np.float32)


def updated_history(learned: Events, since: CustomerUpdate) -> Events:
    """Both together, sorted by (item, time). A purchase known by its order and product is there once."""
    if len(since.events) == 0 and len(since.unused) == 0:
        return learned
    more = since.events.at(_first_told(since.events, learned))
    events = [
        np.concatenate([old, new])
        for old, new in (
            (learned.item, more.item),
            (learned.time, more.time),
            (learned.kind, more.kind),
            (learned.weight, more.weight),
            (learned.order, more.order),
        )
    ]
    order = np.lexsort((events[1], events[0]))
    order = order[~np.isin(events[0][order], since.unused)]
    return Events(*(column[order] for column in events))


def _first_told(more: Events, learned: Events) -> NDArray[np.bool_]:
    """Which events are no purchase that was learned or stands further up."""
    lines, known = _lines(more), _lines(learned)
    first = np.zeros(len(more), np.bool_)
    first[np.unique(lines, return_index=True)[1]] = True
    told: NDArray[np.bool_] = first & ~np.isin(lines, known[known >= 0])
    return told


def _lines(events: Events) -> NDArray[np.int64]:
    """Product and order of each purchase as one number; for what is none, one of its own below 0."""
    purchase = (events.kind == PURCHASE) & (events.order != 0)
    line = events.item.astype(np.int64) << 32 | events.order
    return np.where(purchase, line, -1 - np.arange(len(events)))

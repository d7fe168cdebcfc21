"""A customer as a model learned them, with what they have done and answered since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.customers import NEVER_ASKED, NO, PURPOSES, YES, Customers
from models.data.events import PURCHASE, RATING, REMOVED, RETURN, Events, concatenate_events
from models.rules.preferences import Preferences

MIDDLE_RATING: Final = 3  # stars
RATING_SPAN: Final = 2  # stars from the middle to either end
Consent = tuple[int, int]  # an answer of models.data.customers, and when: seconds since 1970
AFTER_TRAINING: Final = 2**62  # later than any time of an answer that was learned
REFUSED: Final[Consent] = (NO, AFTER_TRAINING)
NO_ANSWER: Final[Consent] = (NEVER_ASKED, 0)


def _no_items() -> NDArray[np.int32]:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class CustomerUpdate:
    """Hold what is known of a customer or a session beside the artifact."""

    events: Events  # in any order
    consent: tuple[Consent, ...] = (NO_ANSWER,) * len(PURPOSES)  # for each of them
    unasked: int = YES  # the consent of a customer who was never asked, or of a visit
    # Items that the customer struck out of their history
    unused: NDArray[np.int32] = field(default_factory=_no_items)
    # What they like, avoid and need; None: as the model has learned it
    preferences: Preferences | None = None
    # The customer was erased: nothing that the artifact holds of them may be used
    forgotten: bool = False
    # The model has learned from another store: it may have learned of some of these events too
    may_repeat: bool = False
    session_owner: str | None = None  # the customer who has logged into the session


NO_UPDATE: Final = CustomerUpdate(
    Events(
        item=np.zeros(0, np.int32),
        time=np.zeros(0, np.int64),
        kind=np.zeros(0, np.uint8),
        weight=np.zeros(0, np.float32),
        order=np.zeros(0, np.uint32),
    )
)


def allows(customers: Customers, user: int, purpose: int, update: CustomerUpdate) -> bool:
    """Tell whether a customer allows a purpose; a user of -1 is unknown to the model, or a visit.

    The later answer of the artifact's and the store's counts, the store's of two at the same time.
    """
    answer, _ = _find_answer(customers, user, purpose, update)
    return (update.unasked if answer == NEVER_ASKED else answer) == YES


def asks_for(
    customers: Customers, user: int, purpose: int, update: CustomerUpdate, since: int
) -> bool:
    """Tell whether a customer has asked for a purpose since a moment: by a yes nobody needed.

    Where no answer is a no, a yes is what everybody gives who is personalised, and no such wish.
    """
    answer, time = _find_answer(customers, user, purpose, update)
    return update.unasked == YES and answer == YES and time >= since


def _find_answer(customers: Customers, user: int, purpose: int, update: CustomerUpdate) -> Consent:
    answer, time = update.consent[purpose]
    if user >= 0 and not update.forgotten:
        learned = int(customers.consent[user, purpose])
        learned_time = int(customers.consent_time[user, purpose])
        if learned != NEVER_ASKED and (answer == NEVER_ASKED or learned_time > time):
            return learned, learned_time
    return answer, time


def weigh_events(
    pair: NDArray[np.integer],
    kind: NDArray[np.uint8],
    quantity: NDArray[np.float64],
    rating: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Weigh n reported lines as `Events` says: (n,) each, NaN where a figure was not reported.

    `pair`: a number for customer and product; the item where all lines are one customer's.
    """
    weight = np.where(kind == REMOVED, -1.0, 1.0)
    np.copyto(weight, np.nan_to_num((rating - MIDDLE_RATING) / RATING_SPAN), where=kind == RATING)
    returned = kind == RETURN
    if returned.any():
        amount = np.where(quantity > 0, quantity, 1.0)
        _, line = np.unique(pair, return_inverse=True)
        bought = kind == PURCHASE
        lines = np.bincount(line[bought], minlength=line.max() + 1)
        amounts = np.bincount(line[bought], amount[bought], len(lines))
        mean = (amounts / np.maximum(lines, 1))[line]
        # The quantity of a purchase that the model learned of is not known here: all of one line
        # came back.
        share = np.divide(amount, mean, out=np.ones_like(amount), where=mean > 0)
        weight[returned] = -share[returned]
    return weight.astype(np.float32)


def update_history(learned: Events, update: CustomerUpdate) -> Events:
    """Return the learned and the later events together, sorted by (item, time).

    A purchase known by its order and product is there once; struck out items are not.
    """
    if len(update.events) == 0 and len(update.unused) == 0:
        return learned
    is_new = _find_new(update.events, learned)
    if update.may_repeat:
        is_new &= ~_find_equal(update.events, learned)
    new = update.events.at(is_new)
    events = concatenate_events([learned, new])
    order = np.lexsort((events.time, events.item))
    used = ~np.isin(events.item[order], update.unused)
    return events.at(order[used])


def _find_new(events: Events, learned: Events) -> NDArray[np.bool_]:
    """Find the events that are no purchase that was learned or comes earlier among them: (n,)."""
    lines, learned_lines = _order_lines(events), _order_lines(learned)
    new = np.zeros(len(events), np.bool_)
    new[np.unique(lines, return_index=True)[1]] = True
    new &= ~np.isin(lines, learned_lines[learned_lines >= 0])
    return new


def _find_equal(events: Events, learned: Events) -> NDArray[np.bool_]:
    """Find the events that are equal to a learned one in product, kind and second: (n,)."""
    learned_keys = set(_keys(learned))
    return np.array([key in learned_keys for key in _keys(events)], np.bool_)


def _keys(events: Events) -> Iterator[tuple[int, int, int]]:
    return zip(events.item.tolist(), events.kind.tolist(), events.time.tolist(), strict=True)


def _order_lines(events: Events) -> NDArray[np.int64]:
    """Number each purchase by product and order, other events one by one below 0: (n,)."""
    is_line = (events.kind == PURCHASE) & (events.order != 0)
    line = events.item.astype(np.int64) << 32 | events.order
    return np.where(is_line, line, -1 - np.arange(len(events)))

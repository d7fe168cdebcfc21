"""Customer updates from the store: what it says of a customer, in the words of one catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.data.catalogue import Catalogue
from models.data.customers import NO, PURPOSES
from models.data.events import Events, order_code
from models.data.ids import find_known
from models.rules.preferences import Preferences
from models.updates.customer import (
    NO_ANSWER,
    NO_UPDATE,
    REFUSED,
    Consent,
    CustomerUpdate,
    weigh_events,
)
from service.store.consents import ConsentRecords
from service.store.events import EventRow
from service.store.store import CustomerRecords


def build_customer_update(
    records: CustomerRecords,
    catalogue: Catalogue,
    *,
    unasked: int,
    forgotten: bool,
    may_repeat: bool = False,
) -> CustomerUpdate:
    """Return the update; products that the catalogue does not know are left out.

    `unasked`: the consent of a customer who was never asked. `may_repeat`: the model may have
    learned of some of the events.
    """
    given, said = records.words.consents, records.words.preferences
    return CustomerUpdate(
        _build_events(records.rows, catalogue) if records.rows else NO_UPDATE.events,
        consent=tuple(
            _consent(given, purpose, records.learned) for purpose in range(len(PURPOSES))
        ),
        unasked=unasked,
        unused=np.array(find_known(catalogue.ids, records.unused), np.int32),
        preferences=None if said is None else Preferences.read(said.document),
        forgotten=forgotten,
        may_repeat=may_repeat,
        session_owner=records.session_owner,
    )


def _build_events(reported: Sequence[EventRow], catalogue: Catalogue) -> Events:
    items = catalogue.ids.find_all([row.product_id for row in reported])
    rows = [row for row, item in zip(reported, items.tolist(), strict=True) if item >= 0]
    item = items[items >= 0]
    time = np.array([row.time for row in rows], np.int64)
    kind = np.array([row.kind for row in rows], np.uint8)
    # None becomes NaN
    quantity = np.array([row.quantity for row in rows], np.float64)
    rating = np.array([row.rating for row in rows], np.float64)
    orders = [order_code(row.order_id) if row.order_id else 0 for row in rows]
    weight = weigh_events(item, kind, quantity, rating)
    return Events(item, time, kind, weight, np.array(orders, np.uint32))


def _consent(given: ConsentRecords, purpose: int, learned: int) -> Consent:
    """Return the answer about a purpose, and when it was given.

    A no that came after the training is later than anything that was learned, whatever the clocks
    said. So is an answer that the store has lost: it may have been a no.
    """
    answer, time = given.answers.get(purpose, NO_ANSWER)
    number = given.numbers.get(purpose, 0)
    is_lost = given.lost > 0 and number <= given.lost
    return REFUSED if is_lost or (answer == NO and number > learned) else (answer, time)

"""Customer updates from the store: what it says of a customer, in the words of one catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from models.data.catalogue import Catalogue
from models.data.customers import NEVER_ASKED
from models.data.events import Events, order_code
from models.updates.customer import NO_UPDATE, CustomerUpdate, weigh_events
from service.store.events import EventRow
from service.store.store import CustomerRecords

PURPOSES: Final = 3


def build_customer_update(
    records: CustomerRecords, catalogue: Catalogue, *, unasked: int, forgotten: bool
) -> CustomerUpdate:
    """Return the update; products that the catalogue does not know are left out.

    `unasked`: the consent of a customer who was never asked.
    """
    unused = [item for item in catalogue.ids.find_all(records.unused) if item >= 0]
    return CustomerUpdate(
        _build_events(records.rows, catalogue) if records.rows else NO_UPDATE.events,
        consent=_consent_by_purpose(records.consents),
        unasked=unasked,
        unused=np.array(unused, np.int32),
        forgotten=forgotten,
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


def _consent_by_purpose(
    consents: Mapping[int, tuple[int, int]],
) -> tuple[tuple[int, int], ...]:
    return tuple(consents.get(purpose, (NEVER_ASKED, 0)) for purpose in range(PURPOSES))

"""What the store says of a customer, in the words of one catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.data.catalogue import Catalogue
from models.data.customers import NEVER_ASKED
from models.data.events import Events, order_code
from models.updates.customer import NO_UPDATE, CustomerUpdate, event_weights
from service.store.events import EventRow
from service.store.store import CustomerRecords


def since(
    visitor: CustomerRecords, catalogue: Catalogue, *, unasked: int, forgotten: bool
) -> CustomerUpdate:
    """Products that the catalogue does not know are left out. `unasked`: what holds for who was never asked."""
    return CustomerUpdate(
        _events(visitor.rows, catalogue) if visitor.rows else NO_UPDATE.events,
        consent=consent(visitor.consents),
        unasked=unasked,
        unused=np.array(
            [item for item in catalogue.ids.find_all(visitor.unused) if item >= 0], np.int32
        ),
        forgotten=forgotten,
    )


def _events(told: Sequence[EventRow], catalogue: Catalogue) -> Events:
    items = catalogue.ids.find_all([row.product_id for row in told])
    rows = [row for row, item in zip(told, items.tolist(), strict=True) if item >= 0]
    item, kind = items[items >= 0], np.array([row.kind for row in rows], np.uint8)
    quantity, rating = (
        np.array([getattr(row, name) for row in rows], np.float64)  # None becomes NaN
        for name in ("quantity", "rating")
    )
    return Events(
        item,
        np.array([row.time for row in rows], np.int64),
        kind,
        event_weights(item, kind, quantity, rating),
        np.array([order_code(row.order_id) if row.order_id else 0 for row in rows], np.uint32),
    )


def consent(said: Mapping[int, tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """(answer, when) for each purpose."""
    return tuple(said.get(purpose, (NEVER_ASKED, 0)) for purpose in range(3))

"""What the store says of a customer, in the words of one catalogue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from models.catalogue import Catalogue
from models.customers import NEVER_ASKED
from models.events import PURCHASE, RATING, REMOVED, RETURN, Events, order_code
from models.live import Since
from service.store.events import Row
from service.store.store import Visitor

STARS = (3, 2)  # the middle, and how far it is to the ends


def since(visitor: Visitor, catalogue: Catalogue, *, unasked: int, forgotten: bool) -> Since:
    """Products that the catalogue does not know are left out. `unasked`: what holds for who was never asked."""
    items = catalogue.ids.find_all([row.product_id for row in visitor.rows])
    known = [(row, item) for row, item in zip(visitor.rows, items.tolist(), strict=True) if item >= 0]
    rows = [row for row, _ in known]
    return Since(
        Events(
            np.array([item for _, item in known], np.int32),
            np.array([row.time for row in rows], np.int64),
            np.array([row.kind for row in rows], np.uint8),
            np.array(weights(rows), np.float32),
            np.array([order_code(row.order_id) if row.order_id else 0 for row in rows], np.uint32),
        ),
        consent=consent(visitor.consents),
        unasked=unasked,
        unused=np.array([item for item in catalogue.ids.find_all(visitor.unused) if item >= 0], np.int32),
        forgotten=forgotten,
    )


def consent(said: Mapping[int, tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """(answer, when) for each purpose."""
    return tuple(said.get(purpose, (NEVER_ASKED, 0)) for purpose in range(3))


def weights(rows: Sequence[Row]) -> list[float]:
    """As models.events.Events says."""
    bought: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.kind == PURCHASE:
            bought[row.product_id].append(row.quantity or 1.0)
    return [_weight(row, bought[row.product_id]) for row in rows]


def _weight(row: Row, bought: Sequence[float]) -> float:
    if row.kind == RETURN:
        # Of a purchase that the model learned of, the quantity is not known here: all of one came back.
        return -(row.quantity or 1.0) / fmean(bought) if bought else -1.0
    if row.kind == RATING:
        middle, span = STARS
        return ((row.rating or middle) - middle) / span
    return -1.0 if row.kind == REMOVED else 1.0

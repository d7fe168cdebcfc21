"""Deliveries of webhooks: none is taken twice, and none that is older than what was taken.

No row names a customer: orders and products are kept as hashes of their ids.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import delete, insert, select, update

from models.data.events import DAY
from service.store.tables import deliveries
from service.store.writer import Change

KEPT_SECONDS: Final = 30 * DAY  # vendors send again for some days


def take_delivery(change: Change, vendor: str, delivery_id: str, now: int) -> bool:
    """Note a delivery, and return whether it is new. `now`: seconds since 1970."""
    row = {"vendor": vendor, "delivery_id": delivery_id}
    if change.connection.execute(select(deliveries.c.time).filter_by(**row)).first() is not None:
        return False
    change.connection.execute(delete(deliveries).where(deliveries.c.time < now - KEPT_SECONDS))
    change.connection.execute(insert(deliveries).values(**row, time=now))
    return True


def is_newest(change: Change, vendor: str, subject: str, updated: int | None, now: int) -> bool:
    """Note when something was changed at the vendor; return whether nothing newer was taken.

    `subject`: the kind and the id of an order or a product. `updated`: seconds since 1970; None:
    not told, which counts as new.
    """
    if updated is None:
        return True
    name = hashlib.blake2b(subject.encode(), digest_size=16).hexdigest()
    row = {"vendor": f"{vendor} state", "delivery_id": name}
    known = change.connection.execute(select(deliveries.c.updated).filter_by(**row)).scalar()
    if known is None:
        change.connection.execute(insert(deliveries).values(**row, time=now, updated=updated))
    elif known < updated:
        newest = update(deliveries).filter_by(**row).values(time=now, updated=updated)
        change.connection.execute(newest)
    return known is None or known <= updated

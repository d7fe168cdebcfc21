"""Looks at a customer: who has read what is known of one stands in the audit log."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from fastapi import Request

from models.data.events import HOUR
from service.http.authorization import get_caller
from service.routes.request_context import actor_of, read_store, write_store
from service.store.audit import find_look, name_customer, record_look

EVERYONE: Final = "customers"  # the subject of a look at nobody in particular


async def note_look(request: Request, customer_id: str | None) -> None:
    """Note that a key reads what is known of a customer, or of all. Raises StoreUnavailable.

    Customers who read their own data are not noted, nor is a key that reads the same within an
    hour.
    """
    if get_caller(request).is_customer:
        return
    actor, now = actor_of(request), int(time.time())
    if customer_id is None:
        subject = EVERYONE
    else:
        subject = await read_store(request, partial(name_customer, customer_id=customer_id))
    looked = partial(find_look, actor=actor, subject=subject, since=now - HOUR)
    if not await read_store(request, looked):
        await write_store(request, partial(record_look, actor=actor, subject=subject, time=now))

"""Changes that callers make: nothing is acknowledged before it is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from fastapi import Request
from sqlalchemy import Connection

from service.answering.responder import Responder
from service.errors import StoreUnavailable
from service.store.database import WAIT_SECONDS, StoreDownError
from service.store.store import Store
from service.store.writer import Change

T = TypeVar("T")
PATIENCE_SECONDS: Final = 2 * WAIT_SECONDS  # for a turn to write, and for the database


async def durable(request: Request, work: Callable[[Change], T]) -> T:
    """What `work` gives, once a power cut could not take it back. Raises StoreAway."""
    try:
        return await asyncio.wait_for(
            asyncio.wrap_future(store_of(request).write(work)), PATIENCE_SECONDS
        )
    except (StoreDownError, TimeoutError):
        raise StoreUnavailable from None


async def looked_up(request: Request, work: Callable[[Connection], T]) -> T:
    """What `work` finds in the store. Raises StoreAway."""
    try:
        return await asyncio.to_thread(store_of(request).read, work)
    except StoreDownError:
        raise StoreUnavailable from None


def actor_of(request: Request) -> str:
    """Who is calling, for the audit log: the id of the key."""
    caller = getattr(request.state, "caller", None)
    return str(getattr(caller, "key_id", None) or "no key")


def store_of(request: Request) -> Store:
    responder: Responder = request.app.state.responder
    return responder.store

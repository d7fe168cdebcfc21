"""What a route reaches from its request: the responder, the store, and who is calling.

No write of the store is answered before it is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from fastapi import Request
from sqlalchemy import Connection

from service.answering.responder import Responder
from service.errors import StoreUnavailable
from service.shops.shop import Shop
from service.store.database import WAIT_SECONDS, StoreDownError
from service.store.writer import Change

T = TypeVar("T")
WRITE_SECONDS: Final = 2 * WAIT_SECONDS  # for a turn to write, and for the database


def get_shop(request: Request) -> Shop:
    """Return the shop that the middleware has found the request to be about."""
    shop: Shop = request.scope["state"]["shop"]
    return shop


def get_responder(request: Request) -> Responder:
    """Return what answers queries of the request's shop."""
    return get_shop(request).responder


def is_head(request: Request) -> bool:
    """Return whether the caller sent HEAD; the middleware has made it the GET of its address."""
    return "without_body" in request.scope["state"]


async def write_store(request: Request, work: Callable[[Change], T]) -> T:
    """Return what `work` returns, once a power cut could not undo it. Raises StoreUnavailable."""
    written = asyncio.wrap_future(get_responder(request).store.write(work))
    try:
        return await asyncio.wait_for(written, WRITE_SECONDS)
    except (StoreDownError, TimeoutError):
        raise StoreUnavailable from None


async def read_store(request: Request, work: Callable[[Connection], T]) -> T:
    """Return what `work` reads. Raises StoreUnavailable."""
    try:
        return await asyncio.to_thread(get_responder(request).store.read, work)
    except StoreDownError:
        raise StoreUnavailable from None


def actor_of(request: Request) -> str:
    """Return who is calling, for the audit log: the id of the key, or that it is a customer."""
    caller = getattr(request.state, "caller", None)
    if getattr(caller, "is_customer", False):
        return "customer token"
    return str(getattr(caller, "key_id", None) or "no key")

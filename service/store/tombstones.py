"""Tombstones: keyed hashes of ids, which stand for a customer where no id may be kept."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from sqlalchemy import Connection, select

from service.store.tables import secrets

TOMBSTONE_KEY: Final = "tombstones"  # name in the table `secrets`


def read_tombstone_key(connection: Connection) -> bytes:
    query = select(secrets.c.value).where(secrets.c.name == TOMBSTONE_KEY)
    return bytes(connection.execute(query).scalar_one())


def make_tombstone(key: bytes, customer_id: str) -> bytes:
    """Return what is kept of an erased customer.

    It is enough to recognise the id when it comes again, and not enough to tell it.
    """
    return hmac.digest(key, customer_id.encode(), hashlib.sha256)

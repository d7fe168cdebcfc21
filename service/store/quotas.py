"""Quotas: how much a customer or a visit may have stored with a token in a day.

What was stored is counted in the store itself, in the transaction that stores it. So the count
holds over all workers and hosts, and after a restart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, insert, select, update

from models.data.events import DAY
from service.store.tables import quotas
from service.store.tombstones import make_tombstone, read_tombstone_key
from service.store.writer import Change

ROW_BYTES: Final = 200  # of a row beside its texts, with its share of the indexes


@dataclass(frozen=True)
class TokenOwner:
    """A customer, a session, or both, as a token names them."""

    customer_id: str | None
    session_id: str | None

    @property
    def name(self) -> str:
        """Return a text that no other customer or visit has.

        All sessions of a customer have one, so that a second session is no second limit.
        """
        if self.customer_id is not None:
            return json.dumps(["customer", self.customer_id])
        return json.dumps(["session", self.session_id])


@dataclass(frozen=True)
class Quota:
    """What the owner of a token may have stored in a day (UTC)."""

    owner: TokenOwner
    max_lines: int
    max_bytes: int
    now: int  # seconds since 1970

    @property
    def wait_seconds(self) -> int:
        """Return how long it takes until the next day begins."""
        return DAY - self.now % DAY


def spend(change: Change, quota: Quota, lines: int, text_bytes: int) -> bool:
    """Return whether lines with their texts fit into what is left of a quota, and take it then.

    `text_bytes`: of all texts in the lines together, in UTF-8.
    """
    connection = change.connection
    owner = make_tombstone(read_tombstone_key(connection), quota.owner.name)
    today = quota.now // DAY
    spent = connection.execute(
        select(quotas.c.day, quotas.c.lines, quotas.c.bytes).where(quotas.c.owner == owner)
    ).first()
    if spent is not None and spent.day >= today:  # a host whose clock is behind begins no new day
        today = spent.day
        lines, text_bytes = lines + spent.lines, text_bytes + spent.bytes
    size = text_bytes + ROW_BYTES * lines
    if lines > quota.max_lines or size > quota.max_bytes:
        return False
    values = {"day": today, "lines": lines, "bytes": text_bytes}
    if spent is None:
        connection.execute(delete(quotas).where(quotas.c.day < today))
        connection.execute(insert(quotas).values(owner=owner, **values))
    else:
        connection.execute(update(quotas).where(quotas.c.owner == owner).values(**values))
    return True

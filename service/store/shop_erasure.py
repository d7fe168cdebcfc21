"""Erasure of a whole shop: its shop system asks for it, and whoever runs the service does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, text

from service.store.audit import record_change
from service.store.change_counters import SHARED
from service.store.database import lift_time_limits
from service.store.tables import (
    erased,
    keys,
    lost_consents,
    marks,
    metadata,
    position,
    secrets,
    shop_erasures,
    shops,
)
from service.store.writer import Change

# What says nothing of a shop or its customers, and without which more would be allowed than before:
# keys, tombstones of customers who must stay erased where an old file comes back, other shops.
KEPT_TABLES: Final = frozenset({position, marks, secrets, erased, lost_consents, keys, shops})
ERASED_TABLES: Final = tuple(table for table in metadata.sorted_tables if table not in KEPT_TABLES)
ASKED: Final = "shop erasure asked for"
DISMISSED: Final = "shop erasure dismissed"
DONE: Final = "shop erased"


class ErasureWatch:
    """A watch over whether somebody has asked for the erasure of the shop, for /readyz."""

    def __init__(self) -> None:
        self.asked: int | None = None  # seconds since 1970; None: nobody has
        self._followed = -1  # number of the position

    def follow(self, read: Callable[[Callable[[Connection], Any]], Any], number: int) -> None:
        """Look again where the store holds newer changes. `read`: of the store."""
        if number != self._followed:
            self.asked = min(read(read_requests).values(), default=None)
            self._followed = number


def read_requests(connection: Connection) -> dict[str, int]:
    """Return since when each shop is to be erased, in seconds since 1970."""
    query = select(shop_erasures.c.shop, shop_erasures.c.time).order_by(shop_erasures.c.shop)
    return {row.shop: row.time for row in connection.execute(query)}


def request_erasure(change: Change, shop: str, actor: str, time: int) -> bool:
    """Note that a shop is to be erased; return whether nobody has asked for it before."""
    if shop in read_requests(change.connection):
        return False
    change.connection.execute(insert(shop_erasures).values(shop=shop, time=time))
    record_change(change, time=time, actor=actor, action=ASKED, subject=f"shop {shop}")
    return True


def dismiss_requests(change: Change, actor: str, time: int) -> list[str]:
    """Forget that shops are to be erased; return which."""
    shops = list(read_requests(change.connection))
    change.connection.execute(shop_erasures.delete())
    for shop in shops:
        record_change(change, time=time, actor=actor, action=DISMISSED, subject=f"shop {shop}")
    return shops


def count_rows(connection: Connection) -> dict[str, int]:
    """Return the number of rows of each table that holds something of the shop."""
    counts: dict[str, int] = {}
    for table in ERASED_TABLES:
        query = select(func.count()).select_from(table)
        counts[str(table.name)] = connection.execute(query).scalar_one()
    return {name: count for name, count in counts.items() if count}


def erase_shop(change: Change, actor: str, time: int) -> Mapping[str, int]:
    """Delete everything of the shop; return the number of rows by table.

    Cached answers of every host are void from then on. One line of the audit log stays.
    """
    connection = change.connection
    is_postgresql = connection.dialect.name == "postgresql"
    if is_postgresql:
        lift_time_limits(connection)
    counts = count_rows(connection)
    if is_postgresql:  # at once, however many rows, and nothing waits for a vacuum
        names = ", ".join(table.name for table in ERASED_TABLES)
        connection.execute(text(f"TRUNCATE TABLE {names}"))
    else:
        for table in ERASED_TABLES:
            connection.execute(table.delete())
    change.newest = None
    record_change(change, time=time, actor=actor, action=DONE, subject="shop", after=counts)
    for counter in SHARED.values():
        change.touch(counter)
    return counts

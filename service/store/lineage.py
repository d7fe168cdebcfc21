"""Lineage of the store: what tells it from another store, and from an older copy of itself.

Every process that writes leaves a random mark with its first change. A point names a change by its
number and by the mark that it was counted under. A store that holds a point holds every change up
to it. An older copy does not hold the point, not even once it has counted on beyond the number:
whoever wrote to the copy left another mark.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Connection, ScalarSelect, bindparam, insert, select

from models.artifact.files import Manifest
from service.store.tables import marks

MARK_BYTES: Final = 8
NEWEST: Final = 2**63 - 1  # no number is above


def mark_of(name: str) -> ScalarSelect[bytes]:
    """Return the query for the mark under which a number was counted, a parameter of this name."""
    earlier = select(marks.c.mark).where(marks.c.number <= bindparam(name, type_=BigInteger))
    return earlier.order_by(marks.c.number.desc()).limit(1).scalar_subquery()


READ_MARK: Final = select(mark_of("number"))


class Point(NamedTuple):
    """A change of a store, and the mark that it was counted under."""

    number: int
    mark: bytes


def read_mark(connection: Connection, number: int = NEWEST) -> bytes:
    """Return the mark under which a number was counted."""
    return bytes(connection.execute(READ_MARK, {"number": number}).scalar_one())


def holds(connection: Connection, point: Point, newest: int) -> bool:
    """Tell whether a store whose newest change has the number `newest` holds a point."""
    return point.number <= newest and read_mark(connection, point.number) == point.mark


def leave_mark(connection: Connection, number: int) -> bytes:
    """Leave a mark from a number on, and return it."""
    mark = os.urandom(MARK_BYTES)
    connection.execute(insert(marks).values(number=number, mark=mark))
    return mark


def point_of(manifest: Manifest) -> Point:
    """Return the point up to which a model has learned of its store."""
    return Point(manifest.event_position, bytes.fromhex(manifest.event_mark))

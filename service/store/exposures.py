"""Exposures: which slate was delivered to whom and when first, and what each slate showed.

They change no answer, so they take no numbers. Who does not allow to be measured has no id in them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from models.data.customers import MEASURE, NO
from models.data.events import HOUR
from models.data.timestamps import format_timestamp
from service.store.events import find_erased
from service.store.tables import consents, exposures, sessions, shown_slates
from service.store.writer import Change

REPEAT_SECONDS: Final = HOUR // 2  # a slate delivered again within it is the same exposure
SLATE_BYTES: Final = 12
SLATE_SECONDS: Final = 24 * HOUR  # by so much the time of a slate may lie behind its exposures


class Viewer(NamedTuple):
    """The customer, or else the visit, to whom something was delivered; nobody where both lack."""

    customer_id: str | None = None
    session_id: str | None = None


NOBODY: Final = Viewer()


@dataclass(frozen=True)
class Exposure:
    """A slate that was delivered."""

    slate: bytes  # names it: see name_slate
    viewer: Viewer
    time: int  # seconds since 1970


@dataclass(frozen=True)
class ShownSlate:
    """The content of a slate that was delivered."""

    slate: bytes
    recommendation_id: str
    placement: str | None
    campaign: str | None
    strategy: str
    products: str  # JSON: [[product id, source, kind of reason], …] in their order
    time: int  # when it was delivered lately, seconds since 1970


def name_slate(recommendation_id: str) -> bytes:
    """Return the short name of a slate in the table of exposures."""
    return hashlib.blake2b(recommendation_id.encode(), digest_size=SLATE_BYTES).digest()


def record(
    change: Change, delivered: Sequence[Exposure], slates: Sequence[ShownSlate], *, erased: int
) -> int:
    """Write exposures that are no repeats, and their slates; return how many were written.

    Every viewer allows to be measured, as far as is known; who has refused or was erased meanwhile
    is nobody. `erased`: number of the newest erasure that was known.
    """
    connection = change.connection
    measured = _without_refusals(change, delivered, erased)
    first = _without_repeats(connection, measured)
    if slates:
        connection.execute(UPSERTS[connection.dialect.name], [vars(slate) for slate in slates])
    counts = Counter((one.slate, one.viewer, one.time) for one in first)
    rows = [
        {"slate": slate, "time": time, "count": count, **viewer._asdict()}
        for (slate, viewer, time), count in counts.items()
    ]
    if rows:
        connection.execute(insert(exposures), rows)
    return len(first)


def read_owners(connection: Connection, session_ids: Iterable[str]) -> dict[str, str]:
    """Return the customer of each session that somebody logged into."""
    columns = (sessions.c.session_id, sessions.c.customer_id)
    query = select(*columns).where(sessions.c.session_id.in_(set(session_ids)))
    return {row.session_id: row.customer_id for row in connection.execute(query)}


def _without_refusals(
    change: Change, delivered: Sequence[Exposure], erased: int
) -> Iterable[Exposure]:
    """Return the same exposures, without the ids of who must not be measured."""
    customer_ids = {one.viewer.customer_id for one in delivered if one.viewer.customer_id}
    session_ids = {one.viewer.session_id for one in delivered if one.viewer.session_id}
    refused: set[str | None] = set()
    if customer_ids:
        said_no = (consents.c.purpose == MEASURE) & (consents.c.value == NO)
        query = select(consents.c.customer_id).where(
            consents.c.customer_id.in_(customer_ids), said_no
        )
        refused.update(change.connection.execute(query).scalars())
        if change.erased > erased:
            refused.update(find_erased(change.connection, customer_ids))
    # Somebody has just logged in: whether they may be measured was not asked.
    owned = read_owners(change.connection, session_ids) if session_ids else {}
    return [
        replace(one, viewer=NOBODY)
        if one.viewer.customer_id in refused or one.viewer.session_id in owned
        else one
        for one in delivered
    ]


def _without_repeats(connection: Connection, delivered: Iterable[Exposure]) -> list[Exposure]:
    """Return the exposures that none of the half hour before repeats."""
    known = _read_since(connection, delivered)
    first = []
    for one in delivered:
        key = (one.slate, one.viewer)
        if one.viewer != NOBODY:
            if one.time - known.get(key, one.time - REPEAT_SECONDS) < REPEAT_SECONDS:
                continue
            known[key] = one.time
        first.append(one)
    return first


def _read_since(
    connection: Connection, delivered: Iterable[Exposure]
) -> dict[tuple[bytes, Viewer], int]:
    """Return when the viewers were exposed to which slates lately, in seconds since 1970."""
    known: dict[tuple[bytes, Viewer], int] = {}
    for name in Viewer._fields:
        ids = {getattr(one.viewer, name) for one in delivered} - {None}
        if not ids:
            continue
        start = min(one.time for one in delivered) - REPEAT_SECONDS
        query = select(
            exposures.c.slate, exposures.c.customer_id, exposures.c.session_id, exposures.c.time
        ).where(exposures.c[name].in_(ids), exposures.c.time > start)
        for slate, customer_id, session_id, time in connection.execute(query):
            key = (bytes(slate), Viewer(customer_id, session_id))
            known[key] = max(time, known.get(key, 0))
    return known


def take_ids_away(change: Change, customer_id: str) -> None:
    """Leave the exposures of a customer who must not be measured as those of nobody."""
    for condition in _conditions_of(customer_id):
        change.connection.execute(update(exposures).where(condition).values(**NOBODY._asdict()))


def erase(change: Change, customer_id: str) -> int:
    """Delete the exposures of a customer, whose sessions are still there; return how many."""
    deletions = [delete(exposures).where(one) for one in _conditions_of(customer_id)]
    return sum(int(change.connection.execute(deletion).rowcount) for deletion in deletions)


def export(connection: Connection, customer_id: str) -> list[dict[str, Any]]:
    """Return what was delivered to a customer, oldest first."""
    rows: list[Any] = []
    for condition in _conditions_of(customer_id):
        query = select(
            exposures.c.time, shown_slates.c.recommendation_id, shown_slates.c.products
        ).where(condition, exposures.c.slate == shown_slates.c.slate)
        rows += connection.execute(query).all()
    return [
        {
            "time": format_timestamp(time),
            "recommendation_id": recommendation_id,
            "showed": [product_id for product_id, *_ in orjson.loads(products)],
        }
        for time, recommendation_id, products in sorted(rows)
    ]


def _conditions_of(customer_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions of a customer's exposures, and of those in their sessions.

    One by one: PostgreSQL would read every exposure for one or the other.
    """
    own_sessions = select(sessions.c.session_id).where(sessions.c.customer_id == customer_id)
    return exposures.c.customer_id == customer_id, exposures.c.session_id.in_(own_sessions)


def read_viewers(connection: Connection) -> list[str]:
    """Return every customer who has an exposure, also one of their sessions."""
    own = select(exposures.c.customer_id).where(exposures.c.customer_id.isnot(None))
    of_session = select(sessions.c.customer_id).join(
        exposures, exposures.c.session_id == sessions.c.session_id
    )
    return list(connection.execute(own.union(of_session)).scalars())


def forget(change: Change, before: int) -> None:
    """Delete the exposures before a time, and slates that none is of. Seconds since 1970."""
    connection = change.connection
    connection.execute(delete(exposures).where(exposures.c.time < before))
    is_old = shown_slates.c.time < before - SLATE_SECONDS
    connection.execute(delete(shown_slates).where(is_old))


def _upsert(statement: Any) -> Any:
    return statement.on_conflict_do_update(
        index_elements=[shown_slates.c.slate], set_={"time": statement.excluded.time}
    )


UPSERTS: Final = {
    "sqlite": _upsert(sqlite.insert(shown_slates)),
    "postgresql": _upsert(postgresql.insert(shown_slates)),
}

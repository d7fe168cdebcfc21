"""Events on their way into the store, and a customer's events on their way out."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, func, insert, or_, select, union_all

from models.data.events import EXPOSURE, PURCHASE, RATING
from service.store.change_counters import counter_of
from service.store.tables import erased, events, secrets, sessions, unused
from service.store.writer import Change

TOMBSTONE_KEY: Final = "tombstones"  # name of their key in `secrets`


@dataclass(frozen=True)
class EventLine:
    product_id: str
    quantity: float | None = None
    unit_price: float | None = None


@dataclass(frozen=True)
class Event:
    """What a caller reported, understood: one thing that happened, with one line a product."""

    event_id: str
    kind: int  # code in models.events.KINDS
    time: int  # seconds since 1970, UTC
    lines: tuple[EventLine, ...]
    customer_id: str | None = None
    session_id: str | None = None
    order_id: str | None = None
    currency: str | None = None
    market: str | None = None
    placement: str | None = None
    recommendation_id: str | None = None
    rating: float | None = None
    words: str | None = None


class EventRow(NamedTuple):
    """One line of what a customer did, as it comes out of the store."""

    product_id: str
    kind: int
    time: int
    order_id: str | None
    quantity: float | None
    rating: float | None


@dataclass(frozen=True)
class Written:
    """Places in what was given."""

    repeated: frozenset[int]
    of_erased: frozenset[int]  # refused: the customer asked to be forgotten


def write(change: Change, reported: Sequence[Event]) -> Written:
    """All that is neither known nor of an erased customer; a session is linked to whoever logs into it first."""
    connection = change.connection
    known = _known(connection, {event.event_id for event in reported})
    gone = _erased(
        connection, {event.customer_id for event in reported if event.customer_id is not None}
    )
    repeated, refused, kept = set(), set(), []
    for place, event in enumerate(reported):
        if event.customer_id in gone:
            refused.add(place)
        elif event.event_id in known:
            repeated.add(place)
        else:
            known.add(event.event_id)
            kept.append(event)
    if kept:
        _insert(change, kept)
        _link(change, kept)
    return Written(frozenset(repeated), frozenset(refused))


def _known(connection: Connection, event_ids: set[str]) -> set[str]:
    found = connection.execute(
        select(events.c.event_id).where(events.c.event_id.in_(event_ids), events.c.line == 0)
    )
    return set(found.scalars())


def _erased(connection: Connection, customer_ids: set[str]) -> set[str]:
    if not customer_ids:
        return set()
    key = read_tombstone_key(connection)
    hashes = {make_tombstone(key, customer_id): customer_id for customer_id in customer_ids}
    found = connection.execute(
        select(erased.c.customer).where(erased.c.customer.in_(hashes))
    ).scalars()
    return {hashes[bytes(one)] for one in found}


def is_erased(connection: Connection, customer_id: str) -> bool:
    return bool(_erased(connection, {customer_id}))


def _insert(change: Change, kept: Sequence[Event]) -> None:
    rows = []
    for event in kept:
        common = {
            "event_id": event.event_id,
            "kind": event.kind,
            "time": event.time,
            "customer_id": event.customer_id,
            "session_id": event.session_id,
            "order_id": event.order_id,
            "currency": event.currency,
            "market": event.market,
            "placement": event.placement,
            "recommendation_id": event.recommendation_id,
            "rating": event.rating,
            "words": event.words,
        }
        for place, (number, line) in enumerate(
            zip(change.numbers(len(event.lines)), event.lines, strict=True)
        ):
            rows.append(
                {
                    **common,
                    "number": number,
                    "line": place,
                    "product_id": line.product_id,
                    "quantity": line.quantity,
                    "unit_price": line.unit_price,
                }
            )
        named = (
            ("customer", event.customer_id),
            ("session", event.session_id),
            ("order", event.order_id),
        )
        for kind, name in named:
            if name is not None:
                change.touch(counter_of(kind, name))
    change.connection.execute(insert(events), rows)
    newest = max(event.time for event in kept)
    change.newest = newest if change.newest is None else max(change.newest, newest)


def _link(change: Change, kept: Iterable[Event]) -> None:
    """A session belongs to the first who logs in; what is done in it without an id is theirs too."""
    visits = {event.session_id: event.customer_id for event in kept if event.session_id is not None}
    visits |= {
        event.session_id: event.customer_id
        for event in reversed(list(kept))
        if event.session_id is not None and event.customer_id is not None
    }
    if not visits:
        return
    owners = select(sessions.c.session_id, sessions.c.customer_id).where(
        sessions.c.session_id.in_(visits)
    )
    for session_id, customer_id in change.connection.execute(owners):
        del visits[session_id]
        change.touch(counter_of("customer", customer_id))
    logins = {
        session_id: customer_id
        for session_id, customer_id in visits.items()
        if customer_id is not None
    }
    rows = []
    for number, (session_id, customer_id) in zip(
        change.numbers(len(logins)), logins.items(), strict=True
    ):
        rows.append({"session_id": session_id, "customer_id": customer_id, "number": number})
        change.touch(counter_of("customer", customer_id))
        change.touch(counter_of("session", session_id))
    if rows:
        change.connection.execute(insert(sessions), rows)


def read_customer(connection: Connection, customer_id: str, above: int) -> list[EventRow]:
    """Their events with a number above that one, and those of sessions that turned out to be theirs above it."""
    own = _rows(events.c.customer_id == customer_id, events.c.number > above)
    before_login = _rows(
        events.c.customer_id.is_(None), or_(events.c.number > above, sessions.c.number > above)
    ).join(
        sessions,
        and_(sessions.c.session_id == events.c.session_id, sessions.c.customer_id == customer_id),
    )
    found = connection.execute(union_all(own, before_login).order_by("number"))
    return [EventRow(*row) for _, *row in found]


def read_session(connection: Connection, session_id: str) -> list[EventRow]:
    """What was done in it while nobody has logged in; from then on it is the customer's, told under their id alone."""
    login = select(sessions.c.session_id).where(sessions.c.session_id == session_id).exists()
    rows = _rows(events.c.session_id == session_id, events.c.customer_id.is_(None), ~login)
    return [EventRow(*row) for _, *row in connection.execute(rows.order_by("number"))]


def read_order(connection: Connection, order_id: str) -> list[str]:
    """The products of an order."""
    bought = (events.c.order_id == order_id) & (events.c.kind == PURCHASE)
    return list(connection.execute(select(events.c.product_id).where(bought).distinct()).scalars())


class Rating(NamedTuple):
    """A customer's rating of a product."""

    time: int  # seconds since 1970
    stars: float
    words: str | None


def read_ratings(connection: Connection, product_id: str) -> list[Rating]:
    """Return the newest rating of each customer, or of each visit of nobody, newest first."""
    customer = func.coalesce(events.c.customer_id, sessions.c.customer_id)
    columns = (customer, events.c.session_id, events.c.time, events.c.rating, events.c.words)
    # In the words of its index, so that it is used.
    is_rating = (
        (events.c.product_id == product_id)
        & (events.c.kind == RATING)
        & events.c.rating.isnot(None)
    )
    ratings = (
        select(*columns)
        .outerjoin_from(events, sessions, sessions.c.session_id == events.c.session_id)
        .where(is_rating)
        .order_by(events.c.time.desc(), events.c.number.desc())
    )
    newest: dict[tuple[str | None, str | None], Rating] = {}
    for customer_id, session_id, *rating in connection.execute(ratings):
        rater = (customer_id, None if customer_id else session_id)
        newest.setdefault(rater, Rating(*rating))
    return list(newest.values())


class SoldLine(NamedTuple):
    """One line of an order."""

    product_id: str
    market: str | None
    time: int


def read_sold_lines(
    connection: Connection, learned: int, above: int, until: int, after: int
) -> list[SoldLine]:
    """Lines numbered above one and up to the other, bought after a time, each once and none told since `learned`."""
    columns = (
        events.c.customer_id,
        events.c.order_id,
        events.c.product_id,
        events.c.market,
        events.c.time,
    )
    which = (
        events.c.kind == PURCHASE,
        events.c.number > above,
        events.c.number <= until,
        events.c.time > after,
    )
    before = events.alias("before")
    same = [func.coalesce(row.c.customer_id, "") for row in (events, before)]
    told = (
        select(before.c.number)
        .where(before.c.order_id == events.c.order_id, before.c.product_id == events.c.product_id)
        .where(
            before.c.kind == PURCHASE,
            before.c.number > learned,
            before.c.number <= above,
            same[0] == same[1],
        )
        .exists()
    )
    lines = {
        row[:3]: SoldLine(*row[2:])
        for row in connection.execute(select(*columns).where(*which, ~told))
    }
    return list(lines.values())


def read_unused(connection: Connection, customer_id: str) -> list[str]:
    """Products that the customer struck out of their profile."""
    return list(
        connection.execute(
            select(unused.c.product_id).where(unused.c.customer_id == customer_id)
        ).scalars()
    )


def _rows(*conditions: ColumnElement[bool]) -> Select[Any]:
    """As Row, behind its number."""
    columns = (events.c[name] for name in ("number", *EventRow._fields))
    return select(*columns).where(events.c.kind != EXPOSURE, *conditions)


def read_tombstone_key(connection: Connection) -> bytes:
    key: bytes = connection.execute(
        select(secrets.c.value).where(secrets.c.name == TOMBSTONE_KEY)
    ).scalar_one()
    return bytes(key)


def make_tombstone(key: bytes, customer_id: str) -> bytes:
    """What is kept of an erased customer: enough to know the id when it comes again, and not to tell it."""
    return hmac.digest(key, customer_id.encode(), hashlib.sha256)

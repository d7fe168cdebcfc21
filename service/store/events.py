"""Events: how they are written, and how those of a customer, a session or a product are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    func,
    insert,
    literal_column,
    or_,
    select,
    union_all,
)

from models.data.events import DAY, EXPOSURE, ORDER_KINDS, PURCHASE, RATING, Standing
from models.data.shop_time import SalesDay
from models.shop_lists import RatingMean
from service.store.change_counters import RATINGS, counter_of
from service.store.quotas import Quota, TokenOwner, spend
from service.store.tables import IS_SALE, erased, events, sessions, unused
from service.store.tombstones import make_tombstone, read_tombstone_key
from service.store.writer import Change


@dataclass(frozen=True)
class EventLine:
    """A product of an event, with quantity and price where it is an order."""

    product_id: str
    quantity: float | None = None
    unit_price: float | None = None


@dataclass(frozen=True)
class Event:
    """One thing that happened, with one line for each product."""

    event_id: str
    kind: int  # index in models.data.events.KINDS
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
    standing: Standing = Standing.SHOP


class NumberedEvent(NamedTuple):
    """An event, and the number that its first line has in the store."""

    number: int
    event: Event


class EventRow(NamedTuple):
    """One line of an event, as it is read."""

    product_id: str
    kind: int
    time: int
    order_id: str | None
    quantity: float | None
    rating: float | None
    standing: int = Standing.SHOP

    def confirms(self, claim: EventRow) -> bool:
        """Return whether it is the shop's report of what one of the same customer claims.

        It is of the same product, and of the same order or within a day.
        """
        if (self.product_id, self.kind) != (claim.product_id, claim.kind):
            return False
        is_same_order = claim.order_id is not None and self.order_id == claim.order_id
        return is_same_order or abs(self.time - claim.time) <= DAY


@dataclass(frozen=True)
class Written:
    """Hold the events that were not written, by their index among those that were reported."""

    repeated: frozenset[int]  # known already
    of_erased: frozenset[int]  # of customers who asked to be forgotten
    over_quota: bool = False  # nothing was written at all


def write(change: Change, reported: Sequence[Event], quota: Quota | None = None) -> Written:
    """Write the events that are neither known nor of an erased customer, if a quota allows it.

    A session is linked to the first customer who logs into it.
    """
    connection = change.connection
    known_ids = _find_known(connection, {event.event_id for event in reported})
    customer_ids = {event.customer_id for event in reported if event.customer_id is not None}
    erased_ids = find_erased(connection, customer_ids)
    repeated, of_erased = set(), set()
    new_events = []
    for index, event in enumerate(reported):
        if event.customer_id in erased_ids:
            of_erased.add(index)
        elif event.event_id in known_ids:
            repeated.add(index)
        else:
            known_ids.add(event.event_id)
            new_events.append(event)
    if new_events:
        if quota is not None and not spend(change, quota, *_measure(new_events)):
            return Written(frozenset(), frozenset(), over_quota=True)
        _insert(change, new_events)
        _link_sessions(change, new_events)
    return Written(frozenset(repeated), frozenset(of_erased))


def _measure(new_events: Iterable[Event]) -> tuple[int, int]:
    """Return the number of lines, and the bytes of all their texts."""
    lines = text_bytes = 0
    for event in new_events:
        lines += len(event.lines)
        for index in range(len(event.lines)):
            texts = [value for value in _row(event, index, 0).values() if isinstance(value, str)]
            text_bytes += len("".join(texts).encode())
    return lines, text_bytes


def _find_known(connection: Connection, event_ids: set[str]) -> set[str]:
    query = select(events.c.event_id).where(events.c.event_id.in_(event_ids), events.c.line == 0)
    return set(connection.execute(query).scalars())


def happened_after(connection: Connection, event_id: str, time: int) -> bool:
    """Tell whether an event is known and happened after a time, seconds since 1970."""
    is_later = (events.c.event_id == event_id) & (events.c.line == 0) & (events.c.time > time)
    return connection.execute(select(events.c.number).where(is_later)).first() is not None


def find_erased(connection: Connection, customer_ids: Set[str]) -> set[str]:
    """Return those of some customers who were erased."""
    if not customer_ids:
        return set()
    key = read_tombstone_key(connection)
    tombstones = {make_tombstone(key, customer_id): customer_id for customer_id in customer_ids}
    query = select(erased.c.customer).where(erased.c.customer.in_(tombstones))
    return {tombstones[bytes(tombstone)] for tombstone in connection.execute(query).scalars()}


def is_erased(connection: Connection, customer_id: str) -> bool:
    return bool(find_erased(connection, {customer_id}))


def _insert(change: Change, new_events: Sequence[Event]) -> None:
    rows = []
    for event in new_events:
        numbers = change.take_numbers(len(event.lines))
        rows += [_row(event, line_index, number) for line_index, number in enumerate(numbers)]
        for kind, name in (
            ("customer", event.customer_id),
            ("session", event.session_id),
            ("order", event.order_id),
        ):
            if name is not None:
                change.touch(counter_of(kind, name))
        if event.rating is not None:
            change.touch(counter_of(*RATINGS))
    change.connection.execute(insert(events), rows)
    newest = max(event.time for event in new_events)
    change.newest = newest if change.newest is None else max(change.newest, newest)


def _row(event: Event, line_index: int, number: int) -> dict[str, Any]:
    line = event.lines[line_index]
    return {
        "number": number,
        "event_id": event.event_id,
        "line": line_index,
        "kind": event.kind,
        "time": event.time,
        "customer_id": event.customer_id,
        "session_id": event.session_id,
        "product_id": line.product_id,
        "order_id": event.order_id,
        "quantity": line.quantity,
        "unit_price": line.unit_price,
        "currency": event.currency,
        "market": event.market,
        "placement": event.placement,
        "recommendation_id": event.recommendation_id,
        "rating": event.rating,
        "words": event.words,
        "standing": event.standing,
    }


def _link_sessions(change: Change, new_events: Iterable[Event]) -> None:
    """Link each session to the first customer who logs in.

    Events in it without a customer are theirs too.
    """
    logins = _first_logins(new_events)
    if not logins:
        return
    linked = select(sessions.c.session_id, sessions.c.customer_id).where(
        sessions.c.session_id.in_(logins)
    )
    for session_id, customer_id in change.connection.execute(linked):
        del logins[session_id]
        change.touch(counter_of("customer", customer_id))
    rows = []
    for session_id, login in logins.items():
        if login is not None:
            (number,) = change.take_numbers(1)
            rows.append({"session_id": session_id, "customer_id": login, "number": number})
            change.touch(counter_of("customer", login))
            change.touch(counter_of("session", session_id))
    if rows:
        change.connection.execute(insert(sessions), rows)


def _first_logins(new_events: Iterable[Event]) -> dict[str, str | None]:
    """Return each session with the first customer who logs in, None where nobody does."""
    logins: dict[str, str | None] = {}
    for event in new_events:
        session_id = event.session_id
        if session_id is not None and logins.get(session_id) is None:
            logins[session_id] = event.customer_id
    return logins


def read_customer(connection: Connection, customer_id: str, above: int) -> list[EventRow]:
    """Return a customer's events with a number above one, ordered by number.

    Events of a session are among them where the customer logged in above that number.
    """
    own = _rows(events.c.customer_id == customer_id, events.c.number > above)
    before_login = _rows(
        events.c.customer_id.is_(None), or_(events.c.number > above, sessions.c.number > above)
    ).join(
        sessions,
        and_(sessions.c.session_id == events.c.session_id, sessions.c.customer_id == customer_id),
    )
    rows = connection.execute(union_all(own, before_login).order_by("number"))
    return _drop_confirmed([EventRow(*row) for _, *row in rows])


def find_owner(connection: Connection, session_id: str) -> str | None:
    """Return the customer who has logged into a session, None where nobody has."""
    query = select(sessions.c.customer_id).where(sessions.c.session_id == session_id)
    return connection.execute(query).scalar()


def read_session(connection: Connection, session_id: str) -> list[EventRow]:
    """Return what was done in a session that nobody has logged into.

    From a login on, its events are the customer's and read under their id alone.
    """
    rows = _rows(_is_before_login(session_id))
    reported = [EventRow(*row) for _, *row in connection.execute(rows.order_by("number"))]
    return _drop_confirmed(reported)


def _drop_confirmed(rows: list[EventRow]) -> list[EventRow]:
    """Return a customer's rows without the orders they reported where the shop did so too."""
    of_shop: dict[str, list[EventRow]] = {}
    for row in rows:
        if row.standing == Standing.SHOP and row.kind in ORDER_KINDS:
            of_shop.setdefault(row.product_id, []).append(row)

    def is_confirmed(row: EventRow) -> bool:
        if row.standing == Standing.SHOP or row.kind not in ORDER_KINDS:
            return False
        return any(line.confirms(row) for line in of_shop.get(row.product_id, ()))

    return [row for row in rows if not is_confirmed(row)] if of_shop else rows


def read_buyers(
    connection: Connection, order_id: str, owner: TokenOwner | None = None
) -> list[str | None]:
    """Return whose order it is: a customer, or None for a guest.

    Of an order in a visit it is the customer who logged in there. With an owner, only who bought
    what is theirs of it.
    """
    buyer = func.coalesce(events.c.customer_id, sessions.c.customer_id)
    query = (
        select(buyer)
        .outerjoin_from(events, sessions, sessions.c.session_id == events.c.session_id)
        .where(_is_order(order_id, owner), events.c.kind == PURCHASE)
        .distinct()
    )
    return list(connection.execute(query).scalars())


def read_order(connection: Connection, order_id: str, owner: TokenOwner | None = None) -> list[str]:
    """Return the products of an order; with an owner, only what is theirs of it.

    It is an order as the shop reported it, and to its owner also what they reported themselves.
    """
    is_order = _is_order(order_id, owner)
    query = select(events.c.product_id).where(is_order, events.c.kind == PURCHASE).distinct()
    return list(connection.execute(query).scalars())


def _is_before_login(session_id: str) -> ColumnElement[bool]:
    login = select(sessions.c.session_id).where(sessions.c.session_id == session_id).exists()
    return and_(events.c.session_id == session_id, events.c.customer_id.is_(None), ~login)


def _is_order(order_id: str, owner: TokenOwner | None) -> ColumnElement[bool]:
    is_order = events.c.order_id == order_id
    if owner is None:
        return is_order & (events.c.standing == Standing.SHOP)
    is_own = []
    if owner.customer_id is not None:
        logins = select(sessions.c.session_id).where(sessions.c.customer_id == owner.customer_id)
        is_own.append(events.c.customer_id == owner.customer_id)
        is_own.append(events.c.customer_id.is_(None) & events.c.session_id.in_(logins))
    if owner.session_id is not None:
        is_own.append(_is_before_login(owner.session_id))
    return is_order & or_(*is_own)


class Rating(NamedTuple):
    """A customer's rating of a product."""

    time: int  # seconds since 1970
    stars: float
    words: str | None
    number: int  # of its line


def read_ratings(connection: Connection, product_id: str) -> list[Rating]:
    """Return the newest rating of each customer, or of each visit of nobody, newest first."""
    customer = func.coalesce(events.c.customer_id, sessions.c.customer_id)
    rating_columns = (events.c[name] for name in ("time", "rating", "words", "number"))
    # In the words of its index, so that it is used.
    is_rating = (
        (events.c.product_id == product_id)
        & (events.c.kind == RATING)
        & events.c.rating.isnot(None)
    )
    ratings = (
        select(customer, events.c.session_id, *rating_columns)
        .outerjoin_from(events, sessions, sessions.c.session_id == events.c.session_id)
        .where(is_rating)
        .order_by(events.c.time.desc(), events.c.number.desc())
    )
    newest: dict[tuple[str | None, str | None], Rating] = {}
    for customer_id, session_id, *rating in connection.execute(ratings):
        rater = (customer_id, None if customer_id else session_id)
        newest.setdefault(rater, Rating(*rating))
    return list(newest.values())


def summarize_ratings(connection: Connection) -> dict[str, RatingMean]:
    """Return the ratings of every product that has any: the newest of each customer."""
    customer = func.coalesce(events.c.customer_id, sessions.c.customer_id)
    ratings = (
        select(events.c.product_id, customer, events.c.session_id, events.c.rating)
        .outerjoin_from(events, sessions, sessions.c.session_id == events.c.session_id)
        .where(events.c.kind == RATING, events.c.rating.isnot(None))
        .order_by(events.c.time, events.c.number)
    )
    newest: dict[tuple[str, str | None, str | None], float] = {}
    for product_id, customer_id, session_id, stars in connection.execute(ratings):
        newest[product_id, customer_id, None if customer_id else session_id] = stars
    stars_of: dict[str, list[float]] = {}
    for (product_id, _, _), stars in newest.items():
        stars_of.setdefault(product_id, []).append(stars)
    return {
        product_id: RatingMean(len(stars), fmean(stars)) for product_id, stars in stars_of.items()
    }


def read_sales_days(connection: Connection, after: int) -> list[SalesDay]:
    """Return the days on which the shop says that something was bought after a time, sorted."""
    day = events.c.time // DAY
    buyer = func.coalesce(events.c.customer_id, events.c.session_id, events.c.order_id)
    query = (
        select(day, func.count(), func.count(buyer.distinct()), func.max(events.c.time))
        .where(IS_SALE, events.c.time > after)
        .group_by(day)
        .order_by(day)
    )
    return [SalesDay(*row) for row in connection.execute(query)]


class SoldLine(NamedTuple):
    """One line of an order."""

    product_id: str
    market: str | None
    time: int


def read_sold_lines(
    connection: Connection, learned: int, above: int, until: int, after: int
) -> list[SoldLine]:
    """Return lines of orders that were bought after a time, each once.

    Their numbers are above one and up to another. Only the shop's reports count. A line that was
    also reported up to `above` is not among them, nor one that a model has learned up to `learned`
    as its customer reported it.
    """
    columns = (
        events.c.customer_id,
        events.c.order_id,
        events.c.product_id,
        events.c.market,
        events.c.time,
    )
    is_line = (
        events.c.kind == PURCHASE,
        events.c.standing == Standing.SHOP,
        events.c.number > above,
        events.c.number <= until,
        events.c.time > after,
    )
    earlier = events.alias("before")
    customer = func.coalesce(events.c.customer_id, "")
    reported_earlier = (
        select(earlier.c.number)
        .where(earlier.c.order_id == events.c.order_id, earlier.c.product_id == events.c.product_id)
        .where(
            earlier.c.kind == PURCHASE,
            earlier.c.standing == Standing.SHOP,
            earlier.c.number <= above,
            customer == func.coalesce(earlier.c.customer_id, ""),
        )
        .exists()
    )
    is_same_order = earlier.c.order_id == events.c.order_id
    is_same_day = earlier.c.time.between(events.c.time - DAY, events.c.time + DAY)
    claimed_earlier = (
        select(earlier.c.number)
        .where(
            earlier.c.customer_id == events.c.customer_id,
            earlier.c.product_id == events.c.product_id,
            earlier.c.number <= learned,
            # In the words of their index, so that it is used
            earlier.c.kind == literal_column(f"{PURCHASE}"),
            earlier.c.standing == literal_column(f"{Standing.CUSTOMER}"),
            is_same_order | is_same_day,
        )
        .exists()
    )
    lines: dict[tuple[str | None, str | None, str], SoldLine] = {}
    query = select(*columns).where(*is_line, ~reported_earlier, ~claimed_earlier)
    for row in connection.execute(query):
        key = (row.customer_id, row.order_id, row.product_id)
        lines[key] = SoldLine(row.product_id, row.market, row.time)
    return list(lines.values())


def read_unused(connection: Connection, customer_id: str) -> list[str]:
    """Return the products that a customer struck out of their profile."""
    query = select(unused.c.product_id).where(unused.c.customer_id == customer_id)
    return list(connection.execute(query).scalars())


@dataclass(frozen=True)
class EventChoice:
    """A choice of events. A field that is None chooses all."""

    kind: int | None = None  # index in models.data.events.KINDS
    customer_id: str | None = None  # with what they did in visits before they logged in
    session_id: str | None = None
    product_id: str | None = None


def list_newest(
    connection: Connection, choice: EventChoice, limit: int, below: int | None
) -> list[NumberedEvent]:
    """Return the events reported last, newest first, or those numbered below `below`."""
    first = events.alias("first")
    query = select(first.c.number, first.c.event_id).where(first.c.line == 0)
    if below is not None:
        query = query.where(first.c.number < below)
    for condition in _choose(choice, first):
        query = query.where(condition)
    found = connection.execute(query.order_by(first.c.number.desc()).limit(limit))
    newest = {event_id: number for number, event_id in found}
    lines = select(*events.columns).where(events.c.event_id.in_(newest)).order_by(events.c.number)
    rows_of: dict[str, list[Any]] = {event_id: [] for event_id in newest}
    for row in connection.execute(lines):
        rows_of[row.event_id].append(row)
    return [
        NumberedEvent(newest[event_id], _read_event(rows)) for event_id, rows in rows_of.items()
    ]


def list_latest_customers(connection: Connection, lines: int) -> list[tuple[int, str]]:
    """Return who is in the newest lines: the number of the last of each, and their id.

    The newest come first.
    """
    newest = select(events.c.number, events.c.customer_id).order_by(events.c.number.desc())
    line, last = newest.limit(lines).subquery(), func.max
    latest = (
        select(last(line.c.number), line.c.customer_id)
        .where(line.c.customer_id.isnot(None))
        .group_by(line.c.customer_id)
        .order_by(last(line.c.number).desc())
    )
    return [(number, customer_id) for number, customer_id in connection.execute(latest)]


def _choose(choice: EventChoice, first: Any) -> list[ColumnElement[bool]]:
    """Return the conditions of a choice, on the first lines of events."""
    conditions: list[ColumnElement[bool]] = []
    if choice.kind is not None:
        conditions.append(first.c.kind == choice.kind)
    if choice.customer_id is not None:
        logins = select(sessions.c.session_id).where(sessions.c.customer_id == choice.customer_id)
        before_login = first.c.customer_id.is_(None) & first.c.session_id.in_(logins)
        conditions.append((first.c.customer_id == choice.customer_id) | before_login)
    if choice.session_id is not None:
        conditions.append(first.c.session_id == choice.session_id)
    if choice.product_id is not None:
        is_line = (events.c.event_id == first.c.event_id) & (
            events.c.product_id == choice.product_id
        )
        conditions.append(select(events.c.number).where(is_line).exists())
    return conditions


def _read_event(rows: Sequence[Any]) -> Event:
    """Return an event of its lines, which are in their order."""
    lines = tuple(EventLine(row.product_id, row.quantity, row.unit_price) for row in rows)
    names = Event.__dataclass_fields__.keys() - {"lines", "standing"}
    shared = {name: getattr(rows[0], name) for name in names}
    return Event(lines=lines, standing=Standing(rows[0].standing), **shared)


def _rows(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Return a query of event rows, each after its number."""
    columns = (events.c[name] for name in ("number", *EventRow._fields))
    return select(*columns).where(events.c.kind != EXPOSURE, *conditions)

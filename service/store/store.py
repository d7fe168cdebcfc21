"""The store of one process: opened once, read by many threads, written by one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, Connection, FromClause, make_url, select

from service.store import campaigns, consents, events
from service.store.change_counters import FOLLOWED, SHARED, ChangeCounters, counter_of
from service.store.database import (
    SnapshotRead,
    StoreDownError,
    StoreError,
    connect,
    prepare,
    reading,
)
from service.store.tables import metadata
from service.store.writer import READ_POSITION, Change, Position, Writer, read_position

T = TypeVar("T")
EVENTS, SESSIONS, SECRETS, CAMPAIGNS = (
    metadata.tables[name] for name in ("events", "sessions", "secrets", "campaigns")
)
CONCERNED_COLUMNS: Final = (  # whom a row of which table concerns
    *(
        ("customer", metadata.tables[name].c.customer_id)
        for name in ("events", "consents", "unused", "sessions")
    ),
    ("consent", metadata.tables["consents"].c.customer_id),
    *(("session", table.c.session_id) for table in (EVENTS, SESSIONS)),
    ("order", EVENTS.c.order_id),
    ("campaign", CAMPAIGNS.c.campaign_id),
)
MAX_FOLLOWED_CHANGES: Final = 100_000  # changes that are followed one by one


@dataclass(frozen=True)
class CustomerRecords:
    """What the store says of a customer, a session, or both; everything up to the number `stamp` is in it."""

    position: Position
    stamp: int
    rows: list[events.EventRow]
    consents: dict[int, tuple[int, int]]  # purpose -> (YES or NO, when)
    unused: list[str]  # product ids
    order: list[str]  # product ids of the order asked about
    mails: list[campaigns.MailRecord] = field(
        default_factory=list
    )  # what they showed the customer, newest first


class Store:
    """Raises StoreError where it cannot be used as it is, StoreDownError where it does not answer.

    `later`: where it does not answer yet it is opened by `follow`, and is away until then.
    """

    def __init__(
        self, url: str, runtime: Path, connections: int = 4, *, later: bool = False
    ) -> None:
        self._url, self._runtime = url, runtime
        self._engine = connect(url, connections)
        self._now, self._recent = (
            SnapshotRead(self._engine, READ_POSITION),
            SnapshotRead(self._engine, campaigns.MAILS_OF_CUSTOMER),
        )
        self.backend = self._engine.dialect.name
        self.identity = os.urandom(32)  # no store's: what is cached under it is found by nobody
        self.counters = ChangeCounters()
        self._writer: Writer | None = None  # until it is open
        self._why = ""  # it is not
        try:
            self._open()
        except StoreDownError as error:
            if not later or isinstance(error, StoreError):
                raise

    def write(self, work: Callable[[Change], T], *, awaited: bool = True) -> Future[T]:
        """What `work` gives, once it is durable and all workers of this host see it. `awaited`: somebody waits."""
        if self._writer is None:
            away: Future[T] = Future()
            away.set_exception(StoreDownError(self._why))
            return away
        return self._writer.submit(work, awaited=awaited)

    def read(self, work: Callable[[Connection], T]) -> T:
        with self._reading() as connection:
            return work(connection)

    def read_if_unchanged(
        self, customer_id: str | None, session_id: str | None, above: int, *, mailed: bool = False
    ) -> CustomerRecords | None:
        """The same as `visitor` at a fifth of its cost, where nothing above that number concerns them; else None.

        What another host has just changed may not have been followed yet: hence the stamp.
        """
        if self._writer is None:
            raise StoreDownError(self._why)
        named = (("customer", customer_id), ("session", session_id))
        followed = self.counters[FOLLOWED]
        if any(
            name is not None and self.counters[counter_of(kind, name)] > above
            for kind, name in named
        ):
            return None
        if mailed and customer_id is not None:
            now, mails = campaigns.parse_mails(self._recent(customer_id=customer_id))
        else:
            now, mails = Position(*self._now()[0]), []
        return CustomerRecords(now, min(now.number, followed), [], {}, [], [], mails)

    def read_records(
        self,
        customer_id: str | None,
        session_id: str | None,
        above: int,
        order_id: str | None = None,
        *,
        mailed: bool = False,
    ) -> CustomerRecords:
        """What a model that has learned up to the number `above` does not know of them yet. `mailed`: with `mails`."""
        with self._reading() as connection:
            now = read_position(connection)  # first: what is read after it holds all that it counts
            rows: list[events.EventRow] = []
            said: dict[int, tuple[int, int]] = {}
            struck: list[str] = []
            mails: list[campaigns.MailRecord] = []
            if customer_id is not None:
                rows += events.read_customer(connection, customer_id, above)
                said = consents.read(connection, customer_id)
                struck = events.read_unused(connection, customer_id)
                mails = campaigns.read_mails(connection, customer_id) if mailed else []
            if session_id is not None:
                rows += events.read_session(connection, session_id)
            order = events.read_order(connection, order_id) if order_id is not None else []
            return CustomerRecords(now, now.number, rows, said, struck, order, mails)

    def follow(self) -> Position:
        """Raise the slots of what other hosts, or workers that died, have changed."""
        if self._writer is None:
            self._open()
        with self._reading() as connection:
            return _followed(connection, self.counters)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self.counters.close()
        self._engine.dispose()

    def _open(self) -> None:
        try:
            prepare(self._url)
            with reading(self._engine) as connection:
                secret = connection.execute(
                    select(SECRETS.c.value).where(SECRETS.c.name == "store")
                ).scalar_one()
                name = self._named(bytes(secret))
                counters = ChangeCounters(self._runtime / f"revisions-{name}")
                try:
                    _caught_up(connection, counters)
                except BaseException:
                    counters.close()
                    raise
        except StoreDownError as error:
            self._why = str(error)
            raise
        self.identity, self.counters = bytes(secret), counters
        self._writer = Writer(self._engine, counters, self._runtime / f"writing-{name}")

    def _named(self, identity: bytes) -> str:
        """What workers of a host share is found under it: of this database at this address."""
        address = make_url(self._url).render_as_string(hide_password=True).encode()
        return hashlib.sha256(address + identity).hexdigest()[:16]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self._writer is None:
            raise StoreDownError(self._why)
        with reading(self._engine) as connection:
            yield connection


def _caught_up(connection: Connection, counters: ChangeCounters) -> None:
    """After a rest, or with another database, it is not known what has changed."""
    number, seen = read_position(connection).number, counters[FOLLOWED]
    if number < seen or number - seen > MAX_FOLLOWED_CHANGES:
        counters.begin_at(number)
    else:
        _followed(connection, counters)


def _followed(connection: Connection, counters: ChangeCounters) -> Position:
    now = read_position(connection)
    seen = counters[FOLLOWED]
    if now.number > seen:
        shared = [(slot, getattr(now, name)) for name, slot in SHARED.items()]
        counters.raise_to([*shared, *_changes(connection, seen, now.number)], followed=now.number)
    return now


def _changes(connection: Connection, above: int, until: int) -> list[tuple[int, int]]:
    """(slot, number) of the customers and sessions of everything numbered above one and up to the other."""
    found: list[tuple[int, int]] = []
    for kind, column in CONCERNED_COLUMNS:
        names = select(column).where(_between(column.table, above, until)).distinct()
        found += [
            (counter_of(kind, name), until)
            for name in connection.execute(names).scalars()
            if name is not None
        ]
    owners = (
        select(SESSIONS.c.customer_id)
        .join(EVENTS, EVENTS.c.session_id == SESSIONS.c.session_id)
        .where(_between(EVENTS, above, until))
        .distinct()
    )
    return [
        *found,
        *((counter_of("customer", name), until) for name in connection.execute(owners).scalars()),
    ]


def _between(table: FromClause, above: int, until: int) -> ColumnElement[bool]:
    return (table.c.number > above) & (table.c.number <= until)

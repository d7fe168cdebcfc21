"""The store as a process uses it: reads, writes, and the counters of what has changed."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, Connection, FromClause, make_url, select

from service.store import campaigns, consents, events, tables
from service.store.change_counters import FOLLOWED, SHARED, ChangeCounters, counter_of
from service.store.consents import Consent
from service.store.database import (
    SnapshotRead,
    StoreBrokenError,
    StoreDownError,
    StoreError,
    connect,
    prepare,
    probe_writing,
    reading,
)
from service.store.quotas import TokenOwner
from service.store.writer import READ_POSITION, Change, Position, Writer, read_position

T = TypeVar("T")
log: Final = logging.getLogger("regulars.store")
# The columns that name whom a row concerns, and the kind of the counter.
CONCERNED_COLUMNS: Final = (
    ("customer", tables.events.c.customer_id),
    ("customer", tables.consents.c.customer_id),
    ("customer", tables.unused.c.customer_id),
    ("customer", tables.used_again.c.customer_id),
    ("customer", tables.sessions.c.customer_id),
    ("consent", tables.consents.c.customer_id),
    ("session", tables.events.c.session_id),
    ("session", tables.sessions.c.session_id),
    ("order", tables.events.c.order_id),
    ("campaign", tables.campaigns.c.campaign_id),
)
MAX_FOLLOWED_CHANGES: Final = 100_000  # with more of them every counter is raised


@dataclass(frozen=True)
class CustomerRecords:
    """Hold what the store knows of a customer, a session, or both, up to the number `stamp`."""

    position: Position
    stamp: int
    rows: list[events.EventRow]
    consents: dict[int, Consent]  # by purpose
    unused: list[str]  # product ids
    order: list[str]  # product ids of the order that was asked about
    mails: list[campaigns.MailRecord] = field(default_factory=list)  # newest first
    # What each customer who bought the order answered, by purpose; None: a guest. Read where the
    # order alone was asked about.
    buyers: dict[str | None, dict[int, Consent]] = field(default_factory=dict)


class Store:
    """A store of one process: opened once, read by many threads, written by one.

    Raises StoreError where it cannot be used as it is, StoreDownError where it does not answer.
    `later`: a store that does not answer yet is opened by `follow`, and is down until then.
    """

    def __init__(
        self, url: str, runtime: Path, connections: int = 4, *, later: bool = False
    ) -> None:
        self._url, self._runtime = url, runtime
        self._engine = connect(url, connections)
        self._read_position = SnapshotRead(self._engine, READ_POSITION)
        self._read_mails = SnapshotRead(self._engine, campaigns.MAILS_OF_CUSTOMER)
        self.backend = self._engine.dialect.name
        self.identity = os.urandom(32)  # until it is open: nobody finds what is cached under it
        self.counters = ChangeCounters()
        self._writer: Writer | None = None  # until it is open
        self._down_reason = ""
        self._fault: StoreBrokenError | None = None  # of the last look
        self._logged_fault = ""
        try:
            self._open()
        except StoreDownError as error:
            if not later or isinstance(error, StoreError):
                raise

    def write(self, work: Callable[[Change], T], *, awaited: bool = True) -> Future[T]:
        """Return a future of what `work` returns: see `Writer.submit`."""
        if self._writer is None:
            down: Future[T] = Future()
            down.set_exception(StoreDownError(self._down_reason))
            return down
        return self._writer.submit(work, awaited=awaited)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` reads in one transaction. Raises StoreDownError."""
        with self._reading() as connection:
            return work(connection)

    def read_if_unchanged(
        self, customer_id: str | None, session_id: str | None, above: int, *, mailed: bool = False
    ) -> CustomerRecords | None:
        """Return what `read_records` would at five times the cost, or None where it has news.

        It has where a change above that number concerns the customer or the session. A change
        that another host has just made may not have been followed yet: hence the stamp.
        """
        if self._writer is None:
            raise StoreDownError(self._down_reason)
        followed = self.counters[FOLLOWED]
        if self._is_above("customer", customer_id, above):
            return None
        if self._is_above("session", session_id, above):
            return None
        mails: list[campaigns.MailRecord] = []
        if mailed and customer_id is not None:
            position, mails = campaigns.parse_mails(self._read_mails(customer_id=customer_id))
        else:
            position = Position(*self._read_position()[0])
        return CustomerRecords(position, min(position.number, followed), [], {}, [], [], mails)

    def read_records(
        self,
        customer_id: str | None,
        session_id: str | None,
        above: int,
        order_id: str | None = None,
        *,
        order_owner: TokenOwner | None = None,
        mailed: bool = False,
    ) -> CustomerRecords:
        """Return what a model that has learned up to the number `above` does not know of them yet.

        `order_owner`: whose the order must be, None for anybody's. `mailed`: with what mails showed
        the customer.
        """
        with self._reading() as connection:
            # First: what is read after it holds all that it counts.
            position = read_position(connection)
            records = CustomerRecords(position, position.number, [], {}, [], [])
            if customer_id is not None:
                records.rows.extend(events.read_customer(connection, customer_id, above))
                records.consents.update(consents.read(connection, customer_id))
                records.unused.extend(events.read_unused(connection, customer_id))
                if mailed:
                    records.mails.extend(campaigns.read_mails(connection, customer_id))
            if session_id is not None:
                records.rows.extend(events.read_session(connection, session_id))
            if order_id is not None:
                order = events.read_order(connection, order_id, order_owner)
                records.order.extend(order)
            if order_id is not None and customer_id is None:
                for buyer in events.read_buyers(connection, order_id, order_owner):
                    answers = consents.read(connection, buyer) if buyer is not None else {}
                    records.buyers[buyer] = answers
            return records

    def follow(self) -> Position:
        """Raise the counters of what other hosts, or workers that died, have changed."""
        try:
            if self._writer is None:
                self._open()
            with self._reading() as connection:
                position = _follow(connection, self.counters)
            self._fault = None
        except StoreBrokenError as error:
            self._fault = error
            raise
        finally:
            self._log_fault()
        if self._writer:
            self._writer.clear_log()
        if self._writer and self._writer.fault:
            self._writer.submit(lambda change: probe_writing(change.connection))
        return position

    @property
    def fault(self) -> str | None:
        """Return why the store does not work until somebody mends it, None where it may."""
        fault = self._find_fault()
        return fault.cause if fault else None

    def _find_fault(self) -> StoreBrokenError | None:
        return self._fault or (self._writer.fault if self._writer else None)

    def _log_fault(self) -> None:
        """Log once that the store is broken, and once that it was mended."""
        fault = self._find_fault()
        message = str(fault) if fault else ""
        if message and message != self._logged_fault:
            log.error("%s", message)
        elif self._logged_fault and not message:
            log.info("the store was mended")
        self._logged_fault = message

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self.counters.close()
        self._engine.dispose()

    def _open(self) -> None:
        try:
            prepare(self._url)
            with reading(self._engine) as connection:
                identity = _read_identity(connection)
                counters, turn = self._open_shared(self._shared_name(identity))
                try:
                    _catch_up(connection, counters)
                except BaseException:
                    counters.close()
                    raise
        except StoreDownError as error:
            self._down_reason = str(error)
            self._fault = error if isinstance(error, StoreBrokenError) else None
            raise
        self.identity, self.counters = identity, counters
        self._writer = Writer(self._engine, counters, turn)

    def _open_shared(self, name: str) -> tuple[ChangeCounters, Path | None]:
        """Return the counters and the file of turns that the processes of this host share.

        Without room for them this process has counters of its own, like a host of its own.
        """
        turn = self._runtime / f"writing-{name}"
        try:
            counters = ChangeCounters(self._runtime / f"revisions-{name}")
            turn.touch()
        except OSError as error:
            log.warning(
                "no room for what workers share in %s (%s): this one follows their changes "
                "like those of another host",
                self._runtime,
                error.strerror,
            )
            return ChangeCounters(), None
        return counters, turn

    def _shared_name(self, identity: bytes) -> str:
        """Return the name under which workers of a host share files about this database."""
        address = make_url(self._url).render_as_string(hide_password=True).encode()
        return hashlib.sha256(address + identity).hexdigest()[:16]

    def _is_above(self, kind: str, name: str | None, number: int) -> bool:
        return name is not None and self.counters[counter_of(kind, name)] > number

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self._writer is None:
            raise StoreDownError(self._down_reason)
        with reading(self._engine) as connection:
            yield connection


def _read_identity(connection: Connection) -> bytes:
    query = select(tables.secrets.c.value).where(tables.secrets.c.name == "store")
    return bytes(connection.execute(query).scalar_one())


def _catch_up(connection: Connection, counters: ChangeCounters) -> None:
    """Follow the changes, or begin anew after a rest or with another database."""
    number, followed = read_position(connection).number, counters[FOLLOWED]
    if number < followed or number - followed > MAX_FOLLOWED_CHANGES:
        counters.begin_at(number)
    else:
        _follow(connection, counters)


def _follow(connection: Connection, counters: ChangeCounters) -> Position:
    position = read_position(connection)
    followed = counters[FOLLOWED]
    if position.number > followed:
        shared = [(counter, getattr(position, name)) for name, counter in SHARED.items()]
        changed = _changed_counters(connection, followed, position.number)
        changes = [(counter, position.number) for counter in changed]
        counters.raise_to([*shared, *changes], followed=position.number)
    return position


def _changed_counters(connection: Connection, above: int, until: int) -> Iterator[int]:
    """Yield the counters of whom rows numbered above one and up to the other number concern."""
    for kind, column in CONCERNED_COLUMNS:
        query = select(column).where(_between(column.table, above, until)).distinct()
        for name in connection.execute(query).scalars():
            if name is not None:
                yield counter_of(kind, name)
    # An event of a session concerns the customer who logged into it.
    owners = (
        select(tables.sessions.c.customer_id)
        .join(tables.events, tables.events.c.session_id == tables.sessions.c.session_id)
        .where(_between(tables.events, above, until))
        .distinct()
    )
    for customer_id in connection.execute(owners).scalars():
        yield counter_of("customer", customer_id)


def _between(table: FromClause, above: int, until: int) -> ColumnElement[bool]:
    return (table.c.number > above) & (table.c.number <= until)

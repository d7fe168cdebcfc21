"""The store as a process uses it: reads, writes, and the counters of what has changed."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Connection, FromClause, make_url, select

from models.artifact.files import Manifest
from service.store import campaigns, consents, events, lineage, preferences, tables
from service.store.change_counters import (
    ASSORTMENT,
    BEGUN,
    FOLLOWED,
    NO_MARK,
    RATINGS,
    SHARED,
    ChangeCounters,
    counter_of,
    lost_consent_of,
)
from service.store.consents import ConsentRecords
from service.store.database import (
    WAIT_SECONDS,
    SnapshotRead,
    StoreBrokenError,
    StoreDownError,
    StoreError,
    check_schema,
    connect,
    prepare,
    probe_writing,
    reading,
    store_path,
)
from service.store.lineage import Point
from service.store.preferences import Said
from service.store.quotas import TokenOwner
from service.store.refusal_journal import RefusalJournal, journal_name, read_identity
from service.store.replay import is_behind, read_lost, replay
from service.store.store_file import StoreFile
from service.store.writer import (
    POSITION_COLUMNS,
    READ_LINEAGE,
    Change,
    KeptRefusals,
    Position,
    Writer,
    read_consent_counters,
    read_lost_counters,
    read_position,
)

T = TypeVar("T")
log: Final = logging.getLogger("regulars.store")
# The columns that name whom a row concerns, and the kind of the counter.
CONCERNED_COLUMNS: Final = (
    ("customer", tables.events.c.customer_id),
    ("customer", tables.consents.c.customer_id),
    ("customer", tables.unused.c.customer_id),
    ("customer", tables.used_again.c.customer_id),
    ("customer", tables.preferences.c.customer_id),
    ("customer", tables.sessions.c.customer_id),
    ("session", tables.events.c.session_id),
    ("session", tables.sessions.c.session_id),
    ("order", tables.events.c.order_id),
    ("campaign", tables.campaigns.c.campaign_id),
)
MAX_FOLLOWED_CHANGES: Final = 100_000  # with more of them every counter is raised


@dataclass(frozen=True)
class CustomerWords:
    """Hold what a customer has answered and said of themselves."""

    consents: ConsentRecords = field(default_factory=ConsentRecords)
    preferences: Said | None = None  # None: never anything


@dataclass(frozen=True)
class CustomerRecords:
    """Hold what the store knows of a customer, a session, or both, up to the number `stamp`."""

    position: Position
    stamp: int
    rows: list[events.EventRow]
    words: CustomerWords
    unused: list[str]  # product ids
    order: list[str]  # product ids of the order that was asked about
    mails: list[campaigns.MailRecord] = field(default_factory=list)  # newest first
    # Words of each customer who bought the order; None: a guest. Read where the order alone was
    # asked about.
    buyers: dict[str | None, CustomerWords] = field(default_factory=dict)
    learned: int = 0  # number up to which the model has learned
    session_owner: str | None = None  # the customer who has logged into the session


class Store:
    """A store of one process: opened once, read by many threads, written by one.

    Raises StoreError where it cannot be used as it is, StoreDownError where it does not answer.
    `later`: a store that does not answer yet is opened by `follow`, and is down until then.
    """

    def __init__(
        self,
        url: str,
        runtime: Path,
        connections: int = 4,
        *,
        later: bool = False,
        refusals: Path | None = None,
    ) -> None:
        """Open a store. `refusals`: the directory of the journals of refusals, None for none."""
        self._url, self._runtime = url, runtime
        self._journals = refusals
        self.unreadable_journal: str | None = None  # why it could not be looked at
        self._engine = connect(url, connections)
        self._read_lineage = SnapshotRead(self._engine, READ_LINEAGE)
        self._read_mails = SnapshotRead(self._engine, campaigns.MAILS_OF_CUSTOMER)
        self.backend = self._engine.dialect.name
        self.identity = os.urandom(32)  # until it is open: nobody finds what is cached under it
        self.counters = ChangeCounters()
        self._writer: Writer | None = None  # until it is open
        self._file: StoreFile | None = None  # of SQLite
        self._learned: dict[tuple[Point, int], int] = {}  # by point of a model and BEGUN
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
        seen, followed = Point(*self.counters.seen), self.counters[FOLLOWED]
        if self._is_above("customer", customer_id, above):
            return None
        if customer_id is not None and self.counters[lost_consent_of(customer_id)]:
            return None
        if self._is_above("session", session_id, above):
            return None
        mails: list[campaigns.MailRecord] = []
        if mailed and customer_id is not None:
            rows = self._read_mails(customer_id=customer_id, seen=seen.number)
            mails = campaigns.parse_mails(rows)
        else:
            rows = self._read_lineage(seen=seen.number)
        position = _require_held(rows[0], seen)
        stamp = min(position.number, followed)
        return CustomerRecords(position, stamp, [], CustomerWords(), [], [], mails, learned=above)

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
        seen = Point(*self.counters.seen)
        with self._reading() as connection:
            # First: what is read after it holds all that it counts.
            row = connection.execute(READ_LINEAGE, {"seen": seen.number}).one()
            position = _require_held(row, seen)
            words = self._read_words(connection, customer_id)
            owner = None if session_id is None else events.find_owner(connection, session_id)
            records = CustomerRecords(
                position,
                position.number,
                [],
                words,
                [],
                [],
                learned=above,
                session_owner=owner,
            )
            if customer_id is not None:
                records.rows.extend(events.read_customer(connection, customer_id, above))
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
                    records.buyers[buyer] = self._read_words(connection, buyer)
            return records

    def read_words(self, customer_id: str, above: int) -> CustomerRecords:
        """Return what a customer has answered and said, and nothing else of them.

        `above`: the number up to which a model has learned.
        """
        seen = Point(*self.counters.seen)
        with self._reading() as connection:
            row = connection.execute(READ_LINEAGE, {"seen": seen.number}).one()
            position = _require_held(row, seen)
            words = self._read_words(connection, customer_id)
        return CustomerRecords(position, position.number, [], words, [], [], learned=above)

    def _read_words(self, connection: Connection, customer_id: str | None) -> CustomerWords:
        if customer_id is None:
            return CustomerWords()
        lost = self.counters[lost_consent_of(customer_id)]
        given = consents.read_numbered(connection, customer_id, lost)
        return CustomerWords(given, preferences.read(connection, customer_id))

    def learned_number(self, manifest: Manifest) -> int:
        """Return the number up to which a model has learned from this store; 0 for nothing.

        It is 0 of a model that has learned from another store, or from changes that this one does
        not hold: then everything in it is new. Raises StoreDownError.
        """
        point, begun = lineage.point_of(manifest), self.counters[BEGUN]
        if point.number == 0:
            return 0
        learned = self._learned.get((point, begun))
        if learned is None:
            with self._reading() as connection:
                newest = read_position(connection).number
                learned = point.number if lineage.holds(connection, point, newest) else 0
            self._learned[point, begun] = learned
            if problem := self.lineage_problem(manifest):
                log.error("model %s: %s", manifest.version, problem)
        return learned

    def lineage_problem(self, manifest: Manifest) -> str | None:
        """Return why a model's position is none of this store, as far as this process knows."""
        point = lineage.point_of(manifest)
        if self._learned.get((point, self.counters[BEGUN])) != 0:
            return None
        if not manifest.event_mark:
            return "the model was trained before stores had marks, and all in the store counts"
        return (
            f"the model has learned up to the change {point.number} of a store, which this store "
            "does not hold: it is another one or an older copy. All in the store counts, and "
            "train again with it"
        )

    def may_have_answered(self, customer_id: str, manifest: Manifest) -> bool:
        """Tell, without the database, whether a customer may have answered since a model learned.

        They may have been erased, too.
        """
        if self.counters[lost_consent_of(customer_id)]:
            return True
        learned = self._learned.get((lineage.point_of(manifest), self.counters[BEGUN]), 0)
        return self.counters[counter_of("consent", customer_id)] > learned

    def has_news(self, customer_id: str, manifest: Manifest) -> bool:
        """Tell, without the database, whether anything may concern a customer since a model."""
        learned = self._learned.get((lineage.point_of(manifest), self.counters[BEGUN]), 0)
        return self._is_above("customer", customer_id, learned)

    def follow(self) -> Position:
        """Raise the counters of what other hosts, or workers that died, have changed."""
        try:
            if self._writer is None:
                self._open()
            position = self._follow()
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

    def _follow(self) -> Position:
        assert self._writer is not None  # noqa: S101  # it is open
        if self._file is not None:
            try:
                self._file.check()
            except StoreBrokenError:
                if not self._file.is_another():
                    raise  # gone, or damaged: opening a damaged one would go on without its journal
                self._file = self._writer.file = self._open_file_again(self._file)
        seen = Point(*self.counters.point)
        with self._reading() as connection:
            newest = read_position(connection).number
            if lineage.holds(connection, seen, newest):
                return _follow(connection, self.counters)
        self._begin_again()
        with self._reading() as connection:
            return _follow(connection, self.counters)

    def _begin_again(self) -> None:
        """Have the writer find out that the store went back. Raises StoreDownError."""
        assert self._writer is not None  # noqa: S101  # it is open
        try:
            self._writer.submit(lambda _: None).result(WAIT_SECONDS)
        except TimeoutError:
            raise StoreDownError("slow") from None

    def _open_file_again(self, before: StoreFile) -> StoreFile | None:
        """Go on with the file that is at the path now. Raises StoreDownError without one."""
        self._engine.dispose()  # its connections lead to the file that was there before
        check_schema(self._engine)
        with self._opening_file() as file, reading(self._engine) as connection:
            self.identity = read_identity(connection)
        before.close()
        log.warning("the store's file was replaced: the one at its path is used from now on")
        return file

    @contextmanager
    def _opening_file(self) -> Iterator[StoreFile | None]:
        """Open the file of SQLite, in which something has to be read meanwhile."""
        path = store_path(self._engine)
        if path is None:
            yield None
            return
        file = StoreFile(path)
        try:
            yield file
            file.watch_journal()
            file.check()  # so it is the one that the connections lead to
        except BaseException:
            self._engine.dispose()
            file.close()
            raise

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
        if self._file is not None:
            self._file.close()

    def prune_journal(self, before: int) -> None:
        """Remove what is in the journal of refusals since before a time. Raises OSError."""
        if self._journals is not None:
            RefusalJournal(self._journals / journal_name(self.identity)).prune(before)

    @property
    def journal_fault(self) -> str | None:
        """Return why refusals are not kept in the journal, None where they are."""
        return (self._writer.journal_fault if self._writer else None) or self.unreadable_journal

    def forget_shared(self) -> None:
        """Remove what the processes of this host share about a database that was erased."""
        if self._journals is not None:
            (self._journals / journal_name(self.identity)).unlink(missing_ok=True)
        name = self._shared_name()
        for path in (self._runtime / f"changes-{name}", self._runtime / f"writing-{name}"):
            path.unlink(missing_ok=True)

    def _open(self) -> None:
        try:
            prepare(self._url)
            with self._opening_file() as file, reading(self._engine) as connection:
                identity = read_identity(connection)
                has_lost = self._look_at_journal(connection)
                counters, turn = self._open_shared(self._shared_name())
                try:
                    went_back = not _catch_up(connection, counters)
                except BaseException:
                    counters.close()
                    raise
        except StoreDownError as error:
            self._down_reason = str(error)
            self._fault = error if isinstance(error, StoreBrokenError) else None
            raise
        self.identity, self.counters, self._file = identity, counters, file
        refusals = None
        if self._journals is not None:
            refusals = KeptRefusals(self._journals, partial(_replay_lost, self._journals))
        self._writer = Writer(self._engine, counters, turn, file, refusals)
        if went_back:
            self._begin_again()
        elif has_lost and refusals is not None:
            self._writer.submit(refusals.replay).result()

    def _look_at_journal(self, connection: Connection) -> bool:
        """Begin the journal where there is none; tell whether the store has lost refusals."""
        if self._journals is None:
            return False
        try:
            number = read_position(connection).number
            point = Point(number, lineage.read_mark(connection, number))
            RefusalJournal.of(connection, self._journals).begin(point, int(time.time()))
            return is_behind(connection, self._journals)
        except OSError as error:
            self.unreadable_journal = f"{error.filename}: {error.strerror}"
            log.error("no journal of refusals is kept: %s", self.unreadable_journal)
            return False

    def _open_shared(self, name: str) -> tuple[ChangeCounters, Path | None]:
        """Return the counters and the file of turns that the processes of this host share.

        Without room for them this process has counters of its own, like a host of its own.
        """
        turn = self._runtime / f"writing-{name}"
        try:
            counters = ChangeCounters(self._runtime / f"changes-{name}")
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

    def _shared_name(self) -> str:
        """Return the name under which workers of a host share files about this database."""
        address = make_url(self._url)
        if path := store_path(self._engine):
            address = address.set(database=str(path.resolve()))
        text = address.render_as_string(hide_password=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _is_above(self, kind: str, name: str | None, number: int) -> bool:
        return name is not None and self.counters[counter_of(kind, name)] > number

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self._writer is None:
            raise StoreDownError(self._down_reason)
        with reading(self._engine) as connection:
            yield connection


def _replay_lost(directory: Path, change: Change) -> None:
    """Have refusals hold that the store has lost."""
    try:
        journal = RefusalJournal.of(change.connection, directory)
        lost = read_lost(change.connection, [journal])
    except OSError as error:
        log.error("what was refused may be lost: %s: %s", error.filename, error.strerror)
        return
    replay(change, lost)


def _require_held(row: Sequence[Any], seen: Point) -> Position:
    """Return the position in a row of READ_LINEAGE.

    Raises StoreDownError where the store does not hold the point `seen`, known before it was read.
    Another host may have gone on with an older copy already, and beyond the number.
    """
    position, mark = Position(*row[: len(POSITION_COLUMNS)]), row[len(POSITION_COLUMNS)]
    if position.number < seen.number or bytes(mark) != seen.mark:
        raise StoreDownError(f"it does not hold the change {seen.number}, which was seen")
    return position


def _catch_up(connection: Connection, counters: ChangeCounters) -> bool:
    """Follow the changes, or begin at them, at first and after a rest.

    Return False where the store does not hold what was seen: the writer begins again.
    """
    seen, number = Point(*counters.point), read_position(connection).number
    is_first = seen.mark == NO_MARK
    if not is_first and not lineage.holds(connection, seen, number):
        return False
    if is_first or number - counters[FOLLOWED] > MAX_FOLLOWED_CHANGES:
        mark = lineage.read_mark(connection, number)
        counters.begin_at(number, mark, read_consent_counters(connection))
        counters.raise_to(read_lost_counters(connection).items())
    else:
        _follow(connection, counters)
    return True


def _follow(connection: Connection, counters: ChangeCounters) -> Position:
    position = read_position(connection)
    followed = counters[FOLLOWED]
    if position.number > followed:
        shared = [(counter, getattr(position, name)) for name, counter in SHARED.items()]
        changes = _changed_counters(connection, followed, position.number)
        products = _changed_products(connection, counters, followed, position.number)
        counters.raise_to([*shared, *changes, *products], followed=position.number)
        counters.reach(position.number, lineage.read_mark(connection, position.number))
    return position


def _changed_counters(connection: Connection, above: int, until: int) -> Iterator[tuple[int, int]]:
    """Yield counters and numbers of whom rows numbered above one and up to another concern."""
    for kind, column in CONCERNED_COLUMNS:
        query = select(column).where(_between(column.table, above, until)).distinct()
        for name in connection.execute(query).scalars():
            if name is not None:
                yield counter_of(kind, name), until
    yield from read_consent_counters(connection, above, until).items()
    yield from read_lost_counters(connection, above).items()
    rated = select(tables.events.c.number).where(
        _between(tables.events, above, until), tables.events.c.rating.isnot(None)
    )
    if connection.execute(rated.limit(1)).first() is not None:
        yield counter_of(*RATINGS), until
    # An event of a session concerns the customer who logged into it.
    owners = (
        select(tables.sessions.c.customer_id)
        .join(tables.events, tables.events.c.session_id == tables.sessions.c.session_id)
        .where(_between(tables.events, above, until))
        .distinct()
    )
    for customer_id in connection.execute(owners).scalars():
        yield counter_of("customer", customer_id), until


def _changed_products(
    connection: Connection, counters: ChangeCounters, above: int, until: int
) -> Iterator[tuple[int, int]]:
    """Yield counters and numbers of what another host has changed of products.

    A counter that holds the very number of a row was raised by the change itself, on this host,
    with all others that it concerns. How a product was before is not known on another one.
    """
    table = tables.products
    query = select(table.c.product_id, table.c.number).where(_between(table, above, until))
    for product_id, number in connection.execute(query):
        counter = counter_of("product", product_id)
        if counters[counter] != number:
            yield counter, until
            yield counter_of(*ASSORTMENT), until


def _between(table: FromClause, above: int, until: int) -> ColumnElement[bool]:
    return (table.c.number > above) & (table.c.number <= until)

"""Writer of a process: one thread, which commits waiting jobs together.

Nobody is answered before the commit returned.
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, func, insert, select, update

from models.artifact.locks import lock
from service.store import lineage
from service.store.change_counters import (
    ERASED,
    FIRST_CONSENT,
    FIRST_LOST,
    FOLLOWED,
    SHARED,
    ChangeCounters,
    counter_of,
)
from service.store.database import StoreBrokenError, StoreDownError, truncate_log, writing
from service.store.lineage import Point
from service.store.refusal_journal import Refusal, RefusalJournal
from service.store.store_file import StoreFile
from service.store.tables import consents, erased, lost_consents, position

T = TypeVar("T")
log: Final = logging.getLogger("regulars.store")
MAX_JOBS_IN_COMMIT: Final = 64
MAX_WAITING_JOBS: Final = 512  # with more the store is busy
COLLECT_SECONDS: Final = 0.05  # how long jobs that nobody waits for are collected


@dataclass(frozen=True)
class Position:
    """A position of the store: every change numbered up to `number` is in it."""

    number: int
    newest: int | None  # time of the newest event, seconds since 1970
    # Number of the newest change of each of these
    catalogue: int
    rules: int
    keys: int
    erased: int


# A statement that is built once costs a third less each time, and every answer begins with this.
POSITION_COLUMNS: Final = tuple(position.c[name] for name in Position.__dataclass_fields__)
READ_POSITION: Final = select(*POSITION_COLUMNS).where(position.c.id == 1)
LOCK_POSITION: Final = READ_POSITION.with_for_update()
# With the mark of the number `seen`, of which the reader knows the mark that it had
READ_LINEAGE: Final = select(*POSITION_COLUMNS, lineage.mark_of("seen")).where(position.c.id == 1)


def read_position(connection: Connection, *, for_update: bool = False) -> Position:
    return Position(*connection.execute(LOCK_POSITION if for_update else READ_POSITION).one())


@dataclass
class Change:
    """A transaction that holds the lock of the position, and so the next numbers."""

    connection: Connection
    number: int  # the newest that was taken
    newest: int | None  # time of the newest event
    erased: int  # number of the newest erasure
    touched: dict[int, int] = field(default_factory=dict)  # counter -> number
    refused: list[Refusal] = field(default_factory=list)  # that must outlive the store

    def take_numbers(self, count: int) -> range:
        """Return the next numbers, for what is written."""
        first = self.number + 1
        self.number += count
        return range(first, first + count)

    def touch(self, counter: int, number: int | None = None) -> None:
        """Note that a number concerns a counter, by default the newest."""
        self.touched[counter] = self.number if number is None else number
        if counter == ERASED:
            self.erased = self.number

    def refuse(self, refusal: Refusal) -> None:
        """Have a refusal hold, also where the store is restored from an older copy."""
        self.refused.append(refusal)


@dataclass(frozen=True)
class Job:
    """Work for the writer, and the future that gets its result."""

    work: Callable[[Change], Any]
    awaited: bool
    result: Future[Any]


@dataclass(frozen=True)
class KeptRefusals:
    """How a writer keeps refusals apart from the store, and puts back those it has lost."""

    directory: Path  # of the journals
    replay: Callable[[Change], object]


class Writer:
    """A thread that runs jobs in transactions, many jobs in each."""

    def __init__(
        self,
        engine: Engine,
        counters: ChangeCounters,
        turn: Path | None,
        file: StoreFile | None = None,
        refusals: KeptRefusals | None = None,
    ) -> None:
        """Begin to write. `file`: of a SQLite store, which is looked at after each commit."""
        # The writers of a host lock this file in turn. SQLite gives its own lock to whichever of
        # them happens to ask next: of two workers that write all the time one would starve.
        self._turn = turn.open("ab") if turn else None
        self._engine = engine
        self._counters = counters
        self.file = file  # replaced where the store goes on with another one
        self._refusals = refusals
        self._has_left_mark = False
        self.fault: StoreBrokenError | None = None  # of the last commit
        self.journal_fault: str | None = None  # why the last refusal is not in the journal
        # Whether SQLite's log may hold what was erased: also what a killed process has left there.
        self._may_log_erased = True
        self._jobs: queue.Queue[Job | None] = queue.Queue(MAX_WAITING_JOBS)  # None: the end
        self._thread = Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Change], T], *, awaited: bool = True) -> Future[T]:
        """Return a future of what `work` returns.

        It is done once the work is durable and every worker of this host can see it, or with a
        StoreDownError. `awaited`: somebody waits for it. Work that nobody waits for is committed
        together with the work of the next moment.
        """
        result: Future[T] = Future()
        try:
            self._jobs.put_nowait(Job(work, awaited, result))
        except queue.Full:
            result.set_exception(StoreDownError("busy"))
        return result

    def clear_log(self) -> None:
        """Have what was erased leave the files of SQLite, or try it again the next time."""
        if self._may_log_erased:
            with suppress(StoreDownError):
                self._may_log_erased = not truncate_log(self._engine)

    def close(self) -> None:
        """End the thread, after the jobs that wait."""
        self._jobs.put(None)
        self._thread.join()
        if self._turn:
            self._turn.close()

    def _run(self) -> None:
        is_last = False
        while not is_last and (job := self._jobs.get()) is not None:
            jobs, is_last = self._collect(job)
            self._finish([job for job in jobs if job.result.set_running_or_notify_cancel()])

    def _collect(self, first: Job) -> tuple[list[Job], bool]:
        """Return the jobs of the next commit, and whether they are the last of all."""
        jobs, end = [first], time.monotonic() + COLLECT_SECONDS
        while len(jobs) < MAX_JOBS_IN_COMMIT:
            awaited = any(job.awaited for job in jobs)
            wait_seconds = 0.0 if awaited else max(end - time.monotonic(), 0.0)
            try:
                job = self._jobs.get(timeout=wait_seconds)
            except queue.Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False

    def _finish(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        try:
            values = self._commit(jobs)
            self.fault = None
            self.clear_log()
        except Exception as error:  # of any kind: the thread must go on
            self.fault = error if isinstance(error, StoreBrokenError) else None
            self._fail(jobs, error)
            return
        for job, value in zip(jobs, values, strict=True):
            job.result.set_result(value)

    def _fail(self, jobs: list[Job], error: Exception) -> None:
        """Run jobs one by one where one may have failed the others."""
        if len(jobs) == 1 or isinstance(error, StoreDownError):
            for job in jobs:
                job.result.set_exception(error)
        else:
            for job in jobs:
                self._finish([job])

    def _commit(self, jobs: list[Job]) -> list[Any]:
        file = self.file  # that of the connection: it may be replaced meanwhile
        with lock(self._turn) if self._turn else nullcontext():
            with writing(self._engine) as connection:
                before = read_position(connection, for_update=True)
                known = Point(*self._counters.point)
                went_back = not lineage.holds(connection, known, before.number)
                change = Change(connection, before.number, before.newest, before.erased)
                if went_back:
                    self._begin_again(change, known)
                values = [job.work(change) for job in jobs]
                # The newest of all: without a query where nobody else wrote since.
                mark = known.mark
                if went_back or known.number != before.number:
                    mark = lineage.read_mark(connection)
                if change.number > before.number:
                    self._keep_position(change)
                    if not self._has_left_mark and not went_back:
                        mark = lineage.leave_mark(connection, before.number + 1)
                self._keep_refusals(change, mark)
            if file is not None:
                file.check()  # else what was committed may be in a file that nobody finds
            self._has_left_mark |= change.number > before.number
            self._counters.reach(change.number, mark)
        self._counters.raise_to(change.touched.items())
        self._may_log_erased |= change.erased > before.erased
        return values

    def _begin_again(self, change: Change, known: Point) -> None:
        """Count on above everything that was seen: the store has lost changes since.

        It is an older copy or another store. What depends on the lost changes is read anew, and
        consents that were lost stay noes. All this before the commit: then nobody reads the store
        who does not know.
        """
        held = change.number
        mark = lineage.leave_mark(change.connection, held + 1)
        change.number = max(held, known.number, self._counters[FOLLOWED])
        change.take_numbers(1)
        for counter in SHARED.values():
            change.touch(counter)
        answers = read_consent_counters(change.connection)
        # First what another host has found to be lost: it is not followed any more.
        self._counters.raise_to(read_lost_counters(change.connection).items())
        lost = self._counters.begin_again(change.number, mark, answers)
        write_lost_consents(change.connection, lost)
        log.error(
            "the store holds changes up to %d and not the change %d that was seen: it is another "
            "store or an older copy. Consents that it lost count as refusals until they are given "
            "again: %d",
            held,
            known.number,
            len(lost),
        )
        if self._refusals is not None:
            self._refusals.replay(change)

    def _keep_refusals(self, change: Change, mark: bytes) -> None:
        """Append what was refused to the journal, before the commit.

        A refusal holds in the store all the same where the journal cannot be written to.
        """
        if self._refusals is None or not change.refused:
            return
        try:
            journal = RefusalJournal.of(change.connection, self._refusals.directory)
            journal.append(Point(change.number, mark), change.refused, int(time.time()))
            self.journal_fault = None
        except OSError as error:
            self.journal_fault = f"{error.filename}: {error.strerror}"
            log.error("refusals are kept in the store alone, not in %s", self.journal_fault)

    def _keep_position(self, change: Change) -> None:
        shared = {
            name: change.touched[counter]
            for name, counter in SHARED.items()
            if counter in change.touched
        }
        values = {"number": change.number, "newest": change.newest, **shared}
        change.connection.execute(update(position).values(**values))


def read_consent_counters(
    connection: Connection, above: int = -1, until: int = lineage.NEWEST
) -> Mapping[int, int]:
    """Return the counters of consents that are numbered so, each with its newest number.

    Who was erased refuses: their consents are gone, and a tombstone keeps their slot.
    """
    newest = select(consents.c.customer_id, func.max(consents.c.number)).where(
        consents.c.number > above, consents.c.number <= until
    )
    counters: dict[int, int] = {}
    for customer_id, number in connection.execute(newest.group_by(consents.c.customer_id)):
        counter = counter_of("consent", customer_id)
        counters[counter] = max(number, counters.get(counter, 0))
    buried = select(erased.c.slot, erased.c.number).where(
        erased.c.number > above, erased.c.number <= until, erased.c.slot.is_not(None)
    )
    for slot, number in connection.execute(buried):
        counter = FIRST_CONSENT + slot
        counters[counter] = max(number, counters.get(counter, 0))
    return counters


def read_lost_counters(connection: Connection, above: int = -1) -> dict[int, int]:
    """Return the counters of consents that were lost, with the numbers above one."""
    rows = connection.execute(select(lost_consents).where(lost_consents.c.number > above))
    return {FIRST_LOST + slot: number for slot, number in rows}


def write_lost_consents(connection: Connection, lost: Mapping[int, int]) -> None:
    """Add what was lost, by slot, for other hosts, for training and for exports."""
    known = read_lost_counters(connection)
    for slot, number in lost.items():
        row = {"slot": slot, "number": max(number, known.get(FIRST_LOST + slot, 0))}
        if FIRST_LOST + slot in known:
            connection.execute(update(lost_consents).filter_by(slot=slot).values(**row))
        else:
            connection.execute(insert(lost_consents).values(**row))

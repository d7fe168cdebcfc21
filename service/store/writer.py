"""One thread a process writes: what waits is committed together, and nobody is told before the commit returned."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, select, update

from models.artifact.locks import lock
from service.store.change_counters import ERASED, SHARED, ChangeCounters
from service.store.database import StoreDownError, writing
from service.store.tables import position

T = TypeVar("T")
MAX_JOBS_IN_COMMIT: Final = 64  # jobs in a commit
MAX_WAITING_JOBS: Final = 512  # jobs; more find the store busy
COLLECT_SECONDS: Final = 0.05  # how long jobs that nobody waits for are collected


@dataclass(frozen=True)
class Position:
    """How far the store is: whatever is numbered up to `number` is there."""

    number: int
    newest: int | None  # time of the newest event, seconds since 1970
    # number of the newest change of each
    catalogue: int
    rules: int
    keys: int
    erased: int


# A statement that is made once costs a third less each time: every answer begins with this one.
POSITION_COLUMNS: Final = tuple(position.c[name] for name in Position.__dataclass_fields__)
READ_POSITION: Final = select(*POSITION_COLUMNS).where(position.c.id == 1)
LOCK_POSITION: Final = READ_POSITION.with_for_update()


def read_position(connection: Connection, *, for_update: bool = False) -> Position:
    return Position(*connection.execute(LOCK_POSITION if for_update else READ_POSITION).one())


@dataclass
class Change:
    """A transaction that holds the lock of the position, and so the next numbers."""

    connection: Connection
    number: int  # the newest that was given
    newest: int | None  # time of the newest event
    erased: int  # number of the newest erasure
    touched: dict[int, int] = field(default_factory=dict)  # slot -> number

    def numbers(self, count: int) -> range:
        """The next numbers, to be given to what is written."""
        first = self.number + 1
        self.number += count
        return range(first, first + count)

    def touch(self, slot: int) -> None:
        """The newest number concerns this slot."""
        self.touched[slot] = self.number
        if slot == ERASED:
            self.erased = self.number


@dataclass(frozen=True)
class Job:
    work: Callable[[Change], Any]
    awaited: bool
    done: Future[Any]


class Writer:
    def __init__(self, engine: Engine, counters: ChangeCounters, turn: Path) -> None:
        # The writers of a host lock this file in turn. SQLite gives its own lock to whichever of them
        # happens to ask next: of two workers that write all the time one would starve.
        self._turn = turn.open("ab")
        self._engine = engine
        self._counters = counters
        self._jobs: queue.Queue[Job | None] = queue.Queue(MAX_WAITING_JOBS)
        self._thread = Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Change], T], *, awaited: bool = True) -> Future[T]:
        """What `work` gives, once it is durable and every worker of this host can see it. StoreDownError if not.

        `awaited`: somebody waits for it. What nobody waits for is committed with what comes in the next moment.
        """
        done: Future[T] = Future()
        try:
            self._jobs.put_nowait(Job(work, awaited, done))
        except queue.Full:
            done.set_exception(StoreDownError("busy"))
        return done

    def close(self) -> None:
        """After what waits."""
        self._jobs.put(None)
        self._thread.join()
        self._turn.close()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            group, last, until = [job], False, time.monotonic() + COLLECT_SECONDS
            while len(group) < MAX_JOBS_IN_COMMIT and not last:
                hurried = any(one.awaited for one in group)
                try:
                    more = self._jobs.get(
                        timeout=0.0 if hurried else max(until - time.monotonic(), 0.0)
                    )
                except queue.Empty:
                    break
                if more is None:
                    last = True
                else:
                    group.append(more)
            self._answer([one for one in group if one.done.set_running_or_notify_cancel()])
            if last:
                break

    def _answer(self, group: list[Job]) -> None:
        if not group:
            return
        try:
            results = self._commit(group)
        except Exception as error:  # whatever it is, the thread must go on, and who waits is told
            if len(group) > 1 and not isinstance(error, StoreDownError):
                for job in group:  # one must not take the others down
                    self._answer([job])
            else:
                for job in group:
                    job.done.set_exception(error)
            return
        for job, result in zip(group, results, strict=True):
            job.done.set_result(result)

    def _commit(self, group: list[Job]) -> list[Any]:
        with lock(self._turn), writing(self._engine) as connection:
            now = read_position(connection, for_update=True)
            change = Change(connection, now.number, now.newest, now.erased)
            results = [job.work(change) for job in group]
            if change.number > now.number:
                shared = {
                    name: change.touched[slot]
                    for name, slot in SHARED.items()
                    if slot in change.touched
                }
                connection.execute(
                    update(position).values(number=change.number, newest=change.newest, **shared)
                )
        self._counters.raise_to(change.touched.items())
        return results

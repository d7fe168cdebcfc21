"""Events that wait to be sent, in a file that survives a restart."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from os import PathLike
from threading import Lock
from typing import Any, Final, Unpack

from regulars_client.calls import NewEvent
from regulars_client.errors import QueueFullError

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, event TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS refused (
    number INTEGER PRIMARY KEY, event TEXT NOT NULL, problem TEXT NOT NULL
);
"""
BUSY_SECONDS: Final = 10.0


@dataclass(frozen=True)
class WaitingEvent:
    """Hold an event that is not yet known to be stored."""

    number: int
    event: dict[str, Any]


@dataclass(frozen=True)
class RefusedEvent:
    """Hold an event that the service will not take, and why."""

    event: dict[str, Any]
    problem: str


class EventQueue:
    """Keep events on disk until the service has stored them.

    Threads and processes may share the file: each opens a queue of its own after a fork.
    """

    def __init__(self, path: str | PathLike[str], *, most: int = 1_000_000) -> None:
        """Open a queue, made where there is none. `most`: how many events may wait in it."""
        self._most = most
        self._lock = Lock()
        self._file = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.executescript(SCHEMA)

    def add(self, **event: Unpack[NewEvent]) -> str:
        """Keep an event; it is on disk when this returns. Return its id.

        An id and the time of now are added where they are missing. An id that waits already
        changes nothing. Raises QueueFullError, and ValueError for what is not JSON.
        """
        named = {"event_id": uuid.uuid4().hex, "time": datetime.now(UTC).isoformat(), **event}
        row = (str(named["event_id"]), json.dumps(named, allow_nan=False))
        with self._lock:
            ((first, last),) = self._file.execute("SELECT min(number), max(number) FROM waiting")
            if first is not None and last - first + 1 >= self._most:
                raise QueueFullError(f"{self._most} events wait to be sent; does deliver() run?")
            self._file.execute("INSERT OR IGNORE INTO waiting (event_id, event) VALUES (?, ?)", row)
        return row[0]

    def __len__(self) -> int:
        """Return how many events wait."""
        with self._lock:
            ((count,),) = self._file.execute("SELECT count(*) FROM waiting")
        return int(count)

    def first(self, n: int) -> list[WaitingEvent]:
        """Return the n events that have waited longest."""
        with self._lock:
            rows = self._file.execute(
                "SELECT number, event FROM waiting ORDER BY number LIMIT ?", (n,)
            )
            return [WaitingEvent(number, json.loads(text)) for number, text in rows]

    def settle(self, events: Sequence[WaitingEvent], problems: Mapping[int, str]) -> None:
        """Take events out of the queue, and keep those with a problem, by their index, aside."""
        numbers = [(one.number,) for one in events]
        aside = [
            (events[index].number, json.dumps(events[index].event), problem)
            for index, problem in problems.items()
        ]
        with self._lock, self._file:
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany("INSERT OR IGNORE INTO refused VALUES (?, ?, ?)", aside)
            self._file.executemany("DELETE FROM waiting WHERE number = ?", numbers)

    def refused(self) -> list[RefusedEvent]:
        """Return the events that the service would not take, in their order."""
        with self._lock:
            rows = self._file.execute("SELECT event, problem FROM refused ORDER BY number")
            return [RefusedEvent(json.loads(text), problem) for text, problem in rows]

    def drop_refused(self) -> None:
        """Delete the events that the service would not take."""
        with self._lock:
            self._file.execute("DELETE FROM refused")

    def close(self) -> None:
        """Close the file. What waits in it stays there."""
        with self._lock:
            self._file.close()

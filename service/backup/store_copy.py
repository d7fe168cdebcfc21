"""Copies of a store: a file of SQLite, whatever database the store is in."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, text

from service.store.database import (
    BROKEN_CODES,
    PRIMARY_CODE,
    connect,
    lift_time_limits,
    migrate,
    reading,
    store_path,
    truncate_log,
    writing,
)
from service.store.lineage import Point, read_mark
from service.store.tables import metadata
from service.store.writer import read_position

ROWS_AT_ONCE: Final = 10_000
WAIT_SECONDS: Final = 60.0  # for a moment in which nobody writes
JOURNALS: Final = ("-wal", "-shm")  # beside a file of SQLite


def copy_out(url: str, path: Path) -> None:
    """Copy a store into a new file, as it is at one moment. Those who write need not stop.

    Raises StoreDownError.
    """
    engine = connect(url)
    try:
        source = store_path(engine)
        if source is None:
            _copy_postgresql(engine, path)
        else:
            with closing(sqlite3.connect(source, WAIT_SECONDS)) as connection:
                connection.execute("VACUUM INTO ?", (str(path),))
    finally:
        engine.dispose()


def copy_in(path: Path, url: str) -> None:
    """Put a copy in the place of what a store holds, in one transaction. Raises StoreDownError.

    A service that runs goes on with it. `path`: has the schema of this version.
    """
    engine = connect(url)
    try:
        target = store_path(engine)
        if target is None:
            migrate(engine)
            with reading(open_copy(path)) as source, writing(engine) as connection:
                lift_time_limits(connection)
                _load(source, connection)
        elif not target.exists() or not _overwrite(path, target):
            _replace(path, target)
        else:
            truncate_log(engine)
    finally:
        engine.dispose()


def open_copy(path: Path) -> Engine:
    """Return an engine of a copy."""
    return connect(f"sqlite:///{path.absolute()}")


def read_point(engine: Engine) -> Point:
    """Return the newest change of a store. Raises StoreDownError."""
    with reading(engine) as connection:
        return Point(read_position(connection).number, read_mark(connection))


def _copy_postgresql(engine: Engine, path: Path) -> None:
    copied = open_copy(path)
    migrate(copied)
    # One moment for all tables
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
    with reading(snapshot) as source, writing(copied) as target:
        lift_time_limits(source)
        for table in metadata.sorted_tables:
            target.execute(delete(table))
            for rows in _read_rows(source, table):
                target.execute(insert(table), [row._asdict() for row in rows])
    with closing(copied.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copied.dispose()


def _load(source: Connection, target: Connection) -> None:
    """Put the rows of a copy into PostgreSQL in the place of those that are there."""
    names = ", ".join(table.name for table in metadata.sorted_tables)
    target.execute(text(f"TRUNCATE TABLE {names}"))
    cursor: Any = target.connection.cursor()
    for table in metadata.sorted_tables:
        columns = ", ".join(f'"{name}"' for name in table.columns.keys())  # noqa: SIM118
        with cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
            for rows in _read_rows(source, table):
                for row in rows:
                    copy.write_row(row)
        _count_on(target, table)


def _count_on(connection: Connection, table: Table) -> None:
    """Have numbers that the database gives begin above those that are there."""
    (key, *others) = table.primary_key.columns
    if others:
        return
    sequence = func.pg_get_serial_sequence(table.name, key.name)
    if connection.execute(select(sequence)).scalar() is not None:
        newest = select(func.coalesce(func.max(key), 0) + 1).scalar_subquery()
        connection.execute(select(func.setval(sequence, newest, False)))


def _read_rows(connection: Connection, table: Table) -> Any:
    """Yield the rows of a table, many at once."""
    query = select(table).execution_options(yield_per=ROWS_AT_ONCE)
    yield from connection.execute(query).partitions()


def _overwrite(path: Path, target: Path) -> bool:
    """Copy into an open file of SQLite as one change of it; False where it is no database."""
    with (
        closing(sqlite3.connect(path)) as source,
        closing(sqlite3.connect(target, WAIT_SECONDS)) as connection,
    ):
        try:
            source.backup(connection)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & PRIMARY_CODE not in BROKEN_CODES:
                raise
            return False
    return True


def _replace(path: Path, target: Path) -> None:
    for suffix in JOURNALS:
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    os.replace(path, target)

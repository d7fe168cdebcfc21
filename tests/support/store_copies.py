"""Stores that are copied, restored and lost, as it happens to those who run a shop."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from service.store.database import connect, migrate, reading
from service.store.lineage import read_mark
from service.store.writer import read_position
from tests.support.store_server import new_store

DISCONNECT: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"


class Database:
    """A store that is copied and restored as whoever runs it would."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.url, self._folder = new_store(kind, folder), folder
        self._copies = 0

    @property
    def path(self) -> Any:
        database = make_url(self.url)
        return Path(str(database.database)) if database.drivername == "sqlite" else None

    def point(self) -> tuple[int, str]:
        """Position and mark, as training would read them."""
        engine = connect(self.url)
        with reading(engine) as connection:
            number = read_position(connection).number
            mark = read_mark(connection, number).hex()
        engine.dispose()
        return number, mark

    def copy(self) -> str:
        """The name of a copy of what is in it now."""
        self._copies += 1
        if self.path is None:
            name = f"{make_url(self.url).database}_copy{self._copies}"
            original = make_url(self.url).database
            self._run(
                f"ALTER DATABASE {original} ALLOW_CONNECTIONS false",
                DISCONNECT.format(original),
                f"CREATE DATABASE {name} TEMPLATE {original}",
                f"ALTER DATABASE {original} ALLOW_CONNECTIONS true",
            )
            return name
        copied = self._folder / f"copy{self._copies}.db"
        with (
            closing(sqlite3.connect(self.path)) as source,
            closing(sqlite3.connect(copied)) as target,
        ):
            source.backup(target)
        return str(copied)

    def restore(self, copied: str) -> None:
        if self.path is None:
            name = make_url(self.url).database
            self._run(
                f"DROP DATABASE {name} WITH (FORCE)", f"ALTER DATABASE {copied} RENAME TO {name}"
            )
            return
        self.remove()
        os.replace(copied, self.path)

    def close(self) -> None:
        """PostgreSQL takes no connection to it any more, and those that there are end."""
        name = make_url(self.url).database
        self._run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false", DISCONNECT.format(name))

    def lose(self) -> None:
        """An empty one is in its place. Nobody may have it open."""
        if self.path is not None:
            self.remove()
            return
        self._copies += 1
        name = f"{make_url(self.url).database}_lost{self._copies}"
        self._run(f"ALTER DATABASE {make_url(self.url).database} RENAME TO {name}")
        self._run(f"CREATE DATABASE {make_url(self.url).database}")
        engine = connect(self.url)
        migrate(engine)
        engine.dispose()

    def remove(self) -> None:
        assert self.path is not None
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink()

    def _run(self, *statements: str) -> None:
        url = make_url(self.url).set(drivername="postgresql+psycopg", database="postgres")
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

"""Database of the store: SQLite in a file, or PostgreSQL.

What is committed there survives a power failure.
"""

from __future__ import annotations

import math
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Select,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)
from sqlalchemy.pool import QueuePool

SCHEMA: Final = "0020"  # the newest of migrations/versions
WAIT_SECONDS: Final = 5.0  # for a lock, a connection of the pool, or a server that does not answer
TRUNCATE_MS: Final = 50  # for readers of an earlier moment, when the log is emptied
SILENCE_SECONDS: Final = WAIT_SECONDS + 1  # the server itself should have given up before
MIGRATION_LOCK: Final = 7203  # the lock of those who migrate
MIGRATE_COMMAND: Final = "regulars migrate"


class StoreDownError(Exception):
    """Raised where the store does not answer now. It may later."""


class StoreError(StoreDownError):
    """Raised where the store cannot be used as it is.

    The message says what to do, and never a secret.
    """


def connect(url: str, connections: int = 4) -> Engine:
    """Return an engine that checks every connection for durability.

    Raises StoreError for an address it cannot use.
    """
    try:
        address = make_url(url)
        if address.get_backend_name() == "sqlite":
            return _sqlite(address, connections)
        if address.get_backend_name() == "postgresql":
            return _postgresql(address.set(drivername="postgresql+psycopg"), connections)
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreError(
            "the database URL cannot be read; write it like sqlite:///store.db"
        ) from error
    except ModuleNotFoundError as error:
        raise StoreError("PostgreSQL needs its driver: pip install 'regulars[postgres]'") from error
    raise StoreError(f"{address.get_backend_name()} is not known; SQLite and PostgreSQL are")


# Errors of SQLite that no waiting mends: what is wrong is the file, its place or its permissions.
BROKEN_CODES: Final = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
PRIMARY_CODE: Final = 0xFF  # the bits of an extended error code that hold the code itself
# What PostgreSQL says of settings that no waiting mends. It tells no code before a connection is
# made.
BROKEN_CAUSES: Final = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|(Peer|Ident|LDAP|GSSAPI|certificate) authentication failed"
    r"|(role|database) \".*\" (does not exist|is not permitted to log in)"
    r"|permission denied for (database|schema|table|view|relation)"
)


class StoreBrokenError(StoreDownError):
    """The store does not work until somebody mends it.

    The message names the place and the cause, `cause` the cause alone.
    """

    def __init__(self, place: str, cause: str) -> None:
        super().__init__(f"the store {place} cannot be used: {cause}")
        self.cause = cause


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that will write. Raises StoreDownError.

    SQLite takes its lock at the beginning, so that the transaction need not fail later. PostgreSQL
    ends a transaction in which nothing happens for WAIT_SECONDS.
    """
    with (
        translate_errors(engine),
        engine.connect().execution_options(writes=True) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads. Raises StoreDownError.

    Every change that is numbered up to the position is there, if the position is read first.
    """
    with translate_errors(engine), engine.connect() as connection, connection.begin():
        yield connection


class SnapshotRead:
    """A statement that every answer begins with, and that sees one moment by itself.

    SQLAlchemy compiles it once and lends the connection: what it does about each execution costs
    more than SQLite does.
    """

    def __init__(self, engine: Engine, statement: Select[Any]) -> None:
        compiled = statement.compile(dialect=engine.dialect)
        self._engine = engine
        self._text, self._values = str(compiled), compiled.params
        self._order = compiled.positiontup  # of the values; None where the text names them

    def __call__(self, **values: str | int) -> Sequence[Sequence[Any]]:
        """Return all rows. Raises StoreDownError."""
        named = self._values | values
        parameters = named if self._order is None else [named[name] for name in self._order]
        with (
            translate_errors(self._engine),
            closing(self._engine.raw_connection()) as connection,
        ):
            cursor = connection.cursor()
            cursor.execute(self._text, parameters)
            return cursor.fetchall()


@contextmanager
def translate_errors(engine: Engine) -> Iterator[None]:
    """Raise StoreDownError where the database does not answer.

    It is StoreBrokenError where no waiting helps.
    """
    try:
        yield
    except (IntegrityError, DataError):
        raise  # the values cannot be stored; a missing table, however, is being restored
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        if cause := _broken_cause(error):
            raise _broken(engine, cause) from error
        raise StoreDownError(type(error).__name__) from error


def _broken_cause(error: Exception) -> str | None:
    cause = getattr(error, "orig", error)
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return str(cause) if code & PRIMARY_CODE in BROKEN_CODES else None
    reason = BROKEN_CAUSES.search(str(cause))
    return re.sub(' ".*"', "", reason[0]) if reason else None  # names are nobody else's business


def _broken(engine: Engine, cause: str) -> StoreBrokenError:
    path = store_path(engine)
    if path is None:
        url = engine.url
        place = URL.create("postgresql", host=url.host, port=url.port, database=url.database)
        return StoreBrokenError(place.render_as_string(), cause)
    if path.is_dir():
        cause = "it is a directory, not a file"
    return StoreBrokenError(str(path), cause)


def store_path(engine: Engine) -> Path | None:
    """Return the file of a SQLite store, None of PostgreSQL."""
    if engine.dialect.name != "sqlite":
        return None
    return Path(str(engine.url.database)).absolute()


def truncate_log(engine: Engine) -> bool:
    """Empty SQLite's write-ahead log, which holds what was there before an erasure.

    Returns False where somebody reads of an earlier moment. Raises StoreDownError.
    """
    if engine.dialect.name != "sqlite":
        return True
    with translate_errors(engine), closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        # Writers wait as long as this does.
        cursor.execute(f"PRAGMA busy_timeout = {TRUNCATE_MS}")
        try:
            busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(WAIT_SECONDS * 1000)}")
    return not busy


def read_schema_version(engine: Engine) -> str | None:
    """Return the schema that the database has, None where it is empty. Raises StoreDownError."""
    with reading(engine) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        query = text("SELECT version_num FROM alembic_version")
        schema: str | None = connection.execute(query).scalar()
        return schema


def check_schema(engine: Engine) -> None:
    """Raise StoreError where the schema is not this version's."""
    schema = read_schema_version(engine)
    if schema != SCHEMA:
        state = f"has schema {schema}" if schema else "is empty"
        raise StoreError(f"the database {state}, and {SCHEMA} is needed. Run: {MIGRATE_COMMAND}")


def prepare(url: str, *, to_write: bool = False) -> None:
    """Make a SQLite file that is not there yet, and check anything else. Raises StoreDownError.

    `to_write`: with a transaction that could write.
    """
    engine = connect(url)
    try:
        path = store_path(engine)
        if path is not None and (not os.path.exists(path) or read_schema_version(engine) is None):
            migrate(engine)
        check_schema(engine)
        if to_write:
            with writing(engine) as connection:
                probe_writing(connection)
    finally:
        engine.dispose()


def probe_writing(connection: Connection) -> None:
    """Change nothing by a statement that fails where the database may not be written to.

    On a read-only file, SQLite begins a transaction that will write all the same.
    """
    connection.execute(text("UPDATE alembic_version SET version_num = version_num WHERE 1 = 0"))


def migrate(engine: Engine, schema: str = "head") -> None:
    """Bring the schema to this version's, or to an older one.

    Two processes that do it at once wait for each other.
    """
    if (path := store_path(engine)) is not None:
        with translate_errors(engine):
            sqlite3.connect(path).close()  # an engine makes no file: see _sqlite
    from alembic import command  # takes a quarter of a second to load, for one command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            lift_time_limits(connection)
            connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, schema)


def lift_time_limits(connection: Connection) -> None:
    """Wait as long as it takes: for the index of a large table, another migration, an erasure."""
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.connection.driver_connection.silence_seconds = math.inf  # type: ignore[union-attr]


# What must hold on every connection.
SQLITE_DURABILITY: Final[dict[str, object]] = {"journal_mode": "wal", "synchronous": 2}
POSTGRESQL_DURABILITY: Final[dict[str, object]] = {"synchronous_commit": "on", "fsync": "on"}


def assert_durable(settings: dict[str, Any], required: dict[str, object]) -> None:
    """Raise StoreError where a commit could be lost."""
    for name, value in required.items():
        if settings[name] != value:
            raise StoreError(
                f"the database has {name} = {settings[name]}, and acknowledged events need {value}"
            )


def _sqlite(address: Any, connections: int) -> Engine:
    if address.database in (None, "", ":memory:"):
        raise StoreError("a store in memory would not survive; name a file: sqlite:///store.db")
    directory = Path(address.database).absolute().parent
    if not directory.is_dir():
        raise StoreError(f"the store is to be in {directory}, which is no directory; make it first")
    engine = create_engine(
        address,
        poolclass=QueuePool,
        pool_size=connections,
        pool_timeout=WAIT_SECONDS,
        connect_args={"timeout": WAIT_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "do_connect")
    def open_existing(_: object, __: object, ___: object, named: Any) -> sqlite3.Connection:
        # Of a store that was removed while it is open no empty one may take the place.
        path = quote(str(Path(address.database).absolute()))
        options = named | {"uri": True}
        connection: sqlite3.Connection = sqlite3.connect(f"file:{path}?mode=rw", **options)
        return connection

    @event.listens_for(engine, "connect")
    def make_durable(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten
        settings = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in SQLITE_DURABILITY
        }
        assert_durable(settings, SQLITE_DURABILITY)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if _writes(connection) else "BEGIN")

    return engine


def _postgresql(address: Any, connections: int) -> Engine:
    from service.store.postgres_timeout import ConnectionWithSilenceTimeout  # needs the driver

    wait_ms = round(WAIT_SECONDS * 1000)
    given = address.query.get("options", "")  # of the address, such as a schema
    engine = create_engine(
        address,
        pool_size=connections,
        pool_timeout=WAIT_SECONDS,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": max(2, round(WAIT_SECONDS)),
            "options": f"{given} -c synchronous_commit=on -c statement_timeout={wait_ms}",
        },
    )

    @event.listens_for(engine, "do_connect")
    def connect_durably(_: object, __: object, arguments: Any, named: Any) -> Any:
        with ExitStack() as on_refusal:
            connection = ConnectionWithSilenceTimeout.connect(*arguments, **named)
            on_refusal.callback(connection.close)
            connection.silence_seconds = SILENCE_SECONDS
            settings = {name: _show(connection, name) for name in POSTGRESQL_DURABILITY}
            assert_durable(settings, POSTGRESQL_DURABILITY)
            connection.rollback()
            on_refusal.pop_all()
        return connection

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if _writes(connection):  # a host that is lost now would leave its lock behind
            connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {wait_ms}")

    return engine


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("writes", False))


def _show(connection: Any, name: str) -> Any:
    return connection.execute(f"SHOW {name}").fetchone()[0]

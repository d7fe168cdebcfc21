"""The service's own store as one more source: what happened, who agreed, what is for sale. Nothing is written to it.

Two views and a few tables are all that this package knows of the store; service/store makes them.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import ibis
import pyarrow as pa
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Executable,
    Select,
    column,
    create_engine,
    event,
    func,
    inspect,
    make_url,
    select,
    table,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from models.data.events import KINDS
from training.errors import InputError
from training.reading.duckdb import Workspace
from training.reading.file_tables import FileTable
from training.reading.files import InputFile

SCHEMA: Final = "0003"  # of the store; the newest of the service's migrations
ROWS: Final = 50_000  # fetched at a time
WAIT_SECONDS: Final = 10  # for a server that does not answer
EXAMPLES: Final = "sqlite:///store.db or postgresql://user@host/database"
EVENTS: Final = {
    "number": "int64",
    "event_id": "string",
    "kind": "int16",
    "time": "int64",
    "customer_id": "string",
    "product_id": "string",
    "order_id": "string",
    "quantity": "float64",
    "unit_price": "float64",
    "currency": "string",
    "market": "string",
    "rating": "float64",
}
CONSENTS: Final = {
    "customer_id": "string",
    "train": "uint8",
    "personalize_web": "uint8",
    "personalize_email": "uint8",
    "train_time": "int64",
    "personalize_web_time": "int64",
    "personalize_email_time": "int64",
}
PRODUCTS: Final = {"product_id": "string", "document": "string"}
UNUSED: Final = {"customer_id": "string", "product_id": "string"}


@dataclass(frozen=True, eq=False)
class StoreTables:
    """What a store said at one moment, held in the workspace."""

    source: FileTable  # its events
    position: int  # every change up to this number is in it, and no event above
    consents: Any  # CONSENTS: codes of models.customers, and when they were given
    unused: Any  # (customer_id, product_id) that a customer struck out
    products: Any  # (product_id, document): a JSON object of the fields that the shop has given
    erased: frozenset[bytes]  # keyed hashes of customers
    key: bytes

    def erased_of(self, workspace: Workspace, customers: Any) -> Any:
        """Those of a table of `customer_id` who asked to be forgotten."""
        found: list[str] = []
        if self.erased:
            for batch in workspace.batches(customers.select("customer_id").distinct(), ROWS):
                ids = (one for one in batch["customer_id"].to_pylist() if one is not None)
                found += [
                    one
                    for one in ids
                    if hmac.digest(self.key, one.encode(), "sha256") in self.erased
                ]
        return ibis.memtable(pa.table({"customer_id": pa.array(found, pa.string())}))


def is_store(name: str | Path) -> bool:
    return "://" in str(name)


def read_store(workspace: Workspace, url: str, until: int | None) -> StoreTables:
    """Copy what training needs. `until`: events from this moment on, in seconds since 1970, stay unlearned.

    InputError, without a password, for a store that cannot be reached or has another schema.
    """
    with opened(url, "--purchases") as (connection, label):
        with connection.begin():
            position = _position(connection, until)
            events = _copied(workspace, connection, _events(position), "training_events", EVENTS)
        # What customers refused while the events were read holds already.
        products = _copied(
            workspace, connection, everything("products", PRODUCTS), "shop_products", PRODUCTS
        )
        people = everything("training_customers", CONSENTS)
        consents = _copied(workspace, connection, people, "training_customers", CONSENTS)
        unused = _copied(workspace, connection, everything("unused", UNUSED), "unused", UNUSED)
        erased, key = tombstones(connection)
        return StoreTables(
            source=_source(label, events),
            position=position,
            consents=consents,
            unused=unused,
            products=products,
            erased=erased,
            key=key,
        )


@contextmanager
def opened(url: str, option: str) -> Iterator[tuple[Connection, str]]:
    """A connection to a store, in which a transaction reads of one moment, and its address as it may be told.

    InputError, without a password, for a store that cannot be reached or has another schema. `option` named it.
    """
    with _readable(option):
        address = make_url(url)
        engine = _engine(address)
    label = _label(address)
    with _told(label), engine.connect() as connection:
        with connection.begin():
            _check(connection, label)
        yield connection, label


def without_password(url: str, option: str) -> str:
    """A store's address as it may be kept. InputError for one that cannot be read; `option` named it."""
    with _readable(option):
        return make_url(url).render_as_string()


@contextmanager
def _readable(option: str) -> Iterator[None]:
    """What is wrong with an address, as one sentence without it."""
    try:
        yield
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise InputError(
            f"{option}: the store's address cannot be read; write it like {EXAMPLES}."
        ) from None
    except ModuleNotFoundError:
        raise InputError(
            f"{option}: PostgreSQL needs its driver: pip install 'regulars[postgres]'."
        ) from None


def tombstones(connection: Connection) -> tuple[frozenset[bytes], bytes]:
    """The keyed hashes of the erased, and the key."""
    secrets = table("secrets", column("name"), column("value"))
    key = bytes(
        connection.scalars(select(secrets.c.value).where(secrets.c.name == "tombstones")).one()
    )
    return frozenset(
        map(bytes, connection.scalars(select(column("customer")).select_from(table("erased"))))
    ), key


def everything(name: str, columns: Mapping[str, str]) -> Select[Any]:
    """All rows of a table."""
    return select(table(name, *map(column, columns)))


def fetched(
    connection: Connection, statement: Executable, columns: Mapping[str, str]
) -> Iterator[pa.Table]:
    """The rows as Arrow tables of at most ROWS, with columns of these types."""
    schema = ibis.schema(dict(columns)).to_pyarrow()
    result = connection.execute(
        statement, execution_options={"stream_results": True, "yield_per": ROWS}
    )
    for rows in result.partitions(ROWS):  # said again: what is written as text forgets it
        cells = zip(*rows, strict=True)
        yield pa.table(
            [pa.array(*typed) for typed in zip(cells, schema.types, strict=True)], list(columns)
        )


def _engine(address: URL) -> Engine:
    """All that is read in one transaction is of one moment."""
    if address.get_backend_name() == "sqlite" and address.database:
        # A plain connection would make a file that is missing; one that may only read leaves its journal behind.
        file = f"file:{quote(address.database)}?mode=rw"
        engine = create_engine("sqlite://", creator=lambda: _connected(file), poolclass=NullPool)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine
    if address.get_backend_name() == "postgresql":
        return create_engine(
            address.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            isolation_level="REPEATABLE READ",
            connect_args={"connect_timeout": WAIT_SECONDS},
        )
    raise ArgumentError("neither SQLite nor PostgreSQL")


def _connected(file: str) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=WAIT_SECONDS, isolation_level=None, uri=True)


def _label(address: URL) -> str:
    """The address without user, password and options."""
    shown = URL.create(
        address.get_backend_name(), host=address.host, port=address.port, database=address.database
    )
    return shown.render_as_string()


@contextmanager
def _told(label: str) -> Iterator[None]:
    """What the database says, as one sentence."""
    try:
        yield
    except SQLAlchemyError as error:
        said = str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
        raise InputError(f"{label} cannot be read: {said.strip().splitlines()[0]}.") from None


def _check(connection: Connection, label: str) -> None:
    version = None
    if inspect(connection).has_table("alembic_version"):
        version = connection.scalar(
            select(column("version_num")).select_from(table("alembic_version"))
        )
    if version != SCHEMA:
        state = f"has schema {version} of the store" if version else "holds no store of Regulars"
        raise InputError(
            f"{label} {state}, and schema {SCHEMA} is read here; run: python -m service migrate."
        )


def _position(connection: Connection, until: int | None) -> int:
    position: int = connection.scalars(
        select(column("number")).select_from(table("position"))
    ).one()
    if until is None:
        return position
    events = table("training_events", column("number"), column("time"))
    later = connection.scalar(select(func.min(events.c.number)).where(events.c.time >= until))
    return position if later is None else min(position, later - 1)


def _events(position: int) -> Select[Any]:
    return everything("training_events", EVENTS).where(column("number") <= position)


def _copied(
    workspace: Workspace,
    connection: Connection,
    statement: Select[Any],
    name: str,
    columns: Mapping[str, str],
) -> Any:
    """The rows in a table of the workspace, of which never more than ROWS are held here."""
    copy = workspace.connection.create_table(name, schema=ibis.schema(dict(columns)), temp=True)
    duckdb = workspace.connection.con
    for batch in fetched(connection, statement, columns):
        duckdb.register("batch", batch)
        workspace.connection.raw_sql(f'INSERT INTO "{name}" SELECT * FROM batch')  # noqa: S608
        duckdb.unregister("batch")
    return copy


def _source(label: str, events: Any) -> FileTable:
    """Events as a file would tell them: every column text."""
    first, *rest = ((events.kind == code, name) for code, name in enumerate(KINDS))
    texts = {
        name: events[name].cast("string").nullif("")
        for name in EVENTS
        if name not in ("number", "kind", "time")
    }
    rows = events.select(
        "number",
        **texts,
        kind=ibis.cases(first, *rest, else_=events.kind.cast("string")),
        timestamp=events.time.cast("string").lpad(9, "0"),  # of fewer digits it would be no moment
    )
    names = {name: name for name in rows.columns if name not in ("number", "event_id")}
    return FileTable(
        (InputFile(label, Path(), "store"),), rows, names, False, None, from_store=True
    )

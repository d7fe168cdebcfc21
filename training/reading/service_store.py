"""Read the service's own store, for training and export.

All that is written to it is which customer got which code of an offer. The tables below are
everything that this package knows of it; service/store makes them.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
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
    TableClause,
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

from models.data.customers import NO, TRAIN, consent_slot
from models.data.events import DAY, KINDS, PURCHASE, Standing
from models.data.shop_time import SalesDay
from training.errors import InputError
from training.reading.duckdb import Workspace
from training.reading.file_tables import FileTable
from training.reading.files import InputFile

SCHEMA: Final = "0020"  # of the store; the newest of the service's migrations
BATCH_ROWS: Final = 50_000  # of an Arrow table
FETCHED_ROWS: Final = 5_000  # at a time
CONNECT_TIMEOUT_SECONDS: Final = 10
WRITE_TIMEOUT_MS: Final = 60_000  # a busy service may take the lock many times before us
ADDRESS_EXAMPLES: Final = "sqlite:///store.db or postgresql://user@host/database"
TOMBSTONE_HASH: Final = "sha256"

# Arrow types of the columns that are fetched.
EVENT_TYPES: Final = {
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
    "standing": "int16",
}
CONSENT_TYPES: Final = {
    "customer_id": "string",
    "train": "uint8",
    "personalize_web": "uint8",
    "personalize_email": "uint8",
    "measure": "uint8",
    "train_time": "int64",
    "personalize_web_time": "int64",
    "personalize_email_time": "int64",
    "measure_time": "int64",
}
PRODUCT_TYPES: Final = {"product_id": "string", "document": "string"}
PREFERENCE_TYPES: Final = {"customer_id": "string", "document": "string"}
UNUSED_TYPES: Final = {"customer_id": "string", "product_id": "string"}

# Views.
training_events: Final = table("training_events", *map(column, EVENT_TYPES))
training_customers: Final = table("training_customers", *map(column, CONSENT_TYPES))
# Tables.
campaigns: Final = table("campaigns", column("campaign_id"), column("window_hours"))
erased: Final = table("erased", column("customer"))
events: Final = table(
    "events",
    column("number"),
    column("event_id"),
    column("customer_id"),
    column("session_id"),
    column("product_id"),
    column("kind"),
    column("time"),
    column("order_id"),
    column("quantity"),
    column("unit_price"),
    column("currency"),
    column("rating"),
    column("words"),
    column("market"),
    column("placement"),
    column("recommendation_id"),
    column("standing"),
)
consents: Final = table(
    "consents",
    column("customer_id"),
    column("purpose"),
    column("value"),
    column("time"),
    column("number"),
)
exposures: Final = table(
    "exposures",
    column("slate"),
    column("customer_id"),
    column("session_id"),
    column("time"),
    column("count"),
)
lost_consents: Final = table("lost_consents", column("slot"), column("number"))
marks: Final = table("marks", column("number"), column("mark"))
preferences: Final = table("preferences", *map(column, PREFERENCE_TYPES))
offers: Final = table("offers", column("offer_id"), column("document"))
offer_codes: Final = table(
    "offer_codes", column("code"), column("offer_id"), column("given"), column("customer_id")
)
position: Final = table("position", column("number"), column("newest"))
products: Final = table("products", column("product_id"), column("document"), column("restocked"))
rules: Final = table("rules", column("rule_id"), column("document"))
experiments: Final = table("experiments", column("experiment_id"), column("document"))
secrets: Final = table("secrets", column("name"), column("value"))
sessions: Final = table("sessions", column("session_id"), column("customer_id"), column("number"))
slates: Final = table(
    "slates",
    column("ref"),
    column("campaign_id"),
    column("customer_id"),
    column("time"),
    column("document"),
)
shown_slates: Final = table(
    "shown_slates",
    column("slate"),
    column("recommendation_id"),
    column("placement"),
    column("campaign"),
    column("strategy"),
    column("products"),
)
unused: Final = table("unused", *map(column, UNUSED_TYPES))
VIEWS_READ: Final = (training_events, training_customers)
TABLES_READ: Final = (
    campaigns,
    consents,
    erased,
    events,
    exposures,
    experiments,
    lost_consents,
    marks,
    offer_codes,
    offers,
    position,
    preferences,
    products,
    rules,
    secrets,
    sessions,
    shown_slates,
    slates,
    unused,
)
alembic_version: Final = table("alembic_version", column("version_num"))


@dataclass(frozen=True)
class Tombstones:
    """Hold keyed hashes of erased customers, from which no id can be read."""

    key: bytes
    hashes: frozenset[bytes]

    def cover(self, customer_id: str) -> bool:
        """Return whether the customer was erased."""
        if not self.hashes:
            return False
        return hmac.digest(self.key, customer_id.encode(), TOMBSTONE_HASH) in self.hashes


@dataclass(frozen=True)
class LostConsents:
    """Hold what is known of answers that a store has lost: they may have been noes."""

    numbers: Mapping[int, int]  # by slot: answers up to this number do not count
    given: Mapping[tuple[str, int], int]  # numbers of the answers, by customer and purpose

    def cover(self, customer_id: str, purpose: int) -> bool:
        """Return whether a customer's answer was lost, and none was given since."""
        lost = self.numbers.get(consent_slot(customer_id), 0)
        return lost > 0 and self.given.get((customer_id, purpose), 0) <= lost


@dataclass(frozen=True)
class ExperimentRows:
    """Hold what a store says of experiments, in JSON; the holdout is the one without an id."""

    secret: bytes
    documents: tuple[str, ...]


NO_EXPERIMENTS: Final = ExperimentRows(b"", ())
NOTHING_LOST: Final = LostConsents({}, {})


@dataclass(frozen=True)
class StoreReader:
    """A connection to a store of the right schema. One transaction reads of one moment."""

    connection: Connection
    label: str  # the address without user, password and options

    def position(self, until: int | None = None) -> int:
        """Return the number of the newest change, or of the last before the first event at `until`.

        `until` in seconds since 1970.
        """
        newest: int = self.connection.scalars(select(position.c.number)).one()
        if until is None:
            return newest
        first_later = select(func.min(training_events.c.number)).where(
            training_events.c.time >= until
        )
        later = self.connection.scalar(first_later)
        return newest if later is None else min(newest, later - 1)

    def mark(self, number: int) -> str:
        """Return the hexadecimal mark under which a number was counted."""
        newest_first = marks.c.number.desc()
        mark = select(marks.c.mark).where(marks.c.number <= number).order_by(newest_first).limit(1)
        return bytes(self.connection.scalars(mark).one()).hex()

    def holds(self, number: int, mark: str) -> bool:
        """Return whether every change up to a number, counted under a mark, is in the store.

        It is not in another store, nor in an older copy of the same one.
        """
        return number <= self.position() and self.mark(number) == mark

    def lost_consents(self) -> LostConsents:
        """Return whose answers were lost."""
        rows = self.connection.execute(select(lost_consents.c.slot, lost_consents.c.number))
        numbers = {row.slot: row.number for row in rows}
        if not numbers:
            return NOTHING_LOST
        columns = (consents.c[name] for name in ("customer_id", "purpose", "number"))
        answers = self.connection.execute(select(*columns))
        return LostConsents(numbers, {(name, purpose): number for name, purpose, number in answers})

    def sales_days(self, after: int) -> list[SalesDay]:
        """Return the days on which the shop says that something was bought after a time, sorted.

        `after` in seconds since 1970.
        """
        day = events.c.time // DAY
        buyer = func.coalesce(events.c.customer_id, events.c.session_id, events.c.order_id)
        statement = (
            select(day, func.count(), func.count(buyer.distinct()), func.max(events.c.time))
            .where(events.c.kind == PURCHASE, events.c.standing == Standing.SHOP)
            .where(events.c.time > after)
            .group_by(day)
            .order_by(day)
        )
        return [SalesDay(*row) for row in self.connection.execute(statement)]

    def newest_event(self) -> int:
        """Return the time of the newest event in seconds since 1970; 0 where there is none."""
        return self.connection.scalar(select(position.c.newest)) or 0

    def tombstones(self) -> Tombstones:
        """Return the hashes of the erased customers with their key."""
        hashes = self.connection.scalars(select(erased.c.customer))
        return Tombstones(self._secret("tombstones"), frozenset(map(bytes, hashes)))

    def find_erased(self, customer_ids: Collection[str]) -> frozenset[str]:
        """Return those of some customers who were erased."""
        key = self._secret("tombstones")
        hashes = {hmac.digest(key, name.encode(), TOMBSTONE_HASH): name for name in customer_ids}
        query = select(erased.c.customer).where(erased.c.customer.in_(hashes))
        return frozenset(hashes[bytes(found)] for found in self.connection.scalars(query))

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Begin a transaction that is durable once it ends, with the lock of the service's writers.

        Raises InputError where the store cannot be written to.
        """
        try:
            if self.connection.dialect.name == "sqlite":
                self.connection.execution_options(writes=True)
                self.connection.exec_driver_sql(f"PRAGMA busy_timeout = {WRITE_TIMEOUT_MS}")
                self.connection.rollback()
            else:
                self.connection.execution_options(isolation_level="READ COMMITTED")
            with self.connection.begin():
                if self.connection.dialect.name == "postgresql":
                    self.connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
                self.connection.execute(select(position.c.number).with_for_update())
                yield self.connection
        except SQLAlchemyError as error:
            raise InputError(f"{self.label} cannot be written to: {_cause_of(error)}.") from None

    def experiments(self) -> ExperimentRows:
        """Return the experiments and the holdout, with the secret that assigns by chance."""
        query = select(experiments.c.document).where(experiments.c.document.isnot(None))
        texts = self.connection.scalars(query.order_by(experiments.c.experiment_id))
        return ExperimentRows(self._secret("experiments"), tuple(texts))

    def _secret(self, name: str) -> bytes:
        secret = select(secrets.c.value).where(secrets.c.name == name)
        return bytes(self.connection.scalars(secret).one())

    def fetch(self, statement: Executable, types: Mapping[str, str]) -> Iterator[pa.Table]:
        """Yield the rows as Arrow tables of at most BATCH_ROWS.

        `types`: names and Arrow types of the selected columns, in their order.
        """
        schema = ibis.schema(dict(types)).to_pyarrow()
        parts = []
        for rows in self._read_rows(statement):
            # Transposed by index: zip would make an iterator a row
            columns = ([row[place] for row in rows] for place in range(len(schema)))
            typed = [_to_array(*pair) for pair in zip(columns, schema.types, strict=True)]
            parts.append(pa.table(typed, list(types)))
            if len(parts) * FETCHED_ROWS >= BATCH_ROWS:
                yield pa.concat_tables(parts)
                parts = []
        if parts:
            yield pa.concat_tables(parts)

    def _read_rows(self, statement: Executable) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield the rows, FETCHED_ROWS at a time.

        SQLite's as its driver gives them: SQLAlchemy's rows cost more than all the rest, most of it
        for the collector of garbage.
        """
        if self.connection.dialect.name == "sqlite":
            cursor: Any = self.connection.execute(statement).cursor
            yield from iter(partial(cursor.fetchmany, FETCHED_ROWS), [])
            return
        options = {"stream_results": True, "yield_per": FETCHED_ROWS}
        yield from self.connection.execute(statement, execution_options=options).partitions()


@dataclass(frozen=True, eq=False)
class StoreTables:
    """Hold the content of a store at one moment, in the workspace."""

    events: FileTable
    position: int  # every change up to this number is in it, and no event above
    mark: str  # under which that number was counted
    consents: Any  # columns of CONSENT_TYPES: codes of models.data.customers, and when given
    preferences: Any  # (customer_id, document): JSON of models.rules.preferences
    unused: Any  # (customer_id, product_id) that a customer struck out
    products: Any  # (product_id, document): a JSON object of the fields that the shop has given
    tombstones: Tombstones
    lost: LostConsents

    def train_consents(self, workspace: Workspace, consents: Any, customers: Any) -> Any:
        """Return a table of `customer_id` and `train`, NO where an answer may have been lost.

        `consents`: such a table. `customers`: a table of every `customer_id`.
        """
        given = consents.select("customer_id", "train")
        if not self.lost.numbers:
            return given
        lost_ids: list[str] = []
        for batch in workspace.batches(customers.select("customer_id"), BATCH_ROWS):
            customer_ids = batch["customer_id"].to_pylist()
            lost_ids += [name for name in customer_ids if self.lost.cover(name, TRAIN)]
        refusing = ibis.memtable(pa.table({"customer_id": pa.array(lost_ids, pa.string())}))
        refusing = refusing.mutate(train=ibis.literal(NO, "uint8"))
        return given.anti_join(refusing, "customer_id").union(refusing)

    def erased_of(self, workspace: Workspace, customers: Any) -> Any:
        """Return those of a table of `customer_id` who were erased, as a table of `customer_id`."""
        erased_ids: list[str] = []
        if self.tombstones.hashes:
            distinct = customers.select("customer_id").distinct().drop_null()
            for batch in workspace.batches(distinct, BATCH_ROWS):
                erased_ids += filter(self.tombstones.cover, batch["customer_id"].to_pylist())
        return ibis.memtable(pa.table({"customer_id": pa.array(erased_ids, pa.string())}))


def is_store(name: str | Path) -> bool:
    """Return whether the name is the address of a store and not of files."""
    return "://" in str(name)


def without_password(url: str, option: str) -> str:
    """Return a store's address as it may be kept.

    Raises InputError, which names the `option`, for an address that cannot be read.
    """
    with _address_errors(option):
        return make_url(url).render_as_string()


@contextmanager
def open_store(url: str, option: str) -> Iterator[StoreReader]:
    """Connect to a store and check its schema.

    Raises InputError, without a password, for a store that cannot be reached or has another schema.
    `option`: the one of the command line that named the store.
    """
    with _address_errors(option):
        address = make_url(url)
        engine = _engine(address)
    label = _label(address)
    with _database_errors(label), engine.connect() as connection:
        with connection.begin():
            _check_schema(connection, label)
        yield StoreReader(connection, label)


def store_holds(url: str, number: int, mark: str) -> bool:
    """Return whether a store holds a change: see `StoreReader.holds`. Raises InputError."""
    with open_store(url, "--purchases") as store:
        return store.holds(number, mark)


def read_store(workspace: Workspace, url: str, until: int | None) -> StoreTables:
    """Copy into the workspace what training needs of a store.

    `until`: events from this moment on, in seconds since 1970, are left out. Raises InputError,
    without a password, for a store that cannot be reached or has another schema.
    """
    with open_store(url, "--purchases") as store:
        with store.connection.begin():
            read_up_to = store.position(until)
            mark = store.mark(read_up_to)
            learned = select(training_events).where(training_events.c.number <= read_up_to)
            event_rows = copy_rows(workspace, store, "training_events", learned, EVENT_TYPES)
        # A refusal that came while the events were read holds already.
        return StoreTables(
            events=_as_file(store.label, event_rows),
            position=read_up_to,
            mark=mark,
            products=_copy_table(workspace, store, products, PRODUCT_TYPES),
            consents=_copy_table(workspace, store, training_customers, CONSENT_TYPES),
            preferences=_copy_table(workspace, store, preferences, PREFERENCE_TYPES),
            unused=_copy_table(workspace, store, unused, UNUSED_TYPES),
            tombstones=store.tombstones(),
            lost=store.lost_consents(),
        )


def select_columns(source: TableClause, types: Mapping[str, str]) -> Select[Any]:
    """Return a statement that selects these columns of all rows."""
    return select(*[source.c[name] for name in types])


def _copy_table(
    workspace: Workspace, store: StoreReader, source: TableClause, types: Mapping[str, str]
) -> Any:
    return copy_rows(workspace, store, f"store_{source.name}", select_columns(source, types), types)


def copy_rows(
    workspace: Workspace,
    store: StoreReader,
    name: str,
    statement: Select[Any],
    types: Mapping[str, str],
) -> Any:
    """Copy rows into a table of the workspace, BATCH_ROWS at a time."""
    copied = workspace.connection.create_table(name, schema=ibis.schema(dict(types)), temp=True)
    duckdb = workspace.connection.con
    for batch in store.fetch(statement, types):
        duckdb.register("batch", batch)
        workspace.connection.raw_sql(f'INSERT INTO "{name}" SELECT * FROM batch')  # noqa: S608
        duckdb.unregister("batch")
    return copied


def _as_file(label: str, rows: Any) -> FileTable:
    """Return events as a file would have them: every column is text."""
    typed = ("number", "kind", "time", "standing")
    texts = {
        name: rows[name].cast("string").nullif("") for name in EVENT_TYPES if name not in typed
    }
    kinds = [(rows.kind == code, name) for code, name in enumerate(KINDS)]
    cells = rows.select(
        "number",
        "standing",
        **texts,
        kind=ibis.cases(*kinds, else_=rows.kind.cast("string")),
        # A number of fewer than nine digits would be read as no timestamp.
        timestamp=rows.time.cast("string").lpad(9, "0"),
    )
    names = {name: name for name in cells.columns if name not in ("number", "event_id", "standing")}
    return FileTable(
        files=(InputFile(label, Path(), "store"),),
        table=cells,
        names=names,
        rejects=None,
        from_store=True,
    )


def _engine(address: URL) -> Engine:
    """Create an engine whose transactions each read of one moment."""
    if address.get_backend_name() == "sqlite" and address.database:
        # A plain connection would create a file that is missing; one that may only read leaves its
        # journal behind.
        file = f"file:{quote(address.database)}?mode=rw"
        engine = create_engine(
            "sqlite://", creator=lambda: _connect_sqlite(file), poolclass=NullPool
        )
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if address.get_backend_name() == "postgresql":
        return create_engine(
            address.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            isolation_level="REPEATABLE READ",
            connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
        )
    raise ArgumentError("neither SQLite nor PostgreSQL")


def _connect_sqlite(file: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        file, timeout=CONNECT_TIMEOUT_SECONDS, isolation_level=None, uri=True
    )
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _to_array(values: list[Any], type_: pa.DataType) -> pa.Array:
    """Return a column; the driver of SQLite tells truth as 0 and 1."""
    if pa.types.is_boolean(type_):
        values = [None if value is None else bool(value) for value in values]
    return pa.array(values, type_)


def _label(address: URL) -> str:
    public = URL.create(
        address.get_backend_name(), host=address.host, port=address.port, database=address.database
    )
    return public.render_as_string()


def _check_schema(connection: Connection, label: str) -> None:
    version = None
    if inspect(connection).has_table(alembic_version.name):
        version = connection.scalar(select(alembic_version.c.version_num))
    if version != SCHEMA:
        state = f"has schema {version} of the store" if version else "holds no store of Regulars"
        raise InputError(
            f"{label} {state}, and schema {SCHEMA} is read here; run: regulars migrate."
        )


@contextmanager
def _address_errors(option: str) -> Iterator[None]:
    """Turn errors about an address into one sentence, without the address."""
    try:
        yield
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise InputError(
            f"{option}: the store's address cannot be read; write it like {ADDRESS_EXAMPLES}."
        ) from None
    except ModuleNotFoundError:
        raise InputError(
            f"{option}: PostgreSQL needs its driver: pip install 'regulars[postgres]'."
        ) from None


@contextmanager
def _database_errors(label: str) -> Iterator[None]:
    """Turn errors of the database into one sentence."""
    try:
        yield
    except SQLAlchemyError as error:
        raise InputError(f"{label} cannot be read: {_cause_of(error)}.") from None


def _cause_of(error: SQLAlchemyError) -> str:
    cause = str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__
    return cause.strip().splitlines()[0]

"""However much a shop has reported: no query about one customer reads a whole PostgreSQL table."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Connection, Engine, event, text

from service.store import campaigns, erasure, events, purchases
from service.store.database import connect, writing
from service.store.quotas import Quota, TokenOwner
from service.store.store import _changed_counters
from service.store.writer import Change
from tests.support.store_server import new_store

NUMBERS: Final = 20_000
STATEMENTS: Final = (
    f"INSERT INTO events (number, event_id, line, kind, time, customer_id, session_id, product_id, "
    f"order_id) "
    f"SELECT i, i, 0, i % 3, i, CASE WHEN i % 2 = 0 THEN i % 5000 END, i % 7000, i % 3000, i "
    f"FROM generate_series(1, {NUMBERS}) AS i",
    f"INSERT INTO sessions SELECT i, i % 5000, i FROM generate_series(1, {NUMBERS}) AS i",
    f"INSERT INTO slates SELECT sha256(i::text::bytea), 'c', i % 5000, i, '{{}}' "
    f"FROM generate_series(1, {NUMBERS}) AS i",
    f"UPDATE position SET number = {NUMBERS}",
    "ANALYZE",
)
QUERIES: Final[dict[str, Callable[[Change], object]]] = {
    "a customer": lambda change: events.read_customer(change.connection, "7", 0),
    "a session": lambda change: events.read_session(change.connection, "7"),
    "an order": lambda change: events.read_order(change.connection, "7"),
    "an order of its owner": lambda change: events.read_order(
        change.connection, "7", TokenOwner("7", "8")
    ),
    "whose order it is": lambda change: events.read_buyers(change.connection, "7"),
    "sold lines": lambda change: events.read_sold_lines(
        change.connection, NUMBERS - 10, NUMBERS - 5, NUMBERS, -1
    ),
    "what was bought": lambda change: purchases.read_bought(
        change.connection, NUMBERS - 10, NUMBERS, 0, 100
    ),
    "ratings": lambda change: events.read_ratings(change.connection, "7"),
    "mails": lambda change: campaigns.read_mails(change.connection, "7"),
    "mails of a campaign": lambda change: campaigns.list_mails(
        change.connection,
        campaigns.Campaign("c", "newsletter", "v", 0, NUMBERS - 10, 72, 3),
        10,
    ),
    "changes": lambda change: list(_changed_counters(change.connection, NUMBERS - 5, NUMBERS)),
    "an event": lambda change: events.write(change, [view()]),
    "an event within a quota": lambda change: events.write(
        change, [view()], Quota(TokenOwner("7", None), 10, 10_000, 1_000_000)
    ),
    "being forgotten": lambda change: erasure.erase(change, "7", 1),
    "old mails": lambda change: campaigns.forget_mails(change, 5),
}


def view() -> events.Event:
    return events.Event("new", 0, 1, (events.EventLine("7"),), customer_id="7", session_id="new")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = connect(new_store("postgresql", Path(tmp_path_factory.mktemp("plans"))))
    with writing(engine) as connection:
        for statement in STATEMENTS:
            connection.execute(text(statement))
    yield engine
    engine.dispose()


@pytest.mark.parametrize("name", QUERIES)
def test_no_whole_table_is_read(filled: Engine, name: str) -> None:
    statements: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, values: Any, ___: object, many: bool) -> None:
        if not many and not statement.startswith(("INSERT", "SET")):
            statements.append((statement, values))

    event.listen(filled, "before_cursor_execute", note)
    with writing(filled) as connection:
        QUERIES[name](Change(connection, NUMBERS, None, 0))
        event.remove(filled, "before_cursor_execute", note)
        assert statements
        for statement, values in statements:
            assert [line for line in plan(connection, statement, values) if is_whole(line)] == [], (
                statement
            )
        connection.rollback()


def plan(connection: Connection, statement: str, values: Any) -> list[str]:
    return list(connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars())


def is_whole(line: str) -> bool:
    return any(f"Seq Scan on {table}" in line for table in ("events", "sessions", "slates"))

"""PostgreSQL freezes, is restored or would lose a commit: callers learn it in time."""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Signal
from typing import Any, Final

import psutil
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool
from starlette.testclient import TestClient

from service.routes.request_context import WRITE_SECONDS
from service.store.database import MIGRATION_LOCK, SILENCE_SECONDS, StoreDownError, connect, migrate
from service.store.store import Store
from service.store.writer import Change
from tests.support.postgres_server import PostgresServer
from tests.support.service_shop import Browse, Shop, process, status, wait_until

pytestmark = pytest.mark.slow

SETTINGS: Final[dict[str, Any]] = {"breaker_failures": 1, "breaker_seconds": 0.05}
WHEN: Final = "2025-06-28T12:00:00Z"


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    opened = PostgresServer(Path(tempfile.mkdtemp(prefix="regulars-pg-")))
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def operator(server: PostgresServer) -> Iterator[Callable[[str], Any]]:
    url = make_url(server.url).set(drivername="postgresql+psycopg")
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield lambda statement: connection.execute(text(statement))


def cut(run: Callable[[str], Any]) -> None:
    """Every connection but this one."""
    run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
    )


def report(client: TestClient, event_id: str) -> int:
    event = {
        "event_id": event_id,
        "kind": "view",
        "time": WHEN,
        "customer_id": "c00",
        "product_id": "bread",
    }
    return client.post("/v1/events", json={"events": [event]}).status_code


def slate(client: TestClient, n: int = 4) -> tuple[int, str | None]:
    answer = client.get(f"/v1/customers/c00/recommendations?n={n}")
    return answer.status_code, answer.json().get("fallback_reason")


def assert_away(client: TestClient) -> None:
    for n in range(5, 9):  # one after the other: the breaker lets a call through again and again
        assert slate(client, n) == (200, "store_unavailable")
        time.sleep(SETTINGS["breaker_seconds"])
    assert report(client, "not kept") == 503


def assert_back(client: TestClient) -> None:
    wait_until(lambda: slate(client) == (200, None))
    assert report(client, "kept") == 202


def test_while_a_table_is_missing_slates_go_out_and_the_store_is_asked_again_when_it_is_back(
    browse: Browse, server: PostgresServer
) -> None:
    client = browse(database_url=server.url, **SETTINGS)
    assert report(client, "seen") == 202  # so that the table of events is read for the slate
    with operator(server) as run:
        for table in ("events", "position"):
            run(f"ALTER TABLE {table} RENAME TO restored")
            assert_away(client)
            run(f"ALTER TABLE restored RENAME TO {table}")
            assert_back(client)


def test_a_database_that_would_lose_a_commit_now_is_away_until_it_would_not(
    browse: Browse, server: PostgresServer
) -> None:
    client = browse(database_url=server.url, **SETTINGS)
    assert_back(client)  # so that it is known who may call
    with operator(server) as run:
        for statement, setting in (("SET fsync = off", "off"), ("RESET fsync", "on")):
            run(f"ALTER SYSTEM {statement}")
            run("SELECT pg_reload_conf()")
            wait_until(lambda setting=setting: run("SHOW fsync").scalar() == setting)
            cut(run)
            (assert_away if setting == "off" else assert_back)(client)


def test_a_frozen_database_keeps_no_caller_waiting_for_long(
    browse: Browse, server: PostgresServer
) -> None:
    client = browse(database_url=server.url, **SETTINGS)
    calls: list[Callable[[], int]] = [
        lambda: report(client, "twice"),
        lambda: client.get("/v1/rules").status_code,
    ]
    with ThreadPoolExecutor(6) as callers:

        def answers() -> list[int]:
            return list(callers.map(lambda call: call(), calls * 3))

        assert (
            answers() == [202, 200] * 3
        )  # so that there are connections, which break without a word
        server.stop()
        began = time.monotonic()
        assert answers() == [503] * 6
        assert time.monotonic() - began < WRITE_SECONDS + 5
        server.resume()
        wait_until(lambda: answers() == [202, 200] * 3)


def test_a_host_that_is_lost_while_it_writes_does_not_stop_the_others(
    server: PostgresServer, tmp_path: Path
) -> None:
    lost, other = (Store(server.url, tmp_path / host) for host in ("lost", "other"))
    writing, reached = Signal(), Signal()

    def freeze(change: Change) -> None:
        writing.set()
        reached.wait(30)
        change.take_numbers(1)

    frozen = lost.write(freeze)
    assert writing.wait(10)
    wait_until(lambda: other.write(lambda change: change.take_numbers(1)).exception() is None)
    reached.set()
    assert isinstance(frozen.exception(), StoreDownError)
    for store in (lost, other):
        store.close()


def test_it_starts_without_its_database_and_goes_on_with_it(
    browse: Browse, server: PostgresServer
) -> None:
    server.kill()
    headers = {"Authorization": "Bearer the first key"}
    client = browse(database_url=server.url, api_key="the first key", **SETTINGS)
    client.headers.update(headers)
    answer = client.get("/v1/customers/c00/recommendations").json()
    assert answer["strategy"] == "popular"  # c00 may have asked to be forgotten
    assert answer["fallback_reason"] == "store_unavailable"
    assert client.get("/readyz").json()["ready"]
    assert report(client, "not kept") == 503
    server.start()
    assert_back(client)
    assert client.get("/v1/customers/c00/recommendations").json()["strategy"] == "personal"


def test_a_worker_that_ends_while_the_database_is_away_stops_no_other(
    own_shop: Shop, server: PostgresServer, tmp_path: Path
) -> None:
    with process(own_shop.root, tmp_path / "run", workers=2, database_url=server.url) as port:
        wait_until(lambda: len(workers_at(port)) == 2)
        server.kill()
        ended = workers_at(port).pop()
        os.kill(ended, signal.SIGKILL)
        wait_until(lambda: len(workers_at(port) - {ended}) == 2)
        assert status(port, "/healthz") == 200
        server.start()
        wait_until(lambda: all(status(port, "/v1/rules") == 200 for _ in range(16)))


def workers_at(port: int) -> set[int]:
    """The processes that listen there."""
    connections = psutil.net_connections("tcp")
    return {
        at.pid
        for at in connections
        if at.pid and at.status == psutil.CONN_LISTEN and at.laddr[1] == port
    }


def test_a_migration_takes_the_time_it_needs(server: PostgresServer) -> None:
    engine = connect(server.url)
    waits = (
        "SELECT EXTRACT(EPOCH FROM now() - query_start) FROM pg_stat_activity "
        "WHERE wait_event = 'advisory'"
    )
    with operator(server) as run, ThreadPoolExecutor(1) as migrating:
        run(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
        migrated = migrating.submit(migrate, engine)
        wait_until(lambda: migrated.done() or (run(waits).scalar() or 0) > SILENCE_SECONDS + 1)
        run(f"SELECT pg_advisory_unlock({MIGRATION_LOCK})")
        migrated.result(10)
    engine.dispose()

"""What is committed survives; a database that would not promise it is refused, in a sentence."""

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, create_engine, inspect, literal, make_url, select, text
from sqlalchemy.pool import NullPool

from service.store.database import (
    MIGRATE_COMMAND,
    SCHEMA,
    SQLITE_DURABILITY,
    SnapshotRead,
    StoreBrokenError,
    StoreDownError,
    StoreError,
    assert_durable,
    check_schema,
    connect,
    migrate,
    prepare,
    read_schema_version,
    reading,
)
from service.store.tables import metadata
from tests.support.service_shop import wait_until
from tests.support.store_server import KINDS, empty_database, new_store, postgresql

DURABLE = {
    "sqlite": {"PRAGMA journal_mode": "wal", "PRAGMA synchronous": 2},
    "postgresql": {"SHOW synchronous_commit": "on", "SHOW fsync": "on"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_connection_waits_until_the_disk_has_it(kind: str, tmp_path: Path) -> None:
    engine = connect(new_store(kind, tmp_path))
    with reading(engine) as first, reading(engine) as second:
        for connection in (first, second):
            settings = {
                question: connection.execute(text(question)).scalar() for question in DURABLE[kind]
            }
            assert settings == DURABLE[kind]
    engine.dispose()


def test_a_database_that_does_not_wait_for_the_disk_is_refused() -> None:
    with pytest.raises(StoreError, match="synchronous = 1, and acknowledged events need 2"):
        assert_durable({"journal_mode": "wal", "synchronous": 1}, SQLITE_DURABILITY)


@pytest.mark.parametrize("kind", KINDS)
def test_the_migrations_make_the_tables_that_the_service_uses(kind: str, tmp_path: Path) -> None:
    engine = connect(new_store(kind, tmp_path))
    assert read_schema_version(engine) == SCHEMA
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert set(inspect(connection).get_view_names()) == {
            "training_events",
            "training_customers",
        }
    engine.dispose()


@pytest.mark.parametrize("kind", KINDS)
def test_migrating_twice_changes_nothing(kind: str, tmp_path: Path) -> None:
    engine = connect(new_store(kind, tmp_path))
    migrate(engine)
    check_schema(engine)
    engine.dispose()


@pytest.mark.parametrize("kind", KINDS)
def test_another_schema_is_refused_with_the_command_that_helps(kind: str, tmp_path: Path) -> None:
    url = new_store(kind, tmp_path)
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(
        StoreError, match=f"has schema 0000, and {SCHEMA} is needed. Run: {MIGRATE_COMMAND}"
    ):
        prepare(url)
    engine.dispose()


def test_the_embedded_store_makes_itself_and_an_empty_postgresql_waits_for_the_command(
    tmp_path: Path,
) -> None:
    prepare(f"sqlite:///{tmp_path}/store.db")
    with pytest.raises(StoreError, match=f"the store is to be in {tmp_path}/deeper, which is no"):
        prepare(f"sqlite:///{tmp_path}/deeper/store.db")
    with pytest.raises(StoreError, match=f"the database is empty.* Run: {MIGRATE_COMMAND}"):
        prepare(empty_database("postgresql", tmp_path))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite://", "a store in memory would not survive"),
        ("mysql://root:secret@host/db", "SQLite and PostgreSQL are"),
        ("no address", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_without_the_password(
    url: str, sentence: str
) -> None:
    with pytest.raises(StoreError, match=sentence) as refused:
        connect(url)
    assert "secret" not in str(refused.value)


def test_a_server_that_is_not_there_is_down_and_not_broken() -> None:
    engine = connect("postgresql://nobody:secret@127.0.0.1:1/none")
    with pytest.raises(StoreDownError) as refused, reading(engine):
        pass
    assert "secret" not in str(refused.value)
    with pytest.raises(StoreDownError) as refused:
        SnapshotRead(engine, select(literal(1)))()
    assert "secret" not in str(refused.value)
    engine.dispose()


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"database": "none"}, "database does not exist"),
        ({"username": "nobody"}, "role does not exist"),
        ({"username": "asker", "password": "wrong"}, "password authentication failed"),
        ({"username": "asker"}, "no password supplied"),
    ],
)
def test_a_server_that_lets_nobody_in_is_broken_and_not_down(
    asked_for_passwords: URL, change: dict[str, Any], cause: str
) -> None:
    url = asked_for_passwords.set(**change).render_as_string(hide_password=False)
    with pytest.raises(StoreBrokenError) as refused:
        SnapshotRead(connect(url), select(literal(1)))()
    assert refused.value.cause == cause
    with pytest.raises(StoreBrokenError) as refused:
        prepare(url)
    assert refused.value.cause == cause
    assert "wrong" not in str(refused.value)
    assert "asker" not in str(refused.value)


@pytest.fixture(scope="module")
def asked_for_passwords() -> URL:
    """The address of the server that all tests share, which asks one role for a password."""
    url = make_url(postgresql()).set(drivername="postgresql+psycopg")
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        rules = Path(str(connection.execute(text("SHOW hba_file")).scalar()))
        connection.execute(text("CREATE ROLE asker LOGIN PASSWORD 'right'"))
        rules.write_text("local all asker scram-sha-256\n" + rules.read_text())
        loaded = connection.execute(text("SELECT pg_conf_load_time()")).scalar()
        connection.execute(text("SELECT pg_reload_conf()"))
        reading = text("SELECT pg_conf_load_time()")
        wait_until(lambda: connection.execute(reading).scalar() != loaded)
    return url.set(drivername="postgresql")


def test_a_file_that_is_no_database_is_broken(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"this is no database, whatever its name says" * 100)
    problem = f"the store {tmp_path}/store.db cannot be used: file is not a database"
    with pytest.raises(StoreBrokenError, match=problem):
        prepare(f"sqlite:///{tmp_path}/store.db")


def test_the_store_is_one_file_that_any_sqlite_reads(tmp_path: Path) -> None:
    engine = create_engine(new_store("sqlite", tmp_path))
    assert set(inspect(engine).get_table_names()) == {*metadata.tables, "alembic_version"}
    engine.dispose()

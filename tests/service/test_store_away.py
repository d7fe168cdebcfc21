"""The store goes away in the middle of an answer: the answer goes out all the same, and says so."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from tests.service.conftest import Browse, wait_until
from tests.service.postbox import patch
from tests.store_server import new_store

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@contextmanager
def operator(url: str) -> Iterator[Connection]:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    "address",
    [
        "/v1/customers/c00/recommendations",
        "/v1/customers/c00/recommendations?placement=email&campaign=spring",
        "/v1/popular",
        "/v1/feeds/popular.json",
        "/v1/customers/c00/recommendations.html",
    ],
)
def test_a_connection_that_is_cut_between_two_reads_is_no_error(browse: Browse, tmp_path: Path, address: str) -> None:
    url = new_store("postgresql", tmp_path)
    client = browse(database_url=url)
    assert client.get("/v1/customers/c00/recommendations?placement=email&campaign=spring").status_code == 200
    with operator(url) as holding, operator(url) as cutting, ThreadPoolExecutor(1) as caller:

        def cut() -> int:
            cutting.rollback()
            return len(cutting.execute(text(f"SELECT pg_terminate_backend(pid) FROM ({WAITING}) AS waiting")).all())

        cuts = 0
        for price in count(2):  # until the products were not read already by what follows the store
            patch(client, "bread", price=price)
            holding.execute(text("LOCK TABLE products IN ACCESS EXCLUSIVE MODE"))
            answered = caller.submit(client.get, address)
            while not answered.done():
                cuts += cut()
                time.sleep(0.01)
            answer = answered.result()
            holding.rollback()
            if cuts:
                break
        assert answer.status_code == 200
        if address.endswith(("recommendations", "spring")):
            assert answer.json()["fallback_reason"] == "store_unavailable"
    wait_until(lambda: client.get("/v1/customers/c01/recommendations").json()["fallback_reason"] is None)

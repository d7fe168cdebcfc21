"""A shop is erased everywhere, with a receipt, and nothing before somebody says yes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from models.artifact.registry import Registry
from service.http.authorization import Scope
from service.runtime.redis_client import connect
from service.store.shop_erasure import ERASED_TABLES, KEPT_TABLES
from service.store.store import Store
from service.store.tables import metadata
from tests.support.keyed_service import make_key, store_of
from tests.support.redis_server import RedisServer
from tests.support.service_shop import Browse, Shop, wait_until
from tests.support.store_server import KINDS, new_store

pytestmark = pytest.mark.slow

KEY = "the key of this shop"
HEADERS = {"X-API-Key": KEY}
BOUGHT = {
    "event_id": "one",
    "kind": "purchase",
    "customer_id": "c77",
    "order_id": "7",
    "time": "2025-06-29T10:00:00Z",
    "lines": [{"product_id": "bread"}],
}


def erase_shop(settings: dict[str, object], *options: str) -> dict[str, Any]:
    """Run the command, and return what it prints."""
    variables = {f"REGULARS_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "service", "erase-shop", *options]
    done = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def keys_in(redis: RedisServer) -> list[bytes]:
    async def read() -> list[bytes]:
        client = connect(redis.url, 5)
        try:
            return [key async for key in client.scan_iter()]
        finally:
            await client.aclose()

    return asyncio.run(read())


def count_left(store: Store) -> int:
    def count(connection: Any) -> int:
        counts = [select(func.count()).select_from(table) for table in ERASED_TABLES]
        return sum(connection.execute(query).scalar_one() for query in counts)

    return store.read(count)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shop_is_erased_from_store_registry_and_redis_once_somebody_says_yes(
    kind: str, own_shop: Shop, browse: Browse, redis_server: RedisServer, tmp_path: Path
) -> None:
    redis_server.flush()
    settings: dict[str, object] = {
        "database_url": new_store(kind, tmp_path),
        "redis_url": redis_server.url,
        "runtime_dir": tmp_path / "run",
    }
    client = browse(own_shop.root, **settings, api_key=KEY, unasked="allow", redis_timeout_ms=1000)
    named = {**settings, "registry": own_shop.root}
    registry = Registry(own_shop.root)
    version = own_shop.model.version
    store = store_of(client)
    key = make_key(store, Scope.READ)
    (own_shop.root / "reports").mkdir(exist_ok=True)
    (own_shop.root / "reports" / f"{version}.html").write_text("<bdi>c00</bdi>")
    assert client.post("/v1/events", json={"events": [BOUGHT]}, headers=HEADERS).status_code == 202
    assert client.delete("/v1/customers/c01", headers=HEADERS).status_code == 200
    path = "/v1/customers/c77/recommendations"
    assert client.get(path, headers=HEADERS).json()["strategy"] == "personal"
    wait_until(lambda: keys_in(redis_server) != [])

    assert client.get("/v1/customers/c77/export", headers=HEADERS).json()["events"]

    told = erase_shop(named)
    assert told["store"]["events"] == 1
    assert (told["versions"], told["reports"]) == ([version], 1)
    assert registry.names() == [version]

    receipt = erase_shop(named, "--yes")
    assert receipt["store"] == told["store"]
    assert (receipt["versions"], receipt["reports"]) == ([version], 1)
    assert receipt["cached_answers"] >= 1
    assert registry.names() == []
    left = {file.name for file in own_shop.root.iterdir()} - {".lock", "versions"}
    assert left == {"refusals"}
    (journal,) = (own_shop.root / "refusals").glob("*.jsonl")
    assert b'"c01"' not in journal.read_bytes()  # it holds hashes alone
    assert [key for key in keys_in(redis_server) if key.startswith(b"regulars:")] == []
    assert count_left(store) == 1  # the line of the audit log
    (change,) = client.get("/v1/audit", headers=HEADERS).json()["changes"]
    assert (change["action"], change["actor"]) == ("shop erased", "command line")
    assert change["after"] == receipt["store"]

    # A service that was not stopped: the store's part is gone from the very next answer
    assert client.get("/v1/customers/c77/export", headers=HEADERS).json()["events"] == []
    assert client.get(path, headers=HEADERS).json()["strategy"] != "personal"
    assert client.get("/v1/popular", headers={"X-API-Key": key}).status_code == 200
    of_erased = {"events": [BOUGHT | {"customer_id": "c01"}]}
    assert client.post("/v1/events", json=of_erased, headers=HEADERS).json()["rejected"]
    again = erase_shop(named, "--yes")
    # That line, and the look at c77 since
    assert (again["store"], again["versions"]) == ({"audit": 2}, [])


def test_a_request_can_be_dismissed_and_a_redis_that_is_away_holds_nothing_up(
    own_shop: Shop, tmp_path: Path
) -> None:
    named: dict[str, object] = {
        "registry": own_shop.root,
        "redis_url": "redis://127.0.0.1:1",
        "runtime_dir": tmp_path / "run",
    }
    assert erase_shop(named, "--dismiss") == {"dismissed": []}
    receipt = erase_shop(named, "--yes")
    assert receipt["cached_answers"] is None
    assert "Redis did not answer" in receipt["text"]
    assert Registry(own_shop.root).names() == []


def test_whatever_the_store_holds_is_erased_but_what_keeps_somebody_out() -> None:
    assert {table.name for table in KEPT_TABLES} == {
        "position",
        "marks",
        "secrets",
        "erased",
        "lost_consents",
        "keys",
        "shops",
    }
    assert KEPT_TABLES.isdisjoint(ERASED_TABLES)
    assert KEPT_TABLES | set(ERASED_TABLES) == set(metadata.sorted_tables)

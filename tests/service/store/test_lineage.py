"""A store that is not the model's, that went back or was replaced: every no counts all the same."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.artifact.registry import Registry
from models.data.customers import NO as NOT
from models.data.customers import PERSONALIZE_WEB
from service.store import consents
from service.store.change_counters import POINT_NUMBER
from service.store.database import StoreDownError
from service.store.store import Store
from tests.support.service_shop import Browse, Shop, wait_until
from tests.support.store_copies import Database
from tests.support.store_server import KINDS

pytestmark = pytest.mark.slow

SLATE = "/v1/customers/{}/recommendations"
NO = {"personalize_web": False}
SETTINGS: dict[str, Any] = {"follow_seconds": 0.05, "breaker_failures": 1, "breaker_seconds": 0.05}


def strategy(client: TestClient, customer_id: str = "c00") -> str:
    """The strategy of an answer that is asked for twice, so that it may come from the cache."""
    first, second = (client.get(SLATE.format(customer_id)).json() for _ in range(2))
    assert first["strategy"] == second["strategy"]
    found: str = second["strategy"]
    return found


def say(client: TestClient, answer: dict[str, object] = NO, customer_id: str = "c00") -> int:
    return client.put(f"/v1/customers/{customer_id}/consent", json=answer).status_code


def refuses(store: Store, customer_id: str = "c00") -> bool:
    """Whether a no is kept; it is not while connections to a store that was copied are gone."""
    work = partial(consents.give, customer_id=customer_id, values={PERSONALIZE_WEB: NOT}, time=1)
    return store.write(lambda change: work(change)).exception(10) is None


def follows(store: Store) -> bool:
    try:
        store.follow()
    except StoreDownError:
        return False
    return True


def report(client: TestClient, kind: str, event_id: str, customer_id: str = "c00") -> int:
    event = {
        "event_id": event_id,
        "kind": kind,
        "time": "2025-06-29T10:00:00Z",
        "customer_id": customer_id,
        "product_id": "bagel",
    }
    return client.post("/v1/events", json={"events": [event]}).status_code


def shown(client: TestClient) -> list[str]:
    products = client.get(SLATE.format("c00"), params={"n": 40}).json()["recommendations"]
    return [product["id"] for product in products]


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    return Database(request.param, tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Database:
    return Database("sqlite", tmp_path)


@pytest.fixture
def shop_of(own_shop: Shop) -> Any:
    """Publish the shop's model as one that has learned from a store up to a point."""

    def publish(number: int, mark: str) -> Path:
        recommender = own_shop.model.recommender
        manifest = replace(recommender.manifest, event_position=number, event_mark=mark)
        Registry(own_shop.root).publish(recommender.model, manifest)
        return own_shop.root

    return publish


def assert_told(client: TestClient, problem: str | None) -> None:
    gauge = f'regulars_store_not_of_model{{shop="main"}} {float(problem is not None)}'

    def is_told() -> bool:
        told = client.get("/readyz").json()["store_of_model"]
        is_same = told is None if problem is None else (told or "").startswith(problem)
        return is_same and gauge in client.get("/metrics").text

    wait_until(is_told)


OTHER = "the model has learned up to the change 500 of a store, which this store does not hold"


def test_with_a_model_that_is_ahead_of_its_store_every_no_and_every_dismissal_counts(
    browse: Browse, database: Database, shop_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = browse(shop_of(500, "0123456789abcdef"), database_url=database.url, **SETTINGS)
    assert_told(client, OTHER)
    assert OTHER in caplog.text
    assert "bagel" in shown(client)
    assert report(client, "dismiss", "e1") == 202
    assert "bagel" not in shown(client)
    assert strategy(client) == "personal"
    assert say(client) == 200
    assert strategy(client) == "not_personalized"
    assert client.delete("/v1/customers/c01").status_code == 200
    assert strategy(client, "c01") == "popular"


def test_an_older_copy_of_the_models_store_is_told_also_once_it_has_counted_on(
    browse: Browse, database: Database, shop_of: Any
) -> None:
    client = browse(database_url=database.url, **SETTINGS)
    assert report(client, "view", "e1") == 202
    copied = database.copy()
    wait_until(lambda: report(client, "view", "e2") == 202)
    learned = database.point()
    client.__exit__()
    database.restore(copied)
    client = browse(
        database_url=database.url, runtime_dir=database._folder / "elsewhere", **SETTINGS
    )
    for number in range(4):
        assert report(client, "view", f"beyond {number}", "c01") == 202
    client.__exit__()
    assert database.point()[0] > learned[0]
    client = browse(shop_of(*learned), database_url=database.url, **SETTINGS)
    assert_told(client, "the model has learned up to the change 2 of a store, which this store")
    assert say(client) == 200
    assert strategy(client) == "not_personalized"


def test_what_the_models_own_store_held_at_the_training_is_not_counted_again(
    browse: Browse, database: Database, shop_of: Any
) -> None:
    client = browse(database_url=database.url, **SETTINGS)
    assert report(client, "dismiss", "e1") == 202
    client.__exit__()
    client = browse(shop_of(*database.point()), database_url=database.url, **SETTINGS)
    assert_told(client, None)
    assert "bagel" in shown(client)  # as this model, which did not really learn it, has it
    assert say(client) == 200
    assert strategy(client) == "not_personalized"
    assert_told(client, None)


def test_a_model_that_names_no_mark_takes_everything_in_the_store_for_new(
    browse: Browse, file: Database, shop_of: Any
) -> None:
    client = browse(shop_of(500, ""), database_url=file.url, **SETTINGS)
    assert_told(client, "the model was trained before stores had marks")
    assert say(client) == 200
    assert strategy(client) == "not_personalized"


def test_a_no_that_the_restored_store_has_lost_stays_a_no_until_they_answer_again(
    browse: Browse, database: Database, shop: Shop
) -> None:
    client = browse(database_url=database.url, **SETTINGS)
    assert say(client, NO, "c02") == 200
    copied = database.copy()
    wait_until(lambda: say(client) == 200)
    assert strategy(client) == "not_personalized"
    assert strategy(client, "c01") == "personal"  # and in the cache
    database.restore(copied)
    wait_until(lambda: say(client, NO, "c01") == 200)
    assert strategy(client, "c01") == "not_personalized"
    assert [strategy(client), strategy(client, "c02")] == ["not_personalized"] * 2
    assert strategy(client, "c03") == "personal"
    client.__exit__()
    client = browse(database_url=database.url, **SETTINGS)
    assert [strategy(client), strategy(client, "c03")] == ["not_personalized", "personal"]
    assert say(client, {"personalize_web": True}) == 200
    assert strategy(client) == "personal"


def test_nothing_is_read_of_an_older_copy_that_another_host_goes_on_with(
    tmp_path: Path,
) -> None:
    database = Database("postgresql", tmp_path)  # which two hosts may share
    here, there = (Store(database.url, tmp_path / host) for host in ("here", "there"))
    copied = database.copy()
    wait_until(lambda: refuses(here))
    database.restore(copied)
    wait_until(lambda: refuses(there, "c01"))
    for number in range(3):
        refuses(there, f"c{number + 2:02}")
    assert there.read_records("c00", None, 0).position.number > here.counters[POINT_NUMBER]
    for _ in range(2):
        with pytest.raises(StoreDownError, match="does not hold"):
            here.read_records("c00", None, 0)
        with pytest.raises(StoreDownError, match="does not hold"):
            here.read_if_unchanged("c05", None, 0)
    wait_until(lambda: follows(here))
    assert here.read_records("c00", None, 0).words.consents.lost > 0
    here.close()
    there.close()


def test_a_database_that_takes_no_connection_is_one_that_does_not_answer(tmp_path: Path) -> None:
    database = Database("postgresql", tmp_path)
    store = Store(database.url, tmp_path)
    assert store.read_if_unchanged("c00", None, 0) is not None
    database.close()
    for _ in range(3):  # a connection that was cut, and then none
        with pytest.raises(StoreDownError):
            store.read_if_unchanged("c00", None, 0)
    store.close()


def test_who_was_forgotten_after_the_copy_stays_forgotten(
    browse: Browse, database: Database, shop: Shop
) -> None:
    client = browse(database_url=database.url, **SETTINGS)
    assert strategy(client) == "personal"
    copied = database.copy()
    wait_until(lambda: client.delete("/v1/customers/c00").status_code == 200)
    assert strategy(client) == "popular"
    database.restore(copied)
    wait_until(lambda: say(client, NO, "c01") == 200)
    assert strategy(client) != "personal"
    client.__exit__()
    assert strategy(browse(database_url=database.url, **SETTINGS)) != "personal"


def test_a_store_file_that_is_gone_takes_nothing_and_the_next_one_is_told(
    browse: Browse, file: Database, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    client = browse(database_url=file.url, **SETTINGS)
    assert say(client) == 200
    file.remove()
    assert [report(client, "view", f"e{number}") for number in range(8)] == [503] * 8
    assert client.get("/readyz").status_code == 503
    assert client.get("/readyz").json()["store"].endswith("is gone")
    assert not file.path.exists()
    assert strategy(client) == "not_personalized"


def test_after_a_store_file_was_replaced_nothing_is_acknowledged_that_the_new_one_has_not(
    browse: Browse, file: Database, shop: Shop
) -> None:
    client = browse(database_url=file.url, **SETTINGS | {"follow_seconds": 1})
    copied = file.copy()
    assert say(client) == 200
    file.restore(copied)
    statuses = {f"e{number}": report(client, "view", f"e{number}") for number in range(8)}
    assert 503 in statuses.values()
    wait_until(lambda: report(client, "view", "later") == 202)
    with closing(sqlite3.connect(file.path)) as connection:
        kept = {event_id for (event_id,) in connection.execute("SELECT event_id FROM events")}
    assert kept >= {event_id for event_id, status in statuses.items() if status == 202}
    assert "later" in kept
    assert strategy(client) == "not_personalized"


def test_a_removed_store_is_another_one_after_a_restart_and_the_noes_stay_on_this_host(
    browse: Browse, file: Database, shop_of: Any
) -> None:
    root = shop_of(*file.point())
    client = browse(root, database_url=file.url, **SETTINGS)
    assert say(client) == 200
    client.__exit__()
    file.remove()
    client = browse(root, database_url=file.url, **SETTINGS)
    assert strategy(client) == "not_personalized"
    assert say(client, NO, "c01") == 200
    assert strategy(client, "c01") == "not_personalized"


GARBAGE = b"this is no database, whatever its name says" * 100


@pytest.mark.parametrize("ending", ["", "-wal"])
def test_nothing_is_acknowledged_on_a_store_file_that_is_broken(
    browse: Browse, file: Database, shop: Shop, ending: str
) -> None:
    client = browse(database_url=file.url, **SETTINGS)
    assert report(client, "view", "e") == 202
    part = file.path.with_name(f"{file.path.name}{ending}")
    with part.open("r+b") as stream:
        stream.write(GARBAGE[: part.stat().st_size])
    held = file.path.read_bytes()
    for number in range(8):
        assert report(client, "view", f"e{number}") == 503
        sleep(SETTINGS["follow_seconds"])  # so the store is looked at again between them
    assert file.path.read_bytes() == held  # a broken journal is not written into it

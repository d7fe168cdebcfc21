"""A token has so much stored in a day and no more, whatever it sends."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from models.data.events import DAY
from service.store.events import Event, EventLine, write
from service.store.quotas import Quota, TokenOwner
from service.store.store import Store
from service.store.tables import events, quotas
from tests.support.keyed_service import ANNA, BERT, KeyedService, open_keyed_service, token
from tests.support.service_shop import Shop
from tests.support.store_server import KINDS, new_store

NUMBERS = itertools.count()
EVENTS_A_DAY = 20
NOON = 20_000 * DAY + DAY // 2
OWNER = TokenOwner("anna", None)


@pytest.fixture
def service(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedService]:
    folder = tmp_path_factory.mktemp("service")
    limits = {"customer_events_a_day": EVENTS_A_DAY, "customer_bytes_a_day": 20_000}
    with open_keyed_service(shop, folder, **limits) as opened:
        for name, ids in {"bert": (BERT, None), "other visit": (None, "v2")}.items():
            opened.credentials[name] = token(*ids)
        opened.credentials["anna in v1"] = token(ANNA, "v1")
        yield opened


def views(count: int, **more: object) -> list[dict[str, Any]]:
    return [
        {
            "event_id": f"e{next(NUMBERS)}",
            "kind": "view",
            "time": "2025-06-29T10:00:00Z",
            "product_id": "bread",
            **more,
        }
        for _ in range(count)
    ]


def report(service: KeyedService, who: str, reported: list[dict[str, Any]]) -> Any:
    headers = {"Authorization": f"Bearer {service.credentials[who]}"}
    return service.client.post("/v1/events", headers=headers, json={"events": reported})


def stored(service: KeyedService) -> int:
    def count(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(events)).scalar_one()

    return service.store.read(count)


@pytest.mark.parametrize("who", ["token", "visit"])
def test_a_token_reports_so_many_events_a_day_and_no_more(service: KeyedService, who: str) -> None:
    for _ in range(2):
        assert report(service, who, views(EVENTS_A_DAY // 2)).status_code == 202
    refused = report(service, who, views(1))
    problem = refused.json()
    assert (refused.status_code, problem["type"].split(":")[-1]) == (429, "quota_exceeded")
    assert 0 < int(refused.headers["retry-after"]) <= DAY
    assert problem["detail"].startswith(f"A customer or visit may have {EVENTS_A_DAY} events and ")
    assert stored(service) == EVENTS_A_DAY
    assert report(service, "write", views(50, customer_id=ANNA)).status_code == 202
    for other in ("bert", "other visit"):
        assert report(service, other, views(1)).status_code == 202


def test_a_call_that_does_not_fit_is_refused_whole_and_takes_nothing(service: KeyedService) -> None:
    assert report(service, "token", views(EVENTS_A_DAY + 1)).status_code == 429
    assert stored(service) == 0
    assert report(service, "token", views(EVENTS_A_DAY)).status_code == 202


def test_each_product_of_an_order_counts(service: KeyedService) -> None:
    order = {"event_id": "o", "kind": "purchase", "time": "2025-06-29T10:00:00Z", "order_id": "1"}
    order["lines"] = [{"product_id": f"p{number}"} for number in range(EVENTS_A_DAY + 1)]  # type: ignore[assignment]
    assert report(service, "token", [order]).status_code == 429


def test_bytes_are_limited_as_they_are_stored(service: KeyedService) -> None:
    """The words of an event stand in each of its lines."""
    order = {"event_id": "o", "kind": "purchase", "time": "2025-06-29T10:00:00Z", "order_id": "1"}
    order |= {"words": "w" * 5000}
    order["lines"] = [{"product_id": f"p{number}"} for number in range(5)]  # type: ignore[assignment]
    assert report(service, "token", [order]).status_code == 429
    assert report(service, "token", views(3, words="w" * 5000)).status_code == 202
    assert report(service, "token", views(1, words="w" * 5000)).status_code == 429


def test_an_event_that_is_sent_again_takes_nothing(service: KeyedService) -> None:
    sent = views(EVENTS_A_DAY)
    for repeated in (0, EVENTS_A_DAY, EVENTS_A_DAY):
        answer = report(service, "token", sent)
        assert (answer.status_code, len(answer.json()["repeated"])) == (202, repeated)


def test_a_customer_with_several_visits_has_one_quota(service: KeyedService) -> None:
    assert report(service, "token", views(EVENTS_A_DAY - 1)).status_code == 202
    assert report(service, "anna in v1", views(2)).status_code == 429
    assert report(service, "anna in v1", views(1)).status_code == 202
    assert report(service, "visit", views(1)).status_code == 202  # nobody logged in there


def test_products_that_are_struck_out_take_of_the_same_quota(service: KeyedService) -> None:
    path = f"/v1/customers/{ANNA}/unused"
    for number in range(EVENTS_A_DAY):
        body = {"product_id": f"p{number}"}
        assert service.call("PUT", path, "token", json=body) == 200
    assert service.call("PUT", path, "token", json={"product_id": "one more"}) == 429
    assert service.call("PUT", path, "write", json={"product_id": "one more"}) == 200


def test_who_was_erased_leaves_no_id_in_the_counts(service: KeyedService) -> None:
    report(service, "token", views(1))
    owners = service.store.read(lambda read: read.execute(select(quotas.c.owner)).scalars().all())
    assert len(owners) == 1
    assert ANNA.encode() not in owners[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_quota_holds_over_workers_and_restarts_until_the_next_day(
    kind: str, tmp_path: Path
) -> None:
    url = new_store(kind, tmp_path)

    def fits(store: Store, now: int, owner: TokenOwner = OWNER) -> bool:
        quota = Quota(owner, 3, 10_000, now)
        event = Event(f"e{next(NUMBERS)}", 2, 0, (EventLine("bread"),), owner.customer_id)
        return not store.write(lambda change: write(change, [event], quota)).result(10).over_quota

    workers = [Store(url, tmp_path / "run") for _ in range(2)]
    assert [fits(worker, NOON) for worker in (*workers, *workers)] == [True, True, True, False]
    for worker in workers:
        worker.close()
    store = Store(url, tmp_path / "run")
    assert not fits(store, NOON + DAY // 2 - 1)
    assert fits(store, NOON + DAY // 2)
    assert fits(store, NOON - DAY)  # by a host whose clock is behind
    assert fits(store, NOON + DAY)
    assert not fits(store, NOON - DAY)
    assert fits(store, NOON + 2 * DAY, TokenOwner("bert", None))
    owners = store.read(
        lambda read: read.execute(select(func.count()).select_from(quotas)).scalar()
    )
    assert owners == 1  # counts of earlier days are gone
    store.close()


def test_no_two_owners_share_a_quota() -> None:
    owners = [("a", None), (None, "a"), ("None", None), ("a, b", None), ("a", "b"), (None, None)]
    names = {TokenOwner(*ids).name for ids in owners}
    assert len(names) == len(owners) - 1  # the sessions of a customer have one

"""A customer's token reads and changes the orders of that customer, and of nobody else."""

import itertools
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.support.keyed_service import ANNA, BERT, KeyedService, open_keyed_service, token
from tests.support.service_shop import Shop, wait_until

NUMBERS = itertools.count()
UNKNOWN = "an order nobody reported"
# One moment for every order, so that none of them moves the shop's time.
NOW = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@pytest.fixture
def service(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedService]:
    with open_keyed_service(shop, tmp_path_factory.mktemp("service")) as opened:
        for name, ids in {"bert": (BERT, None), "other visit": (None, "v2")}.items():
            opened.credentials[name] = token(*ids)
        opened.credentials["anna in v1"] = token(ANNA, "v1")
        yield opened


def buy(service: KeyedService, who: str, order_id: str, *products: str, **ids: object) -> None:
    event = {
        "event_id": f"e{next(NUMBERS)}",
        "kind": "purchase",
        "time": NOW,
        "order_id": order_id,
        "lines": [{"product_id": product} for product in products],
        **ids,
    }
    response = ask(service, who, "POST", "/v1/events", json={"events": [event]})
    assert (response.status_code, response.json()["accepted"]) == (202, 1)


def ask(service: KeyedService, who: str, method: str, path: str, **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {service.credentials[who]}"}
    return service.client.request(method, path, headers=headers, **more)


def answers(service: KeyedService, who: str, order_id: str) -> list[tuple[int, Any, bytes]]:
    """Return what each call that takes an order answers: status, ETag, body."""
    about = {"order_id": order_id, "n": 100}
    responses = [
        ask(service, who, "GET", f"/v1/orders/{order_id}/follow-up"),
        ask(service, who, "POST", "/v1/recommendations", json=about),
    ]
    if who != "visit":
        slate = f"/v1/customers/{ANNA}/recommendations"
        responses += [
            ask(service, who, "GET", f"{slate}{ending}", params=about) for ending in ("", ".html")
        ]
    return [
        (response.status_code, response.headers.get("etag"), response.content)
        for response in responses
    ]


def order_of(service: KeyedService, who: str, order_id: str) -> bool:
    """Return whether an order is known to somebody."""
    return ask(service, who, "GET", f"/v1/orders/{order_id}/follow-up").status_code == 200


@pytest.mark.parametrize("who", ["token", "visit"])
def test_a_strangers_order_is_answered_like_one_that_nobody_reported(
    service: KeyedService, who: str
) -> None:
    buy(service, "write", "1001", "bread", "milk", customer_id=BERT)
    buy(service, "write", "1002", "bread", "milk")
    buy(service, "write", "1003", "bread", "milk", session_id="v2")
    buy(service, "bert", "1004", "bread", "milk")
    buy(service, "other visit", "1005", "bread", "milk")
    for order_id in ("1001", "1002", "1003", "1004", "1005"):
        # The first look at the shop's time may fall between two answers, and moves it
        about = partial(answers, service, who)
        wait_until(lambda: about(order_id) == about(UNKNOWN))  # noqa: B023
    assert order_of(service, "read", "1001")
    assert not order_of(service, "read", UNKNOWN)


def test_what_was_answered_with_a_key_is_not_answered_with_a_token(service: KeyedService) -> None:
    buy(service, "write", "1001", "bread", "milk", customer_id=BERT)
    slate = f"/v1/customers/{ANNA}/recommendations"
    shown = []
    for who in ("read", "token"):
        about = {"order_id": "1001", "n": 100, "repeat": "include"}
        answer = ask(service, who, "GET", slate, params=about).json()
        shown.append({product["id"] for product in answer["recommendations"]})
    assert shown[1] - shown[0] == {"bread", "milk"}


def test_the_orders_that_the_shop_reported_of_a_customer_are_theirs(service: KeyedService) -> None:
    buy(service, "write", "1001", "bread", customer_id=ANNA)
    buy(service, "write", "1002", "bread", session_id="v1")
    assert order_of(service, "token", "1001")
    assert not order_of(service, "bert", "1001")
    assert order_of(service, "visit", "1002")
    assert not order_of(service, "token", "1002")
    slate = ask(
        service,
        "token",
        "GET",
        f"/v1/customers/{ANNA}/recommendations",
        params={"order_id": "1001", "n": 100, "repeat": "include"},
    )
    assert "bread" not in {product["id"] for product in slate.json()["recommendations"]}


def test_an_order_of_a_visit_belongs_to_who_logs_in(service: KeyedService) -> None:
    buy(service, "visit", "1001", "bread")
    buy(service, "write", "1002", "bread", session_id="v1")
    assert order_of(service, "visit", "1001")
    assert order_of(service, "visit", "1002")
    assert not order_of(service, "token", "1001")
    buy(service, "anna in v1", "1003", "milk")
    for order_id in ("1001", "1002", "1003"):
        assert order_of(service, "token", order_id), order_id
        assert not order_of(service, "visit", order_id), order_id
        assert not order_of(service, "bert", order_id), order_id


def test_a_token_changes_no_order_of_the_shop_or_of_a_stranger(service: KeyedService) -> None:
    buy(service, "write", "1001", "bread", customer_id=BERT)
    before = [ask(service, who, "GET", "/v1/orders/1001/follow-up") for who in ("read", "bert")]
    for who in ("token", "visit", "other visit"):
        buy(service, who, "1001", "milk", "butter")
    after = [ask(service, who, "GET", "/v1/orders/1001/follow-up") for who in ("read", "bert")]
    assert [response.content for response in after] == [response.content for response in before]
    assert service.store.read_records(None, None, 0, "1001").order == ["bread"]


def test_what_a_browser_orders_shows_in_its_very_next_answer(service: KeyedService) -> None:
    def slate() -> set[str]:
        response = ask(
            service,
            "visit",
            "POST",
            "/v1/recommendations",
            json={"order_id": "1001", "n": 100, "repeat": "include"},
        )
        return {product["id"] for product in response.json()["recommendations"]}

    assert "bread" in slate()
    assert not order_of(service, "visit", "1001")
    buy(service, "visit", "1001", "bread")
    assert "bread" not in slate()
    assert order_of(service, "visit", "1001")
    assert not order_of(service, "read", "1001")


def test_nothing_follows_from_the_order_that_a_browser_told_of_who_refused(
    service: KeyedService,
) -> None:
    def strategy() -> str:
        told = ask(service, "token", "GET", "/v1/orders/1001/follow-up").json()
        return str(told["strategy"])

    buy(service, "token", "1001", "bread")
    assert strategy() == "bundles"
    for personalized, expected in ((False, "not_personalized"), (True, "bundles")):
        consent = {"personalize_web": personalized}
        ask(service, "token", "PUT", f"/v1/customers/{ANNA}/consent", json=consent)
        assert strategy() == expected


def test_an_order_id_of_a_browser_is_checked_as_the_shops(service: KeyedService) -> None:
    event = {
        "event_id": "e",
        "kind": "purchase",
        "time": "2026-01-01T00:00:00Z",
        "order_id": "1" * 501,
        "lines": [{"product_id": "bread"}],
        "customer_id": ANNA,
    }
    refusals = []
    for who in ("write", "token"):
        response = ask(service, who, "POST", "/v1/events", json={"events": [event]})
        refusals.append(response.json())
    assert refusals[0] == refusals[1]
    assert refusals[0]["rejected"][0]["errors"][0]["field"] == "order_id"

"""Reported events show in the very next answer, on every worker, and survive any death."""

from functools import partial
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.schemas.events import NewestEvents
from tests.support.redis_server import RedisServer
from tests.support.service_shop import Browse, Shop, wait_until
from tests.support.store_clients import event, shared

pytestmark = pytest.mark.slow

WHEN = "2025-06-29T10:00:00Z"


@pytest.fixture
def open_shop(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def report(client: TestClient, *events: dict[str, Any]) -> dict[str, Any]:
    response = client.post("/v1/events", json={"events": list(events)})
    assert response.status_code == 202
    answer: dict[str, Any] = response.json()
    return answer


def happened(name: str, kind: str, product_id: str, **more: Any) -> dict[str, Any]:
    return {"event_id": name, "kind": kind, "time": WHEN, "product_id": product_id, **more}


def shown(client: TestClient, customer_id: str, **options: Any) -> list[str]:
    response = client.get(
        f"/v1/customers/{customer_id}/recommendations", params={"n": 20, **options}
    )
    return [slot["id"] for slot in response.json()["recommendations"]]


def test_a_dismissed_product_is_gone_from_the_next_answer_though_it_was_cached(
    open_shop: TestClient,
) -> None:
    first = shown(open_shop, "c00")[0]
    assert shown(open_shop, "c00")[0] == first
    assert report(open_shop, happened("e1", "dismiss", first, customer_id="c00"))["accepted"] == 1
    assert first not in shown(open_shop, "c00")
    assert first in shown(open_shop, "c01")


def test_the_same_event_again_is_accepted_and_changes_nothing(open_shop: TestClient) -> None:
    view = happened("e1", "view", "bread", customer_id="c00")
    assert report(open_shop, view, view) == {"accepted": 1, "repeated": [1], "rejected": []}
    assert report(open_shop, view) == {"accepted": 0, "repeated": [0], "rejected": []}
    held = open_shop.get("/v1/customers/c00/export").json()["events"]
    assert [event["event_id"] for event in held] == ["e1"]


def test_good_events_are_kept_and_bad_ones_named_by_their_place(open_shop: TestClient) -> None:
    answer = report(
        open_shop,
        happened("e1", "view", "bread", customer_id="c00"),
        happened("e2", "view", "bread"),
        {"kind": "x"},
    )
    assert answer["accepted"] == 1
    assert [(event["index"], event["event_id"]) for event in answer["rejected"]] == [
        (1, "e2"),
        (2, None),
    ]
    assert "customer_id" in answer["rejected"][0]["errors"][0]["problem"]


@pytest.mark.parametrize("body", [{}, {"events": []}, {"events": "e"}, {"events": [{}] * 1001}, []])
def test_a_call_without_events_or_with_too_many_is_refused_whole(
    open_shop: TestClient, body: object
) -> None:
    response = open_shop.post("/v1/events", json=body)
    assert (response.status_code, response.headers["content-type"]) == (
        422,
        "application/problem+json",
    )


def test_an_id_that_is_no_text_is_refused_and_told_as_far_as_it_can_be(
    open_shop: TestClient,
) -> None:
    body = b'{"events": [{"event_id": "\\ud800", "kind": "view"}]}'
    response = open_shop.post(
        "/v1/events", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 202
    assert [event["event_id"] for event in response.json()["rejected"]] == ["?"]


def test_who_was_a_stranger_is_known_by_their_first_purchase(open_shop: TestClient) -> None:
    before = open_shop.get("/v1/customers/newcomer/recommendations").json()
    assert (before["strategy"], before["fallback_reason"]) == ("popular", "unknown_customer")
    lines = [{"product_id": "bread"}, {"product_id": "butter"}]
    bought = {"event_id": "o", "kind": "purchase", "time": WHEN, "order_id": "1", "lines": lines}
    report(open_shop, {**bought, "customer_id": "newcomer"})
    after = open_shop.get("/v1/customers/newcomer/recommendations").json()
    assert (after["strategy"], after["fallback_reason"]) == ("personal", None)


def test_a_session_is_a_customer_too_and_becomes_the_one_who_logs_in(open_shop: TestClient) -> None:
    visit = {"session_id": "s1", "n": 5, "fields": "ids"}
    before = open_shop.post("/v1/recommendations", json=visit).json()
    assert before["strategy"] == "popular"
    report(open_shop, happened("e1", "view", "bread", session_id="s1"))
    assert open_shop.post("/v1/recommendations", json=visit).json()["strategy"] == "session"
    assert open_shop.get("/v1/customers/newcomer/recommendations").json()["strategy"] == "popular"
    report(open_shop, happened("e2", "view", "butter", session_id="s1", customer_id="newcomer"))
    held = open_shop.get("/v1/customers/newcomer/export").json()
    assert {event["event_id"] for event in held["events"]} == {"e1", "e2"}
    report(open_shop, happened("e3", "dismiss", "baguette", session_id="s1"))
    assert "baguette" not in shown(open_shop, "newcomer")


@pytest.mark.parametrize("redis", [False, True], ids=["alone", "with Redis"])
def test_what_is_reported_as_sold_is_popular_within_the_time_that_is_set(
    browse: Browse, own_shop: Shop, redis_server: RedisServer, redis: bool
) -> None:
    client = browse(
        own_shop.root, sales_seconds=0.1, **({"redis_url": redis_server.url} if redis else {})
    )
    last = client.get("/v1/popular?n=40&fields=ids").json()["recommendations"][-1]["id"]

    def leads(path: str) -> bool:
        """Asked again and again: what is cached counts no longer than that either."""
        return bool(client.get(f"/v1/{path}").json()["recommendations"][0]["id"] == last)

    paths = (
        "popular",
        "popular?as_of=2026-01-01",
        "feeds/popular.json",
        "customers/stranger/recommendations",
    )
    assert not any(map(leads, paths))
    bought = {"kind": "purchase", "time": WHEN, "lines": [{"product_id": last}]}
    report(
        client,
        *({**bought, "event_id": f"e{number}", "order_id": f"o{number}"} for number in range(900)),
    )
    for path in paths:
        wait_until(partial(leads, path))


@pytest.mark.parametrize("redis", [False, True], ids=["alone", "with Redis"])
def test_what_one_worker_acknowledged_the_next_one_shows(
    own_shop: Shop, redis_server: RedisServer, redis: bool
) -> None:
    cache = {"redis_url": redis_server.url} if redis else {}
    with shared(own_shop.root, **cache) as callers:
        path = "/v1/customers/c00/recommendations?fields=ids&n=5"
        for number in range(12):
            writer, reader = callers[number % 2], callers[1 - number % 2]
            first = reader("GET", path)[1]["recommendations"][0]["id"]  # type: ignore[index]
            assert (
                writer(
                    "POST",
                    "/v1/events",
                    {"events": [event(f"{redis}{number}", "dismiss", 1_751_200_000, "c00", first)]},
                )[0]
                == 202
            )
            slate = reader("GET", path)[1]["recommendations"]
            assert first not in [slot["id"] for slot in slate]  # type: ignore[attr-defined]


def test_the_newest_events_are_listed_in_pages_whole_and_by_choice(open_shop: TestClient) -> None:
    order = {
        "event_id": "o1",
        "kind": "purchase",
        "time": WHEN,
        "customer_id": "c00",
        "order_id": "1",
        "lines": [{"product_id": "bread", "quantity": 2, "unit_price": 1.5}, {"product_id": "jam"}],
    }
    before_login = happened("v0", "view", "jam", session_id="s-1")
    login = happened("v1", "view", "bread", session_id="s-1", customer_id="c01")
    report(open_shop, order, before_login, login)

    def listed(**options: Any) -> list[str]:
        body = open_shop.get("/v1/events", params=options).json()
        NewestEvents.model_validate(body)
        return [event["event_id"] for event in body["events"]]

    assert listed() == ["v1", "v0", "o1"]
    first = open_shop.get("/v1/events?limit=2").json()
    assert [event["event_id"] for event in first["events"]] == ["v1", "v0"]
    assert listed(limit=2, after=first["next"]) == ["o1"]
    assert listed(customer_id="c01") == ["v1", "v0"]
    assert listed(session_id="s-1", kind="view") == ["v1", "v0"]
    assert listed(product_id="jam") == ["v0", "o1"]
    assert listed(kind="purchase", product_id="none") == []
    (told,) = open_shop.get("/v1/events?kind=purchase").json()["events"]
    assert told["lines"] == [
        {"product_id": "bread", "title": "Bread", "quantity": 2.0, "unit_price": 1.5},
        {"product_id": "jam", "title": None, "quantity": 1.0, "unit_price": None},
    ]
    assert (told["reported_by"], told["time"]) == ("shop", WHEN)
    assert open_shop.get("/v1/events?after=nonsense").status_code == 422

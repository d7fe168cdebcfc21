"""A page shows nothing twice, and each of its parts is what its own call would answer."""

import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.schemas.shop_pages import PageAnswer
from tests.support.service_shop import Browse, Shop
from tests.support.shop import NO_WEB, REGULAR
from tests.support.slates import refused

pytestmark = pytest.mark.slow
EVERY_KIND: list[dict[str, Any]] = [
    {"kind": "customer", "name": "for-you", "n": 6},
    {"kind": "similar", "product_id": "baguette", "n": 4},
    {"kind": "bundles", "product_id": "bread", "n": 3},
    {"kind": "basket", "n": 3},
    {"kind": "replenishment", "ahead_days": 30},
    {"kind": "ranking", "product_ids": ["bread", "kite", "mug", "hose"], "n": 2},
    {"kind": "list", "list_name": "new"},
    {"kind": "list", "list_name": "best-rated"},
    {"kind": "list", "list_name": "recently-viewed"},
    {"kind": "popular", "n": 5},
]


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def page(client: TestClient, *parts: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Asked twice: the second answer comes from the cache."""
    body = {"parts": parts, **options}
    first, second = (client.post("/v1/pages", json=body) for _ in range(2))
    assert first.status_code == 200, first.text
    assert first.content == second.content
    PageAnswer.model_validate_json(first.content)
    answer: dict[str, Any] = first.json()
    return answer


def shown(part: dict[str, Any]) -> list[str]:
    ids = []
    for product in part["answer"]["recommendations"]:
        ids += [one["id"] for one in product.get("products", [product])]
    return ids


def test_nothing_is_shown_twice_and_the_first_parts_win(client: TestClient) -> None:
    answer = page(client, *EVERY_KIND, customer_id="c00", basket=["milk"])
    assert [part["kind"] for part in answer["parts"]] == [part["kind"] for part in EVERY_KIND]
    assert answer["parts"][0]["name"] == "for-you"
    everything = [product for part in answer["parts"] for product in shown(part)]
    assert len(everything) == len(set(everything))
    body = {"customer_id": "c00", "basket": ["milk"], "n": 6}
    alone = client.post("/v1/recommendations", json=body).json()
    assert answer["parts"][0]["answer"] == alone
    assert len(shown(answer["parts"][9])) == 5  # the next best ones


def test_each_part_is_what_its_own_call_answers_without_the_parts_above_it(
    client: TestClient,
) -> None:
    answer = page(
        client,
        {"kind": "customer", "n": 5, "placement": "home"},
        {"kind": "similar", "product_id": "baguette", "n": 5, "filter": "product.price < 20"},
        {"kind": "popular", "n": 4, "category": "toys"},
        customer_id="c01",
        market="north",
    )
    above = {"exclude": shown(answer["parts"][0]), "market": "north"}
    options = {"n": 5, "filter": "product.price < 20", **above}
    similar = client.get("/v1/products/baguette/similar", params=options).json()
    assert answer["parts"][1]["answer"] == similar
    above["exclude"] = [*above["exclude"], *shown(answer["parts"][1])]
    popular = client.get("/v1/popular", params={"n": 4, "category": "toys", **above}).json()
    assert answer["parts"][2]["answer"] == popular


def test_two_parts_of_one_kind_share_the_best_products(client: TestClient) -> None:
    whole = page(client, {"kind": "customer", "n": 8, "strict": True}, customer_id="c00")
    halves = page(
        client,
        {"kind": "customer", "n": 4, "strict": True},
        {"kind": "customer", "n": 4, "strict": True},
        customer_id="c00",
    )
    first, second = map(shown, halves["parts"])
    assert first == shown(whole["parts"][0])[:4]
    assert not set(first) & set(second)


def test_a_page_follows_what_happens_in_its_very_next_answer(client: TestClient) -> None:
    parts = [{"kind": "customer", "n": 3}, {"kind": "list", "list_name": "recently-viewed"}]
    before = page(client, *parts, customer_id="c00")
    first = shown(before["parts"][0])[0]
    client.patch(f"/v1/products/{first}", json={"in_stock": False}).raise_for_status()
    assert first not in shown(page(client, *parts, customer_id="c00")["parts"][0])
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    view = {"event_id": "v", "kind": "view", "customer_id": "c00", "product_id": "kite"}
    client.post("/v1/events", json={"events": [{**view, "time": moment}]}).raise_for_status()
    assert shown(page(client, *parts, customer_id="c00")["parts"][1]) == ["kite"]


def test_each_part_is_flagged_on_its_own(client: TestClient) -> None:
    parts = [
        {"kind": "customer", "n": 3},
        {"kind": "similar", "product_id": "bread", "n": 3},
        {"kind": "replenishment"},
        {"kind": "similar", "product_id": "nonsense", "n": 3},
    ]
    answer = page(client, *parts, customer_id=NO_WEB)
    reasons = [part["answer"]["fallback_reason"] for part in answer["parts"]]
    assert reasons == ["no_consent", None, "no_consent", "unknown_product"]
    assert answer["fallback"]
    assert [part["answer"]["customer_id"] for part in answer["parts"]] == [
        NO_WEB,
        None,
        NO_WEB,
        None,
    ]
    assert not page(client, parts[1], customer_id="c00")["fallback"]


def test_what_is_due_is_told_with_its_day(client: TestClient) -> None:
    part = {"kind": "replenishment", "ahead_days": 60}
    (due,) = page(client, part, customer_id=REGULAR)["parts"]
    (product,) = due["answer"]["recommendations"]
    own = client.get(f"/v1/customers/{REGULAR}/replenishment", params={"ahead_days": 60}).json()
    assert product["id"] == own["recommendations"][0]["id"]
    assert product["due"] == own["recommendations"][0]["due"]
    assert product["interval_days"] == own["recommendations"][0]["interval_days"]
    assert due["answer"]["score_kind"] == "due"


def test_a_page_that_comes_too_late_has_what_was_ready_and_popular_products(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root)
    body = {"customer_id": "c00", "deadline_ms": 1, "parts": EVERY_KIND}
    answer = client.post("/v1/pages", json=body)
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    PageAnswer.model_validate_json(answer.content)
    everything = [product for part in document["parts"] for product in shown(part)]
    assert len(everything) == len(set(everything))
    assert document["parts"][9]["answer"]["fallback_reason"] == "deadline"


def test_a_kind_that_there_is_not_is_told_with_those_there_are(client: TestClient) -> None:
    detail = client.post("/v1/pages", json={"parts": [{"kind": "order"}]}).json()["detail"]
    assert detail.startswith("parts[0]: its `kind` is 'order'; it should be one of 'customer', ")
    detail = client.post("/v1/pages", json={"parts": [{}]}).json()["detail"]
    assert detail == "parts[0]: its `kind` is missing"


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({}, "parts"),
        ({"parts": []}, "parts"),
        ({"parts": [{"kind": "popular"}] * 11}, "parts"),
        ({"parts": [{"kind": "order"}]}, "parts[0]"),
        ({"parts": [{"n": 3}]}, "parts[0]"),
        ({"parts": [{"kind": "similar"}]}, "parts[0].similar.product_id"),
        ({"parts": [{"kind": "popular", "filter": "price < 5"}]}, "parts[0].popular.filter"),
        ({"parts": [{"kind": "list", "list_name": "cheap"}]}, "parts[0].list.list_name"),
        ({"parts": [{"kind": "popular", "campaign": "spring"}]}, "parts[0].popular.campaign"),
    ],
)
def test_a_page_that_makes_no_sense_is_refused(
    client: TestClient, content: dict[str, Any], field: str
) -> None:
    assert refused(client.post("/v1/pages", json=content)) == [field]

"""What a shop says of its products and rules shows in the very next answer; what is wrong is named, nothing written."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.routes import products
from tests.support.expected_answers import another_version
from tests.support.service_shop import Browse, Shop
from tests.support.shop import AISLES

NO_BAKERY = {"kind": "exclude", "which": {"category": "bakery"}}


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def slate(
    client: TestClient, path: str = "/v1/customers/c00/recommendations", **asked: Any
) -> list[dict[str, Any]]:
    """Asked twice, so that the answer to the next one would come from the cache."""
    first, second = (client.get(path, params={"n": 40, **asked}) for _ in range(2))
    assert first.status_code == 200
    assert first.content == second.content
    found: list[dict[str, Any]] = first.json()["recommendations"]
    return found


def shown(
    client: TestClient, path: str = "/v1/customers/c00/recommendations", **asked: Any
) -> list[str]:
    return [product["id"] for product in slate(client, path, **asked)]


def patch(client: TestClient, product_id: str, **fields: Any) -> None:
    answered = client.patch(f"/v1/products/{product_id}", json=fields)
    assert answered.status_code == 200, answered.text


def put(client: TestClient, *products: dict[str, Any]) -> None:
    assert client.put("/v1/products", json={"products": products}).json() == {
        "written": len(products)
    }


def refused(answered: Any, status: int = 422) -> list[str]:
    """The fields that a problem document names."""
    assert (answered.status_code, answered.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    return [error["field"] for error in answered.json()["errors"]]


EVERYWHERE = (
    "/v1/customers/c00/recommendations",
    "/v1/customers/stranger/recommendations",
    "/v1/popular",
    "/v1/products/baguette/similar",
)


@pytest.mark.parametrize(
    ("gone", "back"),
    [
        ({"in_stock": False}, {"in_stock": True}),
        ({"hidden": True}, {"hidden": False}),
        ({"available_until": "2025-01-01"}, {"available_until": None}),
        ({"available_from": "2030-01-01"}, {"available_from": None}),
        ({"markets": ["elsewhere"]}, {"markets": None}),
    ],
)
def test_what_cannot_be_bought_is_gone_from_the_next_answer_and_back_when_it_is_back(
    client: TestClient, gone: dict[str, Any], back: dict[str, Any]
) -> None:
    before = {path: shown(client, path, market="south") for path in EVERYWHERE}
    assert all("bagel" in ids for ids in before.values())
    patch(client, "bagel", **gone)
    for path in EVERYWHERE:
        assert "bagel" not in shown(client, path, market="south")
    patch(client, "bagel", **back)
    assert {path: shown(client, path, market="south") for path in EVERYWHERE} == before


def test_a_product_is_gone_from_the_bundles_too(client: TestClient) -> None:
    def partners() -> list[str]:
        units = client.get("/v1/products/bread/bundles").json()["recommendations"]
        return [product["id"] for unit in units for product in unit["products"]]

    assert "butter" in partners()
    patch(client, "butter", in_stock=False)
    assert "butter" not in partners()


def test_a_new_price_shows_on_the_card_and_in_the_bounds_of_a_price(client: TestClient) -> None:
    assert "bagel" not in shown(client, min_price=90)
    patch(client, "bagel", price=99.5, currency="USD")
    (card,) = (product for product in slate(client) if product["id"] == "bagel")
    assert (card["price"], card["currency"], card["price_text"]) == (99.5, "USD", "$99.50")
    assert shown(client, min_price=90, strict=True) == ["bagel"]


def test_a_new_product_is_recommended_at_once_with_its_title_its_address_and_its_picture(
    client: TestClient,
) -> None:
    address = "https://shop.example/products/brioche"
    new = {
        "product_id": "br/oche",
        "title": "Brioche",
        "category": "bakery",
        "price": 3.0,
        "currency": "EUR",
    }
    put(client, {**new, "url": address, "image_url": "/bagel.jpg", "attributes": {"organic": True}})
    (card,) = (product for product in slate(client, n=10) if product["id"] == "br/oche")
    assert (card["source"], card["title"], card["price_text"]) == ("new", "Brioche", "€3.00")
    assert (card["url"], card["image_url"], card["attributes"]) == (
        address,
        "/bagel.jpg",
        {"organic": True},
    )
    similar = client.get("/v1/products/br%2Foche/similar").json()
    assert similar["missing_ids"] == []
    assert {one["id"] for one in similar["recommendations"]} <= set(AISLES["bakery"].split())
    assert client.get("/v1/products/br%2Foche/bundles").json()["recommendations"] == []
    in_cart = client.post(
        "/v1/recommendations", json={"basket": ["br/oche", "bread"], "n": 40}
    ).json()
    assert in_cart["missing_ids"] == []
    assert {"br/oche", "bread"}.isdisjoint(one["id"] for one in in_cart["recommendations"])


def test_a_new_product_is_bought_dismissed_and_asked_about_like_any_other(
    client: TestClient,
) -> None:
    put(
        client,
        {"product_id": "brioche", "category": "bakery"},
        {"product_id": "crepe", "category": "bakery"},
    )
    common = {"time": "2025-06-29T10:00:00Z", "customer_id": "c00"}
    bought = {
        **common,
        "event_id": "1",
        "kind": "purchase",
        "order_id": "o",
        "lines": [{"product_id": "brioche"}],
    }
    dismissed = {**common, "event_id": "2", "kind": "dismiss", "product_id": "crepe"}
    assert client.post("/v1/events", json={"events": [bought, dismissed]}).json()["accepted"] == 2
    assert {"brioche", "crepe"}.isdisjoint(shown(client))
    assert client.get("/v1/orders/o/follow-up").json()["recommendations"] == []
    assert client.get("/v1/customers/c00/profile").json()["known"]["products_bought"] == 12


def test_what_was_said_of_products_stays_with_the_next_model_and_the_next_start(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root, poll_seconds=1000)
    patch(client, "bagel", in_stock=False)
    put(client, {"product_id": "brioche", "category": "bakery"})
    later = another_version(own_shop.root)
    assert client.post(f"/v1/models/{later}/activate").status_code == 200
    again = browse(own_shop.root)
    for one in (client, again):
        answered = one.get("/v1/customers/c00/recommendations", params={"n": 40})
        ids = [product["id"] for product in answered.json()["recommendations"]]
        assert answered.json()["model_version"] == later
        assert "bagel" not in ids
        assert "brioche" in ids


def test_what_was_said_of_a_product_can_be_read(client: TestClient) -> None:
    assert refused(client.get("/v1/products/bagel"), 404) == []
    patch(client, "bagel", price=2.0)
    patch(client, "bagel", in_stock=False)
    assert client.get("/v1/products/bagel").json() == {
        "product_id": "bagel",
        "document": {"price": 2.0, "in_stock": False},
    }


def test_a_whole_product_takes_the_place_of_what_was_known(client: TestClient) -> None:
    patch(client, "bagel", hidden=True, price=2.0)
    put(client, {"product_id": "bagel", "title": "Bagel of the day", "category": "bakery"})
    (card,) = (product for product in slate(client) if product["id"] == "bagel")
    assert (card["title"], card["price"], card["brand"], card["url"]) == (
        "Bagel of the day",
        None,
        None,
        None,
    )


def test_of_a_product_that_is_in_a_call_twice_the_last_word_counts(client: TestClient) -> None:
    two = [{"product_id": "bagel", "price": price} for price in (1.0, 2.0)]
    assert client.put("/v1/products", json={"products": two}).json() == {"written": 1}
    assert client.get("/v1/products/bagel").json()["document"]["price"] == 2.0


def test_a_product_that_nobody_knows_is_not_made_by_a_patch(client: TestClient) -> None:
    refused(client.patch("/v1/products/bagle", json={"in_stock": True}), 404)
    refused(client.get("/v1/products/bagle"), 404)
    put(client, {"product_id": "bagle"})
    patch(client, "bagle", in_stock=False)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"product_id": "x", "price": -1}, "products[1].price"),
        ({"product_id": ""}, "products[1].product_id"),
        ({"price": 1}, "products[1].product_id"),
        ({"product_id": "x", "colour": "red"}, "products[1].colour"),
        ({"product_id": "x", "available_until": "soon"}, "products[1].available_until"),
        (7, "products[1]"),
    ],
)
def test_of_a_call_with_one_bad_product_none_is_taken(
    client: TestClient, bad: Any, field: str
) -> None:
    before = shown(client)
    good = {"product_id": "bagel", "hidden": True}
    assert refused(client.put("/v1/products", json={"products": [good, bad]})) == [field]
    assert shown(client) == before
    refused(client.get("/v1/products/bagel"), 404)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"products": []},
        {"products": "bagel"},
        [],
        {"products": [{"product_id": str(n)} for n in range(1001)]},
    ],
)
def test_a_call_without_products_or_with_too_many_is_refused(client: TestClient, body: Any) -> None:
    assert refused(client.put("/v1/products", json=body)) in (["products"], ["body"])


def test_a_patch_with_a_bad_field_changes_nothing(client: TestClient) -> None:
    assert refused(
        client.patch("/v1/products/bagel", json={"in_stock": False, "price": "dear"})
    ) == ["price"]
    assert "bagel" in shown(client)


# Rules


def test_a_rule_holds_in_the_next_answer_and_until_it_is_deleted(client: TestClient) -> None:
    before = {path: shown(client, path) for path in EVERYWHERE}
    made = client.put("/v1/rules/no%2Fbread", json=NO_BAKERY)
    assert made.json() == {"rule": {"id": "no/bread", **NO_BAKERY}}
    for path in EVERYWHERE:
        assert set(AISLES["bakery"].split()).isdisjoint(shown(client, path))
    assert client.get("/v1/rules").json() == {"rules": [made.json()["rule"]]}
    assert client.get("/v1/rules/no%2Fbread").json() == made.json()
    assert client.delete("/v1/rules/no%2Fbread").json() == made.json()
    assert {path: shown(client, path) for path in EVERYWHERE} == before
    assert client.get("/v1/rules").json() == {"rules": []}


def test_a_rule_holds_for_its_placement_alone(client: TestClient) -> None:
    pin = {"kind": "pin", "which": {"product_ids": ["rake"]}, "position": 1, "placements": ["home"]}
    assert client.put("/v1/rules/rake", json=pin).status_code == 200
    assert slate(client, placement="home")[0]["source"] == "pinned"
    assert shown(client, placement="home")[0] == "rake"
    assert shown(client, placement="basket")[0] != "rake"


def test_a_rule_of_yesterday_or_tomorrow_holds_not(client: TestClient) -> None:
    before = shown(client)
    client.put("/v1/rules/past", json={**NO_BAKERY, "ends": "2020-01-01T00:00:00Z"})
    client.put("/v1/rules/future", json={**NO_BAKERY, "starts": "2999-01-01T00:00:00Z"})
    assert shown(client) == before
    client.put(
        "/v1/rules/now",
        json={**NO_BAKERY, "starts": "2020-01-01T00:00:00Z", "ends": "2999-01-01T00:00:00Z"},
    )
    assert "bagel" not in shown(client)


def test_who_changed_which_rule_is_noted_with_before_and_after(client: TestClient) -> None:
    cap = {"kind": "cap", "by": "brand", "most": 2}
    client.put("/v1/rules/r", json=NO_BAKERY)
    client.put("/v1/rules/r", json=NO_BAKERY)  # nothing new
    client.put("/v1/rules/r", json=cap)
    client.delete("/v1/rules/r")
    changes = client.get("/v1/audit").json()["changes"]
    first, second = {"id": "r", **NO_BAKERY}, {"id": "r", **cap}
    assert [(one["action"], one["before"], one["after"]) for one in changes] == [
        ("rule deleted", second, None),
        ("rule changed", first, second),
        ("rule made", None, first),
    ]
    assert {(one["actor"], one["subject"]) for one in changes} == {("no key", "r")}
    assert all(isinstance(one["time"], int) for one in changes)
    below = changes[0]["number"]
    assert (
        client.get("/v1/audit", params={"n": 1, "below": below}).json()["changes"] == changes[1:2]
    )


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({}, "kind"),
        ({"kind": "delight"}, "kind"),
        ({"kind": "boost"}, "strength"),
        ({"kind": "boost", "strength": float("nan")}, "strength"),
        ({"kind": "pin", "position": 1}, "which"),
        ({"kind": "pin", "which": {"product_ids": ["rake"]}, "position": 0}, "position"),
        ({"kind": "exclude"}, "which"),
        ({"kind": "exclude", "which": {"colour": "red"}}, "colour"),
        ({"kind": "exclude", "which": {"category": "\ud800"}}, "body"),
        ({**NO_BAKERY, "starts": "tomorrow"}, "starts"),
        ({**NO_BAKERY, "starts": "2026-01-02T00:00:00Z", "ends": "2026-01-01T00:00:00Z"}, "ends"),
        ({**NO_BAKERY, "most": 2}, "most"),
        ({**NO_BAKERY, "id": "another"}, "id"),
        ({"kind": "minimum", "of": "margin", "minimum": 1}, "minimum"),
        ([NO_BAKERY], "body"),
        ("bakery", "body"),
    ],
)
def test_a_bad_rule_is_refused_by_the_name_of_its_field(
    client: TestClient, content: Any, field: str
) -> None:
    headers = {"content-type": "application/json"}
    assert refused(client.put("/v1/rules/r", content=json.dumps(content), headers=headers)) == [
        field
    ]
    assert client.get("/v1/rules").json() == {"rules": []}
    assert client.get("/v1/audit").json() == {"changes": []}


def test_more_rules_than_a_shop_may_have_are_refused(client: TestClient) -> None:
    for number in range(products.MOST_RULES):
        assert client.put(f"/v1/rules/{number}", json=NO_BAKERY).status_code == 200
    answered = client.put("/v1/rules/one-more", json=NO_BAKERY)
    refused(answered, 409)
    assert "200 rules at most" in answered.json()["detail"]
    assert (
        client.put("/v1/rules/7", json={"kind": "cap", "by": "brand", "most": 2}).status_code == 200
    )
    client.delete("/v1/rules/8")
    assert client.put("/v1/rules/one-more", json=NO_BAKERY).status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_rule_that_there_is_not_is_not_found(client: TestClient, method: str) -> None:
    refused(client.request(method, "/v1/rules/none"), 404)
    assert client.get("/v1/audit").json() == {"changes": []}


def test_the_description_shows_what_a_rule_is_made_of(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    body = paths["/v1/rules/{rule_id}"]["put"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    assert {kind["title"] for kind in body["oneOf"]} == {
        example["kind"] for example in body["examples"]
    }

"""Reported products show in the very next answer; of a bad call nothing is written."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from service.schemas.products import KnownProduct, ProductsAnswer
from tests.support.expected_answers import another_version
from tests.support.service_shop import Browse, Shop
from tests.support.shop import AISLES
from tests.support.slates import EVERYWHERE, refused, shown, slate

pytestmark = pytest.mark.slow

NO_BAKERY = {"kind": "exclude", "which": {"category": "bakery"}}


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def patch(client: TestClient, product_id: str, **fields: Any) -> None:
    response = client.patch(f"/v1/products/{product_id}", json=fields)
    assert response.status_code == 200, response.text


def get(client: TestClient, product_id: str) -> dict[str, Any]:
    return KnownProduct.model_validate(client.get(f"/v1/products/{product_id}").json()).model_dump()


def put(client: TestClient, *products: dict[str, Any]) -> None:
    answer = client.put("/v1/products", json={"products": products}).json()
    assert answer == {"written": len(products), "rejected": []}


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
    assert {product["id"] for product in similar["recommendations"]} <= set(
        AISLES["bakery"].split()
    )
    assert client.get("/v1/products/br%2Foche/bundles").json()["recommendations"] == []
    in_cart = client.post(
        "/v1/recommendations", json={"basket": ["br/oche", "bread"], "n": 40}
    ).json()
    assert in_cart["missing_ids"] == []
    assert {"br/oche", "bread"}.isdisjoint(product["id"] for product in in_cart["recommendations"])


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
    restarted = browse(own_shop.root)
    for each_client in (client, restarted):
        response = each_client.get("/v1/customers/c00/recommendations", params={"n": 40})
        ids = [product["id"] for product in response.json()["recommendations"]]
        assert response.json()["model_version"] == later
        assert "bagel" not in ids
        assert "brioche" in ids


def test_what_was_said_of_a_product_can_be_read(client: TestClient) -> None:
    learned = get(client, "bagel")
    assert learned["document"] == {}
    assert (learned["card"]["title"], learned["card"]["category"]) == ("Bagel", "bakery")
    patch(client, "bagel", price=2.0, currency="USD")
    patch(client, "bagel", in_stock=False)
    said = get(client, "bagel")
    assert said["document"] == {"price": 2.0, "currency": "USD", "in_stock": False}
    changed = {"price": 2.0, "currency": "USD", "price_text": "$2.00", "in_stock": False}
    assert said["card"] == {**learned["card"], **changed}


def test_every_product_that_is_recommended_can_be_read_as_it_is_shown(client: TestClient) -> None:
    put(client, {"product_id": "brioche", "category": "bakery", "title": "Brioche"})
    for shown_product in slate(client, n=40):
        card = get(client, shown_product["id"])["card"]
        assert card == {name: shown_product[name] for name in card}


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
    assert client.put("/v1/products", json={"products": two}).json()["written"] == 1
    assert client.get("/v1/products/bagel").json()["document"]["price"] == 2.0


def test_a_product_that_nobody_knows_is_not_made_by_a_patch(client: TestClient) -> None:
    refused(client.patch("/v1/products/bagle", json={"in_stock": True}), 404)
    refused(client.get("/v1/products/bagle"), 404)
    put(client, {"product_id": "bagle"})
    patch(client, "bagle", in_stock=False)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"product_id": "x", "price": -1}, "price"),
        ({"product_id": ""}, "product_id"),
        ({"price": 1}, "product_id"),
        ({"product_id": "x", "colour": "red"}, "colour"),
        ({"product_id": "x", "available_until": "soon"}, "available_until"),
        (7, "product"),
    ],
)
def test_of_a_call_with_one_bad_product_the_good_ones_are_taken_and_it_is_named(
    client: TestClient, bad: Any, field: str
) -> None:
    good = [{"product_id": product_id, "hidden": True} for product_id in ("bagel", "rye")]
    response = client.put("/v1/products", json={"products": [good[0], bad, good[1]]})
    answer = ProductsAnswer.model_validate_json(response.content)
    (rejected,) = answer.rejected
    assert (response.status_code, answer.written, rejected.index) == (200, 2, 1)
    assert rejected.product_id == (bad.get("product_id") if isinstance(bad, dict) else None)
    assert [problem.field for problem in rejected.errors] == [field]
    assert {"bagel", "rye"}.isdisjoint(shown(client))


def test_a_call_with_bad_products_alone_writes_nothing_and_names_each(client: TestClient) -> None:
    answer = client.put("/v1/products", json={"products": [{}, 7]}).json()
    assert (answer["written"], [each["index"] for each in answer["rejected"]]) == (0, [0, 1])


def test_a_deleted_product_is_in_no_answer_until_it_is_put_again(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root, poll_seconds=1000)
    bagel = {"product_id": "bagel", "title": "Bagel", "category": "bakery"}
    put(client, bagel)
    assert all("bagel" in shown(client, path) for path in EVERYWHERE)
    deleted = client.delete("/v1/products/bagel")
    assert (deleted.status_code, deleted.json()["document"]["title"]) == (200, "Bagel")
    later = another_version(own_shop.root)
    for _ in range(2):  # with the next model too
        assert not any("bagel" in shown(client, path) for path in EVERYWHERE)
        refused(client.get("/v1/products/bagel"), 404)
        refused(client.patch("/v1/products/bagel", json={"hidden": False}), 404)
        refused(client.delete("/v1/products/bagel"), 404)
        assert client.post(f"/v1/models/{later}/activate").status_code == 200
    put(client, bagel)
    assert all("bagel" in shown(client, path) for path in EVERYWHERE)


def test_a_product_that_nobody_reported_is_deleted_like_any_other(client: TestClient) -> None:
    assert client.delete("/v1/products/bagel").json() == {"product_id": "bagel", "document": {}}
    assert "bagel" not in shown(client)
    refused(client.delete("/v1/products/bagle"), 404)


def test_who_changed_which_price_is_noted_and_the_first_price_of_a_new_product_is_not(
    client: TestClient,
) -> None:
    first = {"product_id": "brioche", "price": 3.0, "currency": "EUR"}
    put(client, first)
    put(client, {**first, "title": "Brioche"})
    put(client, {**first, "price": 2.5})
    patch(client, "bagel", price=2.0, currency="EUR")  # known from the products file
    patch(client, "bagel", in_stock=True)
    client.delete("/v1/products/brioche")
    changes = client.get("/v1/audit").json()["changes"]
    price = {"currency": "EUR", "cost": None}
    assert [(each["action"], each["subject"]) for each in changes] == [
        ("product deleted", "brioche"),
        ("price changed", "bagel"),
        ("price changed", "brioche"),
    ]
    assert changes[2]["before"] == {"price": 3.0, **price}
    assert changes[2]["after"] == {"price": 2.5, **price}
    assert changes[0]["before"]["price"] == 2.5


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

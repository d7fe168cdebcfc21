"""A bundle of the shop stands first where one of its products is asked for, with its price."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.routes.bundles import MAX_BUNDLES
from service.schemas.bundles import BundleDocument, BundlesAnswer, StoredBundle
from service.store.shop_documents import BUNDLES
from service.store.store import Store
from service.store.writer import Change
from tests.support.service_shop import Browse, Shop
from tests.support.slates import refused

pytestmark = pytest.mark.slow

# Bread costs 3.29, butter 9.29, a coffee filter 21.29
BREAKFAST = {"products": ["bread", "butter"], "price": 10, "currency": "EUR", "title": "Breakfast"}
NOT_BEGUN = {**BREAKFAST, "starts": "2999-01-01T00:00:00Z"}
ENDED = {**BREAKFAST, "ends": "2020-01-01T00:00:00Z"}


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def units(client: TestClient, product: str = "bread", **options: Any) -> list[dict[str, Any]]:
    """Asked twice, so that the answer to the next one would come from the cache."""
    path = f"/v1/products/{product}/bundles"
    first, second = (client.get(path, params={"n": 5, **options}) for _ in range(2))
    assert first.status_code == 200, first.text
    assert first.content == second.content
    found: list[dict[str, Any]] = first.json()["recommendations"]
    return found


def with_butter(client: TestClient) -> list[dict[str, Any]]:
    """Return the units of bread and butter."""
    found = units(client, n=40)
    return [unit for unit in found if [p["id"] for p in unit["products"]] == ["butter"]]


def offers(client: TestClient, product: str = "bread", **options: Any) -> list[str]:
    found = [unit["offer"] for unit in units(client, product, **options)]
    return [offer["bundle_id"] for offer in found if offer]


def put(client: TestClient, bundle_id: str, content: dict[str, Any]) -> dict[str, Any]:
    response = client.put(f"/v1/bundles/{bundle_id}", json=content)
    assert response.status_code == 200, response.text
    described: dict[str, Any] = response.json()
    BundleDocument.model_validate(described)
    return described


def test_a_bundle_of_the_shop_stands_first_in_the_next_answer_and_until_it_is_deleted(
    client: TestClient,
) -> None:
    before = units(client), units(client, "butter")
    created = put(client, "break%2Ffast", BREAKFAST)
    assert created["bundle"] == {"id": "break/fast", **BREAKFAST}
    first = units(client)[0]
    assert first["offer"] == {
        "bundle_id": "break/fast",
        "title": "Breakfast",
        "price": 10.0,
        "price_text": "€10.00",
        "currency": "EUR",
        "saving": 2.58,
        "saving_text": "€2.58",
    }
    assert (first["anchor_id"], first["total_price"]) == ("bread", 12.58)
    (butter,) = first["products"]
    assert (butter["id"], butter["source"]) == ("butter", "pinned")
    assert butter["reason"]["kind"] == "chosen_by_shop"
    assert [unit["anchor_id"] for unit in units(client, "butter")][:1] == ["butter"]
    assert offers(client, "butter") == ["break/fast"]
    assert offers(client, "rake") == []
    listed = client.get("/v1/bundles").json()
    BundlesAnswer.model_validate(listed)
    assert listed == {"bundles": [created["bundle"]], "next": None}
    assert client.get("/v1/bundles/break%2Ffast").json() == created
    deleted = client.delete("/v1/bundles/break%2Ffast").json()
    StoredBundle.model_validate(deleted)
    assert deleted == {"bundle": created["bundle"]}
    assert (units(client), units(client, "butter")) == before
    assert client.get("/v1/bundles").json()["bundles"] == []


def test_the_same_products_are_not_shown_a_second_time_without_the_price(
    client: TestClient,
) -> None:
    (alone,) = with_butter(client)
    put(client, "breakfast", BREAKFAST)
    both = with_butter(client)
    assert [unit["offer"]["bundle_id"] for unit in both] == ["breakfast"]
    assert both[0]["support"] == alone["support"]  # the figures of the orders are the same
    assert both[0]["lift"] == alone["lift"]


def test_what_the_shop_gives_away_is_taken_off_the_expected_gain(client: TestClient) -> None:
    (alone,) = with_butter(client)
    unit = put(client, "breakfast", BREAKFAST)["unit"]
    without, gain = alone["expected_gain"], unit["expected_gain"]
    confidence, saving = unit["rule_confidence"], unit["offer"]["saving"]
    # gain = (1 - p) (p - q) price; who buys both anyway saves as well
    added = without["value"] * (9.29 - saving) / 9.29
    assert gain["value"] == pytest.approx(added - confidence * saving, abs=1e-3)
    assert gain["low"] < gain["value"] < gain["high"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"in_stock": False}, "butter is not for sale"),
        ({"hidden": True}, "butter is not for sale"),
        ({"price": 1.0, "currency": "EUR"}, "saves nothing"),
    ],
)
def test_a_bundle_with_a_product_that_cannot_be_had_or_that_saves_nothing_is_hidden(
    client: TestClient, change: dict[str, Any], problem: str
) -> None:
    put(client, "breakfast", BREAKFAST)
    assert client.patch("/v1/products/butter", json=change).status_code == 200
    assert offers(client) == []
    described = client.get("/v1/bundles/breakfast").json()
    assert described["unit"] is None
    assert problem in described["problem"]


def test_a_bundle_of_a_product_that_nobody_knows_is_kept_and_hidden(client: TestClient) -> None:
    described = put(client, "b", {**BREAKFAST, "products": ["bread", "p-new"]})
    assert "does not know the product p-new" in described["problem"]
    assert offers(client) == []
    new = {"product_id": "p-new", "price": 8.0, "currency": "EUR"}
    assert client.put("/v1/products", json={"products": [new]}).status_code == 200
    (unit,) = [unit for unit in units(client) if unit["offer"]]
    assert unit["offer"]["saving"] == pytest.approx(1.29)
    # Nobody has bought it yet: nothing is known of the two together
    assert (unit["support"], unit["rule_confidence"], unit["lift"]) == (None, None, None)
    assert unit["expected_gain"] is None


def test_a_price_in_another_currency_is_shown_and_what_it_saves_is_not_known(
    client: TestClient,
) -> None:
    described = put(client, "b", {**BREAKFAST, "currency": "USD"})
    offer = described["unit"]["offer"]
    assert (offer["price_text"], offer["saving"], offer["saving_text"]) == ("$10.00", None, None)
    assert described["unit"]["expected_gain"] is None


@pytest.mark.parametrize("bundle", [NOT_BEGUN, ENDED])
def test_a_bundle_of_yesterday_or_tomorrow_is_hidden(
    client: TestClient, bundle: dict[str, Any]
) -> None:
    assert "not begun" in put(client, "b", bundle)["problem"]
    assert offers(client) == []
    assert offers(client, as_of="2999-06-01" if bundle is NOT_BEGUN else "2019-06-01") == ["b"]


def test_a_rule_or_an_option_that_keeps_a_product_out_keeps_the_bundle_out(
    client: TestClient,
) -> None:
    put(client, "breakfast", BREAKFAST)
    assert offers(client, exclude="butter") == []
    assert offers(client, category="bakery") == []
    assert offers(client, "butter", category="bakery") == ["breakfast"]
    rule = {"kind": "exclude", "which": {"category": "dairy"}}
    client.put("/v1/rules/no-dairy", json=rule)
    assert offers(client) == []


def test_a_basket_is_shown_what_it_lacks_of_a_bundle_and_one_that_holds_it_all_nothing(
    client: TestClient,
) -> None:
    three = {**BREAKFAST, "products": ["bread", "butter", "filter"], "price": 30}
    put(client, "breakfast", three)

    def complete(*basket: str) -> list[dict[str, Any]]:
        answer = client.post("/v1/baskets/bundles", json={"basket": basket, "n": 4}).json()
        return [unit for unit in answer["recommendations"] if unit["offer"]]

    (unit,) = complete("bread", "butter", "rake")
    assert (unit["anchor_id"], unit["held_ids"]) == ("bread", ["butter"])
    assert [product["id"] for product in unit["products"]] == ["filter"]
    assert unit["total_price"] == pytest.approx(3.29 + 9.29 + 21.29)
    assert unit["anchor"]["title"] == "Bread"
    assert complete("bread", "butter", "filter") == complete("rake") == []


def test_bundles_of_one_product_come_in_the_order_of_their_ids_within_n(
    client: TestClient,
) -> None:
    for bundle_id, other in (("b", "butter"), ("a", "filter"), ("c", "rake")):
        put(client, bundle_id, {**BREAKFAST, "products": [other, "bread"], "price": 1})
    assert offers(client) == ["a", "b", "c"]
    assert [unit["offer"]["bundle_id"] for unit in units(client, n=2)] == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"products": ["bread"]}, "products"),
        ({"products": ["bread", "bread"]}, "products"),
        ({"products": [f"p{number}" for number in range(11)]}, "products"),
        ({"products": "bread"}, "products"),
        ({"price": -1}, "price"),
        ({"price": "10"}, "price"),
        ({"price": None}, "price"),
        ({"currency": "euro"}, "currency"),
        ({"title": ""}, "title"),
        ({"starts": "tomorrow"}, "starts"),
        ({"ends": "2026-01-01T00:00:00"}, "ends"),
        ({"starts": "2026-01-02T00:00:00Z", "ends": "2026-01-01T00:00:00Z"}, "body"),
        ({"discount": 2}, "discount"),
    ],
)
def test_a_bad_bundle_is_refused_by_the_name_of_its_field(
    client: TestClient, changes: dict[str, Any], field: str
) -> None:
    body = json.dumps({**BREAKFAST, **changes})
    response = client.put(
        "/v1/bundles/b", content=body, headers={"content-type": "application/json"}
    )
    assert [name.partition("[")[0] for name in refused(response)] == [field]
    assert client.get("/v1/bundles").json()["bundles"] == []
    assert client.get("/v1/audit").json()["changes"] == []


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_bundle_that_there_is_not_is_not_found(client: TestClient, method: str) -> None:
    refused(client.request(method, "/v1/bundles/none"), 404)
    assert client.get("/v1/audit").json()["changes"] == []


def test_who_changed_which_bundle_is_noted_with_before_and_after(client: TestClient) -> None:
    cheaper = {**BREAKFAST, "price": 9}
    put(client, "b", BREAKFAST)
    put(client, "b", BREAKFAST)  # nothing new
    put(client, "b", cheaper)
    client.delete("/v1/bundles/b")
    changes = client.get("/v1/audit").json()["changes"]
    assert [(entry["action"], entry["before"], entry["after"]) for entry in changes] == [
        ("bundle deleted", cheaper, None),
        ("bundle changed", BREAKFAST, cheaper),
        ("bundle made", None, BREAKFAST),
    ]


def test_more_bundles_than_a_shop_may_have_are_refused(client: TestClient) -> None:
    def fill(change: Change) -> None:
        for number in range(MAX_BUNDLES):
            BUNDLES.put(change, str(number), BREAKFAST, time=1, actor="test")

    store: Store = client.app.state.responder.store  # type: ignore[attr-defined]
    store.write(fill).result()
    response = client.put("/v1/bundles/one-more", json=BREAKFAST)
    refused(response, 409)
    assert "1,000 bundles at most" in response.json()["detail"]
    put(client, "7", {**BREAKFAST, "price": 9})
    client.delete("/v1/bundles/8")
    put(client, "one-more", BREAKFAST)


def test_products_of_a_bundle_that_the_catalogue_does_not_know_are_warned_about(
    client: TestClient,
) -> None:
    unknown = {**BREAKFAST, "products": ["bread", "buter"]}
    answer = BundleDocument.model_validate(client.put("/v1/bundles/b", json=unknown).json())
    (warning,) = answer.warnings
    assert (warning.field, warning.problem) == ("products", "the catalogue does not know 'buter'")

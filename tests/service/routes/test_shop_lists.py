"""Lists say what is true of their products now, and follow the shop in the very next answer."""

import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.schemas.shop_lists import ListAnswer
from tests.support.service_shop import Browse, Shop
from tests.support.shop import NO_WEB, SOLD_OUT
from tests.support.slates import refused

pytestmark = pytest.mark.slow


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def listed(client: TestClient, name: str, **options: Any) -> list[dict[str, Any]]:
    """Asked twice: the answer to the next one would come from the cache."""
    path = f"/v1/customers/{options.pop('customer')}/{name}" if "customer" in options else None
    answers = [client.get(path or f"/v1/lists/{name}", params=options) for _ in range(2)]
    assert answers[0].status_code == 200, answers[0].text
    assert answers[0].content == answers[1].content
    ListAnswer.model_validate_json(answers[0].content)
    assert answers[0].json()["list_name"] == name
    products: list[dict[str, Any]] = answers[0].json()["recommendations"]
    return products


def ids(client: TestClient, name: str, **options: Any) -> list[str]:
    return [product["id"] for product in listed(client, name, **options)]


def patch(client: TestClient, product_id: str, **fields: Any) -> None:
    client.patch(f"/v1/products/{product_id}", json=fields).raise_for_status()


def tell(client: TestClient, *, seconds_ago: int = 0, **event: Any) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds_ago))
    events = [{"event_id": f"e{time.monotonic_ns()}", "time": moment, **event}]
    answer = client.post("/v1/events", json={"events": events})
    assert answer.status_code == 202, answer.text


def test_what_costs_less_is_listed_with_its_former_price_until_it_costs_as_much_again(
    client: TestClient,
) -> None:
    assert ids(client, "price-dropped") == []
    patch(client, "kite", price=20.0)  # the products file says 38.29
    patch(client, "bread", price=3.0)  # 3.29
    patch(client, "bagel", price=5.0)  # dearer
    kite, bread = listed(client, "price-dropped", locale="de_DE")
    assert (kite["id"], kite["former_price"], kite["price"]) == ("kite", 38.29, 20.0)
    assert kite["former_price_text"] == "38,29\xa0€"
    assert kite["reason"]["text"] == "48 % günstiger als zuvor"
    assert kite["score"] == pytest.approx(1 - 20 / 38.29, abs=1e-6)
    assert bread["id"] == "bread"
    patch(client, "kite", price=50.0)
    assert ids(client, "price-dropped") == ["bread"]
    patch(client, "kite", price=30.0)  # it was 20 a moment ago
    patch(client, "bread", in_stock=False)
    assert ids(client, "price-dropped") == []


def test_a_price_in_another_currency_has_not_dropped(client: TestClient) -> None:
    patch(client, "kite", price=20.0, currency="USD")
    assert ids(client, "price-dropped") == []


def test_what_came_back_is_listed_until_it_is_sold_out_again(client: TestClient) -> None:
    for product in (SOLD_OUT, "kite"):
        patch(client, product, in_stock=False)
        patch(client, product, in_stock=True)
    products = listed(client, "back-in-stock")
    assert {product["id"] for product in products} == {SOLD_OUT, "kite"}
    assert all(product["since"] and product["score"] == 1 for product in products)
    assert ids(client, "back-in-stock", category="toys") == ["kite"]
    patch(client, "kite", in_stock=False)
    assert ids(client, "back-in-stock") == [SOLD_OUT]
    assert ids(client, "back-in-stock", as_of="2025-06-01") == []  # nothing was told by then


def test_what_is_new_is_listed_by_category(client: TestClient) -> None:
    new = [
        {"product_id": "rye", "category": "bakery", "available_from": "2025-06-20", "price": 3},
        {"product_id": "yoyo", "category": "toys", "available_from": "2025-06-25", "price": 9},
    ]
    client.put("/v1/products", json={"products": new}).raise_for_status()
    assert ids(client, "new")[:2] == ["yoyo", "rye"]
    assert ids(client, "new", category="bakery") == ["rye"]
    assert ids(client, "new", filter="product.price > 5 && has(product.category)") == ["yoyo"]
    feed = client.get("/v1/feeds/new.json").json()["recommendations"]
    assert [product["id"] for product in feed] == ids(client, "new", n=100)


def test_the_best_rated_have_three_ratings_and_no_three_friends_beat_ten(
    client: TestClient,
) -> None:
    assert ids(client, "best-rated") == []
    stars = {"bread": [5] * 3, "milk": [5] * 9 + [4], "kite": [5, 5], "toast": [1] * 4}
    for product, ratings in stars.items():
        for number, rating in enumerate(ratings):
            tell(
                client,
                kind="rating",
                customer_id=f"r{number}",
                rating=rating,
                product_id=product,
            )
    best = listed(client, "best-rated")
    assert [product["id"] for product in best] == ["milk", "bread", "toast"]
    assert (best[0]["rating_mean"], best[0]["rating_count"]) == (4.9, 10)
    assert best[0]["reason"]["text"] == "Rated 4.9 of 5 by 10 customers"
    tell(client, kind="rating", customer_id="r0", rating=1, product_id="bread")  # again
    assert listed(client, "best-rated")[1]["rating_mean"] == 3.67
    client.delete("/v1/customers/r1").raise_for_status()
    assert "bread" not in ids(client, "best-rated")


def test_what_a_customer_looked_at_is_listed_newest_first_while_they_consent(
    client: TestClient,
) -> None:
    for age, product in enumerate(("milk", "kite", "bread", "kite")):
        view = {"kind": "view", "customer_id": "c05", "product_id": product}
        tell(client, seconds_ago=10 * age, **view)
    products = listed(client, "recently-viewed", customer="c05")
    assert [product["id"] for product in products] == ["milk", "kite", "bread"]
    assert products[0]["reason"]["kind"] == "recently_viewed"
    assert products[0]["since"]
    assert ids(client, "recently-viewed", customer="c05", category="toys") == ["kite"]
    no = {"personalize_web": False}
    client.put("/v1/customers/c05/consent", json=no).raise_for_status()
    body = client.get("/v1/customers/c05/recently-viewed").json()
    assert (body["recommendations"], body["fallback_reason"]) == ([], "no_consent")


def test_who_never_looked_at_anything_and_who_refused_have_an_empty_list(
    client: TestClient,
) -> None:
    for customer, reason in ((NO_WEB, "no_consent"), ("stranger", "no_candidates")):
        body = client.get(f"/v1/customers/{customer}/recently-viewed").json()
        assert (body["count"], body["fallback"], body["fallback_reason"]) == (0, True, reason)


def test_a_list_that_there_is_not_and_options_that_it_has_not_are_refused(
    client: TestClient,
) -> None:
    assert client.get("/v1/lists/cheapest").status_code == 404
    assert client.get("/v1/lists/recently-viewed").status_code == 404
    assert refused(client.get("/v1/lists/new", params={"strict": "true"})) == ["strict"]

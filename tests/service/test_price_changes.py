"""Another price shows at once where it is shown, and costs nobody else a cached answer."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.store.change_counters import CATALOGUE, FOLLOWED
from tests.support.service_shop import Browse, Shop, wait_until

pytestmark = pytest.mark.slow

ADDRESSES = (
    "/v1/customers/c00/recommendations?n=3",
    "/v1/customers/c01/recommendations?n=4&repeat=include",
    "/v1/customers/c02/recommendations?n=5&max_price=3",
    "/v1/customers/nobody/recommendations?n=4",
    "/v1/customers/c03/recommendations?n=3&placement=email",
    "/v1/products/bread/similar?n=3",
    "/v1/products/milk/similar?n=3&filter=product.price%20%3C%202.5",
    "/v1/products/bread/bundles?n=3",
    "/v1/popular?n=4",
    "/v1/lists/price-dropped?n=5",
)
RULES: tuple[dict[str, Any], ...] = (
    {"kind": "minimum", "of": "price", "minimum": 2},
    {"kind": "exclude", "which": {"min_price": 3}},
    {"kind": "boost", "which": {"filter": "product.price < 2"}, "strength": 3},
    {"kind": "exclude", "which": {"category": "dairy"}},
)


@pytest.fixture
def shops(browse: Browse, own_shop: Shop) -> tuple[TestClient, TestClient]:
    """The shop with its cache, and the same shop without one."""
    return browse(own_shop.root), browse(own_shop.root, cache_bytes=0)


def show(client: TestClient, address: str) -> tuple[int, bytes]:
    response = client.get(address)
    return response.status_code, response.content


def hits(client: TestClient) -> float:
    """Return how many answers came from the cache."""
    lines = client.get("/metrics").text.splitlines()
    found = [line for line in lines if line.startswith('regulars_cache_lookups_total{result="hit"')]
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)


def price(client: TestClient, product_id: str, amount: float) -> None:
    response = client.patch(f"/v1/products/{product_id}", json={"price": amount})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("seed", range(3))
def test_a_cached_answer_is_the_one_that_would_be_computed(
    shops: tuple[TestClient, TestClient], own_shop: Shop, seed: int
) -> None:
    cached, computed = shops
    random = Random(seed)
    for step in range(12):
        product = random.choice(own_shop.products)
        match random.randrange(6):
            case 0:
                rule = random.choice(RULES)
                assert cached.put("/v1/rules/r", json=rule).is_success
            case 1:
                fields = {"in_stock": random.random() < 0.5, "title": f"Title {step}"}
                assert cached.patch(f"/v1/products/{product}", json=fields).is_success
            case 2:
                whole = {"product_id": product, "title": product, "price": step + 0.5}
                body = {"products": [whole, {"product_id": f"new {step}", "price": 1.0}]}
                assert cached.put("/v1/products", json=body).is_success
            case _:
                price(cached, product, random.randrange(1, 60) / 10)
        for address in ADDRESSES:
            shown = show(cached, address)
            assert shown == show(computed, address), address
            assert show(cached, address) == shown


def test_a_price_that_nobody_sees_costs_no_cached_answer(
    shops: tuple[TestClient, TestClient], own_shop: Shop
) -> None:
    client, _ = shops
    addresses = [ADDRESSES[index] for index in (0, 1, 3, 5, 8)]
    price(client, own_shop.products[0], 1.0)  # the first report of a product may be anything
    shown = "".join(client.get(address).text for address in addresses)
    unseen = next(name for name in own_shop.products if f'"{name}"' not in shown)
    price(client, unseen, 1.0)
    counters = client.app.state.responder.store.counters  # type: ignore[attr-defined]
    wait_until(lambda: counters[FOLLOWED] >= counters[CATALOGUE])
    for address in addresses:
        client.get(address)
    before = hits(client)
    price(client, unseen, 9.0)
    for address in addresses:
        assert client.get(address).status_code == 200
    assert hits(client) == before + len(addresses)


def test_a_price_that_is_shown_shows_at_once(shops: tuple[TestClient, TestClient]) -> None:
    client, _ = shops
    (address, *_) = ADDRESSES
    shown = client.get(address).json()["recommendations"][0]
    price(client, shown["id"], 1.0)
    client.get(address), client.get(address)
    price(client, shown["id"], 7.25)
    assert client.get(address).json()["recommendations"][0]["price"] == 7.25

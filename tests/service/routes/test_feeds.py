"""A feed over HTTP: kept, asked about, and never the reason that a mailing stops."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.http.authorization import Scope
from tests.support.keyed_service import KeyedService, make_key, open_keyed_service
from tests.support.service_shop import Browse, Shop
from tests.support.shop import NEVER_SOLD, SOLD_OUT


@pytest.fixture(scope="module")
def service(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedService]:
    with open_keyed_service(shop, tmp_path_factory.mktemp("service")) as opened:
        yield opened


def ids(client: TestClient, name: str, **options: Any) -> list[str]:
    response = client.get(f"/v1/feeds/{name}.json", params=options)
    assert response.status_code == 200
    return [product["id"] for product in response.json()["recommendations"]]


def test_who_has_a_feed_already_is_told_so(client: TestClient) -> None:
    first = client.get("/v1/feeds/popular.json")
    assert first.headers["cache-control"] == "public, max-age=300"
    assert client.get("/v1/feeds/popular.json").content == first.content
    second = client.get("/v1/feeds/popular.json", headers={"If-None-Match": first.headers["etag"]})
    assert (second.status_code, second.content) == (304, b"")
    assert client.get("/v1/feeds/new.json").headers["etag"] != first.headers["etag"]
    assert (
        client.get("/v1/feeds/popular.json?locale=de_DE").headers["etag"] != first.headers["etag"]
    )


def test_a_feed_is_as_new_as_the_catalogue(browse: Browse, tmp_path: Path) -> None:
    client = browse(database_url=f"sqlite:///{tmp_path / 'store.db'}")
    assert "butter" in ids(client, "popular")
    assert client.patch("/v1/products/butter", json={"in_stock": False}).status_code == 200
    assert "butter" not in ids(client, "popular")
    product = {
        "title": "Sourdough",
        "category": "bakery",
        "available_from": "2025-06-01T00:00:00Z",
        "in_stock": True,
    }
    assert (
        client.put(
            "/v1/products", json={"products": [{"product_id": "sourdough", **product}]}
        ).status_code
        == 200
    )
    assert ids(client, "new") == ["sourdough"]


@pytest.mark.parametrize("n", [1, 1000])
def test_a_feed_holds_up_to_a_thousand_products(client: TestClient, shop: Shop, n: int) -> None:
    sold = set(shop.products) - {SOLD_OUT, NEVER_SOLD}
    assert len(set(ids(client, "popular", n=n)) & sold) == min(n, len(sold))


@pytest.mark.parametrize(
    "options", [{"n": 0}, {"n": 1001}, {"locale": "?"}, {"campaign": "spring"}]
)
def test_what_cannot_be_asked_is_named(client: TestClient, options: dict[str, Any]) -> None:
    response = client.get("/v1/feeds/popular.json", params=options)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, *options)


def test_a_feed_that_there_is_not_is_not_found(client: TestClient) -> None:
    response = client.get("/v1/feeds/cheap.json")
    assert (response.status_code, response.json()["detail"]) == (
        404,
        "There is no such feed; there are: popular, new.",
    )


def test_systems_that_know_only_basic_auth_get_it_and_never_a_429(service: KeyedService) -> None:
    store = service.client.app.state.responder.store  # type: ignore[attr-defined]
    key = make_key(store, Scope.READ, calls_a_minute=1)
    for _ in range(4):
        response = service.client.get(
            "/v1/feeds/popular.json", auth=("klaviyo", key), follow_redirects=False
        )
        assert response.status_code == 200
    assert service.client.get("/v1/feeds/popular.json").status_code == 401

"""Every list is read in pages, alike, and no entry is lost or shown twice while it changes."""

from collections.abc import Iterator
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.support.expected_answers import another_version
from tests.support.service_shop import Browse, Shop
from tests.support.slates import refused

pytestmark = pytest.mark.slow

LISTS = {
    "/v1/rules": ("rules", "id"),
    "/v1/bundles": ("bundles", "id"),
    "/v1/campaigns": ("campaigns", "campaign"),
    "/v1/audit": ("changes", "number"),
    "/v1/models": ("models", "version"),
    "/v1/products/bread/ratings": ("ratings", "words"),
}
# Not base64, no list, a fraction, a number that no store holds, texts with NUL, too long
NO_CURSORS = [
    *("r1", "é", "W10", "WzEuNV0", "WzkyMjMzNzIwMzY4NTQ3NzU4MDhd"),
    *("WyJcdTAwMDAiXQ", "WzEsIlx1MDAwMCJd", "WyJyMSJd" + "x" * 4000),
]


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    """A shop with five entries in every list."""
    for minutes in range(1, 5):
        another_version(own_shop.root, 60 * minutes)
    client = browse(own_shop.root)
    for number in range(5):
        exclude = {"kind": "exclude", "which": {"product_ids": ["bread"]}}
        client.put(f"/v1/rules/r{number}", json=exclude)
        bundle = {"products": ["bread", "butter"], "price": number, "currency": "EUR"}
        client.put(f"/v1/bundles/b{number}", json=bundle)
        client.put(f"/v1/campaigns/c{number}", json={})
        rating = {
            "event_id": str(number),
            "customer_id": f"x{number}",
            "kind": "rating",
            "time": "2025-06-29T10:00:00Z",
            "product_id": "bread",
            "rating": 4,
            "words": str(number),
        }
        assert client.post("/v1/events", json={"events": [rating]}).json()["rejected"] == []
    return client


def read(client: TestClient, path: str, **options: Any) -> dict[str, Any]:
    response: Response = client.get(path, params=options)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def pages(client: TestClient, path: str, limit: int) -> Iterator[list[Any]]:
    """Yield the names on each page."""
    field, name = LISTS[path]
    options: dict[str, Any] = {"limit": limit}
    while True:
        page = read(client, path, **options)
        yield [entry[name] for entry in page[field]]
        if page["next"] is None:
            return
        options["after"] = page["next"]


@pytest.mark.parametrize("path", LISTS)
def test_the_pages_of_a_list_hold_every_entry_once_and_the_last_one_says_so(
    client: TestClient, path: str
) -> None:
    (whole,) = pages(client, path, 1000)
    assert len(whole) >= 5
    for limit in (1, 2, len(whole)):
        parts = list(pages(client, path, limit))
        assert [name for part in parts for name in part] == whole
        assert all(len(part) == limit for part in parts[:-1])


def test_a_page_follows_the_one_before_though_its_last_entry_was_deleted(
    client: TestClient,
) -> None:
    first = read(client, "/v1/rules", limit=2)
    client.delete("/v1/rules/r1")
    second = read(client, "/v1/rules", limit=2, after=first["next"])
    assert [rule["id"] for rule in second["rules"]] == ["r2", "r3"]


def test_what_is_new_on_top_of_a_list_moves_nothing_onto_the_next_page(client: TestClient) -> None:
    first = read(client, "/v1/audit", limit=3)
    client.delete("/v1/rules/r0")
    second = read(client, "/v1/audit", limit=3, after=first["next"])
    assert [entry["number"] for entry in second["changes"]] == sorted(
        (entry["number"] for entry in second["changes"]), reverse=True
    )
    assert second["changes"][0]["number"] < first["changes"][-1]["number"]
    assert second["changes"][0]["subject"] != "r0"


def test_what_is_no_next_of_a_page_is_refused(client: TestClient) -> None:
    for path in LISTS:
        for after in NO_CURSORS:
            assert refused(client.get(path, params={"after": after})) == ["after"]


def test_a_page_has_1_to_1000_entries(client: TestClient) -> None:
    for path in LISTS:
        for limit in ("0", "1001", "ten"):
            assert refused(client.get(path, params={"limit": limit})) == ["limit"]


def test_the_next_of_another_list_is_refused(client: TestClient) -> None:
    cursor = read(client, "/v1/rules", limit=1)["next"]
    assert refused(client.get("/v1/audit", params={"after": cursor})) == ["after"]

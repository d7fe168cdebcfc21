"""A filter by any attribute holds in every list, follows the catalogue, and is one answer."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.service_shop import Browse, Shop
from tests.support.shop import AISLES
from tests.support.slates import EVERYWHERE, refused, shown

pytestmark = pytest.mark.slow
SLATE = "/v1/customers/c00/recommendations"
DEAR_BAKERY = 'product.category == "bakery" && product.price > 3'


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def test_every_list_shows_only_what_meets_the_filter(client: TestClient) -> None:
    bakery = set(AISLES["bakery"].split()) - {"bagel", "baguette"}  # 1.29 and 2.29
    for path in EVERYWHERE:
        ids = shown(client, path, filter=DEAR_BAKERY)
        assert ids
        assert set(ids) <= bakery
    posted = client.post("/v1/recommendations", json={"recent": ["bread"], "filter": DEAR_BAKERY})
    batch = client.post(
        "/v1/recommendations/batch",
        json={"recipients": [{"customer_id": "c00"}], "filter": DEAR_BAKERY},
    )
    feed = client.get("/v1/feeds/popular.json", params={"filter": DEAR_BAKERY})
    for body in (posted.json(), batch.json()["answers"][0], feed.json()):
        ids = {product["id"] for product in body["recommendations"]}
        assert ids
        assert ids <= bakery
    bundles = client.get("/v1/products/bread/bundles", params={"filter": "product.price < 9"})
    units = bundles.json()["recommendations"]
    assert all(product["price"] < 9 for unit in units for product in unit["products"])


def test_a_price_that_changes_counts_in_the_next_answer(client: TestClient) -> None:
    assert "bagel" not in shown(client, filter=DEAR_BAKERY)
    client.patch("/v1/products/bagel", json={"price": 9.5}).raise_for_status()
    assert "bagel" in shown(client, filter=DEAR_BAKERY)
    assert shown(client, filter="product.color == 'red'") == []
    client.patch("/v1/products/kite", json={"attributes": {"color": "red"}}).raise_for_status()
    assert shown(client, filter="product.color == 'red'") == ["kite"]


def test_one_meaning_is_one_answer_from_the_cache(client: TestClient) -> None:
    texts = (
        'product.price > 3 && product.attributes["shelf"] < 20',
        "( 20 > product.shelf )&&((3.0<product.price))",
    )

    def hits() -> float:
        lines = client.get("/metrics").text.splitlines()
        name = "regulars_cache_lookups_total{"
        found = [line for line in lines if line.startswith(name) and '"hit"' in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)

    first = client.get(SLATE, params={"filter": texts[0]})
    before = hits()
    second = client.get(SLATE, params={"filter": texts[1]})
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]
    assert hits() == before + 1


def test_an_attribute_that_no_product_has_is_told(client: TestClient) -> None:
    answer = client.get(SLATE, params={"filter": "product.colour == 'red' || product.cost > 1"})
    assert answer.json()["unknown_names"] == {"filter": "colour, cost"}
    assert answer.json()["recommendations"] == []
    assert client.get(SLATE, params={"filter": "product.shelf > 1"}).json()["unknown_names"] == {}


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("GET", SLATE, {}),
        ("GET", "/v1/feeds/new.json", {}),
        ("POST", "/v1/recommendations", {"recent": ["bread"]}),
    ],
)
def test_a_filter_that_is_wrong_is_told_with_its_character(
    client: TestClient, method: str, path: str, content: dict[str, Any]
) -> None:
    options = {**content, "filter": "product.price < 5 and true"}
    sent = {"params": options} if method == "GET" else {"json": options}
    answer = client.request(method, path, **sent)
    assert refused(answer) == ["filter"]
    assert "filter: at character 19: expected && or ||" in answer.json()["detail"]


def test_a_rule_may_be_about_any_attribute(client: TestClient) -> None:
    rule = {"kind": "exclude", "which": {"filter": "product.shelf  < 38"}}
    created = client.put("/v1/rules/high", json=rule)
    assert created.json() == {"rule": {"id": "high", **rule}, "warnings": []}
    for path in EVERYWHERE:
        assert set(shown(client, path)) <= {"puzzle", "train"}
    client.patch("/v1/products/bread", json={"attributes": {"shelf": 39}}).raise_for_status()
    assert "bread" in shown(client)
    wrong = client.put("/v1/rules/high", json={**rule, "which": {"filter": "shelf < 38"}})
    assert refused(wrong) == ["which.filter"]
    assert "at character 1: expected product.shelf" in wrong.json()["detail"]

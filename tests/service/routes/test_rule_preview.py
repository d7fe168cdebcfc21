"""What rules would do, before they are made, is what they do once they are."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.service_shop import Browse, Shop

NO_BAKERY = {"kind": "exclude", "which": {"category": "bakery"}}
PAST, COMING = (
    "2025-09-01T00:00:00+02:00",
    "2999-01-01T00:00:00Z",
)  # the shop's newest event is of June 2025


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def previewed(client: TestClient, *rules: dict[str, Any], **asked: Any) -> dict[str, Any]:
    tried = (
        {"rules": [{"id": f"r{place}", **rule} for place, rule in enumerate(rules)]}
        if rules
        else {}
    )
    answered = client.post("/v1/rules/preview", json={"customer_id": "c00", **asked, **tried})
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()
    return found


def shown(client: TestClient, **asked: Any) -> list[str]:
    slate = client.post("/v1/recommendations", json={"customer_id": "c00", **asked}).json()
    return [product["id"] for product in slate["recommendations"]]


def ids(slate: list[dict[str, Any]]) -> list[str]:
    return [product["id"] for product in slate]


@pytest.mark.parametrize(
    ("dates", "asked", "holds"),
    [
        ({}, {}, True),
        ({"starts": PAST}, {}, True),
        ({"ends": PAST}, {}, False),
        ({"starts": COMING}, {}, False),
        ({"ends": COMING}, {}, True),
        ({"starts": PAST}, {"as_of": "2025-08-01"}, False),
        ({"ends": PAST}, {"as_of": "2025-08-01"}, True),
    ],
)
def test_a_preview_shows_what_a_rule_does_once_it_is_made_whenever_it_holds(
    client: TestClient, dates: dict[str, str], asked: dict[str, str], holds: bool
) -> None:
    found = previewed(client, {**NO_BAKERY, **dates}, **asked)
    assert ids(found["without"]) == shown(client, **asked)
    assert [effect["rule_id"] for effect in found["effects"]] == ["r0"] * holds
    client.put("/v1/rules/r0", json={**NO_BAKERY, **dates})
    assert ids(found["with_rules"]) == shown(client, **asked)
    assert previewed(client, **asked) == found


def test_nothing_of_the_order_that_is_named_is_in_a_preview(client: TestClient) -> None:
    bought = ids(previewed(client, NO_BAKERY)["with_rules"])[0]
    order = {
        "event_id": "1",
        "kind": "purchase",
        "time": "2025-06-29T10:00:00Z",
        "order_id": "o",
        "customer_id": "c01",
    }
    client.post("/v1/events", json={"events": [{**order, "lines": [{"product_id": bought}]}]})
    found = previewed(client, NO_BAKERY, order_id="o")
    assert bought not in ids(found["without"]) + ids(found["with_rules"])
    assert ids(found["without"]) == shown(client, order_id="o")


def test_a_rule_that_cannot_be_is_refused_by_its_field(client: TestClient) -> None:
    answered = client.post("/v1/rules/preview", json={"rules": [{"id": "r", "kind": "exclude"}]})
    assert (answered.status_code, answered.json()["errors"][0]["field"]) == (422, "rules")

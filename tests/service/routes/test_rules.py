"""A rule holds in the very next answer, and does then what its preview said before."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.routes.rules import MAX_RULES
from service.schemas.rules import PreviewAnswer, RuleDocument
from tests.support.service_shop import Browse, Shop
from tests.support.shop import AISLES
from tests.support.slates import EVERYWHERE, refused, shown, slate

pytestmark = pytest.mark.slow

NO_BAKERY = {"kind": "exclude", "which": {"category": "bakery"}}


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def test_a_rule_holds_in_the_next_answer_and_until_it_is_deleted(client: TestClient) -> None:
    before = {path: shown(client, path) for path in EVERYWHERE}
    created = client.put("/v1/rules/no%2Fbread", json=NO_BAKERY)
    assert created.json() == {"rule": {"id": "no/bread", **NO_BAKERY}, "warnings": []}
    for path in EVERYWHERE:
        assert set(AISLES["bakery"].split()).isdisjoint(shown(client, path))
    assert client.get("/v1/rules").json() == {"rules": [created.json()["rule"]], "next": None}
    assert client.get("/v1/rules/no%2Fbread").json() == created.json()
    assert client.delete("/v1/rules/no%2Fbread").json() == {"rule": created.json()["rule"]}
    assert {path: shown(client, path) for path in EVERYWHERE} == before
    assert client.get("/v1/rules").json()["rules"] == []


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
        ({"kind": "exclude", "which": {"colour": "red"}}, "which.colour"),
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
    assert client.get("/v1/rules").json()["rules"] == []
    assert client.get("/v1/audit").json()["changes"] == []


def test_more_rules_than_a_shop_may_have_are_refused(client: TestClient) -> None:
    for number in range(MAX_RULES):
        assert client.put(f"/v1/rules/{number}", json=NO_BAKERY).status_code == 200
    response = client.put("/v1/rules/one-more", json=NO_BAKERY)
    refused(response, 409)
    assert "200 rules at most" in response.json()["detail"]
    assert (
        client.put("/v1/rules/7", json={"kind": "cap", "by": "brand", "most": 2}).status_code == 200
    )
    client.delete("/v1/rules/8")
    assert client.put("/v1/rules/one-more", json=NO_BAKERY).status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_rule_that_there_is_not_is_not_found(client: TestClient, method: str) -> None:
    refused(client.request(method, "/v1/rules/none"), 404)
    assert client.get("/v1/audit").json()["changes"] == []


def test_the_description_shows_what_a_rule_is_made_of(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    body = paths["/v1/rules/{rule_id}"]["put"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    assert {kind["title"] for kind in body["oneOf"]} == {
        example["kind"] for example in body["examples"]
    }


# Preview

PAST, COMING = (
    "2025-09-01T00:00:00+02:00",
    "2999-01-01T00:00:00Z",
)  # the shop's newest event is of June 2025


def previewed(client: TestClient, *rules: dict[str, Any], **options: Any) -> dict[str, Any]:
    tried = (
        {"rules": [{"id": f"r{number}", **rule} for number, rule in enumerate(rules)]}
        if rules
        else {}
    )
    response = client.post("/v1/rules/preview", json={"customer_id": "c00", **options, **tried})
    assert response.status_code == 200, response.text
    preview: dict[str, Any] = response.json()
    return preview


def visit_slate(client: TestClient, **options: Any) -> list[str]:
    slate = client.post("/v1/recommendations", json={"customer_id": "c00", **options}).json()
    return [product["id"] for product in slate["recommendations"]]


def ids(slate: list[dict[str, Any]]) -> list[str]:
    return [product["id"] for product in slate]


@pytest.mark.parametrize(
    ("dates", "options", "holds"),
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
    client: TestClient, dates: dict[str, str], options: dict[str, str], holds: bool
) -> None:
    preview = previewed(client, {**NO_BAKERY, **dates}, **options)
    assert ids(preview["without"]) == visit_slate(client, **options)
    assert [effect["rule_id"] for effect in preview["effects"]] == ["r0"] * holds
    client.put("/v1/rules/r0", json={**NO_BAKERY, **dates})
    assert ids(preview["with_rules"]) == visit_slate(client, **options)
    assert previewed(client, **options) == preview


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
    preview = previewed(client, NO_BAKERY, order_id="o")
    assert bought not in ids(preview["without"]) + ids(preview["with_rules"])
    assert ids(preview["without"]) == visit_slate(client, order_id="o")


def test_a_rule_is_tried_beside_the_others_or_in_place_of_the_one_of_its_id(
    client: TestClient,
) -> None:
    pin = {"kind": "pin", "which": {"product_ids": ["rake"]}, "position": 1}
    client.put("/v1/rules/rake", json=pin)
    beside = previewed(client, NO_BAKERY, keep_others=True)
    assert ids(beside["with_rules"])[0] == "rake"
    assert [effect["rule_id"] for effect in beside["effects"]] == ["r0", "rake"]
    assert ids(previewed(client, NO_BAKERY)["with_rules"])[0] != "rake"
    tried = {"rules": [{"id": "rake", **NO_BAKERY}], "keep_others": True}
    instead = client.post("/v1/rules/preview", json={"customer_id": "c00", **tried}).json()
    assert ids(instead["with_rules"])[0] != "rake"


def test_a_rule_that_cannot_be_is_refused_by_its_field(client: TestClient) -> None:
    response = client.post("/v1/rules/preview", json={"rules": [{"id": "r", "kind": "exclude"}]})
    assert refused(response) == ["rules[0].which"]


MISSPELLED = {
    "kind": "boost",
    "market": "nowhere",
    "strength": 2,
    "which": {
        "product_ids": ["bread", "bred", *(f"x{number}" for number in range(6))],
        "category": "Bakry",
        "brand": "none such",
        "filter": "product.colour == 'red'",
    },
}
WARNINGS = {
    "which.product_ids": "the catalogue does not know 'bred', 'x0', 'x1', 'x2', 'x3' and 2 more",
    "which.category": "no product is of the category 'Bakry'; did you mean 'bakery'?",
    "which.brand": "no product is of the brand 'none such'",
    "market": "no customer and no product is of the market 'nowhere'",
    "which.filter": "no product has the attribute 'colour'",
}


def test_names_in_a_rule_that_nothing_bears_are_warned_about_and_the_rule_is_kept(
    client: TestClient,
) -> None:
    answer = RuleDocument.model_validate(client.put("/v1/rules/r", json=MISSPELLED).json())
    assert {each.field: each.problem for each in answer.warnings} == WARNINGS
    assert answer.rule == client.get("/v1/rules").json()["rules"][0]
    new = {"product_id": "x0", "category": "Bakry", "brand": "none such"}
    client.put("/v1/products", json={"products": [new]})
    fields = [each["field"] for each in client.get("/v1/rules/r").json()["warnings"]]
    assert fields == ["which.product_ids", "market", "which.filter"]


def test_a_preview_warns_of_the_rules_that_are_tried(client: TestClient) -> None:
    rules = [{"id": "a", **NO_BAKERY}, {"id": "b", **MISSPELLED}]
    answer = client.post("/v1/rules/preview", json={"customer_id": "c00", "rules": rules}).json()
    PreviewAnswer.model_validate(answer)
    assert {each["field"]: each["problem"] for each in answer["warnings"]} == {
        f"rules[1].{field}": problem for field, problem in WARNINGS.items()
    }

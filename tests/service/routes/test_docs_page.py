"""The documentation comes from this service alone and says what it does."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.slate import FallbackReason, ReasonKind, Source, Strategy


@pytest.fixture(scope="module")
def openapi(client: TestClient) -> dict[str, Any]:
    described: dict[str, Any] = client.get("/openapi.json").json()
    return described


def test_the_page_loads_nothing_from_anywhere_else(client: TestClient) -> None:
    page = client.get("/docs")
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page.text)
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for address in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        assert client.get(address).status_code == 200


def test_every_address_is_described(openapi: dict[str, Any]) -> None:
    assert openapi["openapi"].startswith("3.1")
    assert set(openapi["paths"]) == {
        "/v1/customers/{customer_id}/recommendations",
        "/v1/customers/{customer_id}/recommendations.html",
        "/v1/recommendations",
        "/v1/recommendations/batch",
        "/v1/campaigns",
        "/v1/campaigns/{campaign_id}",
        "/v1/products/{product_id}/similar",
        "/v1/products/{product_id}/bundles",
        "/v1/baskets/bundles",
        "/v1/popular",
        "/v1/feeds/{name}.json",
        "/v1/orders/{order_id}/follow-up",
        "/v1/events",
        "/v1/customers/{customer_id}",
        "/v1/customers/{customer_id}/consent",
        "/v1/customers/{customer_id}/unused",
        "/v1/customers/{customer_id}/profile",
        "/v1/customers/{customer_id}/export",
        "/v1/customers/{customer_id}/replenishment",
        "/v1/tokens",
        "/v1/products",
        "/v1/products/{product_id}",
        "/v1/rules",
        "/v1/rules/{rule_id}",
        "/v1/audit",
        "/v1/models",
        "/v1/models/{version}/activate",
        "/v1/products/{product_id}/ratings",
        "/v1/rules/preview",
        "/healthz",
        "/readyz",
        "/metrics",
    }


def test_every_option_says_what_it_means(openapi: dict[str, Any]) -> None:
    for operations in openapi["paths"].values():
        for operation in operations.values():
            assert operation["description"]
            assert all(parameter["description"] for parameter in operation.get("parameters", []))


def test_every_word_an_answer_may_hold_is_described(openapi: dict[str, Any]) -> None:
    for words in (Strategy, Source, ReasonKind, FallbackReason):
        assert openapi["components"]["schemas"][words.__name__]["enum"] == list(words)


def test_answers_and_problems_have_schemas_and_examples(openapi: dict[str, Any]) -> None:
    for path, operations in openapi["paths"].items():
        for operation in operations.values():
            if path.startswith("/v1") and path != "/v1/models":
                assert "application/problem+json" in operation["responses"]["422"]["content"]
                assert {"202" if path == "/v1/events" else "200", "401", "503"} <= set(
                    operation["responses"]
                )
    for name in ("SlateAnswer", "BundleAnswer", "ProblemBody", "SessionOptions", "BasketOptions"):
        assert openapi["components"]["schemas"][name]["examples"]


def test_every_reference_leads_somewhere(openapi: dict[str, Any]) -> None:
    for name in re.findall(r"#/components/schemas/(\w+)", str(openapi)):
        assert name in openapi["components"]["schemas"]


def test_the_description_says_where_a_key_is_needed(openapi: dict[str, Any]) -> None:
    assert openapi["paths"]["/healthz"]["get"]["security"] == []
    assert openapi["paths"]["/v1/popular"]["get"]["security"] == [
        {"bearer": []},
        {"key": []},
        {"basic": []},
    ]


def test_an_empty_value_is_allowed_where_it_means_not_given(openapi: dict[str, Any]) -> None:
    parameters = openapi["paths"]["/v1/popular"]["get"]["parameters"]
    assert all(parameter["allowEmptyValue"] for parameter in parameters)
    properties = openapi["components"]["schemas"]["BasketOptions"]["properties"]
    assert {"enum": ["", None]} in properties["n"]["anyOf"]
    assert properties["basket"]["type"] == "array"


def test_an_event_is_described_and_anything_may_be_sent_in_its_place(
    openapi: dict[str, Any],
) -> None:
    items = openapi["components"]["schemas"]["EventsBody"]["properties"]["events"]["items"]
    assert items["anyOf"] == [{"$ref": "#/components/schemas/EventBody"}, {}]

"""A slate is explained over HTTP, to admin alone, and that somebody looked stands in the log."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.schemas.explanations import ExplainAnswer
from tests.support.keyed_service import ANNA, KeyedService, open_keyed_service
from tests.support.service_shop import Shop


@pytest.fixture(scope="module")
def service(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedService]:
    with open_keyed_service(shop, tmp_path_factory.mktemp("explained")) as opened:
        yield opened


def get(service: KeyedService, path: str, **query: Any) -> dict[str, Any]:
    headers = {"X-API-Key": service.credentials["admin"]}
    response = service.client.get(path, headers=headers, params=query)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def explain(service: KeyedService, customer: str = ANNA, **query: Any) -> dict[str, Any]:
    told = get(service, f"/v1/customers/{customer}/explain", **query)
    ExplainAnswer.model_validate(told)
    return told


def test_the_slate_explained_is_the_one_that_is_recommended(service: KeyedService) -> None:
    slate = get(service, f"/v1/customers/{ANNA}/recommendations", placement="home", n=4)
    told = explain(service, placement="home", n=4)
    assert told["slate"] == [one["id"] for one in slate["recommendations"]]
    assert (told["strategy"], told["data_as_of"]) == (slate["strategy"], slate["data_as_of"])
    by_position = {one["position"]: one for one in told["ranked"] if one["position"]}
    for position, shown in enumerate(slate["recommendations"], 1):
        if position in by_position:
            ranked = by_position[position]
            assert (ranked["id"], ranked["source"]) == (shown["id"], shown["source"])
            assert ranked["reason"] == shown["reason"]
            assert ranked["features"]["constant"] == 1


def test_why_not_is_answered_with_the_rule_of_the_shop(service: KeyedService) -> None:
    headers = {"X-API-Key": service.credentials["admin"]}
    first = explain(service)["slate"][0]
    hide = {"kind": "exclude", "which": {"product_ids": [first]}}
    assert service.client.put("/v1/rules/hide", json=hide, headers=headers).status_code == 200
    told = explain(service, product_id=first)
    service.client.delete("/v1/rules/hide", headers=headers)
    assert told["rules"] == ["hide"]
    asked = told["asked"]
    assert (asked["verdict"], asked["product"]["removed_by"]) == ("removed", "shop_excluded")
    assert asked["product"]["shop_rules"] == ["hide"]
    assert first in [one["id"] for one in told["removed"]]
    assert explain(service, product_id=first)["asked"]["verdict"] == "shown"
    unknown = explain(service, product_id="no such product")["asked"]
    assert unknown == {"verdict": "unknown_product", "product": None}
    assert explain(service, candidates=0)["ranked"] == []


def test_a_campaigns_slate_is_not_explained(service: KeyedService) -> None:
    query = {"campaign": "spring"}
    assert service.call("GET", f"/v1/customers/{ANNA}/explain", "admin", params=query) == 422


def test_a_look_at_a_customer_is_noted_once_an_hour_and_without_their_id(
    shop: Shop, tmp_path: Path
) -> None:
    with open_keyed_service(shop, tmp_path) as service:
        for path in ("explain", "explain", "profile", "export", "preferences"):
            assert service.call("GET", f"/v1/customers/{ANNA}/{path}", "admin") == 200
        assert service.call("GET", f"/v1/customers/{ANNA}/profile", "token") == 200
        assert service.call("GET", f"/v1/customers/{ANNA}/profile", "first") == 200
        get(service, "/v1/events")
        get(service, "/v1/events", customer_id=ANNA)
        changes = get(service, "/v1/audit")["changes"]
        looks = [one for one in changes if one["action"] == "customer looked at"]
        assert [one["subject"] == "customers" for one in looks] == [True, False, False]
        assert looks[1]["actor"] == "REGULARS_API_KEY"
        assert ANNA not in str(looks)

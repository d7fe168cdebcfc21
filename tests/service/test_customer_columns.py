"""Offers and rules for a column of the customers file are for those who have the value alone."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from models.artifact.registry import Registry
from models.data.customers import CustomerColumns
from models.data.ids import Ids, Strings
from models.data.timestamps import format_timestamp
from models.experiments.assignment import bucket_of
from tests.support.service_shop import Browse, Shop
from tests.support.slates import refused

PATH = "/v1/customers/{}/recommendations"
GOLD = {"tier": ["gold", "platinum"]}


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    """c00 and c02 are gold, c01 is silver, of the others nothing is known."""
    recommender = own_shop.model.recommender
    customers = recommender.model.customers
    code = np.full((len(customers), 1), -1, np.int32)
    for customer, value in (("c00", 0), ("c01", 1), ("c02", 0)):
        code[customers.ids.find(customer)] = value
    columns = CustomerColumns(Strings.of(["tier"]), Ids.of(["gold", "silver"]), code)
    model = replace(recommender.model, customers=replace(customers, columns=columns))
    registry = Registry(own_shop.root)
    published = registry.publish(model, replace(recommender.manifest, files={}))
    registry.activate(published.version)
    return browse(own_shop.root)


def answer(client: TestClient, customer: str, **options: Any) -> dict[str, Any]:
    """Asked twice, so that the next one would come from the cache."""
    first, second = (client.get(PATH.format(customer), params=options) for _ in range(2))
    assert first.content == second.content
    answered: dict[str, Any] = first.json()
    return answered


def is_offered(client: TestClient, customer: str, **options: Any) -> bool:
    return answer(client, customer, **options)["offer"] is not None


def say(client: TestClient, customer: str, **answers: bool) -> None:
    given = {**answers, "time": format_timestamp(int(time.time()))}
    client.put(f"/v1/customers/{customer}/consent", json=given).raise_for_status()


def test_an_offer_is_for_customers_with_the_value_who_allow_it(client: TestClient) -> None:
    body = {"text": {"en": "Thank you"}, "customers": GOLD}
    made = client.put("/v1/offers/thanks", json=body).json()
    assert made["offer"]["customers"] == GOLD
    problem = "no customer has 'platinum' in the column 'tier'"
    assert made["warnings"] == [{"field": "customers.tier", "problem": problem}]
    offered = [is_offered(client, who) for who in ("c00", "c01", "c03", "stranger", "c02")]
    assert offered == [True, False, False, False, True]
    visit = client.post("/v1/recommendations", json={"session_id": "s1"}).json()
    assert visit["offer"] is None
    say(client, "c00", personalize_email=False)
    assert is_offered(client, "c00")
    assert not is_offered(client, "c00", placement="email")
    say(client, "c00", train=False)
    assert not is_offered(client, "c00")
    client.delete("/v1/customers/c02").raise_for_status()
    assert not is_offered(client, "c02")


def test_all_that_an_offer_is_limited_to_must_be_met(client: TestClient) -> None:
    body = {"text": {"en": "x"}, "customers": {"tier": ["gold"], "country": ["SE"]}}
    client.put("/v1/offers/thanks", json=body).raise_for_status()
    assert not is_offered(client, "c00")  # nobody's country is known
    client.put("/v1/offers/thanks", json={**body, "customers": {"tier": ["gold"]}})
    assert is_offered(client, "c00")
    too_many = {str(number): ["x"] for number in range(6)}
    for wrong in ({"tier": []}, {"tier": "gold"}, too_many):
        assert refused(client.put("/v1/offers/x", json={**body, "customers": wrong}))


def test_a_rule_holds_for_customers_with_the_value_alone(client: TestClient) -> None:
    shown = answer(client, "c00")["recommendations"][0]["id"]
    rule = {"kind": "exclude", "which": {"product_ids": [shown]}, "customers": GOLD}
    made = client.put("/v1/rules/no", json=rule).json()
    assert made["rule"]["customers"] == GOLD
    assert [one["field"] for one in made["warnings"]] == ["customers.tier"]
    assert "no customer has 'platinum' in the column 'tier'" in made["warnings"][0]["problem"]

    def sees(customer: str) -> bool:
        options = {"n": 100, "repeat": "include"}
        found = answer(client, customer, **options)["recommendations"]
        return shown in [product["id"] for product in found]

    assert [sees(customer) for customer in ("c00", "c01", "stranger")] == [False, True, True]
    assert refused(client.put("/v1/rules/no", json={**rule, "customers": {"tier": []}}))


def test_an_experiment_is_for_customers_with_the_value_who_allow_it(client: TestClient) -> None:
    body = {
        "ends": "2999-01-01T00:00:00Z",
        "variants": [{"name": "as now", "share": 0}, {"name": "off", "share": 1, "shown": False}],
        "customers": {"tier": ["platinum", "gold"]},
    }
    made = client.put("/v1/experiments/x", json=body).json()
    assert made["experiment"]["customers"] == GOLD
    assert [one["field"] for one in made["warnings"]] == ["customers.tier"]
    assert client.get("/v1/experiments/x").json()["warnings"] == made["warnings"]

    def variant_of(customer: str, **options: Any) -> Any:
        return answer(client, customer, **options)["variant"]

    assert [variant_of(who) for who in ("c00", "c01", "stranger")] == ["off", None, None]
    say(client, "c00", personalize_email=False)
    assert variant_of("c00", placement="email") is None
    say(client, "c02", train=False)
    assert variant_of("c02") is None
    changed = client.put("/v1/experiments/x", json={**body, "customers": {"tier": ["silver"]}})
    assert (changed.status_code, "`customers`" in changed.json()["detail"]) == (409, True)
    for wrong in ({"customers": {"tier": []}}, {"by": "session"}):
        assert refused(client.put("/v1/experiments/y", json={**body, **wrong}))


def test_customers_are_told_what_the_model_holds_of_them(client: TestClient) -> None:
    learned = [
        client.get(f"/v1/customers/{who}/export").json()["learned"] for who in ("c00", "c03")
    ]
    assert [one["columns"] for one in learned] == [{"tier": "gold"}, {}]


def test_nobody_in_the_holdout_is_treated_by_a_column(client: TestClient) -> None:
    client.put("/v1/offers/thanks", json={"text": {"en": "x"}, "customers": GOLD})
    key = bytes.fromhex(client.put("/v1/holdout", json={"share": 0.5}).json()["key"])
    for customer in ("c00", "c02"):
        assert is_offered(client, customer) is (bucket_of(key, customer) >= 5_000)

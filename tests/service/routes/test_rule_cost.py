"""What a rule costs is counted on purchases after the model, and never on who refused."""

from collections.abc import Iterable
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.schemas.rules import RuleCostAnswer
from tests.support.service_shop import Browse, Shop
from tests.support.slates import refused

pytestmark = pytest.mark.slow

BUYERS = [f"c{number:02}" for number in range(40)]
AFTER = "2025-07-05T10:00:00Z"  # the shop's newest event is of June 2025


@pytest.fixture
def client(browse: Browse, own_shop: Shop, store_url: str) -> TestClient:
    return browse(own_shop.root, database_url=store_url)


def first_shown(client: TestClient, customer_id: str) -> str:
    slate = client.get(f"/v1/customers/{customer_id}/recommendations", params={"n": 1}).json()
    return str(slate["recommendations"][0]["id"])


def buy(client: TestClient, bought: Iterable[tuple[str, str]], time: str = AFTER) -> None:
    events: list[dict[str, Any]] = []
    for customer_id, product_id in bought:
        order_id = f"{customer_id} {product_id}"
        event = {"event_id": order_id, "kind": "purchase", "time": time, "order_id": order_id}
        lines = [{"product_id": product_id}]
        events.append({**event, "customer_id": customer_id, "lines": lines})
    taken = client.post("/v1/events", json={"events": events})
    assert taken.json()["accepted"] == len(events)


def cost(client: TestClient, *rules: dict[str, Any], **options: Any) -> dict[str, Any]:
    tried = {"rules": list(rules)} if rules else {}
    response = client.post("/v1/rules/cost", json={"max_seconds": 60, **tried, **options})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    RuleCostAnswer.model_validate(answer)
    return answer


def without(*product_ids: str, **more: Any) -> dict[str, Any]:
    return {"id": "out", "kind": "exclude", "which": {"product_ids": list(product_ids)}, **more}


@pytest.fixture
def bought(client: TestClient) -> dict[str, str]:
    """Everybody buys what stood first on their slate."""
    wanted = {customer_id: first_shown(client, customer_id) for customer_id in BUYERS}
    buy(client, wanted.items())
    return wanted


def test_a_rule_that_takes_out_what_was_bought_costs_these_hits(
    client: TestClient, bought: dict[str, str]
) -> None:
    product_id = bought[BUYERS[0]]
    lost = list(bought.values()).count(product_id)
    told = cost(client, without(product_id))
    assert (told["customers"], told["complete"]) == (len(BUYERS), True)
    assert told["without"] == {"hits": len(BUYERS), "recall": 1.0}
    assert told["with_rules"]["hits"] == len(BUYERS) - lost
    difference = told["difference"]
    assert difference["recall"] == pytest.approx(-lost / len(BUYERS), abs=1e-6)
    assert difference["low"] < difference["recall"] < difference["high"]
    assert lost <= told["changed"] <= len(BUYERS)


def test_a_rule_that_changes_nothing_costs_nothing_and_the_interval_still_doubts_it(
    client: TestClient, bought: dict[str, str]
) -> None:
    told = cost(client, without("no such product"))
    assert told["changed"] == 0
    assert told["difference"] == {"recall": 0.0, "low": -3 / 40, "high": 3 / 40}


def test_rules_of_the_shop_hold_on_both_sides_but_for_those_that_are_tried(
    client: TestClient, bought: dict[str, str]
) -> None:
    product_id = bought[BUYERS[0]]
    client.put("/v1/rules/out", json={key: without(product_id)[key] for key in ("kind", "which")})
    alone = cost(client, without(product_id))
    assert alone["without"]["hits"] == len(BUYERS)
    assert cost(client) | {"complete": True} == alone
    beside = cost(client, {**without("no such product"), "id": "other"})
    assert beside["without"] == beside["with_rules"] == alone["with_rules"]


def test_a_rule_of_next_year_is_counted_as_if_it_held_and_one_for_elsewhere_is_not(
    client: TestClient, bought: dict[str, str]
) -> None:
    product_id = bought[BUYERS[0]]
    dated = without(product_id, starts="2999-01-01T00:00:00Z")
    assert cost(client, dated)["difference"]["recall"] < 0
    elsewhere = without(product_id, placements=["basket"])
    assert cost(client, elsewhere, placement="home")["changed"] == 0
    assert cost(client, elsewhere, placement="basket")["changed"] > 0


def test_nothing_is_told_before_anybody_bought_and_no_difference_of_a_few(
    client: TestClient,
) -> None:
    nobody = cost(client, without("bread"))
    assert (nobody["customers"], nobody["unknown"]) == (0, "no_purchases")
    assert (nobody["until"], nobody["difference"]) == (None, None)
    assert nobody["without"] == {"hits": 0, "recall": None}
    buy(client, [("c00", "bread"), ("c01", "no such product")])
    few = cost(client, without("bread"))
    assert (few["customers"], few["unknown"], few["difference"]) == (1, "few_customers", None)


def test_who_refused_to_be_measured_or_was_erased_is_not_counted(
    client: TestClient, bought: dict[str, str]
) -> None:
    client.put("/v1/customers/c00/consent", json={"measure": False})
    client.delete("/v1/customers/c01")
    assert cost(client, without("bread"))["customers"] == len(BUYERS) - 2


def test_no_more_customers_are_looked_at_than_were_asked_for_or_there_is_time_for(
    client: TestClient, bought: dict[str, str]
) -> None:
    sample = cost(client, without("bread"), max_customers=35)
    assert (sample["customers"], sample["complete"]) == (35, False)
    assert sample == cost(client, without("bread"), max_customers=35)
    hurried = cost(client, without("bread"), max_seconds=1e-9)
    assert (hurried["customers"], hurried["complete"]) == (0, False)
    assert hurried["unknown"] == "few_customers"


def test_what_was_bought_before_the_model_learned_is_no_hit(client: TestClient) -> None:
    buy(client, [(customer_id, "bread") for customer_id in BUYERS], "2025-06-01T10:00:00Z")
    assert cost(client, without("bread"))["unknown"] == "no_purchases"


def test_a_bad_rule_and_a_bad_placement_are_refused_by_their_fields(client: TestClient) -> None:
    wrong = client.post("/v1/rules/cost", json={"rules": [{"id": "r", "kind": "exclude"}]})
    assert refused(wrong) == ["rules[0].which"]
    assert refused(client.post("/v1/rules/cost", json={"placement": "no where"})) == ["placement"]

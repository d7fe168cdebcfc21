"""What is shown may depend on a customer's segment, with their consent to both halves of that."""

from __future__ import annotations

import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.data.segments import Segment
from models.data.timestamps import format_timestamp
from models.experiments.assignment import bucket_of
from tests.support.segments import write_segments
from tests.support.service_shop import Browse, Shop, wait_until
from tests.support.slates import refused, shown

pytestmark = pytest.mark.slow

FOLLOW_SECONDS = 0.05
PATH = "/v1/customers/{}/recommendations"
RAKE_FIRST: dict[str, Any] = {
    "kind": "pin",
    "which": {"product_ids": ["rake"]},
    "position": 1,
    "segments": ["connected", "promising"],
}


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    write_segments(own_shop.root, c00=Segment.CONNECTED, c01=Segment.LAPSED)
    return browse(own_shop.root, follow_seconds=FOLLOW_SECONDS)


def first(client: TestClient, customer: str = "c00", **options: Any) -> str:
    return shown(client, PATH.format(customer), **options)[0]


def now_first(client: TestClient, customer: str = "c00") -> str:
    """As the service knows it at this moment, which may be its last."""
    product_id: str = client.get(PATH.format(customer)).json()["recommendations"][0]["id"]
    return product_id


def say(client: TestClient, customer: str, **answers: bool) -> None:
    given = {**answers, "time": format_timestamp(int(time.time()))}
    client.put(f"/v1/customers/{customer}/consent", json=given).raise_for_status()


def test_a_rule_holds_for_the_customers_of_its_segments_alone(client: TestClient) -> None:
    made = client.put("/v1/rules/rake", json=RAKE_FIRST).json()
    assert made == {"rule": {"id": "rake", **RAKE_FIRST}, "warnings": []}
    assert first(client) == "rake"
    for customer in ("c01", "c02", "stranger"):
        assert first(client, customer) != "rake"
    assert shown(client, "/v1/popular")[0] != "rake"
    visit = {"session_id": "s1", "n": 5}
    answered = client.post("/v1/recommendations", json=visit).json()["recommendations"]
    assert answered[0]["id"] != "rake"
    body = {**visit, "customer_id": "c00"}
    assert (
        client.post("/v1/recommendations", json=body).json()["recommendations"][0]["id"] == "rake"
    )


def test_new_segments_change_the_next_answers(client: TestClient, own_shop: Shop) -> None:
    client.put("/v1/rules/rake", json=RAKE_FIRST)
    assert (first(client), first(client, "c01") == "rake") == ("rake", False)
    write_segments(own_shop.root, c00=Segment.AT_RISK, c01=Segment.PROMISING)
    wait_until(lambda: now_first(client, "c01") == "rake")
    assert first(client) != "rake"


def test_a_segment_takes_consent_to_training_and_to_its_channel(client: TestClient) -> None:
    client.put("/v1/rules/rake", json=RAKE_FIRST)
    say(client, "c00", personalize_email=False)
    assert first(client) == "rake"
    assert first(client, placement="email") != "rake"
    assert first(client, campaign="weekly") != "rake"
    say(client, "c00", personalize_email=True, personalize_web=False)
    assert first(client) != "rake"
    assert first(client, placement="email") == "rake"
    say(client, "c00", personalize_web=True, train=False)
    assert first(client) != "rake"
    say(client, "c00", train=True)
    assert first(client) == "rake"
    client.delete("/v1/customers/c00").raise_for_status()
    assert first(client) != "rake"


def test_nobody_in_the_holdout_is_treated_by_their_segment(client: TestClient) -> None:
    client.put("/v1/rules/rake", json=RAKE_FIRST)
    assert first(client) == "rake"
    key = bytes.fromhex(client.put("/v1/holdout", json={"share": 0.9}).json()["key"])
    is_held_out = bucket_of(key, "c00") < 9_000
    assert (first(client) != "rake") is is_held_out


def test_a_rule_for_a_segment_is_tried_before_it_is_made(client: TestClient) -> None:
    rules = {"rules": [{"id": "rake", **RAKE_FIRST}], "n": 5}
    tried = {
        customer: client.post("/v1/rules/preview", json={**rules, "customer_id": customer}).json()
        for customer in ("c00", "c01")
    }
    assert tried["c00"]["with_rules"][0]["id"] == "rake"
    assert tried["c01"]["effects"] == []
    unknown = client.put("/v1/rules/rake", json={**RAKE_FIRST, "segments": ["rich"]})
    assert refused(unknown) == ["segments[0]"]


def test_an_experiment_is_for_the_customers_of_its_segments(client: TestClient) -> None:
    halves = [{"name": "as now", "share": 0}, {"name": "rake", "share": 1, "rules": [
        {"kind": "pin", "which": {"product_ids": ["rake"]}, "position": 1}]}]  # fmt: skip
    body = {"ends": "2999-01-01T00:00:00Z", "variants": halves, "segments": ["lapsed"]}
    made = client.put("/v1/experiments/x", json=body).json()
    assert made["experiment"]["segments"] == ["lapsed"]
    answers = {customer: client.get(PATH.format(customer)).json() for customer in ("c00", "c01")}
    assert (answers["c00"]["experiment"], answers["c01"]["experiment"]) == (None, "x")
    assert answers["c01"]["recommendations"][0]["id"] == "rake"
    say(client, "c01", train=False)
    assert client.get(PATH.format("c01")).json()["experiment"] is None
    by_session = client.put("/v1/experiments/y", json={**body, "by": "session"})
    assert refused(by_session) == ["body"]


def test_figures_that_cannot_be_read_put_nobody_in_a_segment(
    client: TestClient, own_shop: Shop
) -> None:
    client.put("/v1/rules/rake", json=RAKE_FIRST)
    assert first(client) == "rake"
    (own_shop.root / "insights" / "customers.npy").write_bytes(b"nothing of the kind")
    wait_until(lambda: now_first(client) != "rake")
    write_segments(own_shop.root, c00=Segment.CONNECTED)
    wait_until(lambda: now_first(client) == "rake")

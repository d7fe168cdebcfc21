"""A variant that the results find harmful is stopped, once, for good, on every worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.artifact.insights import EXPERIMENTS, write_insight
from service.model.guardrails import GuardrailWatch, find_harmful
from tests.support.keyed_service import store_of
from tests.support.service_shop import Browse, Shop, wait_until

pytestmark = pytest.mark.slow

ENDS = "2999-01-01T00:00:00+00:00"
VARIANTS = [{"name": "as now", "share": 0.5}, {"name": "b", "share": 0.5, "repeat": "exclude"}]
BODY = {"ends": ENDS, "variants": VARIANTS, "guardrails": [{"metric": "orders", "harm": 0.05}]}
LOOK = {"metric": "orders", "harm": 0.05, "relative": -0.3, "relative_low": -0.4}
STOP = {**LOOK, "variant": "b", "relative_high": -0.1, "found": "2026-12-14T03:00:00Z"}
CUSTOMERS = [f"c{number:02}" for number in range(24)]


def find_harm(registry: Path, starts: str, variant: str = "b") -> None:
    """Write what `regulars experiments results` writes where a variant crossed a guardrail."""
    found = {"starts": starts, "stops": [{**STOP, "variant": variant}]}
    write_insight(registry, EXPERIMENTS, {"computed": STOP["found"], "experiments": {"x": found}})


def variant_of(client: TestClient, customer: str, **options: Any) -> str | None:
    path = f"/v1/customers/{customer}/recommendations"
    variant: str | None = client.get(path, params=options).json()["variant"]
    return variant


def stopped_variants(client: TestClient) -> list[dict[str, Any]]:
    experiment = client.get("/v1/experiments/x").json()["experiment"]
    found: list[dict[str, Any]] = experiment.get("stopped_variants", [])
    return found


def test_a_harmful_variant_is_stopped_on_every_worker_and_the_log_says_why(
    browse: Browse, own_shop: Shop
) -> None:
    workers = [browse(own_shop.root, follow_seconds=0.1) for _ in range(2)]
    client = workers[0]
    made = client.put("/v1/experiments/x", json=BODY).json()["experiment"]
    assert made["guardrails"] == BODY["guardrails"]
    before = {customer: variant_of(client, customer) for customer in CUSTOMERS}
    assert set(before.values()) == {"as now", "b"}
    in_b = next(customer for customer in CUSTOMERS if before[customer] == "b")
    mail = {"placement": "email", "campaign": "spring"}
    assert variant_of(client, in_b, **mail) == "b"

    find_harm(own_shop.root, made["starts"])
    for worker in workers:
        wait_until(lambda worker=worker: variant_of(worker, in_b) is None)  # type: ignore[misc]
        after = {customer: variant_of(worker, customer) for customer in CUSTOMERS}
        assert after == {name: part if part != "b" else None for name, part in before.items()}
    assert variant_of(client, in_b, **mail) == "b"  # it is shown again as it was
    assert variant_of(client, in_b, n=3, **mail) is None

    find_harm(own_shop.root, made["starts"])  # the next run says it again
    longer = {**BODY, "ends": "2999-06-01T00:00:00+00:00"}
    kept = client.put("/v1/experiments/x", json=longer)
    assert kept.status_code == 200, kept.text
    (stop,) = stopped_variants(client)
    assert (stop["variant"], stop["metric"], stop["relative_high"]) == ("b", "orders", -0.1)
    changes = client.get("/v1/audit").json()["changes"]
    (noted,) = [change for change in changes if change["action"] == "variant stopped"]
    assert (noted["actor"], noted["subject"]) == ("guardrail", "x")
    assert noted["after"]["stopped_variants"] == [stop]
    results = client.get("/v1/insights/experiments/x").json()
    assert [one["variant"] for one in results["stops"]] == ["b"]


def test_neither_the_control_nor_another_experiment_of_that_name_is_stopped(
    browse: Browse, own_shop: Shop
) -> None:
    made = browse(own_shop.root).put("/v1/experiments/x", json=BODY).json()["experiment"]
    for starts, variant in (("2020-01-01T00:00:00Z", "b"), (made["starts"], "as now")):
        find_harm(own_shop.root, starts, variant)
        assert stopped_variants(browse(own_shop.root)) == []


def test_results_that_cannot_be_read_stop_nothing_and_are_told_once(
    browse: Browse, own_shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    for stops in ([{"variant": "b"}], ["b"], 7):
        caplog.clear()
        facts = {"experiments": {"x": {"starts": "2026-12-01T00:00:00Z", "stops": stops}}}
        write_insight(own_shop.root, EXPERIMENTS, facts)
        store = store_of(browse(own_shop.root))
        watch = GuardrailWatch(own_shop.root, store)
        caplog.clear()
        for _ in range(3):
            watch.follow()
        told = [record for record in caplog.records if "guardrails cannot" in record.message]
        assert len(told) == 1
    assert find_harmful({}) == []


@pytest.mark.parametrize(
    ("guardrails", "said"),
    [
        ([{"metric": "clicks", "harm": 0.1}], "metric"),
        ([{"metric": "orders", "harm": 1.0}], "less than 1"),
        ([{"metric": "orders", "harm": -0.1}], "harm"),
    ],
)
def test_a_guardrail_that_could_not_hold_is_refused(
    browse: Browse, own_shop: Shop, guardrails: list[dict[str, Any]], said: str
) -> None:
    client = browse(own_shop.root)
    refused = client.put("/v1/experiments/x", json={**BODY, "guardrails": guardrails})
    assert refused.status_code == 422
    assert said in refused.text

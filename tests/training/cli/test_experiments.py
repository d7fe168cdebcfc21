"""How long an experiment must run, and what it says once it runs."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from models.data.events import DAY
from models.data.timestamps import format_timestamp
from service.app import create
from service.settings import Settings
from tests.support.training_shop import small_shop
from training.cli.commands import main

pytestmark = pytest.mark.slow

NOW = int(time.time()) + 20 * DAY  # the service's clock tells when an experiment begins
CUSTOMERS = 1_500


def write_purchases(path: Path, days: int, until: int, more: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    """Customers with a habit each; some buy twice as much in the last twenty days."""
    random = np.random.default_rng(3)
    habit = random.gamma(2.0, 0.01, CUSTOMERS)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["customer_id", "product_id", "timestamp", "order_id", "unit_price"])
        for day in range(days):
            for customer in np.flatnonzero(random.random(CUSTOMERS) < habit).tolist():
                when = until - (days - day) * DAY + 60
                again = day >= days - 20 and f"c{customer}" in more
                for number in range(3 if again else 1):
                    order = f"{customer}-{day}-{number}"
                    row = (f"c{customer}", "bread", format_timestamp(when + number), order, 4)
                    writer.writerow(row)


def run(*words: object, now: int = NOW) -> int:
    return main([str(word) for word in words], now=now)


def test_a_longer_experiment_finds_less(tmp_path: Path) -> None:
    write_purchases(tmp_path / "orders.csv", 120, NOW)
    plan = ("experiments", "plan", "--purchases", tmp_path / "orders.csv")
    target = tmp_path / "plan.json"
    assert run(*plan, "--days", "14,56,300", "--effect", "0.3", "--json", target) == 0
    facts = json.loads(target.read_bytes())
    found = {(row["metric"], row["days"]): row["detectable"] for row in facts["plan"]}
    assert {days for _, days in found} == {14, 56}
    assert found["orders", 56] < found["orders", 14]
    assert found["revenue", 56] < 0.3
    assert facts["days_needed"] in (14, 56)
    half = tmp_path / "half.json"
    assert run(*plan, "--days", "56", "--share", "0.5", "--json", half) == 0
    rows = {row["metric"]: row for row in json.loads(half.read_bytes())["plan"]}
    assert rows["orders"]["detectable"] > found["orders", 56]
    assert run(*plan, "--split", "1") == 2


def test_an_experiment_that_sells_more_says_so_and_the_service_tells_it(tmp_path: Path) -> None:
    registry = small_shop(tmp_path / "registry").root
    began = int(time.time())
    settings = Settings(registry=registry, runtime_dir=tmp_path / "run")
    with TestClient(create(settings), base_url="http://localhost") as client:
        halves = [{"name": "as now", "share": 0.5}, {"name": "b", "share": 0.5}]
        body = {"variants": halves, "ends": format_timestamp(began + 40 * DAY)}
        client.put("/v1/experiments/x", json=body).raise_for_status()
        session = {**body, "by": "session", "layer": "other", "placements": ["cart"]}
        assert client.put("/v1/experiments/y", json=session).status_code == 409
        client.put("/v1/holdout", json={"share": 0.2}).raise_for_status()
        path = "/v1/customers/{}/recommendations"
        names = [f"c{number}" for number in range(CUSTOMERS)]
        variants = {name: client.get(path.format(name)).json()["variant"] for name in names}
        assert client.get("/v1/insights/experiments/x").status_code == 404
        more = {name for name, variant in variants.items() if variant == "b"}
        write_purchases(tmp_path / "orders.csv", 200, began + 20 * DAY, more)
        results = ("experiments", "results", "--purchases", tmp_path / "orders.csv")
        assert run(*results, "--registry", registry, now=began + 20 * DAY + 60) == 0
        told = client.get("/v1/insights/experiments/x").json()
        assert not told["is_over"]
        assert told["sample_ratio"]["holds"]
        counts = {variant["name"]: variant["customers"] for variant in told["variants"]}
        assert 0.7 * len(more) < counts["b"] <= len(more)  # some never bought anything
        (orders,) = [one for one in told["comparisons"] if one["metric"] == "orders"]
        assert orders["relative"] > 1
        assert orders["always_valid"]["low"] > 0
        (conversion,) = [one for one in told["comparisons"] if one["metric"] == "conversion"]
        assert conversion["fixed"]["low"] < 0 < conversion["fixed"]["high"]
        holdout = client.get("/v1/insights/experiments/holdout").json()
        assert [variant["name"] for variant in holdout["variants"]] == ["held out", "personalised"]
        assert holdout["sample_ratio"]["holds"]
        assert client.get("/v1/insights/experiments/none").status_code == 404

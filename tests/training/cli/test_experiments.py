"""How long an experiment must run, and what it says once it runs."""

from __future__ import annotations

import csv
import io
import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from models.data.events import DAY
from models.data.segments import SEGMENTS, Segment
from models.data.timestamps import format_timestamp
from models.experiments.assignment import bucket_of
from models.rules.shop_rules import read_moment
from service.app import create
from service.settings import Settings
from tests.support.service_shop import wait_until
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
        assert abs(conversion["relative"]) < orders["relative"] / 2
        parts = (Segment.CONNECTED, Segment.PROMISING, Segment.AT_RISK, Segment.LAPSED)
        answers = [
            client.get(f"/v1/insights/experiments/x?segment={part}").json() for part in parts
        ]
        found = [answer for answer in answers if "variants" in answer]
        assert found
        assert all(answer["exposed"] is None for answer in found)
        compared = sum(one["customers"] for answer in found for one in answer["variants"])
        assert 0.5 * sum(counts.values()) < compared <= sum(counts.values())
        assert any(row["relative"] > 1 for answer in found for row in answer["comparisons"])
        holdout = client.get("/v1/insights/experiments/holdout").json()
        assert [variant["name"] for variant in holdout["variants"]] == ["held out", "personalised"]
        assert holdout["sample_ratio"]["holds"]
        assert client.get("/v1/insights/experiments/none").status_code == 404


def test_an_experiment_by_session_compares_what_sessions_bought(tmp_path: Path) -> None:
    registry = small_shop(tmp_path / "registry").root
    began = int(time.time())
    settings = Settings(registry=registry, runtime_dir=tmp_path / "run")
    with TestClient(create(settings), base_url="http://localhost") as client:
        halves = [{"name": "as now", "share": 0.5}, {"name": "b", "share": 0.5}]
        ends = format_timestamp(began + 10 * DAY)
        guardrails = [{"metric": "conversion", "harm": 0.1}]
        body = {"variants": halves, "ends": ends, "by": "session", "guardrails": guardrails}
        made = client.put("/v1/experiments/x", json=body).json()
        client.patch("/v1/products/bread", json={"cost": 3}).raise_for_status()
        key = bytes.fromhex(made["assignment"]["variants_key"])
        began = read_moment(made["experiment"]["starts"])
        before = [(f"p{number}", began - 5 * DAY) for number in range(600)]
        for session, when in [*before, *((f"s{number}", began) for number in range(600))]:
            in_b = when == began and bucket_of(key, session) >= 5_000
            report(client, session, when, bought=int(session[1:]) % 10 < (1 if in_b else 5))
        write_purchases(tmp_path / "orders.csv", 30, began)
        results = ("experiments", "results", "--purchases", tmp_path / "orders.csv")
        assert run(*results, "--registry", registry, now=began + 9 * DAY) == 0
        told = client.get("/v1/insights/experiments/x").json()
        assert (told["by"], told["exposed"]) == ("session", None)
        assert sum(variant["customers"] for variant in told["variants"]) == 600
        (conversion,) = [one for one in told["comparisons"] if one["metric"] == "conversion"]
        assert (conversion["control_mean"], conversion["variant_mean"]) == (
            pytest.approx(0.5, abs=0.05),
            pytest.approx(0.1, abs=0.05),
        )
        assert conversion["always_valid"]["high"] < 0
        # Bread costs the shop 3 of the 4 that are paid for it
        means = {one["metric"]: one["control_mean"] for one in told["comparisons"]}
        assert means["margin"] == pytest.approx(means["revenue"] / 4)
        assert [stop["variant"] for stop in told["stops"]] == ["b"]
        read = partial(client.get, "/v1/experiments/x")
        wait_until(lambda: "stopped_variants" in read().json()["experiment"])
        # Later looks leave it stopped, whatever they say
        insights = ("insights", "--purchases", tmp_path / "orders.csv", "--only", "experiments")
        assert run(*insights, "--registry", registry, now=began + 9 * DAY + 60) == 0
        told = client.get("/v1/insights/experiments/x").json()
        assert [stop["found"] for stop in told["stops"]] == [format_timestamp(began + 9 * DAY)]


def report(client: TestClient, session: str, when: int, *, bought: bool) -> None:
    """Report what happened in a session: it looked at bread, and perhaps bought it."""
    common = {"session_id": session, "time": format_timestamp(when)}
    event = {**common, "event_id": session, "kind": "view", "product_id": "bread"}
    if bought:
        lines = [{"product_id": "bread", "unit_price": 4}]
        event |= {"kind": "purchase", "order_id": session, "lines": lines}
        del event["product_id"]
    answered = client.post("/v1/events", json={"events": [event]})
    assert answered.json()["accepted"] == 1, answered.text


def test_who_was_exposed_is_told_beside_all_and_as_a_spreadsheet(tmp_path: Path) -> None:
    registry = small_shop(tmp_path / "registry").root
    began = int(time.time())
    settings = Settings(registry=registry, runtime_dir=tmp_path / "run")
    with TestClient(create(settings), base_url="http://localhost") as client:
        halves = [{"name": "as now", "share": 0.5}, {"name": "=b", "share": 0.5}]
        body = {"variants": halves, "ends": format_timestamp(began + 40 * DAY)}
        made = client.put("/v1/experiments/x", json=body).json()
        began = read_moment(made["experiment"]["starts"])
        for number in range(0, CUSTOMERS, 2):
            name = f"c{number}"
            slate = client.get(f"/v1/customers/{name}/recommendations").json()
            product = slate["recommendations"][0]["id"]
            event = {"event_id": name, "kind": "exposure", "customer_id": name}
            event |= {"recommendation_id": slate["recommendation_id"]}
            event |= {"time": format_timestamp(began), "product_ids": [product]}
            sent = client.post("/v1/events", json={"events": [event]})
            assert sent.json()["accepted"] == 1, sent.text
        write_purchases(tmp_path / "orders.csv", 200, began + 20 * DAY)
        results = ("experiments", "results", "--purchases", tmp_path / "orders.csv")
        assert run(*results, "--registry", registry, now=began + 20 * DAY + 60) == 0
        told = client.get("/v1/insights/experiments/x").json()
        everyone, exposed = (
            sum(variant["customers"] for variant in part["variants"])
            for part in (told, told["exposed"])
        )
        assert 0.4 * everyone < exposed < 0.6 * everyone
        assert told["exposed"]["sample_ratio"]["holds"]
        sheet = client.get("/v1/insights/experiments/x", params={"format": "csv"})
        rows = list(csv.DictReader(io.StringIO(sheet.text)))
        assert {row["among"] for row in rows} == {"assigned", "exposed"}
        assert {row["variant"] for row in rows} == {"'=b"}  # no formula
        (orders,) = [row for row in rows if (row["among"], row["metric"]) == ("exposed", "orders")]
        (compared,) = [one for one in told["exposed"]["comparisons"] if one["metric"] == "orders"]
        assert float(orders["always_valid_high"]) == compared["always_valid"]["high"]


def test_who_was_in_a_segment_at_the_start_is_compared(tmp_path: Path) -> None:
    registry = small_shop(tmp_path / "registry").root
    began = int(time.time())
    settings = Settings(registry=registry, runtime_dir=tmp_path / "run")
    halves = [{"name": "as now", "share": 0.5}, {"name": "b", "share": 0.5}]
    body = {"variants": halves, "ends": format_timestamp(began + 40 * DAY)}
    segments = {
        "all": SEGMENTS,
        "loyal": ("connected", "promising"),
        "rest": ("new", *SEGMENTS[3:]),
    }
    with TestClient(create(settings), base_url="http://localhost") as client:
        for number, (name, chosen) in enumerate(segments.items()):
            part = {"layer_from": number / 4, "layer_to": 1.0 if number == 2 else (number + 1) / 4}
            made = client.put(f"/v1/experiments/{name}", json={**body, **part, "segments": chosen})
            assert made.status_code == 200, made.text
        write_purchases(tmp_path / "orders.csv", 200, began + 20 * DAY)
        results = ("experiments", "results", "--purchases", tmp_path / "orders.csv")
        assert run(*results, "--registry", registry, now=began + 20 * DAY + 60) == 0
        told = {name: client.get(f"/v1/insights/experiments/{name}").json() for name in segments}
    counts = {
        name: sum(variant["customers"] for variant in facts["variants"]) * 4
        for name, facts in told.items()
    }
    loyal, rest = counts["loyal"], counts["rest"] / 2
    assert min(loyal, rest) > 100
    assert loyal + rest == pytest.approx(counts["all"], rel=0.15)  # each is in one of the two


def test_an_experiment_with_an_offer_tells_who_would_have_bought_anyway(tmp_path: Path) -> None:
    registry = small_shop(tmp_path / "registry").root
    settings = Settings(registry=registry, runtime_dir=tmp_path / "run")
    offer = {"text": {"en": "Thank you"}, "in_experiments_only": True}
    halves = [{"name": "none", "share": 0.5}, {"name": "ten", "share": 0.5, "offers": ["thanks"]}]
    orders = tmp_path / "orders.csv"
    with TestClient(create(settings), base_url="http://localhost") as client:
        client.put("/v1/offers/thanks", json=offer).raise_for_status()
        ends = format_timestamp(int(time.time()) + 40 * DAY)
        made = client.put("/v1/experiments/x", json={"variants": halves, "ends": ends}).json()
        began = read_moment(made["experiment"]["starts"])
        key = bytes.fromhex(made["assignment"]["variants_key"])
        write_purchases(orders, 200, began + 20 * DAY)
        with orders.open("a", newline="") as stream:
            when = format_timestamp(began + 5 * DAY)
            for customer in range(0, CUSTOMERS, 2):  # half of those who got it buy for its sake
                if bucket_of(key, f"c{customer}") >= 5_000:
                    row = (f"c{customer}", "bread", when, f"o{customer}", 4)
                    csv.writer(stream).writerow(row)
        results = ("experiments", "results", "--purchases", orders, "--registry", registry)
        assert run(*results, now=began + 20 * DAY + 60) == 0
        moved = client.get("/v1/insights/experiments/x").json()["moved"]
    assert {row["variant"] for row in moved} == {"ten"}
    assert moved[0]["segment"] is None
    assert {row["segment"] for row in moved} - {None} <= set(SEGMENTS)
    assert len(moved) > 2
    everyone = moved[0]
    without = everyone["bought_without"]
    assert everyone["bought"] == pytest.approx((1 + without) / 2, abs=0.05)
    assert everyone["anyway"] == pytest.approx(2 * without / (1 + without), abs=0.07)
    assert everyone["anyway_low"] < everyone["anyway"] < everyone["anyway_high"] <= 1

"""Alert rules and dashboard name what `/metrics` gives, and each alert has a section of what to do."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from models.artifact.insights import ATTRIBUTION, write_insight
from service.runtime.metrics import LATENCY_BUCKETS, Metrics
from tests.support.service_shop import Browse, Shop, wait_until

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((ROOT / "deploy/monitoring/alerts.yaml").read_text())
ALL_RULES = [rule for group in RULES["groups"] for rule in group["rules"]]
ALERTS = [rule for rule in ALL_RULES if "alert" in rule]
DASHBOARD = json.loads((ROOT / "deploy/monitoring/dashboard.json").read_text())
NAME = re.compile(r"\bregulars[a-z0-9_:]+")
SELECTOR = re.compile(r"(regulars[a-z0-9_:]+)\{([^}]*)\}")
LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
PAGE = (ROOT / "docs/alerts.md").read_text()


def expressions() -> Iterator[str]:
    for rule in ALL_RULES:
        yield rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        yield variable["query"]


def given() -> dict[str, set[str]]:
    """Return the labels of every sample that a service could give, by its name."""
    labels: dict[str, set[str]] = {}
    for collector in Metrics()._families.registry._collector_to_names:
        named: Any = collector
        (family,) = named.describe()
        suffixes = {"histogram": ["_bucket", "_count", "_sum"], "counter": ["_total"]}
        own = set(named._labelnames)
        for suffix in suffixes.get(family.type, [""]):
            labels[family.name + suffix] = own | ({"le"} if suffix == "_bucket" else set())
    return labels


RECORDED = {rule["record"] for rule in ALL_RULES if "record" in rule}


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_every_metric_that_is_named_is_given_with_these_labels(expression: str) -> None:
    metrics = given()
    for name in NAME.findall(expression):
        assert name in metrics or name in RECORDED, name
    for name, selector in SELECTOR.findall(expression):
        assert set(LABEL.findall(selector)) <= metrics[name], (name, selector)
    known = set().union(*metrics.values())
    for grouped in GROUPED.findall(expression):
        assert {label.strip() for label in grouped.split(",")} <= known
    for bound in re.findall(r'le="([^"]+)"', expression):
        assert float(bound) in LATENCY_BUCKETS
    assert expression.count("(") == expression.count(")")


@pytest.mark.slow
def test_what_the_rules_stand_on_is_there_from_the_first_call_on(client: TestClient) -> None:
    client.get("/v1/customers/c00/recommendations")
    client.post("/v1/events", json={"events": []})
    told = client.get("/metrics").text
    for name in ("answers_total", "request_seconds_bucket", "model_loaded", "refusals_unkept"):
        assert re.search(rf"^regulars_{name}[{{ ]", told, re.MULTILINE)
    routes = set(re.findall(r'route="([^"]+)"', told))
    assert "/v1/events" in routes
    assert any(route.endswith("/recommendations") for route in routes)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_how_urgent_it_is_and_where_to_read_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    name = rule["alert"]
    assert rule["annotations"]["runbook"] == f"docs/alerts.md#{name.lower()}"
    section = re.search(rf"^## {name}\n\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section
    assert len(section[1]) > 100


def test_every_objective_has_an_alert_and_no_section_is_of_none() -> None:
    sections = set(re.findall(r"^## (\w+)$", PAGE, re.MULTILINE))
    assert sections == {rule["alert"] for rule in ALERTS}
    table = PAGE[PAGE.index("| objective") : PAGE.index("`page` wants")]
    for row in table.splitlines()[2:]:
        if row.startswith("|"):
            assert "](#regulars" in row


def test_metrics_tell_when_attribution_was_last_computed(browse: Browse, own_shop: Shop) -> None:
    client = browse(own_shop.root)

    def told() -> float:
        text = client.get("/metrics").text
        (line,) = re.findall(
            r'^regulars_insights_timestamp_seconds\{shop="main"\} (.*)$', text, re.M
        )
        return float(line)

    assert told() == 0
    path = write_insight(own_shop.root, ATTRIBUTION, {})
    os.utime(path, (1_700_000_000, 1_700_000_000))
    wait_until(lambda: told() == 1_700_000_000)

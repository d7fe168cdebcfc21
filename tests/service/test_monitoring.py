"""Alert rules and dashboard name what `/metrics` gives, and each alert has a section of what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

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
MISSING: Final = (
    "Prometheus' own checker of rules, promtool, is not on the PATH; with Go: "
    "go install github.com/prometheus/prometheus/cmd/promtool@latest"
)
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason=MISSING)
RECOMMENDATIONS: Final = '{shop="main",route="/v1/customers/{customer_id}/recommendations"'
# Series of four quiet hours, a value a minute in the notation of promtool. They begin in 1970.
QUIET: Final = {
    'regulars_model_loaded{shop="main"}': "1x240",
    f'regulars_request_seconds_count{RECOMMENDATIONS},status="200"}}': "0+600x240",
    f'regulars_request_seconds_bucket{RECOMMENDATIONS},status="200",le="0.2"}}': "0+599x240",
    'regulars_request_seconds_count{shop="main",route="/v1/events",status="202"}': "0+600x240",
    'regulars_answers_total{shop="main"}': "0+600x240",
    'regulars_late_total{shop="main"}': "0x240",
    'regulars_shop_time_timestamp_seconds{shop="main"}': "200000x240",
    'regulars_model_data_timestamp_seconds{shop="main"}': "0x240",
    'regulars_model_refused{shop="main"}': "0x240",
    'regulars_newest_event_timestamp_seconds{shop="main"}': "0+60x240",
    'regulars_insights_timestamp_seconds{shop="main"}': "0+60x240",
    'regulars_refusals_unkept{shop="main"}': "0x240",
    'regulars_store_not_of_model{shop="main"}': "0x240",
    "regulars_breaker_open": "0x240",
    'regulars_connections_ended_total{reason="no_room"}': "0x240",
}
# What is other than on a quiet day, where one alert and no other fires
WRONG: Final = {
    "RegularsDown": {'regulars_model_loaded{shop="main"}': "0x240"},
    "RegularsErrors": {
        'regulars_request_seconds_count{shop="main",route="/v1/popular",status="500"}': "0+30x240"
    },
    "RegularsSlow": {
        f'regulars_request_seconds_bucket{RECOMMENDATIONS},status="200",le="0.2"}}': "0+590x240"
    },
    "RegularsFallbacks": {'regulars_late_total{shop="main"}': "0+7x240"},
    "RegularsModelOld": {'regulars_shop_time_timestamp_seconds{shop="main"}': "300000x240"},
    "RegularsModelRefused": {'regulars_model_refused{shop="main"}': "1x240"},
    "RegularsEventsFail": {
        'regulars_request_seconds_count{shop="main",route="/v1/events",status="503"}': "0+1x240"
    },
    "RegularsEventsStopped": {'regulars_newest_event_timestamp_seconds{shop="main"}': "-86400x240"},
    "RegularsInsightsOld": {'regulars_insights_timestamp_seconds{shop="main"}': "1x240"},
    "RegularsRefusalsUnkept": {'regulars_refusals_unkept{shop="main"}': "1x240"},
    "RegularsOtherStore": {'regulars_store_not_of_model{shop="main"}': "1x240"},
    "RegularsWithoutRedis": {"regulars_breaker_open": "1x240"},
    "RegularsNoRoom": {'regulars_connections_ended_total{reason="no_room"}': "0+1x240"},
}


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


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_the_rules_have_no_fault_that_prometheus_knows() -> None:
    rules = ROOT / "deploy/monitoring/alerts.yaml"
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(rules))


@needs_promtool
@pytest.mark.parametrize("alert", [None, *(rule["alert"] for rule in ALERTS)])
def test_an_alert_fires_for_what_it_is_about_and_none_on_a_quiet_day(
    alert: str | None, tmp_path: Path
) -> None:
    series = QUIET | (WRONG[alert] if alert else {})
    firing = {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": "4h",
        "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if alert else [],
    }
    day = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [firing],
    }
    test = tmp_path / "test.yaml"
    rules = str(ROOT / "deploy/monitoring/alerts.yaml")
    test.write_text(yaml.safe_dump({"rule_files": [rules], "tests": [day]}))
    promtool("test", "rules", str(test))

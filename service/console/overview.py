"""Overview: whether all is well, and what is being recommended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from service.console.visit import ScreenContent, ScreenVisit

SLATES: Final = "/v1/customers/{customer_id}/recommendations"
OLD_DAYS: Final = 8  # of a model
SILENT_SECONDS: Final = 2 * 86_400  # shop time behind the newest event: purchases are not told


@dataclass(frozen=True)
class Sample:
    """One number of the metrics."""

    name: str
    labels: Mapping[str, str]
    value: float


async def show(visit: ScreenVisit) -> ScreenContent:
    ready, metrics, earned = await visit.get_each(
        ("/readyz", {}), ("/metrics", {}), ("/v1/insights/overview", {})
    )
    samples = read_samples(metrics.body.decode(), visit.shop) if metrics.ok else []
    newest = await visit.get("/v1/events", limit=5) if visit.is_admin else None
    return ScreenContent(
        "overview.html",
        {
            "ready": ready.json,
            "alarms": find_alarms(ready.json, samples),
            "has_metrics": metrics.ok,
            "strategies": count_by(samples, "regulars_answers_total", "strategy"),
            "fallbacks": [
                (reason, count)
                for reason, count in count_by(samples, "regulars_answers_total", "fallback_reason")
                if reason != "none"
            ],
            "cache": dict(count_by(samples, "regulars_cache_lookups_total", "result")),
            "latency": read_latency(samples),
            "errors": total(samples, "regulars_errors_total"),
            "newest": newest,
            "earned": earned.json.get("overview", []),
        },
    )


def read_samples(text: str, shop: str) -> list[Sample]:
    """Return the numbers of one shop, and those of no shop, of metrics in Prometheus's format."""
    samples = []
    for family in text_string_to_metric_families(text):
        own = (one for one in family.samples if one.labels.get("shop", shop) == shop)
        samples += [Sample(one.name, one.labels, one.value) for one in own]
    return samples


def total(samples: Iterable[Sample], name: str) -> float:
    return sum(sample.value for sample in samples if sample.name == name)


def count_by(samples: Iterable[Sample], name: str, label: str) -> list[tuple[str, int]]:
    """Return the counts of a metric by one of its labels, the largest first."""
    counts: dict[str, float] = {}
    for sample in samples:
        if sample.name == name:
            key = sample.labels[label]
            counts[key] = counts.get(key, 0) + sample.value
    return sorted(((key, int(count)) for key, count in counts.items()), key=lambda one: -one[1])


def read_latency(samples: Iterable[Sample]) -> dict[str, Any]:
    """Return how long slates for customers took: their number, and bounds in milliseconds.

    Of each share of them it is the upper end of the histogram's bucket.
    """
    buckets: dict[float, float] = {}
    for sample in samples:
        is_slate = sample.labels.get("route") == SLATES and sample.labels.get("status") == "200"
        if sample.name == "regulars_request_seconds_bucket" and is_slate:
            end = float(sample.labels["le"])
            buckets[end] = buckets.get(end, 0) + sample.value
    count = max(buckets.values(), default=0)
    return {
        "count": int(count),
        "median": _find_share(buckets, count / 2),
        "p99": _find_share(buckets, count * 0.99),
    }


def _find_share(buckets: Mapping[float, float], count: float) -> float | None:
    if not count:
        return None
    end = next(end for end in sorted(buckets) if buckets[end] >= count)
    return None if end == float("inf") else end * 1000


def find_alarms(ready: Mapping[str, Any], samples: Iterable[Sample]) -> list[str]:
    """Return the names of what is wrong; the template says what to do about each."""
    alarms = []
    if not ready.get("model_version"):
        alarms.append("no_model")
    if ready.get("refused"):
        alarms.append("refused")
    if "breaker closed" not in str(ready.get("store")):
        alarms.append("store")
    if ready.get("store_of_model"):
        alarms.append("store_of_model")
    if "open" in str(ready.get("cache")):
        alarms.append("cache")
    if (ready.get("model_age_days") or 0) > OLD_DAYS:
        alarms.append("old")
    if ready.get("shop_erasure"):
        alarms.append("shop_erasure")
    if total(samples, "regulars_errors_total"):
        alarms.append("errors")
    newest = total(samples, "regulars_newest_event_timestamp_seconds")
    if newest > total(samples, "regulars_shop_time_timestamp_seconds") + SILENT_SECONDS:
        alarms.append("silent")
    return alarms

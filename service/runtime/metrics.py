"""Metrics for Prometheus. Labels are route templates and words of our own, never ids.

With several workers every process writes its numbers to files in PROMETHEUS_MULTIPROC_DIR, and the
worker that is asked adds them up. `python -m service` makes that directory before the workers
start, in memory if possible. A worker takes the first seat that is free, and goes on with the
numbers of a dead one that sat there.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

from models.artifact.scratch import scratch_directory
from models.artifact.shops import MAIN
from service.runtime.circuit_breaker import BreakerState
from service.runtime.room import take_room

DIRECTORY_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
DIRECTORY_PREFIX: Final = "metrics-"
SEAT_PREFIX: Final = "seat-"
GAUGE_PREFIX: Final = "gauge"
# Files of a worker, and their bytes: room for every route with six statuses, and for 500 versions.
FILE_BYTES: Final = {
    "histogram": 1 << 20,
    "counter": 1 << 16,
    "gauge_livemax": 1 << 16,
    "gauge_livemin": 1 << 16,
    "gauge_livesum": 1 << 17,
}
LATENCY_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5)
log: Final = logging.getLogger("regulars.service")


@lru_cache(maxsize=4096)
def child_of(metric: Any, *labels: str) -> Any:
    """Return the part of a metric with these labels.

    A metric finds it under a lock after looking at every label, which cached answers would feel.
    """
    return metric.labels(*labels)


class OfShop:
    """A metric as one shop counts in it."""

    def __init__(self, metric: Any, shop: str, *, has_more_labels: bool) -> None:
        self._metric, self._shop = metric, shop
        if not has_more_labels:  # it is shown before it is first counted
            self._own = metric.labels(shop)

    def labels(self, *values: str) -> Any:
        """Return the part with these labels besides the shop."""
        return self._metric.labels(self._shop, *values)

    def inc(self) -> None:
        self._own.inc()

    def set(self, value: float) -> None:
        self._own.set(value)


class Families:
    """Hold the metrics of a process with the parts of all shops."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        counter = partial(Counter, registry=registry)
        # Of several workers: the sum of what each holds, the largest or the smallest
        total = partial(Gauge, registry=registry, multiprocess_mode="livesum")
        largest = partial(Gauge, registry=registry, multiprocess_mode="livemax")
        smallest = partial(Gauge, registry=registry, multiprocess_mode="livemin")
        self.latency = Histogram(
            "regulars_request_seconds",
            "Time to answer, by route and status",
            ["shop", "route", "status"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.cache_errors = counter("regulars_cache_errors", "Calls to the cache that failed")
        self.cache_drops = counter("regulars_cache_drops", "Answers not cached for want of room")
        self.errors = counter("regulars_errors", "Requests that ended in an unexpected error")
        self.connections = total("regulars_connections", "Open connections")
        self.connections_ended = counter(
            "regulars_connections_ended", "Connections that the service has ended", ["reason"]
        )
        self.breaker = largest("regulars_breaker_open", "1 where a worker leaves Redis alone")
        self.answers = counter(
            "regulars_answers",
            "Slates, by strategy and fallback",
            ["shop", "strategy", "fallback_reason"],
        )
        self.cache_lookups = counter("regulars_cache_lookups", "Cache lookups", ["shop", "result"])
        self.late = counter("regulars_late", "Slates given up on", ["shop", "reason"])
        self.mails = counter(
            "regulars_mails", "Slates of mails, by whether they were recorded", ["shop", "state"]
        )
        self.exposures = counter(
            "regulars_exposures",
            "Slates delivered, by what became of their record",
            ["shop", "result"],
        )
        self.clicks = counter(
            "regulars_clicks",
            "Links of mails followed, by what became of the click",
            ["shop", "result"],
        )
        self.refusals = counter("regulars_models_refused", "Models that were refused", ["shop"])
        self.pending = total(
            "regulars_scoring_pending", "Slates being computed or waiting", ["shop"]
        )
        self.model = total(
            "regulars_model_loaded", "Workers that serve this version", ["shop", "version"]
        )
        self.model_created = smallest(
            "regulars_model_created_timestamp_seconds",
            "When the oldest model in service was trained",
            ["shop"],
        )
        self.shop_time = smallest(
            "regulars_shop_time_timestamp_seconds",
            "The newest moment that sales confirm: answers are made for it",
            ["shop"],
        )
        self.model_data = smallest(
            "regulars_model_data_timestamp_seconds",
            "Shop time when the oldest model in service learned",
            ["shop"],
        )
        self.newest_event = largest(
            "regulars_newest_event_timestamp_seconds",
            "The newest event that was reported, of any kind",
            ["shop"],
        )
        self.insights = largest(
            "regulars_insights_timestamp_seconds",
            "When attribution was last computed; 0 before the first time",
            ["shop"],
        )
        self.refused = largest(
            "regulars_model_refused", "1 while the active version is refused", ["shop"]
        )
        self.other_store = largest(
            "regulars_store_not_of_model",
            "1 while the store is not the one that the served version has learned from",
            ["shop"],
        )
        self.unkept = largest(
            "regulars_refusals_unkept",
            "1 while noes and erasures are kept in the store alone, not in the journal",
            ["shop"],
        )


class Metrics:
    """Count for one shop of a process; what concerns no shop is counted for all together."""

    def __init__(self, shop: str = MAIN, families: Families | None = None) -> None:
        self.shop = shop
        self._families = families = families or Families()
        self.cache_errors, self.cache_drops = families.cache_errors, families.cache_drops
        self.errors = families.errors
        self.connections = families.connections
        self.connections_ended = families.connections_ended
        labelled = partial(OfShop, shop=shop, has_more_labels=True)
        plain = partial(OfShop, shop=shop, has_more_labels=False)
        self.all_latencies = families.latency  # the shop is its first label
        self.answers = labelled(families.answers)
        self.cache_lookups = labelled(families.cache_lookups)
        self.late, self.mails = labelled(families.late), labelled(families.mails)
        self.clicks, self.exposures = labelled(families.clicks), labelled(families.exposures)
        self.refusals, self.pending = plain(families.refusals), plain(families.pending)
        self.refused, self.other_store = plain(families.refused), plain(families.other_store)
        self.unkept = plain(families.unkept)
        self._model = labelled(families.model)
        self._model_created = plain(families.model_created)
        self._shop_time, self._model_data = plain(families.shop_time), plain(families.model_data)
        self._newest_event = plain(families.newest_event)
        self._insights = plain(families.insights)

    def of(self, shop: str) -> Metrics:
        """Return what counts for another shop of the process."""
        return Metrics(shop, self._families)

    def set_breaker_state(self, state: BreakerState) -> None:
        self._families.breaker.set(state is not BreakerState.CLOSED)

    def set_model(self, version: str, created: int, previous: str | None) -> None:
        """Note that this worker serves a version from now on, in the place of the previous one."""
        if previous is not None:
            self._model.labels(previous).set(0)
        self._model.labels(version).set(1)
        self._model_created.set(created)

    def set_freshness(self, shop_time: int, model_data: int, newest_event: int | None) -> None:
        """Note three moments, in seconds since 1970."""
        self._shop_time.set(shop_time)
        self._model_data.set(model_data)
        if newest_event is not None:
            self._newest_event.set(newest_event)

    def set_insights(self, computed: float) -> None:
        """Note when attribution was last computed, in seconds since 1970."""
        self._insights.set(computed)

    def render(self) -> bytes:
        """Return the metrics of all workers together, in the format of Prometheus.

        Those of the main shop are those of the whole deployment, another one sees its own.
        """
        collected = self._families.registry
        if DIRECTORY_VARIABLE in os.environ:
            collected = CollectorRegistry()
            MultiProcessCollector(collected)  # type: ignore[no-untyped-call]
        if self.shop == MAIN:
            return generate_latest(collected)
        return generate_latest(_OwnCollector(collected, self.shop))


class _OwnCollector:
    """Collect what bears the name of one shop."""

    def __init__(self, everything: CollectorRegistry, shop: str) -> None:
        self._everything, self._shop = everything, shop

    def collect(self) -> Iterator[Metric]:
        for family in self._everything.collect():
            own = [one for one in family.samples if one.labels.get("shop") == self._shop]
            if own:
                shown = Metric(family.name, family.documentation, family.type)
                shown.samples = own
                yield shown


@contextmanager
def shared_directory(runtime: Path) -> Iterator[str]:
    """Yield the directory that the workers of a service write their numbers to.

    It is removed afterwards, as are those that killed services left.
    """
    runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
    with scratch_directory(runtime, DIRECTORY_PREFIX) as directory:
        yield str(directory)


def join_workers() -> Path | None:
    """Have this worker's numbers added to those of the others, or count alone without room.

    Returns the path of its seat, None where it has none.
    """
    directory = os.environ.get(DIRECTORY_VARIABLE)
    if directory is None:
        return None
    try:
        seat = _take_seat(Path(directory))
    except OSError as error:
        log.warning(
            "no room for what workers share in %s (%s): /metrics has the numbers of this worker "
            "where it answers, and the others lack them",
            Path(directory).parent,
            error.strerror,
        )
        del os.environ[DIRECTORY_VARIABLE]
        values.ValueClass = values.MutexValue
        return None
    values.ValueClass = values.MultiProcessValue(lambda: seat)  # type: ignore[no-untyped-call]
    return Path(directory) / f"{SEAT_PREFIX}{seat}"


def _take_seat(directory: Path) -> int:
    """Return the number of a seat that no living worker has, with room for its files."""
    for seat in itertools.count():
        lock_file = os.open(directory / f"{SEAT_PREFIX}{seat}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Held until this process ends.
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock_file)
            continue
        for name, size_bytes in FILE_BYTES.items():
            _reserve(directory / f"{name}_{seat}.db", size_bytes)
        return seat
    raise AssertionError  # numbers do not end


def _reserve(path: Path, size_bytes: int) -> None:
    """Take the room of a file. The gauges of a dead worker are forgotten, what it counted stays."""
    if path.name.startswith(GAUGE_PREFIX):
        path.unlink(missing_ok=True)
    if path.exists():
        return
    beside = path.with_suffix(".new")  # no worker reads it before it has its room
    try:
        with beside.open("wb") as stream:
            take_room(stream.fileno(), size_bytes)
        beside.rename(path)
    finally:
        beside.unlink(missing_ok=True)

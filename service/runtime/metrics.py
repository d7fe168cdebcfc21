"""Metrics for Prometheus. Labels are route templates and words of our own, never ids.

With several workers every process writes its numbers to files in PROMETHEUS_MULTIPROC_DIR, and the
worker that is asked adds them up. `python -m service` makes that directory before the workers
start, in memory if possible.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from models.artifact.scratch import scratch_directory
from service.runtime.circuit_breaker import BreakerState

DIRECTORY_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
DIRECTORY_PREFIX: Final = "metrics-"
LATENCY_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5)


class Metrics:
    """Hold the metrics of a process."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.latency = Histogram(
            "regulars_request_seconds",
            "Time to answer, by route and status",
            ["route", "status"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.answers = Counter(
            "regulars_answers",
            "Slates, by strategy and fallback",
            ["strategy", "fallback_reason"],
            registry=registry,
        )
        self.cache_lookups = Counter(
            "regulars_cache_lookups", "Cache lookups", ["result"], registry=registry
        )
        self.cache_errors = Counter(
            "regulars_cache_errors", "Calls to the cache that failed", registry=registry
        )
        self.cache_drops = Counter(
            "regulars_cache_drops", "Answers not cached for want of room", registry=registry
        )
        self.errors = Counter(
            "regulars_errors", "Requests that ended in an unexpected error", registry=registry
        )
        self.late = Counter("regulars_late", "Slates given up on", ["reason"], registry=registry)
        self.mails = Counter(
            "regulars_mails",
            "Slates of mails, by whether they were recorded",
            ["state"],
            registry=registry,
        )
        self.clicks = Counter(
            "regulars_clicks",
            "Links of mails followed, by what became of the click",
            ["result"],
            registry=registry,
        )
        self.refusals = Counter(
            "regulars_models_refused", "Models that were refused", registry=registry
        )
        self._breaker = Gauge(
            "regulars_breaker_open",
            "1 where a worker leaves Redis alone",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.pending = Gauge(
            "regulars_scoring_pending",
            "Slates being computed or waiting",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._model = Gauge(
            "regulars_model_loaded",
            "Workers that serve this version",
            ["version"],
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._model_created = Gauge(
            "regulars_model_created_timestamp_seconds",
            "When the oldest model in service was trained",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self.refused = Gauge(
            "regulars_model_refused",
            "1 while the active version is refused",
            multiprocess_mode="livemax",
            registry=registry,
        )

    def set_breaker_state(self, state: BreakerState) -> None:
        self._breaker.set(state is not BreakerState.CLOSED)

    def set_model(self, version: str, created: int, previous: str | None) -> None:
        """Note that this worker serves a version from now on, in the place of the previous one."""
        if previous is not None:
            self._model.labels(previous).set(0)
        self._model.labels(version).set(1)
        self._model_created.set(created)

    def render(self) -> bytes:
        """Return the metrics of all workers together, in the format of Prometheus."""
        if DIRECTORY_VARIABLE not in os.environ:
            return generate_latest(self._registry)
        all_workers = CollectorRegistry()
        MultiProcessCollector(all_workers)  # type: ignore[no-untyped-call]
        return generate_latest(all_workers)


@contextmanager
def shared_directory(runtime: Path) -> Iterator[str]:
    """Yield the directory that the workers of a service write their numbers to.

    It is removed afterwards, as are those that killed services left.
    """
    runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
    with scratch_directory(runtime, DIRECTORY_PREFIX) as directory:
        yield str(directory)


def forget_dead_workers() -> None:
    """Remove the gauges of workers that are gone. A killed worker could not do it itself."""
    directory = os.environ.get(DIRECTORY_VARIABLE)
    if directory is None:
        return
    pids = {path.stem.rpartition("_")[2] for path in Path(directory).glob("gauge_live*.db")}
    for pid in pids:
        if not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            mark_process_dead(int(pid))  # type: ignore[no-untyped-call]

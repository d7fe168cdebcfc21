"""How fast the service answers: `python -m benchmarks.service --registry DIR`.

Asks 127.0.0.1 alone, a few thousand times. Prints a table; the numbers of record are in
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

from models.artifact.registry import Registry
from models.recommender import Recommender
from models.slate import SlateRequest
from service.answering.answer import build_answer
from service.answering.presentation import Presentation
from service.answering.query import QueryKind, RecommendationQuery
from service.model.live_catalogue import LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.signing.click_links import ClickLinks
from tests.support.service_process import server


def times_ms(calls: Sequence[Callable[[], object]]) -> tuple[float, float]:
    """Median and 99th percentile of the calls, one after another."""
    taken = []
    for call in calls:
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


def row(name: str, median: float, tail: float, unit: str = "ms") -> None:
    print(f"{name:<46} {median:9.2f} {tail:9.2f} {unit}")


def rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def in_process(recommender: Recommender, customers: Sequence[str]) -> None:
    model = LoadedModel.of(recommender)
    shop = LiveCatalogue(model, model)
    row(
        "slate, in the process",
        *times_ms(
            [partial(recommender.recommend, customer, SlateRequest()) for customer in customers]
        ),
    )

    def body(customer: str) -> bytes:
        question = RecommendationQuery(QueryKind.CUSTOMER, "en_US", customer_id=customer)
        return build_answer(shop, question, Presentation(ClickLinks(b"secret"))).body_for(customer)

    row(
        "slate and body, in the process",
        *times_ms([partial(body, customer) for customer in customers]),
    )


def over_http(port: int, customers: Sequence[str], pid: int, name: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)

    def get(path: str) -> None:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200 or not json.loads(body)["recommendations"]:
            raise RuntimeError(f"{response.status}: {body[:200]!r}")

    paths = [f"/v1/customers/{quote(customer, safe='')}/recommendations" for customer in customers]
    row(f"HTTP, {name}, computed", *times_ms([partial(get, path) for path in paths]))
    row(f"HTTP, {name}, cached", *times_ms([partial(get, path) for path in paths]))
    row("HTTP, /healthz", *times_ms([lambda: get_any(connection, "/healthz") for _ in paths]))
    print(f"{f'memory of the worker, {name}':<46} {rss_mb(pid):9.1f}           MB")


def get_any(connection: http.client.HTTPConnection, path: str) -> None:
    connection.request("GET", path)
    connection.getresponse().read()


def with_one_blas_thread(module: str) -> None:
    """Start over as the service starts: NumPy reads this when it is loaded."""
    if os.environ.get("OPENBLAS_NUM_THREADS") is None:
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        os.execv(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]])


def main() -> None:
    with_one_blas_thread("benchmarks.service")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--redis-url", help="measure this cache too")
    arguments = parser.parse_args()
    registry = Registry(arguments.registry)
    version = registry.active()
    if version is None:
        parser.error(f"{arguments.registry} holds no active version; train one first")
    recommender = Recommender.load(registry.path(version))
    known = list(recommender.model.customers.ids)
    customers = random.Random(7).sample(known, min(arguments.calls, len(known)))
    print(f"{'':<46} {'p50':>9} {'p99':>9}")
    in_process(recommender, customers)
    for name, settings in {"memory": {}, "Redis": {"redis_url": arguments.redis_url}}.items():
        if name == "memory" or arguments.redis_url:
            with server(arguments.registry, **settings) as (port, pid, seconds):
                print(f"{'ready after start':<46} {seconds:9.2f}           s")
                over_http(port, customers, pid, name)


if __name__ == "__main__":
    main()

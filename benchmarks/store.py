"""The live shop under load: `python -m benchmarks.store --registry DIR`. What is acknowledged is
seen.

    seen     an event acknowledged by one worker, then a slate by another one: it must reflect the
    event
    speed    durable events a second in calls of 100, one worker

Talks to 127.0.0.1 alone, and ends by itself.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from models.artifact.registry import Registry
from models.recommender import Recommender
from tests.support.service_process import server
from tests.support.store_clients import Writers, event, shared

LATER = 3600  # seconds after the newest event that the model knows


def seen(registry: Path, tries: int, **settings: object) -> None:
    """The first product of a slate is dismissed at one worker; the next slate of another one must
    be without it.
    """
    version = Registry(registry).active()
    assert version is not None
    recommender = Recommender.load(Registry(registry).path(version))
    customers = list(recommender.model.customers.ids)
    random.Random(7).shuffle(customers)
    when = recommender.manifest.data_as_of + LATER
    missed, taken = 0, []
    with shared(registry, **settings) as callers:
        for number, customer in zip(range(tries), itertools.cycle(customers)):
            asked = f"/v1/customers/{quote(customer, safe='')}/recommendations?fields=ids"
            writer, reader = callers[number % 2], callers[1 - number % 2]
            status, slate = reader("GET", asked)
            if slate["strategy"] != "personal":
                continue  # who said no gets what everyone gets
            first = slate["recommendations"][0]["id"]
            status, told = writer(
                "POST",
                "/v1/events",
                {"events": [event(f"{number}", "dismiss", when, customer, first)]},
            )
            assert (status, told["accepted"]) == (202, 1), told
            acknowledged = time.perf_counter()
            status, slate = reader("GET", asked)
            taken.append((time.perf_counter() - acknowledged) * 1000)
            missed += first in [slot["id"] for slot in slate["recommendations"]]
    tail = statistics.quantiles(taken, n=100)[98]
    middle = statistics.median(taken)
    print(
        f"seen: {len(taken)} tries, missed {missed}; "
        f"acknowledged to slate p50 {middle:.1f}, p99 {tail:.1f} ms"
    )


def speed(registry: Path, url: str, seconds: float) -> None:
    with server(registry, database_url=url) as (port, _, _):
        writers = Writers(port, "s", callers=4, together=100)
        with writers.running():
            time.sleep(seconds)
    print(f"speed: {len(writers.acknowledged) / seconds:.0f} durable events a second")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--database-url", help="measure this database too; it must be empty")
    parser.add_argument("--redis-url", help="measure what is seen with this cache too")
    parser.add_argument("--tries", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for cache in ({}, {"redis_url": options.redis_url} if options.redis_url else None):
            if cache is not None:
                print("with Redis" if cache else "without Redis")
                url = f"sqlite:///{folder}/seen{len(cache)}.db"
                seen(options.registry, options.tries, database_url=url, **cache)
        for url in (f"sqlite:///{folder}/store.db", options.database_url):
            if url:
                print(url.partition(":")[0])
                speed(options.registry, url, 5.0)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

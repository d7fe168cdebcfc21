"""The live shop under load: `python -m benchmarks.store --registry DIR`. What is acknowledged is seen and survives.

    seen     an event acknowledged by one worker, then a slate by another one: it must reflect the event
    killed   the service killed (SIGKILL) under a write load: acknowledged events must be there, each once
    speed    durable events a second in calls of 100, one worker

Talks to 127.0.0.1 alone, and ends by itself.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import select

from benchmarks.service import server
from models.artifact.registry import Registry
from models.recommender import Recommender
from service.store.database import connect, reading
from service.store.tables import events

LATER = 3600  # seconds after the newest event that the model knows


class Caller:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def close(self) -> None:
        self._connection.close()

    def __call__(
        self, method: str, path: str, body: object = None
    ) -> tuple[int, dict[str, object]]:
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, {"content-type": "application/json"})
        answered = self._connection.getresponse()
        return answered.status, json.loads(answered.read())


def event(
    event_id: str, kind: str, when: int, customer_id: str, product_id: str
) -> dict[str, object]:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
    common = {"event_id": event_id, "kind": kind, "time": moment, "customer_id": customer_id}
    if kind == "purchase":
        return {**common, "order_id": event_id, "lines": [{"product_id": product_id}]}
    return {**common, "product_id": product_id}


def seen(registry: Path, tries: int, **settings: object) -> None:
    """The first product of a slate is dismissed at one worker; the next slate of another one must be without it."""
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
            first = slate["recommendations"][0]["id"]  # type: ignore[index]
            status, told = writer(
                "POST",
                "/v1/events",
                {"events": [event(f"{number}", "dismiss", when, customer, first)]},
            )
            assert (status, told["accepted"]) == (202, 1), told
            acknowledged = time.perf_counter()
            status, slate = reader("GET", asked)
            taken.append((time.perf_counter() - acknowledged) * 1000)
            missed += first in [slot["id"] for slot in slate["recommendations"]]  # type: ignore[attr-defined, index]
    tail = statistics.quantiles(taken, n=100)[98]
    middle = statistics.median(taken)
    print(
        f"seen: {len(taken)} tries, missed {missed}; acknowledged to slate p50 {middle:.1f}, p99 {tail:.1f} ms"
    )


@contextmanager
def shared(registry: Path, **settings: object) -> Iterator[list[Caller]]:
    """Callers of two services on one host with one store."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        ports = [
            stack.enter_context(server(registry, runtime_dir=folder, **settings))[0]
            for _ in range(2)
        ]
        yield [stack.enter_context(closing(Caller(port))) for port in ports]


class Writers:
    """Callers without a pause, each with events of its own; what was acknowledged is noted."""

    def __init__(self, port: int, name: str, callers: int, together: int) -> None:
        self._port, self._name, self._together = port, name, together
        self.acknowledged: list[str] = []
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(place,)) for place in range(callers)
        ]

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()

    def _write(self, place: int) -> None:
        with closing(Caller(self._port)) as caller:
            for number in itertools.count():
                if self._over.is_set() or not self._acknowledged(
                    caller, f"{self._name}-{place}-{number}"
                ):
                    return

    def _acknowledged(self, caller: Caller, name: str) -> bool:
        """Whether the service is still there."""
        ids = [f"{name}-{one}" for one in range(self._together)]
        sent = [event(id_, "purchase", 1_700_000_000, f"c{len(id_)}", "p1") for id_ in ids]
        try:
            status, _ = caller("POST", "/v1/events", {"events": sent})
        except (OSError, http.client.HTTPException):
            return False  # killed
        if status == 202:
            self.acknowledged += ids
        return True


def killed(registry: Path, url: str, kills: int) -> None:
    """Each time: writers, SIGKILL at a random moment."""
    acknowledged: list[str] = []
    dice = random.Random(7)
    for number in range(kills):
        with server(registry, database_url=url) as (port, pid, _):
            writers = Writers(port, f"k{number}", callers=4, together=10)
            with writers.running():
                time.sleep(dice.uniform(0.05, 0.4))
                os.kill(pid, 9)
        acknowledged += writers.acknowledged
    missing, doubled = audit(url, acknowledged)
    print(
        f"killed {kills} times: {len(acknowledged)} acknowledged, {missing} missing, {doubled} doubled"
    )


def audit(url: str, acknowledged: Sequence[str]) -> tuple[int, int]:
    """How many acknowledged events are missing in the store, and how many of any are there more than once."""
    engine = connect(url)
    with reading(engine) as connection:
        found = Counter(connection.execute(select(events.c.event_id)).scalars())
    engine.dispose()
    return len(set(acknowledged) - set(found)), sum(count > 1 for count in found.values())


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
    parser.add_argument("--kills", type=int, default=50)
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
                killed(options.registry, url, options.kills)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

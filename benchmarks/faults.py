"""Is every answer right, whatever happens? `python -m benchmarks.faults --registry DIR [--seconds 60]`.

Several callers ask a service of two workers on 127.0.0.1 without a pause, while its Redis is flushed, killed, stopped
and brought back and new versions of the model are activated (on a copy of the registry). Each answer is compared byte
by byte with what the model itself gives: the slate, or past the default deadline the popular one, flagged, which is
counted as late. The tests hold a short version.
"""

from __future__ import annotations

import argparse
import http.client
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

from benchmarks.service import server, with_one_blas_thread
from models.artifact.files import MANIFEST, read_manifest
from models.artifact.registry import Registry
from models.recommender import Recommender
from models.slate import FallbackReason
from service.answering.answer import answer, popular_answer
from service.answering.query import QueryKind, RecommendationQuery
from service.model.live_catalogue import LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.schemas.parameters import CustomerOptions
from service.settings import Settings
from service.signing.click_links import ClickLinks
from tests.support.redis_server import MISSING, RedisServer, find_redis

STRANGER = "never seen before"
Truth = dict[str, bytes]


def truth(model: LoadedModel, customers: Sequence[str]) -> Truth:
    """What each of them is to be answered, computed here, without a cache."""
    links = ClickLinks(Settings().signing_secret())
    return {
        name: answer(LiveCatalogue(model, model), question_of(name), links).body_for(name)
        for name in customers
    }


def popular_truth(model: LoadedModel, customers: Sequence[str]) -> Truth:
    """What each of them is to be answered when the slate comes too late."""
    links, reason = ClickLinks(Settings().signing_secret()), FallbackReason.DEADLINE
    shop = LiveCatalogue(model, model)
    return {
        name: popular_answer(shop, question_of(name), reason, links).body_for(name)
        for name in customers
    }


def question_of(name: str) -> RecommendationQuery:
    return RecommendationQuery(QueryKind.CUSTOMER, CustomerOptions(), "en_US", customer_id=name)


def another_version(root: Path, seconds_later: int = 60) -> str:
    """The active version once more, trained a minute later as its manifest says; not activated."""
    registry = Registry(root)
    active = registry.active()
    if active is None:
        raise RuntimeError(f"{root} holds no active version")
    manifest = read_manifest(registry.path(active))
    later = replace(manifest, created=manifest.created + seconds_later)
    shutil.copytree(registry.path(active), registry.path(later.version))
    (registry.path(later.version) / MANIFEST).write_bytes(later.to_json())
    return later.version


@dataclass
class Load:
    """Callers that ask without a pause.

    An answer is right when one of the truths holds it, and late when one of the popular ones does: without any, none
    may be.
    """

    port: int
    customers: Sequence[str]
    truths: Sequence[Truth]
    popular: Sequence[Truth] = ()
    deadline_ms: int | None = None  # None: the service's own
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)  # whose answers were
    taken_ms: list[float] = field(default_factory=list)
    last: dict[str, bytes] = field(default_factory=dict)

    @contextmanager
    def running(self, callers: int) -> Iterator[None]:
        over = threading.Event()
        threads = [
            threading.Thread(target=self._ask, args=(number, over)) for number in range(callers)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _ask(self, number: int, over: threading.Event) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        offset = number * 7 % len(self.customers)
        try:
            while not over.is_set():
                self._ask_for(connection, self.customers[offset])
                offset = (offset + 1) % len(self.customers)
        except Exception as error:
            self.wrong.append(repr(error))
        finally:
            connection.close()

    def _ask_for(self, connection: http.client.HTTPConnection, name: str) -> None:
        address = f"/v1/customers/{quote(name, safe='')}/recommendations"
        if self.deadline_ms is not None:
            address += f"?deadline_ms={self.deadline_ms}"
        started = time.perf_counter()
        connection.request("GET", address)
        answered = connection.getresponse()
        body = answered.read()
        self.taken_ms.append((time.perf_counter() - started) * 1000)
        self.statuses[answered.status] += 1
        self.last[name] = body
        if answered.status == 200 and body in [right[name] for right in self.popular]:
            self.late.append(name)
        elif answered.status != 200 or body not in [right[name] for right in self.truths]:
            self.wrong.append(f"{answered.status} {body[:300]!r}")


def faults(
    redis: RedisServer, registry: Registry, versions: Iterable[str]
) -> Iterator[tuple[str, Callable[[], object]]]:
    """What is done to the service, one thing after another, again and again."""
    while True:
        yield "all is well", lambda: None
        yield "Redis flushed", redis.flush
        yield "Redis killed", redis.kill
        yield "Redis started again", redis.start
        yield "Redis stopped (SIGSTOP)", redis.stop
        yield "Redis resumed", redis.resume
        for version in versions:
            yield "another model", partial(registry.activate, version)


def report(name: str, load: Load) -> None:
    counts = ", ".join(f"{status}: {count}" for status, count in sorted(load.statuses.items()))
    times = statistics.quantiles(load.taken_ms, n=100) if len(load.taken_ms) > 1 else [0.0] * 99
    found = f"wrong {len(load.wrong):<4} late {len(load.late):<4}"
    print(f"{name:<26} {counts:<16} {found} p50 {times[49]:7.2f}  p99 {times[98]:7.2f} ms")


def run(root: Path, redis: RedisServer, seconds: float, callers: int, people: int) -> int:
    registry = Registry(root)
    first, second = str(registry.active()), another_version(root)
    recommenders = [Recommender.load(registry.path(version)) for version in (first, second)]
    customers = [*list(recommenders[0].model.customers.ids)[:people], STRANGER]
    models = [LoadedModel.of(recommender) for recommender in recommenders]
    truths = [truth(model, customers) for model in models]
    popular = [popular_truth(model, customers) for model in models]
    total = Load(0, customers, truths)
    with server(root, redis_url=redis.url, workers=2, poll_seconds=0.2) as (port, _, _):
        until = time.monotonic() + seconds
        for name, do in faults(redis, registry, (second, first)):
            load = Load(port, customers, truths, popular)
            with load.running(callers):
                do()
                time.sleep(2)
            report(name, load)
            total.statuses += load.statuses
            total.wrong += load.wrong
            total.late += load.late
            total.taken_ms += load.taken_ms
            if time.monotonic() > until:
                break
    report("all together", total)
    for wrong in total.wrong[:5]:
        print(wrong)
    return 1 if total.wrong else 0


def main() -> int:
    with_one_blas_thread("benchmarks.faults")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--callers", type=int, default=4)
    parser.add_argument("--customers", type=int, default=300)
    arguments = parser.parse_args()
    binary = find_redis()
    if binary is None:
        parser.error(MISSING)
    with tempfile.TemporaryDirectory(prefix="regulars-faults-") as directory:
        root = Path(directory) / "registry"
        shutil.copytree(arguments.registry, root)
        redis = RedisServer(binary, Path(directory))
        redis.start()
        try:
            return run(root, redis, arguments.seconds, arguments.callers, arguments.customers)
        finally:
            redis.kill()


if __name__ == "__main__":
    sys.exit(main())

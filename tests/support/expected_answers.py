"""What every customer must be answered, computed in this process, and callers that compare."""

from __future__ import annotations

import http.client
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from models.artifact.files import MANIFEST, read_manifest
from models.artifact.registry import Registry
from models.slate import FallbackReason
from service.answering.answer import build_answer, build_popular_answer
from service.answering.presentation import Presentation
from service.answering.query import QueryKind, RecommendationQuery
from service.model.live_catalogue import LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.settings import Settings
from service.signing.click_links import ClickLinks

STRANGER = "never seen before"
Truth = dict[str, bytes]


def truth(model: LoadedModel, customers: Sequence[str]) -> Truth:
    """What each of them is to be answered, computed here, without a cache."""
    links = Presentation(ClickLinks(Settings().signing_secret()))
    return {
        name: build_answer(LiveCatalogue(model, model), question_of(name), links).body_for(name)
        for name in customers
    }


def popular_truth(model: LoadedModel, customers: Sequence[str]) -> Truth:
    """What each of them is to be answered when the slate comes too late."""
    links, reason = Presentation(ClickLinks(Settings().signing_secret())), FallbackReason.DEADLINE
    shop = LiveCatalogue(model, model)
    return {
        name: build_popular_answer(shop, question_of(name), reason, links).body_for(name)
        for name in customers
    }


def question_of(name: str) -> RecommendationQuery:
    return RecommendationQuery(QueryKind.CUSTOMER, "en_US", customer_id=name)


def another_version(root: Path, seconds_later: int = 60) -> str:
    """The active version once more, trained a minute later as its manifest says; not activated."""
    registry = Registry(root)
    active = registry.active()
    if active is None:
        raise RuntimeError(f"{root} holds no active version")
    manifest = read_manifest(registry.path(active))
    later = replace(manifest, created=manifest.created + seconds_later)
    shutil.copytree(registry.path(active), registry.path(later.version))
    (registry.path(later.version) / MANIFEST).write_bytes(later.text)
    return later.version


@dataclass
class Load:
    """Callers that ask without a pause.

    An answer is right when one of the truths holds it, and late when one of the popular ones does:
    without any, none may be.
    """

    port: int
    customers: Sequence[str]
    truths: Sequence[Truth]
    popular: Sequence[Truth] = ()
    deadline_ms: int | None = None  # None: the service's own
    long_way: bool = False  # whether no answer may be ready, so that each is looked up in the cache
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
        word = "%72ecommendations" if self.long_way else "recommendations"
        address = f"/v1/customers/{quote(name, safe='')}/{word}"
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

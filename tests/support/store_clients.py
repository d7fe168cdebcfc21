"""Callers that write to the service's store, and what the store holds afterwards."""

from __future__ import annotations

import http.client
import itertools
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from service.store.database import connect, reading
from service.store.tables import events
from tests.support.service_process import server


class Caller:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def close(self) -> None:
        self._connection.close()

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
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


def audit(url: str, acknowledged: Sequence[str]) -> tuple[int, int]:
    """How many acknowledged events are missing in the store, and how many of any are there more
    than once.
    """
    found = _count(url)
    return len(set(acknowledged) - set(found)), sum(count > 1 for count in found.values())


def audit_sent(url: str, sent: Sequence[str]) -> tuple[int, int]:
    """How many of these events are missing in the store, and how many are there more than once."""
    found = _count(url)
    return sum(not found[one] for one in sent), sum(found[one] > 1 for one in sent)


def _count(url: str) -> Counter[str]:
    engine = connect(url)
    with reading(engine) as connection:
        found = Counter(connection.execute(select(events.c.event_id)).scalars())
    engine.dispose()
    return found

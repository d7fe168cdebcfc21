"""Random sequences of what may happen to a shop, in which nobody who said no is personalised.

Two workers of one host and one of another serve one store. Whoever was told that their no is kept
is asked for in every way that there is, after every step.
"""

from __future__ import annotations

import contextlib
import gc
import re
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from starlette.testclient import TestClient

from models.artifact.registry import Registry
from models.data.customers import NO, PERSONALIZE_EMAIL, PERSONALIZE_WEB, YES
from models.recommender import Recommender
from models.slate import SlateRequest, Strategy
from service.answering.responder import Responder
from service.app import follow
from service.settings import Settings
from service.store import consents
from service.store.database import StoreDownError
from tests.support.quick_service import create_quick
from tests.support.service_process import UNHURRIED_MS
from tests.support.service_shop import copy_registry
from tests.support.store_copies import Database
from training.export.current_model import CurrentModel
from training.export.store_snapshot import read_store_snapshot

# To ask for a customer; those that begin with "?" are options of a GET.
WAYS: Final = (
    "",
    "session",
    "?placement=email",
    "?campaign=spring",
    "batch",
    "block",
    "due",
    "export",
)
BOTH: Final = (PERSONALIZE_WEB, PERSONALIZE_EMAIL)
HOSTS: Final = ("one", "one", "other")  # of each worker
CUSTOMERS: Final = ("c00", "c01", "c02", "c03")
customers: Final = st.sampled_from(CUSTOMERS)
workers: Final = st.integers(0, len(HOSTS) - 1)
# Clocks of the hosts may lie apart by a day.
seconds_ahead: Final = st.sampled_from([0, 3600, -3600, 86_400])


def told(response: Any) -> Any:
    """The body of an answer that is none of an error."""
    assert response.status_code == 200, response.text
    return response.json()


class Worker:
    """A service in this process, with the runtime directory of its host."""

    def __init__(self, registry: Path, url: str, runtime: Path) -> None:
        values = {
            "registry": registry,
            "runtime_dir": runtime,
            "database_url": url,
            "deadline_ms": UNHURRIED_MS,
            "breaker_failures": 1,
            "breaker_seconds": 0.05,
            "follow_seconds": 1,
            "signing_key": "secret",
        }
        self._url = url
        self._app = create_quick(Settings.model_validate(values))
        self.client = TestClient(self._app, base_url="http://localhost").__enter__()

    @property
    def responder(self) -> Responder:
        responder: Responder = self._app.state.responder
        return responder

    def close(self) -> None:
        self.client.__exit__()
        # The mapped files of a model hold descriptors until Python finds the cycle of an application
        del self.client, self._app
        gc.collect()

    def follow(self) -> None:
        """Look at what other hosts did and which model is active, as each second."""
        self.responder.active.refresh()
        with contextlib.suppress(StoreDownError):  # it is tried again
            follow(self.responder, self.responder.catalogues)

    def give(self, customer_id: str, value: int, ahead: int) -> int | None:
        """Give an answer by a clock that is ahead, as the route would; None: it is not kept."""
        work = partial(
            consents.give,
            customer_id=customer_id,
            values=dict.fromkeys(BOTH, value),
            time=int(time.time()) + ahead,
        )
        try:
            given = self.responder.store.write(lambda change: work(change)).result(10)
        except StoreDownError:
            return None
        return given[PERSONALIZE_WEB].value

    def is_personal(self, way: str, customer_id: str) -> bool:
        """Whether an answer to one of the WAYS to ask is made for the customer."""
        path = f"/v1/customers/{customer_id}/recommendations"
        body: dict[str, Any] = {"customer_id": customer_id}
        if way == "session":
            answer = told(self.client.post("/v1/recommendations", json=body))
        elif way == "batch":
            recipients = {"recipients": [body], "placement": "email"}
            batch = told(self.client.post("/v1/recommendations/batch", json=recipients))
            answer = batch["answers"][0]
        elif way == "block":
            # What everyone gets speaks to nobody.
            return re.search("[Yy]ou", self.client.get(f"{path}.html").text) is not None
        elif way == "due":
            due = self.client.get(f"/v1/customers/{customer_id}/replenishment")
            return due.status_code == 200 and due.json()["count"] > 0
        elif way == "export":
            return self._is_exported_personal(customer_id)
        else:
            answer = told(self.client.get(f"{path}{way}"))
        personal: bool = answer["strategy"] == Strategy.PERSONAL
        return personal

    def _is_exported_personal(self, customer_id: str) -> bool:
        """As a file of slates for mails would have it now.

        What a restored copy lacks only the service knows: it has looked before somebody exports.
        """
        self.follow()
        current = self.responder.active.current
        assert current is not None
        learned = current.recommender
        exported = CurrentModel.of(learned, read_store_snapshot(self._url, learned.manifest), YES)
        update = exported.update_of(customer_id)
        request = SlateRequest(purpose=PERSONALIZE_EMAIL)
        return exported.recommender.recommend(customer_id, request, update).strategy == "personal"


class Refusals(RuleBasedStateMachine):
    """A shop whose customers say no while anything happens to it."""

    kind = "sqlite"
    shop_root: Path
    ended = 0  # sequences

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="refusals-"))
        self.refusing: set[str] = set()
        self.looks = 0
        self.copies: list[str] = []

    @initialize()
    def open(self) -> None:
        self.root = copy_registry(self.shop_root, self.folder / "registry")
        self.database = Database(self.kind, self.folder)
        self.workers = [self.start(host) for host in HOSTS]

    def start(self, host: str) -> Worker:
        return Worker(self.root, self.database.url, self.folder / host)

    def teardown(self) -> None:
        for worker in getattr(self, "workers", []):
            worker.close()
        shutil.rmtree(self.folder)
        type(self).ended += 1
        sys.stdout.write(f"{self.ended} sequences, {self.looks} looks in the last\n")

    @rule(worker=workers, customer=customers, ahead=seconds_ahead)
    def says_no(self, worker: int, customer: str, ahead: int) -> None:
        given = self.workers[worker].give(customer, NO, ahead)
        if given is not None:
            assert given == NO
            self.refusing.add(customer)
        self.look(worker)

    @rule(worker=workers, customer=customers, ahead=seconds_ahead)
    def says_yes(self, worker: int, customer: str, ahead: int) -> None:
        if self.workers[worker].give(customer, YES, ahead) == YES:
            self.refusing.discard(customer)
        self.look(worker)

    @rule(worker=workers, customer=customers)
    def is_forgotten(self, worker: int, customer: str) -> None:
        if self.workers[worker].client.delete(f"/v1/customers/{customer}").status_code == 200:
            self.refusing.add(customer)
        self.look(worker)

    @rule(worker=workers)
    def something_is_clicked(self, worker: int) -> None:
        event = {
            "event_id": f"{time.monotonic_ns()}",
            "kind": "view",
            "time": "2025-06-29T10:00:00Z",
            "customer_id": "c03",
            "product_id": "bagel",
        }
        self.workers[worker].client.post("/v1/events", json={"events": [event]})

    @rule()
    def store_is_copied(self) -> None:
        self.copies.append(self.database.copy())

    @rule(pick=st.integers(0, 9))
    def store_is_restored(self, pick: int) -> None:
        if self.copies:
            self.database.restore(self.copies.pop(pick % len(self.copies)))
            self.look()

    @rule()
    def store_is_lost(self) -> None:
        for worker in self.workers:
            worker.close()
        self.database.lose()
        self.workers = [self.start(host) for host in HOSTS]
        self.look()

    @rule(worker=workers)
    def worker_is_restarted(self, worker: int) -> None:
        self.workers[worker].close()
        self.workers[worker] = self.start(HOSTS[worker])
        self.look()

    @rule(ahead=st.sampled_from([0, 500]))
    def model_is_published(self, ahead: int) -> None:
        """As if training had read the store up to now, or another one that is ahead."""
        registry = Registry(self.root)
        recommender = Recommender.load(registry.path(str(registry.active())))
        number, mark = self.database.point()
        # The noes below are in the model that a training would make, and in this one they are not.
        # So it has learned nothing but what came before the first of them.
        if self.refusing:
            number, mark = 0, ""
        if ahead:
            number, mark = number + ahead, "0123456789abcdef"
        manifest = replace(
            recommender.manifest,
            created=recommender.manifest.created + 1,
            event_position=number,
            event_mark=mark if number else "",
        )
        registry.publish(recommender.model, manifest)
        self.look()

    @rule()
    def model_is_rolled_back(self) -> None:
        registry = Registry(self.root)
        if len(registry.pointers()) > 1:
            registry.rollback()
        self.look()

    def look(self, acting: int | None = None) -> None:
        """Ask for everyone in the plainest way, and in one of the others.

        Workers of a host know at once what another one did, those of another host after they have
        looked.
        """
        self.looks += 1
        ways = ("", WAYS[self.looks % len(WAYS)])
        for index, worker in enumerate(self.workers):
            if acting is not None and HOSTS[index] != HOSTS[acting]:
                worker.follow()
            for customer in CUSTOMERS:
                for way in ways:
                    if worker.is_personal(way, customer):
                        assert customer not in self.refusing, (customer, HOSTS[index], way)

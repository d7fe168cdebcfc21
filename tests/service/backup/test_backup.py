"""A shop is restored from a backup: whoever said no since, or was forgotten, stays so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from models.artifact.registry import Registry
from service.backup.archive import CONTENTS
from service.store.database import connect, reading
from service.store.tables import events
from tests.support.keyed_service import FIRST_KEY
from tests.support.service_process import UNHURRIED_MS
from tests.support.service_shop import Shop, process, wait_until
from tests.support.store_server import KINDS, empty_database, new_store

pytestmark = pytest.mark.slow
NO = {"personalize_web": False}
YES = {"personalize_web": True}
TIME = "2025-06-29T10:00:00Z"


@dataclass
class Host:
    """A shop's machine: its registry and settings, a service on it and commands."""

    folder: Path
    registry: Path
    database_url: str
    refusals: Path
    key: str = FIRST_KEY

    @contextmanager
    def serving(self, runtime: str = "run") -> Iterator[httpx2.Client]:
        with process(self.registry, self.folder / runtime, **self._settings()) as port:
            headers = {"Authorization": f"Bearer {self.key}"}
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
                yield client

    def run(self, *words: str, expect: int = 0, runtime: str = "run") -> Any:
        named = {"registry": self.registry, "runtime_dir": self.folder / runtime}
        variables = {f"REGULARS_{name.upper()}": str(value) for name, value in named.items()}
        settings = {f"REGULARS_{name.upper()}": str(v) for name, v in self._settings().items()}
        done = subprocess.run(
            [sys.executable, "-m", "service", *words],
            env=os.environ | variables | settings,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == expect, done.stderr
        return json.loads(done.stdout) if expect == 0 else done.stderr

    def _settings(self) -> dict[str, object]:
        return {
            "database_url": self.database_url,
            "refusals_dir": self.refusals,
            "api_key": FIRST_KEY,
            "deadline_ms": UNHURRIED_MS,
            "follow_seconds": 0.05,
        }


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def host(own_shop: Shop, kind: str, tmp_path: Path) -> Host:
    return Host(tmp_path, own_shop.root, new_store(kind, tmp_path), tmp_path / "other disk")


def strategy(client: httpx2.Client, customer_id: str) -> str:
    answer = client.get(f"/v1/customers/{customer_id}/recommendations")
    assert answer.status_code == 200
    found: str = answer.json()["strategy"]
    return found


def say(client: httpx2.Client, customer_id: str, answer: dict[str, bool]) -> None:
    address = f"/v1/customers/{customer_id}/consent"
    assert client.put(address, json=answer).status_code == 200


def view(client: httpx2.Client, customer_id: str, event_id: str) -> int:
    event = {"event_id": event_id, "kind": "view", "time": TIME, "product_id": "bagel"}
    body = {"events": [{**event, "customer_id": customer_id}]}
    return client.post("/v1/events", json=body).status_code


def refuse_much(client: httpx2.Client) -> None:
    """Say what must hold: by customers of the model, of the store, and of whom nobody knows."""
    for customer_id in ("c02", "newcomer", "nobody"):
        say(client, customer_id, NO)
    for customer_id in ("c03", "visitor", "nobody else"):
        assert client.delete(f"/v1/customers/{customer_id}").status_code == 200


def assert_refused(client: httpx2.Client) -> None:
    for customer_id in ("c02", "newcomer", "nobody"):
        assert strategy(client, customer_id) == "not_personalized", customer_id
    for customer_id in ("c03", "visitor", "nobody else"):
        view(client, customer_id, f"later-{customer_id}")
        assert strategy(client, customer_id) in ("popular", "not_personalized"), customer_id
        answer = client.put(f"/v1/customers/{customer_id}/consent", json=YES)
        assert answer.status_code == 410
    assert strategy(client, "c00") == "personal"
    assert strategy(client, "c01") == "personal"


def test_after_a_restore_every_no_and_every_erasure_since_holds_in_the_first_answer(
    host: Host, kind: str
) -> None:
    with host.serving() as client:
        say(client, "c00", YES)
        assert view(client, "newcomer", "e1") == view(client, "visitor", "e2") == 202
        assert strategy(client, "c02") == strategy(client, "c03") == "personal"
        backup = str(host.folder / "backup.tar.gz")
        host.run("backup", "--output", backup)
        refuse_much(client)
    # The machine is lost with everything but the other disk.
    host.database_url = empty_database(kind, host.folder)
    host.registry = host.folder / "new registry"
    told = host.run("restore", backup, runtime="new run")
    counts = {"noes": 3, "erasures": 3, "revoked_keys": 0, "ended_shops": 0}
    assert told["restored"]["main"]["replayed"] == counts
    with host.serving("new run") as client:
        assert_refused(client)
        assert client.get("/v1/customers/newcomer/profile").status_code == 200
    # The same backup a second time: what was put back is in the journal, too.
    host.database_url = empty_database(kind, host.folder)
    host.run("restore", backup, runtime="third run")
    with host.serving("third run") as client:
        assert_refused(client)


def test_a_service_that_runs_goes_on_with_what_is_restored(host: Host) -> None:
    with host.serving() as client:
        assert view(client, "newcomer", "e1") == view(client, "visitor", "e2") == 202
        backup = str(host.folder / "backup")
        host.run("backup", "--output", backup)
        refuse_much(client)
        assert view(client, "c01", "after the backup") == 202
        assert "--replace" in host.run("restore", backup, expect=2)
        host.run("restore", backup, "--replace")
        wait_until(lambda: view(client, "c01", "after the restore") == 202)
        assert_refused(client)
        known = client.get("/v1/customers/c01/export").json()["events"]
        assert {event["event_id"] for event in known} >= {"after the restore"}
        assert "after the backup" not in {event["event_id"] for event in known}


def test_a_store_that_other_tools_have_restored_refuses_from_the_first_answer_on(
    host: Host, kind: str
) -> None:
    with host.serving() as client:
        view(client, "newcomer", "e1")
        view(client, "visitor", "e2")
        host.run("backup", "--output", str(host.folder / "backup"))
        refuse_much(client)
    nowhere = Host(host.folder, host.registry, empty_database(kind, host.folder), host.folder)
    nowhere.run("restore", str(host.folder / "backup"), "--without-refusals", runtime="x")
    host.database_url = nowhere.database_url
    with host.serving("a new host") as client:
        assert_refused(client)


def test_a_key_that_was_revoked_since_stays_revoked(host: Host) -> None:
    with host.serving() as client:
        made = client.post("/v1/keys", json={"name": "mailer", "scopes": ["read"]})
        key_id, key = made.json()["key"]["key_id"], made.json()["secret"]
        host.run("backup", "--output", str(host.folder / "backup"))
        assert client.delete(f"/v1/keys/{key_id}").status_code == 200
    told = host.run("restore", str(host.folder / "backup"), "--replace")
    assert told["restored"]["main"]["replayed"]["revoked_keys"] == 1
    host.key = key
    with host.serving() as client:
        assert client.get("/v1/popular").status_code == 401


def test_without_the_journal_nothing_is_restored_unless_it_is_meant(host: Host, kind: str) -> None:
    with host.serving() as client:
        view(client, "c00", "e1")
        host.run("backup", "--output", str(host.folder / "backup"))
        say(client, "c02", NO)
    host.refusals, host.database_url = host.folder / "empty", empty_database(kind, host.folder)
    told = host.run("restore", str(host.folder / "backup"), expect=2)
    assert "would be personalised again" in told
    elsewhere = str(host.folder / "other disk")
    host.run("restore", str(host.folder / "backup"), "--refusals", elsewhere)
    with host.serving("new run") as client:
        assert strategy(client, "c02") == "not_personalized"


def test_a_backup_while_the_service_writes_holds_one_moment(host: Host, kind: str) -> None:
    over, acknowledged = threading.Event(), []

    def report(client: httpx2.Client) -> None:
        for number in range(100_000):
            if over.is_set():
                return
            assert view(client, f"c{number % 10:02}", f"e{number}") == 202
            acknowledged.append(number)

    with host.serving() as client:
        writer = threading.Thread(target=report, args=(client,))
        writer.start()
        wait_until(lambda: len(acknowledged) > 20)
        before = len(acknowledged)
        host.run("backup", "--output", str(host.folder / "backup"))
        after = len(acknowledged)
        over.set()
        writer.join()
    engine = connect(f"sqlite:///{host.folder}/backup/main/store.db")
    with reading(engine) as connection:
        numbers = sorted(int(row.event_id[1:]) for row in connection.execute(events.select()))
    engine.dispose()
    assert numbers == list(range(len(numbers)))  # a beginning of what was written, without a gap
    assert before <= len(numbers) <= after + 1
    assert after > before


def test_what_is_damaged_in_a_backup_is_named_and_not_restored(host: Host) -> None:
    host.run("backup", "--output", str(host.folder / "backup"))
    again = host.run("backup", "--output", str(host.folder / "backup"), expect=2)
    assert "is there already" in again
    store = host.folder / "backup/main/store.db"
    store.write_bytes(store.read_bytes()[:-1] + b"?")
    told = host.run("restore", str(host.folder / "backup"), "--replace", expect=2)
    assert "main/store.db of the backup is damaged" in told
    (host.folder / "backup" / CONTENTS).unlink()
    told = host.run("restore", str(host.folder / "backup"), "--replace", expect=2)
    assert "is no backup" in told
    assert "is no backup" in host.run("restore", str(host.folder / "nothing"), expect=2)


def test_a_shop_comes_back_alone_and_all_come_back_together(host: Host, own_shop: Shop) -> None:
    made = host.run("shops", "create", "acme")
    Registry(host.registry / "shops/acme").publish(
        own_shop.model.recommender.model, own_shop.model.recommender.manifest
    )
    acme = Host(host.folder, host.registry, host.database_url, host.refusals, made["key"])
    with acme.serving() as client:
        view(client, "newcomer", "e1")
        host.run("backup", "--output", str(host.folder / "all"))
        host.run("backup", "--shop", "acme", "--output", str(host.folder / "acme.tar"))
        say(client, "c02", NO)
    told = host.run("restore", "--shop", "acme", "--replace", str(host.folder / "acme.tar"))
    assert list(told["restored"]) == ["acme"]
    with acme.serving("second run") as client:
        assert strategy(client, "c02") == "not_personalized"
        say(client, "c04", NO)
    told = host.run("restore", "--replace", str(host.folder / "all"))
    assert list(told["restored"]) == ["main", "acme"]
    assert told["left_out"] == []
    with acme.serving("third run") as client:
        assert strategy(client, "c02") == strategy(client, "c04") == "not_personalized"
        assert strategy(client, "c00") == "personal"


def test_a_shop_that_was_ended_since_does_not_come_back(host: Host, kind: str) -> None:
    key = host.run("shops", "create", "acme")["key"]
    with host.serving() as client:
        of_acme = {"Authorization": f"Bearer {key}"}
        event = {"event_id": "e1", "kind": "view", "time": TIME, "product_id": "bagel"}
        body = {"events": [{**event, "customer_id": "c00"}]}
        assert client.post("/v1/events", json=body, headers=of_acme).status_code == 202
        backup = str(host.folder / "all")
        host.run("backup", "--output", backup)
        assert client.delete("/v1/shops/acme").status_code == 200
        again = host.run("shops", "create", "acme")["key"]  # a new shop of the same name
        assert client.get("/v1/events", headers={"Authorization": f"Bearer {again}"}).json() == {
            "events": [],
            "next": None,
        }
    host.database_url = empty_database(kind, host.folder)
    host.registry = host.folder / "new registry"
    told = host.run("restore", backup)
    assert (list(told["restored"]), told["left_out"]) == (["main"], ["acme"])
    assert told["restored"]["main"]["replayed"]["ended_shops"] == 1
    with host.serving() as client:
        assert client.get("/v1/popular", headers=of_acme).status_code == 401
        assert client.get("/v1/shops/acme").json()["ending"]
        assert client.delete("/v1/shops/acme").status_code == 200
        assert client.get("/v1/shops").json()["shops"] == []


def test_the_journal_tells_nobody_who_it_was(host: Host) -> None:
    with host.serving() as client:
        refuse_much(client)
    (journal,) = host.refusals.iterdir()
    told = journal.read_text()
    assert '"no"' in told
    assert '"erasure"' in told
    for customer_id in ("c02", "newcomer", "nobody", "c03", "visitor"):
        assert f'"{customer_id}"' not in told
    assert journal.stat().st_mode & 0o077 == 0

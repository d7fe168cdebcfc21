"""A service that asks for keys, with one key and one token of each kind."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.testclient import TestClient

from service.http.api_keys import create_key
from service.http.authorization import Scope
from service.settings import Settings
from service.signing.customer_tokens import CustomerToken, sign
from service.store import keys as table
from service.store.store import Store
from tests.support.quick_service import create_quick
from tests.support.service_process import UNHURRIED_MS
from tests.support.service_shop import Shop

FIRST_KEY = "the first key of this shop"
SIGNING_KEY = "nobody else knows this"
ANNA, BERT = "c00", "c01"


@dataclass(frozen=True)
class KeyedService:
    """A service that asks for keys, and keys and tokens to call it with."""

    client: TestClient
    credentials: dict[str, str]  # by a name like "admin" or "expired"

    @property
    def store(self) -> Store:
        """Return the store of the service."""
        return store_of(self.client)

    def call(
        self, method: str, path: str, who: str | None, customer: str = BERT, **more: object
    ) -> int:
        headers = {"Authorization": f"Bearer {self.credentials[who]}"} if who else {}
        address = re.sub(r"\{customer_id\}", customer, path)
        address = re.sub(r"\{\w+\}", "x", address)
        return self.client.request(
            method, address, headers=headers, follow_redirects=False, **more
        ).status_code  # type: ignore[arg-type]


def store_of(client: TestClient) -> Store:
    """Return the store of a service in this process."""
    store: Store = client.app.state.responder.store  # type: ignore[attr-defined]
    return store


def make_key(store: Store, *scopes: Scope, calls_a_minute: int | None = None) -> str:
    key = create_key("for a test", scopes, calls_a_minute, int(time.time()))
    store.write(partial(table.add, key=key.stored, actor="test")).result()
    return key.text


def token(
    customer_id: str | None,
    session_id: str | None = None,
    *,
    secret: str = SIGNING_KEY,
    life: int = 600,
) -> str:
    return sign(secret.encode(), CustomerToken(customer_id, session_id, int(time.time()) + life))


@contextmanager
def open_keyed_service(shop: Shop, folder: Path, **more: object) -> Iterator[KeyedService]:
    settings = Settings.model_validate(
        {
            "registry": shop.root,
            "deadline_ms": UNHURRIED_MS,
            "runtime_dir": folder / "run",
            "database_url": f"sqlite:///{folder / 'store.db'}",
            "api_key": FIRST_KEY,
            "signing_key": SIGNING_KEY,
            "customer_calls_a_minute": 100_000,
            **more,
        }
    )
    with TestClient(create_quick(settings), raise_server_exceptions=False) as client:
        store = store_of(client)
        credentials = {scope.value: make_key(store, scope) for scope in Scope}
        credentials |= {
            "first": FIRST_KEY,
            "token": token(ANNA),
            "visit": token(None, "v1"),
            "wrong": credentials["admin"][:-1],
        }
        credentials |= {
            "expired": token(ANNA, life=-1),
            "foreign": token(ANNA, secret="another shop's"),
        }
        yield KeyedService(client, credentials)

"""A deployment of three shops: the main one, acme and bolt, each with a model and a key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from service.settings import Settings
from tests.support.keyed_service import FIRST_KEY, SIGNING_KEY
from tests.support.quick_service import create_quick
from tests.support.service_process import UNHURRIED_MS
from tests.support.service_shop import Shop, copy_registry

OTHERS = ("acme", "bolt")


@dataclass(frozen=True)
class Deployment:
    """A service with several shops, and the keys of each by its name."""

    client: TestClient
    registry: Path
    keys: dict[str, str]
    signing_keys: dict[str, str]

    def call(self, key: str | None, method: str, address: str, **more: Any) -> Any:
        """Return the answer to a call with a key, or with none."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.client.request(method, address, headers=headers, **more)

    def of(self, shop: str, method: str, address: str, **more: Any) -> Any:
        """Return the answer to a call with the key of a shop."""
        return self.call(self.keys[shop], method, address, **more)

    def make(self, name: str, **settings: Any) -> Any:
        """Return the answer to the making of a shop."""
        body = {"settings": settings}
        return self.call(FIRST_KEY, "PUT", f"/v1/shops/{name}", json=body)

    def publish(self, name: str, shop: Shop) -> None:
        """Publish the model of a shop to another one."""
        folder = self.registry / "shops" / name
        shutil.copytree(shop.root / "versions", folder / "versions")
        shutil.copy(shop.root / "active", folder / "active")


@contextmanager
def open_deployment(
    shop: Shop, folder: Path, database_url: str, **more: object
) -> Iterator[Deployment]:
    """Open a service, and make two more shops in it."""
    registry = copy_registry(shop.root, folder / "registry")
    settings = Settings.model_validate(
        {
            "registry": registry,
            "deadline_ms": UNHURRIED_MS,
            "runtime_dir": folder / "run",
            "database_url": database_url,
            "api_key": FIRST_KEY,
            "signing_key": SIGNING_KEY,
            "poll_seconds": 0.05,
            **more,
        }
    )
    with TestClient(
        create_quick(settings), base_url="http://localhost", raise_server_exceptions=False
    ) as client:
        opened = Deployment(client, registry, {"main": FIRST_KEY}, {"main": SIGNING_KEY})
        for name in OTHERS:
            made = opened.make(name).json()
            opened.keys[name], opened.signing_keys[name] = made["key"], made["signing_key"]
            opened.publish(name, shop)
        yield opened

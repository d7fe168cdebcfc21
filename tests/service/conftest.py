"""A small shop with a trained model, and the service in front of it: in this process or as a
process of its own.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from starlette.testclient import TestClient

from service.settings import Settings
from service.store.store import Store
from tests.support.quick_service import create_quick
from tests.support.service_process import UNHURRIED_MS
from tests.support.service_shop import Browse, Shop, copy_registry, open_shop
from tests.support.store_server import KINDS, new_store
from tests.support.training_shop import small_shop

MANY_DESCRIPTORS: Final = 2_000


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Close the files of services that have ended, which Python does when it looks for cycles.

    Each holds a hundred files of its model, and hundreds of services run in this process.
    """
    yield
    if len(os.listdir("/proc/self/fd")) > MANY_DESCRIPTORS:
        gc.collect()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Nobody changes it; tests that publish take `own_shop`."""
    return open_shop(small_shop(tmp_path_factory.mktemp("shop") / "registry"))


@pytest.fixture
def own_shop(shop: Shop, tmp_path: Path) -> Shop:
    return replace(shop, root=copy_registry(shop.root, tmp_path / "own"))


def store_beside(folder: Path) -> str:
    """A store for who changes nothing else of the shop that all tests share."""
    return f"sqlite:///{folder}/beside.db"


@pytest.fixture
def browse(shop: Shop, tmp_path: Path) -> Iterator[Browse]:
    """Opens a service with settings of its own, in this process; a busy machine makes no answer of
    it late.
    """
    with ExitStack() as stack:

        def opened(root: Path = shop.root, **settings: object) -> TestClient:
            own_store = store_beside(tmp_path) if root == shop.root else None
            chosen = Settings.model_validate(
                {
                    "registry": root,
                    "runtime_dir": tmp_path / "run",
                    "deadline_ms": UNHURRIED_MS,
                    "database_url": own_store,
                    **settings,
                }
            )
            return stack.enter_context(
                TestClient(
                    create_quick(chosen), base_url="http://localhost", raise_server_exceptions=False
                )
            )

        yield opened


@pytest.fixture(params=KINDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    return new_store(request.param, tmp_path)


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Iterator[Store]:
    opened = Store(store_url, tmp_path / "run")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The service with its defaults, and time."""
    folder = tmp_path_factory.mktemp("run")
    settings = Settings.model_validate(
        {
            "registry": shop.root,
            "runtime_dir": folder / "own",
            "deadline_ms": UNHURRIED_MS,
            "database_url": store_beside(folder),
        }
    )
    with TestClient(
        create_quick(settings), base_url="http://localhost", raise_server_exceptions=False
    ) as opened:
        yield opened

"""A service that the clients' tests share, and what stands between them and it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.keyed_service import FIRST_KEY, SIGNING_KEY
from tests.support.lossy_proxy import LossyProxy, between
from tests.support.service_process import free_port
from tests.support.service_shop import Shop, open_shop, process
from tests.support.training_shop import small_shop


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A small shop with a trained model."""
    return open_shop(small_shop(tmp_path_factory.mktemp("shop") / "registry"))


@pytest.fixture(scope="package")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}"


@pytest.fixture(scope="package")
def storefront_port() -> int:
    """Where pages of the shop are, which may call the service."""
    return free_port()


@pytest.fixture(scope="package")
def port(
    shop: Shop, store_url: str, storefront_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """A service that asks for keys. Each test takes customers of its own."""
    runtime = tmp_path_factory.mktemp("service") / "run"
    settings = {"database_url": store_url, "api_key": FIRST_KEY, "signing_key": SIGNING_KEY}
    settings["cors_origins"] = f"http://127.0.0.1:{storefront_port}"
    with process(shop.root, runtime, deadline_ms=10_000, unasked="allow", **settings) as opened:
        yield opened


@pytest.fixture
def proxy(port: int) -> Iterator[LossyProxy]:
    with between(port) as opened:
        yield opened

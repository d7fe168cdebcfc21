"""Another shop than the main one has secrets and sentences of its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from service.settings import Settings, SettingsError
from tests.support.deployment import Deployment, open_deployment
from tests.support.service_shop import Shop
from tests.support.store_server import new_store

pytestmark = pytest.mark.slow

SECRETS: Final = "shopify=of-main,acme/shopify=of/acme=,acme/shopify=older,bolt/woocommerce=x"
ORDER: Final[dict[str, Any]] = {
    "id": 1,
    "created_at": "2025-06-29T12:00:00Z",
    "updated_at": "2025-06-29T12:00:00Z",
    "currency": "EUR",
    "financial_status": "paid",
    "customer": {"id": 207},
    "line_items": [{"id": 1, "product_id": "bread", "quantity": 2, "price": "2.50"}],
}


def write_wording(folder: Path, sentence: str) -> None:
    folder.mkdir(parents=True)
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    (folder / "en.po").write_text(f'{header}msgid "Popular right now"\nmsgstr "{sentence}"\n')


@pytest.fixture(scope="module")
def deployment(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("own")
    wording = folder / "wording"
    write_wording(wording, "Everybody wants it")
    write_wording(wording / "shops" / "acme", "Acme sells it")
    with open_deployment(
        shop,
        folder,
        new_store("sqlite", folder),
        import_secrets=SECRETS,
        wording_dir=wording,
    ) as opened:
        yield opened


def send(deployment: Deployment, address: str, secret: str) -> int:
    """Send an order that a shop system has signed; return the status."""
    body = json.dumps(ORDER).encode()
    signature = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": "orders/create",
        "X-Shopify-Hmac-Sha256": signature,
    }
    answer = deployment.client.post(f"{address}/v1/import/shopify", content=body, headers=headers)
    status: int = answer.status_code
    return status


def test_a_webhook_is_of_the_shop_whose_secret_signed_it(deployment: Deployment) -> None:
    for secret in ("of-main", "x", ""):
        assert send(deployment, "/shops/acme", secret) == 401
    for secret in ("of/acme=", "older"):
        assert send(deployment, "/shops/acme", secret) == 202
        assert send(deployment, "", secret) == 401
    assert send(deployment, "/shops/bolt", "of-main") == 401
    assert send(deployment, "", "of-main") == 202
    events = [
        deployment.of(name, "GET", "/v1/customers/207/export").json()["events"]
        for name in ("main", "acme", "bolt")
    ]
    assert list(map(len, events)) == [1, 1, 0]


def test_a_shop_says_it_in_its_own_words_or_in_those_of_all(deployment: Deployment) -> None:
    said = {
        name: deployment.of(name, "GET", "/v1/popular?n=1").json()["recommendations"][0]["reason"]
        for name in ("main", "acme", "bolt")
    }
    assert {name: reason["text"] for name, reason in said.items()} == {
        "main": "Everybody wants it",
        "acme": "Acme sells it",
        "bolt": "Everybody wants it",
    }


@pytest.mark.parametrize("entry", ["Acme/shopify=x", "main/shopify=x", "/shopify=x", "a/b=x"])
def test_a_secret_of_no_shop_is_refused(entry: str) -> None:
    with pytest.raises(SettingsError, match="write it like shopify=SECRET, or acme/shopify"):
        Settings.from_environment({"REGULARS_IMPORT_SECRETS": entry})


def test_a_shops_wording_that_cannot_be_read_stops_the_service(tmp_path: Path) -> None:
    write_wording(tmp_path / "shops" / "acme", "{colour} is popular")
    with pytest.raises(SettingsError, match=r"shops/acme/en.po, line 4: {colour} is not in"):
        Settings.from_environment({"REGULARS_WORDING_DIR": str(tmp_path)})

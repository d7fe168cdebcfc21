"""Webhooks of shop systems: signed, taken once, and true of the order as it stands."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.http.authorization import Scope
from service.settings import SIGNING_SYSTEMS, Settings, SettingsError
from service.signing.webhooks import WEBHOOKS
from tests.support.keyed_service import make_key, store_of
from tests.support.service_shop import Browse, wait_until
from tests.support.store_server import KINDS, new_store

pytestmark = pytest.mark.slow
KEY = "the key of this shop"
OLD, NEW = "the old secret", "the new secret"
SECRETS = f"shopify={NEW},shopify={OLD},woocommerce={NEW},segment={NEW},klaviyo={NEW}"
AT = "2025-06-29T10:00:00Z"


@pytest.fixture(params=KINDS)
def client(browse: Browse, request: pytest.FixtureRequest, tmp_path: Path) -> TestClient:
    return browse(
        database_url=new_store(request.param, tmp_path),
        api_key=KEY,
        import_secrets=SECRETS,
        shopify_shop="regulars.myshopify.com",
        unasked="allow",
    )


def sent(
    client: TestClient,
    document: Any,
    topic: str = "orders/updated",
    delivery: str | None = None,
    secret: str = NEW,
) -> Any:
    """What a webhook of Shopify is answered with."""
    body = json.dumps(document).encode()
    signature = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": signature,
    }
    if delivery is not None:
        headers["X-Shopify-Webhook-Id"] = delivery
    return client.post("/v1/import/shopify", content=body, headers=headers)


def order(refunded: int = 0, updated: str = AT, **fields: Any) -> dict[str, Any]:
    """An order of two breads and a gift card, of which so many breads were sent back."""
    bread = {"id": 1, "product_id": "bread", "quantity": 2, "price": "2.50", "title": "Bread"}
    gift = {"id": 2, "product_id": "gift", "quantity": 1, "price": "50", "gift_card": True}
    refunds = [{"refund_line_items": [{"line_item_id": 1, "quantity": refunded}]}]
    return {
        "id": 5001,
        "created_at": "2025-06-29T12:00:00+02:00",
        "updated_at": updated,
        "cancelled_at": None,
        "currency": "EUR",
        "financial_status": "paid",
        "customer": {"id": 207},
        "line_items": [bread, gift],
        "refunds": refunds if refunded else [],
        **fields,
    }


def held(client: TestClient, customer_id: str = "207") -> list[tuple[str, str, float]]:
    """What is stored of a customer: kind, product and quantity."""
    headers = {"X-API-Key": KEY}
    stored = client.get(f"/v1/customers/{customer_id}/export", headers=headers).json()
    return sorted(
        (event["kind"], event["product_id"], event["quantity"]) for event in stored["events"]
    )


def test_an_order_is_known_in_the_next_answer_and_a_gift_card_is_none(client: TestClient) -> None:
    answer = sent(client, order())
    assert answer.status_code == 202
    assert answer.json() == {
        "repeated": False,
        "events": 1,
        "products": 0,
        "consents": 0,
        "erased": 0,
        "exports": [],
        "left_out": {"gift_card": 1},
        "rejected": [],
    }
    assert held(client) == [("purchase", "bread", 2.0)]
    slate = client.get("/v1/customers/207/recommendations", headers={"X-API-Key": KEY}).json()
    assert slate["strategy"] == "personal"


def test_what_is_sent_again_counts_once_and_refunds_are_taken_off(client: TestClient) -> None:
    assert sent(client, order(), delivery="a").json()["events"] == 1
    assert sent(client, order(), delivery="a").json()["repeated"]
    assert sent(client, order(), delivery="b").json()["events"] == 0
    partly = order(refunded=1, updated="2025-06-29T11:00:00Z")
    assert sent(client, partly, delivery="c").json()["events"] == 1
    assert held(client) == [("purchase", "bread", 2.0), ("return", "bread", 1.0)]
    cancelled = order(updated="2025-06-29T12:00:00Z", cancelled_at=AT)
    assert sent(client, cancelled, delivery="d").json()["events"] == 1
    assert sum(-amount if kind == "return" else amount for kind, _, amount in held(client)) == 0


def test_an_order_that_is_not_understood_stays_as_it_is(client: TestClient) -> None:
    sent(client, order())
    later = {"updated": "2025-06-30T10:00:00Z"}
    for odd in ({"financial_status": "in the kitchen"}, {"created_at": "soon"}):
        answer = sent(client, order(**later, **odd)).json()
        assert answer["events"] == 0
        assert set(answer["left_out"]) & {"unknown_status", "bad_timestamp"}
    assert held(client) == [("purchase", "bread", 2.0)]


def test_what_no_event_may_hold_is_told_and_not_stored(client: TestClient) -> None:
    for odd in ({"id": "a\0b"}, {"customer": {"id": "x" * 501}}, {"currency": "EURO"}):
        answer = sent(client, order(**odd))
        assert answer.status_code == 202, odd
        assert (answer.json()["events"], len(answer.json()["rejected"])) == (0, 1), odd


def test_an_older_state_that_arrives_late_changes_nothing(client: TestClient) -> None:
    assert sent(client, order(refunded=2, updated="2025-06-30T11:00:00Z")).json()["events"] == 0
    assert sent(client, order(updated="2025-06-29T11:00:00Z")).json()["events"] == 0
    assert held(client) == []


def test_only_who_knows_a_secret_or_has_a_key_is_heard(client: TestClient) -> None:
    assert sent(client, order(), secret=OLD).status_code == 202
    refused = sent(client, order(), secret="another secret")
    assert refused.status_code == 401
    assert "REGULARS_IMPORT_SECRETS" in refused.json()["detail"]
    path, document = "/v1/import/shopify", order()
    assert client.post(path, json=document).status_code == 401
    assert client.post(path, json=document, headers={"X-API-Key": KEY}).status_code == 202
    assert client.post("/v1/import/amazon", json={}, headers={"X-API-Key": KEY}).status_code == 422


def test_what_nobody_known_sends_is_refused_unread(client: TestClient) -> None:
    for sender in ({}, {"X-Shopify-Hmac-Sha256": "bm8="}, {"X-API-Key": "none"}):
        for body in (b'{"id": ', b"\xff", b"[" * 100_000, b"[1]", b""):
            for path in ("/v1/import/shopify", "/v1/import/amazon"):
                headers = {"Content-Type": "application/json", **sender}
                assert client.post(path, content=body, headers=headers).status_code == 401


def test_a_key_that_may_only_read_is_refused_before_the_document_is_read(
    client: TestClient,
) -> None:
    headers = {"X-API-Key": make_key(store_of(client), Scope.READ)}
    assert client.post("/v1/import/shopify", content=b"{", headers=headers).status_code == 403
    headers["X-API-Key"] = KEY
    broken = client.post("/v1/import/shopify", json=[1], headers=headers)
    assert broken.status_code == 422


def test_without_a_signature_only_a_key_that_may_erase_can_ask_for_it(client: TestClient) -> None:
    key = make_key(store_of(client), Scope.WRITE)
    asked = {"customer": {"id": "c00"}}
    headers = {"X-API-Key": key, "X-Shopify-Topic": "customers/redact"}
    assert client.post("/v1/import/shopify", json=asked, headers=headers).status_code == 403
    headers["X-API-Key"] = KEY
    answer = client.post("/v1/import/shopify", json=asked, headers=headers)
    assert (answer.status_code, answer.json()["erased"]) == (202, 1)


@pytest.mark.parametrize("vendor", SIGNING_SYSTEMS)
def test_each_system_signs_in_its_own_way(client: TestClient, vendor: str) -> None:
    webhook = WEBHOOKS[vendor]
    body = b'{"nothing": "that is read"}'
    headers = {webhook.timestamp: "1750000000"} if webhook.timestamp else {}
    signed = body + "".join(headers.values()).encode()
    signature = webhook.encode(hmac.digest(NEW.encode(), signed, webhook.algorithm))
    headers |= {webhook.signature: signature, "content-type": "application/json"}
    path = f"/v1/import/{vendor}"
    refused = client.post(path, content=body, headers=headers)
    assert refused.status_code == 422
    assert "Document 0 is no order, product, customer or event" in refused.json()["detail"]
    assert client.post(path, content=body + b" ", headers=headers).status_code == 401


def test_products_are_shown_as_they_were_last_sent_and_no_more_once_deleted(
    client: TestClient,
) -> None:
    def product(title: str, updated: str) -> dict[str, Any]:
        variant = {"id": 1, "title": "Default Title", "price": "3.20", "inventory_quantity": 4}
        return {
            "id": "bread",
            "title": title,
            "handle": "bread",
            "status": "active",
            "published_at": AT,
            "vendor": "Baker",
            "product_type": "Bakery",
            "updated_at": updated,
            "variants": [
                {**variant, "inventory_management": "shopify", "inventory_policy": "deny"}
            ],
            "images": [],
        }

    def card() -> Any:
        answer = client.get("/v1/products/bread", headers={"X-API-Key": KEY})
        return answer.json()["card"] if answer.status_code == 200 else answer.status_code

    assert (
        sent(client, product("Rye", "2025-06-30T10:00:00Z"), "products/update").status_code == 202
    )
    assert (card()["title"], card()["price"], card()["in_stock"]) == ("Rye", 3.2, True)
    older = sent(client, product("Wheat", "2025-06-29T10:00:00Z"), "products/update")
    assert older.json()["products"] == 0
    assert card()["title"] == "Rye"
    assert sent(client, {"title": "Rye"}, "products/delete").status_code == 422
    assert sent(client, {"id": "bread"}, "products/delete").json()["products"] == 1
    assert card() == 404


def test_a_customer_who_leaves_the_mails_gets_no_personal_one(client: TestClient) -> None:
    def customer(state: str, at: str) -> dict[str, Any]:
        consent = {"state": state, "opt_in_level": "single_opt_in", "consent_updated_at": at}
        return {
            "id": "c00",
            "email": "a@shop.example",
            "email_marketing_consent": consent,
            "orders_count": 2,
            "verified_email": True,
            "created_at": AT,
        }

    def strategy() -> str:
        path = "/v1/customers/c00/recommendations?placement=email"
        told: str = client.get(path, headers={"X-API-Key": KEY}).json()["strategy"]
        return told

    assert strategy() == "personal"
    assert sent(client, customer("unsubscribed", AT), "customers/update").json()["consents"] == 1
    assert strategy() == "not_personalized"
    older = customer("subscribed", "2025-06-01T10:00:00Z")
    assert sent(client, older, "customers/update").status_code == 202
    assert strategy() == "not_personalized"


def test_privacy_requests_reach_erasure_and_export(client: TestClient) -> None:
    sent(client, order())
    asked = {"shop_id": 1, "customer": {"id": 207, "email": "Ann@shop.example"}}
    answer = sent(client, asked, "customers/data_request")
    assert answer.json()["exports"] == [
        "/v1/customers/207/export",
        "/v1/customers/Ann%40shop.example/export",
    ]
    assert (
        sent(client, {**asked, "orders_to_redact": [5001]}, "customers/redact").json()["erased"]
        == 2
    )
    assert held(client) == []
    assert sent(client, order(updated="2025-07-01T00:00:00Z")).json()["events"] == 0
    log = client.get("/v1/audit", headers={"X-API-Key": KEY}).text
    assert "webhook of shopify" in log
    assert "207" not in log.replace("2025-07", "")
    for nobody in (None, {"id": "a\0b"}, {"email": "x" * 501}):
        assert sent(client, {"customer": nobody}, "customers/redact").status_code == 422


def test_a_shop_that_is_to_be_erased_is_noted_and_told_until_it_is(client: TestClient) -> None:
    sent(client, order())
    asked = {"shop_id": 1, "shop_domain": "Regulars.myshopify.com"}
    for refused, status in (
        ({**asked, "shop_domain": "other.myshopify.com"}, 409),
        ({"shop_id": 1}, 422),
        ([asked], 422),
    ):
        assert sent(client, refused, "shop/redact").status_code == status
    assert sent(client, asked, "shop/redact", secret="another secret").status_code == 401
    headers = {"X-API-Key": KEY, "X-Shopify-Topic": "shop/redact"}
    assert client.post("/v1/import/shopify", json=asked, headers=headers).status_code == 403
    assert client.get("/readyz").json()["shop_erasure"] is None
    for is_repeated in (False, True):
        answer = sent(client, asked, "shop/redact")
        assert (answer.status_code, answer.json()["repeated"]) == (202, is_repeated)
    wait_until(lambda: client.get("/readyz").json()["shop_erasure"] is not None)
    assert client.get("/readyz").status_code == 200
    assert held(client) == [("purchase", "bread", 2.0)]
    changes = client.get("/v1/audit", headers={"X-API-Key": KEY}).json()["changes"]
    told = [change for change in changes if change["action"] == "shop erasure asked for"]
    assert [(c["actor"], c["subject"]) for c in told] == [
        ("webhook of shopify", "shop regulars.myshopify.com")
    ]


def test_a_service_that_does_not_know_its_shop_notes_no_erasure(
    browse: Browse, tmp_path: Path
) -> None:
    client = browse(
        database_url=new_store("sqlite", tmp_path),
        api_key=KEY,
        import_secrets=SECRETS,
        unasked="allow",
    )
    asked = {"shop_id": 1, "shop_domain": "regulars.myshopify.com"}
    refused = sent(client, asked, "shop/redact")
    assert refused.status_code == 409
    assert "REGULARS_SHOPIFY_SHOP" in refused.json()["detail"]


def test_the_secrets_name_systems_that_sign() -> None:
    assert set(SIGNING_SYSTEMS) == set(WEBHOOKS)
    for value in ("shopify", "shopify=", "amazon=1"):
        with pytest.raises(SettingsError, match="write it like shopify=SECRET"):
            Settings.from_environment({"REGULARS_IMPORT_SECRETS": value})

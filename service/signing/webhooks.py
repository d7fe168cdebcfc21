"""Signatures of webhooks: how each shop system signs a body with a secret that both know."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers


@dataclass(frozen=True)
class WebhookHeaders:
    """Names of the headers of one vendor's webhooks, and how the signature is made."""

    signature: str
    algorithm: str
    encode: Callable[[bytes], str]
    topic: str = ""  # what the document is about; "" where it is not told
    delivery: str = ""  # the id of the webhook, the same when it is sent again
    timestamp: str = ""  # signed behind the body


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


WEBHOOKS: Final[Mapping[str, WebhookHeaders]] = {
    "shopify": WebhookHeaders(
        "x-shopify-hmac-sha256",
        "sha256",
        _base64,
        topic="x-shopify-topic",
        delivery="x-shopify-webhook-id",
    ),
    "woocommerce": WebhookHeaders(
        "x-wc-webhook-signature",
        "sha256",
        _base64,
        topic="x-wc-webhook-topic",
        delivery="x-wc-webhook-delivery-id",
    ),
    "segment": WebhookHeaders("x-signature", "sha1", bytes.hex),
    "klaviyo": WebhookHeaders(
        "klaviyo-signature",
        "sha256",
        bytes.hex,
        topic="klaviyo-webhook-topic",
        delivery="klaviyo-webhook-id",
        timestamp="klaviyo-timestamp",
    ),
}


def is_signed(vendor: str, headers: Headers) -> bool:
    """Tell whether a call bears a signature of the vendor, whatever it is worth."""
    webhook = WEBHOOKS.get(vendor)
    return webhook is not None and webhook.signature in headers


def is_genuine(vendor: str, headers: Headers, body: bytes, secrets: Iterable[str]) -> bool:
    """Tell whether one of the secrets has made the signature of a body."""
    webhook = WEBHOOKS[vendor]
    given = headers[webhook.signature].encode()
    signed = body + headers.get(webhook.timestamp, "").encode() if webhook.timestamp else body
    return any(
        hmac.compare_digest(
            webhook.encode(hmac.digest(secret.encode(), signed, webhook.algorithm)).encode(), given
        )
        for secret in secrets
    )

"""Signed recommendation ids: what a slate was, in a text that can travel in a link."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

import orjson

SIGNATURE: Final = 12  # bytes of the HMAC that are kept
DIGEST_BYTES: Final = 8  # bytes of the digest of the slate


@dataclass(frozen=True)
class RecommendationId:
    """Nothing in it names a customer, so equal answers carry equal tokens."""

    model_version: str
    placement: str | None
    campaign: str | None
    content: bytes  # digest of the products, their order and their reasons


def digest_slate(lines: list[str]) -> bytes:
    return hashlib.blake2b(orjson.dumps(lines), digest_size=DIGEST_BYTES).digest()


def sign(secret: bytes, token: RecommendationId) -> str:
    """The token as URL-safe text: signature, digest of the content, then what it says as JSON."""
    facts = orjson.dumps([token.model_version, token.placement, token.campaign])
    payload = token.content + facts
    return base64.urlsafe_b64encode(_signature(secret, payload) + payload).rstrip(b"=").decode()


def read(secret: bytes, text: str) -> RecommendationId | None:
    """What a token says, or None when it was not signed with this secret."""
    try:
        signed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    signature, payload = signed[:SIGNATURE], signed[SIGNATURE:]
    if not hmac.compare_digest(signature, _signature(secret, payload)):
        return None
    version, placement, campaign = orjson.loads(payload[DIGEST_BYTES:])
    return RecommendationId(version, placement, campaign, payload[:DIGEST_BYTES])


def _signature(secret: bytes, payload: bytes) -> bytes:
    return hmac.digest(secret, payload, hashlib.sha256)[:SIGNATURE]

"""Sign texts that leave the service and are trusted when they come back.

A signed text is base64url without padding: the first bytes of an HMAC-SHA256 (RFC 2104) of the
payload, then the payload itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import lru_cache
from typing import Final, NamedTuple

REMEMBERED_KEYS: Final = 16  # pairs of a secret and a purpose; a service has one secret


class Purpose(NamedTuple):
    """A use of signed texts. A text that was signed for one purpose is refused for all others."""

    name: bytes  # derives the key of this purpose; empty: the secret itself is the key
    signature_bytes: int  # bytes of the HMAC that are kept, 32 at most


def sign(secret: bytes, purpose: Purpose, payload: bytes) -> str:
    """Return a payload with its signature, as text that can stand in a URL."""
    return encode(_signature(secret, purpose, payload) + payload)


def verify(secret: bytes, purpose: Purpose, text: str) -> bytes | None:
    """Return the payload of a signed text, None unless `sign` made exactly this text."""
    try:
        signed = decode(text)
    except ValueError:
        return None
    signature, payload = signed[: purpose.signature_bytes], signed[purpose.signature_bytes :]
    if not hmac.compare_digest(signature, _signature(secret, purpose, payload)):
        return None
    return payload if encode(signed) == text else None  # the last bits may be spelled differently


def encode(content: bytes) -> str:
    """Return bytes as base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes of base64url. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _signature(secret: bytes, purpose: Purpose, payload: bytes) -> bytes:
    signing = _keyed(secret, purpose).copy()  # half the time of a new one
    signing.update(payload)
    return signing.digest()[: purpose.signature_bytes]


@lru_cache(REMEMBERED_KEYS)
def _keyed(secret: bytes, purpose: Purpose) -> hmac.HMAC:
    key = hmac.digest(secret, purpose.name, hashlib.sha256) if purpose.name else secret
    return hmac.new(key, digestmod=hashlib.sha256)

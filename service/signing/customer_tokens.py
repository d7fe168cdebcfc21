"""Tokens for browsers: the shop's server says who the customer is, for a few minutes.

JSON Web Tokens (RFC 7519) signed with HMAC-SHA256, so that every language has a library that makes them. Nothing but
HS256 is read: a token that could choose its algorithm could choose none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

LONGEST_SECONDS: Final = 24 * 3600  # a token that lives longer is not short-lived, whoever made it
LONGEST_ID: Final = 500


class TokenError(Exception):
    """A token that opens nothing; the message says why, never what it holds."""


@dataclass(frozen=True)
class CustomerToken:
    """A customer, a session that nobody has logged into, or both."""

    customer_id: str | None
    session_id: str | None
    expires: int  # seconds since 1970


def sign(secret: bytes, token: CustomerToken) -> str:
    """The token as text."""
    claims = {"sub": token.customer_id, "sid": token.session_id, "exp": token.expires}
    given = {name: value for name, value in claims.items() if value is not None}
    signed = _text({"alg": "HS256", "typ": "JWT"}) + b"." + _text(given)
    return (signed + b"." + _encode(_signature(secret, signed))).decode()


def looks_like_one(sent: bytes) -> bool:
    return sent.count(b".") == 2


def read(secret: bytes, sent: bytes, now: int) -> CustomerToken:
    """What a token says. `now`: seconds since 1970. Raises TokenError."""
    signed, _, signature = sent.rpartition(b".")
    if not hmac.compare_digest(_decode(signature), _signature(secret, signed)):
        raise TokenError("The customer token was not signed with this service's secret.")
    head, _, claims = signed.partition(b".")
    if _object(head).get("alg") != "HS256":
        raise TokenError("The customer token is not signed with HS256.")
    return _understood(_object(claims), now)


def _understood(claims: Mapping[str, Any], now: int) -> CustomerToken:
    customer_id, session_id, expires = (claims.get(name) for name in ("sub", "sid", "exp"))
    if not isinstance(expires, int | float):
        raise TokenError("The customer token has no 'exp', the time at which it ends.")
    if not now < expires:
        raise TokenError("The customer token has expired; the shop's server makes a new one.")
    if expires > now + LONGEST_SECONDS:
        raise TokenError("The customer token lives longer than a day.")
    if customer_id is session_id is None or not (_is_id(customer_id) and _is_id(session_id)):
        raise TokenError(
            "The customer token names neither a customer in 'sub' nor a session in 'sid', as text."
        )
    return CustomerToken(customer_id, session_id, int(expires))


def _is_id(value: Any) -> bool:
    return value is None or (isinstance(value, str) and 0 < len(value) <= LONGEST_ID)


def _signature(secret: bytes, signed: bytes) -> bytes:
    return hmac.digest(secret, signed, hashlib.sha256)


def _text(document: Mapping[str, Any]) -> bytes:
    return _encode(orjson.dumps(document))


def _encode(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise TokenError("The customer token cannot be read.") from None


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(_decode(text))
    except orjson.JSONDecodeError:
        raise TokenError("The customer token cannot be read.") from None
    return found if isinstance(found, dict) else {}

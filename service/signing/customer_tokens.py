"""Customer tokens for browsers: the shop's server says who the customer is, for a few minutes.

They are JSON Web Tokens (RFC 7519) signed with HMAC-SHA256, so that every language has a library
that makes them. No other algorithm is read: a token that could choose its algorithm could choose
none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
from jwt.types import Options

ALGORITHM: Final = "HS256"
BLOCK_BYTES: Final = 64  # of SHA-256
MAX_LIFE_SECONDS: Final = 24 * 3600  # whoever made the token
MAX_ID_CHARACTERS: Final = 500
# `exp` and `nbf` are compared with the caller's clock; claims that name nobody are not read.
OPTIONS: Final[Options] = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_iss": False,
    "verify_jti": False,
    "verify_nbf": False,
    "verify_sub": False,
}

UNCHECKED: Final[Options] = {**OPTIONS, "verify_signature": False, "verify_aud": False}


class TokenError(Exception):
    """A token that opens nothing. The message says why and repeats nothing of the token."""


@dataclass(frozen=True)
class CustomerToken:
    """A customer, a session in which nobody has logged in, or both."""

    customer_id: str | None
    session_id: str | None
    expires: int  # seconds since 1970


def sign(
    secret: bytes, token: CustomerToken, audience: str | None = None, *, shop: str | None = None
) -> str:
    """Return a token as text.

    `audience`: the service it is for, None where none is named. `shop`: the shop of the deployment,
    None for its main one.
    """
    claims = {
        "sub": token.customer_id,
        "sid": token.session_id,
        "exp": token.expires,
        "aud": audience,
        "shop": shop,
    }
    payload = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(payload, _hmac_key(secret), ALGORITHM)


def is_token(credentials: bytes) -> bool:
    """Return whether credentials are a token rather than a key."""
    return credentials.count(b".") == 2


def find_shop(text: bytes) -> str | None:
    """Return the shop that a token names, None where it names none. Nothing of it is checked."""
    try:
        claims = jwt.decode(
            text, options={"verify_signature": False, **OPTIONS, "verify_aud": False}
        )
    except jwt.InvalidTokenError:
        return None
    shop = claims.get("shop")
    return shop if isinstance(shop, str) else None


def read(
    secret: bytes, text: bytes, now: int, audience: str | None = None, *, shop: str | None = None
) -> CustomerToken:
    """Return what a token says. `now`: seconds since 1970. Raises TokenError.

    `audience`: the one that its `aud` must name; None: it must name none. `shop`: the one that it
    may name.
    """
    try:
        claims = jwt.decode(text, _hmac_key(secret), [ALGORITHM], OPTIONS, audience=audience)
    except jwt.InvalidAlgorithmError:
        raise TokenError("The customer token is not signed with HS256.") from None
    except jwt.InvalidSignatureError:
        raise TokenError("The customer token was not signed with this service's secret.") from None
    except (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError):  # no other is required
        raise TokenError(_describe_audience(audience)) from None
    except jwt.InvalidTokenError:
        raise TokenError("The customer token cannot be read.") from None
    if claims.get("shop") not in (None, shop):
        raise TokenError("The customer token was made for another shop.")
    return _check_claims(claims, now)


def _describe_audience(audience: str | None) -> str:
    if audience is None:
        return "The customer token has an 'aud': it was made for another service."
    return "The customer token lacks the 'aud' of this service: it was made for another one."


def _check_claims(claims: Mapping[str, Any], now: int) -> CustomerToken:
    customer_id, session_id, expires = (claims.get(name) for name in ("sub", "sid", "exp"))
    if not isinstance(expires, int | float):
        raise TokenError("The customer token has no 'exp', the time at which it ends.")
    if not now < expires:
        raise TokenError("The customer token has expired; the shop's server makes a new one.")
    _check_start(claims.get("nbf"), now)
    if expires > now + MAX_LIFE_SECONDS:
        raise TokenError("The customer token lives longer than a day.")
    if customer_id is session_id is None or not (_is_id(customer_id) and _is_id(session_id)):
        raise TokenError(
            "The customer token names neither a customer in 'sub' nor a session in 'sid', as text."
        )
    return CustomerToken(customer_id, session_id, int(expires))


def _check_start(start: Any, now: int) -> None:
    if start is None:
        return
    if isinstance(start, bool) or not isinstance(start, int | float):
        raise TokenError("The customer token has an 'nbf' that is no time.")
    if not start <= now:  # NaN, which JSON can write, is never reached
        raise TokenError("The customer token is not valid yet: its 'nbf' lies in the future.")


def _is_id(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARACTERS:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write
        return False
    return True


def _hmac_key(secret: bytes) -> bytes:
    """Return the key that HMAC makes of a secret (RFC 2104): hashed if it is too long, then padded.

    Signatures are the same. PyJWT warns about short keys and refuses some that look like others.
    """
    if len(secret) > BLOCK_BYTES:
        secret = hashlib.sha256(secret).digest()
    return secret.ljust(BLOCK_BYTES, b"\0")

"""The gate behind the door: who is calling, whether they may, and whether too often."""

from __future__ import annotations

import base64
import contextlib
import hmac
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers

from service.errors import TooManyCalls, Unauthorized
from service.http.api_keys import PREFIX, ApiKeys, hash_key
from service.http.authorization import LOCAL_CALLER, Access, Caller, Scope
from service.http.rate_limits import MemoryRateLimits, RateLimits, RedisRateLimits
from service.runtime.circuit_breaker import CircuitBreaker
from service.settings import Settings
from service.signing import customer_tokens
from service.store.store import Store

EVERY_SCOPE: Final = frozenset({Scope.ADMIN})


@dataclass(frozen=True)
class Authentication:
    keys: ApiKeys
    limits: RateLimits
    first_key: bytes | None  # hash of REGULARS_API_KEY
    token_secret: (
        bytes | None
    )  # None: nothing was set that only this shop knows, so no token can be believed
    calls_a_minute: int | None  # of keys that have no number of their own
    customer_calls_a_minute: int
    open_feeds: bool

    def needs_caller(self, access: Access | None) -> bool:
        """Whether an address, None for one that there is not, is for those alone who say who they are."""
        return access is None or not (access.scope is None or (access.feed and self.open_feeds))

    async def identify(self, headers: Headers) -> Caller:
        """Who is calling. Raises Unauthorized."""
        sent = read_credentials(headers)
        if (
            sent
            and self.first_key is not None
            and hmac.compare_digest(hash_key(sent), self.first_key)
        ):
            return Caller("REGULARS_API_KEY", EVERY_SCOPE)
        if customer_tokens.is_token(sent):
            return await self._customer(sent)
        found = await self.keys.find(sent) if sent.startswith(PREFIX.encode()) else None
        if found is not None:
            return found
        if await self.is_open():
            return LOCAL_CALLER
        raise Unauthorized("The key is not valid here." if sent else "No key was sent.")

    async def is_open(self) -> bool:
        """On this machine alone, which the settings see to, and until the first key is made."""
        return self.first_key is None and not await self.keys.exist()

    async def is_over_limit(self, caller: Caller, access: Access) -> bool:
        """Whether a slate has to be the popular one. Raises TooManyCalls where it is no slate."""
        name, limit = self._limit(caller)
        wait = await self.limits.count_call(name, limit) if limit else 0.0
        if wait > 0 and not access.slate:
            raise TooManyCalls(wait)
        return wait > 0

    def _limit(self, caller: Caller) -> tuple[str, int | None]:
        if caller.is_customer:
            return (
                f"customer {caller.customer_id} {caller.session_id}",
                self.customer_calls_a_minute,
            )
        if caller.key_id is None:
            return "", None
        return f"key {caller.key_id}", caller.calls_a_minute or self.calls_a_minute

    async def _customer(self, sent: bytes) -> Caller:
        if self.token_secret is None:
            raise Unauthorized("Customer tokens need REGULARS_SIGNING_KEY to be set.")
        try:
            token = customer_tokens.read(self.token_secret, sent, int(time.time()))
        except customer_tokens.TokenError as error:
            raise Unauthorized(str(error)) from None
        return Caller(None, frozenset(), None, True, token.customer_id, token.session_id)


def read_credentials(headers: Headers) -> bytes:
    """The key or token that was sent, empty where there is none. Of basic auth it is the password, else the name."""
    key = headers.get("x-api-key")
    if key is not None:
        return key.encode("latin-1")
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip().encode("latin-1")
    return _of_basic(rest.strip()) if scheme.lower() == "basic" else b""


def _of_basic(text: str) -> bytes:
    try:
        name, _, password = base64.b64decode(text, validate=True).partition(b":")
    except ValueError:
        return b""
    return password or name


@contextlib.asynccontextmanager
async def open_authentication(settings: Settings, store: Store) -> AsyncIterator[Authentication]:
    """The gate of a process, for as long as it lives."""
    limits = _limits(settings)
    try:
        yield Authentication(
            keys=ApiKeys(store),
            limits=limits,
            first_key=hash_key(settings.api_key.get_secret_value().encode())
            if settings.api_key
            else None,
            token_secret=settings.token_secret(),
            calls_a_minute=settings.calls_a_minute,
            customer_calls_a_minute=settings.customer_calls_a_minute,
            open_feeds=settings.open_feeds,
        )
    finally:
        await limits.close()


def _limits(settings: Settings) -> RateLimits:
    if settings.redis_url is None:
        return MemoryRateLimits()
    return RedisRateLimits(
        settings.redis_url.get_secret_value(),
        secret=settings.signing_secret(),
        timeout_seconds=settings.redis_timeout_ms / 1000,
        breaker=CircuitBreaker(settings.breaker_failures, settings.breaker_seconds),
    )

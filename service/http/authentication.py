"""Authentication: who is calling, and whether too often."""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from starlette.datastructures import Headers

from models.artifact.shops import MAIN
from service.errors import Unauthorized
from service.http.api_keys import PREFIX, ApiKeys, find_shop_in_key, hash_key
from service.http.authorization import EVERY_SCOPE, LOCAL_CALLER, Access, Caller
from service.http.local_access import LocalAccess
from service.http.rate_limits import CallCount, MemoryRateLimits, RateLimits, RedisRateLimits
from service.http.ready_answers import Call
from service.runtime.circuit_breaker import CircuitBreaker
from service.settings import Settings
from service.signing import customer_tokens
from service.store.quotas import TokenOwner
from service.store.store import Store

FIRST_CALLER: Final = Caller("REGULARS_API_KEY", EVERY_SCOPE)


@dataclass(frozen=True)
class Authentication:
    """Find out who is calling a shop, and count their calls."""

    shop: str  # its name
    keys: ApiKeys
    limits: RateLimits
    local_access: LocalAccess
    first_key: bytes | None  # hash of REGULARS_API_KEY
    token_secret: bytes | None  # None: the shop has no secret, so no token can be trusted
    token_audience: str | None  # that a token must name; None: it must name none
    calls_a_minute: int | None  # for keys without a limit of their own
    customer_calls_a_minute: int
    open_feeds: bool

    def needs_caller(self, access: Access | None) -> bool:
        """Return whether an address is closed to strangers. `access`: None for no such address."""
        if access is None:
            return True
        if access.scope is None:
            return self.shop != MAIN and not access.public
        return not (access.feed and self.open_feeds)

    async def identify(self, headers: Headers, credentials: bytes) -> Caller:
        """Return who is calling. Raises Unauthorized or ForeignHost."""
        if credentials and self._is_first_key(credentials):
            return FIRST_CALLER
        if customer_tokens.is_token(credentials):
            return self._identify_customer(credentials)
        if credentials.startswith(PREFIX.encode()):
            caller = await self.keys.find(credentials)
            if caller is not None:
                return caller
        if await self.is_open():
            self.local_access.check(headers)
            return LOCAL_CALLER
        raise not_known(credentials)

    async def is_open(self) -> bool:
        """Return whether nobody needs a key, as long as none was ever made.

        The settings require a key unless the service listens on this machine only. Keys tell one
        shop from another, so the others always need one.
        """
        return self.shop == MAIN and self.first_key is None and not await self.keys.exist()

    async def count_call(self, caller: Caller) -> CallCount | None:
        """Count a call; return None for a caller without a limit."""
        name, limit = self._limit(caller)
        return await self.limits.count_call(name, limit) if limit else None

    def describe_call(
        self, name: bytes, caller: Caller, revision: int, observe: Callable[[float], None]
    ) -> Call:
        """Return how a call is looked at when it comes again.

        `revision`: of the keys among which the caller was found.
        """
        holds: Callable[[], bool] = partial(self.keys.are_at, revision)
        if caller is FIRST_CALLER:
            holds = _always
        elif caller.expires is not None:
            holds = partial(_is_before, caller.expires)
        limit_name, limit = self._limit(caller)
        count = partial(self.limits.count_at_once, limit_name, limit) if limit else None
        return Call(name, holds, count, observe, self.shop)

    def _limit(self, caller: Caller) -> tuple[str, int | None]:
        if caller.is_customer:
            owner = TokenOwner(caller.customer_id, caller.session_id)
            return owner.name, self.customer_calls_a_minute
        if caller.key_id is None:
            return "", None
        return f"key {caller.key_id}", caller.calls_a_minute or self.calls_a_minute

    def _is_first_key(self, credentials: bytes) -> bool:
        if self.first_key is None:
            return False
        return hmac.compare_digest(hash_key(credentials), self.first_key)

    def _identify_customer(self, credentials: bytes) -> Caller:
        if self.token_secret is None:
            raise Unauthorized("Customer tokens need REGULARS_SIGNING_KEY to be set.")
        try:
            now = int(time.time())
            token = customer_tokens.read(
                self.token_secret, credentials, now, self.token_audience, shop=self.shop
            )
        except customer_tokens.TokenError as error:
            raise Unauthorized(str(error)) from None
        ids = token.customer_id, token.session_id
        return Caller(None, frozenset(), None, True, *ids, expires=token.expires)


def _always() -> bool:
    return True


def _is_before(moment: int) -> bool:
    return time.time() < moment


def not_known(credentials: bytes) -> Unauthorized:
    """Return the refusal of somebody with a key or token that opens nothing, or with none.

    A token is told what it would be told by a shop that has not made it.
    """
    if customer_tokens.is_token(credentials):
        try:
            customer_tokens.read(os.urandom(32), credentials, int(time.time()))
        except customer_tokens.TokenError as error:
            return Unauthorized(str(error))
    return Unauthorized("The key is not valid here." if credentials else "No key was sent.")


def find_shop_in(credentials: bytes) -> str:
    """Return the name of the shop that a key or token says it is of."""
    if customer_tokens.is_token(credentials):
        return customer_tokens.find_shop(credentials) or MAIN
    return find_shop_in_key(credentials) or MAIN


def read_credentials(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the key or token of a request, empty if it has none.

    In basic auth it is the password, or the name if there is no password.
    """
    sent = dict(reversed(headers))  # of several the first one counts
    key = sent.get(b"x-api-key")
    if key is not None:
        return key
    scheme, _, rest = sent.get(b"authorization", b"").partition(b" ")
    scheme = scheme.lower()
    if scheme == b"bearer":
        return rest.strip()
    return _read_basic(rest.strip()) if scheme == b"basic" else b""


def _read_basic(text: bytes) -> bytes:
    try:
        name, _, password = base64.b64decode(text, validate=True).partition(b":")
    except ValueError:
        return b""
    return password or name


@contextlib.asynccontextmanager
async def open_authentication(
    shop: str, settings: Settings, store: Store
) -> AsyncIterator[Authentication]:
    """Yield the authentication of a shop, for as long as it is open in a process."""
    limits = _open_limits(settings)
    first_key = settings.api_key.get_secret_value().encode() if settings.api_key else None
    try:
        yield Authentication(
            shop=shop,
            keys=ApiKeys(store),
            limits=limits,
            local_access=LocalAccess.from_settings(settings),
            first_key=hash_key(first_key) if first_key is not None else None,
            token_secret=settings.token_secret(),
            token_audience=settings.token_audience,
            calls_a_minute=settings.calls_a_minute,
            customer_calls_a_minute=settings.customer_calls_a_minute,
            open_feeds=settings.open_feeds,
        )
    finally:
        await limits.close()


def _open_limits(settings: Settings) -> RateLimits:
    if settings.redis_url is None:
        return MemoryRateLimits()
    return RedisRateLimits(
        settings.redis_url.get_secret_value(),
        secret=settings.signing_secret(),
        timeout_seconds=settings.redis_timeout_ms / 1000,
        breaker=CircuitBreaker(settings.breaker_failures, settings.breaker_seconds),
    )

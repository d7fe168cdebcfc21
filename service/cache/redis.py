"""A cache that all workers and hosts share: Redis, waited for a few milliseconds at most."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from redis.exceptions import ResponseError

from service.cache.memory import KEY_PREFIX
from service.runtime.circuit_breaker import BreakerState, CircuitBreaker, CircuitOpenError
from service.runtime.metrics import Metrics
from service.runtime.redis_client import NO_ANSWER, connect, describe_trouble

MAX_WAITING_WRITES: Final = 256
T = TypeVar("T")
log: Final = logging.getLogger("regulars.cache")
SEAL_BYTES: Final = 16  # in front of a value
DELETE_SECONDS: Final = 5.0  # for one command
READING: Final = "reading"
WRITING: Final = "writing"


class RedisCache:
    """A cache in Redis, where every key has a TTL.

    A value is sealed together with its key, so a mixed-up, cut or forged value is no hit. Writes
    wait in a bounded queue and are made one after another; when it is full they are dropped.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: bytes,
        ttl_seconds: int,
        timeout_seconds: float,
        breaker: CircuitBreaker,
        metrics: Metrics,
    ) -> None:
        self._redis = connect(url, timeout_seconds)
        self._secret = secret
        self._ttl_seconds = ttl_seconds
        self._timeout_seconds = timeout_seconds
        self._breaker = breaker
        self._metrics = metrics
        self._reported: BreakerState | None = None
        # What Redis says is wrong with it, by what was asked of it: a replica reads all the same
        self._troubles: dict[str, str] = {}
        self._writes: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue(MAX_WAITING_WRITES)
        self._closed = False
        self._writer = asyncio.create_task(self._write())

    async def get(self, key: bytes) -> bytes | None:
        sealed = await self._call(READING, partial(self._redis.get, key))
        if not isinstance(sealed, bytes):
            return None
        value = unseal(self._secret, key, sealed)
        if value is None:
            self._metrics.cache_errors.inc()
        return value

    def put(self, key: bytes, value: bytes) -> None:
        try:
            self._writes.put_nowait((key, seal(self._secret, key, value)))
        except asyncio.QueueFull:
            self._metrics.cache_drops.inc()

    def state(self) -> str:
        said = [f"it {trouble}" for trouble in dict.fromkeys(self._troubles.values())]
        return "; ".join([f"redis, breaker {self._breaker.state}", *said])

    async def close(self) -> None:
        self._closed = True
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        await self._redis.aclose()

    async def _write(self) -> None:
        # Python 3.11's wait_for, which redis-py calls, can swallow a cancellation: hence the flag.
        while not self._closed:
            key, sealed = await self._writes.get()
            await self._call(WRITING, partial(self._redis.set, key, sealed, ex=self._ttl_seconds))

    async def _call(self, purpose: str, command: Callable[[], Awaitable[T]]) -> T | None:
        """Return what Redis answers; None where it does not, or is left alone."""
        try:
            with self._breaker:
                async with asyncio.timeout(self._timeout_seconds):
                    return await self._execute(purpose, command)
        except CircuitOpenError:
            return None
        except Exception as error:  # whatever it is, an answer is computed instead
            self._metrics.cache_errors.inc()
            self._note(purpose, describe_trouble(error))
            return None
        finally:
            self._report_state()

    async def _execute(self, purpose: str, command: Callable[[], Awaitable[T]]) -> T | None:
        """Return what Redis answers; None for an error, such as one about a value of another type.

        It does answer, so it is not left alone: the next answer is written over such a value.
        """
        try:
            answer = await command()
        except ResponseError as error:
            self._metrics.cache_errors.inc()
            self._note(purpose, describe_trouble(error))
            return None
        if self._troubles:
            self._note(purpose, None)
        return answer

    def _note(self, purpose: str, trouble: str | None) -> None:
        """Keep what Redis says is wrong with it, and log it once."""
        if trouble is None:
            self._troubles.pop(purpose, None)
        elif self._troubles.get(purpose) != trouble:
            self._troubles[purpose] = trouble
            log.warning("Redis %s: answers are not cached", trouble)

    def _report_state(self) -> None:
        before, state = self._reported, self._breaker.state
        if state is before:
            return
        self._reported = state
        self._metrics.set_breaker_state(state)
        if state is BreakerState.OPEN and before is not BreakerState.HALF_OPEN:
            trouble = next(iter(self._troubles.values()), NO_ANSWER)
            log.warning("Redis %s: left alone, answers are computed", trouble)
        elif state is BreakerState.CLOSED and before is not None:
            log.warning("Redis answers again")


async def delete_answers(url: str) -> int:
    """Delete the cached answers of all services that share a Redis; return how many.

    Raises RedisError and OSError.
    """
    client = connect(url, DELETE_SECONDS)
    count = 0
    try:
        async for key in client.scan_iter(match=KEY_PREFIX + b"*", count=1000):
            count += await client.unlink(key)
    finally:
        await client.aclose()
    return count


def seal(secret: bytes, key: bytes, value: bytes) -> bytes:
    """Return the value behind a code that only a holder of the secret can make, for this key."""
    return _code(secret, key, value) + value


def unseal(secret: bytes, key: bytes, sealed: bytes) -> bytes | None:
    """Return the value, or None when it is not what was put under this key."""
    value = sealed[SEAL_BYTES:]
    code = _code(secret, key, value)
    return value if hmac.compare_digest(code, sealed[:SEAL_BYTES]) else None


def _code(secret: bytes, key: bytes, value: bytes) -> bytes:
    length = b"%d " % len(key)
    code = hashlib.blake2b(length, digest_size=SEAL_BYTES, key=secret, person=b"seal")
    code.update(key)
    code.update(value)
    return code.digest()

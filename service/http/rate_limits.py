"""How often a caller may call: the generic cell rate algorithm (GCRA) of ATM, which needs one number a caller.

Every call moves the caller's arrival time on by one interval, 60 s / calls a minute; the time may lie a minute ahead
of now at most. So who has rested may make a minute's calls at once, and then one an interval.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

from service.runtime.circuit_breaker import CircuitBreaker
from service.runtime.redis_client import connect

MINUTE_MICROSECONDS: Final = 60_000_000  # microseconds
MAX_CALLERS: Final = 100_000  # that are remembered in process

# One step in Redis, on its clock: hosts agree, whatever their own clocks say.
COUNT_SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local known = tonumber(redis.call('GET', KEYS[1]) or now) or now
local arrival = math.max(known, now) + tonumber(ARGV[1])
local wait = arrival - tonumber(ARGV[2]) - now
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000))
return 0
"""


class RateLimits(Protocol):
    async def count_call(self, name: str, calls_a_minute: int) -> float:
        """Counts a call; 0 where it is within the limit, else how many seconds to wait before the next one."""

    async def close(self) -> None: ...


class MemoryRateLimits:
    """In this process. Who has not called for longest is forgotten where there are too many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._arrivals: OrderedDict[str, int] = OrderedDict()

    async def count_call(self, name: str, calls_a_minute: int) -> float:
        now = int(self._clock() * 1e6)
        arrival = max(self._arrivals.get(name, now), now) + MINUTE_MICROSECONDS // calls_a_minute
        wait = arrival - MINUTE_MICROSECONDS - now
        if wait > 0:
            return wait / 1e6
        self._arrivals[name] = arrival
        self._arrivals.move_to_end(name)
        if len(self._arrivals) > MAX_CALLERS:
            self._arrivals.popitem(last=False)
        return 0.0

    async def close(self) -> None:
        self._arrivals.clear()


class RedisRateLimits:
    """All workers and hosts together; in process while Redis is away. Never waits longer than its time-out."""

    def __init__(
        self, url: str, *, secret: bytes, timeout_seconds: float, breaker: CircuitBreaker
    ) -> None:
        self._redis = connect(url, timeout_seconds)
        self._step = self._redis.register_script(COUNT_SCRIPT)
        self._secret = secret
        self._timeout_seconds = timeout_seconds
        self._breaker = breaker
        self._alone = MemoryRateLimits()

    async def count_call(self, name: str, calls_a_minute: int) -> float:
        try:
            with self._breaker:
                return await self._count_together(name, calls_a_minute)
        except Exception:  # whatever it is, this process counts alone
            return await self._alone.count_call(name, calls_a_minute)

    async def close(self) -> None:
        await self._redis.aclose()

    async def _count_together(self, name: str, calls_a_minute: int) -> float:
        async with asyncio.timeout(self._timeout_seconds):
            wait = await self._step(
                keys=[self._key(name)],
                args=[MINUTE_MICROSECONDS // calls_a_minute, MINUTE_MICROSECONDS],
            )
        return int(wait) / 1e6

    def _key(self, name: str) -> bytes:
        """It shows nobody's id."""
        return hashlib.blake2b(
            name.encode(), digest_size=16, key=self._secret, person=b"calls"
        ).digest()

"""Rate limits by the generic cell rate algorithm (GCRA) of ATM, which needs one number a caller.

Every call moves the caller's arrival time on by one interval, 60 s / calls a minute. The arrival
time may lie a minute ahead of now at most. So a caller who has rested may make a minute's calls at
once, and then one an interval.
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

MINUTE_MICROSECONDS: Final = 60_000_000
MAX_CALLERS: Final = 100_000  # remembered in a process

# One step in Redis, on its clock, so that hosts with different clocks agree. Whatever else somebody
# writes under a key, and what lies further ahead than any of ours, counts as a minute's calls made.
COUNT_SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = now + ARGV[2]
local function hold(arrival)
  local lifetime = math.ceil((arrival - now) / 1000)
  redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', lifetime)
end
local known = tonumber(redis.pcall('GET', KEYS[1]) or now)
if not (known and known <= full) then
  known = full
  hold(full)
end
local arrival = math.max(known, now) + ARGV[1]
if arrival > full then return arrival - full end
hold(arrival)
return 0
"""


class RateLimits(Protocol):
    """A count of the calls of every caller."""

    async def count_call(self, name: str, calls_a_minute: int) -> float:
        """Count a call; return 0 within the limit, else the seconds until the next call may come.

        A call over the limit is not counted.
        """

    async def close(self) -> None:
        """Forget the calls, or leave them to other processes."""


class MemoryRateLimits:
    """Count in this process. With too many callers, the one who rested longest is forgotten."""

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
    """Count for all workers and hosts together, in this process while Redis is unreachable.

    No call waits longer than the time-out.
    """

    def __init__(
        self, url: str, *, secret: bytes, timeout_seconds: float, breaker: CircuitBreaker
    ) -> None:
        self._redis = connect(url, timeout_seconds)
        self._script = self._redis.register_script(COUNT_SCRIPT)
        self._secret = secret
        self._timeout_seconds = timeout_seconds
        self._breaker = breaker
        self._alone = MemoryRateLimits()

    async def count_call(self, name: str, calls_a_minute: int) -> float:
        try:
            with self._breaker:
                return await self._count_together(name, calls_a_minute)
        except Exception:  # of any kind: this process counts alone
            return await self._alone.count_call(name, calls_a_minute)

    async def close(self) -> None:
        await self._redis.aclose()

    async def _count_together(self, name: str, calls_a_minute: int) -> float:
        async with asyncio.timeout(self._timeout_seconds):
            wait = await self._script(
                keys=[self._key(name)],
                args=[MINUTE_MICROSECONDS // calls_a_minute, MINUTE_MICROSECONDS],
            )
        return int(wait) / 1e6

    def _key(self, name: str) -> bytes:
        """Return the key of a caller, which shows nobody's id."""
        digest = hashlib.blake2b(name.encode(), digest_size=16, key=self._secret, person=b"calls")
        return digest.digest()

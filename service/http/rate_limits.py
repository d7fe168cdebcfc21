"""Rate limits by the generic cell rate algorithm (GCRA) of ATM, which needs one number a caller.

Every call moves the caller's arrival time on by one interval, 60 s / calls a minute. The arrival
time may lie a minute ahead of now at most. So a caller who has rested may make a minute's calls at
once, and then one an interval.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, Self

from service.runtime.circuit_breaker import CircuitBreaker, CircuitOpenError
from service.runtime.redis_client import NO_ANSWER, connect, describe_trouble

MINUTE_MICROSECONDS: Final = 60_000_000
AHEAD_SECONDS: Final = 0.6  # so long calls are counted ahead, at an even pace
MAX_CALLERS: Final = 100_000  # remembered in a process
ROUNDING: Final = 1e-3  # of a call: intervals are whole microseconds
log: Final = logging.getLogger("regulars.limits")

# One step in Redis, on its clock, so that hosts with different clocks agree. Whatever else somebody
# writes under a key, and what lies further ahead than any of ours, counts as a minute's calls made.
COUNT_SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
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
local known = math.max(known - ARGV[4] * interval, now)
local taken = math.min(tonumber(ARGV[3]), math.floor((full - known) / interval))
if taken < 1 then
  hold(known)
  return {known + interval - full, known - now, 0}
end
local arrival = known + taken * interval
hold(arrival)
return {0, arrival - now, taken}
"""


@dataclass(frozen=True)
class CallCount:
    """Hold what a caller may still do after a call."""

    wait_seconds: float  # until the next call may come: 0 where this one was within the limit
    calls_a_minute: int
    ahead_seconds: float  # until a whole minute's calls may be made again

    @classmethod
    def of(cls, calls_a_minute: int, wait: int, ahead: int) -> Self:
        """Return the count of two times in microseconds."""
        return cls(wait / 1e6, calls_a_minute, ahead / 1e6)

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """Return the headers that tell a client (draft-ietf-httpapi-ratelimit-headers-10)."""
        calls = self.calls_a_minute
        left = int((60 - self.ahead_seconds) * calls / 60 + ROUNDING)
        return (
            (b"ratelimit-policy", b'"calls";q=%d;w=60' % calls),
            (b"ratelimit", b'"calls";r=%d;t=%d' % (left, math.ceil(self.ahead_seconds))),
        )


class RateLimits(Protocol):
    """A count of the calls of every caller."""

    def count_at_once(self, name: str, calls_a_minute: int) -> CallCount | None:
        """Count a call without waiting; None where others have to be asked, and it is not."""

    async def count_call(self, name: str, calls_a_minute: int) -> CallCount:
        """Count a call. One over the limit is not counted."""

    async def close(self) -> None:
        """Forget the calls, or leave them to other processes."""


class MemoryRateLimits:
    """Count in this process. With too many callers, the one who rested longest is forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._arrivals: OrderedDict[str, int] = OrderedDict()

    async def count_call(self, name: str, calls_a_minute: int) -> CallCount:
        return self.count_at_once(name, calls_a_minute)

    def count_at_once(self, name: str, calls_a_minute: int) -> CallCount:
        now = int(self._clock() * 1e6)
        known = max(self._arrivals.get(name, now), now)
        arrival = known + MINUTE_MICROSECONDS // calls_a_minute
        wait = arrival - MINUTE_MICROSECONDS - now
        if wait > 0:
            return CallCount.of(calls_a_minute, wait, known - now)
        self._arrivals[name] = arrival
        self._arrivals.move_to_end(name)
        if len(self._arrivals) > MAX_CALLERS:
            self._arrivals.popitem(last=False)
        return CallCount.of(calls_a_minute, 0, arrival - now)

    async def close(self) -> None:
        self._arrivals.clear()


class _CallsAhead:
    """Calls of one caller that Redis has counted before they came."""

    def __init__(self, taken: int, interval: float, arrival: float, now: float) -> None:
        """Take so many calls, of which one has come. Times in seconds."""
        self._taken, self._interval = taken, interval
        self._arrival, self._until = now + arrival, now + AHEAD_SECONDS
        self._left = max(taken - 1, 0)

    def take(self, calls_a_minute: int, now: float) -> CallCount | None:
        """Return the count of one of them, None if there is none that still holds."""
        if not self._left or now > self._until:
            return None
        self._left -= 1
        ahead = self._arrival - self._left * self._interval - now
        return CallCount(0.0, calls_a_minute, max(ahead, 0.0))

    def next_size(self) -> int:
        """Return how many to take next: more where all were used, else as many as were."""
        return self._taken - self._left if self._left else 2 * self._taken

    def unused(self, now: float) -> int:
        """Return how many to give back: none once time itself has made the caller's rest."""
        return self._left if self._arrival > now else 0


class RedisRateLimits:
    """Count for all workers and hosts together, in this process while Redis is unreachable.

    No call waits longer than the time-out. Who calls often gets some calls counted ahead, as many
    as came lately and a hundredth of a minute's at most. So most calls ask nobody, and what was not
    used is given back.
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
        self._ahead: dict[str, _CallsAhead] = {}
        self._asking: set[str] = set()  # for whom calls are being counted ahead
        self._trouble = ""  # that was logged

    def count_at_once(self, name: str, calls_a_minute: int) -> CallCount | None:
        ahead = self._ahead.get(name)
        return ahead.take(calls_a_minute, time.monotonic()) if ahead is not None else None

    async def count_call(self, name: str, calls_a_minute: int) -> CallCount:
        count = self.count_at_once(name, calls_a_minute)
        if count is not None:
            return count
        try:
            with self._breaker:
                count = await self._count_together(name, calls_a_minute)
        except CircuitOpenError:
            return await self._alone.count_call(name, calls_a_minute)
        except Exception as error:  # of any kind: this process counts alone
            self._log(describe_trouble(error) or NO_ANSWER)
            return await self._alone.count_call(name, calls_a_minute)
        self._log("")
        return count

    def _log(self, trouble: str) -> None:
        """Log once that each worker counts alone, and why, and once that they count together."""
        if trouble and trouble != self._trouble:
            log.warning("Redis %s: each worker counts calls alone", trouble)
        elif self._trouble and not trouble:
            log.warning("Redis counts the calls of all workers again")
        self._trouble = trouble

    async def close(self) -> None:
        await self._redis.aclose()

    async def _count_together(self, name: str, calls_a_minute: int) -> CallCount:
        most = int(calls_a_minute * AHEAD_SECONDS / 60)
        if most < 2 or name in self._asking:  # one call takes some ahead, those beside it one each
            count, _ = await self._take(name, calls_a_minute, 1, 0)
            return count
        wanted, unused = 1, 0
        before = self._ahead.pop(name, None)
        if before is not None:
            wanted, unused = before.next_size(), before.unused(time.monotonic())
        wanted = max(min(wanted, most), 1)
        self._asking.add(name)
        try:
            count, ahead = await self._take(name, calls_a_minute, wanted, unused)
        finally:
            self._asking.remove(name)
        if len(self._ahead) >= MAX_CALLERS:
            self._ahead.clear()
        self._ahead[name] = ahead
        return count

    async def _take(
        self, name: str, calls_a_minute: int, wanted: int, unused: int
    ) -> tuple[CallCount, _CallsAhead]:
        """Return the count of the first of so many calls, and the others."""
        interval = MINUTE_MICROSECONDS // calls_a_minute
        async with asyncio.timeout(self._timeout_seconds):
            wait, arrival, taken = await self._script(
                keys=[self._key(name)], args=[interval, MINUTE_MICROSECONDS, wanted, unused]
            )
        first = int(arrival) - max(taken - 1, 0) * interval
        ahead = _CallsAhead(taken, interval / 1e6, int(arrival) / 1e6, time.monotonic())
        return CallCount.of(calls_a_minute, int(wait), first), ahead

    def _key(self, name: str) -> bytes:
        """Return the key of a caller, which shows nobody's id."""
        digest = hashlib.blake2b(name.encode(), digest_size=16, key=self._secret, person=b"calls")
        return digest.digest()

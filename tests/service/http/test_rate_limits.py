"""A caller may make so many calls a minute: in one process, or with Redis on all hosts together."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable

import pytest
import redis

from service.http.rate_limits import (
    AHEAD_SECONDS,
    MAX_CALLERS,
    CallCount,
    MemoryRateLimits,
    RedisRateLimits,
)
from service.runtime.circuit_breaker import CircuitBreaker
from tests.support.redis_server import RedisServer


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def calls(
    limits: MemoryRateLimits | RedisRateLimits, count: int, name: str = "till", a_minute: int = 60
) -> list[float]:
    return [(await limits.count_call(name, a_minute)).wait_seconds for _ in range(count)]


def told(count: CallCount) -> tuple[int, int]:
    """The calls that are left, and the seconds until all of them are back, as a client reads it."""
    policy, limit = (value.decode() for _, value in count.headers)
    assert policy == f'"calls";q={count.calls_a_minute};w=60'
    match = re.fullmatch(r'"calls";r=(\d+);t=(\d+)', limit)
    assert match is not None, limit
    return int(match[1]), int(match[2])


@pytest.mark.parametrize("a_minute", [1, 7, 60, 61, 1000])
def test_a_caller_is_told_how_many_calls_are_left(a_minute: int) -> None:
    clock = Clock()
    limits = MemoryRateLimits(clock)

    async def call() -> tuple[int, int]:
        return told(await limits.count_call("till", a_minute))

    async def use_up() -> None:
        for number in range(1, a_minute + 1):
            left, _ = await call()
            assert left == a_minute - number
        assert await call() == (0, 60)  # refused
        clock.now += 30
        assert (await call())[0] == max(a_minute // 2 - 1, 0)
        clock.now += 60
        assert (await call())[0] == a_minute - 1

    asyncio.run(use_up())


@pytest.mark.parametrize("a_minute", [1, 7, 60, 61, 1000])
def test_a_minutes_calls_may_come_at_once_and_no_more(a_minute: int) -> None:
    waits = asyncio.run(calls(MemoryRateLimits(Clock()), a_minute + 1, a_minute=a_minute))
    assert waits[:-1] == [0.0] * a_minute
    assert waits[-1] == pytest.approx(60 / a_minute, rel=1e-3)


def test_after_the_wait_that_was_told_the_next_call_passes() -> None:
    clock = Clock()
    limits = MemoryRateLimits(clock)
    wait = asyncio.run(calls(limits, 61))[-1]
    clock.now += wait
    assert [wait > 0 for wait in asyncio.run(calls(limits, 2))] == [False, True]


def test_who_calls_without_rest_gets_so_many_calls_an_hour() -> None:
    clock = Clock()
    limits = MemoryRateLimits(clock)

    async def an_hour() -> int:
        passed = 0
        for _ in range(3600 * 4):
            passed += (await limits.count_call("till", 60)).wait_seconds == 0.0
            clock.now += 0.25
        return passed

    # The hour ends a moment before its last second does.
    assert asyncio.run(an_hour()) == 3600 - 1 + 60


def test_one_caller_does_not_use_up_anothers_calls() -> None:
    limits = MemoryRateLimits(Clock())
    asyncio.run(calls(limits, 61))
    assert asyncio.run(calls(limits, 1, "mail")) == [0.0]


def test_memory_does_not_grow_with_the_customers() -> None:
    limits = MemoryRateLimits(Clock())

    async def all_of_them() -> None:
        for customer in range(MAX_CALLERS + 10):
            await limits.count_call(str(customer), 1)

    asyncio.run(all_of_them())
    assert asyncio.run(calls(limits, 1, str(MAX_CALLERS), 1)) != [0.0]
    assert asyncio.run(calls(limits, 1, "0", 1)) == [0.0]


def with_redis(
    url: str, work: Callable[[RedisRateLimits], Awaitable[None]], timeout_seconds: float = 10.0
) -> None:
    async def run() -> None:
        limits = RedisRateLimits(
            url, secret=b"s", timeout_seconds=timeout_seconds, breaker=CircuitBreaker(3, 0.2)
        )
        try:
            await work(limits)
        finally:
            await limits.close()

    asyncio.run(run())


def test_workers_and_hosts_count_together(redis_server: RedisServer) -> None:
    async def two_workers(first: RedisRateLimits) -> None:
        second = RedisRateLimits(
            redis_server.url, secret=b"s", timeout_seconds=10.0, breaker=CircuitBreaker(3, 0.2)
        )
        try:
            counts = await asyncio.gather(
                *(limits.count_call("till", 20) for limits in (first, second) * 20)
            )
        finally:
            await second.close()
        assert sum(count.wait_seconds == 0.0 for count in counts) == 20
        assert max(count.wait_seconds for count in counts) <= 3.0
        # Each of the calls that passed left one less, whichever worker answered it.
        left = [told(count)[0] for count in counts if count.wait_seconds == 0.0]
        assert sorted(left) == list(range(20))

    with_redis(redis_server.url, two_workers)


def test_redis_forgets_who_has_rested_and_never_knew_their_name(redis_server: RedisServer) -> None:
    async def call(limits: RedisRateLimits) -> None:
        assert await calls(limits, 3, "customer anna") == [0.0] * 3

    with_redis(redis_server.url, call)
    with redis.Redis.from_url(redis_server.url) as client:
        (key,) = client.keys()
        assert b"anna" not in key
        assert 0 < client.pttl(key) <= 3000


@pytest.mark.parametrize("broken", ["killed", "stopped"])
def test_without_redis_each_worker_counts_alone(redis_server: RedisServer, broken: str) -> None:
    async def call(limits: RedisRateLimits) -> None:
        assert await calls(limits, 1) == [0.0]
        redis_server.kill() if broken == "killed" else redis_server.stop()
        started = time.monotonic()
        waits = await calls(limits, 61)
        assert time.monotonic() - started < 1.0
        assert [wait > 0 for wait in waits] == [False] * 60 + [True]
        redis_server.start() if broken == "killed" else redis_server.resume()
        await asyncio.sleep(0.3)
        assert await calls(limits, 1) == [0.0]  # counted together again

    with_redis(redis_server.url, call, timeout_seconds=0.05)


def test_a_redis_that_takes_its_time_for_each_step_costs_a_call_no_more_than_the_time_out(
    redis_server: RedisServer,
) -> None:
    """A first call is several steps: the script has to be sent. Each of them is in time."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)

    async def delay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = int(redis_server.url.rpartition(":")[2].partition("/")[0])
        from_redis, to_redis = await asyncio.open_connection("127.0.0.1", port)
        forwarding = asyncio.create_task(forward(reader, to_redis))
        while data := await from_redis.read(65_536):
            await asyncio.sleep(0.4)
            writer.write(data)
            if forwarding.done():
                break
        to_redis.close()
        writer.close()

    async def run() -> float:
        async with await asyncio.start_server(delay, "127.0.0.1", 0) as server:
            limits = RedisRateLimits(
                f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}",
                secret=b"s",
                timeout_seconds=0.5,
                breaker=CircuitBreaker(3, 0.2),
            )
            began = time.monotonic()
            assert await calls(limits, 1) == [0.0]
            passed = time.monotonic() - began
            await limits.close()
            redis_server.kill()
            await asyncio.sleep(0.5)  # until the connections have ended
        return passed

    assert asyncio.run(run()) < 0.75


JUNK = [
    *(b"", b"tomato", b"nan", b"inf", b"-inf", b"1e300", b"-1e300", b"9" * 400, b"0x10", b"-5"),
    b"\x00\xff",
    b"4102444800000000",  # microseconds until the year 2100
    ["a list"],
    {"a": "hash"},
]


def poison(client: redis.Redis, key: bytes, junk: bytes | list[str] | dict[str, str]) -> None:
    """Write something else in the place of a value, for ever."""
    client.delete(key)
    if isinstance(junk, list):
        client.rpush(key, *junk)
    elif isinstance(junk, dict):
        client.hset(key, mapping=junk)
    else:
        client.set(key, junk)


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: str(junk)[:20])
def test_junk_in_redis_gives_nobody_more_than_a_minutes_calls_and_refuses_nobody_for_long(
    redis_server: RedisServer, junk: bytes | list[str] | dict[str, str]
) -> None:
    async def call(limits: RedisRateLimits) -> None:
        assert await calls(limits, 1, a_minute=600) == [0.0]
        with redis.Redis.from_url(redis_server.url) as client:
            poison(client, client.keys()[0], junk)
        started = time.monotonic()
        waits = await calls(limits, 1300, a_minute=600)
        rested = 10 * (time.monotonic() - started)  # calls that time itself has made possible
        assert sum(wait == 0.0 for wait in waits) < 620 + rested
        assert all(0.0 <= wait <= 0.1 for wait in waits)
        await asyncio.sleep(waits[-1])
        assert await calls(limits, 1, a_minute=600) == [0.0]
        with redis.Redis.from_url(redis_server.url) as client:
            assert 0 < client.pttl(client.keys()[0]) <= 60_100

    with_redis(redis_server.url, call)


def test_a_redis_that_takes_no_writes_is_told_in_the_log_and_each_worker_counts_alone(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def call(limits: RedisRateLimits) -> None:
        with redis.Redis.from_url(redis_server.url) as client:
            client.replicaof("127.0.0.1", 1)
            waits = await calls(limits, 61)
            assert [wait > 0 for wait in waits] == [False] * 60 + [True]
            client.replicaof("NO", "ONE")
        await asyncio.sleep(0.3)
        assert await calls(limits, 1) == [0.0]

    with_redis(redis_server.url, call)
    first, second = (record.getMessage() for record in caplog.records if "Redis" in record.msg)
    assert "is a replica, which takes no writes (READONLY)" in first
    assert second == "Redis counts the calls of all workers again"


def test_most_calls_of_a_busy_caller_ask_nobody_and_none_is_lost(redis_server: RedisServer) -> None:
    """Two workers share 6,000 calls a minute; one of them is asked much more than the other."""

    async def share(first: RedisRateLimits) -> None:
        second = RedisRateLimits(
            redis_server.url, secret=b"s", timeout_seconds=10.0, breaker=CircuitBreaker(3, 0.2)
        )
        asked, passed = 0, 0
        try:
            started = time.monotonic()
            for number in range(8_000):
                limits = second if number % 20 == 0 else first
                count = limits.count_at_once("till", 6_000)
                if count is None:
                    asked += 1
                    count = await limits.count_call("till", 6_000)
                passed += count.wait_seconds == 0.0
            seconds = time.monotonic() - started
        finally:
            await second.close()
        allowed = 6_000 + 100 * seconds
        assert 0.97 * allowed - 10 <= passed <= 1.02 * allowed + 10
        assert asked - (8_000 - passed) < passed / 10

    with_redis(redis_server.url, share)


def test_what_was_counted_ahead_and_not_used_is_given_back(redis_server: RedisServer) -> None:
    async def rest(limits: RedisRateLimits) -> None:
        for _ in range(4_000):
            await limits.count_call("till", 6_000)
        await asyncio.sleep(AHEAD_SECONDS + 0.1)
        count = await limits.count_call("till", 6_000)
        assert abs(count.ahead_seconds - 40.0) < 2.0

    with_redis(redis_server.url, rest)

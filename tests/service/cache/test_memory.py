"""Both caches keep the same promises; the one in this process is bounded by bytes and time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from service.cache.memory import ENTRY_BYTES, Cache, MemoryCache
from service.cache.redis import RedisCache
from service.runtime.circuit_breaker import CircuitBreaker
from service.runtime.metrics import Metrics
from tests.support.redis_server import RedisServer

MakeCache = Callable[[], Awaitable[Cache]]


@pytest.fixture(params=["memory", "redis"])
def make_cache(request: pytest.FixtureRequest) -> MakeCache:
    async def memory() -> Cache:
        return MemoryCache(1_000_000, 60, time.monotonic)

    async def redis() -> Cache:
        return RedisCache(
            server.url,
            secret=b"secret",
            ttl_seconds=60,
            timeout_seconds=1.0,
            breaker=CircuitBreaker(3, 1.0),
            metrics=Metrics(),
        )

    if request.param == "memory":
        return memory
    server: RedisServer = request.getfixturevalue("redis_server")
    return redis


async def eventually(cache: Cache, key: bytes) -> bytes | None:
    for _ in range(100):
        if (value := await cache.get(key)) is not None:
            return value
        await asyncio.sleep(0.01)
    return None


def test_what_was_put_is_found_again(make_cache: MakeCache) -> None:
    async def scene() -> None:
        cache = await make_cache()
        cache.put(b"key", b"\x00value \xff")
        assert await eventually(cache, b"key") == b"\x00value \xff"
        await cache.close()

    asyncio.run(scene())


def test_what_was_never_put_is_not_found(make_cache: MakeCache) -> None:
    async def scene() -> None:
        cache = await make_cache()
        assert await cache.get(b"key") is None
        await cache.close()

    asyncio.run(scene())


def test_an_empty_value_is_a_value(make_cache: MakeCache) -> None:
    async def scene() -> None:
        cache = await make_cache()
        cache.put(b"key", b"")
        assert await eventually(cache, b"key") == b""
        await cache.close()

    asyncio.run(scene())


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def get(cache: MemoryCache, key: bytes) -> bytes | None:
    return asyncio.run(cache.get(key))


def test_an_answer_lives_as_long_as_it_was_given() -> None:
    clock = Clock()
    cache = MemoryCache(1_000_000, 60, clock)
    cache.put(b"key", b"value")
    clock.now = 59.9
    assert get(cache, b"key") == b"value"
    clock.now = 60.0
    assert get(cache, b"key") is None
    assert cache.size_bytes == 0


def test_the_cache_never_holds_more_bytes_than_it_may() -> None:
    cache = MemoryCache(10_000, 60, Clock())
    for number in range(1000):
        cache.put(b"%d" % number, b"x" * (number % 700))
        assert cache.size_bytes <= 10_000
    assert get(cache, b"999") is not None


def test_the_answer_that_was_not_asked_for_longest_goes_first() -> None:
    cache = MemoryCache(2 * (ENTRY_BYTES + 2), 60, Clock())
    cache.put(b"a", b"1")
    cache.put(b"b", b"2")
    assert get(cache, b"a") == b"1"
    cache.put(b"c", b"3")
    assert [get(cache, key) for key in (b"a", b"b", b"c")] == [b"1", None, b"3"]


def test_a_second_put_replaces_the_first() -> None:
    cache = MemoryCache(1_000_000, 60, Clock())
    cache.put(b"a", b"1")
    size = cache.size_bytes
    cache.put(b"a", b"2")
    assert (get(cache, b"a"), cache.size_bytes) == (b"2", size)


def test_an_answer_larger_than_the_cache_is_not_kept() -> None:
    cache = MemoryCache(100, 60, Clock())
    cache.put(b"a", b"x" * 1000)
    assert (get(cache, b"a"), cache.size_bytes) == (None, 0)

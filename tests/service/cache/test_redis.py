"""Redis away, slow, flushed or full of nonsense: the cache finds nothing and comes back by itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from redis import Redis
from redis.exceptions import BusyLoadingError, ResponseError

from service.cache.redis import MAX_WAITING_WRITES, RedisCache, seal, unseal
from service.runtime.circuit_breaker import BreakerState, CircuitBreaker
from service.runtime.metrics import Metrics
from service.runtime.redis_client import describe_trouble
from tests.support.redis_server import RedisServer

REST = 0.2
SECRET = b"secret"


def scene(
    server: RedisServer, play: Callable[[RedisCache, CircuitBreaker], Awaitable[None]]
) -> None:
    async def played() -> None:
        breaker = CircuitBreaker(3, REST)
        cache = RedisCache(
            server.url,
            secret=SECRET,
            ttl_seconds=60,
            timeout_seconds=0.05,
            breaker=breaker,
            metrics=Metrics(),
        )
        try:
            await play(cache, breaker)
        finally:
            await cache.close()

    asyncio.run(played())


async def written(cache: RedisCache) -> None:
    for _ in range(100):
        cache.put(b"key", b"value")
        if await cache.get(b"key"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("was not written")


async def seconds_of_gets(cache: RedisCache, count: int) -> float:
    started = time.monotonic()
    for _ in range(count):
        assert await cache.get(b"key") is None
    return time.monotonic() - started


def test_a_killed_redis_costs_next_to_nothing_and_comes_back(redis_server: RedisServer) -> None:
    async def play(cache: RedisCache, breaker: CircuitBreaker) -> None:
        await written(cache)
        redis_server.kill()
        assert await seconds_of_gets(cache, 200) < 1.0
        assert breaker.state is not BreakerState.CLOSED
        redis_server.start()
        await asyncio.sleep(REST)
        await written(cache)
        assert breaker.state is BreakerState.CLOSED

    scene(redis_server, play)


def test_a_stopped_redis_is_waited_for_a_few_times_and_then_left_alone(
    redis_server: RedisServer,
) -> None:
    async def play(cache: RedisCache, breaker: CircuitBreaker) -> None:
        await written(cache)
        redis_server.stop()
        assert await seconds_of_gets(cache, 100) < 3 * 0.05 + 0.3
        assert breaker.state is BreakerState.OPEN
        redis_server.resume()
        await asyncio.sleep(REST)
        await written(cache)

    scene(redis_server, play)


def test_every_key_has_an_end(redis_server: RedisServer) -> None:
    async def play(cache: RedisCache, breaker: CircuitBreaker) -> None:
        await written(cache)
        with Redis.from_url(redis_server.url) as redis:
            assert 0 < redis.ttl("key") <= 60

    scene(redis_server, play)


def test_a_flushed_redis_is_filled_again(redis_server: RedisServer) -> None:
    async def play(cache: RedisCache, breaker: CircuitBreaker) -> None:
        await written(cache)
        redis_server.flush()
        assert await cache.get(b"key") is None
        await written(cache)

    scene(redis_server, play)


def test_a_value_somebody_else_wrote_is_no_answer(redis_server: RedisServer) -> None:
    async def play(cache: RedisCache, breaker: CircuitBreaker) -> None:
        with Redis.from_url(redis_server.url) as redis:
            for nonsense in (
                b"",
                b"x",
                b"x" * 500,
                seal(SECRET, b"another key", b"value"),
                seal(b"guessed", b"key", b"value"),
            ):
                redis.set("key", nonsense)
                assert await cache.get(b"key") is None
            redis.delete("key")
            redis.rpush("key", "a list")
            assert await cache.get(b"key") is None

    scene(redis_server, play)


def test_values_of_other_types_are_written_over_and_do_not_close_the_cache(
    redis_server: RedisServer,
) -> None:
    keys = [b"%d" % number for number in range(20)]

    async def play(cache: RedisCache, breaker: CircuitBreaker) -> None:
        with Redis.from_url(redis_server.url) as redis:
            for key in keys:
                redis.rpush(key, "a list")
        for key in keys:
            assert await cache.get(key) is None
        assert breaker.state is BreakerState.CLOSED
        for key in keys:
            cache.put(key, b"value of " + key)
        until = time.monotonic() + 5
        while await cache.get(keys[-1]) is None:
            assert time.monotonic() < until
        assert [await cache.get(key) for key in keys] == [b"value of " + key for key in keys]

    scene(redis_server, play)


def test_writes_that_find_no_room_are_dropped(redis_server: RedisServer) -> None:
    async def play(cache: RedisCache, breaker: CircuitBreaker) -> None:
        started = time.monotonic()
        for number in range(MAX_WAITING_WRITES * 4):
            cache.put(b"%d" % number, b"x" * 5000)
        assert time.monotonic() - started < 1.0

    redis_server.stop()
    scene(redis_server, play)
    redis_server.resume()


def test_a_seal_holds_key_and_value_together() -> None:
    sealed = seal(SECRET, b"key", b"value")
    assert unseal(SECRET, b"key", sealed) == b"value"
    assert unseal(SECRET, b"kez", sealed) is None
    assert unseal(SECRET, b"key", sealed[:-1]) is None
    assert unseal(SECRET, b"keyv", seal(SECRET, b"key", b"vvalue")[:16] + b"value") is None


def test_who_does_not_hold_the_secret_cannot_seal() -> None:
    assert unseal(SECRET, b"key", seal(b"guessed", b"key", b"value")) is None


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "regulars.cache"]


def test_a_replica_is_told_as_what_it_is_and_its_answers_are_read(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def play(cache: RedisCache, breaker: CircuitBreaker) -> None:
        await written(cache)
        with Redis.from_url(redis_server.url) as redis:
            redis.replicaof("127.0.0.1", 1)
            for _ in range(5):
                cache.put(b"other", b"value")
                await asyncio.sleep(0.02)
            state = cache.state()
            assert (await cache.get(b"key"), await cache.get(b"other")) == (b"value", None)
            redis.replicaof("NO", "ONE")
        assert state.startswith("redis, breaker closed; it is a replica, which takes no writes")
        cache.put(b"other", b"value")
        await asyncio.sleep(0.1)
        assert cache.state() == "redis, breaker closed"

    scene(redis_server, play)
    (line,) = (line for line in told(caplog) if "READONLY" in line)
    assert line.endswith("must name the primary: answers are not cached")


def test_a_redis_without_memory_is_told_as_what_it_is(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def play(cache: RedisCache, breaker: CircuitBreaker) -> None:
        with Redis.from_url(redis_server.url) as redis:
            redis.config_set("maxmemory", 1)
            cache.put(b"key", b"value")
            await asyncio.sleep(0.1)
            assert "has no memory left (OOM)" in cache.state()
            redis.config_set("maxmemory", 0)

    scene(redis_server, play)
    assert any("has no memory left (OOM)" in line for line in told(caplog))


@pytest.mark.parametrize("word", ["NOAUTH", "WRONGPASS"])
def test_a_redis_that_asks_for_another_password_is_told_as_what_it_is(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture, word: str
) -> None:
    url = redis_server.url
    if word == "WRONGPASS":
        url = url.replace("redis://", "redis://default:guessed@")

    async def played() -> None:
        breaker = CircuitBreaker(3, REST)
        cache = RedisCache(
            url,
            secret=SECRET,
            ttl_seconds=60,
            timeout_seconds=0.5,
            breaker=breaker,
            metrics=Metrics(),
        )
        for _ in range(5):
            assert await cache.get(b"key") is None
        assert word in cache.state()
        await cache.close()

    with Redis.from_url(redis_server.url) as redis:
        redis.config_set("requirepass", "another")
        try:
            asyncio.run(played())
        finally:
            redis.config_set("requirepass", "")
    assert any(word in line for line in told(caplog))
    assert not any("does not answer" in line for line in told(caplog))


def test_what_redis_says_is_wrong_is_told_by_the_word_for_it() -> None:
    loading = BusyLoadingError("Redis is loading the dataset in memory", status_code="LOADING")
    assert describe_trouble(loading) == "is loading its data (LOADING)"
    misconf = ResponseError("MISCONF Errors writing to the AOF file")
    assert "(MISCONF)" in str(describe_trouble(misconf))
    assert describe_trouble(ResponseError("WRONGTYPE Operation against a key")) is None
    assert describe_trouble(TimeoutError()) is None

"""Redis killed, stopped and flushed, a model swapped, under load: every answer is 200 and right.

Right means byte by byte what the model itself gives, computed here without any cache. The long run
of the same is `python -m benchmarks.faults`.
"""

import time
from pathlib import Path

import pytest
from redis import Redis

from models.artifact.registry import Registry
from models.recommender import Recommender
from service.model.loaded_model import LoadedModel
from tests.support.expected_answers import STRANGER, Load, another_version, popular_truth, truth
from tests.support.redis_server import RedisServer
from tests.support.service_shop import Shop, process, wait_until

pytestmark = pytest.mark.slow

CALLERS = 4
CUSTOMERS = [*(f"c{number:02}" for number in range(30)), STRANGER]


def test_whatever_happens_to_redis_every_answer_is_right(
    own_shop: Shop, redis_server: RedisServer, tmp_path: Path
) -> None:
    with process(
        own_shop.root, tmp_path / "run", redis_url=redis_server.url, breaker_seconds=0.2
    ) as port:
        load = Load(port, CUSTOMERS, [truth(own_shop.model, CUSTOMERS)], deadline_ms=10_000)
        with load.running(CALLERS):
            time.sleep(0.5)
            redis_server.flush()
            time.sleep(0.5)
            redis_server.kill()
            time.sleep(0.8)
            redis_server.start()
            time.sleep(0.8)
            redis_server.stop()
            time.sleep(0.8)
            redis_server.resume()
            time.sleep(0.8)
            redis_server.flush()
            time.sleep(0.3)
            wait_until(lambda: load.statuses[200] > 200)
    assert load.wrong == []
    assert max(load.taken_ms) < 1000


def test_junk_in_redis_changes_no_answer(
    own_shop: Shop, redis_server: RedisServer, tmp_path: Path
) -> None:
    with (
        process(
            own_shop.root, tmp_path / "run", redis_url=redis_server.url, redis_timeout_ms=1000
        ) as port,
        Redis.from_url(redis_server.url) as redis,
    ):
        truths = [truth(own_shop.model, CUSTOMERS)]
        load = Load(port, CUSTOMERS, truths, deadline_ms=10_000, long_way=True)
        with load.running(CALLERS):
            for junk in (b"", b"\0" * 500, b"x" * 5_000_000, None):
                wait_until(lambda: redis.dbsize() > len(CUSTOMERS) // 2)
                for key in list(redis.scan_iter()):
                    redis.delete(key)
                    redis.set(key, junk) if junk is not None else redis.rpush(key, "a list")
            # They are written over, and found again.
            wait_until(lambda: all(redis.type(key) == b"string" for key in redis.scan_iter()))
            wait_until(lambda: load.statuses[200] > 50)
    assert load.wrong == []


def test_a_redis_that_was_never_there_is_not_missed(
    own_shop: Shop, redis_server: RedisServer, tmp_path: Path
) -> None:
    redis_server.kill()
    with process(own_shop.root, tmp_path / "run", redis_url=redis_server.url) as port:
        load = Load(port, CUSTOMERS, [truth(own_shop.model, CUSTOMERS)], deadline_ms=10_000)
        with load.running(CALLERS):
            wait_until(lambda: load.statuses[200] > 50)
    assert load.wrong == []


def test_a_slate_that_comes_too_late_is_the_popular_one(own_shop: Shop, tmp_path: Path) -> None:
    truths, popular = [truth(own_shop.model, CUSTOMERS)], [popular_truth(own_shop.model, CUSTOMERS)]
    with process(
        own_shop.root, tmp_path / "run", cache_bytes=0, scoring_threads=1, scoring_queue=0
    ) as port:
        load = Load(port, CUSTOMERS, truths, popular)
        with load.running(CALLERS):
            wait_until(lambda: 0 < len(load.late) < load.statuses[200])
    assert load.wrong == []


def test_a_new_model_takes_over_without_a_failed_or_mixed_answer(
    own_shop: Shop, redis_server: RedisServer, tmp_path: Path
) -> None:
    later = another_version(own_shop.root)
    registry = Registry(own_shop.root)
    new = truth(LoadedModel.of(Recommender.load(registry.path(later))), CUSTOMERS)
    settings = {"redis_url": redis_server.url, "workers": 2, "poll_seconds": 0.1}
    with process(own_shop.root, tmp_path / "run", **settings) as port:
        load = Load(port, CUSTOMERS, [truth(own_shop.model, CUSTOMERS), new], deadline_ms=10_000)
        with load.running(CALLERS):
            time.sleep(0.5)
            registry.activate(later)
            wait_until(lambda: answers_only(load, new))
            assert answers_only(load, new)
    assert load.wrong == []


def answers_only(load: Load, truth: dict[str, bytes]) -> bool:
    """Return whether every answer of the next half second, by both workers, is `truth`."""
    load.last.clear()
    time.sleep(0.5)
    return bool(load.last) and all(body == truth[name] for name, body in list(load.last.items()))

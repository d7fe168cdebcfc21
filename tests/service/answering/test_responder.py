"""From the cache, else computed, else the popular slate in its place."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis import Redis

from models.recommender import Recommender, SharedContexts
from models.slate import Slate, SlateRequest
from models.updates.customer import NO_UPDATE, CustomerUpdate
from service.answering.query import QueryKind, RecommendationQuery
from service.answering.responder import Responder
from service.app import build_cache, running
from service.errors import NoModel
from service.runtime.metrics import Metrics
from service.settings import Settings
from tests.support.expected_answers import another_version
from tests.support.redis_server import RedisServer
from tests.support.service_process import UNHURRIED_MS
from tests.support.service_shop import Shop
from tests.support.shop import NO_EMAIL, REGULAR

QUERY = RecommendationQuery(QueryKind.CUSTOMER, "en_US", n=3, customer_id="c00")


class SlowRecommender(Recommender):
    """Takes its time for what is personal."""

    def recommend(
        self,
        customer_id: str | None,
        request: SlateRequest,
        update: CustomerUpdate = NO_UPDATE,
        contexts: SharedContexts | None = None,
    ) -> Slate:
        time.sleep(0.3)
        return super().recommend(customer_id, request, update, contexts)


class SlowEverywhere(SlowRecommender):
    """And for what is popular."""

    def popular(self, request: SlateRequest, window_days: int | None = None) -> Slate:
        time.sleep(0.3)
        return super().popular(request, window_days)


def scene(
    shop: Shop,
    play: Callable[[Responder], Coroutine[Any, Any, None]],
    tmp_path: Path,
    **settings: Any,
) -> None:
    chosen = Settings.model_validate(
        {
            "registry": shop.root,
            "runtime_dir": tmp_path / "run",
            "deadline_ms": UNHURRIED_MS,
            **settings,
        }
    )

    async def played() -> None:
        metrics = Metrics()
        cache = build_cache(chosen, metrics)
        try:
            async with running(chosen, metrics, cache) as responder:
                await play(responder)
        finally:
            await cache.close()

    asyncio.run(played())


def slow_down(responder: Responder, slow: type[Recommender] = SlowRecommender) -> None:
    model = responder.active.current
    assert model is not None
    fast = model.recommender
    responder.active.current = replace(
        model, recommender=slow(fast.manifest, fast.model, fast.settings)
    )


def test_a_second_question_is_answered_from_the_cache_byte_by_byte(
    shop: Shop, tmp_path: Path
) -> None:
    async def play(responder: Responder) -> None:
        first, second = await responder.respond(QUERY), await responder.respond(QUERY)
        assert first == second
        assert (
            'regulars_cache_lookups_total{result="hit",shop="main"} 1.0'
            in responder.metrics.render().decode()
        )

    scene(shop, play, tmp_path)


def test_past_the_deadline_the_popular_slate_goes_out_and_is_not_kept(
    shop: Shop, tmp_path: Path
) -> None:
    async def play(responder: Responder) -> None:
        slow_down(responder)
        started = time.monotonic()
        late = await responder.respond(replace(QUERY, n=3, deadline_ms=30))
        assert time.monotonic() - started < 0.25
        body = orjson.loads(late.body)
        assert (late.degraded, body["strategy"], body["fallback_reason"]) == (
            True,
            "popular",
            "deadline",
        )
        await asyncio.sleep(0.5)
        personal = await responder.respond(replace(QUERY, n=3, deadline_ms=30))
        assert (personal.degraded, orjson.loads(personal.body)["strategy"]) == (False, "personal")

    scene(shop, play, tmp_path)


def test_the_popular_slate_in_place_keeps_to_what_was_asked(shop: Shop, tmp_path: Path) -> None:
    async def play(responder: Responder) -> None:
        slow_down(responder)
        dairy = replace(QUERY, deadline_ms=1, category="dairy", exclude=("butter",))
        body = orjson.loads((await responder.respond(dairy)).body)
        assert body["fallback_reason"] == "deadline"
        assert {product["category"] for product in body["recommendations"]} == {"dairy"}
        assert "butter" not in {product["id"] for product in body["recommendations"]}

    scene(shop, play, tmp_path)


def test_while_popular_slates_are_made_the_cached_ones_go_out(shop: Shop, tmp_path: Path) -> None:
    async def play(responder: Responder) -> None:
        await responder.respond(QUERY)
        slow_down(responder, SlowEverywhere)
        late = asyncio.create_task(responder.respond(replace(QUERY, n=4, deadline_ms=1)))
        await asyncio.sleep(0.05)
        assert not (await responder.respond(QUERY)).degraded
        assert not late.done()
        assert (await late).degraded

    scene(shop, play, tmp_path)


def test_whoever_reads_the_whole_redis_finds_nobody(
    shop: Shop, redis_server: RedisServer, tmp_path: Path
) -> None:
    names = [REGULAR, NO_EMAIL, "anna@shop.example", 'a "quoted" stranger']

    async def play(responder: Responder) -> None:
        queries = [replace(QUERY, customer_id=name) for name in names]
        computed = [await responder.respond(query) for query in queries]
        with Redis.from_url(redis_server.url) as redis:
            while redis.dbsize() < len(names):
                await asyncio.sleep(0.01)
            assert [await responder.respond(query) for query in queries] == computed
            held = b"".join(key + redis.get(key) for key in redis.scan_iter())
        assert [orjson.loads(served.body)["customer_id"] for served in computed] == names
        assert b"recommendations" in held
        assert [name for name in names if name.encode() in held or orjson.dumps(name) in held] == []
        assert f'result="hit",shop="main"}} {len(names)}.0' in responder.metrics.render().decode()

    scene(shop, play, tmp_path, redis_url=redis_server.url, redis_timeout_ms=1000)


def test_when_everyone_comes_at_once_everyone_is_answered_in_time(
    shop: Shop, tmp_path: Path
) -> None:
    async def play(responder: Responder) -> None:
        slow_down(responder)
        queries = [replace(QUERY, customer_id=f"c{number:02}") for number in range(50)]
        started = time.monotonic()
        served = await asyncio.gather(*(responder.respond(query) for query in queries))
        assert time.monotonic() - started < 1.0
        assert all(answer.degraded for answer in served)

    scene(shop, play, tmp_path, scoring_threads=1, scoring_queue=4, deadline_ms=100)


def test_a_new_model_never_gets_the_old_ones_cached_answers(own_shop: Shop, tmp_path: Path) -> None:
    async def play(responder: Responder) -> None:
        before = await responder.respond(QUERY)
        later = another_version(own_shop.root)
        responder.active.registry.activate(later)
        responder.active.refresh()
        after = await responder.respond(QUERY)
        assert orjson.loads(before.body)["model_version"] == own_shop.model.version
        assert orjson.loads(after.body)["model_version"] == later

    scene(own_shop, play, tmp_path)


def test_without_a_model_the_training_command_is_named(tmp_path: Path, shop: Shop) -> None:
    async def play(responder: Responder) -> None:
        with pytest.raises(NoModel, match="regulars train"):
            await responder.respond(QUERY)

    (tmp_path / "nothing").mkdir()
    scene(replace(shop, root=tmp_path / "nothing"), play, tmp_path)

"""Puts the service together. Importing this does nothing; `create` builds it, its lifespan starts and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI

from models.registry import Registry
from service.active import ActiveModel
from service.breaker import Breaker
from service.cache import Cache, MemoryCache
from service.docs_page import add_docs
from service.door import Door
from service.metrics import Metrics, sweep
from service.operations import add_operations
from service.problems import add_handlers
from service.redis_cache import RedisCache
from service.routes import add_routes
from service.scoring import Scoring
from service.serving import Serving
from service.settings import Settings

DESCRIPTION = "Product recommendations for shops: what a customer needs next, with the reason, in milliseconds."


def create(settings: Settings | None = None) -> FastAPI:
    """The ASGI application; settings come from the environment where none are given."""
    settings = settings or Settings.of(os.environ)
    metrics = Metrics()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(settings, metrics) as serving:
            app.state.serving = serving
            yield

    app = FastAPI(
        title="Regulars",
        description=DESCRIPTION,
        version=_version(),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Door, settings=settings, metrics=metrics)
    add_handlers(app)
    add_routes(app)
    add_operations(app)
    add_docs(app)
    return app


@contextlib.asynccontextmanager
async def running(settings: Settings, metrics: Metrics) -> AsyncIterator[Serving]:
    """Everything that lives as long as the process: the model, the threads, the cache."""
    sweep()
    active = ActiveModel(Registry(settings.registry), settings.runtime(), metrics, settings.default_locale)
    await asyncio.to_thread(active.refresh)
    scoring = Scoring(settings.scoring_threads, settings.scoring_queue, metrics)
    cache = _cache(settings, metrics)
    watch = asyncio.create_task(active.watch(settings.poll_seconds))
    try:
        yield Serving(settings, settings.secret(), metrics, active, scoring, cache)
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        scoring.close()
        await cache.close()


def _cache(settings: Settings, metrics: Metrics) -> Cache:
    if settings.redis_url is None:
        return MemoryCache(settings.cache_bytes, settings.cache_ttl_seconds, time.monotonic)
    return RedisCache(
        settings.redis_url.get_secret_value(),
        secret=settings.secret(),
        ttl_seconds=settings.cache_ttl_seconds,
        timeout_seconds=settings.redis_timeout_ms / 1000,
        breaker=Breaker(settings.breaker_failures, settings.breaker_seconds),
        clock=time.monotonic,
        metrics=metrics,
    )


def _version() -> str:
    try:
        return version("regulars")
    except PackageNotFoundError:
        return "unknown"

"""Puts the service together. Importing this does nothing; `create` builds it, its lifespan starts and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Set
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from fastapi import FastAPI

from models.artifact.registry import Registry
from models.data.events import DAY, HOUR
from service.answering.answer_computer import AnswerComputer
from service.answering.responder import Responder
from service.answering.scoring_pool import ScoringPool
from service.answering.warm_up import warm_up
from service.cache.memory import Cache, MemoryCache
from service.cache.redis import RedisCache
from service.errors import add_handlers
from service.http.authentication import open_authentication
from service.http.connection_balance import ConnectionBalance
from service.http.middleware import add_middleware
from service.mail.campaigns import OpenCampaigns
from service.mail.mail_responder import MailResponder
from service.model.active_model import ActiveModel
from service.model.live_catalogue import CatalogueFollower
from service.routes.api import add_api
from service.runtime.circuit_breaker import CircuitBreaker
from service.runtime.metrics import DIRECTORY_VARIABLE, Metrics, forget_dead_workers
from service.settings import Settings
from service.signing.click_links import ClickLinks
from service.store.campaigns import forget, pinned
from service.store.database import StoreDownError
from service.store.store import Store

DESCRIPTION = "Product recommendations for shops: what a customer needs next, with the reason, in milliseconds."
log: Final = logging.getLogger("regulars.service")


def create(settings: Settings | None = None) -> FastAPI:
    """The ASGI application; settings come from the environment where none are given."""
    settings = settings or Settings.from_environment(os.environ)
    metrics, balance = Metrics(), ConnectionBalance(os.environ.get(DIRECTORY_VARIABLE))

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            running(settings, metrics) as responder,
            open_authentication(settings, responder.store) as authentication,
        ):
            app.state.responder, app.state.authentication = responder, authentication
            watching = asyncio.create_task(balance.watch())
            yield
            watching.cancel()

    app = FastAPI(
        title="Regulars",
        description=DESCRIPTION,
        version=_version(),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    add_middleware(app, settings, metrics, balance)
    add_handlers(app)
    add_api(app, settings)
    return app


@contextlib.asynccontextmanager
async def running(settings: Settings, metrics: Metrics) -> AsyncIterator[Responder]:
    """Everything that lives as long as the process: the model, the threads, the cache."""
    gc.freeze()  # what was imported is no garbage, and looking through it would stop every thread for 100 ms
    forget_dead_workers()
    active = ActiveModel(
        Registry(settings.registry),
        settings.runtime_directory(),
        metrics,
        partial(warm_up, locale=settings.default_locale),
    )
    await asyncio.to_thread(active.refresh)
    store = await asyncio.to_thread(
        Store,
        settings.store_url(),
        settings.runtime_directory(),
        settings.thread_count() + 2,
        later=True,
    )
    scoring = ScoringPool(settings.thread_count(), settings.scoring_queue, metrics)
    cache = _cache(settings, metrics)
    links = ClickLinks.from_settings(settings)
    catalogues = CatalogueFollower(store, settings.unasked or "allow")
    pinned_catalogues = CatalogueFollower(store, settings.unasked or "allow")
    breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_seconds)
    computer = AnswerComputer(links, store, catalogues, breaker)
    mail_responder = MailResponder(
        computer,
        active,
        OpenCampaigns(store, active, settings),
        pinned_catalogues,
        metrics,
        settings.mail_days,
    )
    with contextlib.suppress(StoreDownError):  # it is followed as soon as it answers
        await asyncio.to_thread(keep_pinned, store, active)
    works: list[tuple[Callable[[], object], float]] = [
        (partial(follow, store, active, catalogues, pinned_catalogues), settings.follow_seconds),
        (partial(count_sales, active, catalogues), settings.sales_seconds),
        (partial(sweep_mails, store, settings.mail_days), HOUR),
    ]
    behind = ThreadPoolExecutor(len(works), "behind")
    tasks = [asyncio.create_task(run_periodically(behind, *work)) for work in works]
    tasks.append(asyncio.create_task(active.watch(settings.poll_seconds)))
    try:
        yield Responder(
            settings=settings,
            links=links,
            metrics=metrics,
            active=active,
            scoring=scoring,
            cache=cache,
            store=store,
            catalogues=catalogues,
            computer=computer,
            compute_recorded=mail_responder.compute,
        )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(
            behind.shutdown, cancel_futures=True
        )  # what it has borrowed of the store is given back
        scoring.close()
        await cache.close()
        await asyncio.to_thread(store.close)
        gc.unfreeze()


async def run_periodically(threads: Executor, work: Callable[[], object], seconds: float) -> None:
    """Until cancelled, in one of the threads. What fails is told once and tried again: news is never old for long."""
    told = ""
    while True:
        try:
            await asyncio.get_running_loop().run_in_executor(threads, work)
            told = ""
        except StoreDownError:
            pass  # whoever asks the store for an answer says so
        except Exception as error:
            if repr(error) != told:
                log.exception("what is done behind the answers failed and is tried again")
            told = repr(error)
        await asyncio.sleep(seconds)


def follow(
    store: Store, active: ActiveModel, live: CatalogueFollower, mails: CatalogueFollower
) -> None:
    """What other hosts change shows here too, and is at hand before anyone asks; what nobody needs any more is not."""
    now = store.follow()
    needed, model = (
        keep_pinned(store, active),
        active.current,
    )  # once: it may be another one in a moment
    if model is not None:
        live.at(model, now)
        live.keep_only({model.version})
        mails.keep_only({model.version, *needed})


def keep_pinned(store: Store, active: ActiveModel) -> Set[str]:
    """Have at hand what open campaigns are pinned to. Raises StoreDownError."""
    needed = store.read(partial(pinned, now=int(time.time())))
    active.keep(needed)
    return needed


def sweep_mails(store: Store, days: int) -> None:
    """What mails showed is forgotten after so many days."""
    store.write(partial(forget, before=int(time.time()) - days * DAY)).result()


def count_sales(active: ActiveModel, live: CatalogueFollower) -> None:
    """What sells now is popular now."""
    if active.current is not None:
        live.count_sales(active.current)


def _cache(settings: Settings, metrics: Metrics) -> Cache:
    if settings.redis_url is None:
        return MemoryCache(settings.cache_bytes, settings.cache_ttl_seconds, time.monotonic)
    return RedisCache(
        settings.redis_url.get_secret_value(),
        secret=settings.signing_secret(),
        ttl_seconds=settings.cache_ttl_seconds,
        timeout_seconds=settings.redis_timeout_ms / 1000,
        breaker=CircuitBreaker(settings.breaker_failures, settings.breaker_seconds),
        metrics=metrics,
    )


def _version() -> str:
    try:
        return version("regulars")
    except PackageNotFoundError:
        return "unknown"

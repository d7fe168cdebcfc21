"""The application: `create` puts it together, its lifespan starts and ends what it needs."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Set
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, NamedTuple

from fastapi import FastAPI
from starlette.types import ASGIApp

from models.artifact.insights import ATTRIBUTION, sign_insight
from models.artifact.registry import Registry
from models.artifact.shops import MAIN
from models.data.events import DAY, HOUR
from service.answering.answer_computer import AnswerComputer
from service.answering.exposures import ExposureRecorder
from service.answering.presentation import Presentation
from service.answering.responder import Responder
from service.answering.scoring_pool import ScoringPool
from service.answering.warm_up import warm_up
from service.cache.memory import Cache, MemoryCache
from service.cache.redis import RedisCache
from service.errors import add_handlers
from service.http.authentication import open_authentication
from service.http.direct_routes import DirectRoutes
from service.http.middleware import OUTERMOST, add_middleware
from service.http.ready_answers import READY_BYTES, ReadyAnswers
from service.mail.campaigns import OpenCampaigns
from service.mail.mail_responder import MailResponder
from service.model.active_model import ActiveModel
from service.model.freshness import Freshness
from service.model.guardrails import GuardrailWatch
from service.model.live_catalogue import CatalogueFollower
from service.model.loaded_model import LoadedModel
from service.model.segments import SegmentFollower
from service.routes.api import add_api
from service.runtime.circuit_breaker import CircuitBreaker
from service.runtime.metrics import Metrics, join_workers
from service.runtime.peers import SUFFIX
from service.runtime.tracing import start_tracing
from service.runtime.workers import end_with_supervisor
from service.settings import Settings
from service.shops.batch_pool import open_batches
from service.shops.shop import Shop
from service.shops.shop_settings import settings_of
from service.shops.shops import Shops
from service.store.campaigns import forget_mails, pinned_versions
from service.store.database import StoreDownError
from service.store.experiments import served_versions
from service.store.exposures import forget as forget_exposures
from service.store.shop_erasure import ErasureWatch
from service.store.shops import ShopRecord
from service.store.store import Store

DESCRIPTION: Final = (
    "Product recommendations for shops: what a customer needs next, with the reason, "
    "in milliseconds."
)
log: Final = logging.getLogger("regulars.service")


class PeriodicWork(NamedTuple):
    """Work that is done again and again behind the answers."""

    work: Callable[[], object]
    seconds: float  # between the end of one time and the begin of the next


def create(settings: Settings | None = None) -> FastAPI:
    """Return the ASGI application; without settings they come from the environment."""
    settings = settings or Settings.from_environment(os.environ)
    end_with_supervisor()
    seat = join_workers()
    own_socket = seat.with_suffix(SUFFIX) if seat else None
    metrics = Metrics()
    tracing = start_tracing(settings.otlp_endpoint, settings.trace_share)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Metrics | ReadyAnswers]]:
        # Imported modules are no garbage; looking through them would stop every thread for 100 ms.
        gc.freeze()
        try:
            async with (
                open_shops(settings, metrics) as shops,
                open_batches(shops, settings, own_socket) as batches,
            ):
                app.state.shops, app.state.responder = shops, shops.main.responder
                app.state.batches, ready = batches, ReadyAnswers(_ready_bytes(settings))
                shops.when_let_go = ready.forget
                # The connections of the process count in them, and send what is ready
                yield {"metrics": metrics, "ready_answers": ready}
        finally:
            gc.unfreeze()
            if tracing is not None:
                await asyncio.to_thread(tracing.close)

    app = Application(
        title="Regulars",
        description=DESCRIPTION,
        version=_version(),
        lifespan=lifespan,
        docs_url=None,
        openapi_url=None,  # its own route would be the first that every call is compared with
        redoc_url=None,
        redirect_slashes=False,
        # Its spans would hold paths, and those hold ids of customers
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    add_middleware(app, settings, metrics, tracing)
    add_handlers(app)
    add_api(app)
    if settings.demo:
        from service.demo.routes import add_demo  # read only where it is asked for

        add_demo(app)
    if settings.console:
        from service.console.entrance import add_console

        add_console(app, settings.console_port)
    app.state.direct_routes = DirectRoutes(app.routes)
    return app


class Application(FastAPI):
    """FastAPI without the middleware that it puts around ours, which answers every error."""

    def build_middleware_stack(self) -> ASGIApp:
        stack: Any = super().build_middleware_stack()
        while not isinstance(stack, OUTERMOST):
            stack = stack.app
        return stack


@contextlib.asynccontextmanager
async def open_shops(settings: Settings, metrics: Metrics) -> AsyncIterator[Shops]:
    """Open the main shop, and the others as they are asked for, until the process ends."""
    cache = build_cache(settings, metrics)

    def open_other(record: ShopRecord) -> contextlib.AbstractAsyncContextManager[Shop]:
        return open_shop(record.name, settings_of(record, settings), metrics, cache)

    try:
        async with open_shop(MAIN, settings, metrics, cache) as main:
            shops = Shops(main, open_other, settings.open_shops)
            watching = asyncio.create_task(shops.watch(settings.follow_seconds))
            try:
                yield shops
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                await shops.close()
    finally:
        await cache.close()


@contextlib.asynccontextmanager
async def open_shop(
    name: str, settings: Settings, metrics: Metrics, cache: Cache
) -> AsyncIterator[Shop]:
    """Run a shop, and know who may call it, until it is let go."""
    async with (
        running(settings, metrics.of(name), cache) as responder,
        open_authentication(name, settings, responder.store) as authentication,
    ):
        yield Shop(name, responder, authentication)


@contextlib.asynccontextmanager
async def running(settings: Settings, metrics: Metrics, cache: Cache) -> AsyncIterator[Responder]:
    """Run what answers for a shop: its model, its store and its threads."""
    directory, connections = settings.runtime_directory(), settings.thread_count() + 2
    active = ActiveModel(
        Registry(settings.registry),
        directory,
        metrics,
        partial(warm_up, locale=settings.default_locale),
    )
    await asyncio.to_thread(active.refresh)
    open_store = partial(Store, later=True, refusals=settings.refusals_directory())
    store = await asyncio.to_thread(open_store, settings.store_url(), directory, connections)
    segments = SegmentFollower(settings.registry)
    await asyncio.to_thread(segments.follow)
    responder, pinned_catalogues = _build_responder(
        settings, metrics, active, store, segments, cache
    )
    guardrails = GuardrailWatch(settings.registry, store)
    with contextlib.suppress(StoreDownError):  # it is followed as soon as it answers
        await asyncio.to_thread(keep_pinned, store, active)
        await asyncio.to_thread(guardrails.follow)
    works = [
        PeriodicWork(partial(follow, responder, pinned_catalogues), settings.follow_seconds),
        PeriodicWork(guardrails.follow, settings.follow_seconds),
        PeriodicWork(segments.follow, settings.follow_seconds),
        PeriodicWork(partial(count_sales, responder), settings.sales_seconds),
        PeriodicWork(partial(remove_old_mails, store, settings.mail_days), HOUR),
        PeriodicWork(partial(remove_old_refusals, store, settings.refusal_days), DAY),
        PeriodicWork(partial(remove_old_exposures, responder), HOUR),
    ]
    threads = ThreadPoolExecutor(len(works), "behind")
    tasks = [asyncio.create_task(run_periodically(threads, *work)) for work in works]
    tasks.append(asyncio.create_task(active.watch(settings.poll_seconds)))
    try:
        yield responder
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Connections that they have borrowed of the store are given back.
        await asyncio.to_thread(threads.shutdown, cancel_futures=True)
        responder.scoring.close()
        if responder.exposures is not None:
            await asyncio.to_thread(responder.exposures.close)
        await asyncio.to_thread(store.close)


def _build_responder(
    settings: Settings,
    metrics: Metrics,
    active: ActiveModel,
    store: Store,
    segments: SegmentFollower,
    cache: Cache,
) -> tuple[Responder, CatalogueFollower]:
    """Return the responder, and the catalogues of the models that campaigns are pinned to."""
    presentation = Presentation.from_settings(settings)
    catalogues, pinned_catalogues = (
        CatalogueFollower(store, settings.unasked or "allow", settings.visits, segments)
        for _ in range(2)
    )
    breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_seconds)
    computer = AnswerComputer(
        presentation, store, catalogues, breaker, active.pinned, pinned_catalogues
    )
    mail_responder = MailResponder(
        computer=computer,
        active=active,
        open_campaigns=OpenCampaigns(store, active, settings),
        pinned_catalogues=pinned_catalogues,
        metrics=metrics,
        keep_days=settings.mail_days,
    )
    responder = Responder(
        settings=settings,
        presentation=presentation,
        metrics=metrics,
        active=active,
        scoring=ScoringPool(settings.thread_count(), settings.scoring_queue, metrics),
        cache=cache,
        store=store,
        catalogues=catalogues,
        computer=computer,
        freshness=Freshness(metrics),
        erasure_watch=ErasureWatch(),
        compute_recorded=mail_responder.compute,
        exposures=(
            ExposureRecorder(computer, active, metrics, settings.exposures)
            if settings.exposures > 0
            else None
        ),
    )
    return responder, pinned_catalogues


def _ready_bytes(settings: Settings) -> int:
    """Return how many bytes of answers are kept ready: none where none is to be cached."""
    return min(settings.cache_bytes // 2, READY_BYTES)


def build_cache(settings: Settings, metrics: Metrics) -> Cache:
    if settings.redis_url is None:
        cached_bytes = settings.cache_bytes - _ready_bytes(settings)
        return MemoryCache(cached_bytes, settings.cache_ttl_seconds, time.monotonic)
    return RedisCache(
        settings.redis_url.get_secret_value(),
        secret=settings.signing_secret(),
        ttl_seconds=settings.cache_ttl_seconds,
        timeout_seconds=settings.redis_timeout_ms / 1000,
        breaker=CircuitBreaker(settings.breaker_failures, settings.breaker_seconds),
        metrics=metrics,
    )


async def run_periodically(threads: Executor, work: Callable[[], object], seconds: float) -> None:
    """Do work again and again in one of the threads, until cancelled.

    An error is logged once and the work is tried again.
    """
    logged = ""
    while True:
        try:
            in_shop = partial(contextvars.copy_context().run, work)
            await asyncio.get_running_loop().run_in_executor(threads, in_shop)
            logged = ""
        except StoreDownError:
            pass  # whoever asks the store for an answer says so
        except Exception as error:
            if repr(error) != logged:
                log.exception("what is done behind the answers failed and is tried again")
            logged = repr(error)
        await asyncio.sleep(seconds)


def follow(responder: Responder, pinned_catalogues: CatalogueFollower) -> None:
    """Read what other hosts have changed before anyone asks, and let go of what nobody needs."""
    position = responder.store.follow()
    responder.metrics.unkept.set(responder.store.journal_fault is not None)
    responder.erasure_watch.follow(responder.store.read, position.number)
    needed = keep_pinned(responder.store, responder.active)
    model = responder.active.current  # once: it may be another one in a moment
    if model is not None:
        note_lineage(responder, model)
        responder.catalogues.at(model, position)
        responder.catalogues.bury_again(int(time.time()))
        responder.catalogues.follow_shop_time(model)
        current = responder.catalogues.as_known(model).model
        responder.freshness.note(current, position.newest)
        responder.catalogues.keep_only({model.version})
        pinned_catalogues.keep_only({model.version, *needed})
    note_insights(responder)


def note_insights(responder: Responder) -> None:
    """Tell when attribution was last computed, so that somebody notices where it is not."""
    signed = sign_insight(responder.active.registry.root, ATTRIBUTION)
    if signed:
        responder.metrics.set_insights(signed[0] / 1e9)


def note_lineage(responder: Responder, model: LoadedModel) -> None:
    """Tell where the store is not the one that a model has learned from. Raises StoreDownError."""
    manifest, store = model.recommender.manifest, responder.store
    store.learned_number(manifest)
    responder.metrics.other_store.set(store.lineage_problem(manifest) is not None)


def keep_pinned(store: Store, active: ActiveModel) -> Set[str]:
    """Have the models of open campaigns and of running experiments loaded.

    Returns their versions. Raises StoreDownError.
    """
    now = int(time.time())
    versions = store.read(partial(pinned_versions, now=now))
    versions |= store.read(partial(served_versions, now=now))
    active.keep(versions)
    return versions


def remove_old_mails(store: Store, days: int) -> None:
    """Remove the records of what mails showed more than so many days ago."""
    store.write(partial(forget_mails, before=int(time.time()) - days * DAY)).result()


def remove_old_refusals(store: Store, days: int) -> None:
    """Remove what was refused more than so many days ago from the journal."""
    store.prune_journal(int(time.time()) - days * DAY)


def remove_old_exposures(responder: Responder) -> None:
    """Remove what was delivered too many days ago, and ids of who refuses to be measured."""
    days = responder.settings.exposure_days
    before = int(time.time()) - days * DAY
    responder.store.write(partial(forget_exposures, before=before)).result()
    if responder.exposures is not None:
        responder.exposures.remove_refusing()


def count_sales(responder: Responder) -> None:
    """Add the purchases since training to the trends of the model in service."""
    model = responder.active.current
    if model is not None:
        responder.catalogues.count_sales(model)


def _version() -> str:
    try:
        return version("regulars")
    except PackageNotFoundError:
        return "unknown"

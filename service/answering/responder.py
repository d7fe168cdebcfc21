"""Answers to queries: from the cache, else computed, else the popular slate in their place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, NamedTuple

from models.slate import FallbackReason
from models.steps import step
from service.answering.answer import build_popular_answer
from service.answering.answer_computer import (
    AnswerComputer,
    ComputedAnswer,
    ComputedPage,
    catalogue_for,
)
from service.answering.exposures import ExposureRecorder, ShownAnswer
from service.answering.presentation import Presentation
from service.answering.query import AWAY, RecommendationQuery, StoreKnowledge
from service.answering.render import RenderedAnswer, make_tag
from service.answering.scoring_pool import LateError, ScoringPool
from service.answering.shop_page import (
    PageInProgress,
    PageQuery,
    finish_page,
    pack_page,
    render_page,
    unpack_page,
)
from service.cache.memory import Cache
from service.errors import NoModel, Problem
from service.http.ready_answers import AnswerBasis
from service.model.active_model import ActiveModel
from service.model.freshness import Freshness
from service.model.live_catalogue import CatalogueFollower, LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.runtime.metrics import Metrics, child_of
from service.settings import Settings
from service.store.change_counters import (
    ASSORTMENT,
    CATALOGUE,
    ERASED,
    POINT_MARK,
    RATINGS,
    RULES,
    counter_of,
)
from service.store.shop_erasure import ErasureWatch
from service.store.store import Store

STAMP_BYTES: Final = 8  # in front of a cached value: the position of the store it was made at
# So long before the deadline the popular slate is begun, so that it is there in time.
POPULAR_SECONDS: Final = 0.005
# And so long before that it is asked what the customer has said since the model learned.
WORDS_SECONDS: Final = 0.02
SHARED_COUNTERS: Final = (CATALOGUE, RULES, ERASED)
ASSORTMENT_COUNTER: Final = counter_of(*ASSORTMENT)
Point = tuple[tuple[int, ...], bytes]  # what an answer was made at, and in which store
Compute = Callable[[LoadedModel, RecommendationQuery], ComputedAnswer]


@dataclass(frozen=True)
class ServedAnswer:
    """Hold a body for a caller."""

    body: bytes
    degraded: bool  # something was slow or away, so nobody should keep it
    tag: str  # tells the body from others at the same address
    shown: tuple[ShownAnswer, ...] = ()  # the slates that it is made of
    # None: the next such query may have another answer
    basis: AnswerBasis | None = field(default=None, compare=False)


class CachedAnswer(NamedTuple):
    """An answer as it was cached, and the position of the store that it was made at."""

    answer: RenderedAnswer
    stamp: int


@dataclass(frozen=True)
class Responder:
    """A responder to queries, put together by the app's lifespan."""

    settings: Settings
    presentation: Presentation
    metrics: Metrics
    active: ActiveModel
    scoring: ScoringPool
    cache: Cache
    store: Store
    catalogues: CatalogueFollower
    computer: AnswerComputer
    freshness: Freshness
    erasure_watch: ErasureWatch
    compute_recorded: Compute  # for queries whose answers the store keeps
    exposures: ExposureRecorder | None  # None: what is delivered is not recorded

    async def respond(self, query: RecommendationQuery, *, limited: bool = False) -> ServedAnswer:
        """Return an answer, always, where there is a model. Raises NoModel before the first one.

        `limited`: the caller is over its rate and gets the popular slate.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (query.deadline_ms or self.settings.deadline_ms) / 1000
        model = self.active.current or self.model()
        if limited:
            return await self._respond_popular(model, query, FallbackReason.RATE_LIMITED, deadline)
        if not model.is_whole:
            reason = FallbackReason.MODEL_DAMAGED
            return await self._respond_popular(model, query, reason, deadline)
        point = self._point(model, query.as_of)
        key = self._key_at(point, model, query)
        if query.cacheable:
            found = await self._find_answer(model, query, key)
            if found is not None:
                child_of(self.metrics.cache_lookups, "hit").inc()
                served = self._serve(query, found.answer, degraded=False)
                return self._with_basis(served, model, point, found.stamp)
            child_of(self.metrics.cache_lookups, "miss").inc()
        return await self._respond_computed(model, query, key, point, deadline)

    async def respond_page(self, page: PageQuery, *, limited: bool = False) -> ServedAnswer:
        """Return a page, always, where there is a model. Raises NoModel before the first one."""
        loop = asyncio.get_running_loop()
        wait_ms = page.visitor.deadline_ms or self.settings.deadline_ms
        deadline = loop.time() + wait_ms / 1000
        model, progress = self.active.current or self.model(), PageInProgress()
        if limited:
            reason = FallbackReason.RATE_LIMITED
            return await self._finish_page(model, page, progress, reason, deadline)
        if not model.is_whole:
            reason = FallbackReason.MODEL_DAMAGED
            return await self._finish_page(model, page, progress, reason, deadline)
        names = b" ".join(query.key("", b"") for query in page.queries).decode()
        key = self.cache_key(model, page.visitor, f" page {names}")
        counters = counters_of_page(page)
        packed = await self.find_cached(key, counters)
        if packed is not None:
            child_of(self.metrics.cache_lookups, "hit").inc()
            return self._serve_page(page, unpack_page(packed), degraded=False)
        child_of(self.metrics.cache_lookups, "miss").inc()
        try:
            computed = await self.scoring.compute(
                (key, self.store.counters.newest(counters)),
                partial(self.computer.compute_page, model, page, progress),
                partial(self._keep_page, key),
                deadline - loop.time() - self._seconds_for_popular(model, page.visitor),
            )
        except LateError:
            reason = FallbackReason.DEADLINE
            return await self._finish_page(model, page, progress.copy(), reason, deadline)
        except Exception:
            if not await asyncio.to_thread(self.active.is_overwritten, model):
                raise
            reason = FallbackReason.MODEL_DAMAGED
            return await self._finish_page(model, page, PageInProgress(), reason, deadline)
        return self._serve_page(page, computed.answers, degraded=computed.stamp is None)

    async def _finish_page(
        self,
        model: LoadedModel,
        page: PageQuery,
        progress: PageInProgress,
        reason: FallbackReason,
        deadline: float,
    ) -> ServedAnswer:
        live = catalogue_for(page.visitor, self.catalogues.as_known(model))
        knowledge = await self._read_words(model, live, page.visitor, reason, deadline)
        finish = partial(finish_page, live, page, self.presentation, knowledge, progress, reason)
        await self.scoring.compute_popular(finish)
        return self._serve_page(page, progress.answers, degraded=True)

    def _keep_page(self, key: bytes, computed: ComputedPage) -> None:
        if computed.stamp is not None:
            self.cache_value(key, computed.stamp, pack_page(computed.answers))

    def _serve_page(
        self, page: PageQuery, answers: Sequence[RenderedAnswer], *, degraded: bool
    ) -> ServedAnswer:
        for answer in answers:
            child_of(self.metrics.answers, answer.strategy, answer.fallback_reason).inc()
        shown = tuple(map(ShownAnswer, page.queries, answers))
        body = render_page(page, answers)
        return ServedAnswer(body, degraded, make_tag(body), shown)

    def note_delivery(self, served: ServedAnswer) -> None:
        """Have the slates of an answer recorded, behind it, that a caller gets now."""
        if self.exposures is not None:
            self.exposures.note(served.shown)

    def model(self) -> LoadedModel:
        """Return the whole model in service. Raises NoModel."""
        model = self.active.current
        if model is None or not model.is_whole:
            refusal = self.active.refusal
            raise NoModel(f"{refusal.version}: {refusal.reason}" if refusal else None)
        return model

    def cache_key(self, model: LoadedModel, query: RecommendationQuery, use: str = "") -> bytes:
        """Return the key of a value made from a query; `use` tells two such values apart."""
        return self._key_at(self._point(model, query.as_of), model, query, use)

    def _key_at(
        self, point: Point, model: LoadedModel, query: RecommendationQuery, use: str = ""
    ) -> bytes:
        epoch, identity = point
        return query.key((model.version, *epoch, use), self.presentation.links.secret + identity)

    def _point(self, model: LoadedModel, as_of: int | None) -> Point:
        """Return what answers depend on besides the query, the model and counters.

        Rules begin and end by the clock, unless a query is about another moment.
        """
        clock = int(time.time()) if as_of is None else None
        # After a store was restored its numbers stand for other changes.
        mark = self.store.counters[POINT_MARK]
        return (*self.catalogues.edition(model, clock), mark), self.store.identity

    async def find_cached(self, key: bytes, counters: tuple[int, ...]) -> bytes | None:
        """Return a cached value, unless one of these counters has changed since it was made."""
        found = await self._find_stamped(key)
        if found is None or found[0] < self.store.counters.newest(counters):
            return None
        return found[1]

    async def _find_stamped(self, key: bytes) -> tuple[int, bytes] | None:
        with step("cache"):
            stamped = await self.cache.get(key)
        if stamped is None:
            return None
        return int.from_bytes(stamped[:STAMP_BYTES], "little"), stamped[STAMP_BYTES:]

    async def _find_answer(
        self, model: LoadedModel, query: RecommendationQuery, key: bytes
    ) -> CachedAnswer | None:
        found = await self._find_stamped(key)
        if found is None:
            return None
        stamp, answer = found[0], RenderedAnswer.unpack(found[1])
        newest = self.store.counters.newest(self._counters_of_answer(model, query, answer))
        return CachedAnswer(answer, stamp) if stamp >= newest else None

    def _counters_of_answer(
        self, model: LoadedModel, query: RecommendationQuery, answer: RenderedAnswer
    ) -> tuple[int, ...]:
        """Return the counters whose change makes an answer old.

        Where prices decide nothing, another price of a product that it does not show is none.
        """
        if query.reads_prices or self.catalogues.as_known(model).reads_prices:
            return counters_of(query)
        return (*counters_of(query, ASSORTMENT_COUNTER), *answer.counters)

    def cache_value(self, key: bytes, stamp: int, value: bytes) -> None:
        """Have a value cached that was made at a position of the store."""
        self.cache.put(key, stamp.to_bytes(STAMP_BYTES, "little") + value)

    async def _respond_computed(
        self,
        model: LoadedModel,
        query: RecommendationQuery,
        key: bytes,
        point: Point,
        deadline: float,
    ) -> ServedAnswer:
        loop = asyncio.get_running_loop()
        compute = self.compute_recorded if query.recorded else self.computer.compute
        # Not shared with callers from before the newest change: their answer may not hold it.
        newest = self.store.counters.newest(counters_of(query))
        is_shared = query.cacheable or query.recorded
        try:
            computed = await self.scoring.compute(
                (key, newest) if is_shared else object(),
                partial(compute, model, query),
                partial(self._keep, key if query.cacheable else None),
                deadline - loop.time() - self._seconds_for_popular(model, query),
            )
        except LateError:
            return await self._respond_popular(model, query, FallbackReason.DEADLINE, deadline)
        except Problem:
            raise
        except Exception:
            if not await asyncio.to_thread(self.active.is_overwritten, model):
                raise
            reason = FallbackReason.MODEL_DAMAGED
            return await self._respond_popular(model, query, reason, deadline)
        served = self._serve(query, computed.answer, degraded=computed.stamp is None)
        if computed.stamp is None or not query.cacheable:
            return served
        return self._with_basis(served, model, point, computed.stamp)

    async def _respond_popular(
        self,
        model: LoadedModel,
        query: RecommendationQuery,
        reason: FallbackReason,
        deadline: float,
    ) -> ServedAnswer:
        live = catalogue_for(query, self.catalogues.as_known(model))
        knowledge = await self._read_words(model, live, query, reason, deadline)
        popular = partial(build_popular_answer, live, query, reason, self.presentation, knowledge)
        return self._serve(query, await self.scoring.compute_popular(popular), degraded=True)

    def _seconds_for_popular(self, model: LoadedModel, query: RecommendationQuery) -> float:
        """Return how long before the deadline the popular slate is begun."""
        customer_id, manifest = query.named_customer, model.recommender.manifest
        if customer_id is None or not self.store.has_news(customer_id, manifest):
            return POPULAR_SECONDS
        return POPULAR_SECONDS + WORDS_SECONDS

    async def _read_words(
        self,
        model: LoadedModel,
        live: LiveCatalogue,
        query: RecommendationQuery,
        reason: FallbackReason,
        deadline: float,
    ) -> StoreKnowledge:
        """Return what the customer has answered and said, as far as it can be told in time.

        A damaged model may hold the words of somebody else.
        """
        customer_id, words = query.named_customer, None
        if reason is FallbackReason.MODEL_DAMAGED:
            return AWAY.without_preferences()
        if customer_id is None:
            return AWAY
        if self.store.has_news(customer_id, model.recommender.manifest):
            seconds = deadline - asyncio.get_running_loop().time() - POPULAR_SECONDS
            read = asyncio.to_thread(self.computer.read_words, model, live, customer_id)
            with suppress(TimeoutError):
                words = await asyncio.wait_for(read, max(seconds, WORDS_SECONDS))
        return words or self.computer.as_learned(live, customer_id)

    def _with_basis(
        self, served: ServedAnswer, model: LoadedModel, point: Point, newest: int
    ) -> ServedAnswer:
        """Return an answer with what it stands on. `newest`: the position of the store it holds."""
        ((query, answer),) = served.shown
        counters, as_of = self._counters_of_answer(model, query, answer), query.as_of
        recorded = served.shown if self.exposures else ()
        hits = child_of(self.metrics.cache_lookups, "hit")
        answers = child_of(self.metrics.answers, answer.strategy, answer.fallback_reason)

        def holds() -> bool:
            return (
                self.active.current is model
                and model.is_whole
                and self._point(model, as_of) == point
                and self.store.counters.newest(counters) <= newest
            )

        def note() -> None:
            hits.inc()
            answers.inc()
            if self.exposures is not None:
                self.exposures.note(recorded)

        return replace(served, basis=AnswerBasis(holds, note))

    def _keep(self, key: bytes | None, computed: ComputedAnswer) -> None:
        if key is not None and computed.stamp is not None:
            self.cache_value(key, computed.stamp, computed.answer.pack())

    def _serve(
        self, query: RecommendationQuery, answer: RenderedAnswer, *, degraded: bool
    ) -> ServedAnswer:
        child_of(self.metrics.answers, answer.strategy, answer.fallback_reason).inc()
        body = answer.body_for(query.customer_id)
        return ServedAnswer(body, degraded, answer.tag, (ShownAnswer(query, answer),))


def counters_of_page(page: PageQuery) -> tuple[int, ...]:
    """Return the counters whose change makes a page old."""
    counters = set(counters_of(page.visitor))
    for query in page.queries:
        counters.update(counters_of(query))
    return tuple(sorted(counters))


def counters_of(query: RecommendationQuery, of_products: int = CATALOGUE) -> tuple[int, ...]:
    """Return the counters whose change makes an answer old.

    `of_products`: the one that tells which changes of products do.
    """
    names: list[tuple[str, str | None]] = [
        ("customer", query.named_customer),
        ("session", query.session_id),
    ]
    owner = query.order_owner
    if owner is None:
        names.append(("order", query.order_id))
    else:
        # An order of the owner changes with the owner. One of a stranger, under the same id, must
        # not show, not even by an answer that is made anew.
        names += [("customer", owner.customer_id), ("session", owner.session_id)]
    names.append(("campaign", query.campaign))
    if query.reads_ratings:
        names.append(RATINGS)
    own = tuple(counter_of(kind, name) for kind, name in names if name is not None)
    return (of_products, RULES, ERASED, *own)

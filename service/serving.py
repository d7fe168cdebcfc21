"""How a question is served: from the cache, else computed, else the popular slate in its place."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from models.live import NOTHING
from models.slate import FallbackReason
from service.active import ActiveModel
from service.answers import answer, popular_answer
from service.body import Answer, Model
from service.breaker import Breaker
from service.cache import Cache
from service.links import Links
from service.metrics import Metrics
from service.options import Options
from service.problems import NoModel, NotFound, StoreAway
from service.questions import Kind, Known, Question
from service.scoring import LateError, Scoring
from service.settings import Settings
from service.shop import LiveShop, Shop
from service.store.database import StoreDownError
from service.store.revisions import CATALOGUE, ERASED, RULES, slot_of
from service.store.store import Store, Visitor
from service.visitors import since

STAMP: Final = 8  # bytes in front of a cached answer: the position of the store that it was made at
EVERYONE: Final = (CATALOGUE, RULES, ERASED)
log: Final = logging.getLogger("regulars.store")


@dataclass(frozen=True)
class Served:
    body: bytes
    late: bool  # less than what was asked for, because something was slow or away: nobody should keep it


@dataclass(frozen=True)
class Serving:
    """Everything a request needs, put together by the app's lifespan."""

    settings: Settings
    links: Links
    metrics: Metrics
    active: ActiveModel
    scoring: Scoring
    cache: Cache
    store: Store
    live: LiveShop
    breaker: Breaker  # in front of the store

    async def serve(self, question: Question, *, limited: bool = False) -> Served:
        """Always an answer where there is a model. `limited`: a popular one. Raises NoModel before the first one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (question.options.deadline_ms or self.settings.deadline_ms) / 1000
        model = self._model()
        if limited:
            return await self._popular(model, question, FallbackReason.RATE_LIMITED)
        key = question.key(f"{model.version} {self._phase(question)}", self.links.secret + self.store.identity)
        packed = await self.cache.get(key)
        if packed is not None and self._is_new(packed, question):
            self.metrics.cache_lookups.labels("hit").inc()
            return self._served(question, Answer.unpack(packed[STAMP:]), late=False)
        self.metrics.cache_lookups.labels("miss").inc()
        return await self._computed(model, question, key, deadline - loop.time())

    def _phase(self, question: Question) -> int:
        """Rules begin and end by the clock, unless another moment is asked about."""
        return self.live.phase(int(time.time())) if question.options.as_of is None else 0

    async def _computed(self, model: Model, question: Question, key: bytes, wait_seconds: float) -> Served:
        # Not shared with who asked before the newest change: what they get may not hold it.
        now = self.store.revisions.newest(slots(question))
        try:
            found, at = await self.scoring.answer(
                (key, now), partial(self._answer, model, question), partial(self._keep, key), wait_seconds
            )
        except LateError:
            return await self._popular(model, question, FallbackReason.DEADLINE)
        return self._served(question, found, late=at is None)

    async def _popular(self, model: Model, question: Question, reason: FallbackReason) -> Served:
        shop = self._today(self.live.as_known(model), question)
        popular = partial(popular_answer, shop, question, reason, self.links)
        return self._served(question, await self.scoring.popular(popular), late=True)

    def _answer(self, model: Model, question: Question) -> tuple[Answer, int | None]:
        """In a thread: the answer and the position of the store that it was made at, None where the store is away."""
        visitor = self._visitor(model, question)
        if question.order_id is not None:
            question = replace(question, basket=_order(visitor))
        if visitor is None:
            shop = self._today(self.live.as_known(model), question)
            forgotten = shop.forgotten(question.customer_id)
            told = replace(NOTHING, unasked=self.live.unasked, forgotten=forgotten)
            return answer(shop, question, self.links, Known(told, None, away=True)), None
        shop = self._today(self.live.at(model, visitor.position), question)
        forgotten = shop.forgotten(question.customer_id)
        told = since(visitor, shop.model.recommender.catalogue, unasked=self.live.unasked, forgotten=forgotten)
        known = Known(told, visitor.position.newest)
        return answer(shop, question, self.links, known), visitor.stamp

    def _today(self, shop: Shop, question: Question) -> Shop:
        return shop.today(int(time.time())) if question.options.as_of is None else shop

    def known(self, customer_id: str | None) -> tuple[Shop, Visitor] | None:
        """In a thread: the shop and what the store says of a customer; None where the store is away."""
        model = self._model()
        visitor = self._visitor(model, Question(Kind.CUSTOMER, Options(), "", customer_id=customer_id), brief=False)
        return None if visitor is None else (self.live.at(model, visitor.position), visitor)

    def _visitor(self, model: Model, question: Question, *, brief: bool = True) -> Visitor | None:
        """`brief`: what the model has learned need not be told again."""
        if not self.breaker.allows(time.monotonic()):
            return None
        try:
            learned = model.recommender.manifest.event_position
            asked = (question.customer_id, question.session_id, learned)
            visitor = self.store.news(*asked) if brief and question.order_id is None else None
            visitor = visitor or self.store.visitor(*asked, question.order_id)
        except StoreDownError as error:
            self.breaker.failed(time.monotonic())
            log.warning("the store does not answer: %s", error)
            return None
        self.breaker.succeeded()
        return visitor

    def _is_new(self, packed: bytes, question: Question) -> bool:
        """Whether nothing has changed since a cached answer was made."""
        return int.from_bytes(packed[:STAMP], "little") >= self.store.revisions.newest(slots(question))

    def _keep(self, key: bytes, found: tuple[Answer, int | None]) -> None:
        made, at = found
        if at is not None:
            self.cache.put(key, at.to_bytes(STAMP, "little") + made.pack())

    def _model(self) -> Model:
        model = self.active.current
        if model is None:
            refusal = self.active.refusal
            raise NoModel(f"{refusal.version}: {refusal.reason}" if refusal else None)
        return model

    def _served(self, question: Question, found: Answer, *, late: bool) -> Served:
        self.metrics.answers.labels(found.strategy, found.fallback_reason).inc()
        return Served(found.body_for(question.customer_id), late)


def _order(visitor: Visitor | None) -> tuple[str, ...]:
    """The products of the order asked about."""
    if visitor is None:
        raise StoreAway
    if not visitor.order:
        raise NotFound("No order of that id was reported; POST /v1/events takes purchases.")
    return tuple(visitor.order)


def slots(question: Question) -> tuple[int, ...]:
    """What an answer depends on besides the model: a change of these makes it old."""
    named = (("customer", question.customer_id), ("session", question.session_id), ("order", question.order_id))
    return EVERYONE + tuple(slot_of(kind, name) for kind, name in named if name is not None)

"""How a question is served: from the cache, else computed, else the popular slate in its place."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from models.slate import FallbackReason
from service.active import ActiveModel
from service.answers import answer, popular_answer
from service.body import Answer, Model
from service.cache import Cache
from service.metrics import Metrics
from service.problems import NoModel
from service.questions import Question
from service.scoring import LateError, Scoring
from service.settings import Settings


@dataclass(frozen=True)
class Served:
    body: bytes
    late: bool  # the popular slate in place of the one asked for: nobody should keep it


@dataclass(frozen=True)
class Serving:
    """Everything a request needs, put together by the app's lifespan."""

    settings: Settings
    secret: bytes
    metrics: Metrics
    active: ActiveModel
    scoring: Scoring
    cache: Cache

    async def serve(self, question: Question) -> Served:
        """Always an answer where there is a model. Raises NoModel before the first one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (question.options.deadline_ms or self.settings.deadline_ms) / 1000
        model = self._model()
        key = question.key(model.version, self.secret)
        packed = await self.cache.get(key)
        if packed is not None:
            self.metrics.cache_lookups.labels("hit").inc()
            return self._served(question, Answer.unpack(packed), late=False)
        self.metrics.cache_lookups.labels("miss").inc()
        return await self._computed(model, question, key, deadline - loop.time())

    async def _computed(self, model: Model, question: Question, key: bytes, wait_seconds: float) -> Served:
        compute = partial(answer, model, question, self.secret)
        try:
            found = await self.scoring.answer(key, compute, partial(self._keep, key), wait_seconds)
        except LateError:
            popular = partial(popular_answer, model, question, FallbackReason.DEADLINE, self.secret)
            return self._served(question, await self.scoring.popular(popular), late=True)
        return self._served(question, found, late=False)

    def _keep(self, key: bytes, found: Answer) -> None:
        self.cache.put(key, found.pack())

    def _model(self) -> Model:
        model = self.active.current
        if model is None:
            refusal = self.active.refusal
            raise NoModel(f"{refusal.version}: {refusal.reason}" if refusal else None)
        return model

    def _served(self, question: Question, found: Answer, *, late: bool) -> Served:
        self.metrics.answers.labels(found.strategy, found.fallback_reason).inc()
        return Served(found.body_for(question.customer_id), late)

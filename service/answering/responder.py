"""How a question is served: from the cache, else computed, else the popular slate in its place."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Final, TypeVar

from models.mail.mailings import MailKind
from models.slate import FallbackReason
from models.updates.customer import NO_UPDATE, STARS
from service.answering.answer import answer, popular_answer
from service.answering.query import QueryKind, RecommendationQuery, StoreKnowledge
from service.answering.render import RenderedAnswer
from service.answering.scoring_pool import LateError, ScoringPool
from service.cache.memory import Cache
from service.errors import NoModel, NotFound, StoreUnavailable
from service.mail.campaigns import OpenCampaigns
from service.mail.mail_slate import HANDLED, CampaignMail, began, learned_since, made, mail_of
from service.model.active_model import ActiveModel
from service.model.customer_updates import since
from service.model.live_catalogue import CatalogueFollower, LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.runtime.circuit_breaker import CircuitBreaker, CircuitOpenError
from service.runtime.metrics import Metrics
from service.settings import Settings
from service.signing.click_links import ClickLinks
from service.store import campaigns, events
from service.store.campaigns import Record
from service.store.change_counters import CATALOGUE, ERASED, RULES, counter_of
from service.store.database import StoreDownError
from service.store.store import CustomerRecords, Store
from service.store.writer import Change, Position

T = TypeVar("T")
STAMP: Final = 8  # bytes in front of a cached answer: the position of the store that it was made at
POPULAR_SECONDS: Final = (
    0.005  # before the deadline the popular slate is begun, so that it is there in time
)
EVERYONE: Final = (CATALOGUE, RULES, ERASED)
LIKED: Final = STARS[0]  # stars; with fewer a customer does not want to see it
log: Final = logging.getLogger("regulars.store")


@dataclass(frozen=True)
class Served:
    body: bytes
    late: bool  # less than what was asked for, because something was slow or away: nobody should keep it


@dataclass(frozen=True)
class ComputedAnswer:
    """An answer as it comes out of a thread."""

    answer: RenderedAnswer
    stamp: int | None  # the position of the store that it was made at; None: the store is away
    record: Callable[[Change], bool] | None = None  # keeps what a mail shows for the first time


@dataclass(frozen=True)
class Responder:
    """Everything a request needs, put together by the app's lifespan."""

    settings: Settings
    links: ClickLinks
    metrics: Metrics
    active: ActiveModel
    scoring: ScoringPool
    cache: Cache
    store: Store
    live: CatalogueFollower
    mails: (
        CatalogueFollower  # of the models that campaigns are pinned to, as they learned what sells
    )
    pins: OpenCampaigns
    breaker: CircuitBreaker  # in front of the store
    # One slate is computed at a time: two threads of numpy take the interpreter from one another and cost half as much
    # more. Meanwhile the others ask the store.
    computing: Lock = field(default_factory=Lock)

    async def serve(self, question: RecommendationQuery, *, limited: bool = False) -> Served:
        """Always an answer where there is a model. `limited`: a popular one. Raises NoModel before the first one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (question.deadline_ms or self.settings.deadline_ms) / 1000
        model = self.model()
        if limited:
            return await self._popular(model, question, FallbackReason.RATE_LIMITED)
        key = question.key(
            f"{model.version} {self._edition(model, question)}",
            self.links.secret + self.store.identity,
        )
        if not question.recorded:
            packed = await self.cache.get(key)
            if packed is not None and self._is_new(packed, question):
                self.metrics.cache_lookups.labels("hit").inc()
                return self._served(question, RenderedAnswer.unpack(packed[STAMP:]), late=False)
            self.metrics.cache_lookups.labels("miss").inc()
        return await self._computed(model, question, key, deadline - loop.time())

    def _edition(self, model: LoadedModel, question: RecommendationQuery) -> tuple[int, int]:
        """Rules begin and end by the clock, unless another moment is asked about."""
        return self.live.edition(model, int(time.time()) if question.as_of is None else None)

    async def _computed(
        self, model: LoadedModel, question: RecommendationQuery, key: bytes, wait_seconds: float
    ) -> Served:
        # Not shared with who asked before the newest change: what they get may not hold it.
        now = self.store.revisions.newest(slots(question))
        try:
            found = await self.scoring.answer(
                (key, now),
                partial(self._answer, model, question),
                partial(self._keep, None if question.recorded else key),
                wait_seconds - POPULAR_SECONDS,
            )
        except LateError:
            return await self._popular(model, question, FallbackReason.DEADLINE)
        return self._served(question, found.answer, late=found.stamp is None)

    async def _popular(
        self, model: LoadedModel, question: RecommendationQuery, reason: FallbackReason
    ) -> Served:
        shop = self._today(self.live.as_known(model), question)
        popular = partial(popular_answer, shop, question, reason, self.links)
        return self._served(question, await self.scoring.popular(popular), late=True)

    def _answer(self, model: LoadedModel, question: RecommendationQuery) -> ComputedAnswer:
        """In a thread."""
        if question.recorded:
            return self._mailed(model, question)
        visitor = self._visitor(model, question)
        if visitor is None:
            return self._away(model, question)
        if question.kind is QueryKind.ORDER:
            question = replace(question, basket=_order(visitor))
        shop = self._shop(self.live, model, question, visitor.position)
        if shop is None:
            return self._away(model, question)
        known = self._told(shop, question, visitor)
        with self.computing:
            return ComputedAnswer(answer(shop, question, self.links, known), visitor.stamp)

    def _away(self, model: LoadedModel, question: RecommendationQuery) -> ComputedAnswer:
        """As far as this process knows, where the store does not answer."""
        if question.kind is QueryKind.ORDER:
            raise StoreUnavailable
        shop = self._today(self.live.as_known(model), question)
        if self._answered(model, question.customer_id):
            return ComputedAnswer(
                popular_answer(shop, question, FallbackReason.STORE_UNAVAILABLE, self.links), None
            )
        told = replace(
            NO_UPDATE, unasked=self.live.unasked, forgotten=shop.forgotten(question.customer_id)
        )
        with self.computing:
            return ComputedAnswer(
                answer(shop, question, self.links, StoreKnowledge(told, None, away=True)), None
            )

    def _answered(self, model: LoadedModel, customer_id: str | None) -> bool:
        """Whether a customer may have said no since a model learned: the store knows, and it is away."""
        if customer_id is None:
            return False
        return (
            self.store.revisions[counter_of("consent", customer_id)]
            > model.recommender.manifest.event_position
        )

    def _told(
        self, shop: LiveCatalogue, question: RecommendationQuery, visitor: CustomerRecords
    ) -> StoreKnowledge:
        forgotten = shop.forgotten(question.customer_id)
        told = since(
            visitor,
            shop.model.recommender.catalogue,
            unasked=self.live.unasked,
            forgotten=forgotten,
        )
        order = tuple(visitor.order)
        return StoreKnowledge(
            told, visitor.position.newest, visitor.stamp, order=order, unwanted=order
        )

    def _mailed(self, model: LoadedModel, question: RecommendationQuery) -> ComputedAnswer:
        """The slate of a campaign."""
        clock, customer_id = int(time.time()), question.customer_id or ""
        campaign = self._asked(partial(self.pins.of, question.campaign or "", model, clock))
        if campaign is None:
            return self._away(model, question)
        triggered = MailKind(campaign.kind).triggered
        pinned = model if triggered else self.active.pinned(campaign.model_version) or model
        visitor = self._visitor(pinned, question)
        if visitor is None:
            return self._away(model, question)
        mail = mail_of(campaign, question.ref(self.store.identity), visitor.mails, clock)
        shop = self._shop(
            self.live if triggered else self.mails, pinned, question, visitor.position
        )
        handled = self._handled(model, pinned, mail, customer_id)
        if shop is None or handled is None:
            return self._away(model, question)
        known = self._told(shop, question, visitor)
        moment = (
            max(pinned.recommender.manifest.data_as_of, known.newest or 0)
            if triggered
            else campaign.as_of
        )
        with self.computing:
            found = made(
                shop, question, self.links, known, mail, handled, moment, self.settings.mail_days
            )
        keep: Callable[[Change], bool] | None = None
        if found.document is not None:
            # No host's clock puts it before the mailing that it is of.
            when = max(clock, campaign.opened)
            record = Record(mail.ref, campaign.campaign_id, customer_id, when, found.document)
            keep = partial(
                campaigns.keep,
                made=record,
                valid_after=began(campaign, clock),
                erased=shop.erased_number,
            )
        elif found.also:
            keep = partial(campaigns.show_also, ref=mail.ref, products=found.also)
        return ComputedAnswer(found.answer, visitor.stamp, keep)

    def _handled(
        self, model: LoadedModel, pinned: LoadedModel, mail: CampaignMail, customer_id: str
    ) -> list[str] | None:
        """What the customer bought or refused since a mail was made: as reported, and as learned since."""
        reported: list[events.EventRow] | None = []
        if (
            mail.record
            and self.store.revisions[counter_of("customer", customer_id)] > mail.record["number"]
        ):
            told = partial(events.of_customer, customer_id=customer_id, above=mail.record["number"])
            reported = self._asked(partial(self.store.read, told))
        if reported is None:
            return None
        handled = [
            row.product_id
            for row in reported
            if row.kind in HANDLED or (row.rating or LIKED) < LIKED
        ]
        maker, as_of = (
            (mail.record["model_version"], mail.record["as_of"])
            if mail.record
            else (pinned.version, mail.campaign.as_of)
        )
        same = maker == model.version
        return handled if same else handled + learned_since(model.recommender, customer_id, as_of)

    def _shop(
        self,
        shops: CatalogueFollower,
        model: LoadedModel,
        question: RecommendationQuery,
        position: Position,
    ) -> LiveCatalogue | None:
        """The shop as it is now; None where the store is away."""
        shop = self._asked(partial(shops.at, model, position))
        return None if shop is None else self._today(shop, question)

    def _today(self, shop: LiveCatalogue, question: RecommendationQuery) -> LiveCatalogue:
        return shop.today(int(time.time())) if question.as_of is None else shop

    def known(
        self, customer_id: str | None, order_id: str | None = None
    ) -> tuple[LiveCatalogue, CustomerRecords] | None:
        """In a thread: the shop and what the store says of a customer and an order; None where the store is away."""
        model = self.model()
        question = RecommendationQuery(
            QueryKind.CUSTOMER, "", customer_id=customer_id, order_id=order_id
        )
        visitor = self._visitor(model, question, brief=False)
        shop = (
            None if visitor is None else self._asked(partial(self.live.at, model, visitor.position))
        )
        return None if visitor is None or shop is None else (shop, visitor)

    def _visitor(
        self, model: LoadedModel, question: RecommendationQuery, *, brief: bool = True
    ) -> CustomerRecords | None:
        """`brief`: what the model has learned need not be told again."""
        learned = model.recommender.manifest.event_position
        asked, mailed = (
            (question.customer_id, question.session_id, learned),
            question.campaign is not None,
        )

        def ask() -> CustomerRecords:
            visitor = (
                self.store.news(*asked, mailed=mailed)
                if brief and question.order_id is None
                else None
            )
            return visitor or self.store.visitor(*asked, question.order_id, mailed=mailed)

        return self._asked(ask)

    def _asked(self, ask: Callable[[], T]) -> T | None:
        """What the store says; None where it is away."""
        try:
            with self.breaker:
                return ask()
        except CircuitOpenError:
            return None
        except StoreDownError as error:
            log.warning("the store does not answer: %s", error)
            return None

    def _is_new(self, packed: bytes, question: RecommendationQuery) -> bool:
        """Whether nothing has changed since a cached answer was made."""
        return int.from_bytes(packed[:STAMP], "little") >= self.store.revisions.newest(
            slots(question)
        )

    def _keep(self, key: bytes | None, found: ComputedAnswer) -> None:
        """In the store what a mail shows for the first time, in the cache what stands in no store."""
        if found.record is not None:
            self.store.write(found.record, awaited=False).add_done_callback(self._recorded)
        elif found.stamp is not None and key is not None:
            self.cache.put(key, found.stamp.to_bytes(STAMP, "little") + found.answer.pack())

    def _recorded(self, kept: Future[bool]) -> None:
        error = kept.exception()
        if error is not None:
            log.warning("what a mail showed was not recorded: %s", error)
        self.metrics.mails.labels(
            "lost" if error else "recorded" if kept.result() else "known"
        ).inc()

    def model(self) -> LoadedModel:
        """The one in service. Raises NoModel."""
        model = self.active.current
        if model is None:
            refusal = self.active.refusal
            raise NoModel(f"{refusal.version}: {refusal.reason}" if refusal else None)
        return model

    def _served(
        self, question: RecommendationQuery, found: RenderedAnswer, *, late: bool
    ) -> Served:
        self.metrics.answers.labels(found.strategy, found.fallback_reason).inc()
        return Served(found.body_for(question.customer_id), late)


def _order(visitor: CustomerRecords) -> tuple[str, ...]:
    """The products of the order asked about."""
    if not visitor.order:
        raise NotFound("No order of that id was reported; POST /v1/events takes purchases.")
    return tuple(visitor.order)


def slots(question: RecommendationQuery) -> tuple[int, ...]:
    """What an answer depends on besides the model: a change of these makes it old."""
    named = (
        ("customer", question.customer_id),
        ("session", question.session_id),
        ("order", question.order_id),
        ("campaign", question.campaign),
    )
    return EVERYONE + tuple(counter_of(kind, name) for kind, name in named if name is not None)

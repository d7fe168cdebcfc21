"""Answers from the model, the catalogue as it is now, and what the store knows of a customer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Final, TypeVar

from models.data.customers import TRAIN
from models.data.segments import NO_GROUPS, CustomerGroups
from models.rules.preferences import NO_PREFERENCES
from models.slate import FallbackReason
from models.steps import step
from models.updates.customer import NO_UPDATE, CustomerUpdate
from service.answering.answer import (
    AnswerInputs,
    assign_served,
    assign_variant,
    build_answer,
    build_popular_answer,
)
from service.answering.offers import find_offer
from service.answering.presentation import Presentation
from service.answering.query import QueryKind, RecommendationQuery, StoreKnowledge
from service.answering.render import RenderedAnswer
from service.answering.shop_page import PageInProgress, PageQuery, build_page
from service.errors import NotFound, StoreUnavailable
from service.model.customer_updates import build_customer_update
from service.model.live_catalogue import CatalogueFollower, LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.runtime.circuit_breaker import CircuitBreaker, CircuitOpenError
from service.store.database import StoreDownError
from service.store.events import summarize_ratings
from service.store.store import CustomerRecords, Store
from service.store.writer import Position

T = TypeVar("T")
log: Final = logging.getLogger("regulars.store")


@dataclass(frozen=True)
class ComputedAnswer:
    """Hold an answer as it comes out of a thread."""

    answer: RenderedAnswer
    stamp: int | None  # the position of the store that it was made at; None: the store is away


@dataclass(frozen=True)
class ComputedPage:
    """Hold the answers of a page as they come out of a thread."""

    answers: tuple[RenderedAnswer, ...]
    stamp: int | None  # as of a ComputedAnswer


@dataclass(frozen=True)
class AnswerComputer:
    """A computer of answers, called in threads."""

    presentation: Presentation
    store: Store
    catalogues: CatalogueFollower
    breaker: CircuitBreaker  # in front of the store
    # Models that experiments answer with, by version; None where one cannot be served
    find_model: Callable[[str], LoadedModel | None]
    other_catalogues: CatalogueFollower  # of these models
    # One slate is computed at a time: two threads of numpy take the interpreter from one another
    # and cost half as much more. Meanwhile the others ask the store.
    computing: Lock = field(default_factory=Lock)

    def compute(self, model: LoadedModel, query: RecommendationQuery) -> ComputedAnswer:
        """Return the answer; while the store is away, the best that this process can give."""
        gathered = self.gather(model, query)
        if gathered is None:
            return self.compute_without_store(model, query)
        query, (live, knowledge) = gathered
        if query.kind is QueryKind.ORDER:
            query = replace(query, basket=_order_of(knowledge))
        with self.computing:
            answer = build_answer(live, query, self.presentation, knowledge)
        return self.add_offer(ComputedAnswer(answer, knowledge.number), live, query, knowledge)

    def add_offer(
        self,
        computed: ComputedAnswer,
        live: LiveCatalogue,
        query: RecommendationQuery,
        knowledge: StoreKnowledge,
        occasion: str | None = None,
    ) -> ComputedAnswer:
        """Return an answer with the offer that stands beside it, where one does.

        Where no code can be given now it has none, and nobody keeps it.
        """
        try:
            offer = find_offer(self.store, self.presentation, live, query, knowledge, occasion)
        except StoreDownError as error:
            log.warning("a code of an offer was not given: %s", error)
            return replace(computed, stamp=None)
        if offer is None:
            return computed
        return replace(computed, answer=computed.answer.with_offer(offer))

    def compute_page(
        self, model: LoadedModel, page: PageQuery, progress: PageInProgress
    ) -> ComputedPage:
        """Return the answers of a page, which are added to `progress` one after the other."""
        inputs = self._gather(self.catalogues, model, page.visitor, page.queries)
        if inputs is None:
            for query in page.queries:
                query = progress.without_shown(query)
                progress.add(self.compute_without_store(model, query).answer)
            return ComputedPage(tuple(progress.answers), None)
        others: dict[str, AnswerInputs] = {}
        for query in page.queries:
            query = assign_variant(inputs.live, query, inputs.knowledge)
            if query.model_version not in (None, *others):
                others[query.model_version or ""] = self._gather_other(model, query) or inputs
        with self.computing:
            build_page(page, self.presentation, inputs, others, progress)
        stamp = min(each.knowledge.number for each in (inputs, *others.values()))
        return self._add_offers(page, inputs, ComputedPage(tuple(progress.answers), stamp))

    def _add_offers(
        self, page: PageQuery, inputs: AnswerInputs, computed: ComputedPage
    ) -> ComputedPage:
        """Return a page with an offer beside the first of its parts that one stands beside."""
        live, knowledge = inputs
        answers = list(computed.answers)
        for index, query in enumerate(page.queries):
            asked = assign_served(live, query, knowledge)
            answer = ComputedAnswer(answers[index], computed.stamp)
            offered = self.add_offer(answer, live, asked, knowledge)
            if offered is not answer:
                answers[index] = offered.answer
                return ComputedPage(tuple(answers), offered.stamp)
        return computed

    def find_other_model(self, model: LoadedModel, query: RecommendationQuery) -> LoadedModel:
        """Return the model that the experiment of a query has it answered with.

        In place of one that cannot be served any more it is `model`.
        """
        version = query.model_version
        return model if version is None else self.find_model(version) or model

    def _gather_other(self, model: LoadedModel, query: RecommendationQuery) -> AnswerInputs | None:
        """Return what another model needs that an experiment answers with, None for no other."""
        other = self.find_other_model(model, query)
        if other.version == model.version:
            return None
        return self._gather(self.other_catalogues, other, query, (query,))

    def gather(
        self, model: LoadedModel, query: RecommendationQuery
    ) -> tuple[RecommendationQuery, AnswerInputs] | None:
        """Return a query as its experiment has it answered, and what it is answered from.

        None while the store is away.
        """
        inputs = self._gather(self.catalogues, model, query, (query,))
        if inputs is None:
            return None
        query = assign_variant(inputs.live, query, inputs.knowledge)
        inputs = self._gather_other(model, query) or inputs
        return assign_served(inputs.live, query, inputs.knowledge), inputs

    def _gather(
        self,
        catalogues: CatalogueFollower,
        model: LoadedModel,
        query: RecommendationQuery,
        queries: Sequence[RecommendationQuery],
    ) -> AnswerInputs | None:
        """Return the catalogue and what is known for queries; None while the store is away.

        `query`: whose records are read, and for which moment.
        """
        records = self.read_customer(model, query)
        if records is None:
            return None
        live = self.read_catalogue(catalogues, model, query, records.position)
        if live is None:
            return None
        knowledge = self.knowledge_of(live, query.named_customer, records)
        if any(one.reads_ratings for one in queries):
            ratings = self.ask_store(partial(self.store.read, summarize_ratings))
            if ratings is None:
                return None
            knowledge = replace(knowledge, ratings=ratings)
        return AnswerInputs(live, knowledge)

    def compute_without_store(
        self, model: LoadedModel, query: RecommendationQuery
    ) -> ComputedAnswer:
        """Return the answer as far as this process knows. Raises StoreUnavailable for an order."""
        if query.kind is QueryKind.ORDER:
            raise StoreUnavailable
        live = catalogue_for(query, self.catalogues.as_known(model))
        knowledge = self.as_learned(live, query.named_customer)
        if self._may_have_refused(model, query.customer_id):
            reason = FallbackReason.STORE_UNAVAILABLE
            popular = build_popular_answer(live, query, reason, self.presentation, knowledge)
            return ComputedAnswer(popular, None)
        query = assign_served(live, query, knowledge)
        with self.computing:
            answer = build_answer(live, query, self.presentation, knowledge)
        return self.add_offer(ComputedAnswer(answer, None), live, query, knowledge)

    def as_learned(self, live: LiveCatalogue, customer_id: str | None) -> StoreKnowledge:
        """Return what is known of a customer without the store.

        Nothing they like counts, as they may have taken it back; and nothing at all that they said
        if they may have refused since the model has learned.
        """
        forgotten = live.is_forgotten(customer_id)
        said, recommender = NO_PREFERENCES, live.model.recommender
        refuses = forgotten or self._may_have_refused(live.artifact, customer_id)
        if live.model.is_whole and not refuses:
            said = recommender.find_preferences(recommender.find_user(customer_id)).without_likes()
        unasked = self.catalogues.unasked_of(customer_id)
        update = replace(NO_UPDATE, unasked=unasked, preferences=said, forgotten=forgotten)
        return StoreKnowledge(update, away=True)

    def read_words(
        self, model: LoadedModel, live: LiveCatalogue, customer_id: str
    ) -> StoreKnowledge | None:
        """Return what a customer has answered and said; None while the store is away."""
        manifest = model.recommender.manifest

        def read() -> CustomerRecords:
            return self.store.read_words(customer_id, self.store.learned_number(manifest))

        records = self.ask_store(read)
        return None if records is None else self.knowledge_of(live, customer_id, records)

    def find_live(self, model: LoadedModel | None) -> LiveCatalogue | None:
        """Return the catalogue of now; None while no whole model is served or the store is away."""
        if model is None or not model.is_whole:
            return None
        looked_up = self.look_up(model, None)
        return looked_up[0] if looked_up else None

    def look_up(
        self, model: LoadedModel, customer_id: str | None, order_id: str | None = None
    ) -> tuple[LiveCatalogue, CustomerRecords] | None:
        """Return the catalogue and all that the store says of a customer and an order.

        None while the store is away.
        """
        query = RecommendationQuery(
            QueryKind.CUSTOMER, "", customer_id=customer_id, order_id=order_id
        )
        records = self.read_customer(model, query, brief=False)
        if records is None:
            return None
        live = self.ask_store(partial(self.catalogues.at, model, records.position))
        return None if live is None else (live, records)

    def read_customer(
        self, model: LoadedModel, query: RecommendationQuery, *, brief: bool = True
    ) -> CustomerRecords | None:
        """Return what the store says of the customer, session and order of a query.

        `brief`: without what the model has learned. None while the store is away.
        """
        manifest = model.recommender.manifest
        mailed = query.campaign is not None

        def read() -> CustomerRecords:
            learned = self.store.learned_number(manifest)
            customer = (query.named_customer, query.session_id, learned)
            # Who has logged into a session long ago is read, where some are never personalised
            is_visit = query.named_customer is None and query.session_id is not None
            owner_counts = is_visit and self.catalogues.as_known(model).holdout is not None
            if brief and query.order_id is None and not owner_counts:
                news = self.store.read_if_unchanged(*customer, mailed=mailed)
                if news is not None:
                    return news
            owner = query.order_owner
            return self.store.read_records(
                *customer, query.order_id, order_owner=owner, mailed=mailed
            )

        with step("store"):
            return self.ask_store(read)

    def read_catalogue(
        self,
        catalogues: CatalogueFollower,
        model: LoadedModel,
        query: RecommendationQuery,
        position: Position,
    ) -> LiveCatalogue | None:
        """Return the catalogue at a position of the store; None while the store is away."""
        live = self.ask_store(partial(catalogues.at, model, position))
        return None if live is None else catalogue_for(query, live)

    def knowledge_of(
        self, live: LiveCatalogue, customer_id: str | None, records: CustomerRecords
    ) -> StoreKnowledge:
        """Return what the store says of a customer, in the words of a catalogue."""
        order = tuple(records.order)
        buyers = {
            buyer: self._update_of(live, buyer, replace(records, rows=[], words=words))
            for buyer, words in records.buyers.items()
        }
        update = self._update_of(live, customer_id, records)
        return StoreKnowledge(
            update,
            records.stamp,
            order=order,
            unwanted=order,
            buyers=buyers,
            groups=self._groups_of(live, customer_id, update),
        )

    def _groups_of(
        self, live: LiveCatalogue, customer_id: str | None, update: CustomerUpdate
    ) -> CustomerGroups:
        """Return the groups of a customer who allows to be learned from."""
        if customer_id is None or update.forgotten or not live.model.is_whole:
            return NO_GROUPS
        recommender = live.model.recommender
        segment = self.catalogues.find_segment(customer_id)
        groups = CustomerGroups(segment, recommender.find_columns(customer_id))
        if groups == NO_GROUPS or not recommender.allows(customer_id, TRAIN, update):
            return NO_GROUPS
        return groups

    def _update_of(
        self, live: LiveCatalogue, customer_id: str | None, records: CustomerRecords
    ) -> CustomerUpdate:
        return build_customer_update(
            records,
            live.model.recommender.catalogue,
            unasked=self.catalogues.unasked_of(customer_id),
            forgotten=live.is_forgotten(customer_id),
            may_repeat=records.learned < live.artifact.recommender.manifest.event_position,
        )

    def ask_store(self, read: Callable[[], T]) -> T | None:
        """Return what a call of the store gives; None while the store is away."""
        try:
            with self.breaker:
                return read()
        except CircuitOpenError:
            return None
        except StoreDownError as error:
            log.warning("the store does not answer: %s", error)
            return None

    def _may_have_refused(self, model: LoadedModel, customer_id: str | None) -> bool:
        """Tell whether a customer may have said no since the model learned."""
        if customer_id is None:
            return False
        return self.store.may_have_answered(customer_id, model.recommender.manifest)


def catalogue_for(query: RecommendationQuery, live: LiveCatalogue) -> LiveCatalogue:
    """Return the catalogue with the rules of now, unless the query is about another moment."""
    return live.with_rules_at(int(time.time())) if query.as_of is None else live


def _order_of(knowledge: StoreKnowledge) -> tuple[str, ...]:
    if not knowledge.order:
        raise NotFound("No order of that id was reported; POST /v1/events takes purchases.")
    return knowledge.order

"""Answers to queries. No clock and no request in here: the same query gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from models.data.segments import NO_GROUPS, CustomerGroups
from models.recommender import DueSlate, Recommender, SharedContexts
from models.shop_lists import ListedProducts, ShopList, list_products, list_viewed
from models.slate import Bundle, FallbackReason, ScoreKind, Slate, SlateRequest, Strategy
from models.updates.customer import CustomerUpdate
from service.answering.presentation import Presentation
from service.answering.query import (
    AS_LEARNED,
    AWAY,
    AnswerMoment,
    QueryKind,
    RecommendationQuery,
    ResolvedQuery,
    StoreKnowledge,
    resolve_query,
)
from service.answering.render import (
    AnswerRenderer,
    RenderedAnswer,
    SlateFacts,
    slate_content,
)
from service.model.live_catalogue import LiveCatalogue


class AnswerInputs(NamedTuple):
    """What an answer is made from, beside its query."""

    live: LiveCatalogue
    knowledge: StoreKnowledge


@dataclass
class SharedByAnswers:
    """Hold what answers to one customer, from one model and for one moment, share."""

    contexts: SharedContexts = field(default_factory=dict)
    shown: list[int] = field(default_factory=list)  # items that the next one must not show


def build_answer(
    live: LiveCatalogue,
    query: RecommendationQuery,
    presentation: Presentation,
    knowledge: StoreKnowledge = AS_LEARNED,
    shared: SharedByAnswers | None = None,
) -> RenderedAnswer:
    """Return the answer, computed: milliseconds of numpy.

    `shared`: with the other answers of a page.
    """
    shared = shared or SharedByAnswers()
    query = assign_served(live, query, knowledge)
    if query.switched_off:
        off = FallbackReason.SWITCHED_OFF
        return build_popular_answer(live, query, off, presentation, knowledge)
    if not query.with_rules:
        knowledge = knowledge.without_preferences()
    resolved, renderer = prepare_answer(live, query, presentation, knowledge)
    resolved = replace(resolved, request=resolved.request.without(shared.shown))
    contexts = shared.contexts
    if query.kind in (QueryKind.BUNDLES, QueryKind.BASKET):
        return _build_bundles(renderer, resolved, knowledge)
    if query.kind is QueryKind.RANKING:
        return _build_ranking(live, renderer, resolved, knowledge, contexts)
    if query.kind is QueryKind.LIST:
        return _build_list(live, renderer, resolved, knowledge)
    if query.kind is QueryKind.REPLENISHMENT:
        return _build_due(live, renderer, resolved, knowledge, contexts)
    slate = _build_slate(live.model.recommender, query, resolved, knowledge, contexts)
    if knowledge.away:
        # A customer whom nobody knows here may be known to the store.
        reason = None if live.nobody_known else slate.fallback_reason
        slate = replace(slate, fallback_reason=reason or FallbackReason.STORE_UNAVAILABLE)
    return _render_slate(renderer, slate)


def build_popular_answer(
    live: LiveCatalogue,
    query: RecommendationQuery,
    reason: FallbackReason,
    presentation: Presentation,
    knowledge: StoreKnowledge = AWAY,
) -> RenderedAnswer:
    """Return the ready answer: popular products within the limits of the query. A millisecond.

    To a query for bundles it is empty: popular products belong to nothing. `knowledge`: what the
    customer has answered and said.
    """
    query = assign_served(live, query, knowledge)
    if not query.with_rules:
        knowledge = knowledge.without_preferences()
    resolved, renderer = prepare_answer(live, query, presentation, knowledge)
    if query.kind in (QueryKind.BUNDLES, QueryKind.BASKET, QueryKind.ORDER):
        return renderer.render(SlateFacts.of_bundles(reason), [], [])
    if query.kind is QueryKind.REPLENISHMENT:
        nothing = Slate(Strategy.PERSONAL, reason, (), ScoreKind.DUE)
        return renderer.render_due(DueSlate(nothing, ()))
    if query.kind is QueryKind.LIST:
        empty = Slate(Strategy.LIST, reason, (), ScoreKind.RECENCY)
        return renderer.render_list(ListedProducts(empty, ()))
    recommender, request = live.model.recommender, resolved.request
    if (
        query.customer_id is not None
        and live.model.is_whole
        and not live.is_forgotten(query.customer_id)
    ):
        user = recommender.model.customers.ids.find(query.customer_id)
        request = recommender.at_home(user, request)
    if query.kind is QueryKind.RANKING:
        ranking = recommender.rank_by_sales(resolved.given, request)
        return renderer.render_ranking(replace(ranking, fallback_reason=reason), resolved.given_ids)
    if query.switched_off:
        nothing = Slate(Strategy.NOT_PERSONALIZED, reason, (), ScoreKind.SALES)
        return _render_slate(renderer, nothing)
    slate = recommender.popular(request)
    return _render_slate(renderer, replace(slate, fallback_reason=reason))


def assign_variant(
    live: LiveCatalogue, query: RecommendationQuery, knowledge: StoreKnowledge
) -> RecommendationQuery:
    """Return the query as the experiment that its customer or session is in has it answered."""
    if query.assigned is not None:
        return query
    groups = find_groups(live, query.named_customer, query.purpose, knowledge)
    return query.assign(live.find_assigned(query.subjects, query.placement, query.as_of, groups))


def find_groups(
    live: LiveCatalogue, customer_id: str | None, purpose: int, knowledge: StoreKnowledge
) -> CustomerGroups:
    """Return the groups of a customer, where they may be used in a channel.

    `purpose`: of the channel. Like all that is personal it takes the consent for it, and nobody in
    the holdout is treated by their groups.
    """
    if knowledge.groups == NO_GROUPS:
        return NO_GROUPS
    request = SlateRequest(purpose=purpose, holdout=live.holdout)
    refusal = live.model.recommender.refusal(customer_id, request, knowledge.update)
    return knowledge.groups if refusal is None else NO_GROUPS


def assign_served(
    live: LiveCatalogue, query: RecommendationQuery, knowledge: StoreKnowledge
) -> RecommendationQuery:
    """Return the query as its experiment has it answered by this model, or without experiment.

    Nothing is in a variant that another model answers: its answer would be compared as what it is
    not. Of a mail its record tells the variant, so whoever could not read it names none.
    """
    if query.recorded and query.assigned is None:
        return query
    query = assign_variant(live, query, knowledge)
    is_served = query.switched_off or query.model_version in (None, live.model.version)
    return query if is_served else query.assign(None)


def prepare_answer(
    live: LiveCatalogue,
    query: RecommendationQuery,
    presentation: Presentation,
    knowledge: StoreKnowledge,
    moment: AnswerMoment | None = None,
) -> tuple[ResolvedQuery, AnswerRenderer]:
    """Return the query in the words of the catalogue, and the renderer of its answer.

    `moment`: the moment to answer for where the query names none; by default shop time.
    """
    if moment is None:
        moment = AnswerMoment(live.model.shop_time.moment)
    catalogue = live.model.recommender.catalogue
    variant = query.assigned.variant if query.assigned else None
    rules = variant.apply_rules(live.rules) if variant else live.rules
    resolved = resolve_query(query, catalogue, rules, moment, knowledge.unwanted, live.bundles)
    request = _as_told(live, query, resolved.request, knowledge.update)
    variety = variant.variety if variant else None
    groups = find_groups(live, query.named_customer, query.purpose, knowledge)
    request = replace(request, holdout=live.holdout, variety=variety, groups=groups)
    resolved = replace(resolved, request=request)
    missing_ids = resolved.missing_ids
    return resolved, AnswerRenderer(live.model, query, missing_ids, moment.as_of, presentation)


def _as_told(
    live: LiveCatalogue, query: RecommendationQuery, request: SlateRequest, update: CustomerUpdate
) -> SlateRequest:
    """Return the request with what the customer of a query has said.

    Of a damaged model it is not known who allows that.
    """
    customer_id, recommender = query.named_customer, live.model.recommender
    if customer_id is None or not live.model.is_whole or live.is_forgotten(customer_id):
        return request
    return recommender.as_told(recommender.find_user(customer_id, update), request, update)


def _build_list(
    live: LiveCatalogue,
    renderer: AnswerRenderer,
    resolved: ResolvedQuery,
    knowledge: StoreKnowledge,
) -> RenderedAnswer:
    query, recommender = renderer.query, live.model.recommender
    if query.shop_list is ShopList.RECENTLY_VIEWED:
        request = resolved.request
        listed = list_viewed(recommender, query.customer_id, request, knowledge.update)
    else:
        facts = live.list_facts(knowledge.ratings, query.as_of)
        listed = list_products(query.shop_list, recommender, resolved.request, facts)
    if knowledge.away:
        reason = listed.slate.fallback_reason or FallbackReason.STORE_UNAVAILABLE
        listed = replace(listed, slate=replace(listed.slate, fallback_reason=reason))
    return renderer.render_list(listed)


def _build_ranking(
    live: LiveCatalogue,
    renderer: AnswerRenderer,
    resolved: ResolvedQuery,
    knowledge: StoreKnowledge,
    contexts: SharedContexts,
) -> RenderedAnswer:
    """Return the products of the query, those first that this customer is likeliest to buy."""
    ranking = live.model.recommender.rank_given(
        renderer.query.customer_id,
        resolved.given,
        resolved.request,
        knowledge.update,
        contexts,
    )
    if knowledge.away:
        reason = None if live.nobody_known else ranking.fallback_reason
        ranking = replace(ranking, fallback_reason=reason or FallbackReason.STORE_UNAVAILABLE)
    return renderer.render_ranking(ranking, resolved.given_ids)


def _build_due(
    live: LiveCatalogue,
    renderer: AnswerRenderer,
    resolved: ResolvedQuery,
    knowledge: StoreKnowledge,
    contexts: SharedContexts,
) -> RenderedAnswer:
    query = renderer.query
    due = live.model.recommender.find_due(
        query.customer_id, resolved.request, query.ahead_days, knowledge.update, contexts
    )
    if knowledge.away:
        reason = due.slate.fallback_reason or FallbackReason.STORE_UNAVAILABLE
        due = due._replace(slate=replace(due.slate, fallback_reason=reason))
    return renderer.render_due(due)


def _build_slate(
    recommender: Recommender,
    query: RecommendationQuery,
    resolved: ResolvedQuery,
    knowledge: StoreKnowledge,
    contexts: SharedContexts,
) -> Slate:
    request = resolved.request
    if query.kind is QueryKind.POPULAR:
        return recommender.popular(request, query.window_days)
    if query.kind is QueryKind.ORDER:
        if reason := _find_refusal(recommender, request, knowledge):
            return Slate(Strategy.NOT_PERSONALIZED, reason, (), ScoreKind.TOGETHER)
        request = _as_buyers_told(recommender, request, knowledge)
        return recommender.follow_up(request.basket, request)
    if query.kind is QueryKind.CUSTOMER:
        return recommender.recommend(query.customer_id, request, knowledge.update, contexts)
    if resolved.item < 0:
        return replace(recommender.popular(request), fallback_reason=FallbackReason.UNKNOWN_PRODUCT)
    return recommender.similar(resolved.item, request)


def _find_refusal(
    recommender: Recommender, request: SlateRequest, knowledge: StoreKnowledge
) -> FallbackReason | None:
    """Return why one who bought the order is not to be known by it, None where all are."""
    refusals = (
        recommender.refusal(buyer, request, update) for buyer, update in knowledge.buyers.items()
    )
    return next(filter(None, refusals), None)


def _as_buyers_told(
    recommender: Recommender, request: SlateRequest, knowledge: StoreKnowledge
) -> SlateRequest:
    """Return the request with what each customer who bought the order has said."""
    said = request.preferences
    for buyer, update in knowledge.buyers.items():
        told = recommender.as_told(recommender.find_user(buyer, update), request, update)
        said = said.joined(told.preferences)
    return replace(request, preferences=said)


def _render_slate(renderer: AnswerRenderer, slate: Slate) -> RenderedAnswer:
    products = [renderer.render_slot(slot) for slot in slate.slots]
    content = slate_content(products)
    return renderer.render(SlateFacts.of(slate), products, content)


def _build_bundles(
    renderer: AnswerRenderer, resolved: ResolvedQuery, knowledge: StoreKnowledge
) -> RenderedAnswer:
    """Return bundles, or none and the reason why: popular products are no bundle."""
    units = [renderer.render_bundle(bundle) for bundle in _find_bundles(renderer, resolved)]
    content: list[str] = []
    for unit in units:
        content += [unit["anchor_id"], *slate_content(unit["products"])]
        if unit["offer"]:
            content.append(unit["offer"]["bundle_id"])
    reason = FallbackReason.STORE_UNAVAILABLE if knowledge.away else None
    if not units:
        reason = _why_no_bundles(renderer.query, resolved)
    return renderer.render(SlateFacts.of_bundles(reason), units, content)


def _find_bundles(renderer: AnswerRenderer, resolved: ResolvedQuery) -> tuple[Bundle, ...]:
    recommender, request = renderer.model.recommender, resolved.request
    if renderer.query.kind is QueryKind.BASKET:
        return recommender.complete(request) if request.basket else ()
    if resolved.item < 0:
        return ()
    return recommender.bundles(resolved.item, request, renderer.query.size)


def _why_no_bundles(query: RecommendationQuery, resolved: ResolvedQuery) -> FallbackReason:
    if resolved.item >= 0 or resolved.request.basket:
        return FallbackReason.NO_CANDIDATES
    if query.product_id or query.basket:
        return FallbackReason.UNKNOWN_PRODUCT
    return FallbackReason.NO_HISTORY

"""From a question to its answer. No clock and no request in here: the same question, the same bytes."""

from __future__ import annotations

from dataclasses import replace

from models.recommender import Recommender
from models.slate import Bundle, FallbackReason, Slate, Strategy
from models.updates.customer import CustomerUpdate
from service.answering.bundle_body import unit_of
from service.answering.query import (
    AS_LEARNED,
    AWAY,
    QueryKind,
    RecommendationQuery,
    ResolvedQuery,
    StoreKnowledge,
    resolve_query,
)
from service.answering.render import AnswerRenderer, RenderedAnswer, content_of
from service.model.live_catalogue import LiveCatalogue
from service.signing.click_links import ClickLinks


def answer(
    shop: LiveCatalogue,
    question: RecommendationQuery,
    links: ClickLinks,
    known: StoreKnowledge = AS_LEARNED,
) -> RenderedAnswer:
    """The answer, computed: milliseconds of numpy."""
    resolved, writer = opened(shop, question, links, known)
    if question.kind in (QueryKind.BUNDLES, QueryKind.BASKET):
        return _bundles(writer, resolved, known)
    slate = _slate(shop.model.recommender, question, resolved, known.since)
    if known.away:
        why = (
            None if shop.nobody_known else slate.fallback_reason
        )  # who is known to nobody may be known to the store
        slate = replace(slate, fallback_reason=why or FallbackReason.STORE_UNAVAILABLE)
    return _write(writer, slate)


def popular_answer(
    shop: LiveCatalogue, question: RecommendationQuery, reason: FallbackReason, links: ClickLinks
) -> RenderedAnswer:
    """The ready answer to any question: what is popular, within the limits that were asked for. A millisecond.

    Where bundles were asked for it is none: popular products belong to nothing.
    """
    resolved, writer = opened(shop, question, links, AWAY)
    if question.kind in (QueryKind.BUNDLES, QueryKind.BASKET, QueryKind.ORDER):
        return writer.answer(Strategy.BUNDLES, reason, [], [])
    recommender, request = shop.model.recommender, resolved.request
    customer_id = None if shop.is_forgotten(question.customer_id) else question.customer_id
    if customer_id is not None:
        user = recommender.model.customers.ids.find(customer_id)
        request = recommender.at_home(user, request)
    slate = recommender.popular(request)
    return _write(writer, replace(slate, fallback_reason=reason))


def opened(
    shop: LiveCatalogue,
    question: RecommendationQuery,
    links: ClickLinks,
    known: StoreKnowledge,
    moment: int | None = None,
) -> tuple[ResolvedQuery, AnswerRenderer]:
    """The question in the words of the catalogue, and who writes its answer; for the newest event, or for `moment`."""
    now = (
        max(shop.model.recommender.manifest.data_as_of, known.newest or 0)
        if moment is None
        else moment
    )
    resolved = resolve_query(
        question, shop.model.recommender.catalogue, shop.rules, now, known.unwanted
    )
    return resolved, AnswerRenderer(shop.model, question, resolved.missing_ids, now, links)


def _slate(
    recommender: Recommender,
    question: RecommendationQuery,
    resolved: ResolvedQuery,
    since: CustomerUpdate,
) -> Slate:
    request = resolved.request
    if question.kind is QueryKind.POPULAR:
        return recommender.popular(request, question.window_days)
    if question.kind is QueryKind.ORDER:
        return recommender.follow_up(request.basket, request)
    if question.kind is QueryKind.CUSTOMER:
        return recommender.recommend(question.customer_id, request, since)
    if resolved.item < 0:
        return replace(recommender.popular(request), fallback_reason=FallbackReason.UNKNOWN_PRODUCT)
    return recommender.similar(resolved.item, request)


def _write(writer: AnswerRenderer, slate: Slate) -> RenderedAnswer:
    products = [writer.slot(slot) for slot in slate.slots]
    return writer.answer(slate.strategy, slate.fallback_reason, products, content_of(products))


def _bundles(
    writer: AnswerRenderer, resolved: ResolvedQuery, known: StoreKnowledge
) -> RenderedAnswer:
    """Bundles, or none and the reason why: what is popular is no bundle."""
    units = [unit_of(writer, bundle) for bundle in _find(writer, resolved)]
    content = [
        part for unit in units for part in (unit["anchor_id"], *content_of(unit["products"]))
    ]
    reason = FallbackReason.STORE_UNAVAILABLE if known.away else None
    return writer.answer(
        Strategy.BUNDLES, reason if units else _why_none(writer.question, resolved), units, content
    )


def _find(writer: AnswerRenderer, resolved: ResolvedQuery) -> tuple[Bundle, ...]:
    recommender, request = writer.model.recommender, resolved.request
    if writer.question.kind is QueryKind.BASKET:
        return recommender.complete(request) if request.basket else ()
    if resolved.item < 0:
        return ()
    return recommender.bundles(resolved.item, request, writer.question.size)


def _why_none(question: RecommendationQuery, resolved: ResolvedQuery) -> FallbackReason:
    if resolved.item >= 0 or resolved.request.basket:
        return FallbackReason.NO_CANDIDATES
    return (
        FallbackReason.UNKNOWN_PRODUCT
        if question.product_id or question.basket
        else FallbackReason.NO_HISTORY
    )

"""From a question to its answer. No clock and no request in here: the same question, the same bytes."""

from __future__ import annotations

from dataclasses import replace

from models.recommender import Recommender
from models.slate import Bundle, FallbackReason, Slate, Strategy
from service.body import Answer, Model, Writer, content_of
from service.questions import Kind, Question, Resolved, resolve
from service.units import popular_unit, unit_of


def answer(model: Model, question: Question, secret: bytes) -> Answer:
    """The answer, computed: milliseconds of numpy."""
    resolved = resolve(question, model.recommender.catalogue)
    writer = Writer(model, question, resolved.missing_ids, secret)
    if question.kind in (Kind.BUNDLES, Kind.BASKET):
        return _bundles(writer, resolved)
    return _write(writer, _slate(model.recommender, question, resolved))


def popular_answer(model: Model, question: Question, reason: FallbackReason, secret: bytes) -> Answer:
    """The ready answer to any question: what is popular, within the limits that were asked for. A millisecond."""
    resolved = resolve(question, model.recommender.catalogue)
    writer = Writer(model, question, resolved.missing_ids, secret)
    return _write(writer, _popular(writer, resolved, reason))


def _slate(recommender: Recommender, question: Question, resolved: Resolved) -> Slate:
    request = resolved.request
    if question.kind is Kind.POPULAR:
        return recommender.popular(request, question.window_days)
    if question.kind is Kind.CUSTOMER:
        return recommender.recommend(question.customer_id, request)
    if resolved.item < 0:
        return replace(recommender.popular(request), fallback_reason=FallbackReason.UNKNOWN_PRODUCT)
    return recommender.similar(resolved.item, request)


def _popular(writer: Writer, resolved: Resolved, reason: FallbackReason) -> Slate:
    recommender, customer_id = writer.model.recommender, writer.question.customer_id
    if customer_id is None:
        return replace(recommender.popular(resolved.request), fallback_reason=reason)
    return replace(recommender.popular_for(customer_id, resolved.request), fallback_reason=reason)


def _write(writer: Writer, slate: Slate) -> Answer:
    products = [writer.slot(slot) for slot in slate.slots]
    content = content_of(products)
    if writer.question.kind in (Kind.BUNDLES, Kind.BASKET):
        products = [popular_unit(writer, slot) for slot in slate.slots]
    return writer.answer(slate.strategy, slate.fallback_reason, products, content)


def _bundles(writer: Writer, resolved: Resolved) -> Answer:
    """Bundles, or popular products with the reason why there are none; with `strict` nothing is filled up."""
    bundles = _find(writer, resolved)
    if bundles:
        units = [unit_of(writer, bundle) for bundle in bundles]
        content = [part for unit in units for part in (unit["anchor_id"], *content_of(unit["products"]))]
        return writer.answer(Strategy.POPULAR, None, units, content)
    reason = _why_none(writer.question, resolved)
    if writer.question.options.strict and reason is FallbackReason.NO_CANDIDATES:
        return writer.answer(Strategy.POPULAR, reason, [], [])
    return _write(writer, _popular(writer, resolved, reason))


def _find(writer: Writer, resolved: Resolved) -> tuple[Bundle, ...]:
    recommender, request = writer.model.recommender, resolved.request
    if writer.question.kind is Kind.BASKET:
        if not request.basket:
            return ()
        return recommender.complete(request.basket, request.n, request.filters, request.as_of)
    if resolved.item < 0:
        return ()
    return recommender.bundles(resolved.item, request.n, request.filters, request.as_of, writer.question.size)


def _why_none(question: Question, resolved: Resolved) -> FallbackReason:
    if resolved.item >= 0 or resolved.request.basket:
        return FallbackReason.NO_CANDIDATES
    return FallbackReason.UNKNOWN_PRODUCT if question.product_id or question.basket else FallbackReason.NO_HISTORY

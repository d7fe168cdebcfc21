"""From a question to its answer. No clock and no request in here: the same question, the same bytes."""

from __future__ import annotations

from dataclasses import replace

from models.recommender import Recommender
from models.slate import Bundle, FallbackReason, Slate, Strategy
from service.body import Answer, Model, Writer, content_of
from service.questions import Kind, Question, Resolved, resolve
from service.units import unit_of


def answer(model: Model, question: Question, secret: bytes) -> Answer:
    """The answer, computed: milliseconds of numpy."""
    resolved = resolve(question, model.recommender.catalogue)
    writer = Writer(model, question, resolved.missing_ids, secret)
    if question.kind in (Kind.BUNDLES, Kind.BASKET):
        return _bundles(writer, resolved)
    return _write(writer, _slate(model.recommender, question, resolved))


def popular_answer(model: Model, question: Question, reason: FallbackReason, secret: bytes) -> Answer:
    """The ready answer to any question: what is popular, within the limits that were asked for. A millisecond.

    Where bundles were asked for it is none: popular products belong to nothing.
    """
    resolved = resolve(question, model.recommender.catalogue)
    writer = Writer(model, question, resolved.missing_ids, secret)
    if question.kind in (Kind.BUNDLES, Kind.BASKET):
        return writer.answer(Strategy.BUNDLES, reason, [], [])
    recommender, request = model.recommender, resolved.request
    customer_id = question.customer_id
    slate = recommender.popular(request) if customer_id is None else recommender.popular_for(customer_id, request)
    return _write(writer, replace(slate, fallback_reason=reason))


def _slate(recommender: Recommender, question: Question, resolved: Resolved) -> Slate:
    request = resolved.request
    if question.kind is Kind.POPULAR:
        return recommender.popular(request, question.window_days)
    if question.kind is Kind.CUSTOMER:
        return recommender.recommend(question.customer_id, request)
    if resolved.item < 0:
        return replace(recommender.popular(request), fallback_reason=FallbackReason.UNKNOWN_PRODUCT)
    return recommender.similar(resolved.item, request)


def _write(writer: Writer, slate: Slate) -> Answer:
    products = [writer.slot(slot) for slot in slate.slots]
    return writer.answer(slate.strategy, slate.fallback_reason, products, content_of(products))


def _bundles(writer: Writer, resolved: Resolved) -> Answer:
    """Bundles, or none and the reason why: what is popular is no bundle."""
    units = [unit_of(writer, bundle) for bundle in _find(writer, resolved)]
    content = [part for unit in units for part in (unit["anchor_id"], *content_of(unit["products"]))]
    return writer.answer(Strategy.BUNDLES, None if units else _why_none(writer.question, resolved), units, content)


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

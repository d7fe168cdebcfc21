"""Explanations of a customer's slate, in the words of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from models.data.catalogue import Catalogue
from models.data.timestamps import format_timestamp
from models.explanation import Explanation, ProductExplanation, explain
from models.languages.languages import Language
from models.rules.eligibility import ExclusionRule
from service.answering.answer import prepare_answer
from service.answering.query import RecommendationQuery
from service.answering.render import render_reason
from service.answering.responder import Responder
from service.errors import StoreUnavailable

DIGITS: Final = 4  # of scores and features


def explain_slate(
    responder: Responder, query: RecommendationQuery, product_id: str | None, most: int
) -> dict[str, Any]:
    """Return what is behind the answer to a customer's query. Raises StoreUnavailable."""
    gathered = responder.computer.gather(responder.model(), query)
    if gathered is None:
        raise StoreUnavailable
    query, (live, knowledge) = gathered
    resolved, _ = prepare_answer(live, query, responder.presentation, knowledge)
    recommender = live.model.recommender
    item = None if product_id is None else recommender.catalogue.ids.find(product_id)
    with responder.computer.computing:
        explanation = explain(
            recommender,
            query.customer_id,
            resolved.request,
            knowledge.update,
            most=most,
            item=item,
        )
    language = responder.presentation.languages.of(query.locale)
    return {
        "customer_id": query.customer_id,
        "placement": query.placement,
        "model_version": live.model.version,
        "data_as_of": format_timestamp(live.model.shop_time.moment),
        **_describe(explanation, recommender.catalogue, language),
    }


def _describe(explanation: Explanation, catalogue: Catalogue, language: Language) -> dict[str, Any]:
    slate = explanation.slate

    def describe_all(products: Sequence[ProductExplanation]) -> list[dict[str, Any]]:
        return [_describe_product(product, catalogue, language) for product in products]

    asked = None
    if explanation.verdict is not None:
        products = [] if explanation.asked is None else describe_all([explanation.asked])
        asked = {"verdict": explanation.verdict, "product": next(iter(products), None)}
    removed_by = explanation.removed_by.items()
    return {
        "strategy": slate.strategy,
        "fallback_reason": slate.fallback_reason,
        "score_kind": slate.score_kind,
        "rules": list(explanation.rules),
        "slate": [catalogue.ids[slot.item] for slot in slate.slots],
        "candidates": explanation.candidates,
        "proposed": {str(name): count for name, count in explanation.proposed.items()},
        "removed_by": {rule.name.lower(): count for rule, count in removed_by},
        "ranked": describe_all(explanation.ranked),
        "removed": describe_all(explanation.removed),
        "asked": asked,
    }


def _describe_product(
    product: ProductExplanation, catalogue: Catalogue, language: Language
) -> dict[str, Any]:
    rule, reason = product.removed_by, product.reason
    return {
        "id": catalogue.ids[product.item],
        "title": catalogue.title[product.item] or None,
        "rank": product.rank,
        "position": product.position,
        "score": None if product.score is None else round(product.score, 6),
        "proposed_by": list(product.proposed_by),
        "source": product.shown_as,
        "reason": None if reason is None else render_reason(reason, catalogue, language),
        "bought": product.bought,
        "without_source": _round(product.without_source),
        "features": _round(product.features),
        "removed_by": None if rule is ExclusionRule.NONE else rule.name.lower(),
        "shop_rules": list(product.shop_rules),
    }


def _round(values: Mapping[str, float]) -> dict[str, float]:
    return {str(name): round(value, DIGITS) for name, value in values.items()}

"""Views of one customer: what is known of them and how it is used, in words they understand."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from models.assembly.cards import build_card
from models.data.customer_figures import CustomerFigure
from models.data.customers import MEASURE, PERSONALIZE_EMAIL, PERSONALIZE_WEB, PURPOSES, TRAIN
from models.data.events import KINDS
from models.data.history import LATEST, NEVER, Interactions
from models.data.timestamps import format_timestamp
from models.languages.languages import Language
from models.languages.phrases import Phrase
from models.model import Model
from models.ranking.context import RankingContext
from models.ranking.reasons import THIS, buy_again
from models.ranking.replenishment import DuePurchase, find_due
from models.recommender import NOBODY, Recommender
from models.rules.filters import Repeat
from models.rules.preferences import Preferences
from models.slate import Slate, SlateRequest
from models.updates.customer import CustomerUpdate, allows
from service.answering.answer import find_groups
from service.answering.answer_computer import AnswerComputer
from service.answering.customer_figures import say_segment
from service.answering.presentation import Presentation
from service.answering.query import EMAIL
from service.answering.render import render_reason
from service.errors import StoreUnavailable
from service.model.loaded_model import LoadedModel
from service.store.customer_export import ANSWERS, describe_consents

USED_FOR: Final = {
    TRAIN: "To learn, together with what all customers bought, which products go together and who "
    "comes back",
    PERSONALIZE_WEB: "To choose the products that the shop's pages show you",
    PERSONALIZE_EMAIL: "To choose the products in mails to you",
    MEASURE: "To measure what its recommendations bring the shop",
}


@dataclass(frozen=True)
class CustomerView:
    """Hold a customer as an answer would see them."""

    customer_id: str | None
    recommender: Recommender
    request: SlateRequest
    update: CustomerUpdate
    consents: Mapping[int, tuple[int, int]]  # what the store holds
    data_as_of: int  # shop time, seconds since 1970
    user: int  # -1: the model has not learned of them
    order: tuple[str, ...] = ()  # products of the order in the query

    def build_context(self) -> RankingContext:
        """Return where the customer stands with the products, at the moment of the request."""
        return self.recommender.build_context(self.user, self.request, self.update)

    def allows(self, purpose: int) -> bool:
        """Tell whether the customer allows a purpose."""
        return allows(self.recommender.model.customers, self.user, purpose, self.update)


def view_customer(
    computer: AnswerComputer,
    model: LoadedModel,
    customer_id: str | None,
    as_of: int | None,
    placement: str | None = None,
    order_id: str | None = None,
) -> CustomerView:
    """Return a customer as an answer would see them now, in a thread. Raises StoreUnavailable."""
    looked_up = computer.look_up(model, customer_id, order_id)
    if looked_up is None:
        raise StoreUnavailable
    live, records = looked_up
    recommender = live.model.recommender
    knowledge = computer.knowledge_of(live, customer_id, records)
    shop_time = live.model.shop_time.moment
    user = recommender.find_user(customer_id, knowledge.update)
    if as_of is None:
        live = live.with_rules_at(int(time.time()))
    in_mail = (placement or "").startswith(EMAIL)
    purpose = PERSONALIZE_EMAIL if in_mail else PERSONALIZE_WEB
    request = SlateRequest(
        as_of=shop_time if as_of is None else as_of,
        events_until=LATEST if as_of is None else as_of,
        placement=placement,
        purpose=purpose,
        rules=live.rules,
        holdout=live.holdout,
        groups=find_groups(live, customer_id, purpose, knowledge),
    )
    return CustomerView(
        customer_id=customer_id,
        recommender=recommender,
        request=recommender.as_told(user, recommender.at_home(user, request), knowledge.update),
        update=knowledge.update,
        consents=records.words.consents.answers,
        data_as_of=shop_time,
        user=user,
        order=knowledge.order,
    )


def describe_due(
    view: CustomerView, n: int, ahead_days: float, locale: str, presentation: Presentation
) -> dict[str, Any]:
    """Return at most n products that are due; none where the customer is not personalised."""
    recommendations: list[dict[str, Any]] = []
    language, shop_url = presentation.languages.of(locale), presentation.links.shop_url
    if not view.recommender.refusal(view.customer_id, view.request, view.update):
        context, recommender = view.build_context(), view.recommender
        request = replace(view.request, repeat=Repeat.INCLUDE)
        removed = recommender.find_removed(context, request)
        for product in find_due(context, removed, n, ahead_days):
            due = _describe_due_product(recommender, context, product, language)
            card = build_card(recommender.catalogue, product.item, locale, shop_url)
            recommendations.append(due | card)
    return {
        "customer_id": view.customer_id,
        "data_as_of": format_timestamp(view.data_as_of),
        "count": len(recommendations),
        "recommendations": recommendations,
    }


def _describe_due_product(
    recommender: Recommender, context: RankingContext, product: DuePurchase, language: Language
) -> dict[str, Any]:
    reason = buy_again(context.pairs, product.item, context.as_of)
    return {
        "id": recommender.catalogue.ids[product.item],
        "purchases": product.lines,
        "last_purchase": format_timestamp(product.last),
        "interval_days": round(product.interval_days, 1),
        "due": format_timestamp(product.due),
        "reason": render_reason(reason, recommender.catalogue, language),
    }


def describe_profile(
    view: CustomerView, n: int, language: Language, figure: CustomerFigure | None = None
) -> dict[str, Any]:
    """Return what is known, what it is used for, and why the present slate is what it is.

    Of the products, the n that count most. `figure`: what was computed of the customer.
    """
    recommender, update = view.recommender, view.update
    context, catalogue = view.build_context(), view.recommender.catalogue
    pairs = context.pairs
    slate = recommender.recommend(view.customer_id, view.request, update)
    event_count = len(recommender.find_events(view.user, view.request, update))
    said = recommender.find_preferences(view.user, update)
    purposes = []
    for purpose in USED_FOR:
        known = event_count or (said and purpose not in (TRAIN, MEASURE))
        if known and view.allows(purpose):
            purposes.append(purpose)
    order = np.lexsort((pairs.item, -(pairs.long + pairs.recent)))[:n]
    products = []
    for pair in order.tolist():
        item = int(pairs.item[pair])
        product = {
            "id": catalogue.ids[item],
            "title": catalogue.title[item] or None,
            "purchases": int(pairs.lines[pair]),
            "text": language.say(_explain_pair(context, pair)),
        }
        products.append(product)
    return {
        "customer_id": view.customer_id,
        "consent": _describe_consents(view),
        "used_for": [USED_FOR[purpose] for purpose in purposes],
        "known": {
            "events": event_count,
            **_describe_purchases(pairs),
            "market": view.request.filters.market,
            "preferences": said.document(),
            "products_not_used": [catalogue.ids[item] for item in update.unused.tolist()],
        },
        "segment": None if figure is None else language.say(_say_segment(figure, pairs)),
        "products": products,
        "slate": _describe_slate(recommender, slate, language),
    }


def _say_segment(figure: CustomerFigure, pairs: Interactions) -> Phrase:
    return say_segment(figure, int(pairs.last.max(initial=NEVER)))


def _describe_purchases(pairs: Interactions) -> dict[str, Any]:
    bought = pairs.last != NEVER
    first = last = None
    if bought.any():
        first = format_timestamp(int(pairs.first[bought].min()))
        last = format_timestamp(int(pairs.last[bought].max()))
    return {"products_bought": int(bought.sum()), "first_purchase": first, "last_purchase": last}


def _explain_pair(context: RankingContext, pair: int) -> str:
    """Return what is known of a customer and a product, in a sentence."""
    pairs = context.pairs
    if pairs.refused[pair]:
        return Phrase("You do not want to see this")
    if pairs.in_cart[pair]:
        return Phrase("This is in your basket")
    if pairs.last[pair] == NEVER:
        return Phrase("You looked at {product}", product=THIS)
    return buy_again(pairs, int(pairs.item[pair]), context.as_of).text


def _describe_slate(recommender: Recommender, slate: Slate, language: Language) -> dict[str, Any]:
    catalogue = recommender.catalogue
    recommendations = []
    for slot in slate.slots:
        recommendation = {
            "id": catalogue.ids[slot.item],
            "title": catalogue.title[slot.item] or None,
            "reason": render_reason(slot.reason, catalogue, language),
        }
        recommendations.append(recommendation)
    return {
        "strategy": slate.strategy,
        "fallback_reason": slate.fallback_reason,
        "recommendations": recommendations,
    }


def _learned_preferences(model: Model, user: int) -> dict[str, Any] | None:
    text = model.customers.preferences_of(user)
    return Preferences.read(text).document() if text else None


def _describe_consents(view: CustomerView) -> dict[str, Any]:
    described = describe_consents(view.consents)
    for purpose, name in enumerate(PURPOSES):
        described[name]["holds"] = view.allows(purpose) and not view.update.forgotten
    return described


def describe_learned(view: CustomerView) -> dict[str, Any]:
    """Return what the served model holds of a customer."""
    model, catalogue = view.recommender.model, view.recommender.catalogue
    version = view.recommender.manifest.version
    if view.user == NOBODY:
        return {"model_version": version, "events": []}
    answers = model.customers.consent[view.user].tolist()
    history = model.histories.of(view.user)
    events = []
    for index in range(len(history)):
        event = {
            "product_id": catalogue.ids[history.item[index]],
            "time": format_timestamp(int(history.time[index])),
            "kind": KINDS[history.kind[index]],
            "weight": round(float(history.weight[index]), 4),
        }
        events.append(event)
    return {
        "model_version": version,
        "market": view.request.filters.market,
        "columns": dict(sorted(model.customers.columns.of(view.user))),
        "preferences": _learned_preferences(model, view.user),
        "consent": {
            name: ANSWERS.get(answer) for name, answer in zip(PURPOSES, answers, strict=True)
        },
        "events": events,
    }

"""Offers beside slates: which one stands there for whom, and the code that goes with it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from models.data.timestamps import format_timestamp
from models.rules.shop_offers import OfferSituation, ShopOffer, find_offers
from models.slate import SlateRequest
from service.answering.answer import find_groups
from service.answering.presentation import Presentation
from service.answering.query import QueryKind, RecommendationQuery, StoreKnowledge
from service.model.live_catalogue import LiveCatalogue
from service.store.database import WAIT_SECONDS, StoreDownError
from service.store.offers import find_code, give_code
from service.store.store import Store

# Kinds of slates that are for a customer or a visit
OFFERED_BESIDE: Final = (QueryKind.CUSTOMER, QueryKind.REPLENISHMENT)


def find_offer(
    store: Store,
    presentation: Presentation,
    live: LiveCatalogue,
    query: RecommendationQuery,
    knowledge: StoreKnowledge,
    occasion: str | None = None,
) -> Mapping[str, Any] | None:
    """Return the offer that stands beside an answer, None for none. In a thread.

    A single-use code is given durably, before anybody sees it. `query`: as its experiment has it
    answered. `occasion`: of the mail. Raises StoreDownError where a code cannot be given now.
    """
    if not live.offers or query.rehearsed or query.kind not in OFFERED_BESIDE:
        return None
    situation = _describe_situation(live, query, knowledge, occasion)
    if situation is None:
        return None
    language = presentation.languages.of(query.locale).name
    for offer in find_offers(live.offers, situation):
        code = offer.code
        if offer.is_single_use:
            code = _give_code(store, offer, query.named_customer or "", live.erased_number)
            if code is None:
                continue  # none is left
        return {
            "id": offer.id,
            "text": offer.say(query.locale, language),
            "code": code,
            "single_use": offer.is_single_use,
            "until": None if offer.ends is None else format_timestamp(offer.ends),
        }
    return None


def _describe_situation(
    live: LiveCatalogue,
    query: RecommendationQuery,
    knowledge: StoreKnowledge,
    occasion: str | None,
) -> OfferSituation | None:
    moment = live.clock if query.as_of is None else query.as_of
    if moment is None or query.switched_off:
        return None
    return OfferSituation(
        placement=query.placement,
        moment=moment,
        is_known=_may_be_treated(live, query, knowledge),
        groups=find_groups(live, query.named_customer, query.purpose, knowledge),
        occasion=occasion,
        of_variant=query.assigned.variant.offers if query.assigned else frozenset(),
    )


def _may_be_treated(
    live: LiveCatalogue, query: RecommendationQuery, knowledge: StoreKnowledge
) -> bool:
    """Tell whether a customer is named who may be treated personally in the channel."""
    customer_id, update = query.named_customer, knowledge.update
    if customer_id is None or knowledge.away or update.forgotten or not live.model.is_whole:
        return False
    request = SlateRequest(purpose=query.purpose, holdout=live.holdout)
    return live.model.recommender.refusal(customer_id, request, update) is None


def _give_code(store: Store, offer: ShopOffer, customer_id: str, erased: int) -> str | None:
    own = store.read(partial(find_code, offer_id=offer.id, customer_id=customer_id))
    if own.code is not None or not own.is_left:
        return own.code
    give = partial(
        give_code,
        offer_id=offer.id,
        customer_id=customer_id,
        time=int(time.time()),
        erased=erased,
    )
    try:
        return store.write(give).result(WAIT_SECONDS)
    except TimeoutError:
        raise StoreDownError("slow") from None

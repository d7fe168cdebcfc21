"""Documents for everybody: what is popular, and what is new in the shop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import orjson

from models.assembly.reasons import arrival
from models.data.events import DAY
from models.data.timestamps import format_timestamp
from models.recommender import NOBODY, Recommender
from models.rules.eligibility import ExclusionRule
from models.slate import SlateRequest, Slot, Source
from service.answering.answer import opened
from service.answering.query import RecommendationQuery, StoreKnowledge
from service.answering.render import AnswerRenderer
from service.model.live_catalogue import LiveCatalogue
from service.signing.click_links import ClickLinks

MOST_BYTES: Final = 3_300_000  # that the systems which fetch it take
AROUND: Final = 1_000  # bytes of it besides the products
NEW_DAYS: Final = 30  # since a product came on sale


def popular(recommender: Recommender, request: SlateRequest) -> tuple[Slot, ...]:
    """What sells, best first."""
    return recommender.popular(request).slots


def new(recommender: Recommender, request: SlateRequest) -> tuple[Slot, ...]:
    """What came on sale lately, the newest first. The score is what is left of the time that it is new, 0 to 1."""
    catalogue, as_of = recommender.catalogue, request.as_of or recommender.manifest.data_as_of
    came, since = catalogue.available_from, as_of - NEW_DAYS * DAY
    removed = recommender.find_removed(recommender.build_context(NOBODY, request), request)
    items = np.flatnonzero((removed == ExclusionRule.NONE) & (came > since) & (came <= as_of))
    items = items[np.argsort(-came[items], kind="stable")][: request.n]
    return tuple(
        Slot(
            item, float(came[item] - since) / (NEW_DAYS * DAY), Source.NEW, arrival(catalogue, item)
        )
        for item in items.tolist()
    )


FEEDS: Final[Mapping[str, Callable[[Recommender, SlateRequest], tuple[Slot, ...]]]] = {
    "popular": popular,
    "new": new,
}


def feed(
    name: str,
    n: int,
    shop: LiveCatalogue,
    question: RecommendationQuery,
    links: ClickLinks,
    known: StoreKnowledge,
) -> bytes:
    """The document; `question` says what may stand in it. It ends with the last product that fits into 3.3 MB."""
    resolved, writer = opened(shop, question, links, known)
    slots = FEEDS[name](shop.model.recommender, replace(resolved.request, n=n))
    products = _fitting(writer, slots)
    return orjson.dumps(
        {
            "feed": name,
            "data_as_of": format_timestamp(writer.now),
            "requested": n,
            "count": len(products),
            "complete": len(products) == n,
            "recommendations": [orjson.Fragment(product) for product in products],
        }
    )


def _fitting(writer: AnswerRenderer, slots: tuple[Slot, ...]) -> list[bytes]:
    products: list[bytes] = []
    room = MOST_BYTES - AROUND
    for slot in slots:
        product = orjson.dumps(writer.slot(slot))
        room -= len(product) + 1  # a comma
        if room < 0:
            break
        products.append(product)
    return products

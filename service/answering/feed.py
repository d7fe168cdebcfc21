"""Feeds, one document for everybody: popular products, and products that are new in the shop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import orjson

from models.data.timestamps import format_timestamp
from models.recommender import Recommender
from models.shop_lists import NO_FACTS, ShopList, list_products
from models.slate import ScoreKind, SlateRequest, Slot
from service.answering.answer import prepare_answer
from service.answering.presentation import Presentation
from service.answering.query import RecommendationQuery, StoreKnowledge
from service.answering.render import AnswerRenderer
from service.model.live_catalogue import LiveCatalogue

MAX_FEED_BYTES: Final = 3_300_000  # the systems that fetch a feed take no more
FRAME_BYTES: Final = 1_000  # of a feed besides its products


def popular_products(recommender: Recommender, request: SlateRequest) -> tuple[Slot, ...]:
    """Return the products that sell, best first."""
    return recommender.popular(request).slots


def new_products(recommender: Recommender, request: SlateRequest) -> tuple[Slot, ...]:
    """Return the products that came on sale in the last 30 days, newest first."""
    return list_products(ShopList.NEW, recommender, request, NO_FACTS).slate.slots


@dataclass(frozen=True)
class FeedKind:
    """A kind of feed: how its products are found, and what their scores mean."""

    find: Callable[[Recommender, SlateRequest], tuple[Slot, ...]]
    score_kind: ScoreKind


FEEDS: Final[Mapping[str, FeedKind]] = {
    "popular": FeedKind(popular_products, ScoreKind.SALES),
    "new": FeedKind(new_products, ScoreKind.NEWNESS),
}


def build_feed(
    name: str,
    n: int,
    live: LiveCatalogue,
    query: RecommendationQuery,
    presentation: Presentation,
    knowledge: StoreKnowledge,
) -> bytes:
    """Return the document, of n products at most within the limits of the query.

    It ends with the last product that fits into 3.3 MB.
    """
    resolved, renderer = prepare_answer(live, query, presentation, knowledge)
    feed = FEEDS[name]
    slots = feed.find(live.model.recommender, replace(resolved.request, n=n))
    products = _render_fitting(renderer, slots)
    document = {
        "feed": name,
        "data_as_of": format_timestamp(renderer.data_as_of),
        "requested": n,
        "count": len(products),
        "complete": len(products) == n,
        "unknown_names": renderer.find_unknown_names(),
        "language": renderer.language.name,
        "score_kind": feed.score_kind,
        "recommendations": [orjson.Fragment(product) for product in products],
    }
    return orjson.dumps(document)


def _render_fitting(renderer: AnswerRenderer, slots: tuple[Slot, ...]) -> list[bytes]:
    products: list[bytes] = []
    free_bytes = MAX_FEED_BYTES - FRAME_BYTES
    for slot in slots:
        product = orjson.dumps(renderer.render_slot(slot))
        free_bytes -= len(product) + 1  # a comma
        if free_bytes < 0:
            break
        products.append(product)
    return products

"""Feeds, one document for everybody: popular products, and products that are new in the shop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import orjson

from models.data.events import DAY
from models.data.timestamps import format_timestamp
from models.ranking.reasons import new_arrival
from models.recommender import NOBODY, Recommender
from models.rules.eligibility import ExclusionRule
from models.slate import ScoreKind, SlateRequest, Slot, Source
from service.answering.answer import prepare_answer
from service.answering.query import RecommendationQuery, StoreKnowledge
from service.answering.render import AnswerRenderer
from service.model.live_catalogue import LiveCatalogue
from service.signing.click_links import ClickLinks

MAX_FEED_BYTES: Final = 3_300_000  # the systems that fetch a feed take no more
FRAME_BYTES: Final = 1_000  # of a feed besides its products
NEW_DAYS: Final = 30  # since a product came on sale


def popular_products(recommender: Recommender, request: SlateRequest) -> tuple[Slot, ...]:
    """Return the products that sell, best first."""
    return recommender.popular(request).slots


def new_products(recommender: Recommender, request: SlateRequest) -> tuple[Slot, ...]:
    """Return the products that came on sale in the last 30 days, newest first.

    The score is the part that is left of these days, 0 to 1.
    """
    catalogue, as_of = recommender.catalogue, request.as_of or recommender.manifest.data_as_of
    available, since = catalogue.available_from, as_of - NEW_DAYS * DAY
    removed = recommender.find_removed(recommender.build_context(NOBODY, request), request)
    is_new = (removed == ExclusionRule.NONE) & (available > since) & (available <= as_of)
    items = np.flatnonzero(is_new)
    items = items[np.argsort(-available[items], kind="stable")][: request.n]
    slots = []
    for item in items.tolist():
        score = float(available[item] - since) / (NEW_DAYS * DAY)
        slots.append(Slot(item, score, Source.NEW, new_arrival(catalogue, item)))
    return tuple(slots)


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
    links: ClickLinks,
    knowledge: StoreKnowledge,
) -> bytes:
    """Return the document, of n products at most within the limits of the query.

    It ends with the last product that fits into 3.3 MB.
    """
    resolved, renderer = prepare_answer(live, query, links, knowledge)
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

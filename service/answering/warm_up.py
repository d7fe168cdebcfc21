"""First answers of a model, made before anyone asks."""

from __future__ import annotations

from dataclasses import replace

from models.data.ids import MANY_IDS
from models.slate import SlateRequest
from service.answering.answer import build_answer
from service.answering.presentation import Presentation
from service.answering.query import QueryKind, RecommendationQuery
from service.model.live_catalogue import LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.signing.click_links import ClickLinks


def warm_up(model: LoadedModel, locale: str) -> None:
    """Make answers of each kind: no caller then waits for pages, windows and words of a locale."""
    live, presentation = LiveCatalogue(model, model), Presentation(ClickLinks(b""))
    recommender = model.recommender
    slots = recommender.popular(SlateRequest(n=MANY_IDS)).slots
    products = tuple(recommender.catalogue.ids[slot.item] for slot in slots)
    for product in products:
        visit = RecommendationQuery(
            QueryKind.CUSTOMER, locale, recent=(product,), basket=(product,)
        )
        for kind in QueryKind:
            query = replace(visit, kind=kind, product_id=product, given=products)
            build_answer(live, query, presentation)
    _ = recommender.catalogue.columns.attribute_names  # what filters read of every product
    recommender.sales_trends.warm(len(recommender.model.customers.market_names))

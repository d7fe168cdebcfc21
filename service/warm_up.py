"""The first answers of a model, made before anyone asks."""

from __future__ import annotations

from dataclasses import replace

from models.slate import SlateRequest
from service.answers import answer
from service.links import Links
from service.loaded_model import Model
from service.options import Options
from service.questions import Kind, Question
from service.shop import Shop


def warm_up(model: Model, locale: str) -> None:
    """Answers of each kind, so that the first caller does not wait for pages, windows and words of a locale."""
    recommender = model.recommender
    for slot in recommender.popular(SlateRequest(n=3)).slots:
        product = recommender.catalogue.ids[slot.item]
        visit = Question(Kind.CUSTOMER, Options(), locale, recent=(product,), basket=(product,))
        for kind in Kind:
            answer(Shop(model, model), replace(visit, kind=kind, product_id=product), Links(b""))
    recommender.selling.warm(len(recommender.model.customers.market_names))

"""Bundles are units: what goes with an anchor, and what it costs together."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.slate import Bundle
from service.answering.bundle_body import render_bundle
from service.answering.query import QueryKind, RecommendationQuery
from service.answering.render import AnswerRenderer
from service.signing.click_links import ClickLinks
from tests.support.service_shop import Shop


def unit(shop: Shop, bundle: Bundle) -> dict[str, Any]:
    query = RecommendationQuery(QueryKind.BUNDLES, "en_US")
    return render_bundle(AnswerRenderer(shop.model, query, (), 0, ClickLinks(b"secret")), bundle)


def with_prices(shop: Shop, prices: list[float]) -> Shop:
    recommender = shop.model.recommender
    price = recommender.catalogue.price.copy()
    price[: len(prices)] = prices
    catalogue = replace(recommender.catalogue, price=price)
    model = replace(recommender.model, catalogue=catalogue)
    repriced = type(recommender)(recommender.manifest, model, recommender.settings)
    return replace(shop, model=replace(shop.model, recommender=repriced))


BUNDLE = Bundle(0, (1, 2), 0.5, 12, 0.25, 3.0)


def test_a_unit_costs_what_its_products_cost_with_the_anchor(shop: Shop) -> None:
    bundle = unit(with_prices(shop, [1.1, 2.2, 3.3]), BUNDLE)
    assert bundle["total_price"] == pytest.approx(6.6)
    assert bundle["total_price_text"] == "€6.60"


def test_one_unknown_price_makes_the_total_unknown(shop: Shop) -> None:
    bundle = unit(with_prices(shop, [1.0, np.nan, 3.0]), BUNDLE)
    assert (bundle["total_price"], bundle["total_price_text"], bundle["currency"]) == (
        None,
        None,
        None,
    )


def test_a_unit_names_its_anchor_and_its_figures(shop: Shop) -> None:
    bundle = unit(shop, BUNDLE)
    assert bundle["anchor_id"] == shop.products[0]
    assert [product["id"] for product in bundle["products"]] == shop.products[1:3]
    assert (bundle["support"], bundle["rule_confidence"], bundle["lift"]) == (12, 0.25, 3.0)
    assert bundle["products"][0]["reason"]["product_ids"] == [shop.products[0]]

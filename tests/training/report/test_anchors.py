"""A shopper's eyes see products, what is similar to them, and what is bought with them."""

from dataclasses import replace

import numpy as np

from models.data.events import PURCHASE
from tests.support.measured_shop import SHOP
from tests.support.training_shop import small_shop_purchases
from training.evaluation.split import MIN_LINES
from training.report.anchors import ANCHORS, draw_items
from training.report.data import Anchor, ExampleProduct, ExampleSlot, ExampleUnit
from training.report.render import render

TEA = ExampleProduct("1", "Tea <b>green</b>")
POT = ExampleProduct("2", "Tea pot")


def anchor(product: ExampleProduct) -> Anchor:
    return Anchor(
        product,
        similar=(ExampleSlot(POT, "Looked at instead", "similar"),),
        seen_next=(),
        units=(ExampleUnit((product, POT), 12, 0.25, 3.5),),
    )


def test_a_product_is_shown_with_what_stands_beside_it() -> None:
    page = render(replace(SHOP, anchors=(anchor(TEA),)))
    assert "What stands beside a product" in page
    assert "Tea &lt;b&gt;green&lt;/b&gt;" in page
    assert "12 orders, 25.0% of those with the first, 3.5 times chance" in page


def test_a_page_loads_pictures_only_where_the_shop_has_some() -> None:
    without = render(replace(SHOP, anchors=(anchor(TEA),)))
    pictured = replace(TEA, picture="https://shop.example/tea.jpg?a=1&b=2")
    with_pictures = render(replace(SHOP, anchors=(anchor(pictured),)))
    assert 'img-src data:"' in without
    assert "<img" not in without
    assert 'img-src data: https: http:"' in with_pictures
    assert 'src="https://shop.example/tea.jpg?a=1&amp;b=2"' in with_pictures


def test_best_sellers_and_rare_products_are_drawn_alike_each_once() -> None:
    purchases = small_shop_purchases()
    items = draw_items(purchases, seed=0)
    assert len(set(items.tolist())) == len(items) <= ANCHORS
    bought = purchases.item[purchases.kind == PURCHASE]
    lines = np.bincount(bought, minlength=len(purchases.product_ids))
    assert (lines[items] >= MIN_LINES).all()
    assert lines[items[0]] >= np.median(lines[items])

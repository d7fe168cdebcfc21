"""Facts about products that no single day tells."""

import dataclasses

import numpy as np

from models.data.product_stats import ProductStats
from tests.support.literal_fit import fit_product_stats
from tests.support.shop import Line, Product, ShopRecords


def stats_of(*products: Product) -> ProductStats:
    return fit_product_stats(ShopRecords([Line("ann", products[0].id, 1)], products))


def test_the_categories_are_those_that_a_product_stands_in() -> None:
    stats = stats_of(
        Product("bread", category="bakery"), Product("jam"), Product("milk", category="dairy")
    )
    assert stats.category.tolist() == [0, -1, 1]
    assert stats.categories == 2


def test_a_shop_without_categories_or_titles_has_none() -> None:
    stats = stats_of(Product("4711"), Product("4712"))
    assert stats.category.tolist() == stats.family.tolist() == [-1, -1]
    assert stats.categories == 0


def test_a_shop_without_products_has_no_categories() -> None:
    stats = stats_of(Product("bread", category="bakery"))
    nothing = dataclasses.replace(stats, category=np.zeros(0, np.int32))
    assert nothing.categories == 0

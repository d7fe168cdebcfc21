"""A made-up shop is one that could be."""

import pytest

from training.synthetic.shop import CATEGORIES, CLOTHES, Category, SyntheticShop


@pytest.mark.parametrize("category", [*CATEGORIES, *CLOTHES], ids=lambda category: category.name)
def test_products_have_a_price_and_are_bought_again_after_a_week_or_more_or_never(
    category: Category,
) -> None:
    assert category.price >= 1
    assert category.interval_days == 0 or 7 <= category.interval_days <= 90
    assert 0 <= category.peak_day <= 365


@pytest.mark.parametrize(("customers", "products"), [(0, 2), (1, 1)])
def test_a_shop_needs_a_customer_and_two_products(customers: int, products: int) -> None:
    with pytest.raises(ValueError, match="needs 1 customer and 2 products, not"):
        SyntheticShop.of(customers=customers, products=products)
    assert len(SyntheticShop.of(customers=1, products=2).price) == 2

"""What a shopper sees is counted as one would count it by hand."""

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from benchmarks.eye import (
    OrderCounts,
    could_be_varied,
    cut_history,
    family_of,
    is_varied,
    judge_next_views,
    judge_similar,
    look_at_bundles,
    look_at_lists,
)
from benchmarks.similar import (
    by_co_purchase,
    compare_with_co_purchase,
    draw_products,
    find_next_views,
    learn,
    share_of_category,
    share_of_next_views,
    without_categories,
)
from models.recommender import Recommender
from tests.support.shop import SMALL, Line, Product, catalogue_of
from tests.support.training_shop import small_purchases, small_shop_purchases
from training.reading.purchases import Purchases


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    return small_shop_purchases()


@pytest.fixture(scope="module")
def shop(purchases: Purchases) -> Recommender:
    return learn(purchases, SMALL)


def viewed(*views: tuple[str, str, float]) -> Purchases:
    """Return a shop where customers look at products, at some minutes."""
    lines = [Line(who, product, minute / 1440, kind="view") for who, product, minute in views]
    bought = [Line("zoe", "z", day) for day in range(40)]
    return small_purchases([*bought, *lines])


def test_a_family_is_a_category_and_a_title_without_sizes() -> None:
    titles = ["Milk, 1 gal", "MILK 0.5 gal", "Oat milk 1 gal", "Milk 6 pack", "500 ml", ""]
    shelf = [Product(f"p{number}", title, "dairy") for number, title in enumerate(titles)]
    catalogue = catalogue_of([*shelf, Product("p6", "Milk", "sweets"), Product("p7", "Milk")])
    families = [family_of(catalogue, item) for item in range(8)]
    assert families[0] == families[1] == families[3] == "dairy: milk"
    assert families[2] == "dairy: oat milk"
    assert families[4:] == ["", "", "sweets: milk", ": milk"]


def test_three_of_a_family_or_two_side_by_side_are_not_varied() -> None:
    assert is_varied(["milk", "tea", "milk", "", ""])
    assert not is_varied(["milk", "milk", "tea"])
    assert not is_varied(["milk", "tea", "milk", "jam", "milk"])


def test_a_list_need_not_be_varied_where_there_is_nothing_else() -> None:
    assert could_be_varied(4, ["milk"] * 9 + ["tea", "jam"])
    assert not could_be_varied(5, ["milk"] * 9 + ["tea", "jam"])
    assert could_be_varied(5, ["milk"] * 9 + ["", "", ""])


def test_orders_with_a_whole_unit_are_counted() -> None:
    rows = [[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 1]]
    orders = OrderCounts(csc_matrix(np.array(rows, np.float32)))
    assert orders.sizes.tolist() == [3, 2, 2]
    assert [orders.count(items) for items in ([0, 1], [0, 1, 2], [1, 2])] == [2, 1, 1]
    assert orders.lift(0, 1) == pytest.approx(2 * 4 / (3 * 2))


def test_the_next_view_is_of_another_product_in_the_same_visit() -> None:
    purchases = viewed(
        ("ann", "a", 0), ("ann", "a", 20), ("ann", "b", 45), ("ann", "c", 76), ("bob", "a", 50)
    )
    item, following = find_next_views(purchases)
    ids = purchases.product_ids
    pairs = [(ids[one], ids[other]) for one, other in zip(item, following, strict=True)]
    assert pairs == [("a", "b")]  # who comes back after half an hour begins another visit


def test_a_view_whose_next_one_is_among_the_similar_products_is_a_hit() -> None:
    minutes = [(f"c{n}", product, n * 60 + m) for n in range(5) for m, product in enumerate("ab")]
    shop = learn(viewed(*minutes), SMALL)
    assert share_of_next_views(shop, viewed(("new", "a", 0), ("new", "b", 1))) == (1.0, 1)


def test_the_share_of_a_category_is_counted_in_the_category_that_was_taken_away(
    shop: Recommender, purchases: Purchases
) -> None:
    category = purchases.catalogue.category
    products = draw_products(purchases, category, 10)
    assert len(set(products)) == 10
    blind = without_categories(shop, purchases)
    assert (blind.catalogue.category == -1).all()
    shares = [share_of_category(one, category, products) for one in (shop, blind)]
    assert 1 >= shares[0] > shares[1]


def test_similar_products_are_held_against_as_many_that_are_co_purchased(
    shop: Recommender, purchases: Purchases
) -> None:
    products = draw_products(purchases, purchases.catalogue.category, 10)
    paired = compare_with_co_purchase(shop, purchases, products)
    assert paired.products == 10
    assert 0 < paired.ours <= 1
    same = compare_with_co_purchase(by_co_purchase(shop), purchases, products)
    assert same.ours == same.other
    assert same.other == paired.other


def test_the_inner_window_sees_nothing_of_the_last_one(purchases: Purchases) -> None:
    past, future = cut_history(purchases, inner=False)
    earlier, between = cut_history(purchases, inner=True)
    assert between.time.max() < future.time.min()
    assert earlier.time.max() < between.time.min()
    assert len(past) + len(future) == len(purchases)


def test_every_row_of_the_table_is_counted(shop: Recommender, purchases: Purchases) -> None:
    rows = [*look_at_lists(shop), *look_at_bundles(shop, purchases)]
    figures = {row.what: row.figure for row in rows}
    assert len(figures) == len(rows) == 19
    similar = judge_similar(purchases, inner=False)
    assert [0 <= float(row.figure.split()[0]) <= 1 for row in similar] == [True] * 3
    views = viewed(
        *((f"c{n}", thing, 1440 * n + m) for n in range(40) for m, thing in enumerate("ab"))
    )
    assert 0 <= float(judge_next_views(views, inner=False)[0].figure) <= 1

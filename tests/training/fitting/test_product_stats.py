"""What is learned of products without looking at a single day: aisles, families, prices, how many
buy and send back.
"""

from collections.abc import Sequence
from math import log

import numpy as np
import pytest

from models.data.history import NEVER
from models.data.product_stats import ProductStats
from tests.support.shop import Line, Product, moment
from tests.support.training_shop import small_purchases
from training.fitting.counts import select_lines
from training.fitting.product_stats import fit_product_stats


def traits(*lines: Line, products: Sequence[Product] = ()) -> ProductStats:
    return fit_product_stats(small_purchases(lines, products))


def titled(*titles: str) -> ProductStats:
    """Products p00, p01, … with these titles and no category."""
    products = [Product(f"p{number:02}", title) for number, title in enumerate(titles)]
    return traits(Line("anna", "p00", 1), products=products)


def test_the_categories_are_those_of_the_catalogue_where_it_has_any() -> None:
    titles = ["red candle", "blue candle", "green candle"]
    shelf = [
        Product(f"p{number}", title, "lights" if number else "")
        for number, title in enumerate(titles)
    ]
    assert traits(Line("anna", "p0", 1), products=shelf).category.tolist() == [-1, 0, 0]


def test_without_categories_the_word_that_most_other_titles_share_stands_for_one() -> None:
    found = titled(
        "Red candle", "Blue CANDLE", "candle, scented", "tin mug", "tall mug", "mug 0.3", "teapot"
    )
    assert found.category.tolist() == [0, 0, 0, 1, 1, 1, -1]


def test_a_word_that_two_titles_share_tells_of_no_category_and_nor_does_one_that_most_do() -> None:
    assert titled("red candle", "blue candle", "tin mug").category.tolist() == [-1] * 3
    # Of ten titles a tenth may share a word, but three always may; four is too many.
    shop = [
        f"corner {thing}"
        for thing in ("mug", "mug", "mug", "cup", "jar", "lid", "pan", "pot", "tin", "urn")
    ]
    assert titled(*shop).category.tolist() == [0, 0, 0] + [-1] * 7


def test_of_two_words_the_more_common_one_stands_for_the_category() -> None:
    mugs = [f"tin mug {number}" for number in range(3)] + ["tall mug"]
    others = [f"thing {chr(97 + number) * 4}" for number in range(36)]
    found = titled(*mugs, *others)  # of forty titles four may share a word
    assert found.category[:4].tolist() == [0] * 4
    assert set(found.category[4:].tolist()) == {-1}


def test_words_are_those_of_any_language_and_sizes_are_none() -> None:
    assert titled("чёрный кофе", "кофе 250", "кофе в зёрнах").category.tolist() == [0, 0, 0]
    assert titled("500 ml", "250 ml", "100 ml").category.tolist() == [-1] * 3


def test_products_that_differ_in_size_alone_are_one_family() -> None:
    titles = ["Milk 1 l", "milk, 0.5 l", "Oat milk 1 l", "4711", "4712", "Milk 2"]
    shelf = [
        Product(f"p{number}", title, "dairy" if number < 5 else "sweets")
        for number, title in enumerate(titles)
    ]
    family = traits(Line("anna", "p0", 1), products=shelf).family.tolist()
    assert family[0] == family[1]
    assert len({family[0], family[2], family[5]}) == 3
    assert family[3:5] == [-1, -1]


def test_a_price_is_what_was_paid_on_average_over_the_usual_price_of_the_shop() -> None:
    lines = [Line("anna", "bread", 1, price=1.0), Line("bert", "bread", 2, price=4.0)]
    lines += [
        Line("anna", "jam", 1, price=8.0),
        Line("anna", "jam", 2, price=0.0),
        Line("anna", "milk", 1),
    ]
    found = traits(
        *lines,
        products=[Product("bread", price=99.0), Product("honey", price=2.0), Product("kettle")],
    )
    # Bread cost 1 and 4, 2 in the geometric mean; jam 8, and once it was a gift; the usual price is
    # their middle, 4.
    expected = {
        "bread": log(2 / 4),
        "honey": log(2 / 4),
        "jam": log(8 / 4),
        "kettle": np.nan,
        "milk": np.nan,
    }
    assert found.log_price.tolist() == pytest.approx(list(expected.values()), abs=1e-6, nan_ok=True)


def test_a_price_counts_as_dear_among_its_own_kind() -> None:
    prices = {
        "bread": (1.0, "bakery"),
        "cake": (4.0, "bakery"),
        "soap": (2.0, ""),
        "wine": (9.0, "drinks"),
    }
    shelf = [Product(name, category=category) for name, (_, category) in prices.items()] + [
        Product("tea", "", "drinks")
    ]
    found = traits(
        *(Line("anna", name, 1, price=price) for name, (price, _) in prices.items()), products=shelf
    )
    expected = [log(1 / 2), log(4 / 2), 0, np.nan, 0]  # bread, cake, soap, tea, wine
    assert found.price_in_category.tolist() == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_a_shop_that_knows_no_prices_has_none() -> None:
    assert np.isnan(traits(Line("anna", "milk", 1), Line("anna", "bread", 1)).log_price).all()


def test_what_is_first_sold_later_does_not_move_the_prices_of_before() -> None:
    lines = [Line("anna", "bread", 1, price=1.0), Line("anna", "jam", 1, price=3.0)]
    pearls = [Line("anna", f"pearls {number}", 50, price=1_000.0) for number in range(5)]
    shelf = [Product(f"pearls {number}", price=1_000.0) for number in range(5)]
    shop = small_purchases([*lines, *pearls], shelf)
    past = fit_product_stats(select_lines(shop, shop.time < moment(2)))
    assert past.log_price[:2].tolist() == traits(*lines).log_price.tolist()


def test_customers_are_counted_once_a_product_and_guests_not_at_all() -> None:
    lines = [Line("anna", "milk", day) for day in range(5)] + [
        Line("bert", "milk", 1),
        Line("bert", "jam", 1, kind="view"),
    ]
    found = traits(*lines, Line("", "jam", 1, "guest 1"), Line("", "milk", 2, "guest 2"))
    assert found.customers.tolist() == [0, 2]  # jam, milk


def test_a_product_is_as_old_as_its_first_sale_to_anyone() -> None:
    lines = [
        Line("anna", "milk", 5),
        Line("", "milk", 3, "guest"),
        Line("anna", "milk", 1, kind="view"),
    ]
    found = traits(*lines, products=[Product("kettle")])
    assert found.first_sold.tolist() == [NEVER, moment(3)]


def test_the_return_rate_is_returned_lines_of_bought_ones() -> None:
    shoes = [Line(f"c{number}", "shoes", 1) for number in range(4)] + [
        Line("c0", "shoes", 2, kind="return")
    ]
    found = traits(*shoes, Line("anna", "milk", 1), products=[Product("kettle")])
    assert found.return_rate.tolist() == [0, 0, 0.25]  # kettle, milk, shoes

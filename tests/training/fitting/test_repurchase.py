"""How often this shop's customers buy a product again, counted by hand."""

from collections.abc import Sequence

import numpy as np
import pytest

from models.slate import SlateRequest
from models.sources.repurchase import Repurchases
from tests.support.shop import Line, Product, moment
from tests.support.training_shop import small_purchases, trained


def repeats(*lines: Line, products: Sequence[Product] = ()) -> Repurchases:
    return trained(small_purchases(lines, products)).model.repeats


def test_a_product_leans_on_the_shop_as_long_as_few_have_bought_it() -> None:
    """The priors are the defaults: 10 customers for the rate, 5 gaps for the interval."""
    milk = [Line("anna", "milk", day) for day in (0, 10, 20)]
    bread = [Line("bert", "bread", day) for day in (0, 40)]
    once = [Line("cleo", "bread", 7), Line("cleo", "milk", 7)]
    learned = repeats(*milk, *bread, *once)
    # Of four customers with a product, two bought it again.
    assert learned.average.tolist() == [0.5]
    assert learned.rate.tolist() == pytest.approx([(1 + 10 * 0.5) / (2 + 10)] * 2)
    # Three gaps of 60 days in all: 20 days are typical; bread has one gap of 40, milk two of 10.
    assert learned.interval.tolist() == pytest.approx(
        [(40 + 5 * 20) / (1 + 5), (20 + 5 * 20) / (2 + 5)]
    )


def test_a_purchase_that_was_sent_back_was_not_bought_again() -> None:
    lines = [
        Line("anna", "milk", 0),
        Line("anna", "milk", 10),
        Line("anna", "milk", 11, kind="return"),
    ]
    assert repeats(*lines).average.tolist() == [0]


def test_a_purchase_that_was_sent_back_still_tells_how_long_it_took_to_come_again() -> None:
    """Bought on days 0, 10 and 20, the last sent back: two gaps of 10 days, and bought again, for
    two remain.
    """
    milk = [
        *(Line("anna", "milk", day) for day in (0, 10, 20)),
        Line("anna", "milk", 21, kind="return"),
    ]
    learned = repeats(*milk, Line("bert", "bread", 0), Line("bert", "bread", 40))
    assert learned.average.tolist() == [1]
    # Three gaps of 60 days in all: 20 days are typical; bread has one gap of 40, milk two of 10.
    assert learned.interval.tolist() == pytest.approx(
        [(40 + 5 * 20) / (1 + 5), (20 + 5 * 20) / (2 + 5)]
    )


def test_one_gap_counts_though_its_second_purchase_was_sent_back() -> None:
    milk = [
        Line("anna", "milk", 0),
        Line("anna", "milk", 10),
        Line("anna", "milk", 11, kind="return"),
    ]
    learned = repeats(*milk, Line("bert", "milk", 0), Line("bert", "milk", 40))
    assert learned.average.tolist() == [0.5]
    assert learned.interval.tolist() == [25]  # two gaps of 50 days


def test_where_nothing_is_ever_bought_again_the_interval_is_a_century() -> None:
    learned = repeats(Line("anna", "milk", 0), Line("bert", "bread", 1))
    assert learned.rate.tolist() == [0, 0]
    assert learned.interval.tolist() == [36_500, 36_500]


def test_looking_at_a_product_again_and_again_is_no_purchase() -> None:
    views = [Line("anna", "milk", day, kind="view") for day in (1, 2, 3)]
    learned = repeats(*views, Line("bert", "milk", 4))
    assert learned.average.tolist() == [0]
    assert np.isfinite(learned.interval).all()


def test_a_customer_who_looked_and_never_bought_still_gets_a_slate() -> None:
    shop = trained(
        small_purchases([Line("anna", "milk", 1, kind="view"), Line("bert", "bread", 2)])
    )
    slate = shop.recommend("anna", SlateRequest(as_of=moment(3)))
    assert [shop.catalogue.ids[slot.item] for slot in slate.slots] == ["bread"]


def test_a_product_that_few_have_bought_leans_on_its_category_before_the_shop() -> None:
    """The priors are the defaults: 50 customers and gaps of the shop to a category, 10 customers
    and 5 gaps to it.
    """
    people = [f"c{number}" for number in range(4)]
    bread = [Line(name, "bread", day) for name in people for day in (0, 10)]
    lines = [
        *bread,
        *(Line(name, "lamp", 0) for name in people),
        Line("anna", "rolls", 0),
        Line("anna", "bulb", 0),
    ]
    shelf = [Product("bread", category="bakery"), Product("rolls", category="bakery")]
    shelf += [Product("bulb", category="lights"), Product("lamp", category="lights")]
    learned = repeats(*lines, products=shelf)
    # Four of ten customers with a product bought it again, all of them bread, after ten days.
    bakery, lights = (4 + 50 * 0.4) / (5 + 50), (0 + 50 * 0.4) / (5 + 50)
    expected = [(4 + 10 * bakery) / (4 + 10), 10 * lights / 11, 10 * lights / 14, 10 * bakery / 11]
    assert learned.rate.tolist() == pytest.approx(expected)  # bread, bulb, lamp, rolls
    assert learned.interval.tolist() == pytest.approx([10] * 4)


def test_products_without_a_category_make_one_of_their_own() -> None:
    lines = [
        Line("anna", "milk", 0),
        Line("anna", "milk", 30),
        Line("anna", "soap", 0),
        Line("anna", "jam", 0),
    ]
    learned = repeats(*lines, products=[Product("jam", category="pantry")])
    other, pantry = (1 + 50 / 3) / (2 + 50), (0 + 50 / 3) / (1 + 50)
    assert learned.rate.tolist() == pytest.approx(
        [10 * pantry / 11, (1 + 10 * other) / 11, 10 * other / 11]
    )

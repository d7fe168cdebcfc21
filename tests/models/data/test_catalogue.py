"""What is for sale, where and when."""

import numpy as np
import pytest

from models.data.catalogue import Catalogue
from models.data.ids import Ids
from tests.support.shop import Product, catalogue_of, moment

SHELF = [
    Product("apple"),
    Product("bread", in_stock=False),
    Product("cheese", markets=("north", "south")),
    Product("dates", markets=("south",)),
    Product("eggs", from_day=10, until_day=20),
]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return catalogue_of(SHELF)


def on_sale(catalogue: Catalogue, day: float, market: str | None = None) -> list[str]:
    return [
        catalogue.ids[int(item)] for item in np.flatnonzero(catalogue.sellable(moment(day), market))
    ]


def test_what_is_sold_out_is_not_for_sale(catalogue: Catalogue) -> None:
    assert on_sale(catalogue, 0) == ["apple", "cheese", "dates"]


def test_a_product_is_sold_in_its_markets(catalogue: Catalogue) -> None:
    assert on_sale(catalogue, 0, "north") == ["apple", "cheese"]
    assert on_sale(catalogue, 0, "south") == ["apple", "cheese", "dates"]


def test_a_market_that_no_product_names_sells_what_is_sold_everywhere(catalogue: Catalogue) -> None:
    assert on_sale(catalogue, 0, "moon") == ["apple"]


@pytest.mark.parametrize(("day", "there"), [(9.99, False), (10, True), (19.99, True), (20, False)])
def test_a_product_of_the_season_is_there_from_its_first_moment_to_its_last(
    catalogue: Catalogue, day: float, there: bool
) -> None:
    assert ("eggs" in on_sale(catalogue, day)) == there


def test_a_catalogue_is_as_long_as_its_products(catalogue: Catalogue) -> None:
    assert len(catalogue) == 5


def test_a_name_that_no_file_can_hold_is_not_the_product_called_question_mark() -> None:
    assert Ids.of(["?"]).find("\ud800") == -1

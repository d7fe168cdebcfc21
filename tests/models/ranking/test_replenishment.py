"""Products bought at intervals are due on their day."""

from dataclasses import replace

import numpy as np
import pytest

from models.data.events import DAY
from models.ranking.replenishment import DueProduct, find_due
from models.recommender import Recommender
from models.rules.filters import Filters, Repeat
from models.slate import SlateRequest
from tests.support.fitted_shop import fit_shop
from tests.support.shop import (
    DAYS,
    MONTHLY,
    NEVER_BOUGHT,
    ONLY_RARE,
    ONLY_RETURNED,
    REGULAR,
    moment,
    small_shop_records,
)

LAST = 160.5  # the day on which REGULAR bought MONTHLY last


@pytest.fixture(scope="module")
def shop() -> Recommender:
    return fit_shop(small_shop_records())


def due_at(
    shop: Recommender,
    day: float,
    customer_id: str = REGULAR,
    *,
    n: int = 10,
    ahead_days: float = 0,
    filters: Filters = Filters(),  # noqa: B008
) -> list[DueProduct]:
    request = SlateRequest(as_of=moment(day), repeat=Repeat.INCLUDE, filters=filters)
    context = shop.build_context(shop.model.customers.ids.find(customer_id), request)
    return find_due(context, shop.find_removed(context, request), shop.model, n, ahead_days)


def test_what_is_bought_every_month_is_due_a_month_after_the_last_time(shop: Recommender) -> None:
    (product,) = due_at(shop, LAST + 40)
    assert shop.catalogue.ids[product.item] == MONTHLY
    assert (product.lines, product.last) == (6, moment(LAST))
    assert product.interval_days == pytest.approx(30, abs=5)
    assert product.due == pytest.approx(moment(LAST) + product.interval_days * DAY, abs=2)


def test_nothing_is_due_before_its_day_unless_one_looks_ahead(shop: Recommender) -> None:
    (product,) = due_at(shop, LAST + 40)
    day = LAST + product.interval_days
    assert due_at(shop, day - 0.1) == []
    assert due_at(shop, day - 0.1, ahead_days=0.05) == []
    assert due_at(shop, day - 0.1, ahead_days=0.2) == [product]
    assert due_at(shop, day + 0.1) == [product]


def test_a_rhythm_that_was_left_behind_is_none(shop: Recommender) -> None:
    (product,) = due_at(shop, LAST + 40)
    assert due_at(shop, LAST + 2.9 * product.interval_days) == [product]
    assert due_at(shop, LAST + 3.1 * product.interval_days) == []


def test_what_cannot_be_sold_is_not_due(shop: Recommender) -> None:
    item = shop.catalogue.ids.find(MONTHLY)
    assert due_at(shop, LAST + 40, filters=Filters(exclude=(item,))) == []
    in_stock = shop.catalogue.in_stock.copy()
    in_stock[item] = False
    sold_out = replace(shop.model, catalogue=replace(shop.catalogue, in_stock=in_stock))
    assert due_at(Recommender(shop.manifest, sold_out, shop.settings), LAST + 40) == []


@pytest.mark.parametrize("customer_id", [NEVER_BOUGHT, ONLY_RETURNED, ONLY_RARE, "stranger"])
def test_nothing_is_due_for_who_bought_nothing_again(shop: Recommender, customer_id: str) -> None:
    products = due_at(shop, DAYS, customer_id, ahead_days=365)
    rates = shop.model.repeats
    assert all(rates.rate[product.item] > rates.average[0] for product in products)
    assert customer_id == ONLY_RARE or products == []


def test_the_product_whose_day_is_nearest_comes_first_and_no_more_than_asked_for(
    shop: Recommender,
) -> None:
    products = due_at(shop, DAYS, "c00", ahead_days=30)
    distance = [abs(product.due - moment(DAYS)) for product in products]
    assert len(products) > 2
    assert distance == sorted(distance)
    assert due_at(shop, DAYS, "c00", n=2, ahead_days=30) == products[:2]
    assert all(product.due <= moment(DAYS) + 30 * DAY for product in products)


def test_a_product_bought_once_is_due_only_where_the_shop_is_used_to_it(shop: Recommender) -> None:
    rates, average = shop.model.repeats.rate, shop.model.repeats.average[0]
    for number in range(54):
        for product in due_at(shop, DAYS, f"c{number:02}", n=100, ahead_days=365):
            assert product.lines >= 2 or rates[product.item] > average
            assert np.isfinite(product.interval_days)

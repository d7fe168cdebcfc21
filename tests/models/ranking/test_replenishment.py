"""Products bought at intervals are due on their day."""

import re
from dataclasses import replace

import pytest

from models.data.events import DAY
from models.ranking.reasons import DAYS_IN_MONTH, buy_again
from models.ranking.replenishment import DuePurchase, find_due
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
    Line,
    ShopRecords,
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
) -> list[DuePurchase]:
    request = SlateRequest(as_of=moment(day), repeat=Repeat.INCLUDE, filters=filters)
    context = shop.build_context(shop.model.customers.ids.find(customer_id), request)
    return find_due(context, shop.find_removed(context, request), n, ahead_days)


def test_what_is_bought_every_month_is_due_a_month_after_the_last_time(shop: Recommender) -> None:
    (product,) = due_at(shop, LAST + 40)
    assert shop.catalogue.ids[product.item] == MONTHLY
    assert (product.lines, product.last) == (6, moment(LAST))
    assert product.interval_days == pytest.approx(30)
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
    assert due_at(shop, DAYS, customer_id, ahead_days=365) == []


def test_the_product_whose_day_is_nearest_comes_first_and_no_more_than_asked_for(
    shop: Recommender,
) -> None:
    products = due_at(shop, DAYS, "c00", ahead_days=30)
    distance = [abs(product.due - moment(DAYS)) for product in products]
    assert len(products) > 2
    assert distance == sorted(distance)
    assert due_at(shop, DAYS, "c00", n=2, ahead_days=30) == products[:2]
    assert all(product.due <= moment(DAYS) + 30 * DAY for product in products)


def test_what_was_bought_once_or_within_hours_is_bought_at_no_interval() -> None:
    lines = [Line("ann", "tea", day) for day in (0, 10)]
    lines += [Line("ann", "milk", 11.8, "1"), Line("ann", "milk", 12, "2"), Line("ann", "bread", 8)]
    crowd = [Line(f"c{n}", "bread", day, f"{day}") for n in range(9) for day in range(9)]
    shop = fit_shop(ShopRecords([*lines, *crowd]))
    (product,) = due_at(shop, 12, "ann", ahead_days=365)
    assert (shop.catalogue.ids[product.item], product.interval_days) == ("tea", 10)


def test_a_row_and_its_sentence_tell_one_interval(shop: Recommender) -> None:
    told = 0
    for number in range(54):
        customer_id = f"c{number:02}"
        context = shop.build_context(
            shop.model.customers.ids.find(customer_id), SlateRequest(as_of=moment(DAYS))
        )
        for product in due_at(shop, DAYS, customer_id, n=100, ahead_days=365):
            sentence = buy_again(context.pairs, product.item, moment(DAYS)).text
            (number_told,) = re.findall(r"(\d+) (?:days|months)|every day|a day", sentence)
            unit = DAYS_IN_MONTH if "months" in sentence else 1
            assert unit * int(number_told or 1) == pytest.approx(
                product.interval_days, abs=unit / 2
            )
            told += 1
    assert told > 100

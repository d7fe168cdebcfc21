"""The history cut in two: who is asked about, and what is expected of a model."""

from dataclasses import fields

import numpy as np
import pytest

from models.data.events import DAY
from models.slate import SlateRequest
from tests.support.shop import Line, Product, moment, names
from tests.support.training_shop import small_purchases, trained
from training.config import EvaluationConfig
from training.evaluation.split import Split, split_history
from training.reading.purchases import Purchases

LAST_WEEK = EvaluationConfig(test_days=7)
CROWD = [f"crowd {number:02}" for number in range(20)]


def crowd() -> list[Line]:
    """Twenty customers who buy milk on day 10 and again on the last day, 100: enough to measure on."""
    return [Line(customer, "milk", day) for customer in CROWD for day in (10, 100)]


def cut(*lines: Line, config: EvaluationConfig = LAST_WEEK) -> tuple[Split, Purchases]:
    purchases = small_purchases([*crowd(), *lines])
    parts = split_history(purchases, config)
    assert parts is not None
    return parts, purchases


def expected(parts: Split, purchases: Purchases, customer: str) -> tuple[set[str], set[str]] | None:
    """(targets, discoveries) of one customer, None where they are not asked about."""
    user = purchases.customer_ids.find(customer)
    if user not in parts.users.tolist():
        return None
    place = parts.users.tolist().index(user)
    names = purchases.product_ids
    return {names[item] for item in parts.targets[place]}, {
        names[item] for item in parts.discoveries[place]
    }


def test_the_last_days_are_kept_back_and_the_moment_of_the_cut_is_one_of_them() -> None:
    parts, purchases = cut(Line("anna", "milk", 93), Line("anna", "milk", 92.999))
    assert parts.cut == moment(100) - 7 * DAY == moment(93)
    assert parts.past.time.max() == moment(92.999)
    assert parts.future.time.min() == moment(93)
    assert len(parts.past) + len(parts.future) == len(purchases)


def test_visits_and_returns_after_the_last_purchase_do_not_shorten_the_days_that_are_kept_back() -> (
    None
):
    parts, _ = cut(
        Line("anna", "milk", 106, kind="view"), Line(CROWD[0], "milk", 120, kind="return")
    )
    assert parts.cut == moment(93)
    assert (
        expected(*cut(Line("anna", "milk", 5), Line("anna", "milk", 94, kind="view")), "anna")
        is None
    )


def test_what_was_bought_before_is_a_target_and_what_was_not_is_a_discovery_too() -> None:
    jam = [Line(customer, "jam", 20) for customer in CROWD[:3]]
    parts, purchases = cut(
        *jam, Line("anna", "milk", 5), Line("anna", "milk", 95), Line("anna", "jam", 96)
    )
    assert expected(parts, purchases, "anna") == ({"jam", "milk"}, {"jam"})
    assert expected(parts, purchases, CROWD[0]) == ({"milk"}, set())


def test_a_product_counts_once_three_lines_precede_the_cut() -> None:
    twice = [Line(customer, "rare", 20) for customer in CROWD[:2]]
    lines = [Line("anna", "milk", 5), Line("anna", "rare", 95), Line("anna", "milk", 96)]
    parts, purchases = cut(*twice, *lines)
    assert expected(parts, purchases, "anna") == ({"milk"}, set())
    parts, purchases = cut(*twice, Line("", "rare", 21, "a guest's"), *lines)
    assert expected(parts, purchases, "anna") == ({"milk", "rare"}, {"rare"})


def test_a_return_neither_makes_a_product_count_nor_is_something_to_expect() -> None:
    lines = [Line(customer, "rare", 20) for customer in CROWD[:2]]
    lines += [
        Line(CROWD[0], "rare", 21, kind="return"),
        Line("anna", "milk", 5),
        Line("anna", "rare", 95),
    ]
    parts, purchases = cut(*lines, Line("anna", "milk", 96, kind="return"))
    assert expected(parts, purchases, "anna") is None


@pytest.mark.parametrize(
    "lines",
    [
        [Line("anna", "milk", 95)],
        [Line("anna", "milk", 5, kind="view"), Line("anna", "milk", 95)],
        [Line("anna", "milk", 5)],
        [Line("anna", "milk", 5), Line("anna", "milk", 95, kind="view")],
    ],
    ids=[
        "bought nothing before",
        "only looked before",
        "bought nothing after",
        "only looked after",
    ],
)
def test_a_customer_is_asked_about_who_bought_on_both_sides_of_the_cut(lines: list[Line]) -> None:
    parts, purchases = cut(*lines)
    assert expected(parts, purchases, "anna") is None
    assert len(parts.users) == 20


def test_guests_are_not_asked_about() -> None:
    parts, _ = cut(Line("", "milk", 5, "one"), Line("", "milk", 95, "two"))
    assert len(parts.users) == 20
    assert parts.users.min() == 0


def test_a_sample_of_customers_is_the_same_for_the_same_seed() -> None:
    few = [EvaluationConfig(test_days=7, max_customers=5, seed=seed) for seed in (1, 1, 2)]
    one, again, other = (cut(config=config)[0].users.tolist() for config in few)
    assert one == again != other
    assert len(set(one)) == 5
    assert one == sorted(one)


def test_targets_of_a_sample_belong_to_its_customers() -> None:
    own = [Line(customer, f"own {customer}", day) for customer in CROWD for day in (1, 2, 3, 99)]
    parts, purchases = cut(*own, config=EvaluationConfig(test_days=7, max_customers=4))
    for customer in CROWD:
        found = expected(parts, purchases, customer)
        assert found in (None, ({"milk", f"own {customer}"}, set()))


@pytest.mark.parametrize(
    "lines",
    [
        [Line("", "milk", day, f"guest {day}") for day in range(60)],
        [Line("anna", "milk", day) for day in range(60)],
        [Line(f"c{day}", "milk", day) for day in range(60)],
        [line for line in crowd() if line.customer != CROWD[0]],
        [Line("anna", "milk", 1)],
    ],
    ids=["guests alone", "one customer", "nobody twice", "nineteen customers", "one line"],
)
def test_too_little_to_measure_on_is_no_split(lines: list[Line]) -> None:
    assert split_history(small_purchases(lines), LAST_WEEK) is None


def test_what_was_not_sold_before_the_cut_had_no_price_that_was_paid_later() -> None:
    products = [Product("jam", price=2.5), Product("milk", price=1.5)]
    parts = split_history(
        small_purchases([*crowd(), Line("anna", "milk", 5), Line("anna", "jam", 95)], products),
        LAST_WEEK,
    )
    assert parts is not None
    prices = dict(zip(parts.past.catalogue.ids, parts.past.catalogue.price.tolist(), strict=True))
    assert prices["milk"] == 1.5
    assert np.isnan(prices["jam"])


def test_what_is_sold_out_today_was_there_at_the_cut() -> None:
    jam = [Line(customer, "jam", 20) for customer in CROWD[:3]]
    lines = [*crowd(), *jam, Line("anna", "milk", 5), Line("anna", "jam", 95)]
    purchases = small_purchases(
        lines, [Product("jam", in_stock=False), Product("milk", in_stock=False)]
    )
    parts = split_history(purchases, LAST_WEEK)
    assert parts is not None
    assert expected(parts, purchases, "anna") == ({"jam"}, {"jam"})
    assert parts.past.catalogue.in_stock.all()
    # The twin shows what the model of today leaves out, and nothing else about the products has
    # changed.
    twin, today = trained(parts.past), trained(purchases)
    assert "jam" in names(twin, twin.recommend("anna", SlateRequest()))
    assert names(today, today.recommend("anna", SlateRequest())) == []
    assert not purchases.catalogue.in_stock.any()
    kept = [
        field.name
        for field in fields(purchases.catalogue)
        if field.name not in ("in_stock", "price")
    ]
    assert all(
        getattr(parts.past.catalogue, name) is getattr(purchases.catalogue, name) for name in kept
    )


@pytest.mark.parametrize(("history", "days"), [(100, 18), (20, 4), (9, 1), (4, 1)])
def test_of_a_short_history_a_fifth_is_kept_back_and_at_least_a_day(
    history: int, days: int
) -> None:
    lines = [Line(customer, "milk", day) for customer in CROWD for day in (10, 10 + history)]
    if history == 100:
        lines += [Line(CROWD[0], "milk", 20)]
    parts = split_history(small_purchases(lines), EvaluationConfig(test_days=18))
    assert parts is not None
    assert parts.days == days
    assert parts.cut == moment(10 + history) - days * DAY


def test_an_order_of_a_stranger_is_a_visit_that_has_seen_a_part_of_it() -> None:
    known = [Line(CROWD[0], product, 20) for product in ("jam", "tea", "rice") for _ in range(3)]
    known += [
        Line(customer, product, 21) for customer in CROWD[:3] for product in ("jam", "tea", "rice")
    ]
    order = [Line("zoe", product, 95, "first") for product in ("jam", "tea", "rice")]
    parts, purchases = cut(*known, *order)
    (visit,) = [visit for visit in parts.visits if purchases.customer_ids[visit.user] == "zoe"]
    products = {purchases.product_ids[item] for item in (*visit.seen, *visit.targets)}
    assert products == {"jam", "tea", "rice"}
    assert visit.seen
    assert visit.targets
    assert not visit.targets & set(visit.seen)

"""One customer, as the model learned them and with what they did since."""

from dataclasses import replace

import numpy as np
import pytest

from models.data.customers import NEVER_ASKED, NO
from models.data.events import DAY, KINDS, Events, order_code
from models.recommender import Recommender
from models.slate import FallbackReason, ReasonKind, SlateRequest, Strategy
from models.updates.customer import NO_UPDATE, CustomerUpdate, update_history, weigh_events
from tests.support.fitted_shop import fit_shop
from tests.support.literal_fit import build_histories
from tests.support.shop import (
    AISLES,
    DAYS,
    MONTHLY,
    REGULAR,
    Line,
    Product,
    ShopRecords,
    moment,
    names,
    small_shop_records,
)

ALL = SlateRequest(n=100)


@pytest.fixture(scope="module")
def shop() -> Recommender:
    return fit_shop(small_shop_records())


def rows(
    *lines: tuple[str, str, float] | tuple[str, str, float, str], ids: list[str] | None = None
) -> Events:
    """(product, kind, day, order) in any order; a product is its index in `ids`."""
    named = ids or ["bread", "butter", "milk"]
    full = [(*line, "")[:4] for line in lines]
    return Events(
        np.array([named.index(product) for product, *_ in full], np.int32),
        np.array([moment(float(day)) for _, _, day, _ in full], np.int64),
        np.array([KINDS.index(kind) for _, kind, *_ in full], np.uint8),
        np.ones(len(full), np.float32),
        np.array([order_code(order) if order else 0 for *_, order in full], np.uint32),
    )


def item_time_kind(events: Events) -> list[tuple[int, int, str]]:
    return [
        (item, time, KINDS[kind])
        for item, time, kind in zip(
            events.item.tolist(), events.time.tolist(), events.kind.tolist(), strict=True
        )
    ]


def test_what_was_done_since_stands_by_product_and_time_among_what_was_learned() -> None:
    learned = rows(("bread", "purchase", 1), ("milk", "purchase", 2))
    update = CustomerUpdate(rows(("milk", "view", 1), ("butter", "cart", 9), ("bread", "view", 0)))
    assert item_time_kind(update_history(learned, update)) == [
        (0, moment(0), "view"),
        (0, moment(1), "purchase"),
        (1, moment(9), "cart"),
        (2, moment(1), "view"),
        (2, moment(2), "purchase"),
    ]


def test_a_purchase_that_came_by_file_and_by_event_is_one() -> None:
    learned = rows(("bread", "purchase", 1, "o1"))
    update = CustomerUpdate(
        rows(("bread", "purchase", 1.5, "o1"), ("butter", "purchase", 1.5, "o1"))
    )
    assert item_time_kind(update_history(learned, update)) == [
        (0, moment(1), "purchase"),
        (1, moment(1.5), "purchase"),
    ]


def test_two_events_of_one_order_and_product_are_one_purchase_the_first_that_was_told() -> None:
    update = CustomerUpdate(
        rows(
            ("bread", "purchase", 3, "o1"),
            ("bread", "purchase", 2, "o1"),
            ("bread", "purchase", 3, "o2"),
        )
    )
    assert item_time_kind(update_history(rows(), update)) == [
        (0, moment(3), "purchase"),
        (0, moment(3), "purchase"),
    ]


def test_purchases_of_no_known_order_and_views_count_each() -> None:
    events = rows(("bread", "purchase", 1), ("bread", "view", 1), ("bread", "view", 1))
    assert len(update_history(events, CustomerUpdate(events))) == 6


def test_a_return_of_the_same_order_is_no_repetition() -> None:
    learned = rows(("bread", "purchase", 1, "o1"))
    assert len(update_history(learned, CustomerUpdate(rows(("bread", "return", 2, "o1"))))) == 2


def test_a_product_that_was_struck_out_says_nothing_whenever_it_was_bought() -> None:
    learned = rows(("bread", "purchase", 1), ("milk", "purchase", 2))
    update = CustomerUpdate(rows(("bread", "view", 3)), unused=np.array([0], np.int32))
    assert item_time_kind(update_history(learned, update)) == [(2, moment(2), "purchase")]


def test_what_was_done_later_is_the_same_as_if_it_had_been_learned() -> None:
    lines = [Line("ann", "bread", 1), Line("ann", "milk", 2), Line("ann", "milk", 3, kind="view")]
    whole, learned = (
        build_histories(ShopRecords(lines)).of(0),
        build_histories(ShopRecords(lines[:2])).of(0),
    )
    both = update_history(learned, CustomerUpdate(rows(("milk", "view", 3), ids=["bread", "milk"])))
    assert item_time_kind(both) == item_time_kind(whole)


def done(shop: Recommender, *happened: tuple[str, str, float], **answers: object) -> CustomerUpdate:
    events = rows(*happened, ids=list(shop.catalogue.ids))
    return CustomerUpdate(events, **answers)  # type: ignore[arg-type]


def slate(
    shop: Recommender, update: CustomerUpdate, customer_id: str | None = "c00", **asked: object
) -> list[str]:
    request = replace(ALL, as_of=moment(DAYS), **asked)  # type: ignore[arg-type]
    return names(shop, shop.recommend(customer_id, request, update))


def test_who_has_done_nothing_since_gets_the_same_slate(shop: Recommender) -> None:
    for customer in ("c00", REGULAR, "stranger"):
        assert shop.recommend(customer, ALL, done(shop)) == shop.recommend(customer, ALL)


def test_a_product_just_bought_is_not_recommended_and_what_is_bought_once_never_again(
    shop: Recommender,
) -> None:
    assert MONTHLY in slate(shop, NO_UPDATE, REGULAR)
    assert MONTHLY not in slate(shop, done(shop, (MONTHLY, "purchase", DAYS)), REGULAR)


def test_what_is_in_the_cart_is_not_recommended_and_what_goes_with_it_is(shop: Recommender) -> None:
    # c03 loves the garden.
    update = done(shop, ("bread", "cart", DAYS - 0.1))
    result = shop.recommend("c03", replace(ALL, as_of=moment(DAYS)), update)
    before, now = slate(shop, NO_UPDATE, "c03"), names(shop, result)
    assert "bread" in before
    assert "bread" not in now
    assert now.index("butter") < before.index("butter")
    butter = result.slots[now.index("butter")]
    assert (butter.reason.kind, butter.reason.items) == (
        ReasonKind.BOUGHT_TOGETHER,
        (shop.catalogue.ids.find("bread"),),
    )
    undone = done(shop, ("bread", "cart", DAYS - 0.2), ("bread", "remove_from_cart", DAYS - 0.1))
    assert "bread" in slate(shop, undone, "c03")


def test_a_session_is_a_customer_whom_its_views_tell_apart(shop: Recommender) -> None:
    request = SlateRequest(n=5, as_of=moment(DAYS))
    kite = shop.recommend(None, request, done(shop, ("kite", "view", DAYS), ("doll", "view", DAYS)))
    compost = shop.recommend(
        None, request, done(shop, ("compost", "view", DAYS), ("seeds", "view", DAYS))
    )
    assert kite.strategy is compost.strategy is Strategy.SESSION
    assert set(names(shop, kite)[:3]) < set(AISLES["toys"].split())
    assert set(names(shop, compost)[:3]) < set(AISLES["garden"].split())


def test_what_is_still_to_come_at_the_moment_asked_for_says_nothing(shop: Recommender) -> None:
    update = done(shop, ("bread", "dismiss", DAYS + 1))
    assert "bread" in slate(shop, update)
    later = replace(ALL, as_of=moment(DAYS + 1))
    assert "bread" not in names(shop, shop.recommend("c00", later, update))


def test_an_erased_customer_is_a_stranger(shop: Recommender) -> None:
    erased = replace(NO_UPDATE, forgotten=True)
    result = shop.recommend("c00", ALL, erased)
    assert (result.strategy, result.fallback_reason) == (
        Strategy.POPULAR,
        FallbackReason.UNKNOWN_CUSTOMER,
    )
    assert result == shop.recommend("nobody", ALL)


def test_who_said_no_since_gets_what_everyone_gets(shop: Recommender) -> None:
    silent = (NEVER_ASKED, 0)
    result = shop.recommend(
        "c00", ALL, done(shop, consent=(silent, (NO, moment(DAYS)), silent, silent))
    )
    assert (result.strategy, result.fallback_reason) == (
        Strategy.NOT_PERSONALIZED,
        FallbackReason.NO_CONSENT,
    )
    assert (
        result.slots == shop.popular(shop.at_home(shop.model.customers.ids.find("c00"), ALL)).slots
    )


def test_a_customer_who_struck_out_all_they_bought_has_no_history(shop: Recommender) -> None:
    user = shop.model.customers.ids.find(REGULAR)
    everything = np.unique(shop.model.histories.of(user).item)
    result = shop.recommend(REGULAR, ALL, replace(NO_UPDATE, unused=everything))
    assert result.fallback_reason is FallbackReason.NO_HISTORY


def test_a_view_fades(shop: Recommender) -> None:
    viewed = done(shop, ("kite", "view", DAYS))
    shares = []
    for days in (0, 60):
        context = shop.build_context(-1, replace(ALL, as_of=moment(DAYS) + days * DAY), viewed)
        shares.append(float(context.pairs.taste[0]))
    assert shares[0] == 1
    assert shares[1] < 0.05


def test_what_is_bought_once_stays_away_after_it_was_bought() -> None:
    customers = [f"c{number}" for number in range(60)]
    lines = [Line(customer, "bread", 10 * visit) for customer in customers for visit in range(6)]
    lines += [Line(customer, "kettle", 5) for customer in customers[1:]]
    shelf = [Product("bread", category="bakery"), Product("kettle", category="tools")]
    kitchen = fit_shop(ShopRecords(lines, shelf))
    later = SlateRequest(as_of=moment(400))
    bought = done(kitchen, ("kettle", "purchase", 60))
    assert "kettle" in names(kitchen, kitchen.recommend("c0", later))
    assert names(kitchen, kitchen.recommend("c0", later, bought)) == ["bread"]


UNTOLD = np.nan


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([("purchase", "bread", 6)], [1]),
        ([("purchase", "bread", 6), ("return", "bread", 3)], [1, -0.5]),
        ([("purchase", "bread", 2), ("purchase", "bread", 4), ("return", "bread", 6)], [1, 1, -2]),
        ([("return", "bread", 3)], [-1]),  # what was bought by file came back
        ([("purchase", "milk", 6), ("return", "bread", 3), ("return", "milk", 3)], [1, -1, -0.5]),
        ([("purchase", "bread", UNTOLD), ("return", "bread", UNTOLD)], [1, -1]),
        (
            [
                ("cart", "bread", UNTOLD),
                ("remove_from_cart", "bread", UNTOLD),
                ("dismiss", "bread", UNTOLD),
            ],
            [1, -1, 1],
        ),
        ([], []),
    ],
)
def test_each_event_weighs_as_training_would_weigh_it(
    lines: list[tuple[str, str, float]], expected: list[float]
) -> None:
    kinds = np.array([KINDS.index(kind) for kind, _, _ in lines], np.uint8)
    products = np.array([len(product) for _, product, _ in lines], np.int32)
    quantities = np.array([quantity for _, _, quantity in lines], np.float64)
    assert (
        weigh_events(products, kinds, quantities, np.full(len(lines), UNTOLD)).tolist() == expected
    )


def test_three_stars_say_nothing_and_one_says_as_much_as_five() -> None:
    stars = np.array([1, 2, 3, 4, 5, UNTOLD])
    ratings = np.full(6, KINDS.index("rating"), np.uint8)
    assert weigh_events(np.zeros(6, np.int32), ratings, np.full(6, UNTOLD), stars).tolist() == [
        -1,
        -0.5,
        0,
        0.5,
        1,
        0,
    ]

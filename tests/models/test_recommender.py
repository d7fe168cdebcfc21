"""One small shop, and what its customers see."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from models.data.customers import PERSONALIZE_EMAIL
from models.data.events import DAY, KINDS, PURCHASE, Events
from models.data.history import LATEST
from models.ranking.customer_profile import CUSTOMER_FEATURES
from models.recommender import Recommender
from models.rules.filters import Filters, Repeat
from models.settings import BlendSettings, RepeatSettings, Weights
from models.slate import FallbackReason, ReasonKind, Slate, SlateRequest, Source, Strategy
from models.updates.customer import NO_UPDATE
from tests.support.fitted_shop import LESSON, fit_shop, small_shop
from tests.support.shop import (
    AISLES,
    DAYS,
    MONTHLY,
    NEVER_BOUGHT,
    NEVER_SOLD,
    NO_EMAIL,
    NO_WEB,
    ONLY_RARE,
    ONLY_RETURNED,
    RARE,
    REGULAR,
    SMALL,
    SOLD_OUT,
    SOUTHERN,
    Line,
    Product,
    ShopRecords,
    moment,
    names,
    open_shop,
    small_shop_records,
)

EMAIL = SlateRequest(purpose=PERSONALIZE_EMAIL)
ALL = SlateRequest(n=100, repeat=Repeat.INCLUDE)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    return open_shop(small_shop(tmp_path_factory.mktemp("shop")))


def items(shop: Recommender, *products: str) -> tuple[int, ...]:
    return tuple(shop.catalogue.ids.find_all(products).tolist())


def states(slate: Slate) -> tuple[Strategy, FallbackReason | None]:
    return slate.strategy, slate.fallback_reason


def test_a_customer_who_loves_the_garden_sees_the_garden_and_the_toys_beside_it(
    shop: Recommender,
) -> None:
    slate = shop.recommend("c03", SlateRequest(n=5))
    assert states(slate) == (Strategy.PERSONAL, None)
    assert set(names(shop, slate)) <= {*AISLES["garden"].split(), *AISLES["toys"].split()}


def test_what_is_bought_every_month_is_recommended_with_its_rhythm(shop: Recommender) -> None:
    first = shop.recommend(REGULAR, SlateRequest()).slots[0]
    assert (first.item, first.source) == (*items(shop, MONTHLY), Source.OWN_PURCHASES)
    assert first.reason.text == "You buy this about every 30 days"


def test_a_product_bought_yesterday_is_not_recommended() -> None:
    shop = fit_shop(small_shop_records(), replace(SMALL, repeats=RepeatSettings(too_soon=0.15)))
    day_after = SlateRequest(n=100, as_of=moment(10.5 + 5 * 30 + 1))
    assert MONTHLY not in names(shop, shop.recommend(REGULAR, day_after))
    assert MONTHLY in names(
        shop, shop.recommend(REGULAR, replace(day_after, repeat=Repeat.INCLUDE))
    )
    assert MONTHLY in names(
        shop, shop.recommend(REGULAR, replace(day_after, as_of=moment(10.5 + 6 * 30)))
    )


def test_who_bought_a_rare_product_alone_is_known_by_it_and_not_by_a_taste(
    shop: Recommender,
) -> None:
    slate = shop.recommend(ONLY_RARE, ALL)
    assert states(slate) == (Strategy.PERSONAL, None)
    assert names(shop, slate)[0] == RARE
    assert {slot.source for slot in slate.slots[1:]} == {Source.POPULAR, Source.CATEGORY}
    told = {name: slot.reason for name, slot in zip(names(shop, slate), slate.slots, strict=True)}
    of_the_aisle = {
        name for name, reason in told.items() if reason.kind is ReasonKind.BECAUSE_YOU_BOUGHT
    }
    assert of_the_aisle <= set(AISLES["coffee"].split())
    assert {told[name].text for name in of_the_aisle} == {"Because you bought Grinder"}


def test_what_was_sent_back_is_not_recommended_again(shop: Recommender) -> None:
    slate = shop.recommend(ONLY_RETURNED, ALL)
    assert "rake" not in names(shop, slate)
    assert {slot.source for slot in slate.slots} == {Source.POPULAR}


@pytest.mark.parametrize(
    ("customer", "reason"),
    [
        ("who is this", FallbackReason.UNKNOWN_CUSTOMER),
        (NEVER_BOUGHT, FallbackReason.NO_HISTORY),
        (None, FallbackReason.NO_HISTORY),
    ],
)
def test_a_stranger_sees_what_is_popular_and_why(
    shop: Recommender, customer: str | None, reason: FallbackReason
) -> None:
    slate = shop.recommend(customer, SlateRequest(filters=Filters(market="south")))
    assert states(slate) == (Strategy.POPULAR, reason)
    assert slate.slots == shop.popular(SlateRequest(filters=Filters(market="south"))).slots


def test_no_to_the_web_is_no_to_the_web_alone(shop: Recommender) -> None:
    no = (Strategy.NOT_PERSONALIZED, FallbackReason.NO_CONSENT)
    assert states(shop.recommend(NO_WEB, SlateRequest())) == no
    assert states(shop.recommend(NO_WEB, EMAIL)) == (Strategy.PERSONAL, None)
    assert states(shop.recommend(NO_EMAIL, EMAIL)) == no
    assert states(shop.recommend(NO_EMAIL, SlateRequest())) == (Strategy.PERSONAL, None)


def test_who_said_no_sees_the_slate_of_a_stranger_in_their_market(shop: Recommender) -> None:
    visit = SlateRequest(recent=items(shop, "train"))
    assert (
        shop.recommend(NO_WEB, visit).slots
        == shop.popular(SlateRequest(filters=Filters(market="north"))).slots
    )


def test_customers_shop_in_their_own_market_unless_they_name_another(shop: Recommender) -> None:
    assert SOUTHERN in names(shop, shop.recommend("c00", ALL))
    assert SOUTHERN not in names(shop, shop.recommend("c01", ALL))
    assert SOUTHERN in names(
        shop, shop.recommend("c01", replace(ALL, filters=Filters(market="south")))
    )


def test_a_request_is_brought_to_the_customers_own_market(shop: Recommender) -> None:
    for customer, market in (("c00", "south"), ("c01", "north"), ("who is this", None)):
        user = shop.model.customers.ids.find(customer)
        assert shop.at_home(user, ALL) == replace(ALL, filters=Filters(market=market))
    named = SlateRequest(filters=Filters(market="north"))
    assert shop.at_home(shop.model.customers.ids.find("c00"), named) == named


def test_popular_counts_the_lines_of_the_last_four_weeks_in_the_market(shop: Recommender) -> None:
    records = small_shop_records()
    newest, south = max(line.day for line in records.lines), records.market_names.find("south")
    lines = np.zeros(40, np.int64)
    for row in records.coded_lines:
        lately = row.time >= moment(int(newest) + 1 - 28)
        lines[row.item] += row.kind == PURCHASE and lately and row.market == south
    south_only = SlateRequest(n=12, filters=Filters(market="south"))
    slots = shop.popular(south_only, window_days=28).slots
    assert [slot.score for slot in slots] == [lines[slot.item] for slot in slots]
    assert [slot.score for slot in slots] == sorted(
        lines[shop.catalogue.in_stock].tolist(), reverse=True
    )[:12]


def test_popular_looks_as_far_back_as_it_is_asked_to(shop: Recommender) -> None:
    week, year = (shop.popular(SlateRequest(n=40), window_days=days) for days in (7, 365))
    total = shop.model.sales.popularity(moment(999), 40, shop.settings.popular).total
    assert [slot.score for slot in year.slots] == [total[slot.item] for slot in year.slots]
    assert sum(slot.score for slot in week.slots) < sum(slot.score for slot in year.slots)


def test_a_visit_is_enough_to_be_understood(shop: Recommender) -> None:
    slate = shop.recommend(None, SlateRequest(recent=items(shop, "train", "kite")))
    assert states(slate) == (Strategy.SESSION, None)
    # As many toys as ten may be
    assert set(names(shop, slate)[:5]) <= set(AISLES["toys"].split()) - {"train", "kite"}


def test_a_visit_is_added_to_what_is_known(shop: Recommender) -> None:
    gardener, visit = SlateRequest(n=8), SlateRequest(n=8, recent=items(shop, "beans", "mug"))
    before, after = (
        set(names(shop, shop.recommend("c03", replace(request, repeat=Repeat.EXCLUDE))))
        for request in (gardener, visit)
    )
    coffee = set(AISLES["coffee"].split())
    assert shop.recommend("c03", visit).strategy is Strategy.PERSONAL
    assert len(after & coffee) > len(before & coffee)


def test_bread_in_the_basket_brings_butter_and_the_reason_says_so() -> None:
    shop = fit_shop(
        small_shop_records(),
        replace(SMALL, blend=BlendSettings(visit=Weights(affinity=0.1, basket=1.0))),
    )
    slots = shop.recommend(None, SlateRequest(basket=items(shop, "bread"))).slots
    (butter,) = (slot for slot in slots if slot.item == items(shop, "butter")[0])
    assert (butter.source, butter.reason.kind) == (
        Source.BOUGHT_TOGETHER,
        ReasonKind.BOUGHT_TOGETHER,
    )
    assert (butter.reason.items, butter.reason.text) == (
        items(shop, "bread"),
        "Often bought together with Bread",
    )
    assert butter == slots[0]


def test_because_you_bought_names_the_strongest_tie_that_is_not_named_three_times_in_ten(
    shop: Recommender,
) -> None:
    said = passed_over = 0
    for customer in (f"c{number:02}" for number in range(54)):
        slate = shop.recommend(customer, SlateRequest(n=20, repeat=Repeat.EXCLUDE))
        pairs = shop.build_context(shop.model.customers.ids.find(customer), SlateRequest()).pairs
        explained = [slot for slot in slate.slots if slot.source != Source.FILL]
        named = Counter[int]()
        for position, slot in enumerate(explained):
            if slot.reason.kind is ReasonKind.BECAUSE_YOU_BOUGHT and slot.reason.items:
                ties = pairs.recent * [
                    shop.model.neighbours.similar(int(item))[slot.item] for item in pairs.item
                ]
                (evidence,) = slot.reason.items
                stronger = pairs.item[ties > ties[pairs.item == evidence]].tolist()
                assert all(named[item] == 3 * (position // 10 + 1) for item in stronger)
                said += 1
                passed_over += len(stronger)
            named.update(slot.reason.items)
    assert said > passed_over > 0


def test_like_you_names_the_product_that_adds_most_to_the_affinity(shop: Recommender) -> None:
    said = 0
    for customer in (f"c{number:02}" for number in range(54)):
        slate = shop.recommend(customer, SlateRequest(n=20, repeat=Repeat.EXCLUDE))
        pairs = shop.build_context(shop.model.customers.ids.find(customer), SlateRequest()).pairs
        for slot in slate.slots:
            if slot.source is Source.FACTORS:
                (because,) = slot.reason.items
                assert because in pairs.item[pairs.taste > 0]
                title = shop.catalogue.title[because]
                assert slot.reason.text == f"Customers who buy {title}, like you, chose this"
                said += 1
    assert said > 0


def test_a_version_without_similar_products_tells_what_the_same_customers_buy(
    shop: Recommender,
) -> None:
    (espresso,) = items(shop, "espresso")
    slate = shop.similar(espresso, SlateRequest(n=5))
    assert set(names(shop, slate)) <= {
        *AISLES["coffee"].split(),
        *AISLES["dairy"].split(),
        *AISLES["garden"].split(),
    }
    similar = shop.model.neighbours.similar(espresso)
    found = [similar[slot.item] for slot in slate.slots]
    assert found == sorted(found, reverse=True)
    assert [slot.score for slot in slate.slots] == pytest.approx([s / (1 + s) for s in found])
    assert {slot.source for slot in slate.slots} == {Source.NEIGHBOURS}
    assert {slot.reason.text for slot in slate.slots} == {
        "Customers who buy Espresso also buy this"
    }


def test_a_product_like_no_other_is_filled_up_from_its_category_or_not_at_all(
    shop: Recommender,
) -> None:
    (kettle,) = items(shop, NEVER_SOLD)
    slate = shop.similar(kettle, SlateRequest(n=5))
    assert {slot.source for slot in slate.slots} == {Source.FILL}
    assert set(names(shop, slate)) <= set(AISLES["coffee"].split()) - {NEVER_SOLD}
    strict = shop.similar(kettle, SlateRequest(n=5, strict=True))
    assert (strict.slots, strict.fallback_reason) == ((), FallbackReason.NO_CANDIDATES)


def test_bread_and_butter_are_a_bundle_with_their_figures(shop: Recommender) -> None:
    bread, butter = items(shop, "bread", "butter")
    first = shop.bundles(bread, SlateRequest(n=3))[0]
    bought = [row for row in small_shop_records().coded_lines if row.kind == PURCHASE]
    with_bread, with_butter = (
        {row.order for row in bought if row.item == item} for item in (bread, butter)
    )
    both, total = len(with_bread & with_butter), len({row.order for row in bought})
    assert (first.anchor, first.items, first.support) == (bread, (butter,), both)
    assert first.rule_confidence == pytest.approx(both / len(with_bread))
    assert first.lift == pytest.approx(both * total / len(with_bread) / len(with_butter))


def test_what_completes_a_basket_comes_in_the_order_of_its_scores_without_what_is_sold_out(
    shop: Recommender,
) -> None:
    basket = items(shop, "bread", "milk", "bread")
    tied = shop.baskets.find_candidates(
        sorted(set(basket)), np.ones(len(shop.catalogue), np.bool_)
    ).item.tolist()
    found = shop.complete(SlateRequest(n=100, basket=basket))
    assert sorted(bundle.items[0] for bundle in found) == sorted(
        set(tied) - set(items(shop, SOLD_OUT))
    )
    assert list(found) == sorted(found, key=lambda bundle: (-bundle.score, bundle.items))


def test_at_an_earlier_moment_customers_and_shop_are_as_if_the_rest_had_not_happened(
    shop: Recommender,
) -> None:
    day = 90
    records = small_shop_records()
    customers = list(records.all_customers.values())
    earlier = [line for line in records.lines if moment(line.day) < moment(day)]
    past = fit_shop(ShopRecords(earlier, records.products, customers))
    at = SlateRequest(n=40, as_of=moment(day))
    for user in range(len(records.customer_ids)):
        then, now = shop.build_context(user, at), past.build_context(user, at)
        assert vars_of(then.pairs) == vars_of(now.pairs)
        assert then.clocks.since.tolist() == now.clocks.since.tolist()
        assert vars_of(then.trends.popularity) == vars_of(now.trends.popularity)
    for market in (None, "north", "south"):
        there = replace(at, filters=Filters(market=market))
        assert shop.popular(there) == past.popular(there)
    assert shop.popular(at) != shop.popular(replace(at, as_of=None))


def vars_of(arrays: object) -> dict[str, list[float]]:
    return {name: array.tolist() for name, array in vars(arrays).items()}


def test_who_had_bought_nothing_by_then_was_a_visitor_then(shop: Recommender) -> None:
    early = SlateRequest(as_of=moment(5))
    assert states(shop.recommend(REGULAR, early)) == (Strategy.POPULAR, FallbackReason.NO_HISTORY)
    visit = replace(early, recent=items(shop, "kite"))
    assert shop.recommend(REGULAR, visit).strategy is Strategy.SESSION


def test_a_later_moment_moves_a_customers_clocks_and_nothing_of_the_shop(shop: Recommender) -> None:
    newest = shop.manifest.data_as_of
    user = shop.model.customers.ids.find("c03")
    now, later = (
        shop.build_context(user, SlateRequest(as_of=newest + weeks * 7 * DAY)) for weeks in (0, 3)
    )
    assert (later.clocks.since - now.clocks.since).tolist() == pytest.approx(
        [21] * len(now.pairs), abs=1e-3
    )
    assert later.clocks.interval.tolist() == now.clocks.interval.tolist()
    assert later.pairs.count.tolist() == now.pairs.count.tolist()
    assert vars_of(later.trends.popularity) == vars_of(now.trends.popularity)
    week = SlateRequest(as_of=newest + 7 * DAY, n=40)
    assert shop.popular(week) == shop.popular(replace(week, as_of=None))


def test_what_a_customer_does_after_shop_time_counts_for_them_alone(shop: Recommender) -> None:
    user, now = shop.model.customers.ids.find("c03"), shop.manifest.data_as_of
    pairs = shop.build_context(user, SlateRequest()).pairs
    tea, other = (int(item) for item in pairs.item[pairs.owned][:2])
    later = Events(
        item=np.array([tea, other], np.int32),
        time=np.array([now + 3_000 * DAY, now + 3_001 * DAY]),
        kind=np.array([PURCHASE, KINDS.index("view")], np.uint8),
        weight=np.ones(2, np.float32),
        order=np.zeros(2, np.uint32),
    )
    update = replace(NO_UPDATE, events=later)
    service = SlateRequest(as_of=now, events_until=LATEST)
    context = shop.build_context(user, service, update)
    since = dict(zip(context.pairs.item.tolist(), context.clocks.since.tolist(), strict=True))
    before = shop.build_context(user, SlateRequest()).clocks
    expected = dict(zip(pairs.item.tolist(), before.since.tolist(), strict=True)) | {tea: 0}
    assert since == expected  # what they bought just now, and nothing else, is bought just now
    assert context.profile.customer[CUSTOMER_FEATURES.index("since_visit")] == 0
    assert (context.as_of, context.lag_days) == (now, 0)
    at_now = shop.build_context(user, SlateRequest(as_of=now), update)
    assert vars_of(at_now.pairs) == vars_of(pairs)  # a moment that is named sees nothing later


def test_bundles_of_an_earlier_moment_do_not_know_what_sold_later() -> None:
    records = small_shop_records()
    crowd = [Line(f"x{n}", "kite", DAYS - 1, f"x{n}") for n in range(60)]
    shop = fit_shop(ShopRecords([*records.lines, *crowd], records.products), lesson=LESSON)
    early = SlateRequest(as_of=moment(90))
    kite = items(shop, "kite")[0]
    assert shop.baskets.trend[kite] > shop.baskets_at(early).trend[kite]
    assert shop.baskets_at(SlateRequest()) is shop.baskets
    assert shop.baskets_at(SlateRequest(as_of=moment(DAYS + 300))) is shop.baskets


def test_a_shop_where_nobody_buys_twice_recommends_without_a_warning() -> None:
    lines = [
        Line(f"c{n}", name, n)
        for n in range(9)
        for name in ("bed", "lamp", "sofa")
        if name != "sofa" or n % 2
    ]
    shop = fit_shop(ShopRecords(lines))
    assert names(shop, shop.recommend("c0", SlateRequest())) == ["sofa"]
    assert names(shop, shop.recommend("c0", replace(ALL, recent=items(shop, "sofa")))) == [
        "bed",
        "lamp",
    ]


def test_a_shop_that_nothing_can_be_learned_from_still_answers() -> None:
    shop = fit_shop(
        ShopRecords([Line("ann", "bread", 1), Line("bob", "milk", 2)], [Product("unseen")])
    )
    assert names(shop, shop.recommend("ann", ALL)) == ["bread", "milk"]
    assert names(shop, shop.recommend("nobody", ALL)) == ["milk", "bread"]  # which sold last
    assert shop.bundles(0, SlateRequest(n=5)) == ()

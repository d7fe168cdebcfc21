"""What sells best in the market comes first, then what sells elsewhere, then what ever sold."""

import pytest

from models.assembly.popular import (
    EVERYWHERE,
    MIN_MARKETS,
    Bestsellers,
    SalesTrends,
    rank_bestsellers,
)
from models.recommender import Recommender
from models.rules.filters import Filters
from models.rules.rule_effects import build_rule_effects
from models.rules.shop_rules import BoostRule, ProductSelector, ShopRule
from models.slate import ReasonKind, SlateRequest, Source
from tests.support.fitted_shop import fit_shop
from tests.support.shop import Line, Product, ShopRecords, moment

SHOP = fit_shop(
    ShopRecords(
        [
            *(Line(f"n{n}", "north hit", 50 + n, market="north") for n in range(3)),
            *(Line(f"s{n}", "south hit", 50 + n, market="south") for n in range(5)),
            Line("n0", "at home", 52, market="north"),
            *(Line(f"n{n}", "old", 1, market="north") for n in range(4)),
        ]
    )
)
NAMES = list(SHOP.catalogue.ids)


def bestsellers_under(*rules: ShopRule, market: str = "north") -> Bestsellers:
    sales = SHOP.model.sales
    total = sales.popularity(moment(56), len(NAMES), SHOP.settings.popular).total
    code = SHOP.model.customers.market_names.find(market)
    return rank_bestsellers(sales, total, moment(56), 28, code).under(
        build_rule_effects(rules, SHOP.catalogue)
    )


def shown(sellers: Bestsellers) -> list[str]:
    return [NAMES[item] for item in sellers.order]


def test_the_market_comes_first_then_the_whole_shop_then_all_time() -> None:
    assert shown(bestsellers_under()) == ["north hit", "at home", "south hit", "old"]
    assert shown(bestsellers_under(market="nowhere")) == [
        "south hit",
        "north hit",
        "at home",
        "old",
    ]


def test_a_boost_counts_like_so_many_times_the_lines_and_one() -> None:
    boosts = [
        BoostRule("up", ProductSelector(("at home",)), strength=strength) for strength in (1.9, 2.1)
    ]
    assert [shown(bestsellers_under(boost))[0] for boost in boosts] == ["north hit", "at home"]
    assert (
        shown(bestsellers_under(BoostRule("old", ProductSelector(("old",)), strength=2.5)))[1]
        == "old"
    )


def test_slots_tell_the_lines_and_whether_there_were_any() -> None:
    items = [NAMES.index(name) for name in ("north hit", "south hit", "old")]
    slots = bestsellers_under().slots(items, Source.POPULAR)
    assert [(NAMES[slot.item], slot.score) for slot in slots] == [
        ("north hit", 3),
        ("south hit", 0),
        ("old", 0),
    ]
    assert {slot.reason.kind for slot in slots} == {ReasonKind.POPULAR}
    assert {slot.score for slot in bestsellers_under().slots(items, Source.FILL)} == {0}
    assert [slot.reason.text for slot in slots[:2]] == [
        "Popular right now",
        "Bought by other customers",
    ]


def test_what_sells_in_a_market_counts_for_more_there() -> None:
    trends, markets = SalesTrends(SHOP.model, SHOP.settings), SHOP.model.customers.market_names
    north, everywhere, south = (
        trends.product_trends(moment(56), market).popularity.recent
        for market in (markets.find("north"), EVERYWHERE, markets.find("south"))
    )
    north_hit, south_hit = NAMES.index("north hit"), NAMES.index("south hit")
    assert north[north_hit] > everywhere[north_hit] > south[north_hit]
    assert north[south_hit] < everywhere[south_hit] < south[south_hit]


@pytest.mark.parametrize(("markets", "counted"), [(2, 3), (MIN_MARKETS + 5, MIN_MARKETS)])
def test_as_many_markets_are_counted_at_the_start_as_there_are_and_are_kept(
    markets: int, counted: int
) -> None:
    trends = SalesTrends(SHOP.model, SHOP.settings)
    trends.warm(markets)
    assert trends.product_trends.cache_info().currsize == counted
    assert trends.shop_window.cache_info().currsize == counted


# The shop window


def window_of(shop: Recommender, n: int = 10, market: str | None = None) -> list[str]:
    request = SlateRequest(n=n, filters=Filters(market=market))
    return [shop.catalogue.ids[slot.item] for slot in shop.popular(request).slots]


def sales_of(lines_of: dict[str, int], day: float = 50, market: str = "") -> list[Line]:
    """Return so many lines of each product, each of a customer of its own, on one day."""
    return [
        Line(f"{name} {number}", name, day, market=market)
        for name, lines in lines_of.items()
        for number in range(lines)
    ]


def shelves(**lines_of_category: list[int]) -> Recommender:
    """Sell products of some categories so often: tea=[9, 5] are tea0 and tea1."""
    lines_of, products = {}, []
    for category, counts in lines_of_category.items():
        for number, lines in enumerate(counts):
            lines_of[f"{category}{number}"] = lines
            products.append(Product(f"{category}{number}", category=category))
    return fit_shop(ShopRecords(sales_of(lines_of), products))


def test_a_category_has_places_by_what_it_sells_and_further_products_come_down() -> None:
    """Tea sells an eighth of it all: one of ten is its own, of which three sell best."""
    others = {f"shelf{letter}": [7] for letter in "abcdefghijklmnopqrstuvwxyzäöü"}
    small = shelves(tea=[10, 9, 8], **others)
    bestsellers = small.popular(SlateRequest(n=10), window_days=28).slots
    assert [small.catalogue.ids[slot.item] for slot in bestsellers][:3] == ["tea0", "tea1", "tea2"]
    seen = window_of(small)
    assert (seen[:2], "tea2" in seen) == (["tea0", "tea1"], False)
    large = shelves(tea=[10, 9, 8], milk=[7, 6], oats=[5])
    assert window_of(large)[:3] == ["tea0", "tea1", "tea2"]


def test_one_loud_day_counts_less_than_a_good_month() -> None:
    rush = sales_of({"rush": 40}, 59)
    steady = [line for day in range(20, 60) for line in sales_of({"steady": 2}, day)]
    shop = fit_shop(ShopRecords([*rush, *steady], [Product("rush"), Product("steady")]))
    assert window_of(shop, 2) == ["rush", "steady"]
    week = shop.popular(SlateRequest(n=2), window_days=1).slots
    assert week[0].score > 10 * week[1].score
    slots = shop.popular(SlateRequest(n=2)).slots
    assert slots[0].score < 2 * slots[1].score


def test_a_market_sees_its_own_window() -> None:
    lines = sales_of({"scarf": 300, "tea": 150}, 50, "north")
    lines += sales_of({"sandal": 300, "tea": 150}, 50, "south")
    shop = fit_shop(ShopRecords(lines))
    assert window_of(shop, 3, "north") == ["scarf", "tea", "sandal"]
    assert window_of(shop, 3, "south") == ["sandal", "tea", "scarf"]


def test_what_sold_in_the_weeks_to_come_a_year_ago_comes_up() -> None:
    """At the end of day 430 it is the time of day 65, after which ice is what everyone bought."""
    products = [Product("ice", category="summer"), Product("soup", category="winter")]
    lines = sales_of({"soup": 1}, 10) + sales_of({"soup": 299}, 50) + sales_of({"ice": 300}, 70)
    lines += sales_of({"soup": 40, "ice": 30}, 430)
    shop = fit_shop(ShopRecords(lines, products))
    assert window_of(shop, 2) == ["ice", "soup"]
    young = fit_shop(ShopRecords(lines[600:], products))
    assert window_of(young, 2) == ["soup", "ice"]


def test_a_season_turns_in_each_market_by_its_own_climate() -> None:
    """Both sell as much of both now; a year ago ice came next in the north, and soup in the south."""
    products = [Product("ice", category="summer"), Product("soup", category="winter")]
    lines = []
    for market, past, coming in (("north", "soup", "ice"), ("south", "ice", "soup")):
        lines += sales_of({past: 1}, 10, market) + sales_of({past: 299}, 50, market)
        lines += sales_of({coming: 300}, 70, market) + sales_of(
            {"ice": 40, "soup": 40}, 430, market
        )
    shop = fit_shop(ShopRecords(lines, products))
    assert window_of(shop, 2, "north") == ["ice", "soup"]
    assert window_of(shop, 2, "south") == ["soup", "ice"]

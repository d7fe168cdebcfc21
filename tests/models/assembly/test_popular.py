"""What sells best in the market comes first, then what sells elsewhere, then what ever sold."""

import pytest

from models.assembly.popular import (
    EVERYWHERE,
    MIN_MARKETS,
    Bestsellers,
    SalesTrends,
    rank_bestsellers,
)
from models.rules.rule_effects import build_rule_effects
from models.rules.shop_rules import BoostRule, ProductSelector, ShopRule
from models.slate import ReasonKind, Source
from tests.support.fitted_shop import fit_shop
from tests.support.shop import Line, ShopRecords, moment

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
    slots = bestsellers_under().slots(items, Source.FILL)
    assert [(NAMES[slot.item], slot.score) for slot in slots] == [
        ("north hit", 3),
        ("south hit", 0),
        ("old", 0),
    ]
    assert {slot.reason.kind for slot in slots} == {ReasonKind.POPULAR}
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
    assert trends.bestsellers.cache_info().currsize == counted

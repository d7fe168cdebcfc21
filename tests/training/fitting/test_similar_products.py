"""What is similar stands in for the product; what is bought with it does not."""

from dataclasses import replace
from math import log, sqrt

import pytest

from models.data.events import DAY
from models.recommender import Recommender
from models.rules.shop_rules import BoostRule, ProductSelector
from models.slate import ReasonKind, SlateRequest, Source
from models.sources.similar_products import (
    BOUGHT_WEIGHT,
    CATEGORY_WEIGHT,
    EVEN,
    FARTHEST_PRICE,
    MOST_LATER,
    PRICE_WEIGHT,
    SALES_WEIGHT,
)
from models.updates.catalogue import ProductUpdate, update_catalogue
from tests.support.fitted_shop import fit_shop
from tests.support.shop import SMALL, Line, Product, ShopRecords, names
from tests.support.training_shop import read_records
from training.fitting.product_stats import fit_product_stats
from training.fitting.similar_products import fit_similar_products

STRICT = SlateRequest(n=5, strict=True)
PRODUCTS = (
    Product("espresso", "Dark espresso, 500 g", "coffee", price=9),
    Product("filter", "Filter coffee", "coffee", price=8),
    Product("decaf", "Decaf beans", "coffee", price=9),
    Product("olives", "Green olives", "pickles", price=3),
    Product("capers", "Capers", "pickles", price=3),
    Product("mug", "Painted mug", price=5),
    Product("cup", "Painted cup", price=6),
)


def trained(*lines: Line, products: tuple[Product, ...] = PRODUCTS) -> Recommender:
    """Return a shop where five customers buy olives with their espresso, and more lines."""
    bought = []
    for number in range(5):
        order = (Line(f"c{number}", product, number) for product in ("espresso", "olives"))
        bought.extend(order)
    bought += [Line("c8", product.id, 6) for product in products]
    records = ShopRecords(lines=[*bought, *lines], products=list(products))
    shop = fit_shop(records)
    purchases = read_records(records)
    stats = fit_product_stats(purchases)
    similar = fit_similar_products(purchases, stats, shop.model.neighbours)
    model = replace(shop.model, similar=similar)
    return Recommender(shop.manifest, model, SMALL)


def similar_to(shop: Recommender, product: str, request: SlateRequest = STRICT) -> list[str]:
    return names(shop, shop.similar(shop.catalogue.ids.find(product), request))


def after(shop: Recommender, **fields: object) -> Recommender:
    update = ProductUpdate(id="ristretto", fields=frozenset(fields), **fields)  # type: ignore[arg-type]
    model = update_catalogue(shop.model, [update], shop.model, shop.manifest.data_as_of)
    return shop.with_model(model)


@pytest.fixture(scope="module")
def shop() -> Recommender:
    return trained()


def test_coffee_is_similar_to_coffee_before_the_olives_that_are_bought_with_it(
    shop: Recommender,
) -> None:
    assert set(similar_to(shop, "espresso")[:2]) == {"filter", "decaf"}
    olives = shop.similar(shop.catalogue.ids.find("espresso"), STRICT).slots[2]
    assert shop.catalogue.ids[olives.item] == "olives"
    assert olives.reason.kind is ReasonKind.SIMILAR_CUSTOMERS


def test_a_similar_product_says_that_it_is_similar(shop: Recommender) -> None:
    first = shop.similar(shop.catalogue.ids.find("espresso"), STRICT).slots[0]
    assert (first.source, first.reason.kind) == (Source.SIMILAR, ReasonKind.SIMILAR)
    assert first.reason.text == "Similar to Dark espresso, 500 g"


def test_without_categories_the_words_of_titles_tell(shop: Recommender) -> None:
    assert similar_to(shop, "mug")[0] == "cup"


def test_a_word_whose_products_cost_alike_tells_the_kind_and_a_colour_does_not() -> None:
    colours = ("red", "blue", "green", "black", "white", "grey")
    shelf = [Product(f"{colour} lamp", f"{colour} lamp", price=30) for colour in colours]
    shelf += [Product(f"{colour} cup", f"{colour} cup", price=3) for colour in colours]
    shop = trained(products=(*PRODUCTS, *shelf))
    assert all("lamp" in product for product in similar_to(shop, "red lamp")[:4])
    unpriced = tuple(replace(product, price=float("nan")) for product in (*PRODUCTS, *shelf))
    words = trained(products=unpriced).model.similar.words
    weights = dict(zip(words.names, words.rarity.tolist(), strict=True))
    assert weights["lamp"] == pytest.approx(sqrt(log(20 / 6)), abs=1e-5)  # 6 of 19 products


def test_what_is_looked_at_next_is_similar_where_nothing_else_is_known() -> None:
    views = [
        Line(f"v{number}", product, 7 + minutes / 1440, kind="view")
        for number in range(4)
        for product, minutes in (("untitled", 0), ("capers", 5))
    ]
    shop = trained(*views)
    first = shop.similar(shop.catalogue.ids.find("untitled"), STRICT).slots[0]
    assert shop.catalogue.ids[first.item] == "capers"
    assert first.reason.kind is ReasonKind.ALSO_VIEWED


def test_views_of_two_visits_are_not_one_after_the_other() -> None:
    views = [
        Line(f"v{number}", product, 7 + minutes / 1440, kind="view")
        for number in range(4)
        for product, minutes in (("mug", 0), ("capers", 31))
    ]
    assert similar_to(trained(*views), "mug")[0] == "cup"


def test_a_product_that_came_today_is_similar_to_those_of_its_category_and_they_to_it(
    shop: Recommender,
) -> None:
    updated = after(shop, title="Dark ristretto", category="coffee", price=9.0)
    assert set(similar_to(updated, "ristretto")) == {"espresso", "filter", "decaf"}
    assert similar_to(updated, "ristretto")[0] == "espresso"
    assert "ristretto" in similar_to(updated, "espresso")[:3]


def test_a_product_that_came_today_without_a_category_is_found_by_its_title(
    shop: Recommender,
) -> None:
    updated = after(shop, title="Painted saucer")
    assert set(similar_to(updated, "ristretto")) == {"mug", "cup"}
    assert "ristretto" in similar_to(updated, "mug")


def test_a_product_that_came_today_without_a_category_is_found_by_those_that_have_one(
    shop: Recommender,
) -> None:
    updated = after(shop, title="Decaf beans")
    assert similar_to(updated, "ristretto")[0] == "decaf"
    assert "ristretto" in similar_to(updated, "decaf")


def test_a_product_that_came_today_without_a_word_about_it_is_like_no_other(
    shop: Recommender,
) -> None:
    assert similar_to(after(shop, price=9.0), "ristretto") == []


def test_of_many_products_that_came_today_the_newest_are_compared() -> None:
    shop = trained()
    updates = [
        ProductUpdate(
            id=f"new{number:03}",
            fields=frozenset(("title", "category", "available_from")),
            title="Dark espresso",
            category="coffee",
            available_from=shop.manifest.data_as_of + number * DAY,
        )
        for number in range(MOST_LATER + 2)
    ]
    model = update_catalogue(shop.model, updates, shop.model, shop.manifest.data_as_of)
    row = model.similar.of(shop.catalogue.ids.find("espresso"), model.catalogue, model.traits)
    later = sorted(model.catalogue.ids[item] for item in row.item if item >= len(shop.catalogue))
    assert later == sorted(update.id for update in updates[2:])


def test_scores_of_one_answer_are_on_one_scale(shop: Recommender) -> None:
    slate = shop.similar(shop.catalogue.ids.find("espresso"), SlateRequest(n=6))
    scores = [slot.score for slot in slate.slots]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert all(slot.score == 0 for slot in slate.slots if slot.source is Source.FILL)


def test_scores_fall_where_sizes_make_room_for_another_kind() -> None:
    sizes = [Product(f"espresso {n}", f"Dark espresso, {n} g", "coffee", price=9) for n in (1, 2)]
    shop = trained(products=(*PRODUCTS, *sizes))
    slate = shop.similar(shop.catalogue.ids.find("espresso"), replace(STRICT, n=10))
    assert names(shop, slate)[:3:2] == ["espresso 1", "espresso 2"]
    scores = [slot.score for slot in slate.slots]
    assert scores == sorted(scores, reverse=True)
    assert scores[1] == scores[2]


def test_a_boost_lifts_a_similar_product_and_its_score_stays(shop: Recommender) -> None:
    espresso = shop.catalogue.ids.find("espresso")
    plain = shop.similar(espresso, STRICT)
    last = plain.slots[-1].item
    boost = BoostRule("summer", ProductSelector((shop.catalogue.ids[last],)), strength=1e6)
    lifted = shop.similar(espresso, replace(STRICT, rules=(boost,)))
    assert lifted.slots[0].item == last
    expected = {slot.item: slot.score for slot in plain.slots}
    assert {slot.item: slot.score for slot in lifted.slots} == pytest.approx(expected, abs=1e-6)


def test_the_weights_of_what_is_known_add_up_to_the_log_odds(shop: Recommender) -> None:
    """Filter and decaf share a category, half of a brand's and no word; one customer buys both."""
    similar, ids = shop.model.similar, shop.catalogue.ids
    row = similar.of(ids.find("filter"), shop.catalogue, shop.model.traits)
    odds = float(row.log_odds[row.item.tolist().index(ids.find("decaf"))])
    bought = shop.model.neighbours.similar(ids.find("filter"))
    share = bought[ids.find("decaf")] / max(bought.max(), 1e-9)
    price = 1 - log(9 / 8) / FARTHEST_PRICE
    sales = similar.sales[ids.find("decaf")]
    expected = CATEGORY_WEIGHT + PRICE_WEIGHT * price + SALES_WEIGHT * sales + BOUGHT_WEIGHT * share
    assert odds == pytest.approx(expected - EVEN, abs=1e-5)


def test_a_shop_without_categories_fills_up_with_what_shares_a_word_of_the_title() -> None:
    """What the same customers buy is all that the version knows; seedlings sell best by far."""
    shelf = [Product(f"{kind} kettle", f"{kind} kettle") for kind in ("steel", "copper", "glass")]
    shelf += [Product(f"{kind} seedling", f"{kind} seedling") for kind in ("rose", "lily", "iris")]
    lines = [Line(f"g{n}", product.id, 6) for n in range(9) for product in shelf[3:]]
    shop = fit_shop(ShopRecords(lines=[*lines, Line("k", "steel kettle", 6)], products=shelf))
    slate = shop.similar(shop.catalogue.ids.find("copper kettle"), SlateRequest(n=5))
    assert names(shop, slate) == ["steel kettle"]

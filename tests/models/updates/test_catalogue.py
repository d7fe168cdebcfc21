"""A shop whose products have changed: the changes show, and nothing else does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.catalogue import ALWAYS_UNTIL
from models.data.events import DAY
from models.recommender import Recommender
from models.rules.filter_language import parse_filter
from models.rules.filter_mask import find_matching
from models.rules.filters import Filters
from models.slate import Slate, SlateRequest, Source
from models.updates.catalogue import ProductUpdate, update_catalogue
from tests.support.fitted_shop import fit_shop
from tests.support.shop import (
    AISLES,
    NO_WEB,
    REGULAR,
    SOLD_OUT,
    SOUTHERN,
    names,
    small_shop_records,
)

ALL = SlateRequest(n=100)
CUSTOMERS = ("c00", "c07", REGULAR, NO_WEB, "stranger")


@pytest.fixture(scope="module")
def shop() -> Recommender:
    return fit_shop(small_shop_records())


def changed(product_id: str, **fields: object) -> ProductUpdate:
    names = frozenset(fields)
    return ProductUpdate(id=product_id, fields=names, **fields)  # type: ignore[arg-type]


def after(
    shop: Recommender, *changes: ProductUpdate, learned: Recommender | None = None
) -> Recommender:
    """Change a shop, one change after the other.

    `learned`: the shop as it was trained, where it has changed since.
    """
    updated = shop
    for change in changes:
        updated = updated.with_model(
            update_catalogue(
                updated.model, [change], (learned or shop).model, shop.manifest.data_as_of
            )
        )
    return updated


def shown(shop: Recommender, customer_id: str = "c00", request: SlateRequest = ALL) -> list[str]:
    return names(shop, shop.recommend(customer_id, request))


def slots_of(slate: Slate) -> list[tuple[int, float, str, str]]:
    return [(slot.item, slot.score, slot.source, slot.reason.text) for slot in slate.slots]


def matched(shop: Recommender, text: str) -> set[str]:
    mask = find_matching(parse_filter(text), shop.catalogue)
    return {shop.catalogue.ids[item] for item in np.flatnonzero(mask)}


CHANGES = st.builds(
    lambda product_id, fields: changed(product_id, **fields),
    st.sampled_from(["bagel", "bread", "kite", "aaa", "new", "zzz"]),
    st.fixed_dictionaries(
        {},
        optional={
            "title": st.sampled_from(["Bagel", "Other", None]),
            "category": st.sampled_from(["bakery", "unheard of", None]),
            "brand": st.sampled_from(["Hartley", "Own", None]),
            "price": st.sampled_from([1.0, 30.0, None]),
            "attributes": st.sampled_from(['{"color": "red"}', '{"shelf": 3, "l": ["a"]}', ""]),
        },
    ),
)
ASKED = (
    'product.color == "red"',
    "product.shelf > 2",
    "!(product.shelf > 2)",
    '"a" in product.l',
    'product.title.contains("a") || product.brand == "Own"',
    'product.category != "bakery" && product.price < 20',
    'product.id > "bread"',
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CHANGES, st.sampled_from([*ASKED, ""])), max_size=8))
def test_filters_follow_changes_as_if_the_shop_had_been_read_anew(
    shop: Recommender, steps: list[tuple[ProductUpdate, str]]
) -> None:
    updated = shop
    for change, asked in steps:
        updated = after(updated, change, learned=shop)
        if asked:  # or else several changes are followed at once
            matched(updated, asked)
    anew = replace(updated.catalogue)  # without the columns that were read
    fresh = Recommender(shop.manifest, replace(updated.model, catalogue=anew), shop.settings)
    for text in ASKED:
        assert matched(updated, text) == matched(fresh, text)


def test_a_shop_that_says_nothing_keeps_its_model(shop: Recommender) -> None:
    assert update_catalogue(shop.model, [], shop.model, 0) is shop.model


def test_what_is_sold_out_is_gone_and_what_is_back_is_back(shop: Recommender) -> None:
    first = shown(shop)[0]
    gone = after(shop, changed(first, in_stock=False))
    assert first not in shown(gone)
    assert shown(after(gone, changed(first, in_stock=True))) == shown(shop)
    assert SOLD_OUT in shown(after(shop, changed(SOLD_OUT, in_stock=True)))


def test_what_was_hidden_comes_back_with_the_end_it_had(shop: Recommender) -> None:
    end = shop.manifest.data_as_of + 10 * DAY
    until = shop.catalogue.available_until.copy()
    until[shop.catalogue.ids.find("bagel")] = end
    ending = Recommender(
        shop.manifest,
        replace(shop.model, catalogue=replace(shop.catalogue, available_until=until)),
        shop.settings,
    )
    hidden = after(ending, changed("bagel", hidden=True))
    assert "bagel" not in shown(hidden)
    back = after(ending, changed("bagel", hidden=True), changed("bagel", hidden=False))
    assert shown(back) == shown(ending)
    assert "bagel" in shown(back, request=replace(ALL, as_of=end - 1))
    assert "bagel" not in shown(back, request=replace(ALL, as_of=end))


def test_a_hidden_product_that_gets_an_end_stays_hidden(shop: Recommender) -> None:
    updated = after(
        shop,
        changed("bagel", hidden=True),
        changed("bagel", hidden=True, available_until=ALWAYS_UNTIL),
    )
    assert "bagel" not in shown(updated)


def test_a_product_is_shown_from_its_beginning_until_its_end(shop: Recommender) -> None:
    data_as_of = shop.manifest.data_as_of
    for change, there in (
        ({"available_until": data_as_of}, False),
        ({"available_until": data_as_of + 1}, True),
        ({"available_from": data_as_of + 1}, False),
        ({"available_from": data_as_of}, True),
        ({"available_from": None, "available_until": None}, True),
    ):
        assert ("bagel" in shown(after(shop, changed("bagel", **change)))) == there, change


def test_a_product_is_shown_in_its_markets_alone(shop: Recommender) -> None:
    def in_market(shop: Recommender, market: str) -> bool:
        return "bagel" in shown(shop, request=replace(ALL, filters=Filters(market=market)))

    western = after(shop, changed("bagel", markets=("west", "south")))
    assert [in_market(western, market) for market in ("west", "south", "north")] == [
        True,
        True,
        False,
    ]
    nowhere = after(western, changed("bagel", markets=()))
    assert [in_market(nowhere, market) for market in ("west", "south", "north")] == [False] * 3
    everywhere = after(nowhere, changed("bagel", markets=None))
    assert [in_market(everywhere, market) for market in ("west", "south", "north")] == [True] * 3
    assert in_market(western, "south") == in_market(shop, "south")
    feta = replace(ALL, filters=Filters(market="north"))
    assert SOUTHERN not in shown(western, request=feta)


def test_a_product_that_moves_to_another_aisle_is_found_there(shop: Recommender) -> None:
    updated = after(shop, changed("bagel", category="breakfast", brand="Morning"))
    for filters in (Filters(category="breakfast"), Filters(brand="Morning")):
        assert shown(updated, request=SlateRequest(strict=True, filters=filters)) == ["bagel"]
    assert "bagel" not in shown(updated, request=replace(ALL, filters=Filters(category="bakery")))
    lost = after(updated, changed("bagel", category=None, brand=None))
    assert shown(lost, request=replace(ALL, filters=Filters(category="breakfast"))) == []


def test_a_new_product_finds_the_customers_of_its_aisle_at_once(shop: Recommender) -> None:
    updated = after(
        shop, changed("brioche", title="Brioche", category="bakery", brand="Ashby", price=3.0)
    )
    new = {
        customer: slot.source
        for customer in ("c00", "c03")
        for slot in updated.recommend(customer, SlateRequest()).slots
        if updated.catalogue.ids[slot.item] == "brioche"
    }
    assert new == {"c00": Source.NEW}  # who loves the garden does not see it
    before = SlateRequest(n=100, as_of=shop.manifest.data_as_of - DAY)
    assert "brioche" not in shown(updated, request=before)


def test_a_product_that_comes_on_sale_after_the_model_learned_is_new_from_then_on(
    shop: Recommender,
) -> None:
    newest = shop.manifest.data_as_of
    updated = after(
        shop,
        changed(
            "brioche", category="bakery", brand="Ashby", price=3.0, available_from=newest + DAY
        ),
    )

    def sources(as_of: int) -> list[Source]:
        slots = updated.recommend("c00", SlateRequest(as_of=as_of)).slots
        return [slot.source for slot in slots if updated.catalogue.ids[slot.item] == "brioche"]

    assert [sources(newest + seconds) for seconds in (0, DAY - 1, DAY, 9 * DAY)] == [
        [],
        [],
        [Source.NEW],
        [Source.NEW],
    ]


def test_a_new_product_is_no_stranger_to_any_question(shop: Recommender) -> None:
    updated = after(
        shop, changed("brioche", category="bakery"), changed("blini"), changed("brioche", price=2.0)
    )
    brioche, blini = (updated.catalogue.ids.find(name) for name in ("brioche", "blini"))
    assert updated.catalogue.ids[brioche] == "brioche"
    assert updated.catalogue.price[brioche] == 2.0
    assert {
        updated.catalogue.ids[slot.item] for slot in updated.similar(brioche, SlateRequest()).slots
    } <= set(AISLES["bakery"].split())
    assert updated.similar(blini, SlateRequest()).slots
    assert updated.bundles(brioche, SlateRequest()) == ()
    assert updated.complete(SlateRequest(basket=(brioche, blini))) == ()
    assert updated.follow_up([brioche, blini], SlateRequest()).slots == ()
    visit = SlateRequest(recent=(brioche,), basket=(blini,))
    assert {brioche, blini}.isdisjoint(slot.item for slot in updated.recommend("c00", visit).slots)


def test_a_new_size_is_of_the_family_of_the_old_ones(shop: Recommender) -> None:
    updated = after(
        shop,
        changed("bagel-6", title="Bagel, 6 pack", category="bakery"),
        changed("bagel-sweet", title="Bagel", category="sweets"),
        changed("untitled", category="bakery"),
        changed("toast", title="Pretzel 100 g"),
    )
    family, ids = updated.model.traits.family, updated.catalogue.ids
    codes = {name: int(family[ids.find(name)]) for name in ("bagel-6", "bagel-sweet", "untitled")}
    bagel = int(shop.model.traits.family[shop.catalogue.ids.find("bagel")])
    assert codes["bagel-6"] == bagel
    assert codes["bagel-sweet"] not in (bagel, -1)
    assert codes["untitled"] == -1
    assert family[ids.find("toast")] == family[ids.find("pretzel")]  # which is called so now
    moved = after(shop, changed("bagel", category="sweets"))
    assert moved.model.traits.family[ids.find("bagel")] == codes["bagel-sweet"]


def test_what_is_told_again_changes_no_statistics(shop: Recommender) -> None:
    again = after(shop, changed("bagel", title="Bagel", category="bakery"))
    assert again.model.traits is shop.model.traits


def test_a_new_product_is_bought_again_as_its_aisle_is(shop: Recommender) -> None:
    updated = after(shop, changed("brioche", category="bakery"), changed("mystery"))
    bakery = shop.catalogue.category == shop.catalogue.category_names.find("bakery")
    brioche, mystery = updated.catalogue.ids.find("brioche"), updated.catalogue.ids.find("mystery")
    repeats = shop.model.repeats
    assert updated.model.repeats.rate[brioche] == pytest.approx(repeats.rate[bakery].mean())
    assert updated.model.repeats.interval[mystery] == pytest.approx(repeats.interval.mean())


def test_a_new_product_is_as_dear_as_its_price_says(shop: Recommender) -> None:
    twins = after(
        shop,
        changed("twin", category="bakery", price=2.29),
        changed("dear", category="bakery", price=22.9),
    )
    traits, ids = twins.model.traits, twins.catalogue.ids
    bagel, twin, dear = (ids.find(name) for name in ("bagel", "twin", "dear"))
    assert traits.log_price[dear] - traits.log_price[twin] == pytest.approx(np.log(10), abs=1e-5)
    assert traits.price_in_category[dear] - traits.price_in_category[twin] == pytest.approx(
        np.log(10), abs=1e-5
    )
    assert np.isfinite(traits.price_in_category[bagel]) == np.isfinite(
        traits.price_in_category[twin]
    )


def test_many_changes_at_once_are_the_same_as_one_after_the_other(shop: Recommender) -> None:
    changes = [
        changed("bagel", price=9.0, markets=("west",)),
        changed("brioche", category="bakery", price=3.0, title="Brioche"),
        changed("butter", category="bakery"),
        changed("crepe", brand="Ashby", url="https://shop.example/crepe"),
        changed("blini", category="bakery", price=3.0),
        changed("Éclair", category="bakery", price=3.0),
        changed("brioche", markets=("west",), in_stock=False),
        changed("baba", category="bakery", price=3.0, title="Baba"),
        changed("brioche", markets=None, in_stock=True),
    ]
    last = {change.id: change for change in changes}
    last["brioche"] = changed(
        "brioche", category="bakery", price=3.0, title="Brioche", markets=None, in_stock=True
    )
    together = update_catalogue(shop.model, last.values(), shop.model, shop.manifest.data_as_of)
    at_once = shop.with_model(together)
    piled_up = after(shop, *changes)
    assert list(at_once.catalogue.ids) == list(piled_up.catalogue.ids)
    assert list(at_once.catalogue.ids)[-5:] == ["baba", "blini", "brioche", "crepe", "Éclair"]
    for texts in ("title", "url", "attributes"):
        assert list(getattr(at_once.catalogue, texts)) == list(getattr(piled_up.catalogue, texts))
    for customer in CUSTOMERS:
        assert slots_of(at_once.recommend(customer, ALL)) == slots_of(
            piled_up.recommend(customer, ALL)
        )


@pytest.mark.parametrize(
    "change",
    [
        {"in_stock": False},
        {"price": 9.0, "title": "Bagel, large", "category": "bakery"},
        {"hidden": True},
        {"markets": ("west",)},
        {"available_from": 0},
    ],
    ids=lambda change: ", ".join(change),
)
def test_what_sells_is_not_counted_again_where_a_product_is_offered_otherwise(
    shop: Recommender, change: dict[str, object]
) -> None:
    updated = after(shop, changed("bagel", **change))
    assert updated.sales_trends is shop.sales_trends
    anew = Recommender(shop.manifest, updated.model, shop.settings)
    for customer in CUSTOMERS:
        assert slots_of(updated.recommend(customer, ALL)) == slots_of(anew.recommend(customer, ALL))


def test_what_sells_is_counted_again_where_products_are_others(shop: Recommender) -> None:
    new = after(shop, changed("brioche", category="bakery", price=3.0))
    assert new.sales_trends is not shop.sales_trends
    assert (
        after(new, changed("brioche", in_stock=False), learned=shop).sales_trends
        is new.sales_trends
    )
    for change in (changed("brioche", price=4.0), changed("butter", category="bakery")):
        assert after(new, change, learned=shop).sales_trends is not new.sales_trends


def test_what_is_not_given_stays(shop: Recommender) -> None:
    updated, item = (
        after(shop, changed("bagel", price=9.0)).catalogue,
        shop.catalogue.ids.find("bagel"),
    )
    assert updated.price[item] == 9.0
    assert shop.catalogue.price[item] != 9.0  # the artifact is as it was
    for texts in ("title", "currency", "url", "image_url", "attributes"):
        assert getattr(updated, texts)[item] == getattr(shop.catalogue, texts)[item]
    assert updated.category[item] == shop.catalogue.category[item]


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "price": st.one_of(st.none(), st.floats(0, 100)),
        "category": st.sampled_from([None, "bakery", "pantry"]),
        "brand": st.sampled_from([None, "Ashby", "Newcomer"]),
        "in_stock": st.booleans(),
        "hidden": st.booleans(),
        "markets": st.sampled_from([None, (), ("south",), ("west", "north")]),
        "title": st.sampled_from([None, "Något nytt"]),
    },
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["bagel", "rake", "new", "newer", ""]), FIELDS), max_size=5)
)
def test_whatever_is_said_nothing_breaks_and_what_is_shown_is_for_sale(
    shop: Recommender, changes: list[tuple[str, dict[str, object]]]
) -> None:
    updated = after(shop, *(changed(name, **fields) for name, fields in changes if name))
    for customer in CUSTOMERS:
        slate = updated.recommend(customer, ALL)
        market = updated.at_home(updated.model.customers.ids.find(customer), ALL).filters.market
        sellable = updated.catalogue.sellable(shop.manifest.data_as_of, market)
        items = [slot.item for slot in slate.slots]
        assert sellable[items].all()
        assert len(set(items)) == len(items)


@settings(max_examples=20, deadline=None)
@given(
    st.sets(st.sampled_from(sorted(" ".join(AISLES.values()).split()))), st.sampled_from(CUSTOMERS)
)
def test_what_the_shop_says_again_changes_no_answer(
    shop: Recommender, products: set[str], customer: str
) -> None:
    as_they_are = [_as_it_is(shop, name) for name in sorted(products)]
    updated = after(shop, *as_they_are)
    for request in (ALL, SlateRequest(n=5, as_of=shop.manifest.data_as_of + 20 * DAY)):
        assert slots_of(updated.recommend(customer, request)) == slots_of(
            shop.recommend(customer, request)
        )


def _as_it_is(shop: Recommender, product_id: str) -> ProductUpdate:
    catalogue = shop.catalogue
    item = catalogue.ids.find(product_id)
    limited = bool(catalogue.limited[item])
    sold_in = [
        name
        for name, sold in zip(catalogue.market_names, catalogue.sold_in[item], strict=True)
        if sold
    ]
    return changed(
        product_id,
        title=catalogue.title[item],
        category=catalogue.category_names[int(catalogue.category[item])],
        brand=catalogue.brand_names[int(catalogue.brand[item])],
        price=float(catalogue.price[item]),
        in_stock=bool(catalogue.in_stock[item]),
        hidden=False,
        markets=tuple(sold_in) if limited else None,
    )


def test_what_a_new_product_sold_stays_its_own_when_another_comes_before_it(
    shop: Recommender,
) -> None:
    new = after(shop, changed("zwieback", category="bakery"))
    sales, item = new.model.sales, np.array([new.catalogue.ids.find("zwieback")] * 999, np.int32)
    times = int(sales.newest[0]) + np.linspace(60, 23 * 3600, len(item)).astype(np.int64)
    sold = new.with_model(
        replace(new.model, sales=sales.add_lines(times, np.full(len(item), -1, np.int32), item))
    )
    later = after(sold, changed("brioche", category="bakery"), learned=shop)
    for days in (1, 28):
        lines = later.model.sales.window(int(times[-1]), days, len(later.catalogue))
        assert lines[later.catalogue.ids.find("zwieback")] == len(item)
        assert lines[later.catalogue.ids.find("brioche")] == 0


def test_a_cost_that_is_told_counts_and_one_taken_back_does_not(shop: Recommender) -> None:
    bagel = shop.catalogue.ids.find("bagel")
    told = after(shop, changed("bagel", price=4.0, cost=1.0), changed("brioche", cost=2.0))
    assert told.catalogue.margin[bagel] == 0.75
    assert told.catalogue.known_costs[told.catalogue.ids.find("brioche")] == 2.0
    back = after(told, changed("bagel", cost=None), learned=shop)
    assert np.isnan(back.catalogue.margin[bagel])
    older = Recommender(
        shop.manifest,
        replace(shop.model, catalogue=replace(shop.catalogue, cost=np.zeros(0))),
        shop.settings,
    )
    assert after(older, changed("bagel", price=4.0, cost=1.0)).catalogue.margin[bagel] == 0.75

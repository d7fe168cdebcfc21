"""Before a rule is saved, the shop sees what it does to a customer's slate."""

from dataclasses import replace
from functools import partial

from models.preview import Preview, preview
from models.recommender import NOBODY, Recommender
from models.rules.shop_rules import (
    BoostRule,
    CapRule,
    ExcludeRule,
    PinRule,
    ProductSelector,
    ShopRule,
)
from models.slate import Slate, SlateRequest
from tests.support.shop import AISLES, names

REQUEST = SlateRequest(n=6, placement="home")


def preview_for(shop: Recommender, customer: str | None, *rules: ShopRule) -> Preview:
    """The preview of a customer's slate, in their own market."""
    user = NOBODY if customer is None else shop.model.customers.ids.find(customer)
    request = shop.at_home(user, replace(REQUEST, rules=rules))
    return preview(shop, request, partial(shop.recommend, customer))


def ids(shop: Recommender, items: tuple[int, ...]) -> list[str]:
    return [shop.catalogue.ids[item] for item in items]


def at(shop: Recommender, slate: Slate, position: int) -> str:
    return names(shop, slate)[position - 1]


def test_the_preview_says_what_each_rule_does_alone_and_all_of_them_together(
    shop: Recommender,
) -> None:
    plain = shop.recommend("c03", REQUEST)
    first, last = at(shop, plain, 1), at(shop, plain, 6)
    rules = (
        ExcludeRule("hide", ProductSelector((first,))),
        PinRule("last first", ProductSelector((last,)), position=1),
        ExcludeRule("mail", ProductSelector(("bread",)), placements=("email",)),
        BoostRule("push", ProductSelector(("bread",)), strength=1e6),
    )
    previewed = preview_for(shop, "c03", *rules)
    assert (previewed.without, previewed.with_rules) == (
        plain,
        shop.recommend("c03", replace(REQUEST, rules=rules)),
    )
    assert names(shop, previewed.with_rules)[:2] == [last, "bread"]
    assert first not in names(shop, previewed.with_rules)
    hide, pin, push = previewed.effects
    assert [effect.rule_id for effect in previewed.effects] == ["hide", "last first", "push"]
    assert (ids(shop, hide.removed), len(hide.added), hide.moved, hide.kept_out) == (
        [first],
        1,
        (),
        1,
    )
    assert (pin.removed, pin.added, ids(shop, pin.moved), pin.kept_out) == ((), (), [last], 0)
    assert (len(push.removed), ids(shop, push.added), push.moved) == (1, ["bread"], ())


def test_a_rule_that_changes_nothing_is_listed_with_nothing(shop: Recommender) -> None:
    generous = CapRule("mix", by="brand", most=10)
    previewed = preview_for(shop, "c03", generous)
    (effect,) = previewed.effects
    assert (effect.removed, effect.added, effect.moved, effect.kept_out) == ((), (), (), 0)
    assert previewed.without == previewed.with_rules


def test_the_preview_counts_what_is_for_sale_where_the_customer_lives(shop: Recommender) -> None:
    dairy = ExcludeRule("no dairy", ProductSelector(category="dairy"))
    kept_out = {
        customer: preview_for(shop, customer, dairy).effects[0].kept_out
        for customer in ("c00", "c01", None)
    }
    # One of them is sold in the south alone; who names no market sees all.
    everything = len(AISLES["dairy"].split())
    assert kept_out == {"c00": everything, "c01": everything - 1, None: everything}

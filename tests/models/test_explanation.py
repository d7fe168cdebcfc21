"""A slate can be explained: what there was to choose from, and why one product is not in it."""

from dataclasses import replace

from models.explanation import Explanation, Verdict, explain
from models.recommender import Recommender
from models.rules.eligibility import ExclusionRule
from models.rules.shop_rules import BoostRule, CapRule, ExcludeRule, ProductSelector, ShopRule
from models.slate import SlateRequest, Strategy
from tests.support.shop import names

REQUEST = SlateRequest(n=6, placement="home")
CUSTOMER = "c03"


def explained(
    shop: Recommender, *rules: ShopRule, about: str | None = None, n: int = 6
) -> Explanation:
    item = None if about is None else shop.catalogue.ids.find(about)
    return explain(shop, CUSTOMER, replace(REQUEST, n=n, rules=rules), item=item)


def test_the_slate_explained_is_the_slate_that_is_answered(shop: Recommender) -> None:
    rules = (BoostRule("push", ProductSelector(("bread",)), strength=50),)
    told = explained(shop, *rules)
    assert told.slate == shop.recommend(CUSTOMER, replace(REQUEST, rules=rules))
    assert told.rules == ("push",)


def test_every_product_shown_is_ranked_with_who_proposed_it_and_what_ranked_it(
    shop: Recommender,
) -> None:
    told = explained(shop)
    shown = {product.item: product for product in told.ranked if product.position}
    slots = {slot.item: slot for slot in told.slate.slots if slot.source != "fill"}
    assert shown.keys() == slots.keys()
    for item, product in shown.items():
        assert product.proposed_by
        assert (product.score, product.shown_as) == (slots[item].score, slots[item].source)
        assert set(product.features) <= set(shop.ranker.columns)
        assert product.without_source
    assert [product.rank for product in told.ranked] == list(range(1, len(told.ranked) + 1))
    assert told.candidates == len(told.ranked)  # so few that all are told


def test_what_a_rule_took_out_is_named_with_the_rule(shop: Recommender) -> None:
    first = names(shop, shop.recommend(CUSTOMER, REQUEST))[0]
    told = explained(shop, ExcludeRule("hide", ProductSelector((first,))), about=first)
    assert told.verdict is Verdict.REMOVED
    assert told.asked is not None
    assert told.asked.removed_by is ExclusionRule.SHOP_EXCLUDED
    assert told.asked.shop_rules == ("hide",)
    assert told.asked.item in [product.item for product in told.removed]
    assert told.removed_by[ExclusionRule.SHOP_EXCLUDED] == 1


def test_a_product_below_those_shown_is_told_where_it_ranks(shop: Recommender) -> None:
    best = explained(shop, n=1)
    (lower,) = [product for product in best.ranked if product.rank == 3]
    told = explained(shop, about=shop.catalogue.ids[lower.item], n=1)
    assert told.asked is not None
    assert (told.verdict, told.asked.rank) == (Verdict.RANKED_LOWER, 3)


def test_a_product_that_a_cap_kept_out_was_held_back(shop: Recommender) -> None:
    one_each = CapRule("one each", by="category", most=1)
    ids, category = shop.catalogue.ids, shop.catalogue.category
    told = explained(shop, one_each, n=4)
    shown = {category[slot.item] for slot in told.slate.slots}
    lowest = max(product.rank or 0 for product in told.ranked if product.position)
    above = [one for one in told.ranked if not one.position and (one.rank or 0) < lowest]
    assert above
    for product in above:
        again = explained(shop, one_each, about=ids[product.item], n=4)
        assert again.verdict is Verdict.HELD_BACK
        assert category[product.item] in shown


def test_of_a_stranger_nothing_was_ranked_and_a_product_is_shown_sells_less_or_is_removed(
    shop: Recommender,
) -> None:
    rules = (ExcludeRule("hide", ProductSelector(("bread",))),)
    request = replace(REQUEST, n=2, rules=rules)
    verdicts = {}
    for product_id in shop.catalogue.ids:
        item = shop.catalogue.ids.find(product_id)
        told = explain(shop, "nobody", request, item=item)
        verdicts[product_id] = told.verdict
    assert told.slate.strategy is Strategy.POPULAR
    assert told.ranked == ()
    assert verdicts["bread"] is Verdict.REMOVED
    counted = list(verdicts.values())
    assert counted.count(Verdict.SHOWN) == 2
    assert Verdict.OUTSOLD in counted
    assert explain(shop, "nobody", request, item=-1).verdict is Verdict.UNKNOWN_PRODUCT
    assert explained(shop, about="no such product").verdict is Verdict.UNKNOWN_PRODUCT

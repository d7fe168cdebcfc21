"""What customers say of themselves, in every slate that is made for them."""

from dataclasses import replace

import orjson
import pytest

from models.data.customers import NO, YES
from models.data.ids import Strings
from models.mail.mailings import MAILINGS, CustomerMail
from models.recommender import NOBODY, CustomerRequest, Recommender
from models.rules.filters import Repeat
from models.rules.preferences import NO_PREFERENCES, Preference, Preferences
from models.rules.shop_rules import BoostRule, PinRule, ProductSelector
from models.slate import (
    FallbackReason,
    GivenProducts,
    ReasonKind,
    SlateRequest,
    Source,
    Strategy,
)
from models.updates.customer import NO_UPDATE, CustomerUpdate
from tests.support.fitted_shop import LESSON, fit_shop
from tests.support.shop import AISLES, NEVER_BOUGHT, NEVER_SOLD, NO_WEB, names, small_shop_records

GARDENER = "c03"
EVERYTHING = SlateRequest(n=100, repeat=Repeat.INCLUDE)
AVOIDS = Preferences(avoids=(Preference("brand", ("hartley",)), Preference("category", ("toys",))))
LIKES = Preferences(likes=(Preference("category", ("Coffee",)),))


@pytest.fixture(scope="module")
def shop() -> Recommender:
    return fit_shop(small_shop_records(), lesson=LESSON)


def told(preferences: Preferences, **more: object) -> CustomerUpdate:
    return replace(NO_UPDATE, preferences=preferences, **more)


def avoided(shop: Recommender) -> set[str]:
    catalogue = shop.catalogue
    hartley, toys = catalogue.brand_names.find("Hartley"), catalogue.category_names.find("toys")
    mask = (catalogue.brand == hartley) | (catalogue.category == toys)
    return {name for name, is_avoided in zip(catalogue.ids, mask, strict=True) if is_avoided}


@pytest.mark.parametrize("customer", [GARDENER, "c00", NEVER_BOUGHT, "unknown"])
def test_a_slate_holds_nothing_that_its_customer_avoids(shop: Recommender, customer: str) -> None:
    plain = names(shop, shop.recommend(customer, EVERYTHING))
    slate = names(shop, shop.recommend(customer, EVERYTHING, told(AVOIDS)))
    assert avoided(shop) & set(plain)
    assert set(slate) == set(plain) - avoided(shop)


def test_mails_rankings_and_what_is_due_hold_nothing_that_is_avoided(shop: Recommender) -> None:
    update = told(AVOIDS)
    mail = CustomerMail(shop, MAILINGS["win_back"], "c04", EVERYTHING, update)
    assert not avoided(shop) & set(names(shop, mail.slate))
    given = GivenProducts(tuple(range(len(shop.catalogue))))
    ranking = shop.rank_given(GARDENER, given, EVERYTHING, update)
    left_out = {shop.catalogue.ids[item] for item, rule in ranking.left_out if rule == "AVOIDED"}
    assert left_out == avoided(shop)
    due = shop.find_due("c04", EVERYTHING, 365, update).slate
    assert names(shop, due)
    assert not avoided(shop) & set(names(shop, due))


def test_a_pin_of_the_shop_shows_nobody_what_they_avoid(shop: Recommender) -> None:
    pin = PinRule("toys", ProductSelector(("kite",)), position=1)
    request = SlateRequest(rules=(pin,))
    assert names(shop, shop.recommend(GARDENER, request))[0] == "kite"
    assert "kite" not in names(shop, shop.recommend(GARDENER, request, told(AVOIDS)))


def test_what_is_liked_moves_up_and_says_why(shop: Recommender) -> None:
    before = names(shop, shop.recommend(GARDENER, SlateRequest()))
    slate = shop.recommend(GARDENER, SlateRequest(), told(LIKES))
    coffee = [slot for slot in slate.slots if shop.catalogue.ids[slot.item] in AISLES["coffee"]]
    assert len(coffee) > sum(name in AISLES["coffee"] for name in before)
    assert {slot.source for slot in coffee} == {Source.LIKED}
    assert {slot.reason.kind for slot in coffee} == {ReasonKind.BECAUSE_YOU_TOLD_US}
    assert coffee[0].reason.text == "Because you told us that you like Coffee"
    others = [slot for slot in slate.slots if slot not in coffee]
    assert Source.LIKED not in {slot.source for slot in others}


def test_what_is_liked_and_bought_is_shown_because_it_was_bought(shop: Recommender) -> None:
    liked = Preferences(likes=(Preference("category", ("garden",)),))
    slate = shop.recommend(GARDENER, EVERYTHING, told(liked))
    user = shop.model.customers.ids.find(GARDENER)
    bought = set(shop.model.histories.of(user).item.tolist())
    reasons = {slot.item: slot.reason.kind for slot in slate.slots if slot.item in bought}
    assert reasons
    assert ReasonKind.BECAUSE_YOU_TOLD_US not in reasons.values()


@pytest.mark.parametrize("customer", [NEVER_BOUGHT, "unknown"])
def test_of_a_new_customer_what_they_say_is_enough_for_a_slate(
    shop: Recommender, customer: str
) -> None:
    slate = shop.recommend(customer, SlateRequest(n=5), told(LIKES))
    assert (slate.strategy, slate.fallback_reason) == (Strategy.PERSONAL, None)
    assert names(shop, slate)[0] in AISLES["coffee"]
    assert slate.slots[0].source == Source.LIKED
    # Who likes what nobody sells has said nothing that makes a slate theirs
    nothing = Preferences(likes=(Preference("category", ("yachts",)),))
    slate = shop.recommend(customer, SlateRequest(n=5), told(nothing))
    assert (slate.strategy, slate.fallback_reason is not None) == (Strategy.POPULAR, True)


def test_without_consent_a_customer_gets_what_everyone_gets(shop: Recommender) -> None:
    slate = shop.recommend(NO_WEB, EVERYTHING, told(AVOIDS))
    assert slate.fallback_reason == FallbackReason.NO_CONSENT
    assert slate.slots == shop.popular(shop.at_home(shop.find_user(NO_WEB), EVERYTHING)).slots
    unasked = told(AVOIDS, unasked=NO)
    assert shop.recommend("c00", EVERYTHING, unasked).fallback_reason == FallbackReason.NO_CONSENT
    yes = ((YES, 1),) * 3
    agreed = shop.recommend("c00", EVERYTHING, replace(unasked, consent=yes))
    assert not avoided(shop) & set(names(shop, agreed))


def test_what_training_has_read_holds_until_the_store_says_something_else(
    shop: Recommender,
) -> None:
    customers = shop.model.customers
    texts = [AVOIDS.pack() if name == GARDENER else "" for name in customers.ids]
    learned = replace(customers, preferences=Strings.of(texts))
    shop = Recommender(shop.manifest, replace(shop.model, customers=learned), shop.settings)
    user = shop.find_user(GARDENER)
    assert shop.find_preferences(user) == AVOIDS
    assert not avoided(shop) & set(names(shop, shop.recommend(GARDENER, EVERYTHING)))
    withdrawn = told(NO_PREFERENCES)
    assert avoided(shop) & set(names(shop, shop.recommend(GARDENER, EVERYTHING, withdrawn)))
    forgotten = replace(NO_UPDATE, forgotten=True)
    assert shop.find_user(GARDENER, forgotten) == NOBODY
    assert avoided(shop) & set(names(shop, shop.recommend(GARDENER, EVERYTHING, forgotten)))
    assert shop.find_preferences(shop.find_user("c00")) == NO_PREFERENCES


def test_many_slates_at_once_are_what_each_is_alone(shop: Recommender) -> None:
    said = [NO_PREFERENCES, AVOIDS, LIKES, Preferences(LIKES.likes, AVOIDS.avoids)]
    boost = BoostRule("garden", ProductSelector(category="garden"), strength=3.0)
    requests = [
        CustomerRequest(customer, SlateRequest(n=12, rules=(boost,)), told(preferences))
        for customer in (GARDENER, "c00", NEVER_BOUGHT, "unknown", NO_WEB)
        for preferences in said
    ]
    together = shop.recommend_each(requests)
    for request, slate in zip(requests, together, strict=True):
        alone = shop.recommend(*request)
        assert [(slot.item, slot.reason) for slot in slate.slots] == [
            (slot.item, slot.reason) for slot in alone.slots
        ]


def test_what_was_never_sold_is_shown_to_those_who_like_it(shop: Recommender) -> None:
    shelf = orjson.loads(shop.catalogue.attributes[shop.catalogue.ids.find(NEVER_SOLD)])["shelf"]
    liked = Preferences(likes=(Preference("shelf", (shelf,)),))
    slate = shop.recommend("unknown", SlateRequest(n=3), told(liked))
    assert NEVER_SOLD in names(shop, slate)

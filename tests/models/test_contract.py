"""What every model of Regulars promises, whoever asks and whatever for."""

from dataclasses import replace

import numpy as np

from models.artifact.registry import Registry
from models.data.customers import PERSONALIZE_EMAIL
from models.data.events import DAY
from models.model import LearnedRanker
from models.recommender import CustomerRequest, Recommender
from models.rules.filters import Filters, Repeat
from models.settings import CandidateSettings, DiversitySettings
from models.slate import FallbackReason, ScoreKind, Slate, SlateRequest, Source, Strategy
from tests.support.fitted_shop import fit_shop
from tests.support.shop import (
    NEVER_SOLD,
    ONLY_RETURNED,
    REGULAR,
    SOLD_OUT,
    SPECIAL,
    Line,
    ShopRecords,
    names,
    open_shop,
    small_shop_records,
)
from tests.support.worker_tasks import slates_of

ALL = SlateRequest(n=100, repeat=Repeat.INCLUDE)


def slates(shop: Recommender) -> dict[str, Slate]:
    return dict(slates_of(shop, list(shop.model.customers.ids)))


def test_asked_for_more_than_there_is_everything_for_sale_is_shown_once(shop: Recommender) -> None:
    sold = (
        shop.model.sales.popularity(
            shop.manifest.data_as_of, len(shop.catalogue), shop.settings.popular
        ).total
        > 0
    )
    for customer in SPECIAL:
        for market in ("north", "south"):
            request = replace(ALL, filters=Filters(market=market))
            for_sale = shop.catalogue.sellable(shop.manifest.data_as_of, market) & sold
            if customer == ONLY_RETURNED:
                for_sale[shop.catalogue.ids.find("rake")] = False
            shown = [slot.item for slot in shop.recommend(customer, request).slots]
            assert sorted(shown) == np.flatnonzero(for_sale).tolist()


def test_what_is_sold_out_or_was_never_sold_is_shown_to_nobody(shop: Recommender) -> None:
    for customer in shop.model.customers.ids:
        assert not {SOLD_OUT, NEVER_SOLD} & set(names(shop, shop.recommend(customer, ALL)))


def test_nothing_left_is_an_empty_slate_with_the_reason(shop: Recommender) -> None:
    nothing = SlateRequest(filters=Filters(category="shoes"))
    assert shop.recommend("c00", nothing) == Slate(
        Strategy.PERSONAL, FallbackReason.NO_CANDIDATES, (), shop.score_kind
    )
    assert shop.popular(nothing) == Slate(
        Strategy.POPULAR, FallbackReason.NO_CANDIDATES, (), ScoreKind.SALES
    )
    assert shop.recommend("unknown", nothing).slots == ()


def test_strict_means_fewer_and_the_same_ones_first(shop: Recommender) -> None:
    few = replace(shop.settings, candidates=CandidateSettings(new=2, category=2))
    shop = Recommender(shop.manifest, shop.model, few)
    for customer in ("c00", "c04", REGULAR):
        full = shop.recommend(customer, ALL).slots
        strict = shop.recommend(customer, replace(ALL, strict=True)).slots
        assert full[: len(strict)] == strict
        assert {slot.source for slot in full[len(strict) :]} == {Source.FILL}
        assert Source.FILL not in {slot.source for slot in strict}


def test_a_shorter_slate_is_the_beginning_of_a_longer_one_where_all_may_be_alike(
    shop: Recommender,
) -> None:
    free = Recommender(
        shop.manifest, shop.model, replace(shop.settings, diversity=DiversitySettings(category=10))
    )
    for customer in SPECIAL:
        for repeat in Repeat:
            longer = free.recommend(customer, SlateRequest(n=40, repeat=repeat)).slots
            for n in (1, 5, 17):
                assert (
                    free.recommend(customer, SlateRequest(n=n, repeat=repeat)).slots == longer[:n]
                )


def test_the_same_question_has_the_same_answer(registry: Registry, shop: Recommender) -> None:
    assert slates(shop) == slates(shop) == slates(open_shop(registry))


def test_what_was_saved_and_loaded_answers_like_the_original(
    shop: Recommender, lesson: LearnedRanker
) -> None:
    assert slates(fit_shop(small_shop_records(), lesson=lesson)) == slates(shop)


def test_what_was_learned_changes_what_is_shown(shop: Recommender, lesson: LearnedRanker) -> None:
    unlearned = slates(fit_shop(small_shop_records()))
    assert (slates(shop) != unlearned) == lesson.learned


def test_what_was_learned_is_told_as_the_chance_of_a_purchase(
    shop: Recommender, lesson: LearnedRanker
) -> None:
    scores = [
        slot.score
        for customer, slate in slates(shop).items()
        for slot in slate.slots
        if customer == "c03"
    ]
    chances = [0 < score < 1 for score in scores]
    assert all(chances) == lesson.learned


def test_who_is_looked_at_with_others_gets_what_they_get_alone(shop: Recommender) -> None:
    """Of any market, moment and session, with a history or none."""
    day, known = shop.manifest.data_as_of, list(shop.model.customers.ids)
    requests = [
        SlateRequest(),
        replace(ALL, as_of=day - 30 * DAY),
        SlateRequest(as_of=day + 3 * DAY, filters=Filters(market="south")),
        SlateRequest(recent=(3, 1), basket=(2,)),
        SlateRequest(n=3, repeat=Repeat.EXCLUDE, purpose=PERSONALIZE_EMAIL),
    ]
    customers = [*known, "unknown", None] * len(requests)
    each = [
        CustomerRequest(customer, requests[number % len(requests)])
        for number, customer in enumerate(customers)
    ]
    assert shop.recommend_each(each) == [shop.recommend(*one) for one in each]
    assert shop.recommend_each([]) == []


def test_products_that_are_equal_in_everything_stand_in_the_order_of_their_ids() -> None:
    shelf = ["pear", "apple", "fig", "date"]
    alone = [Line(f"d{n}", "tea", 4) for n in range(3)]
    shop = fit_shop(
        ShopRecords([*alone, *(Line(f"c{n}", name, n) for n in range(6) for name in shelf)])
    )
    assert names(shop, shop.popular(SlateRequest())) == [*sorted(shelf), "tea"]
    assert names(shop, shop.similar(0, SlateRequest(strict=True))) == ["date", "fig", "pear"]
    completed = shop.complete(SlateRequest(n=3, basket=(0,)))
    bundles = shop.bundles(0, SlateRequest(n=3))
    assert [bundle.items for bundle in completed] == [(1,), (2,), (3,)]
    assert [bundle.items for bundle in bundles] == [(1,), (2,), (3,)]

"""The slate of a mail: what it is about comes first, and all promises of a slate hold."""

from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.customers import NO, PERSONALIZE_EMAIL
from models.data.events import DAY, KINDS, Events
from models.mail.mailings import MAILINGS, CustomerMail, MailKind
from models.mail.occasions import MailOccasion
from models.mail.recipient import StoreFacts
from models.recommender import Recommender
from models.rules.filters import Filters, Repeat
from models.rules.shop_rules import CapRule, PinRule, ProductSelector
from models.slate import FallbackReason, ScoreKind, Slate, SlateRequest, Source, Strategy
from models.updates.customer import CustomerUpdate
from tests.support.shop import (
    AISLES,
    DAYS,
    MONTHLY,
    NO_EMAIL,
    REGULAR,
    SOLD_OUT,
    SPECIAL,
    moment,
    names,
)

ROOT = Path(__file__).parents[3]
PLAIN = SlateRequest(n=6, placement="email", purpose=PERSONALIZE_EMAIL)
LATER = replace(PLAIN, as_of=moment(200.5))  # 40 days after REGULAR bought MONTHLY last


def update_of(shop: Recommender, *events: tuple[str, str, float]) -> CustomerUpdate:
    return CustomerUpdate(
        Events(
            shop.catalogue.ids.find_all([product for product, _, _ in events]).astype(np.int32),
            np.array([moment(day) for *_, day in events], np.int64),
            np.array([KINDS.index(kind) for _, kind, _ in events], np.uint8),
            np.ones(len(events), np.float32),
            np.zeros(len(events), np.uint32),
        )
    )


def mail(
    shop: Recommender, kind: MailKind, *details: Any, **more: Any
) -> tuple[Slate, MailOccasion | None]:
    customer_mail = CustomerMail(shop, MAILINGS[kind], *details, **more)
    return customer_mail.slate, customer_mail.occasion


def items_of(shop: Recommender, *products: str) -> tuple[int, ...]:
    return tuple(shop.catalogue.ids.find_all(products).tolist())


def sent(
    shop: Recommender, mailing: MailKind, *events: tuple[str, str, float], **options: object
) -> Slate:
    """The mail to someone new, a day after the shop's last one."""
    request = replace(PLAIN, as_of=moment(DAYS + 1), **options)  # type: ignore[arg-type]
    slate, occasion = mail(shop, mailing, "newcomer", request, update_of(shop, *events))
    assert occasion is not None
    return slate


def test_newsletters_and_what_is_new_go_to_all_and_the_others_to_one(shop: Recommender) -> None:
    to_all = [kind for kind, mailing in MAILINGS.items() if not mailing.triggered]
    assert to_all == ["newsletter", "new_for_you"]


def test_every_kind_of_mail_is_registered_once() -> None:
    assert list(MAILINGS) == list(MailKind)
    assert [mailing.kind for mailing in MAILINGS.values()] == list(MailKind)


@pytest.mark.parametrize("customer_id", SPECIAL)
def test_a_newsletter_is_the_ordinary_slate(shop: Recommender, customer_id: str) -> None:
    assert mail(shop, MailKind.NEWSLETTER, customer_id, PLAIN) == (
        shop.recommend(customer_id, PLAIN),
        None,
    )


@pytest.mark.parametrize("mailing", MailKind)
def test_who_said_no_gets_what_is_popular(shop: Recommender, mailing: MailKind) -> None:
    update = update_of(shop, ("bread", "cart", DAYS), ("butter", "purchase", DAYS))
    slate, occasion = mail(shop, mailing, NO_EMAIL, replace(PLAIN, as_of=moment(DAYS + 1)), update)
    assert (slate.strategy, slate.fallback_reason) == (
        Strategy.NOT_PERSONALIZED,
        FallbackReason.NO_CONSENT,
    )
    assert occasion is None


def test_the_rest_of_a_mail_is_the_ordinary_slate_without_what_leads(shop: Recommender) -> None:
    slate, occasion = mail(shop, MailKind.REPLENISHMENT, REGULAR, LATER)
    assert occasion is not None
    assert names(shop, slate)[0] == MONTHLY
    assert slate.slots[:1] == occasion.slots
    without = replace(LATER, filters=Filters(exclude=items_of(shop, MONTHLY)))
    rest = shop.recommend(REGULAR, without).slots[:5]
    assert slate.slots[1:] == tuple(replace(slot, score=0.0) for slot in rest)
    assert slate.score_kind is ScoreKind.OCCASION
    assert (slate.strategy, slate.fallback_reason) == (Strategy.PERSONAL, None)


def test_a_strict_mail_is_what_it_is_about_alone(shop: Recommender) -> None:
    slate, occasion = mail(shop, MailKind.REPLENISHMENT, REGULAR, replace(LATER, strict=True))
    assert occasion is not None
    assert (names(shop, slate), slate.slots) == ([MONTHLY], occasion.slots)


def test_who_is_known_by_an_order_alone_gets_what_goes_with_it_and_what_is_popular(
    shop: Recommender,
) -> None:
    request = replace(PLAIN, n=40, as_of=moment(DAYS))
    slate, occasion = mail(
        shop,
        MailKind.POST_PURCHASE,
        "stranger",
        request,
        facts=StoreFacts(order=items_of(shop, "bread")),
    )
    assert occasion is not None
    assert "butter" in names(shop, slate)[: len(occasion.slots)]
    assert (slate.strategy, slate.fallback_reason) == (Strategy.PERSONAL, None)
    assert {slot.source for slot in slate.slots} == {Source.BOUGHT_TOGETHER, Source.POPULAR}
    assert "bread" not in names(shop, slate)


def test_a_welcome_shows_nothing_that_was_bought_and_an_ordinary_slate_may(
    shop: Recommender,
) -> None:
    bought = [
        ("bread", "purchase", DAYS),
        ("espresso", "purchase", DAYS),
        ("filter", "purchase", DAYS),
    ]
    for repeat in Repeat:
        assert not {"bread", "espresso", "filter"} & set(
            names(shop, sent(shop, MailKind.WELCOME, *bought, n=40, repeat=repeat))
        )
    assert "bread" in names(
        shop,
        sent(
            shop,
            MailKind.POST_PURCHASE,
            *bought,
            ("mug", "purchase", DAYS + 1),
            n=40,
            repeat=Repeat.INCLUDE,
        ),
    )


def test_the_mail_about_a_basket_alone_shows_what_is_in_it(shop: Recommender) -> None:
    events = [
        ("bread", "cart", DAYS + 0.8),
        ("mug", "purchase", DAYS + 0.8),
        (SOLD_OUT, "cart", DAYS + 0.8),
    ]
    assert names(shop, sent(shop, MailKind.BASKET, *events))[0] == "bread"
    assert SOLD_OUT not in names(shop, sent(shop, MailKind.BASKET, *events, n=40))
    assert "bread" not in names(shop, sent(shop, MailKind.WELCOME, *events, n=40))


def test_what_the_shop_pins_keeps_its_spot_and_the_mail_is_led_around_it(shop: Recommender) -> None:
    pin = PinRule("pin", ProductSelector(("twine",)), position=2)
    slate, _ = mail(shop, MailKind.REPLENISHMENT, REGULAR, replace(LATER, rules=(pin,)))
    assert names(shop, slate)[:2] == [MONTHLY, "twine"]
    assert slate.slots[1].source is Source.PINNED
    assert len(slate.slots) == 6
    own_pin = replace(pin, which=ProductSelector((MONTHLY,)))
    slate, _ = mail(shop, MailKind.REPLENISHMENT, REGULAR, replace(LATER, rules=(own_pin,)))
    assert names(shop, slate)[0] == MONTHLY
    assert slate.slots[0].source is Source.OWN_PURCHASES


def test_a_mail_full_of_what_it_is_about_keeps_the_spots_of_the_shop_free(
    shop: Recommender,
) -> None:
    pin = PinRule("pin", ProductSelector(("twine",)), position=1)
    plain = replace(PLAIN, n=2, as_of=moment(DAYS))
    for number in range(54):
        slate, occasion = mail(shop, MailKind.REPLENISHMENT, f"c{number:02}", plain)
        if occasion is not None and len(occasion.slots) == 2 and "twine" not in names(shop, slate):
            pinned, _ = mail(
                shop, MailKind.REPLENISHMENT, f"c{number:02}", replace(plain, rules=(pin,))
            )
            assert names(shop, pinned) == ["twine", names(shop, slate)[0]]
            break
    else:
        pytest.fail("nobody has two products due")


HAPPENED = st.lists(
    st.tuples(
        st.integers(0, 39),
        st.sampled_from(
            [
                "purchase",
                "purchase",
                "return",
                "view",
                "cart",
                "cart",
                "wishlist",
                "dismiss",
                "exposure",
            ]
        ),
        st.floats(DAYS - 60, DAYS + 30),
    ),
    max_size=8,
)
DAIRY = sorted(AISLES).index("dairy")
CAPS = CapRule("cap", by="category", most=3)
REQUESTS = st.builds(
    SlateRequest,
    n=st.integers(1, 12),
    as_of=st.none() | st.floats(DAYS - 30, DAYS + 60).map(moment),
    repeat=st.sampled_from(Repeat),
    strict=st.booleans(),
    filters=st.builds(
        Filters,
        exclude=st.lists(st.integers(0, 39), max_size=6).map(tuple),
        category=st.sampled_from([None, None, "dairy"]),
        market=st.sampled_from([None, "north"]),
    ),
    placement=st.just("email"),
    rules=st.sampled_from(
        [(), (CAPS,), (CAPS, PinRule("pin", ProductSelector(("ball",)), position=3))]
    ),
    purpose=st.just(PERSONALIZE_EMAIL),
)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(MailKind),
    st.sampled_from(SPECIAL),
    REQUESTS,
    HAPPENED,
    st.lists(st.integers(0, 39), max_size=3).map(tuple),
    st.dictionaries(st.integers(0, 39), st.floats(DAYS - 30, DAYS + 30).map(moment), max_size=20),
)
def test_whatever_happened_the_promises_of_a_mail_hold(
    shop: Recommender,
    mailing: MailKind,
    customer: str,
    request: SlateRequest,
    events: list[tuple[int, str, float]],
    order: tuple[int, ...],
    restocked: dict[int, int],
) -> None:
    ids = shop.catalogue.ids
    update = update_of(shop, *((ids[item], kind, day) for item, kind, day in events))
    facts = StoreFacts(order, restocked)
    slate, occasion = mail(shop, mailing, customer, request, update, facts)
    shown = [slot.item for slot in slate.slots]
    assert (slate, occasion) == mail(shop, mailing, customer, request, update, facts)
    assert len(shown) == len(set(shown)) <= request.n
    assert not set(shown) & {*order, *request.filters.exclude}
    assert SOLD_OUT not in names(shop, slate)
    if request.filters.category is not None:
        assert all(shop.catalogue.category[item] == DAIRY for item in shown)
    if request.rules:
        counts = np.bincount(shop.catalogue.category[shown]) if shown else [0]
        assert max(counts) <= ceil(request.n * 3 / 10)
    if occasion is None:
        return
    user = shop.model.customers.ids.find(customer)
    as_of = shop.manifest.data_as_of if request.as_of is None else request.as_of
    pairs = shop.build_context(user, request, update).pairs
    assert user < 0 or shop.model.customers.consent[user, PERSONALIZE_EMAIL] != NO
    assert not set(shown) & set(pairs.item[pairs.refused].tolist())
    assert mailing is MailKind.BASKET or not set(shown) & set(pairs.item[pairs.in_cart].tolist())
    assert as_of <= occasion.until <= as_of + 400 * DAY
    assert occasion.text
    if occasion.slots:
        assert slate.strategy is Strategy.PERSONAL
        assert slate.fallback_reason is None or not shown
    if request.strict:
        assert slate.slots == occasion.slots
    elif len(slate.slots) == request.n and not request.rules:
        assert slate.slots[: len(occasion.slots)] == occasion.slots


def test_every_kind_is_documented() -> None:
    document = (ROOT / "docs/mailings.md").read_text()
    sections = [
        line.removeprefix("## ").strip("`")
        for line in document.splitlines()
        if line.startswith("## ")
    ]
    assert [section for section in sections if section in MAILINGS] == list(MAILINGS)
    for kind in MAILINGS:
        assert f"campaign={kind}" in document

"""Who gets which mail, why, until when, and what it is about."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.data.catalogue import Catalogue
from models.data.customers import NEVER_ASKED, PERSONALIZE_EMAIL
from models.data.events import DAY, KINDS, Events
from models.mail.mailings import MAILINGS, CustomerMail, MailKind
from models.mail.occasions import MailOccasion
from models.mail.recipient import NO_STORE_FACTS, StoreFacts
from models.recommender import Recommender
from models.rules.filters import Filters
from models.slate import ReasonKind, SlateRequest, Source
from models.updates.customer import CustomerUpdate
from tests.support.fitted_shop import fit_shop
from tests.support.shop import (
    DAYS,
    MONTHLY,
    NEVER_SOLD,
    NO_EMAIL,
    ONLY_RARE,
    RARE,
    REGULAR,
    SOLD_OUT,
    moment,
    small_shop_records,
)

NEWCOMER = "newcomer"  # the model has not learned of them
LAST = 160.5  # the day on which REGULAR bought MONTHLY last
ReportedEvent = tuple[str, str, float]  # product, kind, day


@pytest.fixture(scope="module")
def shop() -> Recommender:
    return fit_shop(small_shop_records())


def update_of(shop: Recommender, *events: ReportedEvent) -> CustomerUpdate:
    """What was reported since the model learned."""
    return CustomerUpdate(
        Events(
            shop.catalogue.ids.find_all([product for product, _, _ in events]).astype(np.int32),
            np.array([moment(day) for *_, day in events], np.int64),
            np.array([KINDS.index(kind) for _, kind, _ in events], np.uint8),
            np.array([-1.0 if kind == "return" else 1.0 for _, kind, _ in events], np.float32),
            np.zeros(len(events), np.uint32),
        )
    )


def occasion_of(
    shop: Recommender,
    mailing: MailKind,
    day: float,
    *events: ReportedEvent,
    customer_id: str = NEWCOMER,
    facts: StoreFacts = NO_STORE_FACTS,
    n: int = 10,
    exclude: Sequence[str] = (),
) -> MailOccasion | None:
    filters = Filters(exclude=tuple(items(shop, *exclude)))
    request = SlateRequest(
        n=n, as_of=moment(day), filters=filters, placement="email", purpose=PERSONALIZE_EMAIL
    )
    update = update_of(shop, *events)
    return CustomerMail(shop, MAILINGS[mailing], customer_id, request, update, facts).occasion


def required(occasion: MailOccasion | None) -> MailOccasion:
    assert occasion is not None
    return occasion


def items(shop: Recommender, *products: str) -> list[int]:
    indices: list[int] = shop.catalogue.ids.find_all(products).tolist()
    return indices


def led_by(shop: Recommender, occasion: MailOccasion | None) -> list[str]:
    return [shop.catalogue.ids[slot.item] for slot in required(occasion).slots]


def with_catalogue(shop: Recommender, catalogue: Catalogue) -> Recommender:
    return Recommender(shop.manifest, replace(shop.model, catalogue=catalogue), shop.settings)


def with_arrival(shop: Recommender, product: str, day: float) -> Recommender:
    available_from = shop.catalogue.available_from.copy()
    available_from[items(shop, product)] = moment(day)
    return with_catalogue(shop, replace(shop.catalogue, available_from=available_from))


# welcome


def test_who_ordered_for_the_first_time_is_welcomed_for_two_weeks_with_what_goes_with_it(
    shop: Recommender,
) -> None:
    ordered = ("bread", "purchase", DAYS)
    welcome = required(occasion_of(shop, MailKind.WELCOME, DAYS + 3, ordered))
    assert led_by(shop, welcome)[0] == "butter"
    assert "bread" not in led_by(shop, welcome)
    assert {slot.reason.kind for slot in welcome.slots} == {ReasonKind.BOUGHT_TOGETHER}
    assert welcome.text == "Welcome! Your first order with us was 3 days ago"
    assert welcome.until == moment(DAYS + 14)
    assert occasion_of(shop, MailKind.WELCOME, DAYS + 14, ordered) is not None
    assert occasion_of(shop, MailKind.WELCOME, DAYS + 14.1, ordered) is None


def test_who_has_only_looked_around_is_welcomed_without_products_of_its_own(
    shop: Recommender,
) -> None:
    welcome = required(occasion_of(shop, MailKind.WELCOME, DAYS + 1, ("bread", "view", DAYS)))
    assert (welcome.slots, welcome.text) == ((), "Welcome! You first looked around here yesterday")


def test_who_was_only_shown_something_or_looked_around_long_ago_is_not_welcomed(
    shop: Recommender,
) -> None:
    assert occasion_of(shop, MailKind.WELCOME, DAYS) is None
    assert occasion_of(shop, MailKind.WELCOME, DAYS, ("bread", "exposure", DAYS - 1)) is None
    assert occasion_of(shop, MailKind.WELCOME, DAYS, ("bread", "view", DAYS - 20)) is None


def test_who_ordered_first_after_a_long_look_around_is_welcomed(shop: Recommender) -> None:
    assert (
        occasion_of(
            shop,
            MailKind.WELCOME,
            DAYS + 1,
            ("ball", "view", DAYS - 40),
            ("bread", "purchase", DAYS),
        )
        is not None
    )


@pytest.mark.parametrize("customer_id", ["c00", REGULAR, ONLY_RARE])
def test_a_customer_of_old_is_not_welcomed_after_another_order(
    shop: Recommender, customer_id: str
) -> None:
    assert (
        occasion_of(
            shop, MailKind.WELCOME, DAYS + 1, ("bread", "purchase", DAYS), customer_id=customer_id
        )
        is None
    )


def test_the_welcome_ends_two_weeks_after_the_first_of_several_orders(shop: Recommender) -> None:
    orders = (("bread", "purchase", DAYS), ("mug", "purchase", DAYS + 5))
    welcome = required(occasion_of(shop, MailKind.WELCOME, DAYS + 6, *orders))
    assert welcome.text == "Welcome! Your first order with us was 6 days ago"
    assert welcome.until == moment(DAYS + 14)


# post_purchase


def test_an_order_is_followed_for_two_weeks_by_what_goes_with_it(shop: Recommender) -> None:
    bought = (("bread", "purchase", DAYS), ("toast", "purchase", DAYS + 0.1))
    after = required(
        occasion_of(shop, MailKind.POST_PURCHASE, DAYS + 2, *bought, customer_id="c03")
    )
    assert "butter" in led_by(shop, after)
    assert not {"bread", "toast"} & set(led_by(shop, after))
    assert after.text == "You ordered Bread and 1 more 2 days ago"
    assert after.until == moment(DAYS + 14.1)
    assert (
        occasion_of(shop, MailKind.POST_PURCHASE, DAYS + 14.2, *bought, customer_id="c03") is None
    )


def test_an_order_that_is_named_counts_before_it_was_reported(shop: Recommender) -> None:
    facts = StoreFacts(order=tuple(items(shop, "bread")))
    after = required(occasion_of(shop, MailKind.POST_PURCHASE, DAYS, facts=facts))
    assert (led_by(shop, after)[0], after.text) == ("butter", "You ordered Bread today")
    assert after.until == moment(DAYS + 14)
    assert (
        occasion_of(
            shop, MailKind.POST_PURCHASE, DAYS + 30, ("bread", "purchase", DAYS), facts=facts
        )
        is None
    )


def test_a_named_order_of_what_was_bought_before_too_was_made_the_last_time(
    shop: Recommender,
) -> None:
    facts = StoreFacts(order=tuple(items(shop, "bread")))
    bought = (("bread", "purchase", DAYS - 30), ("bread", "purchase", DAYS))
    after = required(occasion_of(shop, MailKind.POST_PURCHASE, DAYS + 2, *bought, facts=facts))
    assert (after.text, after.until) == ("You ordered Bread 2 days ago", moment(DAYS + 14))


def test_an_order_that_was_sent_back_is_followed_by_nothing(shop: Recommender) -> None:
    bought, returned = ("bread", "purchase", DAYS), ("bread", "return", DAYS + 1)
    facts = StoreFacts(order=tuple(items(shop, "bread")))
    assert occasion_of(shop, MailKind.POST_PURCHASE, DAYS + 2, bought) is not None
    assert occasion_of(shop, MailKind.POST_PURCHASE, DAYS + 2, bought, returned) is None
    assert (
        occasion_of(shop, MailKind.POST_PURCHASE, DAYS + 2, bought, returned, facts=facts) is None
    )


def test_what_was_dismissed_or_is_excluded_or_sold_out_does_not_follow_an_order(
    shop: Recommender,
) -> None:
    bought = ("bread", "purchase", DAYS)
    assert "butter" in led_by(shop, occasion_of(shop, MailKind.POST_PURCHASE, DAYS + 1, bought))
    dismissed = ("butter", "dismiss", DAYS + 0.5)
    assert "butter" not in led_by(
        shop, occasion_of(shop, MailKind.POST_PURCHASE, DAYS + 1, bought, dismissed)
    )
    assert "butter" not in led_by(
        shop, occasion_of(shop, MailKind.POST_PURCHASE, DAYS + 1, bought, exclude=["butter"])
    )
    in_stock = shop.catalogue.in_stock.copy()
    in_stock[items(shop, "butter")] = False
    sold_out = with_catalogue(shop, replace(shop.catalogue, in_stock=in_stock))
    assert "butter" not in led_by(
        sold_out, occasion_of(sold_out, MailKind.POST_PURCHASE, DAYS + 1, bought)
    )


# replenishment


def test_what_is_bought_every_month_is_mailed_about_from_three_days_before_it_is_due(
    shop: Recommender,
) -> None:
    due = required(occasion_of(shop, MailKind.REPLENISHMENT, LAST + 40, customer_id=REGULAR))
    (slot,) = due.slots
    assert (shop.catalogue.ids[slot.item], slot.source) == (MONTHLY, Source.OWN_PURCHASES)
    assert slot.reason.kind is ReasonKind.BUY_AGAIN
    assert due.text == "You buy Decaf about every 30 days"
    interval = (due.until - moment(LAST)) / 3 / DAY
    assert interval == pytest.approx(30)
    assert (
        occasion_of(shop, MailKind.REPLENISHMENT, LAST + interval - 3.1, customer_id=REGULAR)
        is None
    )
    assert (
        occasion_of(shop, MailKind.REPLENISHMENT, LAST + interval - 2.9, customer_id=REGULAR)
        is not None
    )
    assert (
        occasion_of(shop, MailKind.REPLENISHMENT, LAST + 2.99 * interval, customer_id=REGULAR)
        is not None
    )
    assert (
        occasion_of(shop, MailKind.REPLENISHMENT, LAST + 3.01 * interval, customer_id=REGULAR)
        is None
    )


def test_what_is_due_is_mailed_about_no_more_once_it_is_bought_or_dismissed(
    shop: Recommender,
) -> None:
    for kind in ("purchase", "dismiss"):
        events = (MONTHLY, kind, LAST + 39)
        assert (
            occasion_of(shop, MailKind.REPLENISHMENT, LAST + 40, events, customer_id=REGULAR)
            is None
        )


def test_what_was_bought_once_is_not_mailed_about_as_due(shop: Recommender) -> None:
    due_of = [
        occasion_of(shop, MailKind.REPLENISHMENT, DAYS, customer_id=f"c{number:02}")
        for number in range(54)
    ]
    texts = [slot.reason.text for due in due_of if due for slot in due.slots]
    assert texts
    assert all("twice" in text or "every" in text for text in texts)


def test_a_mail_about_what_is_due_ends_when_the_first_of_it_counts_as_given_up(
    shop: Recommender,
) -> None:
    bread = [("bread", "purchase", day) for day in (100.0, 110.0, 120.0, 130.0)]
    mug = [("mug", "purchase", day) for day in (40.0, 80.0, 120.0)]
    until = []
    for bought in (bread, mug, bread + mug):
        due = required(occasion_of(shop, MailKind.REPLENISHMENT, 158, *bought))
        until.append(due.until)
    assert {*led_by(shop, due)} == {"bread", "mug"}
    assert until[2] == until[0] < until[1]


# win_back


def test_who_is_silent_for_twice_the_usual_time_is_won_back_with_favourites(
    shop: Recommender,
) -> None:
    assert occasion_of(shop, MailKind.WIN_BACK, LAST + 60, customer_id=REGULAR) is None
    back = required(occasion_of(shop, MailKind.WIN_BACK, LAST + 60.1, customer_id=REGULAR))
    assert led_by(shop, back) == [MONTHLY]
    assert back.slots[0].reason.kind is ReasonKind.BUY_AGAIN
    assert back.text == "It has been 60 days since your last order"
    assert back.until == moment(LAST + 365)
    assert occasion_of(shop, MailKind.WIN_BACK, LAST + 365, customer_id=REGULAR) is not None
    assert occasion_of(shop, MailKind.WIN_BACK, LAST + 365.1, customer_id=REGULAR) is None


def test_who_comes_every_day_is_not_lost_within_a_month(shop: Recommender) -> None:
    daily = [("bread", "purchase", DAYS + day) for day in range(5)]
    assert occasion_of(shop, MailKind.WIN_BACK, DAYS + 34, *daily) is None
    assert occasion_of(shop, MailKind.WIN_BACK, DAYS + 34.1, *daily) is not None


def test_who_ordered_once_is_won_back_after_ninety_days(shop: Recommender) -> None:
    once = ("bread", "purchase", DAYS)
    assert occasion_of(shop, MailKind.WIN_BACK, DAYS + 90, once) is None
    assert occasion_of(shop, MailKind.WIN_BACK, DAYS + 90.1, once) is not None
    assert occasion_of(shop, MailKind.WIN_BACK, DAYS, ("bread", "view", 1)) is None


def test_silence_begins_with_the_last_order(shop: Recommender) -> None:
    orders = (("bread", "purchase", DAYS - 60), ("bread", "purchase", DAYS))
    assert occasion_of(shop, MailKind.WIN_BACK, DAYS + 120, *orders) is None
    back = required(occasion_of(shop, MailKind.WIN_BACK, DAYS + 121, *orders))
    assert back.text == "It has been 121 days since your last order"


def test_favourites_take_half_of_it_and_what_is_new_comes_next(shop: Recommender) -> None:
    bought = [
        (product, "purchase", day)
        for day in (100, 110, 120)
        for product in ("beans", "espresso", "mug")
    ]
    new = with_arrival(shop, NEVER_SOLD, DAYS - 5)
    slots = required(occasion_of(new, MailKind.WIN_BACK, DAYS, *bought, n=4)).slots
    assert [slot.source for slot in slots] == [
        Source.OWN_PURCHASES,
        Source.OWN_PURCHASES,
        Source.NEW,
    ]
    assert led_by(new, occasion_of(new, MailKind.WIN_BACK, DAYS, *bought, n=4))[2] == NEVER_SOLD


# back_in_stock


def back(shop: Recommender, product: str, day: float) -> StoreFacts:
    return StoreFacts(restocked={items(shop, product)[0]: moment(day)})


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("view", "You looked at Kettle, and it is back"),
        ("click", "You looked at Kettle, and it is back"),
        ("cart", "You had Kettle in your basket, and it is back"),
        ("wishlist", "You wished for Kettle, and it is back"),
    ],
)
def test_who_wanted_what_was_sold_out_hears_that_it_is_back(
    shop: Recommender, kind: str, text: str
) -> None:
    facts = back(shop, NEVER_SOLD, DAYS)
    mail = required(
        occasion_of(
            shop, MailKind.BACK_IN_STOCK, DAYS + 2, (NEVER_SOLD, kind, DAYS - 9), facts=facts
        )
    )
    assert (led_by(shop, mail), mail.text, mail.until) == ([NEVER_SOLD], text, moment(DAYS + 14))
    slot = mail.slots[0]
    assert (slot.source, slot.reason.kind) == (Source.OWN_INTEREST, ReasonKind.BACK_IN_STOCK)


def test_who_buys_it_regularly_hears_that_it_is_back(shop: Recommender) -> None:
    facts = back(shop, MONTHLY, LAST + 35)
    mail = required(
        occasion_of(shop, MailKind.BACK_IN_STOCK, LAST + 36, customer_id=REGULAR, facts=facts)
    )
    assert mail.text == "You buy Decaf about every 30 days, and it is back"
    assert mail.slots[0].source is Source.OWN_PURCHASES


@pytest.mark.parametrize(
    ("day", "events"),
    [
        (DAYS + 2, []),
        (DAYS + 2, [("mug", "view", DAYS - 9)]),
        (DAYS + 2, [("kettle", "view", DAYS + 1)]),
        (DAYS + 2, [("kettle", "exposure", DAYS - 9)]),
        (DAYS + 2, [("kettle", "view", DAYS - 400)]),
        (DAYS + 2, [("kettle", "view", DAYS - 9), ("kettle", "dismiss", DAYS - 8)]),
        (DAYS + 2, [("kettle", "view", DAYS - 9), ("kettle", "purchase", DAYS + 1)]),
        (DAYS + 14.1, [("kettle", "view", DAYS - 9)]),
    ],
    ids=[
        "nothing",
        "another product",
        "wanted only since",
        "only shown",
        "long ago",
        "dismissed",
        "bought since",
        "back for long",
    ],
)
def test_nobody_else_hears_of_it(
    shop: Recommender, day: float, events: list[ReportedEvent]
) -> None:
    assert (
        occasion_of(shop, MailKind.BACK_IN_STOCK, day, *events, facts=back(shop, NEVER_SOLD, DAYS))
        is None
    )


def test_what_is_sold_out_again_is_not_back(shop: Recommender) -> None:
    facts = back(shop, SOLD_OUT, DAYS)
    assert (
        occasion_of(
            shop, MailKind.BACK_IN_STOCK, DAYS + 2, (SOLD_OUT, "view", DAYS - 9), facts=facts
        )
        is None
    )


def test_a_mail_about_what_is_back_ends_when_the_first_of_it_is_no_news(shop: Recommender) -> None:
    kettle, mug = items(shop, NEVER_SOLD, "mug")
    facts = StoreFacts(restocked={kettle: moment(DAYS), mug: moment(DAYS + 3)})
    wanted = ((NEVER_SOLD, "view", DAYS - 9), ("mug", "view", DAYS - 9))
    mail = required(occasion_of(shop, MailKind.BACK_IN_STOCK, DAYS + 4, *wanted, facts=facts))
    assert {*led_by(shop, mail)} == {NEVER_SOLD, "mug"}
    assert mail.until == moment(DAYS + 14)


@pytest.mark.parametrize(
    ("kind", "day", "events"),
    [
        (MailKind.WELCOME, DAYS + 1, [("bread", "purchase", DAYS)]),
        (MailKind.POST_PURCHASE, DAYS + 1, [("bread", "purchase", DAYS)]),
        (MailKind.BACK_IN_STOCK, DAYS + 1, [(NEVER_SOLD, "view", DAYS - 9)]),
        (MailKind.BASKET, DAYS + 1, [("bread", "cart", DAYS)]),
    ],
)
def test_a_mail_is_due_until_the_last_second_that_it_names(
    shop: Recommender, kind: MailKind, day: float, events: list[ReportedEvent]
) -> None:
    facts = back(shop, NEVER_SOLD, DAYS) if kind is MailKind.BACK_IN_STOCK else NO_STORE_FACTS
    last = required(occasion_of(shop, kind, day, *events, facts=facts)).until
    last_day = (last - moment(0)) / DAY
    assert moment(last_day) == last
    assert required(occasion_of(shop, kind, last_day, *events, facts=facts)).until == last
    second_later = (last + 1 - moment(0)) / DAY
    assert moment(second_later) == last + 1
    assert occasion_of(shop, kind, second_later, *events, facts=facts) is None


# basket


def test_a_basket_is_mailed_about_after_an_hour_and_for_a_week(shop: Recommender) -> None:
    put = ("bread", "cart", DAYS)
    assert occasion_of(shop, MailKind.BASKET, DAYS + 0.9 / 24, put) is None
    left = required(occasion_of(shop, MailKind.BASKET, DAYS + 1.1 / 24, put))
    assert led_by(shop, left)[:2] == ["bread", "butter"]
    slot = left.slots[0]
    assert (slot.source, slot.reason.kind) == (Source.OWN_INTEREST, ReasonKind.LEFT_IN_BASKET)
    assert left.slots[1].reason.kind is ReasonKind.BOUGHT_TOGETHER
    assert (left.text, left.until) == ("You left Bread in your basket", moment(DAYS + 7) - 1)
    assert led_by(shop, occasion_of(shop, MailKind.BASKET, DAYS + 6.9, put))[:2] == [
        "bread",
        "butter",
    ]
    assert occasion_of(shop, MailKind.BASKET, DAYS + 7, put) is None


def test_who_has_just_put_more_into_the_basket_has_not_left_it(shop: Recommender) -> None:
    put, more = ("bread", "cart", DAYS), ("ball", "cart", DAYS + 0.5)
    assert occasion_of(shop, MailKind.BASKET, DAYS + 0.51, put, more) is None
    left = required(occasion_of(shop, MailKind.BASKET, DAYS + 0.6, put, more))
    assert led_by(shop, left)[:2] == ["ball", "bread"]
    assert left.text == "You left Ball and 1 more in your basket"
    assert left.until == moment(DAYS + 7.5) - 1


def test_who_did_other_things_too_has_left_a_basket(shop: Recommender) -> None:
    others = (("mug", "purchase", DAYS - 20), ("ball", "cart", DAYS - 10), ("mug", "view", DAYS))
    left = required(occasion_of(shop, MailKind.BASKET, DAYS + 1, ("bread", "cart", DAYS), *others))
    assert left.text == "You left Bread in your basket"


def test_who_puts_a_product_in_again_has_left_it_then(shop: Recommender) -> None:
    left = required(
        occasion_of(
            shop, MailKind.BASKET, DAYS + 1, ("bread", "cart", DAYS), ("bread", "cart", DAYS + 0.5)
        )
    )
    assert left.until == moment(DAYS + 7.5) - 1


@pytest.mark.parametrize("kind", ["purchase", "remove_from_cart"])
def test_what_was_bought_or_taken_out_was_not_left(shop: Recommender, kind: str) -> None:
    assert (
        occasion_of(
            shop, MailKind.BASKET, DAYS + 1, ("bread", "cart", DAYS), ("bread", kind, DAYS + 0.5)
        )
        is None
    )


def test_what_is_sold_out_by_now_is_not_shown_in_the_basket(shop: Recommender) -> None:
    assert occasion_of(shop, MailKind.BASKET, DAYS + 0.5, (SOLD_OUT, "cart", DAYS)) is None


# new_for_you


def test_who_buys_of_the_aisle_hears_of_what_is_new_there_until_it_is_new_no_more(
    shop: Recommender,
) -> None:
    brandless = replace(shop.catalogue, brand=np.full(len(shop.catalogue), -1, np.int32))
    new = with_arrival(with_catalogue(shop, brandless), NEVER_SOLD, DAYS - 5)
    mail = required(occasion_of(new, MailKind.NEW_FOR_YOU, DAYS, customer_id="c02"))
    assert led_by(new, mail) == [NEVER_SOLD]
    assert (mail.slots[0].source, mail.text) == (Source.NEW, "New in coffee")
    assert mail.until == moment(DAYS + 23)
    assert occasion_of(new, MailKind.NEW_FOR_YOU, DAYS + 23, customer_id="c02") is not None
    assert occasion_of(new, MailKind.NEW_FOR_YOU, DAYS + 23.1, customer_id="c02") is None
    assert occasion_of(new, MailKind.NEW_FOR_YOU, DAYS - 6, customer_id="c02") is None
    assert (
        occasion_of(
            new, MailKind.NEW_FOR_YOU, DAYS, (NEVER_SOLD, "purchase", DAYS - 0.5), customer_id="c02"
        )
        is None
    )
    assert occasion_of(new, MailKind.NEW_FOR_YOU, DAYS, customer_id="c00") is None  # loves bread
    assert occasion_of(new, MailKind.NEW_FOR_YOU, DAYS, ("mug", "view", DAYS - 1)) is None


def test_a_mail_about_what_is_new_ends_when_the_first_of_it_is_new_no_more(
    shop: Recommender,
) -> None:
    new = with_arrival(with_arrival(shop, NEVER_SOLD, DAYS - 5), RARE, DAYS - 2)
    mail = required(occasion_of(new, MailKind.NEW_FOR_YOU, DAYS, customer_id="c02"))
    assert {*led_by(new, mail)} == {NEVER_SOLD, RARE}
    assert mail.until == moment(DAYS + 23)


def test_who_buys_the_brand_hears_of_what_is_new_from_it(shop: Recommender) -> None:
    new = with_arrival(shop, NEVER_SOLD, DAYS - 5)
    assert led_by(new, occasion_of(new, MailKind.NEW_FOR_YOU, DAYS, customer_id="c00")) == [
        NEVER_SOLD
    ]


# all of them


@pytest.mark.parametrize("mailing", MailKind)
def test_who_said_no_to_mails_and_who_is_unknown_gets_none(
    shop: Recommender, mailing: MailKind
) -> None:
    events = (
        ("bread", "cart", DAYS),
        ("butter", "purchase", DAYS + 0.1),
        (NEVER_SOLD, "view", DAYS - 9),
    )
    facts = back(shop, NEVER_SOLD, DAYS)
    for day in (DAYS + 0.5, DAYS + 100):
        assert occasion_of(shop, mailing, day, *events, customer_id=NO_EMAIL, facts=facts) is None
        assert occasion_of(shop, mailing, day, facts=facts) is None


def test_who_was_never_asked_gets_none_where_asking_comes_first(shop: Recommender) -> None:
    update = replace(update_of(shop, ("bread", "purchase", DAYS)), unasked=NEVER_ASKED)
    request = SlateRequest(as_of=moment(DAYS + 1), purpose=PERSONALIZE_EMAIL)
    assert (
        CustomerMail(shop, MAILINGS[MailKind.WELCOME], NEWCOMER, request, update).occasion is None
    )

"""A mail as the store knows it: its record, and the products of the mails before it."""

from collections.abc import Sequence
from dataclasses import replace

import orjson
import pytest

from models.data.events import HOUR
from models.mail.mailings import MailKind
from service.mail.campaigns import kind_of
from service.mail.mail_record import find_mail
from service.store.campaigns import Campaign, MailRecord

NOW = 10 * HOUR
MONDAY = Campaign(
    "monday", "newsletter", "v1", as_of=900, opened=NOW - 1800, window_hours=1, not_twice=2
)


def shown(
    ref: str,
    campaign: str,
    *products: str,
    hours_ago: float = 5,
    also: Sequence[str] = (),
    before: Sequence[str] = (),
) -> MailRecord:
    facts = {"products": [[product, 0.5] for product in products], "also": also, "before": before}
    document = orjson.dumps(facts).decode()
    return MailRecord(ref.encode(), campaign, "ann", NOW - round(hours_ago * HOUR), document)


def test_a_mail_shows_what_it_has_shown_within_its_window() -> None:
    young, old = (
        shown("r", "monday", "bread", hours_ago=0.5),
        shown("r", "monday", "bread", hours_ago=1),
    )
    assert (find_mail(MONDAY, b"r", [young], NOW).record or {})["products"] == [["bread", 0.5]]
    assert find_mail(MONDAY, b"r", [old], NOW).record is None
    assert find_mail(MONDAY, b"another block", [young], NOW).record is None


def test_the_last_campaigns_count_with_all_their_blocks_and_those_before_them_do_not() -> None:
    history = [
        shown("1", "friday", "bread", "milk"),
        shown("2", "friday", "milk", "tea"),
        shown("3", "thursday", "rice"),
        shown("4", "wednesday", "salt"),
    ]
    assert find_mail(MONDAY, b"r", history, NOW).shown_before == ("bread", "milk", "tea", "rice")


def test_a_campaign_may_repeat_what_it_shows_itself_but_not_what_it_showed_last_week() -> None:
    assert (
        find_mail(MONDAY, b"r", [shown("2", "monday", "bread", hours_ago=0.5)], NOW).shown_before
        == ()
    )
    assert find_mail(MONDAY, b"r", [shown("2", "monday", "bread")], NOW).shown_before == ("bread",)


def test_what_was_shown_before_the_mailing_began_anew_is_of_last_week_however_late() -> None:
    late = shown("r", "monday", "bread", hours_ago=0.6)
    assert find_mail(MONDAY, b"r", [late], NOW).record is None
    assert find_mail(MONDAY, b"r", [late], NOW).shown_before == ("bread",)
    basket = replace(MONDAY, kind="basket")  # each recipient's first call is its own beginning
    assert find_mail(basket, b"r", [late], NOW).record is not None


def test_what_stood_in_for_another_product_was_shown_too() -> None:
    history = [shown("1", "friday", "bread", also=["tea"])]
    assert find_mail(MONDAY, b"r", history, NOW).shown_before == ("bread", "tea")


def test_every_part_of_a_mail_leaves_out_the_same() -> None:
    this_week = shown(
        "1", "monday", "milk", hours_ago=0.1, before=["bread"]
    )  # in place of last week's record
    assert find_mail(MONDAY, b"another part", [this_week], NOW).shown_before == ("bread",)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("spring", MailKind.NEWSLETTER),
        ("win_back", MailKind.WIN_BACK),
        ("post-purchase", MailKind.POST_PURCHASE),
    ],
)
def test_a_campaign_may_be_named_after_what_it_is(name: str, kind: MailKind) -> None:
    assert kind_of(name) is kind

"""What a mail shows, from what the store tells of the mails before it."""

import orjson
import pytest

from models.events import HOUR
from models.mailings import Mailing
from service.mails import mail_of
from service.pins import kind_of
from service.store.campaigns import Campaign, Record

MONDAY = Campaign("monday", "newsletter", "v1", as_of=900, opened=1000, window_hours=1, not_twice=2)
NOW = 10 * HOUR


def shown(ref: str, campaign: str, *products: str, hours_ago: float = 5) -> Record:
    document = orjson.dumps({"products": [[product, 0.5] for product in products]}).decode()
    return Record(ref.encode(), campaign, "ann", NOW - round(hours_ago * HOUR), document)


def test_a_mail_shows_what_it_has_shown_within_its_window() -> None:
    young, old = shown("r", "monday", "bread", hours_ago=0.5), shown("r", "monday", "bread", hours_ago=1)
    assert (mail_of(MONDAY, b"r", [young], NOW).record or {})["products"] == [["bread", 0.5]]
    assert mail_of(MONDAY, b"r", [old], NOW).record is None
    assert mail_of(MONDAY, b"another block", [young], NOW).record is None


def test_the_last_campaigns_count_with_all_their_blocks_and_those_before_them_do_not() -> None:
    history = [
        shown("1", "friday", "bread", "milk"),
        shown("2", "friday", "milk", "tea"),
        shown("3", "thursday", "rice"),
        shown("4", "wednesday", "salt"),
    ]
    assert mail_of(MONDAY, b"r", history, NOW).before == ("bread", "milk", "tea", "rice")


def test_a_campaign_may_repeat_what_it_shows_itself_but_not_what_it_showed_last_week() -> None:
    assert mail_of(MONDAY, b"r", [shown("2", "monday", "bread", hours_ago=0.5)], NOW).before == ()
    assert mail_of(MONDAY, b"r", [shown("2", "monday", "bread")], NOW).before == ("bread",)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("spring", Mailing.NEWSLETTER), ("win_back", Mailing.WIN_BACK), ("post-purchase", Mailing.POST_PURCHASE)],
)
def test_a_campaign_may_be_named_after_what_it_is(name: str, kind: Mailing) -> None:
    assert kind_of(name) is kind

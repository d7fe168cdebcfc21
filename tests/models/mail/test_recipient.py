"""One customer at one moment, seen by whoever decides about a mail."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from models.data.events import DAY
from models.data.ids import Strings
from models.mail.recipient import NO_STORE_FACTS, MailRecipient
from models.recommender import Recommender
from models.rules.filters import Filters, Repeat
from models.rules.shop_rules import CapRule
from models.slate import Reason, ReasonKind, SlateRequest, Slot, Source
from models.updates.customer import NO_UPDATE
from tests.support.fitted_shop import fit_shop
from tests.support.shop import DAYS, ONLY_RETURNED, REGULAR, moment, small_shop_records


@pytest.fixture(scope="module")
def shop() -> Recommender:
    return fit_shop(small_shop_records())


def recipient_of(
    shop: Recommender, customer_id: str, request: SlateRequest | None = None
) -> MailRecipient:
    user = shop.model.customers.ids.find(customer_id)
    request = shop.at_home(user, request or SlateRequest(as_of=moment(DAYS)))
    return MailRecipient(shop, user, request, NO_UPDATE, NO_STORE_FACTS)


@pytest.mark.parametrize("customer_id", ["c00", "c01", REGULAR, ONLY_RETURNED, "stranger"])
@pytest.mark.parametrize("repeat", Repeat)
def test_what_is_kept_out_is_what_any_slate_keeps_out(
    shop: Recommender, customer_id: str, repeat: Repeat
) -> None:
    filters = Filters(exclude=(3, 9), category="dairy", max_price=20)
    request = SlateRequest(as_of=moment(DAYS - 9), filters=filters, recent=(5,), basket=(6,))
    recipient = recipient_of(shop, customer_id, request)
    ordinary = shop.find_removed(recipient.context, replace(recipient.request, repeat=repeat))
    assert recipient.find_removed(repeat).tolist() == ordinary.tolist()


def test_without_a_moment_it_is_the_newest_event_of_the_model(shop: Recommender) -> None:
    assert recipient_of(shop, "c00", SlateRequest()).as_of == shop.manifest.data_as_of


def test_what_was_sent_back_was_not_ordered(shop: Recommender) -> None:
    recipient = recipient_of(shop, ONLY_RETURNED)
    assert [shop.catalogue.ids[int(item)] for item in recipient.sent_back] == ["rake"]
    assert recipient.ordered_on(moment(120) // DAY) == []
    monthly = recipient_of(shop, REGULAR)
    assert [shop.catalogue.ids[item] for item in monthly.ordered_on(moment(160) // DAY)] == [
        "decaf"
    ]


def items_of(shop: Recommender, *products: str) -> Sequence[int]:
    items: list[int] = shop.catalogue.ids.find_all(products).tolist()
    return items


def test_products_are_named_by_the_first_of_them(shop: Recommender) -> None:
    recipient = recipient_of(shop, "c00")
    assert recipient.titles(items_of(shop, "bread")) == "Bread"
    assert recipient.titles(items_of(shop, "bread", "mug", "ball")) == "Bread and 2 more"
    bare = replace(shop.catalogue, title=Strings.of("" for _ in shop.catalogue.title))
    without = Recommender(shop.manifest, replace(shop.model, catalogue=bare), shop.settings)
    assert recipient_of(without, "c00").titles(items_of(shop, "bread")) == "a product"
    assert recipient_of(without, "c00").titles(items_of(shop, "bread", "mug")) == "2 products"


def test_days_are_counted_as_a_reader_counts_them(shop: Recommender) -> None:
    recipient = recipient_of(shop, "c00", SlateRequest(as_of=moment(DAYS + 0.5)))
    assert [recipient.ago(moment(DAYS + day)) for day in (0.4, -0.1, -1.9)] == [
        "today",
        "yesterday",
        "2 days ago",
    ]


def test_leading_products_differ_and_keep_to_the_caps_of_the_shop(shop: Recommender) -> None:
    why = Reason(ReasonKind.BUY_AGAIN, (), "You bought this before")
    items = items_of(shop, "bread", "bread", "toast", "rolls", "mug")
    slots = [Slot(item, 1.0, Source.OWN_PURCHASES, why) for item in items]
    assert [slot.item for slot in recipient_of(shop, "c00").take_first(slots)] == [
        items[0],
        *items[2:],
    ]
    assert [
        slot.item for slot in recipient_of(shop, "c00", SlateRequest(n=2)).take_first(slots)
    ] == [
        items[0],
        items[2],
    ]
    one_an_aisle = CapRule("cap", by="category", most=1)
    capped = recipient_of(shop, "c00", SlateRequest(n=10, rules=(one_an_aisle,)))
    assert [slot.item for slot in capped.take_first(slots)] == [items[0], items[4]]

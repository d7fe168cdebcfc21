"""Profiles and lists of what is due, in words that the customer understands."""

from typing import Any

import pytest

from models.data.customers import NO, PERSONALIZE_EMAIL, PERSONALIZE_WEB, TRAIN, YES
from models.data.events import KINDS
from models.data.timestamps import format_timestamp
from models.recommender import NOBODY
from models.slate import SlateRequest
from service.answering import customer_view
from service.answering.customer_view import CustomerView, describe_learned
from service.answering.presentation import Presentation
from service.model.customer_updates import build_customer_update
from service.signing.click_links import ClickLinks
from service.store.consents import ConsentRecords
from service.store.events import EventRow
from service.store.store import CustomerRecords, CustomerWords
from service.store.writer import Position
from tests.support.service_shop import Shop
from tests.support.shop import DAYS, MONTHLY, NO_WEB, REGULAR, moment

NEWEST = moment(DAYS + 20)
SHOP = Presentation(ClickLinks(b"secret"))


def describe_due(view: CustomerView, n: int, ahead_days: float, locale: str) -> dict[str, Any]:
    return customer_view.describe_due(view, n, ahead_days, locale, SHOP)


def describe_profile(view: CustomerView, n: int) -> dict[str, Any]:
    return customer_view.describe_profile(view, n, SHOP.languages.of("en"))


def row(
    kind: str, product_id: str, day: float = DAYS + 19, order_id: str | None = None
) -> EventRow:
    return EventRow(product_id, KINDS.index(kind), moment(day), order_id, 1.0, None)


def view(
    shop: Shop,
    customer_id: str,
    *rows: EventRow,
    consents: dict[int, tuple[int, int]] | None = None,
    unused: tuple[str, ...] = (),
    forgotten: bool = False,
    **values: Any,
) -> CustomerView:
    recommender = shop.model.recommender
    records = CustomerRecords(
        Position(1, NEWEST, 0, 0, 0, 0),
        1,
        list(rows),
        CustomerWords(ConsentRecords(consents or {})),
        list(unused),
        [],
    )
    update = build_customer_update(records, recommender.catalogue, unasked=YES, forgotten=forgotten)
    user = NOBODY if forgotten else recommender.model.customers.ids.find(customer_id)
    request = recommender.at_home(user, SlateRequest(**{"as_of": NEWEST, **values}))
    return CustomerView(customer_id, recommender, request, update, consents or {}, NEWEST, user)


def test_a_profile_tells_what_was_bought_and_looked_at_and_what_it_is_used_for(shop: Shop) -> None:
    described = describe_profile(
        view(shop, REGULAR, row("view", "kite"), row("cart", "doll"), row("dismiss", "rake")), 10
    )
    assert described["known"] == {
        "events": 9,
        "products_bought": 1,
        "first_purchase": format_timestamp(moment(10.5)),
        "last_purchase": format_timestamp(moment(160.5)),
        "market": None,
        "preferences": {"likes": [], "avoids": [], "needs": []},
        "products_not_used": [],
    }
    assert {product["id"]: product["text"] for product in described["products"]} == {
        MONTHLY: "You buy this about every 30 days",
        "kite": "You looked at this",
        "doll": "You looked at this",  # a day ago: no longer in the cart
        "rake": "You do not want to see this",
    }
    assert described["products"][0] == {
        "id": MONTHLY,
        "title": "Decaf",
        "purchases": 6,
        "text": "You buy this about every 30 days",
    }
    assert len(described["used_for"]) == 4
    assert all(consent["holds"] for consent in described["consent"].values())


def test_what_is_in_the_cart_now_is_said_to_be_there(shop: Shop) -> None:
    described = describe_profile(view(shop, REGULAR, row("cart", "doll", DAYS + 19.5)), 10)
    assert "This is in your basket" in [product["text"] for product in described["products"]]


def test_a_profile_shows_the_slate_of_now_and_why_it_is_what_it_is(shop: Shop) -> None:
    customer = view(shop, "c00", row("view", "kite"))
    described = describe_profile(customer, 5)["slate"]
    slate = customer.recommender.recommend("c00", customer.request, customer.update)
    ids = customer.recommender.catalogue.ids
    assert [product["id"] for product in described["recommendations"]] == [
        ids[slot.item] for slot in slate.slots
    ]
    assert [product["reason"]["text"] for product in described["recommendations"]] == [
        slot.reason.text for slot in slate.slots
    ]
    assert described["strategy"] == "personal"
    assert len(describe_profile(customer, 5)["products"]) == 5


@pytest.mark.parametrize("forgotten", [False, True], ids=["a stranger", "forgotten"])
def test_of_a_stranger_nothing_is_known_and_so_nothing_is_used(shop: Shop, forgotten: bool) -> None:
    described = describe_profile(
        view(shop, "c00" if forgotten else "nobody", forgotten=forgotten), 10
    )
    assert described["known"] == {
        "events": 0,
        "products_bought": 0,
        "first_purchase": None,
        "last_purchase": None,
        "market": None,
        "preferences": {"likes": [], "avoids": [], "needs": []},
        "products_not_used": [],
    }
    assert (described["products"], described["used_for"]) == ([], [])
    assert described["slate"]["fallback_reason"] == "unknown_customer"
    assert [consent["holds"] for consent in described["consent"].values()] == [not forgotten] * 4


def test_a_struck_out_product_is_named_as_such_and_nowhere_else(shop: Shop) -> None:
    described = describe_profile(view(shop, REGULAR, row("view", "kite"), unused=(MONTHLY,)), 10)
    assert described["known"]["products_not_used"] == [MONTHLY]
    assert [product["id"] for product in described["products"]] == ["kite"]
    assert MONTHLY not in [
        product_id
        for product in described["slate"]["recommendations"]
        for product_id in product["reason"]["product_ids"]
    ]


def test_who_said_no_reads_what_is_known_and_that_it_is_not_used_there(shop: Shop) -> None:
    described = describe_profile(view(shop, "c00", consents={PERSONALIZE_WEB: (NO, moment(1))}), 3)
    assert described["consent"]["personalize_web"] == {
        "given": False,
        "time": format_timestamp(moment(1)),
        "holds": False,
    }
    assert described["consent"]["train"] == {"given": None, "time": None, "holds": True}
    assert "To choose the products that the shop's pages show you" not in described["used_for"]
    assert len(described["used_for"]) == 3
    assert len(described["products"]) == 3
    assert described["slate"]["strategy"] == "not_personalized"


def due_ids(described: dict[str, Any]) -> list[str]:
    return [product["id"] for product in described["recommendations"]]


def test_what_is_due_is_told_with_the_interval_and_a_card(shop: Shop) -> None:
    described = describe_due(view(shop, REGULAR), 10, 0, "de_DE")
    (product,) = described["recommendations"]
    assert (described["customer_id"], described["count"], described["data_as_of"]) == (
        REGULAR,
        1,
        format_timestamp(NEWEST),
    )
    assert (product["id"], product["purchases"], product["last_purchase"]) == (
        MONTHLY,
        6,
        format_timestamp(moment(160.5)),
    )
    assert product["interval_days"] == 30
    assert product["reason"]["text"] == "Sie kaufen dieses Produkt etwa alle 30 Tage"
    assert product["price_text"] == "19,29\xa0€"


def test_a_purchase_starts_the_clock_anew(shop: Shop) -> None:
    assert (
        due_ids(
            describe_due(
                view(shop, REGULAR, row("purchase", MONTHLY, order_id="7")), 10, 0, "en_US"
            )
        )
        == []
    )
    later = moment(DAYS + 19 + 45)
    again = describe_due(
        view(shop, REGULAR, row("purchase", MONTHLY, order_id="7"), as_of=later), 10, 0, "en_US"
    )
    assert due_ids(again) == [MONTHLY]
    assert (again["recommendations"][0]["purchases"], again["data_as_of"]) == (
        7,
        format_timestamp(NEWEST),
    )


@pytest.mark.parametrize("kind", ["dismiss", "return"])
def test_what_was_dismissed_or_sent_back_is_not_due(shop: Shop, kind: str) -> None:
    rows = [row(kind, MONTHLY)] * (6 if kind == "return" else 1)
    assert due_ids(describe_due(view(shop, REGULAR, *rows), 10, 30, "en_US")) == []


def test_what_is_in_the_cart_is_not_due(shop: Shop) -> None:
    assert (
        due_ids(
            describe_due(view(shop, REGULAR, row("cart", MONTHLY, DAYS + 19.9)), 10, 30, "en_US")
        )
        == []
    )


@pytest.mark.parametrize(
    ("consents", "purpose", "expected"),
    [
        ({PERSONALIZE_WEB: (NO, 1)}, PERSONALIZE_WEB, []),
        ({PERSONALIZE_WEB: (NO, 1)}, PERSONALIZE_EMAIL, [MONTHLY]),
        ({PERSONALIZE_EMAIL: (NO, 1)}, PERSONALIZE_EMAIL, []),
        ({PERSONALIZE_EMAIL: (NO, 1)}, PERSONALIZE_WEB, [MONTHLY]),
        ({TRAIN: (NO, 1)}, PERSONALIZE_WEB, [MONTHLY]),
    ],
)
def test_nothing_is_due_for_who_said_no_to_it(
    shop: Shop, consents: dict[int, tuple[int, int]], purpose: int, expected: list[str]
) -> None:
    assert (
        due_ids(
            describe_due(view(shop, REGULAR, consents=consents, purpose=purpose), 10, 0, "en_US")
        )
        == expected
    )


def test_what_the_model_learned_of_a_person_is_told_event_by_event(shop: Shop) -> None:
    described = describe_learned(view(shop, REGULAR))
    assert [
        (event["product_id"], event["time"], event["kind"], event["weight"])
        for event in described["events"]
    ] == [
        (MONTHLY, format_timestamp(moment(10.5 + 30 * month)), "purchase", 1.0)
        for month in range(6)
    ]
    assert described["consent"] == {
        "train": None,
        "personalize_web": None,
        "personalize_email": None,
        "measure": None,
    }
    assert describe_learned(view(shop, NO_WEB))["consent"]["personalize_web"] is False
    version = shop.model.version
    assert describe_learned(view(shop, "nobody")) == {"model_version": version, "events": []}
    assert describe_learned(view(shop, REGULAR, forgotten=True)) == {
        "model_version": version,
        "events": [],
    }

"""What is known of one person, told in words that they understand."""

from dataclasses import replace
from typing import Any

import pytest

from models.artifact.registry import Registry
from models.data.customers import NO, PERSONALIZE_EMAIL, PERSONALIZE_WEB, TRAIN, YES
from models.data.events import KINDS
from models.data.timestamps import format_timestamp
from models.recommender import NOBODY
from models.slate import SlateRequest
from service.answering.customer_view import (
    CustomerView,
    consent_told,
    due_told,
    learned_told,
    profile,
    receipt,
    versions_with,
)
from service.model.customer_updates import build_customer_update
from service.store.events import EventRow
from service.store.store import CustomerRecords
from service.store.writer import Position
from tests.support.expected_answers import another_version
from tests.support.service_shop import Shop
from tests.support.shop import DAYS, MONTHLY, NO_WEB, REGULAR, moment

NEWEST = moment(DAYS + 20)


def row(
    kind: str, product_id: str, day: float = DAYS + 19, order_id: str | None = None
) -> EventRow:
    return EventRow(product_id, KINDS.index(kind), moment(day), order_id, 1.0, None)


def person(
    shop: Shop,
    customer_id: str,
    *rows: EventRow,
    consents: dict[int, tuple[int, int]] | None = None,
    unused: tuple[str, ...] = (),
    forgotten: bool = False,
    **asked: Any,
) -> CustomerView:
    recommender = shop.model.recommender
    seen = CustomerRecords(
        Position(1, NEWEST, 0, 0, 0, 0), 1, list(rows), consents or {}, list(unused), []
    )
    told = build_customer_update(seen, recommender.catalogue, unasked=YES, forgotten=forgotten)
    user = NOBODY if forgotten else recommender.model.customers.ids.find(customer_id)
    request = recommender.at_home(user, SlateRequest(**{"as_of": NEWEST, **asked}))
    return CustomerView(customer_id, recommender, request, told, consents or {}, NEWEST, user)


def test_a_profile_tells_what_was_bought_and_looked_at_and_what_it_is_used_for(shop: Shop) -> None:
    told = profile(
        person(shop, REGULAR, row("view", "kite"), row("cart", "doll"), row("dismiss", "rake")), 10
    )
    assert told["known"] == {
        "events": 9,
        "products_bought": 1,
        "first_purchase": format_timestamp(moment(10.5)),
        "last_purchase": format_timestamp(moment(160.5)),
        "market": None,
        "products_not_used": [],
    }
    assert {one["id"]: one["text"] for one in told["products"]} == {
        MONTHLY: "You buy this about every 30 days",
        "kite": "You looked at this",
        "doll": "You looked at this",  # a day ago: no longer in the cart
        "rake": "You do not want to see this",
    }
    assert told["products"][0] == {
        "id": MONTHLY,
        "title": "Decaf",
        "purchases": 6,
        "text": "You buy this about every 30 days",
    }
    assert len(told["used_for"]) == 3
    assert all(one["holds"] for one in told["consent"].values())


def test_what_is_in_the_cart_now_is_said_to_be_there(shop: Shop) -> None:
    told = profile(person(shop, REGULAR, row("cart", "doll", DAYS + 19.5)), 10)
    assert "This is in your cart" in [one["text"] for one in told["products"]]


def test_a_profile_shows_the_slate_of_now_and_why_it_is_what_it_is(shop: Shop) -> None:
    known = person(shop, "c00", row("view", "kite"))
    told = profile(known, 5)["slate"]
    slate = known.recommender.recommend("c00", known.request, known.since)
    ids = known.recommender.catalogue.ids
    assert [one["id"] for one in told["recommendations"]] == [
        ids[slot.item] for slot in slate.slots
    ]
    assert [one["why"] for one in told["recommendations"]] == [
        slot.reason.text for slot in slate.slots
    ]
    assert told["strategy"] == "personal"
    assert len(profile(known, 5)["products"]) == 5


@pytest.mark.parametrize("forgotten", [False, True], ids=["a stranger", "forgotten"])
def test_of_a_stranger_nothing_is_known_and_so_nothing_is_used(shop: Shop, forgotten: bool) -> None:
    told = profile(person(shop, "c00" if forgotten else "nobody", forgotten=forgotten), 10)
    assert told["known"] == {
        "events": 0,
        "products_bought": 0,
        "first_purchase": None,
        "last_purchase": None,
        "market": None,
        "products_not_used": [],
    }
    assert (told["products"], told["used_for"]) == ([], [])
    assert told["slate"]["fallback_reason"] == "unknown_customer"
    assert [one["holds"] for one in told["consent"].values()] == [not forgotten] * 3


def test_a_struck_out_product_is_named_as_such_and_nowhere_else(shop: Shop) -> None:
    told = profile(person(shop, REGULAR, row("view", "kite"), unused=(MONTHLY,)), 10)
    assert told["known"]["products_not_used"] == [MONTHLY]
    assert [one["id"] for one in told["products"]] == ["kite"]
    assert MONTHLY not in [
        product for one in told["slate"]["recommendations"] for product in one["because_of"]
    ]


def test_who_said_no_reads_what_is_known_and_that_it_is_not_used_there(shop: Shop) -> None:
    told = profile(person(shop, "c00", consents={PERSONALIZE_WEB: (NO, moment(1))}), 3)
    assert told["consent"]["personalize_web"] == {
        "given": False,
        "time": format_timestamp(moment(1)),
        "holds": False,
    }
    assert told["consent"]["train"] == {"given": None, "time": None, "holds": True}
    assert "To choose the products that the shop's pages show you" not in told["used_for"]
    assert len(told["used_for"]) == 2
    assert len(told["products"]) == 3
    assert told["slate"]["strategy"] == "not_personalized"


def test_consent_is_told_by_purpose() -> None:
    assert consent_told({TRAIN: (YES, 0), PERSONALIZE_EMAIL: (NO, 86_400)}) == {
        "train": {"given": True, "time": "1970-01-01T00:00:00Z"},
        "personalize_web": {"given": None, "time": None},
        "personalize_email": {"given": False, "time": "1970-01-02T00:00:00Z"},
    }


def due_ids(told: dict[str, Any]) -> list[str]:
    return [one["id"] for one in told["recommendations"]]


def test_what_is_due_is_told_with_the_interval_and_a_card(shop: Shop) -> None:
    told = due_told(person(shop, REGULAR), 10, 0, "de_DE")
    (one,) = told["recommendations"]
    assert (told["customer_id"], told["count"], told["data_as_of"]) == (
        REGULAR,
        1,
        format_timestamp(NEWEST),
    )
    assert (one["id"], one["purchases"], one["last_purchase"]) == (
        MONTHLY,
        6,
        format_timestamp(moment(160.5)),
    )
    assert one["interval_days"] == pytest.approx(30, abs=5)
    assert one["reason"] == "You buy this about every 30 days"
    assert one["price_text"] == "19,29\xa0€"


def test_a_purchase_starts_the_clock_anew(shop: Shop) -> None:
    assert (
        due_ids(
            due_told(person(shop, REGULAR, row("purchase", MONTHLY, order_id="7")), 10, 0, "en_US")
        )
        == []
    )
    later = moment(DAYS + 19 + 45)
    again = due_told(
        person(shop, REGULAR, row("purchase", MONTHLY, order_id="7"), as_of=later), 10, 0, "en_US"
    )
    assert due_ids(again) == [MONTHLY]
    assert (again["recommendations"][0]["purchases"], again["data_as_of"]) == (
        7,
        format_timestamp(NEWEST),
    )


@pytest.mark.parametrize("kind", ["dismiss", "return"])
def test_what_was_dismissed_or_sent_back_is_not_due(shop: Shop, kind: str) -> None:
    rows = [row(kind, MONTHLY)] * (6 if kind == "return" else 1)
    assert due_ids(due_told(person(shop, REGULAR, *rows), 10, 30, "en_US")) == []


def test_what_is_in_the_cart_is_not_due(shop: Shop) -> None:
    assert (
        due_ids(due_told(person(shop, REGULAR, row("cart", MONTHLY, DAYS + 19.9)), 10, 30, "en_US"))
        == []
    )


@pytest.mark.parametrize(
    ("said", "purpose", "expected"),
    [
        ({PERSONALIZE_WEB: (NO, 1)}, PERSONALIZE_WEB, []),
        ({PERSONALIZE_WEB: (NO, 1)}, PERSONALIZE_EMAIL, [MONTHLY]),
        ({PERSONALIZE_EMAIL: (NO, 1)}, PERSONALIZE_EMAIL, []),
        ({PERSONALIZE_EMAIL: (NO, 1)}, PERSONALIZE_WEB, [MONTHLY]),
        ({TRAIN: (NO, 1)}, PERSONALIZE_WEB, [MONTHLY]),
    ],
)
def test_nothing_is_due_for_who_said_no_to_it(
    shop: Shop, said: dict[int, tuple[int, int]], purpose: int, expected: list[str]
) -> None:
    assert (
        due_ids(due_told(person(shop, REGULAR, consents=said, purpose=purpose), 10, 0, "en_US"))
        == expected
    )


def test_what_the_model_learned_of_a_person_is_told_event_by_event(shop: Shop) -> None:
    told = learned_told(person(shop, REGULAR))
    assert [
        (one["product_id"], one["time"], one["kind"], one["weight"]) for one in told["events"]
    ] == [
        (MONTHLY, format_timestamp(moment(10.5 + 30 * month)), "purchase", 1.0)
        for month in range(6)
    ]
    assert told["consent"] == {"train": None, "personalize_web": None, "personalize_email": None}
    assert learned_told(person(shop, NO_WEB))["consent"]["personalize_web"] is False
    version = shop.model.version
    assert learned_told(person(shop, "nobody")) == {"model_version": version, "events": []}
    assert learned_told(person(shop, REGULAR, forgotten=True)) == {
        "model_version": version,
        "events": [],
    }


def test_versions_that_know_a_customer_are_found_and_a_damaged_one_is_passed_over(
    own_shop: Shop,
) -> None:
    registry = Registry(own_shop.root)
    later = another_version(own_shop.root)
    assert [one.version for one in versions_with(registry, REGULAR)] == [
        later,
        own_shop.model.version,
    ]
    assert versions_with(registry, "nobody") == []
    (registry.path(later) / "manifest.json").write_text("{")
    assert [one.version for one in versions_with(registry, REGULAR)] == [own_shop.model.version]


def test_a_receipt_says_what_went_and_when_the_last_version_goes(shop: Shop) -> None:
    manifest = shop.model.recommender.manifest
    old, new = replace(manifest, created=moment(0)), replace(manifest, created=moment(20))
    told = receipt({"events": 3}, [new, old], moment(31), 300)
    assert told["deleted"] == {"events": 3}
    assert told["forgotten"] == format_timestamp(moment(31))
    # The older one is served still: it goes with the next training.
    assert [one["pruned_by"] for one in told["versions_with_history"]] == [
        format_timestamp(moment(50)),
        format_timestamp(moment(31)),
    ]
    assert told["last_pruned_by"] == format_timestamp(moment(50))
    assert receipt({}, [], moment(31), 300)["last_pruned_by"] is None

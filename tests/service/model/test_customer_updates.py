"""Whose events are whose, and what they say of a customer, on both databases."""

from collections.abc import Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.artifact.registry import Registry
from models.data.customers import NEVER_ASKED, NO, PERSONALIZE_EMAIL, PERSONALIZE_WEB, YES
from models.data.events import KINDS, order_code
from service.model.customer_updates import build_customer_update
from service.store import consents, erasure
from service.store.consents import Consent, ConsentRecords
from service.store.events import Event, EventLine, EventRow, Written, read_ratings, write
from service.store.store import CustomerRecords, CustomerWords, Store
from service.store.writer import Change, Position
from tests.support.service_shop import Browse, Shop
from tests.support.shop import Line as Bought
from tests.support.shop import Product, catalogue_of
from tests.support.training_shop import small_purchases, trained

pytestmark = pytest.mark.slow

CATALOGUE = catalogue_of([Product("bread"), Product("butter"), Product("milk")])
NUMBERS = count()


def happened(kind: str, *products: str, **more: Any) -> Event:
    lines = tuple(EventLine(product) for product in products)
    return Event(f"e{next(NUMBERS)}", KINDS.index(kind), more.pop("time", 1000), lines, **more)


def tell(store: Store, *events: Event) -> Written:
    return store.write(lambda change: write(change, events)).result(10)


def forget(store: Store, customer_id: str) -> Mapping[str, int]:
    def work(change: Change) -> Mapping[str, int]:
        return erasure.erase(change, customer_id, 2000).counts

    return store.write(work).result(10)


def products(
    store: Store, customer_id: str | None = None, session_id: str | None = None, above: int = 0
) -> list[str]:
    return [row.product_id for row in store.read_records(customer_id, session_id, above).rows]


def ratings(store: Store) -> list[tuple[int, float, str | None]]:
    read = store.read(partial(read_ratings, product_id="bread"))
    return [(rating.time, rating.stars, rating.words) for rating in read]


def test_what_was_done_in_a_session_becomes_the_customers_at_login(store: Store) -> None:
    tell(store, happened("view", "bread", session_id="s"))
    assert products(store, "ann") == []
    tell(store, happened("view", "butter", session_id="s", customer_id="ann"))
    assert products(store, "ann") == ["bread", "butter"]


def test_what_is_done_in_the_session_afterwards_without_an_id_is_theirs_too(store: Store) -> None:
    tell(store, happened("view", "bread", session_id="s", customer_id="ann"))
    tell(store, happened("view", "milk", session_id="s"))
    assert products(store, "ann") == ["bread", "milk"]


def test_a_session_belongs_to_the_first_who_logged_in_alone(store: Store) -> None:
    tell(
        store,
        happened("view", "bread", session_id="s"),
        happened("view", "butter", session_id="s", customer_id="ann"),
        happened("view", "milk", session_id="s", customer_id="bob"),
    )
    tell(
        store,
        happened("cart", "milk", session_id="s", customer_id="bob"),
        happened("cart", "bread", session_id="s"),
    )
    assert sorted(products(store, "ann")) == ["bread", "bread", "butter"]
    assert products(store, "bob") == ["milk", "milk"]


def test_after_a_login_the_session_is_told_once_and_to_its_customer_alone(store: Store) -> None:
    tell(store, happened("view", "bread", session_id="s"))
    assert products(store, session_id="s") == ["bread"]
    assert products(store, "bob", "s") == ["bread"]  # nobody has logged in yet
    tell(store, happened("view", "butter", session_id="s", customer_id="ann"))
    assert products(store, "ann", "s") == ["bread", "butter"]
    assert products(store, "bob", "s") == products(store, session_id="s") == []


def test_a_login_after_training_brings_what_was_done_before_it(store: Store) -> None:
    tell(
        store,
        happened("view", "bread", session_id="s"),
        happened("view", "milk", customer_id="ann"),
    )
    learned = store.read_records("ann", None, 0).position.number
    assert products(store, "ann", above=learned) == []
    tell(store, happened("view", "butter", session_id="s", customer_id="ann"))
    assert products(store, "ann", above=learned) == ["bread", "butter"]
    assert products(store, "ann", above=store.read_records("ann", None, 0).position.number) == []


def test_what_was_only_shown_says_nothing_of_a_customer(store: Store) -> None:
    tell(
        store,
        happened("exposure", "bread", "milk", customer_id="ann"),
        happened("click", "milk", customer_id="ann"),
    )
    assert products(store, "ann") == ["milk"]


def test_who_rates_a_product_before_and_after_the_login_has_one_opinion_the_newest(
    store: Store,
) -> None:
    tell(
        store,
        happened("rating", "bread", session_id="s", rating=5.0, words="Good"),
        happened("rating", "bread", session_id="s", rating=1.0, time=2000, words="Stale"),
        happened("rating", "bread", session_id="t", rating=4.0, time=3000),
        happened("rating", "bread", customer_id="bob", session_id="s2", rating=3.0, time=4000),
    )
    assert ratings(store) == [(4000, 3, None), (3000, 4, None), (2000, 1, "Stale")]
    tell(
        store, happened("rating", "bread", session_id="t", customer_id="ann", rating=2.0, time=5000)
    )
    assert ratings(store) == [(5000, 2, None), (4000, 3, None), (2000, 1, "Stale")]
    tell(store, happened("view", "milk", session_id="s", customer_id="ann"))
    assert ratings(store) == [(5000, 2, None), (4000, 3, None)]


def test_an_order_is_found_by_its_id_with_each_product_once(store: Store) -> None:
    tell(
        store,
        happened("purchase", "bread", "milk", customer_id="ann", order_id="1/a"),
        happened("purchase", "bread", customer_id="ann", order_id="1/a"),
        happened("return", "butter", customer_id="ann", order_id="1/a"),
    )
    assert sorted(store.read_records(None, None, 0, "1/a").order) == ["bread", "milk"]
    assert store.read_records(None, None, 0, "1").order == []


def test_who_is_forgotten_takes_their_sessions_along_and_nothing_of_another_customer(
    store: Store,
) -> None:
    tell(
        store,
        happened("view", "bread", session_id="s"),
        happened("view", "butter", session_id="s", customer_id="ann"),
        happened("view", "milk", session_id="s", customer_id="bob"),
        happened("view", "milk", session_id="t"),
    )
    assert forget(store, "ann") == {
        "events": 2,
        "sessions": 1,
        "consents": 0,
        "struck_out": 0,
        "used_again": 0,
        "preferences": 0,
        "audited": 0,
        "exposures": 0,
        "mails": 0,
        "offers": 0,
    }
    assert products(store, "ann") == products(store, session_id="s") == []
    assert products(store, "bob") == products(store, session_id="t") == ["milk"]


def test_of_who_was_forgotten_nothing_more_is_taken_and_of_others_in_the_call_all(
    store: Store,
) -> None:
    forget(store, "ann")
    given = (
        happened("view", "bread", customer_id="ann"),
        happened("view", "bread", customer_id="bob"),
    )
    assert tell(store, *given).of_erased == {0}
    assert (products(store, "ann"), products(store, "bob")) == ([], ["bread"])
    assert forget(store, "ann") == {
        "events": 0,
        "sessions": 0,
        "consents": 0,
        "struck_out": 0,
        "used_again": 0,
        "preferences": 0,
        "audited": 0,
        "exposures": 0,
        "mails": 0,
        "offers": 0,
    }


def test_a_later_answer_wins_whatever_the_order_of_arrival(store: Store) -> None:
    def give(values: dict[int, int], time: int) -> dict[int, tuple[int, int]]:
        return store.write(lambda change: consents.give(change, "ann", values, time)).result(10)

    give({PERSONALIZE_WEB: NO, PERSONALIZE_EMAIL: YES}, 50)
    assert give({PERSONALIZE_WEB: YES}, 40) == {
        PERSONALIZE_WEB: (NO, 50),
        PERSONALIZE_EMAIL: (YES, 50),
    }
    assert give({PERSONALIZE_WEB: YES}, 50)[PERSONALIZE_WEB] == (
        YES,
        50,
    )  # the second word of the same second
    assert (
        give({PERSONALIZE_WEB: NO}, 60) == store.read_records("ann", None, 0).words.consents.answers
    )
    assert give({}, 70) == {PERSONALIZE_WEB: (NO, 60), PERSONALIZE_EMAIL: (YES, 50)}


def test_a_no_that_is_given_now_replaces_a_yes_of_a_clock_that_was_ahead(store: Store) -> None:
    def give(value: int, time: int) -> dict[int, Consent]:
        values = {PERSONALIZE_WEB: value}
        return store.write(lambda change: consents.give(change, "ann", values, time)).result(10)

    give(YES, 9000)
    assert give(NO, 50) == {PERSONALIZE_WEB: (NO, 9000)}
    assert give(YES, 8000) == {PERSONALIZE_WEB: (NO, 9000)}  # which clock was ahead is not known
    assert give(YES, 9001) == {PERSONALIZE_WEB: (YES, 9001)}


def test_a_no_after_the_training_is_later_than_a_yes_that_was_learned_with_a_clock_ahead(
    store: Store,
) -> None:
    values = {PERSONALIZE_WEB: NO}
    store.write(lambda change: consents.give(change, "ann", values, 50)).result(10)

    def consent(learned: int) -> tuple[int, int]:
        records = store.read_records("ann", None, learned)
        update = build_customer_update(records, CATALOGUE, unasked=YES, forgotten=False)
        return update.consent[PERSONALIZE_WEB]

    assert consent(learned=0)[1] > 4_000_000_000
    assert consent(learned=1) == (NO, 50)  # the training has compared the two


def row(kind: str, product_id: str = "bread", **more: Any) -> EventRow:
    values = {"order_id": None, "quantity": None, "rating": None, "time": 1000, **more}
    return EventRow(product_id, KINDS.index(kind), **values)


def visitor(*rows: EventRow, **more: Any) -> CustomerRecords:
    return CustomerRecords(
        Position(1, 1000, 0, 0, 0, 0),
        1,
        list(rows),
        **{"words": CustomerWords(), "unused": [], "order": [], **more},
    )


def test_products_that_the_catalogue_does_not_know_are_left_out() -> None:
    rows = (
        row("view", "nonsense"),
        row("purchase", "milk", order_id="7", quantity=4.0),
        row("return", "milk", quantity=1.0),
    )
    records = visitor(*rows, row("rating", "bread", rating=5.0), unused=["butter", "nonsense"])
    update = build_customer_update(records, CATALOGUE, unasked=NO, forgotten=True)
    assert update.events.item.tolist() == [2, 2, 0]
    assert update.events.weight.tolist() == [1, -0.25, 1]
    assert update.events.order.tolist() == [order_code("7"), 0, 0]
    assert update.unused.tolist() == [1]
    assert (update.unasked, update.forgotten) == (NO, True)


def test_of_what_was_not_said_nothing_is_known() -> None:
    update = build_customer_update(
        visitor(words=CustomerWords(ConsentRecords({PERSONALIZE_WEB: Consent(NO, 77)}))),
        CATALOGUE,
        unasked=YES,
        forgotten=False,
    )
    assert update.consent == ((NEVER_ASKED, 0), (NO, 77), (NEVER_ASKED, 0), (NEVER_ASKED, 0))
    assert len(update.events) == 0


# In front of the service


def report(client: TestClient, kind: str, product_id: str, hour: int = 10, **more: Any) -> None:
    about = {"product_id": product_id}
    if kind in ("purchase", "return"):
        order_id = more.pop("order_id", f"o{next(NUMBERS)}")
        about = {"order_id": order_id, "lines": [about]}  # type: ignore[dict-item]
    if "session_id" not in more:
        about["customer_id"] = "c00"
    event = {
        "event_id": f"e{next(NUMBERS)}",
        "kind": kind,
        "time": f"2025-06-29T{hour}:00:00Z",
        **about,
        **more,
    }
    assert client.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1


def shown(client: TestClient, **options: Any) -> list[str]:
    """Asked twice, so that the answer to the next one would come from the cache."""
    body = {"n": 40, "customer_id": "c00", **options}
    first, second = (client.post("/v1/recommendations", json=body) for _ in range(2))
    assert first.content == second.content
    return [product["id"] for product in first.json()["recommendations"]]


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def test_what_was_just_bought_is_out_of_the_next_slate_and_comes_back_when_it_is_time(
    client: TestClient,
) -> None:
    assert "bagel" in shown(client)
    report(client, "purchase", "bagel")
    assert "bagel" not in shown(client)
    assert "bagel" in shown(client, as_of="2025-07-15")


@pytest.mark.parametrize("kind", ["dismiss", "rating"])
def test_what_the_customer_does_not_want_stays_away_until_it_is_bought_again(
    client: TestClient, kind: str
) -> None:
    report(client, kind, "bagel", **({"rating": 1} if kind == "rating" else {}))
    assert "bagel" not in shown(client, as_of="2025-07-15", repeat="include")
    report(client, "purchase", "bagel", 11)
    assert "bagel" in shown(client, as_of="2025-07-15", repeat="include")


def test_a_later_high_rating_brings_a_product_back(client: TestClient) -> None:
    report(client, "rating", "bagel", rating="down", words="Stale")
    assert "bagel" not in shown(client)
    report(client, "rating", "bagel", 11, rating="up")
    assert "bagel" in shown(client)


def test_what_is_sent_back_was_not_bought(client: TestClient) -> None:
    assert "kite" in shown(client)
    report(client, "purchase", "kite", order_id="k")
    report(client, "return", "kite", 11, order_id="k")
    assert "kite" not in shown(client, as_of="2026-06-01", repeat="include")
    report(client, "return", "butter", 12)
    assert "butter" in shown(client)  # bought three times, sent back once


def test_what_is_in_the_cart_is_not_recommended_until_it_is_taken_out(client: TestClient) -> None:
    report(client, "cart", "bread")
    assert "bread" not in shown(client)
    report(client, "remove_from_cart", "bread", 11)
    assert "bread" in shown(client)


def test_a_view_moves_the_slate_of_a_session(client: TestClient) -> None:
    options = {"customer_id": None, "session_id": "s", "n": 5}
    slates = [shown(client, **options)]
    for product_id in ("kite", "compost"):
        report(client, "view", product_id, session_id="s")
        slates.append(shown(client, **options))
    assert len({tuple(slate) for slate in slates}) == 3


def test_a_purchase_by_file_and_by_event_counts_once_and_two_events_of_it_too(
    browse: Browse, tmp_path: Path
) -> None:
    lines = [Bought("c00", "bread", day, f"{day}") for day in (170, 180)]
    other_lines = [Bought(name, "bread", day, f"{name}{day}") for name in "abc" for day in range(5)]
    recommender = trained(
        small_purchases([*lines, *other_lines], [Product("bread"), Product("milk")])
    )
    Registry(tmp_path / "registry").publish(recommender.model, recommender.manifest)
    client = browse(tmp_path / "registry")

    def purchases() -> dict[str, int]:
        products = client.get("/v1/customers/c00/profile").json()["products"]
        return {product["id"]: product["purchases"] for product in products}

    assert purchases() == {"bread": 2}
    report(client, "purchase", "bread", order_id="180")
    assert purchases() == {"bread": 2}
    report(client, "purchase", "milk", order_id="180")
    report(client, "purchase", "milk", 11, order_id="180")
    assert purchases() == {"bread": 2, "milk": 1}
    report(client, "purchase", "bread", order_id="another")
    assert purchases() == {"bread": 3, "milk": 1}

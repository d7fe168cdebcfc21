"""What a customer says holds in the very next answer: no, do not use this, forget me."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

import pytest
from starlette.testclient import TestClient

from models.data.customers import PURPOSES
from tests.support.expected_answers import another_version
from tests.support.service_shop import Browse, Shop, wait_until
from tests.support.shop import MONTHLY, NO_WEB, REGULAR
from tests.support.store_server import KINDS, new_store

pytestmark = pytest.mark.slow

WHEN = "2025-06-29T10:00:00Z"
BOUGHT = {"kind": "purchase", "time": WHEN, "lines": [{"product_id": "kite"}]}


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root)


def slate(client: TestClient, customer_id: str = "c00", **options: Any) -> dict[str, Any]:
    """Asked twice, so that the answer to the next one would come from the cache."""
    path = f"/v1/customers/{customer_id}/recommendations"
    first, second = (
        client.get(path, params={"n": 40, "fields": "ids", **options}) for _ in range(2)
    )
    assert first.content == second.content
    answer: dict[str, Any] = first.json()
    return answer


def slate_now(client: TestClient, customer_id: str) -> dict[str, Any]:
    asked = {"n": 40, "fields": "ids"}
    response = client.get(f"/v1/customers/{customer_id}/recommendations", params=asked)
    answer: dict[str, Any] = response.json()
    return answer


def ids(answer: dict[str, Any]) -> list[str]:
    return [product["id"] for product in answer["recommendations"]]


def report(client: TestClient, *events: dict[str, Any]) -> dict[str, Any]:
    numbered = [{"event_id": f"e{number}", **event} for number, event in enumerate(events)]
    response = client.post("/v1/events", json={"events": numbered})
    assert response.status_code == 202
    answer: dict[str, Any] = response.json()
    return answer


def say(client: TestClient, customer_id: str = "c00", **answers: Any) -> dict[str, Any]:
    response = client.put(f"/v1/customers/{customer_id}/consent", json=answers)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()["consent"]
    return answer


def get(client: TestClient, customer_id: str, what: str, **options: Any) -> dict[str, Any]:
    response = client.get(f"/v1/customers/{customer_id}/{what}", params=options)
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    answer: dict[str, Any] = response.json()
    return answer


# Consent


def test_consent_withdrawn_shows_in_the_next_answer_of_its_purpose_and_no_other(
    client: TestClient,
) -> None:
    before = {
        placement: slate(client, placement=placement) for placement in ("home", "email-weekly")
    }
    assert {answer["strategy"] for answer in before.values()} == {"personal"}
    say(client, personalize_web=False)
    assert (slate(client)["strategy"], slate(client)["fallback_reason"]) == (
        "not_personalized",
        "no_consent",
    )
    assert slate(client, placement="email-weekly") == before["email-weekly"]
    say(client, personalize_web=True, personalize_email=False)
    assert slate(client, placement="home") == before["home"]
    assert slate(client, placement="email-weekly")["strategy"] == "not_personalized"


def test_who_says_no_to_being_measured_is_recommended_to_as_before(client: TestClient) -> None:
    before = slate(client)
    profile = get(client, "c00", "profile")
    assert profile["consent"]["measure"] == {"given": None, "time": None, "holds": True}
    say(client, measure=False)
    told = get(client, "c00", "profile")
    assert (told["consent"]["measure"]["given"], told["consent"]["measure"]["holds"]) == (
        False,
        False,
    )
    measured = set(profile["used_for"]) - set(told["used_for"])
    assert measured == {"To measure what its recommendations bring the shop"}
    assert slate(client) == before


def test_the_later_answer_wins_whatever_the_order_of_arrival(client: TestClient) -> None:
    say(client, personalize_web=False, time="2025-06-02T00:00:00Z")
    consent = say(client, personalize_web=True, train=True, time="2025-06-01T00:00:00+00:00")
    assert consent["personalize_web"] == {"given": False, "time": "2025-06-02T00:00:00Z"}
    assert consent["train"] == {"given": True, "time": "2025-06-01T00:00:00Z"}
    assert slate(client)["strategy"] == "not_personalized"
    say(client, personalize_web=True, time="2025-06-02T02:00:01+02:00")
    assert slate(client)["strategy"] == "personal"


def test_a_no_counts_at_once_also_after_a_yes_that_a_clock_ahead_dated(client: TestClient) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    assert (
        say(client, personalize_web=True, personalize_email=False, time=ahead)["personalize_web"][
            "given"
        ]
        is True
    )
    consent = say(client, personalize_web=False)
    assert (consent["personalize_web"]["given"], consent["personalize_email"]["given"]) == (
        False,
        False,
    )
    assert slate(client)["strategy"] == "not_personalized"
    assert say(client, personalize_email=True)["personalize_email"]["given"] is True


def test_what_was_said_here_is_later_than_what_a_file_without_dates_said(
    client: TestClient,
) -> None:
    assert slate(client, NO_WEB)["strategy"] == "not_personalized"
    say(client, NO_WEB, personalize_web=True)
    assert slate(client, NO_WEB)["strategy"] == "personal"


def test_saying_nothing_changes_nothing_and_tells_what_holds(client: TestClient) -> None:
    consent = say(client, personalize_email=False)
    before = slate(client)
    assert say(client) == say(client, time=WHEN) == consent
    assert slate(client) == before


def test_where_the_unasked_are_refused_nobody_is_personalized_before_a_yes(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root, unasked="refuse")
    report(client, {**BOUGHT, "customer_id": "newcomer", "order_id": "1"})
    for customer in ("c00", "newcomer", "stranger"):
        assert slate(client, customer)["strategy"] == "not_personalized"
        assert get(client, customer, "replenishment", ahead_days=365)["recommendations"] == []
    say(client, "newcomer", personalize_web=True)
    assert slate(client, "newcomer")["strategy"] == "personal"
    assert get(client, "newcomer", "profile")["consent"]["train"] == {
        "given": None,
        "time": None,
        "holds": False,
    }


VISITS: Final[tuple[dict[str, Any], ...]] = (
    {"session_id": "s"},
    {"recent": ["kite"]},
    {"basket": ["bread"]},
)


@pytest.mark.parametrize(
    ("chosen", "personalized"),
    [
        ({}, True),
        ({"unasked": "allow"}, True),
        ({"unasked": "refuse"}, False),
        ({"unasked": "allow", "visits": "refuse"}, False),
        ({"unasked": "refuse", "visits": "allow"}, True),
    ],
)
def test_a_visit_of_nobody_known_is_personalized_where_the_shop_lets_visits_be(
    browse: Browse, own_shop: Shop, chosen: dict[str, str], personalized: bool
) -> None:
    client = browse(own_shop.root, **chosen)
    report(client, {"kind": "view", "time": WHEN, "product_id": "kite", "session_id": "s"})
    expected = ("session", None) if personalized else ("not_personalized", "no_consent")
    for visit in VISITS:
        response = client.post("/v1/recommendations", json={**visit, "n": 40, "fields": "ids"})
        told = response.json()
        assert (told["strategy"], told["fallback_reason"]) == expected
        sources = {product["source"] for product in told["recommendations"]}
        assert (sources <= {"popular", "fill"}) is not personalized


def test_a_customers_own_yes_counts_in_a_visit_too(browse: Browse, own_shop: Shop) -> None:
    client = browse(own_shop.root, unasked="refuse")
    say(client, "c00", personalize_web=True)
    visit = {"customer_id": "c00", "recent": ["kite"]}
    assert client.post("/v1/recommendations", json=visit).json()["strategy"] == "personal"
    say(client, "c00", personalize_web=False)
    assert client.post("/v1/recommendations", json=visit).json()["strategy"] == "not_personalized"


# Do not use this


def test_a_struck_out_product_says_nothing_from_the_next_answer_on(client: TestClient) -> None:
    assert MONTHLY in ids(slate(client, REGULAR, n=1))
    response = client.put(f"/v1/customers/{REGULAR}/unused", json={"product_id": MONTHLY})
    assert response.json() == {"product_id": MONTHLY, "unused": True}
    assert slate(client, REGULAR)["fallback_reason"] == "no_history"
    profile = get(client, REGULAR, "profile")
    assert (
        profile["known"]["events"],
        profile["known"]["products_not_used"],
        profile["products"],
    ) == (
        0,
        [MONTHLY],
        [],
    )
    assert get(client, REGULAR, "replenishment", ahead_days=100)["count"] == 0
    assert MONTHLY in get(client, REGULAR, "export")["products_not_used"]
    assert slate(client, "c00")["strategy"] == "personal"


def test_a_product_that_is_used_again_speaks_in_the_next_answer(client: TestClient) -> None:
    before = slate(client, REGULAR)
    for _ in range(2):
        for unused in (True, True, False, False):
            body = {"product_id": MONTHLY, "unused": unused}
            response = client.put(f"/v1/customers/{REGULAR}/unused", json=body)
            assert (response.status_code, response.json()) == (200, body)
            assert (slate(client, REGULAR) == before) is not unused
            not_used = [MONTHLY] if unused else []
            assert get(client, REGULAR, "profile")["known"]["products_not_used"] == not_used
            assert get(client, REGULAR, "export")["products_not_used"] == not_used


@pytest.mark.parametrize("kind", KINDS)
def test_a_product_that_another_host_uses_again_speaks_here_within_a_moment(
    browse: Browse, own_shop: Shop, kind: str, tmp_path: Path
) -> None:
    url = new_store(kind, tmp_path)
    here, there = (
        browse(own_shop.root, database_url=url, runtime_dir=tmp_path / host, follow_seconds=0.02)
        for host in ("here", "there")
    )
    before = slate(here, REGULAR)
    for unused in (True, False, True):
        body = {"product_id": MONTHLY, "unused": unused}
        assert there.put(f"/v1/customers/{REGULAR}/unused", json=body).status_code == 200
        wait_until(lambda: (slate_now(here, REGULAR) == before) is not unused)  # noqa: B023


# What is due


def test_what_is_due_is_asked_for_ahead_and_in_its_language(client: TestClient) -> None:
    assert get(client, REGULAR, "replenishment")["count"] == 0
    (product,) = get(client, REGULAR, "replenishment", ahead_days=20, locale="de_DE")[
        "recommendations"
    ]
    assert (product["id"], product["price_text"]) == (MONTHLY, "19,29\xa0€")
    assert get(client, REGULAR, "replenishment", as_of="2025-08-01")["count"] == 1


def test_nothing_that_is_sold_out_is_due(client: TestClient) -> None:
    client.patch(f"/v1/products/{MONTHLY}", json={"in_stock": False})
    assert get(client, REGULAR, "replenishment", ahead_days=20)["count"] == 0


def test_what_is_due_in_a_mail_needs_the_consent_for_mails(client: TestClient) -> None:
    say(client, REGULAR, personalize_email=False)
    assert get(client, REGULAR, "replenishment", ahead_days=20, placement="home")["count"] == 1
    assert get(client, REGULAR, "replenishment", ahead_days=20, placement="email")["count"] == 0


def test_a_purchase_starts_the_clock_of_a_product_anew(client: TestClient) -> None:
    lines = [{"product_id": MONTHLY}]
    report(
        client,
        {"kind": "purchase", "time": WHEN, "customer_id": REGULAR, "order_id": "1", "lines": lines},
    )
    assert get(client, REGULAR, "replenishment", ahead_days=20)["count"] == 0
    (product,) = get(client, REGULAR, "replenishment", ahead_days=40)["recommendations"]
    assert (product["purchases"], product["last_purchase"]) == (7, WHEN)


# What goes with an order


def test_what_follows_an_order_is_nothing_of_it_and_goes_with_it(client: TestClient) -> None:
    lines = [{"product_id": "bread"}, {"product_id": "ball"}]
    report(
        client,
        {"kind": "purchase", "time": WHEN, "customer_id": "c00", "order_id": "A/1", "lines": lines},
    )
    follow_up = client.get("/v1/orders/A%2F1/follow-up", params={"n": 5}).json()
    assert follow_up["recommendations"][0]["id"] == "butter"
    assert follow_up["recommendations"][0]["reason"]["product_ids"] == ["bread"]
    assert {"bread", "ball"}.isdisjoint(ids(follow_up))
    assert client.patch("/v1/products/butter", json={"in_stock": False}).status_code == 200
    assert "butter" not in ids(client.get("/v1/orders/A%2F1/follow-up", params={"n": 5}).json())


def follow_up(client: TestClient, order_id: str, **options: Any) -> tuple[str, str | None, int]:
    response = client.get(f"/v1/orders/{order_id}/follow-up", params=options)
    assert response.status_code == 200
    answer = response.json()
    return answer["strategy"], answer["fallback_reason"], answer["count"]


REFUSED: Final = ("not_personalized", "no_consent", 0)


def test_nothing_follows_from_the_order_of_who_refused(client: TestClient) -> None:
    bread = [{"product_id": "bread"}]
    report(
        client,
        {**BOUGHT, "customer_id": "c00", "order_id": "own", "lines": bread},
        {**BOUGHT, "session_id": "s", "order_id": "before-login", "lines": bread},
        {**BOUGHT, "customer_id": NO_WEB, "order_id": "refused", "lines": bread},
        {**BOUGHT, "order_id": "guest", "lines": bread},
    )
    assert follow_up(client, "refused") == REFUSED
    for order_id in ("own", "before-login", "guest"):
        assert follow_up(client, order_id)[:2] == ("bundles", None)
    # Whose the visit was is known from here on.
    event = {"kind": "view", "time": WHEN, "product_id": "kite", "session_id": "s"}
    login = {"events": [{**event, "event_id": "login", "customer_id": "c00"}]}
    assert client.post("/v1/events", json=login).status_code == 202
    for web in (False, True):
        say(client, "c00", personalize_web=web)
        for order_id in ("own", "before-login"):
            assert (follow_up(client, order_id) == REFUSED) is not web
    say(client, "c00", personalize_email=False)
    assert follow_up(client, "own", placement="email") == REFUSED
    assert follow_up(client, "own", campaign="after-the-order") == REFUSED
    assert follow_up(client, "own", placement="home")[:2] == ("bundles", None)
    assert follow_up(client, "guest")[:2] == ("bundles", None)


def test_what_follows_an_order_keeps_to_what_holds_for_the_unasked_and_for_visits(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root, unasked="refuse", visits="allow")
    bread = [{"product_id": "bread"}]
    report(
        client,
        {**BOUGHT, "customer_id": "c00", "order_id": "unasked", "lines": bread},
        {**BOUGHT, "order_id": "guest", "lines": bread},
    )
    assert follow_up(client, "unasked") == REFUSED
    assert follow_up(client, "guest")[:2] == ("bundles", None)
    say(client, "c00", personalize_web=True)
    assert follow_up(client, "unasked")[:2] == ("bundles", None)
    refusing = browse(own_shop.root, unasked="allow", visits="refuse")
    assert follow_up(refusing, "unasked")[:2] == ("bundles", None)
    assert follow_up(refusing, "guest") == REFUSED


def test_an_order_that_nobody_reported_is_not_found_until_it_is(client: TestClient) -> None:
    for _ in range(2):
        assert client.get("/v1/orders/B/follow-up").status_code == 404
    report(
        client,
        {"kind": "purchase", "time": WHEN, "order_id": "B", "lines": [{"product_id": "nonsense"}]},
    )
    response = client.get("/v1/orders/B/follow-up")
    assert (response.status_code, response.json()["count"]) == (200, 0)


def test_the_order_of_who_was_forgotten_is_not_found_either(client: TestClient) -> None:
    report(client, {**BOUGHT, "customer_id": "c00", "order_id": "C"})
    assert client.get("/v1/orders/C/follow-up").status_code == 200
    client.delete("/v1/customers/c00")
    assert client.get("/v1/orders/C/follow-up").status_code == 404


# All that is known


def test_an_export_holds_everything_and_nothing_afterwards(
    client: TestClient, own_shop: Shop
) -> None:
    report(
        client,
        {"kind": "view", "time": WHEN, "product_id": "kite", "session_id": "s"},
        {**BOUGHT, "customer_id": REGULAR, "session_id": "s", "order_id": "1"},
        {
            "kind": "rating",
            "time": WHEN,
            "customer_id": REGULAR,
            "product_id": "kite",
            "rating": 5,
            "words": "Flies!",
        },
        {"kind": "exposure", "time": WHEN, "customer_id": REGULAR, "product_ids": ["ball", "doll"]},
        {"kind": "view", "time": WHEN, "customer_id": "c00", "product_id": "doll"},
    )
    say(client, REGULAR, personalize_email=False)
    client.put(f"/v1/customers/{REGULAR}/unused", json={"product_id": "doll"})
    export = get(client, REGULAR, "export")
    assert [(event["kind"], event["product_id"]) for event in export["events"]] == [
        ("view", "kite"),
        ("purchase", "kite"),
        ("rating", "kite"),
        ("exposure", "ball"),
        ("exposure", "doll"),
    ]
    assert (export["events"][2]["rating"], export["events"][2]["words"]) == (5.0, "Flies!")
    assert {event["reported_by"] for event in export["events"]} == {"shop"}
    assert (export["sessions"], export["products_not_used"]) == (["s"], ["doll"])
    assert export["consent"]["personalize_email"]["given"] is False
    assert len(export["learned"]["events"]) == 6
    client.delete(f"/v1/customers/{REGULAR}")
    silent = {"given": None, "time": None}
    assert get(client, REGULAR, "export") == {
        "customer_id": REGULAR,
        "consent": dict.fromkeys(PURPOSES, silent),
        "preferences": None,
        "products_not_used": [],
        "sessions": [],
        "events": [],
        "exposures": [],
        "mails": [],
        "offers": [],
        "audited": [],
        "learned": {"model_version": own_shop.model.version, "events": []},
        "computed": None,
    }


def test_a_profile_is_as_new_as_the_last_event(client: TestClient) -> None:
    report(client, {"kind": "view", "time": WHEN, "customer_id": REGULAR, "product_id": "kite"})
    profile = get(client, REGULAR, "profile")
    assert {product["id"] for product in profile["products"]} == {MONTHLY, "kite"}
    assert [product["id"] for product in profile["slate"]["recommendations"]] == ids(
        slate(client, REGULAR, n=10)
    )
    before = get(client, REGULAR, "profile", as_of="2025-01-20")
    assert (before["known"]["events"], len(before["products"])) == (1, 1)


# Forget me


def test_a_forgotten_customer_is_a_stranger_in_every_answer(client: TestClient) -> None:
    report(client, {**BOUGHT, "customer_id": "c00", "order_id": "1"})
    assert slate(client)["strategy"] == "personal"
    client.delete("/v1/customers/c00")
    stranger = slate(client, "someone")
    for options in ({}, {"placement": "email"}, {"repeat": "include"}):
        answer = slate(client, **options)
        assert (answer["strategy"], answer["fallback_reason"]) == ("popular", "unknown_customer")
    assert slate(client)["recommendations"] == stranger["recommendations"]
    visit = client.post(
        "/v1/recommendations", json={"customer_id": "c00", "recent": ["kite"]}
    ).json()
    assert visit["strategy"] == "session"
    assert get(client, "c00", "profile")["known"]["events"] == 0
    assert get(client, "c00", "replenishment", ahead_days=365)["count"] == 0


def test_a_receipt_names_what_was_deleted_and_the_versions_that_still_hold_history(
    client: TestClient, own_shop: Shop
) -> None:
    report(client, {**BOUGHT, "customer_id": "c00", "session_id": "s", "order_id": "1"})
    say(client, train=True, personalize_web=True)
    receipt = client.delete("/v1/customers/c00").json()
    assert receipt["deleted"] == {
        "events": 1,
        "sessions": 1,
        "consents": 2,
        "exposures": 0,
        "mails": 0,
        "offers": 0,
        "struck_out": 0,
        "used_again": 0,
        "preferences": 0,
        "audited": 1,
    }
    assert [version["version"] for version in receipt["versions_with_history"]] == [
        own_shop.model.version
    ]
    assert receipt["last_pruned_by"] >= receipt["forgotten"]
    second = client.delete("/v1/customers/c00").json()
    assert second["deleted"] == {
        "events": 0,
        "sessions": 0,
        "consents": 0,
        "exposures": 0,
        "mails": 0,
        "offers": 0,
        "struck_out": 0,
        "used_again": 0,
        "preferences": 0,
        "audited": 0,
    }
    nobody = client.delete("/v1/customers/nobody").json()
    assert (nobody["known"], nobody["versions_with_history"]) == (False, [])


def test_a_receipt_for_a_mistaken_id_says_that_nothing_was_known(client: TestClient) -> None:
    report(client, {**BOUGHT, "customer_id": "c00", "order_id": "1"})
    for mistaken in ("C00", "c00%2F", "c00%20", "c00/history"):
        receipt = client.delete(f"/v1/customers/{mistaken}").json()
        assert (receipt["customer_id"], receipt["known"]) == (unquote(mistaken), False)
        assert set(receipt["deleted"].values()) == {0}
        assert "Nothing was known under this id" in receipt["text"]
    receipt = client.delete("/v1/customers/c00").json()
    assert (receipt["known"], receipt["deleted"]["events"]) == (True, 1)


ODD_IDS: Final = (
    "ann/consent",
    "ann/profile",
    "ann/recommendations",
    "ann/recommendations.html",
    "/",
    "//consent",
    "ann/",
    "ann/consent\n",
    "%2F",
    "ann%2Fconsent",
    "a b?c#d&e",
    "önne/🍞",
    "..",
    "." * 499 + "/",
)


def test_every_customer_who_can_be_reported_can_be_erased(client: TestClient) -> None:
    for number, customer_id in enumerate(ODD_IDS):
        event = {**BOUGHT, "customer_id": customer_id, "order_id": "1", "event_id": f"odd {number}"}
        told = {"events": [event]}
        assert client.post("/v1/events", json=told).json()["accepted"] == 1
        path = f"/v1/customers/{quote(customer_id, safe='').replace('.', '%2E')}"
        assert client.get(f"{path}/export").json()["customer_id"] == customer_id
        receipt = client.delete(path).json()
        assert (receipt["customer_id"], receipt["deleted"]["events"]) == (customer_id, 1)
        assert client.post("/v1/events", json=told).json()["accepted"] == 0


def test_an_id_that_ends_like_an_address_is_not_taken_for_it(client: TestClient) -> None:
    """`ann%2Fconsent` is a customer, `ann/consent` the consent of one."""
    for method in ("PUT", "GET", "POST"):
        answer = client.request(method, "/v1/customers/ann%2Fconsent", json={"train": False})
        assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE")
    assert get(client, "ann", "export")["consent"]["train"]["given"] is None
    assert client.delete("/v1/customers/ann/consent").status_code == 405


def test_a_forgotten_customer_stays_one_whichever_model_is_activated(
    browse: Browse, own_shop: Shop
) -> None:
    client = browse(own_shop.root)
    first, later = own_shop.model.version, another_version(own_shop.root)
    receipt = client.delete("/v1/customers/c00").json()
    assert [version["version"] for version in receipt["versions_with_history"]] == [later, first]
    for version in (later, first):
        assert client.post(f"/v1/models/{version}/activate").status_code == 200
        response = slate(client)
        assert (response["model_version"], response["fallback_reason"]) == (
            version,
            "unknown_customer",
        )
    restarted = browse(own_shop.root)
    assert slate(restarted)["fallback_reason"] == "unknown_customer"


def test_nothing_more_is_taken_of_who_was_forgotten(client: TestClient) -> None:
    client.delete("/v1/customers/c00")
    report_answer = report(
        client,
        {"kind": "view", "time": WHEN, "customer_id": "c01", "product_id": "kite"},
        {"kind": "view", "time": WHEN, "customer_id": "c00", "product_id": "kite"},
    )
    assert (
        report_answer["accepted"],
        [rejected["index"] for rejected in report_answer["rejected"]],
    ) == (1, [1])
    assert report_answer["rejected"][0]["errors"][0]["field"] == "customer_id"
    for what, body in (
        ("consent", {"personalize_web": True}),
        ("consent", {}),
        ("unused", {"product_id": "kite"}),
        ("preferences", {"likes": [{"attribute": "brand", "values": ["Ashby"]}]}),
        ("preferences", {}),
    ):
        response = client.put(f"/v1/customers/c00/{what}", json=body)
        assert (response.status_code, response.json()["type"]) == (
            410,
            "urn:regulars:problem:forgotten",
        )
        assert "c00" not in response.text
    assert get(client, "c00", "export")["events"] == []


# Bad input


@pytest.mark.parametrize(
    ("method", "path", "body", "fields"),
    [
        ("PUT", "consent", {"train": "perhaps"}, ["train"]),
        ("PUT", "consent", {"personalise_web": True}, ["personalise_web"]),
        ("PUT", "consent", {"train": False, "time": "2025-01-01T00:00:00"}, ["time"]),
        ("PUT", "consent", {"train": False, "time": 7}, ["time"]),
        ("PUT", "consent", {"train": False, "time": "2999-01-01T00:00:00Z"}, ["time"]),
        ("PUT", "consent", {"train": False, "time": "9999-12-31T23:59:59-14:00"}, ["time"]),
        ("PUT", "consent", [], ["body"]),
        ("PUT", "unused", {}, ["product_id"]),
        ("PUT", "unused", {"product_id": ""}, ["product_id"]),
        ("PUT", "unused", {"product_id": "kite", "unused": "no"}, ["unused"]),
        ("PUT", "unused", {"product_id": "\ud800"}, ["product_id"]),
        ("GET", "profile?n=0", None, ["n"]),
        ("GET", "profile?as_of=soon", None, ["as_of"]),
        ("GET", "replenishment?ahead_days=-1", None, ["ahead_days"]),
        ("GET", "replenishment?ahead_days=nan", None, ["ahead_days"]),
        ("GET", "replenishment?locale=klingon", None, ["locale"]),
        ("GET", "replenishment?placement=HOME", None, ["placement"]),
        ("GET", "replenishment?m=1", None, ["m"]),
    ],
)
def test_bad_input_is_refused_by_the_name_of_its_field_and_nothing_is_written(
    client: TestClient, method: str, path: str, body: Any, fields: list[str]
) -> None:
    sent = (
        {}
        if body is None
        else {"content": json.dumps(body), "headers": {"content-type": "application/json"}}
    )
    response = client.request(method, f"/v1/customers/c00/{path}", **sent)
    assert (response.status_code, response.headers["content-type"]) == (
        422,
        "application/problem+json",
    )
    assert [error["field"] for error in response.json()["errors"]] == fields
    export = get(client, "c00", "export")
    assert {consent["given"] for consent in export["consent"].values()} == {None}
    assert export["products_not_used"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_two_ids_that_are_too_long_for_an_index_are_refused_and_the_longest_that_are_not_are_kept(
    browse: Browse, kind: str, tmp_path: Path
) -> None:
    client = browse(database_url=new_store(kind, tmp_path))
    letters = "".join(
        map(chr, random.Random(1).sample(range(0x20000, 0x2A6D0), 1000))
    )  # four bytes each, incompressible
    customer, product, shorter = quote(letters[:500]), letters[500:], letters[500:650]
    refused = client.put(f"/v1/customers/{customer}/unused", json={"product_id": product})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "product_id"
    assert (
        client.put(f"/v1/customers/{customer}/unused", json={"product_id": shorter}).status_code
        == 200
    )

"""A mail is fetched many times and says the same; it changes only where it would embarrass."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from service.settings import Settings
from tests.support.mail_client import (
    CUSTOMERS,
    JUNE,
    agree,
    agreed_content,
    changed,
    kept,
    let_pass,
    mail,
    patch,
    records,
    report,
    shown,
)
from tests.support.quick_service import create_quick
from tests.support.service_process import UNHURRIED_MS
from tests.support.service_shop import Shop
from tests.support.shop import AISLES, NO_EMAIL
from tests.support.store_server import KINDS, new_store

pytestmark = pytest.mark.slow

BREADS, TOOLS = AISLES["bakery"].split()[:3], AISLES["garden"].split()[:5]


@pytest.fixture(scope="module", params=KINDS)
def client(
    shop: Shop, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """One shop for all: every test has customers and campaigns of its own."""
    folder = tmp_path_factory.mktemp("mails")
    url = new_store(request.param, folder)
    settings = Settings(
        registry=shop.root, runtime_dir=folder / "run", database_url=url, deadline_ms=UNHURRIED_MS
    )
    with TestClient(
        create_quick(settings), base_url="http://localhost", raise_server_exceptions=False
    ) as opened:
        yield opened


def test_every_part_of_a_mail_shows_the_same_however_it_is_asked_for(client: TestClient) -> None:
    whole = mail(client, "c00", "parts")
    assert (whole["strategy"], whole["count"]) == ("personal", 4)
    for options in (
        {},
        {"fields": "ids"},
        {"locale": "de_DE"},
        {"deadline_ms": 9_000},
        {"fields": "ids", "locale": "fr"},
    ):
        assert agreed_content(mail(client, "c00", "parts", **options)) == agreed_content(whole)
    recipients = [{"customer_id": "c00"}, {"customer_id": "c43"}]
    body = {"recipients": recipients, "n": 4, "placement": "email", "campaign": "parts"}
    first, second = client.post("/v1/recommendations/batch", json=body).json()["answers"]
    assert agreed_content(first) == agreed_content(whole)
    assert agreed_content(mail(client, "c43", "parts")) == agreed_content(second)


def test_what_happens_after_a_mailing_has_begun_does_not_change_it(client: TestClient) -> None:
    agree(client, "steady", as_of=JUNE)
    report(client, "anna", *BREADS, when=JUNE)
    report(client, "bert", *BREADS, when=JUNE)
    first = mail(client, "anna", "steady")
    assert first["strategy"] == "personal"
    report(client, "anna", *TOOLS)
    report(client, "bert", *TOOLS)
    assert shown(mail(client, "bert", None)) != shown(first)
    assert agreed_content(mail(client, "anna", "steady")) == agreed_content(first)
    assert agreed_content(mail(client, "bert", "steady")) == agreed_content(first)


def test_a_product_that_is_sold_out_gives_up_its_place_until_it_is_back(client: TestClient) -> None:
    before = kept(client, "c03", "stock")
    gone = shown(before)[1]
    patch(client, gone, in_stock=False)
    try:
        without = mail(client, "c03", "stock")
        assert changed(before, without) == [1]
        assert agreed_content(mail(client, "c03", "stock")) == agreed_content(without)
    finally:
        patch(client, gone, in_stock=True)
    assert agreed_content(mail(client, "c03", "stock")) == agreed_content(before)


def test_a_product_that_the_shop_hides_gives_up_its_place(client: TestClient) -> None:
    before = kept(client, "c04", "hidden")
    rule = {"kind": "exclude", "which": {"product_ids": [shown(before)[0]]}}
    assert client.put("/v1/rules/hidden", json=rule).status_code == 200
    try:
        assert changed(before, mail(client, "c04", "hidden")) == [0]
    finally:
        client.delete("/v1/rules/hidden")
    assert agreed_content(mail(client, "c04", "hidden")) == agreed_content(before)


def test_a_product_that_was_just_bought_gives_up_its_place(client: TestClient) -> None:
    agree(client, "bought", as_of=JUNE)
    before = kept(client, "c05", "bought")
    report(client, "c05", shown(before)[2])
    assert changed(before, mail(client, "c05", "bought")) == [2]


def test_what_one_customer_bought_is_still_shown_to_the_others(client: TestClient) -> None:
    agree(client, "others", as_of=JUNE)
    bought = shown(kept(client, "c09", "others"))[2]
    report(client, "c09", bought)
    assert bought not in shown(mail(client, "c09", "others"))
    for market in ("north", "south"):
        everybody = client.get("/v1/popular", params={"n": 50, "market": market}).json()
        assert bought in shown(everybody)


def test_a_purchase_that_is_reported_late_counts_like_any_other(client: TestClient) -> None:
    agree(client, "late", as_of=JUNE)
    before = kept(client, "c42", "late")
    report(client, "c42", shown(before)[2], when="2025-06-28T11:59:00Z")
    assert changed(before, mail(client, "c42", "late")) == [2]


def test_a_new_price_is_shown_and_changes_nothing_else(client: TestClient) -> None:
    before = kept(client, "c06", "price")
    cheaper = shown(before)[0]
    patch(client, cheaper, price=0.5)
    after = mail(client, "c06", "price")
    assert after["recommendations"][0]["price"] == 0.5
    assert agreed_content(after) == agreed_content(before)


def test_who_says_no_in_the_middle_of_a_mailing_gets_what_everyone_gets(client: TestClient) -> None:
    before = kept(client, "c07", "consent")
    assert before["strategy"] == "personal"
    client.put("/v1/customers/c07/consent", json={"personalize_email": False})
    after = mail(client, "c07", "consent")
    assert (after["strategy"], after["fallback_reason"], after["count"]) == (
        "not_personalized",
        "no_consent",
        4,
    )
    assert {slot["reason"]["kind"] for slot in after["recommendations"]} <= {
        "popular",
        "new",
        "chosen_by_shop",
    }


@pytest.mark.parametrize("customer_id", [NO_EMAIL, "a-stranger"])
def test_who_is_not_known_or_said_no_is_answered_in_a_campaign_too(
    client: TestClient, customer_id: str
) -> None:
    first, second = mail(client, customer_id, "everyone"), mail(client, customer_id, "everyone")
    assert (first["count"], first["fallback"]) == (4, True)
    assert agreed_content(first) == agreed_content(second)


def test_what_the_last_mails_showed_is_not_shown_again(client: TestClient) -> None:
    first = kept(client, "c08", "week-1")
    agree(client, "week-2", not_twice=1)
    second = kept(client, "c08", "week-2")
    assert set(shown(first)).isdisjoint(shown(second))
    agree(client, "week-3", not_twice=2)
    third = kept(client, "c08", "week-3")
    assert {*shown(first), *shown(second)}.isdisjoint(shown(third))
    agree(client, "week-4", not_twice=0)
    assert shown(mail(client, "c08", "week-4")) == shown(first)
    assert agreed_content(mail(client, "c08", "week-1")) == agreed_content(first)


def test_nothing_of_the_order_that_triggered_a_mail_stands_in_it(client: TestClient) -> None:
    order = shown(mail(client, "c09", None, n=3))
    report(client, "c09", *order, order_id="o-9")
    answer = mail(client, "c09", "thanks", order_id="o-9", repeat="include")
    assert answer["count"] == 4
    assert set(order).isdisjoint(shown(answer))
    assert agreed_content(
        mail(client, "c09", "thanks", order_id="o-9", repeat="include")
    ) == agreed_content(answer)
    assert mail(client, "c09", "thanks", order_id="an order nobody reported")["count"] == 4


def test_another_question_in_the_same_campaign_has_an_answer_of_its_own(client: TestClient) -> None:
    dairy = mail(client, "c10", "two-blocks", category="dairy")
    toys = mail(client, "c10", "two-blocks", category="toys")
    assert {slot["category"] for slot in dairy["recommendations"]} == {"dairy"}
    assert {slot["category"] for slot in toys["recommendations"]} == {"toys"}
    assert agreed_content(mail(client, "c10", "two-blocks", category="dairy")) == agreed_content(
        dairy
    )


def test_of_who_asks_to_be_forgotten_no_mail_is_remembered(client: TestClient) -> None:
    kept(client, "c11", "forgotten")
    assert client.delete("/v1/customers/c11").status_code == 200
    assert records(client, "c11", "forgotten") == []
    after = mail(client, "c11", "forgotten")
    assert (after["strategy"], after["count"]) == ("popular", 4)
    kept(client, "c12", "forgotten")  # what is written is written in its turn
    assert records(client, "c11", "forgotten") == []


def test_a_slate_that_came_too_late_is_not_what_the_mail_goes_on_showing(
    client: TestClient,
) -> None:
    for name in CUSTOMERS[13:40]:
        hurried = mail(client, name, "hurry", deadline_ms=1)
        if hurried["fallback_reason"] == "deadline":
            break
    else:
        pytest.fail("a millisecond was enough for everyone")
    unhurried = mail(client, name, "hurry")
    assert (unhurried["strategy"], unhurried["fallback_reason"]) == ("personal", None)
    assert agreed_content(mail(client, name, "hurry", deadline_ms=9_000)) == agreed_content(
        unhurried
    )


def test_when_the_window_has_passed_the_next_mail_is_another_one(client: TestClient) -> None:
    report(client, "carl", *BREADS, when=JUNE)
    before = kept(client, "carl", "weekly")
    report(client, "carl", *TOOLS)
    let_pass(client, "weekly", 71)
    assert agreed_content(mail(client, "carl", "weekly")) == agreed_content(before)
    let_pass(client, "weekly", 2)
    assert shown(mail(client, "carl", "weekly")) != shown(before)


def test_a_campaign_is_open_as_long_as_was_said(client: TestClient) -> None:
    assert agree(client, "day", window_hours=24)["window_hours"] == 24
    report(client, "dora", *BREADS, when=JUNE)
    before = kept(client, "dora", "day")
    report(client, "dora", *TOOLS)
    let_pass(client, "day", 25)
    assert shown(mail(client, "dora", "day")) != shown(before)

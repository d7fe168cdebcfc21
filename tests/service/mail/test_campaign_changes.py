"""A mail is never about what is over (bought, rated low, sold out), and repeats no earlier mail."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from models.artifact.registry import Registry
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
    publish_other_tastes,
    records,
    report,
    shown,
    wait_for_model,
)
from tests.support.service_shop import Browse, Shop, wait_until
from tests.support.shop import DAYS, NEVER_SOLD, NO_EMAIL, Line, moment
from tests.support.training_shop import small_shop_purchases, trained
from training.reading.purchases import Purchases

pytestmark = pytest.mark.slow


@pytest.fixture
def client(browse: Browse, own_shop: Shop) -> TestClient:
    return browse(own_shop.root, poll_seconds=0.05)


def happened(
    client: TestClient,
    customer_id: str,
    kind: str,
    product_id: str,
    hours_ago: float = 0,
    **more: float,
) -> None:
    when = (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat()
    event = {
        "event_id": f"{customer_id} {kind} {product_id}",
        "kind": kind,
        "time": when,
        "customer_id": customer_id,
        "product_id": product_id,
        **more,
    }
    assert client.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1


def shown_also(client: TestClient, customer_id: str, campaign: str) -> bool:
    return any('"also":[]' not in document for document in records(client, customer_id, campaign))


def test_a_basket_is_left_behind_whatever_the_newsletter_showed(client: TestClient) -> None:
    product = shown(kept(client, "c03", "newsletter-1"))[0]
    happened(client, "c03", "cart", product, hours_ago=3)
    happened(client, "c04", "view", product)
    basket = mail(client, "c03", "basket")
    assert basket["occasion"] is not None
    assert shown(basket)[0] == product
    other_products = set(shown(mail(client, "c03", "newsletter-1"))) - {product}
    assert other_products.isdisjoint(shown(basket)[1:])


def test_a_weekly_newsletter_that_keeps_its_name_is_a_new_one_for_everyone(
    client: TestClient,
) -> None:
    agree(client, "weekly", window_hours=168, not_twice=1)
    let_pass(client, "weekly", 1)
    last_week = kept(client, "c00", "weekly")  # an hour after the mailing began
    let_pass(client, "weekly", 167)
    mail(client, "c01", "weekly")
    this_week = mail(client, "c00", "weekly")
    assert set(shown(last_week)).isdisjoint(shown(this_week))
    wait_until(
        lambda: agreed_content(mail(client, "c00", "weekly", n=4)) == agreed_content(this_week)
    )
    assert set(shown(last_week)).isdisjoint(shown(mail(client, "c00", "weekly", n=2)))


def test_parts_that_ask_for_another_number_keep_their_own_answer(client: TestClient) -> None:
    first = {
        (name, n): agreed_content(mail(client, name, "parts", n=n))
        for name in CUSTOMERS[:20]
        for n in (5, 10)
    }
    wait_until(lambda: all(len(records(client, name, "parts")) == 2 for name in CUSTOMERS[:20]))
    assert {
        (name, n): agreed_content(mail(client, name, "parts", n=n)) for name, n in first
    } == first
    agree(client, "next", not_twice=1)
    for name in CUSTOMERS[:3]:
        both = {product for n in (5, 10) for product in shown(mail(client, name, "parts", n=n))}
        assert both.isdisjoint(shown(mail(client, name, "next")))


def test_what_stood_in_for_a_product_is_not_shown_again_either(client: TestClient) -> None:
    before = kept(client, "c08", "week-1")
    patch(client, shown(before)[0], in_stock=False)
    changed_mail = mail(client, "c08", "week-1")
    assert changed(before, changed_mail) == [0]
    wait_until(lambda: shown_also(client, "c08", "week-1"))
    agree(client, "week-2", not_twice=1)
    assert {*shown(before), *shown(changed_mail)}.isdisjoint(shown(mail(client, "c08", "week-2")))
    (record,) = client.get("/v1/customers/c08/export").json()["mails"][:1]
    assert record["showed_also"] == [shown(changed_mail)[0]]


def test_what_stands_in_keeps_to_the_caps_of_the_shop(client: TestClient) -> None:
    client.put("/v1/rules/cap", json={"kind": "cap", "by": "category", "most": 3})
    for name in CUSTOMERS[:12]:
        before = kept(client, name, "caps", n=10, fields="card")
        gone = before["recommendations"][0]["id"]
        patch(client, gone, in_stock=False)
        after = [slot["category"] for slot in mail(client, name, "caps", n=10)["recommendations"]]
        patch(client, gone, in_stock=True)
        assert max(map(after.count, after)) <= 3


def test_who_has_bought_what_lay_in_the_basket_did_not_leave_it_there(client: TestClient) -> None:
    happened(client, "c05", "cart", "bread", hours_ago=3)
    happened(client, "c04", "view", "toast")
    assert kept(client, "c05", "basket")["occasion"]["text"] == "You left Bread in your basket"
    report(client, "c05", "bread")
    after = mail(client, "c05", "basket")
    assert after["occasion"] is None
    assert "bread" not in shown(after)


def test_what_came_back_is_news_at_once_and_none_once_it_is_gone_again(client: TestClient) -> None:
    happened(client, "c20", "wishlist", NEVER_SOLD, hours_ago=30)
    patch(client, NEVER_SOLD, in_stock=False)
    patch(client, NEVER_SOLD, in_stock=True)  # nothing was reported since
    assert mail(client, "c20", "back_in_stock", as_of=JUNE)["occasion"] is None
    back = kept(client, "c20", "back_in_stock")
    assert back["occasion"]["text"] == "You wished for Kettle, and it is back"
    patch(client, NEVER_SOLD, in_stock=False)
    assert mail(client, "c20", "back_in_stock")["occasion"] is None


def test_a_product_that_was_rated_low_gives_up_its_place(client: TestClient) -> None:
    agree(client, "rated", as_of=JUNE)
    before = kept(client, "c30", "rated")
    happened(client, "c30", "rating", shown(before)[1], rating=4)
    happened(client, "c30", "rating", shown(before)[2], rating=3)
    assert agreed_content(mail(client, "c30", "rated")) == agreed_content(before)
    happened(client, "c30", "rating", shown(before)[0], rating=2)
    assert changed(before, mail(client, "c30", "rated")) == [0]


def test_what_who_said_no_to_mails_buys_changes_no_mail_of_theirs(client: TestClient) -> None:
    agree(client, "everyone", as_of=JUNE)
    before = mail(client, NO_EMAIL, "everyone")
    report(client, NO_EMAIL, shown(before)[0])
    assert shown(mail(client, NO_EMAIL, "everyone")) == shown(before)


@pytest.mark.parametrize("placement", [None, "home", "email"])
def test_whatever_is_fetched_for_a_campaign_needs_the_consent_for_mails(
    client: TestClient, placement: str | None
) -> None:
    said_no = mail(client, NO_EMAIL, "spring", placement=placement)
    assert (said_no["strategy"], said_no["fallback_reason"]) == ("not_personalized", "no_consent")
    block = client.get(f"/v1/customers/{NO_EMAIL}/recommendations.html", params={"n": 2}).text
    assert "You buy this" not in block


def test_what_a_newer_model_has_learned_of_a_purchase_counts(
    client: TestClient, own_shop: Shop
) -> None:
    agree(client, "thanks", kind="post_purchase")
    before = kept(client, "c00", "thanks")
    bought = Line("c00", shown(before)[0], (time.time() - moment(0)) / 86_400)
    publish(own_shop, small_shop_purchases(bought), client)
    assert shown(before)[0] not in shown(mail(client, "c00", "thanks"))


def test_a_position_whose_product_a_newer_model_does_not_know_is_filled(
    client: TestClient, own_shop: Shop
) -> None:
    agree(client, "thanks", kind="post_purchase")
    before = kept(client, "c00", "thanks")
    wait_for_model(client, publish_other_tastes(own_shop))
    after = mail(client, "c00", "thanks")
    assert (after["count"], after["complete"]) == (before["count"], True)


def publish(shop: Shop, purchases: Purchases, client: TestClient) -> None:
    newer = trained(purchases)
    manifest = replace(newer.manifest, created=moment(DAYS) + 60)
    wait_for_model(client, Registry(shop.root).publish(newer.model, manifest).version)


def test_a_campaign_that_a_clock_ahead_has_opened_closes_like_every_other(
    client: TestClient,
) -> None:
    first = kept(client, "c03", "monday")
    let_pass(client, "monday", -20 * 8760)
    assert mail(client, "c03", "monday") == first
    closes = datetime.fromisoformat(client.get("/v1/campaigns/monday").json()["closes"])
    assert closes <= datetime.now(UTC) + timedelta(hours=72)
    assert mail(client, "c03", "monday") == first
    let_pass(client, "monday", 73)
    second = mail(client, "c03", "monday")
    assert shown(second)
    assert set(shown(second)).isdisjoint(shown(first))

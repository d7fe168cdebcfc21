"""Whose mail is due is told with what the campaign sends them then, and nothing comes of it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.mail import due_mails
from service.schemas.campaign_recipients import DueMailsAnswer
from tests.support.mail_client import (
    CUSTOMERS,
    agree,
    kept,
    mail,
    publish_other_tastes,
    records,
    report,
    shown,
    wait_for_model,
)
from tests.support.service_shop import Browse, Shop
from tests.support.slates import refused

pytestmark = pytest.mark.slow


@pytest.fixture
def client(browse: Browse, own_shop: Shop, store_url: str) -> TestClient:
    return browse(own_shop.root, database_url=store_url, poll_seconds=0.05)


def due(client: TestClient, campaign: str, **options: Any) -> dict[str, Any]:
    response = client.get(f"/v1/campaigns/{campaign}/due", params=options)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    DueMailsAnswer.model_validate(answer)
    return answer


def all_due(client: TestClient, campaign: str, **options: Any) -> dict[str, dict[str, Any]]:
    """Return the mails that are due, by customer, of all pages."""
    page = due(client, campaign, **options)
    mails = page["due"]
    while page["next"]:
        page = due(client, campaign, after=page["next"], **options)
        mails += page["due"]
    assert len(mails) == len({one["customer_id"] for one in mails})
    return {one["customer_id"]: one for one in mails}


def ids_of(one: Mapping[str, Any]) -> list[str]:
    return [product["id"] for product in one["products"]]


def put_into_cart(client: TestClient, customer_id: str, product_id: str) -> None:
    """Put a product into a cart some hours ago; what somebody looks at now tells that they passed."""
    now = datetime.now(UTC)
    seen = {"event_id": "seen", "kind": "view", "time": now.isoformat(), "product_id": product_id}
    cart = {"event_id": f"cart {customer_id}", "kind": "cart", "product_id": product_id}
    cart |= {"customer_id": customer_id, "time": (now - timedelta(hours=3)).isoformat()}
    events = [{**seen, "customer_id": "c50"}, cart]
    assert client.post("/v1/events", json={"events": events}).json()["rejected"] == []


@pytest.mark.parametrize("campaign", ["post_purchase", "replenishment", "newsletter"])
def test_those_are_due_whose_mail_has_an_occasion_and_it_is_the_one_that_is_sent(
    client: TestClient, campaign: str
) -> None:
    planned = all_due(client, campaign, limit=7)
    assert planned
    assert client.get("/v1/campaigns").json()["campaigns"] == []  # none was opened
    for customer_id in CUSTOMERS:
        sent = mail(client, customer_id, campaign)
        is_due = sent["occasion"] is not None or (
            campaign == "newsletter" and sent["strategy"] == "personal"
        )
        assert (customer_id in planned) == is_due
        if is_due:
            one = planned[customer_id]
            assert (ids_of(one), one["occasion"]) == (shown(sent), sent["occasion"])


def test_whom_the_shop_told_of_last_stands_first_and_unknown_customers_too(
    client: TestClient,
) -> None:
    put_into_cart(client, "c09", "bread")
    put_into_cart(client, "stranger", "bread")
    told = due(client, "basket", limit=2)
    assert [one["customer_id"] for one in told["due"]] == ["stranger", "c09"]
    assert ids_of(told["due"][0])[0] == "bread"
    assert told["looked_at"] == 2
    assert due(client, "basket", after=told["next"])["due"] == []


def test_a_mail_that_was_sent_is_told_as_it_was_recorded_under_the_pins_of_its_campaign(
    client: TestClient, own_shop: Shop
) -> None:
    sent = kept(client, "c03", "monday")
    opened = client.get("/v1/campaigns/monday").json()
    wait_for_model(client, publish_other_tastes(own_shop))
    planned = all_due(client, "monday")
    assert ids_of(planned["c03"]) == shown(sent)
    assert [name for name, one in planned.items() if one["is_sent"]] == ["c03"]
    assert {one["model_version"] for one in planned.values()} == {opened["model_version"]}
    assert client.get("/v1/campaigns/monday").json() == opened
    assert records(client, "c04", "monday") == []


def test_what_earlier_campaigns_showed_is_not_planned_again(client: TestClient) -> None:
    before = shown(kept(client, "c03", "monday"))
    assert set(ids_of(all_due(client, "tuesday")["c03"])).isdisjoint(before)
    agree(client, "wednesday", not_twice=0)
    assert ids_of(all_due(client, "wednesday")["c03"]) == before


def test_who_refuses_mails_or_was_erased_is_not_due(client: TestClient) -> None:
    client.put("/v1/customers/c00/consent", json={"personalize_email": False})
    client.delete("/v1/customers/c01")
    planned = all_due(client, "newsletter")
    assert {"c00", "c01"}.isdisjoint(planned)
    assert "c02" in planned


def test_few_are_looked_at_for_one_answer(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_mails, "MOST_LOOKED_AT", 5)
    page = due(client, "basket")
    assert (page["due"], page["looked_at"]) == ([], 5)
    assert all_due(client, "newsletter").keys() == all_due(client, "newsletter", limit=3).keys()


def test_a_preview_of_a_campaign_shows_its_mail_and_records_none(client: TestClient) -> None:
    before = shown(kept(client, "c03", "monday"))
    body = {"customer_id": "c03", "campaign": "tuesday", "part": "text"}
    text = client.post("/v1/blocks/preview", json=body).text
    planned = all_due(client, "tuesday")["c03"]
    assert all(product["title"] in text for product in planned["products"])
    assert client.get("/v1/campaigns/tuesday").status_code == 404
    assert records(client, "c03", "tuesday") == []
    assert shown(mail(client, "c03", "tuesday")) == ids_of(planned)
    assert set(ids_of(planned)).isdisjoint(before)


def test_looking_stands_in_the_audit_log_and_a_wrong_cursor_is_refused(client: TestClient) -> None:
    due(client, "basket")
    actions = [change["action"] for change in client.get("/v1/audit").json()["changes"]]
    assert "customer looked at" in actions
    assert refused(client.get("/v1/campaigns/basket/due", params={"after": "x"})) == ["after"]


def test_a_purchase_ends_the_occasion(client: TestClient) -> None:
    put_into_cart(client, "c09", "bread")
    assert "c09" in all_due(client, "basket")
    report(client, "c09", "bread")
    assert "c09" not in all_due(client, "basket")

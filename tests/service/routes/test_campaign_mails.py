"""What the mails of a campaign showed is told to the shop, and of nobody who refuses mails."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from service.schemas.campaign_mails import CampaignMailsAnswer
from tests.support.service_shop import Browse, Shop, wait_until
from tests.support.slates import refused

pytestmark = pytest.mark.slow

RECIPIENTS = [f"c{number:02}" for number in range(5)]
ADDRESS = "/v1/campaigns/monday%2Fmorning/mails"


@pytest.fixture
def client(browse: Browse, own_shop: Shop, store_url: str) -> TestClient:
    return browse(own_shop.root, database_url=store_url)


def fetch_mail(client: TestClient, customer_id: str, campaign: str = "monday/morning") -> list[str]:
    path = f"/v1/customers/{customer_id}/recommendations"
    options = {"campaign": campaign, "placement": "email", "n": "4"}
    slate = client.get(path, params=options).json()
    return [product["id"] for product in slate["recommendations"]]


def shown_mails(client: TestClient, **options: Any) -> dict[str, Any]:
    response = client.get(ADDRESS, params=options)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    CampaignMailsAnswer.model_validate(answer)
    return answer


@pytest.fixture
def sent(client: TestClient) -> dict[str, list[str]]:
    """Mails of two campaigns, once all of them are recorded."""
    mails = {customer_id: fetch_mail(client, customer_id) for customer_id in RECIPIENTS}
    fetch_mail(client, RECIPIENTS[0], "another")
    wait_until(lambda: len(shown_mails(client)["mails"]) == len(RECIPIENTS))
    return mails


def test_each_mail_is_told_as_its_customer_found_it(
    client: TestClient, sent: dict[str, list[str]]
) -> None:
    told = {mail["customer_id"]: mail for mail in shown_mails(client)["mails"]}
    shown = {name: [one["id"] for one in mail["products"]] for name, mail in told.items()}
    assert shown == sent
    first = told["c00"]
    assert (first["strategy"], first["occasion"], first["variant"]) == ("personal", None, None)
    assert all(product["title"] for product in first["products"])


def test_mails_come_in_pages_each_of_them_once(
    client: TestClient, sent: dict[str, list[str]]
) -> None:
    page = shown_mails(client, limit=2)
    told = page["mails"]
    while page["next"]:
        page = shown_mails(client, limit=2, after=page["next"])
        told += page["mails"]
    assert sorted(mail["customer_id"] for mail in told) == RECIPIENTS
    wrong = client.get(ADDRESS, params={"after": "WzEsICJ4Il0"})  # a reference that is none
    assert refused(wrong) == ["after"]


def test_who_refuses_mails_or_was_erased_is_not_told(
    client: TestClient, sent: dict[str, list[str]]
) -> None:
    client.put("/v1/customers/c00/consent", json={"personalize_email": False})
    client.delete("/v1/customers/c01")
    told = [mail["customer_id"] for mail in shown_mails(client)["mails"]]
    assert sorted(told) == RECIPIENTS[2:]


def test_whoever_looks_stands_in_the_audit_log_and_no_campaign_is_not_found(
    client: TestClient,
) -> None:
    refused(client.get("/v1/campaigns/none/mails"), 404)
    client.put("/v1/campaigns/monday%2Fmorning", json={})
    assert shown_mails(client) == {"mails": [], "next": None}
    actions = [change["action"] for change in client.get("/v1/audit").json()["changes"]]
    assert "customer looked at" in actions

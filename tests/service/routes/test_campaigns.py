"""A marketer says what a campaign is, before its first mail or while it runs."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from models.data.timestamps import format_timestamp
from service.schemas.answers import SlateAnswer
from service.settings import Settings
from tests.support.quick_service import create_quick
from tests.support.service_shop import Shop

ADDRESS = "/v1/campaigns/spring"


@pytest.fixture
def client(shop: Shop, tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings.model_validate(
        {
            "registry": shop.root,
            "runtime_dir": tmp_path,
            "database_url": f"sqlite:///{tmp_path / 'store.db'}",
        }
    )
    with TestClient(create_quick(settings), base_url="http://localhost") as opened:
        yield opened


def test_a_campaign_is_pinned_to_the_model_in_service_and_the_newest_event(
    client: TestClient, shop: Shop
) -> None:
    opened = client.put(ADDRESS, json={}).json()
    assert (opened["campaign"], opened["kind"], opened["model_version"]) == (
        "spring",
        "newsletter",
        shop.model.version,
    )
    assert (opened["as_of"], opened["window_hours"], opened["not_twice"]) == (
        shop.model.data_as_of,
        72,
        3,
    )
    assert client.get(ADDRESS).json() == opened
    assert client.get("/v1/campaigns").json() == {"campaigns": [opened], "next": None}


def test_what_is_left_out_stays_as_it_was_and_the_pins_do(client: TestClient) -> None:
    opened = client.put(ADDRESS, json={"kind": "win_back", "window_hours": 24}).json()
    changed = client.put(ADDRESS, json={"not_twice": 0}).json()
    assert changed == {**opened, "not_twice": 0}


def test_a_campaign_can_be_made_for_a_moment_of_its_own(client: TestClient, shop: Shop) -> None:
    pins = {"as_of": "2024-01-01T00:00:00Z", "model_version": shop.model.version}
    opened = client.put(ADDRESS, json=pins).json()
    assert {name: opened[name] for name in pins} == pins
    slate_path = f"/v1/customers/{shop.customer}/recommendations?campaign=spring&placement=email"
    assert client.get(slate_path).json()["data_as_of"] == pins["as_of"]


def test_the_first_mail_opens_a_campaign_and_its_name_may_say_what_it_is(
    client: TestClient, shop: Shop
) -> None:
    assert client.get("/v1/campaigns/win-back").status_code == 404
    answer = client.get(
        f"/v1/customers/{shop.customer}/recommendations?campaign=win-back&placement=email"
    )
    SlateAnswer.model_validate_json(answer.content)
    assert client.get("/v1/campaigns/win-back").json()["kind"] == "win_back"


def test_a_campaign_is_closed_and_its_next_mail_opens_it_again(
    client: TestClient, shop: Shop
) -> None:
    assert client.put(ADDRESS, json={"closed": True}).status_code == 404
    pins = {"as_of": "2024-01-01T00:00:00Z", "window_hours": 24}
    opened = client.put(ADDRESS, json=pins).json()
    closed = client.put(ADDRESS, json={"closed": True}).json()
    assert closed["closes"] <= format_timestamp(int(time.time())) < opened["closes"]
    assert (closed["window_hours"], closed["as_of"]) == (24, pins["as_of"])
    assert client.put(ADDRESS, json={"closed": True}).json() == closed
    slate_path = f"/v1/customers/{shop.customer}/recommendations?campaign=spring&placement=email"
    client.get(slate_path)
    again = client.get(ADDRESS).json()
    assert again["closes"] >= opened["closes"]
    assert again["as_of"] == shop.model.data_as_of


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "surprise"}, "kind"),
        ({"window_hours": 0}, "window_hours"),
        ({"until": "tomorrow"}, "until"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_nothing_is_opened(
    client: TestClient, body: dict[str, object], field: str
) -> None:
    refused = client.put(ADDRESS, json=body)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == [field]
    assert client.get(ADDRESS).status_code == 404


def test_a_campaign_cannot_be_pinned_to_a_model_that_is_not_there(client: TestClient) -> None:
    assert (
        client.put(ADDRESS, json={"model_version": "20200101T000000Z-000000000000"}).status_code
        == 404
    )
    assert client.put(ADDRESS, json={"model_version": ""}).status_code == 200


def test_a_deleted_campaign_is_gone_and_its_next_mail_begins_a_new_one(
    client: TestClient, shop: Shop
) -> None:
    mail = f"/v1/customers/{shop.customer}/recommendations?campaign=spring&placement=email&n=3"
    opened = client.put(ADDRESS, json={"window_hours": 24, "as_of": "2024-01-01"}).json()
    assert client.get(mail).json()["data_as_of"] == "2024-01-01T00:00:00Z"
    assert client.delete(ADDRESS).json() == opened
    assert client.get(ADDRESS).status_code == client.delete(ADDRESS).status_code == 404
    assert client.get("/v1/campaigns").json()["campaigns"] == []
    (change,) = client.get("/v1/audit").json()["changes"]
    assert (change["action"], change["subject"]) == ("campaign deleted", "spring")
    time.sleep(2)  # records are of a second
    assert client.get(mail).json()["data_as_of"] == shop.model.data_as_of
    anew = client.get(ADDRESS).json()
    assert (anew["window_hours"], anew["as_of"]) == (72, shop.model.data_as_of)

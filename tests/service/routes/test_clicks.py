"""Whoever clicks gets to the shop, whatever is down; and nowhere else, whatever they click."""

import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from models.data.events import KINDS
from service.routes.clicks import _event_id, _write
from service.settings import Settings
from service.signing import recommendation_ids
from service.signing.click_links import Click, ClickLinks
from service.store.database import WAIT_SECONDS
from service.store.events import Event, EventLine
from service.store.store import Store
from service.store.writer import MAX_JOBS_IN_COMMIT, MAX_WAITING_JOBS
from tests.support.keyed_service import token
from tests.support.quick_service import create_quick
from tests.support.service_process import UNHURRIED_MS
from tests.support.service_shop import Shop, wait_until

SHOP, MAILS = "https://shop.example", "https://mails.shop.example"
ANNA = "c00"


def settings(shop: Shop, folder: Path, **more: object) -> Settings:
    values: dict[str, object] = {
        "registry": shop.root,
        "deadline_ms": UNHURRIED_MS,
        "runtime_dir": folder / "run",
        "database_url": f"sqlite:///{folder / 'store.db'}",
        "signing_key": "secret",
        "shop_url": SHOP,
        "public_url": MAILS,
    }
    return Settings.model_validate(values | more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clicks")


@pytest.fixture(scope="module")
def client(shop: Shop, folder: Path) -> Iterator[TestClient]:
    with TestClient(
        create_quick(settings(shop, folder)),
        base_url="http://localhost",
        raise_server_exceptions=False,
    ) as opened:
        yield opened


def links(client: TestClient) -> ClickLinks:
    click_links: ClickLinks = client.app.state.responder.presentation.links  # type: ignore[attr-defined]
    return click_links


def mail(client: TestClient, campaign: str, **options: Any) -> dict[str, Any]:
    params = {"campaign": campaign, "placement": "email", "n": 4, **options}
    answer: dict[str, Any] = client.get(
        f"/v1/customers/{ANNA}/recommendations", params=params
    ).json()
    return answer


def follow(client: TestClient, url: str, method: str = "GET", **headers: str) -> Response:
    path = url.removeprefix(MAILS)
    return client.request(method, path, headers=headers, follow_redirects=False)


def counted(client: TestClient, result: str) -> int:
    text = client.app.state.responder.metrics.render().decode()  # type: ignore[attr-defined]
    match = re.search(rf'regulars_clicks_total{{result="{result}",shop="main"}} (\d+)', text)
    return int(match[1]) if match else 0


def clicks(client: TestClient, customer_id: str = ANNA) -> list[dict[str, Any]]:
    export = client.get(f"/v1/customers/{customer_id}/export").json()
    return [event for event in export["events"] if event["kind"] == "click"]


def test_a_click_leads_to_the_product_and_is_recorded_once_an_hour(client: TestClient) -> None:
    slate = mail(client, "spring")
    product = slate["recommendations"][0]
    wait_until(lambda: bool(client.get(f"/v1/customers/{ANNA}/export").json()["mails"]))
    for _ in range(2):
        response = follow(client, product["click_url"])
        assert (response.status_code, response.headers["cache-control"]) == (302, "no-store")
        utm = (
            f"utm_source=regulars&utm_medium=email&utm_campaign=spring&utm_content={product['id']}"
        )
        assert response.headers["location"] == f"{product['url']}?{utm}"
    wait_until(lambda: counted(client, "repeated") == 1)
    assert counted(client, "recorded") == 1
    (click,) = clicks(client)
    assert (click["product_id"], click["placement"]) == (product["id"], "email")
    assert click["recommendation_id"] == slate["recommendation_id"]


def test_a_look_ahead_leads_there_too_and_is_no_click(client: TestClient) -> None:
    product = mail(client, "looked at")["recommendations"][1]
    before = clicks(client)
    for response in (
        follow(client, product["click_url"], "HEAD"),
        follow(client, product["click_url"], **{"Sec-Purpose": "prefetch;prerender"}),
    ):
        assert response.status_code == 302
        assert response.headers["location"].startswith(product["url"])
    assert clicks(client) == before


def test_every_product_of_a_mail_has_a_link_and_no_page_has_one(client: TestClient) -> None:
    assert all(
        product["click_url"].startswith(f"{MAILS}/r/")
        for product in mail(client, "links")["recommendations"]
    )
    for options in ({}, {"placement": "home"}):
        page = client.get(f"/v1/customers/{ANNA}/recommendations", params=options).json()
        assert {product["click_url"] for product in page["recommendations"]} == {None}
    ids = mail(client, "links", fields="ids")["recommendations"]
    assert all("click_url" not in product for product in ids)


def test_a_mail_that_is_not_kept_links_straight_to_the_shop(client: TestClient) -> None:
    params = {"placement": "email", "n": 4}
    for product in client.get("/v1/customers/c01/recommendations", params=params).json()[
        "recommendations"
    ]:
        assert product["click_url"] == (
            f"{product['url']}?utm_source=regulars&utm_medium=email&utm_content={product['id']}"
        )
    units = client.get("/v1/products/bread/bundles", params=params).json()["recommendations"]
    assert all(
        product["click_url"].startswith(SHOP) for unit in units for product in unit["products"]
    )


def good(client: TestClient, **more: Any) -> str:
    click_links = links(client)
    slate = recommendation_ids.sign(
        click_links.secret,
        recommendation_ids.RecommendationId(
            "v", "email", "spring", recommendation_ids.digest_slate([])
        ),
    )
    return click_links.sign(
        replace(Click(f"{SHOP}/bread", "bread", slate, int(time.time()) + 60), **more)
    )


def bad_tokens(client: TestClient) -> list[str]:
    whole = good(client)
    foreign = replace(links(client), secret=b"of another shop")
    return [
        *(
            whole[:index] + ("A" if whole[index] != "A" else "B") + whole[index + 1 :]
            for index in range(len(whole))
        ),
        *(whole[:length] for length in range(0, len(whole), 7)),
        f"{whole}=",
        f"{whole}/",
        f"{whole}%0d%0aLocation:%20https://evil.example",
        good(client, expires=int(time.time()) - 1),
        foreign.sign(Click("https://evil.example/", "bread", "", int(time.time()) + 60)),
        mail(client, "spring")["recommendation_id"],
        token(ANNA, secret="secret"),
        "//evil.example",
        "/evil.example",
        "%5C%5Cevil.example",
        "https:evil.example",
        "https://evil.example/",
        "%68ttps%3A%2F%2Fevil.example",
        "javascript:alert(1)",
        "%0d%0aLocation:%20https://evil.example",
        "..%2f..%2fevil.example",
        "%00",
        "%ff",
        "é",
    ]


def test_whatever_was_not_signed_here_leads_to_the_shops_own_page(client: TestClient) -> None:
    assert follow(client, f"/r/{good(client)}").headers["location"].startswith(f"{SHOP}/bread")
    for bad in bad_tokens(client):
        response = follow(client, f"/r/{bad}")
        assert (response.status_code, response.headers["location"]) == (302, SHOP), bad
        assert set(response.headers) == {
            "location",
            "cache-control",
            "referrer-policy",
            "content-length",
        }


def test_without_a_page_to_fall_back_to_it_leads_nowhere(shop: Shop, tmp_path: Path) -> None:
    with TestClient(
        create_quick(settings(shop, tmp_path, shop_url=None)), base_url="http://localhost"
    ) as client:
        for bad in bad_tokens(client):
            response = follow(client, f"/r/{bad}")
            assert (response.status_code, "location" in response.headers) == (404, False)
            assert "evil" not in response.text
            assert "refresh" not in response.text


def test_a_link_in_letters_of_the_world_travels_in_a_header(client: TestClient) -> None:
    response = follow(
        client, f"/r/{good(client, url='https://shop.example/brötchen?a=%20b', product_id='ü')}"
    )
    assert response.headers["location"].startswith(
        "https://shop.example/br%C3%B6tchen?a=%20b&utm_source="
    )


def test_while_the_store_is_busy_every_click_leads_on_at_once_and_none_is_forgotten(
    shop: Shop, tmp_path: Path
) -> None:
    """More of them than may wait for the store: the rest is counted as lost.

    So is, each time that the writer gives up waiting for the store, what it had in hand.
    """
    with TestClient(create_quick(settings(shop, tmp_path)), base_url="http://localhost") as client:
        urls = [
            f"/r/{good(client, product_id=str(number))}"
            for number in range(MAX_WAITING_JOBS + MAX_JOBS_IN_COMMIT + 50)
        ]
        busy = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        busy.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        for url in urls:
            started = time.monotonic()
            assert follow(client, url).headers["location"].startswith(f"{SHOP}/bread")
            assert time.monotonic() - started < WAIT_SECONDS
        assert counted(client, "recorded") == 0
        busy.execute("ROLLBACK")
        busy.close()
        given_up = 1 + int((time.monotonic() - began) / WAIT_SECONDS)
        wait_until(lambda: counted(client, "recorded") + counted(client, "lost") == len(urls))
        recorded = counted(client, "recorded")
        assert MAX_WAITING_JOBS - given_up * MAX_JOBS_IN_COMMIT <= recorded < len(urls)


def test_a_second_click_within_an_hour_is_a_repetition_whatever_the_clock_shows(
    store: Store,
) -> None:
    def click(minutes: int) -> str:
        hour, time_of_click = minutes // 60, minutes * 60
        event = Event(
            event_id=_event_id("token", hour),
            kind=KINDS.index("click"),
            time=time_of_click,
            lines=(EventLine("bread"),),
            session_id="s",
        )
        work = partial(_write, b"", event, _event_id("token", hour - 1))
        return store.write(work).result(10)

    moments = (650, 660, 700, 709, 711, 725, 800)
    assert [click(minutes) for minutes in moments] == [
        *("recorded", "repeated", "repeated", "repeated"),
        *("recorded", "repeated", "recorded"),
    ]

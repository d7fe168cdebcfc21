"""Blocks of mails that a marketer sets, and mails that look like them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.routes.blocks import MAX_BLOCKS
from tests.support.keyed_service import open_keyed_service
from tests.support.service_shop import Browse, Shop
from tests.support.store_server import away, new_store

pytestmark = pytest.mark.slow
MAIL = "/v1/customers/c00/recommendations.html"
BLOCK = {"columns": 2, "heading": "For you", "button": "To the product"}


@pytest.fixture
def own(browse: Browse, own_shop: Shop, tmp_path: Path) -> TestClient:
    return browse(own_shop.root, database_url=f"sqlite:///{tmp_path / 'store.db'}")


def put(client: TestClient, name: str, **block: Any) -> dict[str, Any]:
    response = client.put(f"/v1/blocks/{name}", json=block)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_a_block_is_set_read_listed_used_and_deleted(own: TestClient) -> None:
    stored = put(own, "weekly", **BLOCK)
    assert stored["block"] | BLOCK == stored["block"]
    assert stored["warnings"] == []
    assert own.get("/v1/blocks/weekly").json() == stored
    assert own.get("/v1/blocks").json() == {"blocks": [stored["block"]], "next": None}
    mail = own.get(MAIL, params={"block": "weekly", "n": 4})
    assert mail.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in mail.headers["content-security-policy"]
    assert "For you" in mail.text
    assert mail.text.count("rg-weekly-cell") == 4
    text = own.get(MAIL, params={"block": "weekly", "n": 4, "part": "text"})
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    titles = [
        one["title"]
        for one in own.get("/v1/customers/c00/recommendations?placement=email&n=4").json()[
            "recommendations"
        ]
    ]
    assert [title in text.text and title in mail.text for title in titles] == [True] * 4
    assert own.delete("/v1/blocks/weekly").json()["heading"] == "For you"
    assert own.get("/v1/blocks").json()["blocks"] == []
    assert own.delete("/v1/blocks/weekly").status_code == 404


def test_the_very_next_mail_looks_like_a_block_that_was_changed(own: TestClient) -> None:
    put(own, "weekly", heading="Before")
    assert "Before" in own.get(MAIL, params={"block": "weekly"}).text
    put(own, "weekly", heading="After")
    assert "After" in own.get(MAIL, params={"block": "weekly"}).text
    assert [entry["action"] for entry in own.get("/v1/audit").json()["changes"]] == [
        "block changed",
        "block made",
    ]


def test_a_block_is_looked_at_before_it_is_made(own: TestClient) -> None:
    body = {"customer_id": "c00", "look": BLOCK, "n": 3}
    previewed = own.post("/v1/blocks/preview", json=body)
    assert previewed.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in previewed.headers["content-security-policy"]
    assert own.get("/v1/blocks").json()["blocks"] == []
    put(own, "weekly", **BLOCK)
    made = own.get(MAIL, params={"block": "weekly", "n": 3}).text
    assert previewed.text.replace("rg-preview", "rg-weekly") == made
    text = own.post("/v1/blocks/preview", json={**body, "part": "text", "locale": "de_DE"})
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert "\u00a0€" in text.text
    refused = own.post("/v1/blocks/preview", json={**body, "look": {"columns": 9}}).json()
    assert refused["errors"][0]["field"] == "look.columns"


def test_a_mail_without_a_block_looks_as_before(own: TestClient) -> None:
    plain = own.get(MAIL, params={"n": 3}).text
    put(own, "weekly", **BLOCK)
    assert own.get(MAIL, params={"n": 3}).text == plain
    assert own.get(MAIL, params={"n": 3, "part": "text"}).text.count("View product: ") <= 3


@pytest.mark.parametrize(
    ("block", "field"),
    [
        ({"columns": 5}, "columns"),
        ({"columns": True}, "columns"),
        ({"parts": []}, "parts"),
        ({"parts": ["title", "title"]}, "parts"),
        ({"parts": "title"}, "parts"),
        ({"colors": {"text": "red"}}, "colors.text"),
        ({"colors": {"text": "#fff;background:url(x)"}}, "colors.text"),
        ({"font": "Comic Sans"}, "font"),
        ({"corners": "6px"}, "corners"),
        ({"button": ""}, "button"),
        ({"color": {}}, "color"),
    ],
)
def test_a_block_that_cannot_be_understood_is_refused_by_field(
    client: TestClient, block: dict[str, Any], field: str
) -> None:
    response = client.put("/v1/blocks/weekly", json=block)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_colours_that_are_hard_to_tell_apart_are_warned_of(own: TestClient) -> None:
    warned = put(own, "pale", colors={"reason": "#aaaaaa"}, dark_colors=None)["warnings"]
    assert [one["field"] for one in warned] == ["colors.reason"]
    assert "contrast of 2.3 to `background`" in warned[0]["problem"]


def test_a_block_that_nobody_made_is_a_404_that_says_how_to_make_it(client: TestClient) -> None:
    response = client.get(MAIL, params={"block": "nobodys"})
    assert response.status_code == 404
    assert "PUT /v1/blocks/nobodys" in response.json()["detail"]


def test_a_price_that_was_lowered_shows_the_one_before(own: TestClient) -> None:
    shown = own.get("/v1/customers/c00/recommendations?placement=email").json()["recommendations"]
    product = shown[0]
    put(own, "weekly", **BLOCK)
    assert "<s " not in own.get(MAIL, params={"block": "weekly"}).text
    lowered = {"price": product["price"] / 2, "currency": product["currency"]}
    assert own.patch(f"/v1/products/{product['id']}", json=lowered).status_code == 200
    mail = own.get(MAIL, params={"block": "weekly"}).text
    assert f"{product['price_text']}</s>" in mail
    assert mail.count("<s ") == 1


def test_a_mail_goes_out_plain_while_the_store_is_away(browse: Browse, tmp_path: Path) -> None:
    url = new_store("postgresql", tmp_path)
    client = browse(database_url=url)
    put(client, "weekly", **BLOCK)
    with away(url):
        mail = client.get(MAIL, params={"block": "weekly", "n": 3})
    assert mail.status_code == 200
    assert "rg-weekly" not in mail.text
    assert mail.text.count("<tr") == 3


def test_there_may_be_so_many_blocks(own: TestClient) -> None:
    for number in range(MAX_BLOCKS):
        put(own, f"b{number}")
    response = own.put("/v1/blocks/more", json={})
    assert (response.status_code, response.json()["detail"]) == (
        409,
        "A shop may have 200 blocks at most; delete one first.",
    )
    put(own, "b0", columns=2)


def test_a_key_that_reads_sets_no_block(shop: Shop, tmp_path: Path) -> None:
    with open_keyed_service(shop, tmp_path) as service:
        assert service.call("PUT", "/v1/blocks/weekly", "read", json={}) == 403
        assert service.call("PUT", "/v1/blocks/weekly", "write", json={}) == 200
        assert service.call("GET", "/v1/blocks", "read") == 200
        assert service.call("GET", "/v1/blocks", "token") == 403

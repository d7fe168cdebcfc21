"""A slate as a block of a mail."""

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from service.routes.mail_block import render_block
from service.settings import Settings
from tests.support.quick_service import create_quick
from tests.support.service_process import UNHURRIED_MS
from tests.support.service_shop import Shop
from tests.support.shop import NO_EMAIL, NO_WEB

CLIPPED_AT = 102_000  # bytes of a mail, by inboxes
HOSTILE = (
    "</a></td><script>alert(1)</script><img src=x onerror=alert(1)>\" onload='x' & {{ 7*7 }} &lt;"
)


@pytest.fixture(scope="module")
def client(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("mails")
    values = {
        "registry": shop.root,
        "deadline_ms": UNHURRIED_MS,
        "runtime_dir": folder / "run",
        "database_url": f"sqlite:///{folder / 'store.db'}",
        "signing_key": "secret",
        "shop_url": "https://shop.example",
        "public_url": "https://mails.shop.example",
    }
    with TestClient(
        create_quick(Settings.model_validate(values)),
        base_url="http://localhost",
        raise_server_exceptions=False,
    ) as opened:
        yield opened


class Seen(HTMLParser):
    """Every tag with its attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, attribute: str) -> list[str | None]:
        return [attributes[attribute] for name, attributes in self.tags if name == tag]


def product(**more: Any) -> dict[str, Any]:
    product = {
        "id": "bread",
        "title": "Rye loaf",
        "price_text": "€3.20",
        "url": "https://shop.example/bread",
        "image_url": "https://shop.example/bread.jpg",
        "click_url": "https://mails.shop.example/r/x",
        "reason": {"text": "You buy this about every 9 days"},
    }
    return {**product, **more}


def rendered(*products: dict[str, Any]) -> Seen:
    return Seen(
        render_block(
            orjson.dumps({"recommendations": products, "language": "en", "offer": None})
        ).decode()
    )


def test_a_customers_slate_is_a_block_with_title_price_reason_picture_and_link(
    client: TestClient,
) -> None:
    params = {"placement": "email", "campaign": "spring", "n": 4}
    slate = client.get("/v1/customers/c00/recommendations", params=params).json()["recommendations"]
    response = client.get("/v1/customers/c00/recommendations.html", params=params)
    assert (response.status_code, response.headers["content-type"]) == (
        200,
        "text/html; charset=utf-8",
    )
    seen = Seen(response.text)
    for shown in slate:
        assert {shown["title"], shown["price_text"], shown["reason"]["text"]} <= set(
            seen.text.split("\n")
        )
    links = [product["click_url"] for product in slate for _ in ("picture", "title")]
    assert seen.all("a", "href") == links
    assert seen.all("img", "alt") == [product["title"] for product in slate]
    assert [tag for tag, _ in seen.tags].count("tr") == len(slate)  # what a template may count
    assert {tag for tag, _ in seen.tags} == {"table", "tr", "td", "a", "img", "div"}


def test_who_has_it_already_is_told_so(client: TestClient) -> None:
    address = "/v1/customers/c00/recommendations.html?placement=email&campaign=etag"
    first = client.get(address)
    assert first.headers["cache-control"].startswith("private")
    assert client.get(address, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert client.get(address.replace("c00", "c01")).headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("placement", ["", "home", "email-weekly"])
def test_who_refused_mails_gets_what_everyone_gets_wherever_the_block_stands(
    client: TestClient, placement: str
) -> None:
    address = f"/v1/customers/{NO_EMAIL}/recommendations"
    in_mail, on_page = (
        client.get(address, params={"placement": where, "n": 3}).json()
        for where in ("email", "home")
    )
    assert (in_mail["strategy"], on_page["strategy"]) == ("not_personalized", "personal")
    block = client.get(f"{address}.html", params={"placement": placement, "n": 3})
    everyones, own = (
        [product["title"] for product in slate["recommendations"]] for slate in (in_mail, on_page)
    )
    assert Seen(block.text).all("img", "alt") == everyones != own


def test_who_refused_pages_alone_has_a_block_of_their_own(client: TestClient) -> None:
    address = f"/v1/customers/{NO_WEB}/recommendations"
    mail = client.get(address, params={"placement": "email", "n": 3}).json()
    assert mail["strategy"] == "personal"
    block = client.get(f"{address}.html", params={"placement": "home", "n": 3})
    titles = [product["title"] for product in mail["recommendations"]]
    assert Seen(block.text).all("img", "alt") == titles


def test_a_block_has_the_links_of_mails_wherever_it_stands(client: TestClient) -> None:
    asked = {"placement": "home", "n": 3}
    block = client.get("/v1/customers/c00/recommendations.html", params=asked)
    links = Seen(block.text).all("a", "href")
    assert len(links) == 6
    assert all("utm_medium=email" in (link or "") for link in links)


def test_a_browser_that_opens_a_block_runs_nothing_in_it_and_guesses_no_other_type(
    client: TestClient,
) -> None:
    address = "/v1/customers/c00/recommendations.html"
    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first.headers["etag"]})
    empty = client.get(address, params={"category": "none"})
    assert [first.status_code, again.status_code, empty.content] == [200, 304, b""]
    for answered in (first, again, empty):
        assert answered.headers["x-content-type-options"] == "nosniff"
        policy = dict(
            directive.split(" ", 1)
            for directive in answered.headers["content-security-policy"].split("; ")
        )
        assert policy == {
            "default-src": "'none'",
            "img-src": "*",
            "style-src": "'unsafe-inline'",
            "base-uri": "'none'",
            "form-action": "'none'",
        }


@pytest.mark.parametrize("customer_id", ["nobody", "a/b", "x.html", "c00/recommendations"])
def test_every_recipient_gets_a_block(client: TestClient, customer_id: str) -> None:
    response = client.get(
        f"/v1/customers/{customer_id}/recommendations.html", params={"fields": "ids", "n": 2}
    )
    assert response.status_code == 200
    assert len(Seen(response.text).all("img", "src")) == 2


def test_an_empty_slate_is_an_empty_body(client: TestClient) -> None:
    response = client.get("/v1/customers/c00/recommendations.html", params={"category": "none"})
    assert (response.status_code, response.content) == (200, b"")


def test_what_cannot_be_asked_is_a_problem(client: TestClient) -> None:
    response = client.get("/v1/customers/c00/recommendations.html", params={"n": 0})
    assert (response.status_code, response.headers["content-type"]) == (
        422,
        "application/problem+json",
    )


@pytest.mark.parametrize("field", ["title", "price_text", "id"])
def test_markup_in_what_the_shop_wrote_is_text(field: str) -> None:
    seen = rendered(product(**{"title": None, field: HOSTILE}))
    assert HOSTILE in seen.text
    assert {tag for tag, _ in seen.tags} == {"table", "tr", "td", "a", "img", "div"}
    written = {name for _, attributes in seen.tags for name in attributes}
    assert not {name for name in written if name.startswith("on")}


def test_markup_in_a_reason_and_in_an_address_is_text() -> None:
    address = 'https://shop.example/"><script>alert(1)</script>'
    seen = rendered(
        product(reason={"text": HOSTILE}, click_url=None, url=address, image_url=address)
    )
    assert HOSTILE in seen.text
    assert seen.all("a", "href") == [address] * 2
    assert "script" not in {tag for tag, _ in seen.tags}


def test_without_picture_price_or_link_the_rest_is_shown() -> None:
    seen = rendered(product(image_url=None, price_text=None, url=None, click_url=None))
    assert " ".join(seen.text.split()) == "Rye loaf You buy this about every 9 days"
    assert {tag for tag, _ in seen.tags} == {"table", "tr", "td", "div"}


def test_a_title_says_in_which_direction_it_is_read() -> None:
    assert ("td", "auto") in [
        (tag, attributes.get("dir")) for tag, attributes in rendered(product()).tags
    ]


def test_twelve_products_are_not_clipped_whatever_they_are_called() -> None:
    long = product(title="<&>" * 3000, reason={"text": "'" * 5000}, price_text="€1,234,567.89")
    link = "https://mails.shop.example/r/" + "x" * 1500
    html = render_block(
        orjson.dumps(
            {
                "recommendations": [{**long, "click_url": link, "image_url": link}] * 12,
                "language": "en",
                "offer": None,
            }
        )
    )
    assert len(html) < CLIPPED_AT


def test_the_template_needs_nothing_from_elsewhere() -> None:
    template = Path("service/routes/templates/slate.html").read_text()
    assert not re.search(r"<script|<link|<style|@import|url\(|position:|class=", unescape(template))

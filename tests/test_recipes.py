"""The recipes for email platforms do what they say: their requests are sent to the service, their
exports are made.

What counts as a request: every `https://recs.example/…` in a document, once what the platform puts
in for a recipient (PERSONAL) is replaced by a customer of the small shop; a line that begins with
`curl` is parsed as a whole. What counts as a field: `slate.count`, `product.title` or `this.title`,
`Field(@product, "title")`; of a file: `rec_1_title`.
"""

from __future__ import annotations

import base64
import csv
import html
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from models.mail.mailings import MailKind
from service.schemas.answers import Feed, Recommendation, SlateAnswer
from service.settings import Settings
from tests.support.mail_templates import (
    ABORTED,
    render_django,
    render_handlebars,
    render_liquid,
)
from tests.support.quick_service import create_quick
from tests.support.service_process import UNHURRIED_MS
from tests.support.training_shop import small_shop
from training.cli import commands

FOLDER = Path(__file__).parent.parent / "docs/email"
EXPLAINED = ("README", "feeds", "html", "links")  # what the recipes stand on
RECIPES = sorted(path for path in FOLDER.glob("*.md") if path.stem not in EXPLAINED)
DOCUMENTS = [*RECIPES, FOLDER / "README.md"]
FILES = [FOLDER / "klaviyo.md", FOLDER / "mailchimp.md"]  # platforms that do not call
HOST = "https://recs.example"
KEY = "YOUR-KEY"
PERSONAL = {
    "{{${user_id} | url_param_escape}}": "c00",  # Braze
    "{{event_properties.${order_id} | url_param_escape}}": "order-1",
    "{{#urlEncode}}{{userId}}{{/urlEncode}}": "c01",  # Iterable
    "{{user_id | url_encode}}": "c02",  # Blueshift
    '" + id + "': "c03",  # Salesforce
    "customers/%s/": "customers/c04/",  # Mautic
}
named = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
recipes = pytest.mark.parametrize("document", RECIPES, ids=lambda path: path.stem)


def text(document: Path) -> str:
    content = document.read_text().replace("\\\n", " ")
    for tag, value in PERSONAL.items():
        content = content.replace(tag, value)
    return content


def lines(document: Path, start: str) -> list[list[str]]:
    """Code lines that begin so, as a shell reads them."""
    found = re.findall(rf"^ {{4,8}}({start} .*)$", text(document), re.MULTILINE)
    return [shlex.split(line) for line in found]


def addresses(document: Path) -> list[str]:
    """What is fetched with GET: path and query."""
    content = re.sub(r"^ {4}curl .*$", "", text(document), flags=re.MULTILINE)
    return re.findall(rf"{HOST}(/[^\s\"'`<>]+)", content)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("recipes")
    registry = small_shop(folder / "registry")
    settings = Settings.model_validate(
        {
            "registry": registry.root,
            "runtime_dir": folder / "run",
            "api_key": KEY,
            "shop_url": "https://shop.example",
            "deadline_ms": UNHURRIED_MS,
        }
    )
    with TestClient(create_quick(settings), headers={"X-API-Key": KEY}) as opened:
        line = {"product_id": "bread", "quantity": 1, "unit_price": 2.0}
        order = {
            "event_id": "o1",
            "kind": "purchase",
            "time": "2025-06-29T10:00:00Z",
            "customer_id": "c00",
        }
        opened.post(
            "/v1/events", json={"events": [{**order, "order_id": "order-1", "lines": [line]}]}
        )
        yield opened


@named
def test_every_request_is_answered_with_what_was_asked_for(
    client: TestClient, document: Path
) -> None:
    assert addresses(document) or document in FILES
    for address in addresses(document):
        assert not re.search(r"[{}|*]|%[^0-9A-F]", address), address
        answered = client.get(address, follow_redirects=False)
        assert answered.status_code == 200, address
        if "/feeds/" in address:
            assert Feed.model_validate_json(answered.content).count >= 4
            continue
        asked = parse_qs(urlsplit(address).query)
        assert {"placement", "campaign", "n", "deadline_ms"} <= {*asked}, address
        if ".html" in address:
            assert answered.text.count("<tr") == int(asked["n"][0])
            continue
        slate = SlateAnswer.model_validate_json(answered.content)
        assert slate.count == len(slate.recommendations) == int(asked["n"][0])


@recipes
def test_the_fields_that_a_recipe_shows_are_in_the_answer(document: Path) -> None:
    content = text(document)
    slate = {*re.findall(r"\bslate\.(?!__)(\w+)", content)}
    product = {*re.findall(r'\b(?:product|this)\.(\w+)|Field\(@product, "(\w+)"', content)}
    assert slate <= {*SlateAnswer.model_fields}
    assert {name for pair in product for name in pair if name} <= {*Recommendation.model_fields}
    assert product or "rec_1_title" in content


@recipes
def test_the_guard_knows_a_list_that_is_too_short(client: TestClient, document: Path) -> None:
    guards = (
        r"count < 4|count >= 4|slate\.count 4|RECCOUNT >= 4"
        r"|RowCount\(@products\) < 4|'<tr'\) >= 4|default:0 >= 4"
    )
    assert re.search(guards, text(document))
    for address in addresses(document):
        if "/feeds/" in address:
            continue
        answered = client.get(address + "&strict=true&category=nothing")
        assert answered.status_code == 200
        if ".html" in address:
            assert "<tr" not in answered.text
        else:
            assert (answered.json()["count"], answered.json()["recommendations"]) == (0, [])


@recipes
def test_whoever_is_not_known_gets_as_many_products(client: TestClient, document: Path) -> None:
    for address in addresses(document):
        answered = client.get(re.sub(r"/c0\d/", "/stranger/", address))
        assert answered.status_code == 200
        assert ".html" in address or answered.json()["count"] >= 4


@named
def test_the_key_opens_the_service_as_the_recipe_sends_it(
    client: TestClient, document: Path
) -> None:
    content = text(document)
    ways = {
        "X-API-Key": KEY if f"X-API-Key: {KEY}" in content else "",
        "Authorization": f"Bearer {KEY}" if f"Authorization: Bearer {KEY}" in content else "",
    }
    sent = [{name: value} for name, value in ways.items() if value]
    if "basic auth" in content.lower():
        sent.append(
            {"Authorization": "Basic " + base64.b64encode(f"anyone:{KEY}".encode()).decode()}
        )
    assert sent or document in FILES
    for headers in sent:
        assert TestClient(client.app).get("/v1/popular", headers=headers).status_code == 200
    assert TestClient(client.app).get("/v1/popular").status_code == 401


def test_the_calls_of_the_overview_do_what_it_says(client: TestClient) -> None:
    told = {}
    for _, _, method, address, *options in lines(FOLDER / "README.md", "curl"):
        given = list(zip(options[::2], options[1::2], strict=True))
        headers = dict(value.split(": ", 1) for name, value in given if name == "-H") | {
            "X-API-Key": KEY
        }
        body = next(value for name, value in given if name == "-d")
        told[method] = client.request(
            method, address.removeprefix(HOST), content=body, headers=headers
        )
    assert told["PUT"].json()["kind"] == "replenishment"
    assert [
        SlateAnswer.model_validate_json(line).count for line in told["POST"].content.splitlines()
    ] == [4, 4]


def test_every_kind_of_mail_is_named_in_the_overview() -> None:
    assert {f"`{kind}`" for kind in MailKind} - {"`newsletter`"} <= {
        *re.findall(r"`\w+`", text(FOLDER / "README.md"))
    }


AWKWARD = {"title": 'Bread & "Butter" <b>', "image_url": "https://shop.example/b.jpg?a=1&b=2"}


def templates(name: str, kind: str) -> list[str]:
    """The blocks of a recipe that are pasted into a mail, without those that are an address."""
    blocks: list[str] = re.findall(rf"```{kind}\n(.*?)```", (FOLDER / name).read_text(), re.DOTALL)
    return [block for block in blocks if not block.startswith("https://")]


def fetched(client: TestClient, **options: str) -> dict[str, Any]:
    """What a mail system has got: a slate, whose first product has an awkward title."""
    asked = {"placement": "email", "campaign": "rendered", "n": "4", **options}
    slate = client.get("/v1/customers/c00/recommendations", params=asked).json()
    for product in slate["recommendations"][:1]:
        product |= AWKWARD
    return slate


def assert_shown(mail: str, slate: dict[str, Any]) -> None:
    assert mail.count("<tr>") == 4
    assert "Bread &amp; &quot;Butter&quot; &lt;b&gt;" in mail.replace("&#34;", "&quot;")
    for product in slate["recommendations"][1:]:
        for told in (product["title"], product["price_text"], product["reason"]["text"]):
            assert html.escape(told) in mail


def test_braze_shows_what_it_fetched_and_nothing_where_that_is_too_little(
    client: TestClient,
) -> None:
    products, occasion = templates("braze.md", "liquid")
    slate = fetched(client)
    answered = {"slate": {**slate, "__http_status_code__": 200}}
    assert_shown(render_liquid(products, answered), slate)
    for bad in (
        {"slate": {**slate, "__http_status_code__": 500}},
        {"slate": {**fetched(client, category="nothing"), "__http_status_code__": 200}},
        {"slate": ""},
    ):
        assert f"{ABORTED}fewer than 4" in render_liquid(products, bad)
    assert f"{ABORTED}not due" in render_liquid(occasion, answered)
    due = {"text": "You ordered Bread & Butter", "kind": "post_purchase"}
    mail = render_liquid(occasion, {"slate": {**answered["slate"], "occasion": due}})
    assert mail.strip() == "<p>You ordered Bread &amp; Butter</p>"


def test_blueshift_shows_what_it_fetched_or_says_something_else(client: TestClient) -> None:
    (products,) = templates("blueshift.md", "liquid")
    slate = fetched(client)
    assert_shown(render_liquid(products, {"external_fetches": {"regulars": slate}}), slate)
    for nothing in ({}, {"regulars": fetched(client, category="nothing")}):
        mail = render_liquid(products, {"external_fetches": nothing})
        assert mail.strip() == "<p>See what is new in the shop.</p>"


def test_iterable_shows_what_it_fetched_and_skips_who_gets_too_little(client: TestClient) -> None:
    products, occasion = templates("iterable.md", "handlebars")
    slate = fetched(client)
    assert_shown(render_handlebars(products, {"slate": slate}), slate)
    few = {"slate": {**slate, "count": 3}}
    assert render_handlebars(products, few) == f"{ABORTED}fewer than 4 recommendations"
    for nothing in ({}, {"slate": fetched(client, category="nothing")}):
        assert render_handlebars(products, nothing) == f"{ABORTED}no recommendations"
    assert render_handlebars(occasion, {"slate": slate}) == f"{ABORTED}not due"
    due = {"slate": {**slate, "occasion": {"text": "It is back"}}}
    assert render_handlebars(occasion, due).strip() == "<p>It is back</p>"


def test_klaviyo_shows_the_columns_of_a_person_and_the_feed_of_all(client: TestClient) -> None:
    products, occasion, feed = templates("klaviyo.md", "django")
    slate = fetched(client)
    person: dict[str, Any] = {"count": 4, "occasion_text": "It is back"}
    for rank, product in enumerate(slate["recommendations"], 1):
        told = product | {"reason": product["reason"]["text"]}
        person |= {f"rec_{rank}_{name}": value for name, value in told.items()}
    mail = render_django(products, {"person": person})
    assert "Bread &amp; &quot;Butter&quot; &lt;b&gt;" in mail
    assert html.escape(person["rec_1_reason"]) in mail
    for few in ({}, {"count": 3}):
        mail = render_django(products, {"person": few})
        assert mail.strip() == "<p>See what is new in the shop.</p>"
    assert render_django(occasion, {"person": person}).strip() == "<p>It is back</p>"
    document = client.get("/v1/feeds/popular.json?n=10").json()
    mail = render_django(feed, {"feeds": {"slate": document}})
    assert mail.count("<p>") == 4
    assert html.escape(document["recommendations"][0]["title"]) in mail
    assert render_django(feed, {"feeds": {}}).strip() == ""


EXPORTS = [(document, line) for document in DOCUMENTS for line in lines(document, "regulars")]


@pytest.mark.parametrize(
    ("document", "line"), EXPORTS, ids=lambda part: getattr(part, "stem", "export")
)
def test_every_export_is_understood(document: Path, line: list[str]) -> None:
    commands.build_parser().parse_args(line[1:])


@pytest.mark.parametrize("of_a_kind", [False, True])
def test_an_export_has_the_columns_that_the_recipes_show(
    client: TestClient, tmp_path: Path, of_a_kind: bool
) -> None:
    settings = client.app.state.responder.settings  # type: ignore[attr-defined]
    shown = {*re.findall(r"\brec_\d_[a-z_]*[a-z]|\boccasion_[a-z]+", "".join(map(text, DOCUMENTS)))}
    line = next(line[1:] for _, line in EXPORTS if bool({*line} & {*MailKind}) is of_a_kind)
    places = {
        "--registry": str(settings.registry),
        "--store": settings.store_url(),
        "--output": str(tmp_path / "made.csv"),
    }
    arguments = [places.get(before, part) for before, part in pairwise(["", *line])]
    assert commands.main(arguments, now=0) == 0
    with (tmp_path / "made.csv").open() as made:
        columns = csv.DictReader(made).fieldnames or ()
    assert {"customer_id", "count", *shown} - {*columns} <= {
        name for name in shown if "occasion" in name
    }
    assert ("occasion_text" in columns) is of_a_kind


@named
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_no_recipe_names_this_machine() -> None:
    content = "".join(document.read_text() for document in DOCUMENTS)
    assert not re.search(r"/root/|/work/|127\.0\.0\.1", content)

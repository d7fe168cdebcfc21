"""The web component in a Chromium, in a page of another origin with a strict policy."""

import gzip
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from regulars_client import Call, Client

from tests.support.keyed_service import FIRST_KEY, token
from tests.support.lossy_proxy import LossyProxy, Mishap
from tests.support.node import CLIENT

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None,
        reason="There is no chromium on the PATH, in which the component is tested.",
    ),
]
COMPONENT = CLIENT.with_name("regulars-slate.js")
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
LONG = "\u202e" + "W" * 499
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="page.css">
<script type="module" src="regulars-slate.js"></script><script src="page.js"></script></head>
<body><main><h1>Shop</h1>{slate}<p id="below">What follows</p></main></body></html>"""
STYLE = """
body { font: 16px/1.5 sans-serif; color: #222; background: #fff }
regulars-slate { display: block; min-height: 31rem }
.dark { color: #eee; background: #111 }
body:not(.dark) regulars-slate::part(title) { color: rgb(0, 0, 200) }
"""
SCRIPT = """
window.reports = []; window.heard = []; window.shift = 0;
document.addEventListener("securitypolicyviolation", (event) => reports.push(event.violatedDirective));
for (const name of ["add", "dismiss", "error"]) {
  document.addEventListener(`regulars-${name}`, ({ detail }) =>
    heard.push([name, detail.product?.id ?? detail.error.name]));
}
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@dataclass
class Storefront:
    """A page of a shop, and the service that it calls."""

    page: Page
    url: str
    proxy: LossyProxy
    client: Client

    def open(self, customer: str, **attributes: str) -> None:
        """Open a page with a slate for a customer."""
        given = {"placement": "home", "service": self.proxy.url, "count": "4", **attributes}
        given["customer-token"] = token(customer)
        written = "".join(f" {name.replace('_', '-')}='{value}'" for name, value in given.items())
        slate = f"<regulars-slate{written}></regulars-slate>"
        self.page.goto(f"{self.url}/page.html?{quote(slate)}")

    def wait(self) -> None:
        """Wait for the slate."""
        expect(self.page.locator("regulars-slate")).to_have_attribute("state", "ready")

    def stood_still(self) -> bool:
        """Return whether nothing has moved by itself. The browser tells it a frame later."""
        frame = "() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 100))"
        self.page.evaluate(frame)
        return bool(self.page.evaluate("window.shift") == 0)

    def events(self, customer: str, kind: str) -> list[dict[str, Any]]:
        """Return what was reported of a customer, newest first, once nothing is under way."""
        self.page.wait_for_load_state("networkidle")
        options = {"customer_id": customer, "kind": kind}
        found: list[dict[str, Any]] = self.client.send(Call("GET", "/v1/events", options))["events"]
        return found


class Handler(SimpleHTTPRequestHandler):
    """Serve the page, with a policy that allows nothing but what the component needs."""

    def __init__(self, *args: Any, service: str, **more: Any) -> None:
        self._service = service
        super().__init__(*args, directory=str(CLIENT.parent), **more)

    def do_GET(self) -> None:
        name, _, query = self.path.removeprefix("/").partition("?")
        made = {
            "page.html": PAGE.replace("{slate}", unquote(query)),
            "page.css": STYLE,
            "page.js": SCRIPT,
        }
        if name not in made:
            super().do_GET()
            return
        kinds = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
        self.send_response(200)
        self.send_header("Content-Type", kinds[name.rpartition(".")[2]])
        self.end_headers()
        self.wfile.write(made[name].encode())

    def end_headers(self) -> None:
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src https:; "
            f"connect-src {self._service}; base-uri 'none'; require-trusted-types-for 'script'"
        )
        self.send_header("Content-Security-Policy", policy)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serve(port: int, service: str) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, service=service))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture
def shop_page(browser: Browser, proxy: LossyProxy, storefront_port: int) -> Iterator[Storefront]:
    """Open a shop. Whatever a test does, its pages break no policy and have no error."""
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    with (
        serve(storefront_port, proxy.url),
        Client(proxy.url, key=FIRST_KEY) as client,
    ):
        yield Storefront(page, f"http://127.0.0.1:{storefront_port}", proxy, client)
        assert errors == []
        assert page.evaluate("window.reports") == []
        context.close()


def test_client_and_component_take_eight_kilobytes_as_they_are() -> None:
    files = (CLIENT, COMPONENT)
    assert sum(len(gzip.compress(file.read_bytes(), 9)) for file in files) <= 8_000


def test_a_slate_is_shown_with_its_reasons_where_a_placeholder_stood(shop_page: Storefront) -> None:
    shop_page.open("c11")
    shop_page.wait()
    page = shop_page.page
    slate = shop_page.client.visit(customer_id="c11", n=4, placement="home")["recommendations"]
    cards = page.locator("[part=card]")
    expect(cards).to_have_count(4)
    for card, product in zip(cards.all(), slate, strict=True):
        expect(card).to_contain_text(str(product["title"]))
        expect(card).to_contain_text(product["reason"]["text"])
    expect(page.get_by_role("region", name="Recommended for you")).to_be_visible()
    assert shop_page.stood_still()
    color = cards.first.locator("[part=title]").evaluate("title => getComputedStyle(title).color")
    assert color == "rgb(0, 0, 200)"


def test_nothing_is_reported_before_somebody_has_said_yes(shop_page: Storefront) -> None:
    page = shop_page.page
    shop_page.open("c12")
    shop_page.wait()
    page.get_by_role("button", name="Add to basket").first.click()
    expect(page.get_by_role("status")).to_contain_text("is in your basket")
    assert [name for name, _ in page.evaluate("heard")] == ["add"]
    page.wait_for_load_state("networkidle")
    assert "POST /v1/events" not in shop_page.proxy.calls
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_role("group")).to_have_count(0)
    with page.expect_response("**/v1/events"):
        page.get_by_role("button", name="Add to basket").nth(1).click()
    (exposure,) = shop_page.events("c12", "exposure")
    assert len(exposure["lines"]) == 4
    assert exposure["placement"] == "home"
    assert exposure["recommendation_id"]
    assert len(shop_page.events("c12", "cart")) == 1
    consent = shop_page.client.profile("c12")["consent"]
    assert consent["measure"]["given"] is True
    page.reload()
    shop_page.wait()
    expect(page.get_by_role("group")).to_have_count(0)


def test_who_says_no_is_not_asked_again_and_nothing_is_reported(shop_page: Storefront) -> None:
    page = shop_page.page
    shop_page.open("c13")
    shop_page.wait()
    page.get_by_role("button", name="No", exact=True).click()
    expect(page.get_by_role("heading", name="Recommended for you")).to_be_focused()
    page.reload()
    shop_page.wait()
    expect(page.get_by_role("group")).to_have_count(0)
    page.get_by_role("button", name="Add to basket").first.click()
    page.wait_for_load_state("networkidle")
    assert "POST /v1/events" not in shop_page.proxy.calls
    assert shop_page.client.profile("c13")["consent"]["measure"]["given"] is False


def test_a_product_that_is_of_no_interest_goes_by_keyboard_and_stays_away(
    shop_page: Storefront,
) -> None:
    page = shop_page.page
    shop_page.open("c14", consent="denied")
    shop_page.wait()
    first, second = page.locator("[part=dismiss]").all()[:2]
    name, next_name = (one.get_attribute("aria-label") for one in (first, second))
    first.focus()
    with page.expect_response("**/v1/events"):
        page.keyboard.press("Enter")
    expect(page.locator("[part=card]")).to_have_count(3)
    expect(page.get_by_role("status")).to_contain_text("will not be suggested to you again")
    expect(page.get_by_role("button", name=next_name)).to_be_focused()
    assert len(shop_page.events("c14", "dismiss")) == 1
    shop_page.open("c14", consent="denied")
    shop_page.wait()
    expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)


def test_a_click_is_reported_even_if_its_page_could_not_send_it(shop_page: Storefront) -> None:
    page, (product, *_) = (
        shop_page.page,
        shop_page.client.visit(customer_id="c15", n=4, placement="home")["recommendations"],
    )
    shop_page.client.put_products(
        products=[
            {"product_id": product["id"], "title": "Rye", "url": f"{shop_page.url}/page.html?"}
        ]
    )
    shop_page.open("c15", consent="granted", count="100")
    shop_page.wait()
    shop_page.events("c15", "exposure")
    shop_page.proxy.mishaps = [Mishap.LOST, Mishap.LOST]
    page.get_by_role("link", name="Rye").click()
    page.wait_for_url("**/page.html?")
    shop_page.proxy.mishaps = []
    shop_page.open("c15", consent="granted")
    shop_page.wait()
    (click,) = shop_page.events("c15", "click")
    assert click["lines"][0]["product_id"] == product["id"]


def test_the_shop_may_keep_the_event_of_a_basket_to_itself(shop_page: Storefront) -> None:
    page = shop_page.page
    shop_page.open("c16", consent="granted", count="1", texts=json.dumps({"add": "In den Korb"}))
    shop_page.wait()
    page.evaluate("document.addEventListener('regulars-add', (event) => event.preventDefault())")
    page.locator("button", has_text="In den Korb").click()
    expect(page.get_by_role("status")).to_be_empty()
    assert shop_page.events("c16", "cart") == []


@pytest.mark.parametrize("text", [HOSTILE, LONG], ids=["markup", "500 characters"])
def test_whatever_a_title_holds_is_shown_as_text_and_the_page_stands_still(
    shop_page: Storefront, text: str
) -> None:
    page = shop_page.page
    shown = shop_page.client.visit(customer_id="c17", n=2, placement="home")["recommendations"]
    changed = [{"product_id": product["id"], "title": text, "price": 9e8} for product in shown]
    assert shop_page.client.put_products(products=changed)["written"] == 2
    shop_page.open("c17", count="2")
    shop_page.wait()
    titles = page.locator("[part=title]").all_text_contents()
    assert text in titles
    expect(page).to_have_title("Shop")
    assert shop_page.stood_still()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_service_that_is_away_leaves_the_page_as_it_is(shop_page: Storefront) -> None:
    shop_page.proxy.mishaps = [Mishap.LOST, Mishap.UNANSWERED]
    shop_page.open("c18")
    slate = shop_page.page.locator("regulars-slate")
    expect(slate).to_have_attribute("state", "failed")
    assert shop_page.page.evaluate("heard") == [["error", "Error"]]


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_everyone_can_use_it(shop_page: Storefront, look: str) -> None:
    page = shop_page.page
    page.set_viewport_size({"width": 360 if look == "phone" else 1000, "height": 740})
    shop_page.open("c19")
    shop_page.wait()
    page.evaluate("look => document.body.classList.toggle('dark', look === 'dark')", look)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    below = page.locator("#below").bounding_box()
    slate = page.locator("regulars-slate").bounding_box()
    assert below is not None
    assert slate is not None
    assert below["y"] >= slate["y"] + slate["height"]
    assert shop_page.stood_still()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

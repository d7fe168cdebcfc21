"""The console in a browser, on the small shop's model: a real service, a real Chromium."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from models.artifact.reports import report_path
from tests.support.expected_answers import another_version
from tests.support.service_shop import Shop, process
from tests.support.store_clients import Caller

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no chromium on the PATH, in which the console is tested."
    ),
]
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
LONG = "\u202e" + "W" * 499
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}
CUSTOMER = "c00"
HEARD = """
window.reports = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.reports.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
SCREENS = {
    "overview": "",
    "customers": "",
    "customer": f"customers?id={CUSTOMER}&product_id=kite",
    "forget": f"customers?id={CUSTOMER}&forget=1",
    "products": "",
    "product": "products?id=bread",
    "rules": "",
    "models": "",
    "campaigns": "",
    "insights": "",
    "product insights": "insights?by=product",
    "events": "",
    "keys": "",
    "audit": "",
    "settings": "",
    "missing": "no-such-screen",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def port(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A service with two versions, a rule, a mailing, and events of hostile names."""
    folder = tmp_path_factory.mktemp("console")
    shutil.copytree(shop.root, folder / "own", ignore=shutil.ignore_patterns("store.db*"))
    another_version(folder / "own")
    report = report_path(folder / "own", shop.model.version)
    report.parent.mkdir(exist_ok=True)
    report.write_text("<p>Good</p>")
    with process(folder / "own", folder / "run", console="true", deadline_ms=10_000) as opened:
        with closing(Caller(opened)) as call:
            fill(call)
        yield opened


def fill(call: Caller) -> None:
    views = []
    for number, text in enumerate(("bread", HOSTILE, LONG)):
        view = {"event_id": f"v{number}", "kind": "view", "time": "2025-06-29T10:00:00Z"}
        views.append(view | {"customer_id": CUSTOMER, "product_id": text})
    facts = {"category": HOSTILE, "brand": LONG, "price": 1.5, "currency": "EUR"}
    products = [{"product_id": text, "title": text, **facts} for text in (HOSTILE, LONG)]
    rule = {"kind": "exclude", "which": {"brand": LONG}}
    for method, path, body in (
        ("PUT", "/v1/products", {"products": products}),
        ("POST", "/v1/events", {"events": views}),
        ("PUT", "/v1/rules/hide", rule),
        ("PUT", "/v1/campaigns/monday", {}),
    ):
        assert call(method, path, body)[0] in (200, 202), path


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport=DESKTOP)
    opened.add_init_script(HEARD)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, port: int) -> Iterator[Page]:
    """The console. Whatever a test does, no page breaks its policy or has an error."""
    opened, wrong = context.new_page(), []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda message: wrong.append(message.text))
    opened.goto(f"http://127.0.0.1:{port}/console")
    yield opened
    assert wrong == []  # what a policy blocks stands in the log too


def ask(port: int, method: str, path: str) -> tuple[int, dict[str, Any]]:
    with closing(Caller(port)) as call:
        return call(method, path)


def shown(port: int, customer_id: str = CUSTOMER) -> list[str]:
    path = f"/v1/customers/{customer_id}/recommendations?placement=home"
    return [one["id"] for one in ask(port, "GET", path)[1]["recommendations"]]


def test_a_rule_is_tried_put_in_force_and_undone(page: Page, port: int) -> None:
    first = shown(port)[0]
    page.get_by_role("link", name="Rules", exact=True).click()
    expect(page.get_by_text("What have we told the shop")).to_be_visible()
    page.get_by_label("Name of the rule").fill("try it")
    page.get_by_label("What it does").select_option("boost")
    expect(page.get_by_label("Factor")).to_be_visible()
    page.get_by_label("What it does").select_option("exclude")
    expect(page.get_by_label("Factor")).to_be_hidden()
    page.get_by_label("Product ids, with commas").fill(first)
    page.get_by_label("Try it on these customers").fill(CUSTOMER)
    page.get_by_role("button", name="Preview").click()
    tried = page.locator(".tried").first
    expect(tried.locator(".gone")).to_have_count(1)
    expect(tried.locator(".come")).to_have_count(1)
    assert first in shown(port)  # it was only tried
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_role("status")).to_contain_text("The rule is in force")
    assert first not in shown(port)
    page.get_by_role("link", name="Customers", exact=True).click()
    page.get_by_role("link", name=CUSTOMER, exact=True).first.click()
    page.get_by_label("Why is this product not here?").fill(first)
    page.get_by_role("button", name="Ask").click()
    expect(page.locator(".answer")).to_contain_text("an exclusion of the shop")
    page.locator(".answer summary").first.click()
    page.locator(".answer").get_by_role("link", name="try it").click()
    expect(page.get_by_label("Name of the rule")).to_have_value("try it")
    page.get_by_role("button", name="Undo the change of try it").click()
    expect(page.get_by_role("status")).to_contain_text("undone")
    assert first in shown(port)


def test_another_version_is_served_and_the_one_before_again(page: Page, port: int) -> None:
    served = ask(port, "GET", "/v1/models")[1]["active"]
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("button", name="Serve 2").click()
    expect(page.get_by_role("status")).to_contain_text("serves the version now")
    assert ask(port, "GET", "/v1/models")[1]["active"] != served
    page.get_by_role("button", name="Back to the version served before").click()
    expect(page.get_by_role("status")).to_contain_text("serves the version now")
    assert ask(port, "GET", "/v1/models")[1]["active"] == served
    with page.expect_download() as download:
        page.get_by_role("link", name="Report, to keep and open").click()
    assert download.value.suggested_filename == f"training-{served}.html"


def test_a_customer_says_no_and_is_forgotten_with_a_receipt(page: Page, port: int) -> None:
    page.goto(f"http://127.0.0.1:{port}/console/customers?id=c05")
    assert len(page.locator(".explained > li").all()) == 10
    mails = page.get_by_role("group", name="Personal mails")
    mails.get_by_label("no").check()
    page.get_by_role("button", name="Keep these answers").click()
    expect(page.get_by_role("status")).to_contain_text("The answer was kept")
    expect(mails.get_by_label("no")).to_be_checked()
    page.get_by_role("link", name="Mail", exact=True).click()
    expect(page.locator("#slate")).to_contain_text("no consent")
    page.get_by_role("link", name="Forget this customer …").click()
    page.get_by_role("button", name="Yes, forget this customer").click()
    expect(page.get_by_role("status")).to_contain_text("in no answer from now on")
    assert ask(port, "GET", "/v1/customers/c05/profile")[1]["known"]["events"] == 0


@pytest.mark.parametrize(("scheme", "viewport"), [("light", DESKTOP), ("dark", PHONE)])
def test_every_screen_can_be_read_and_used_by_everyone(
    browser: Browser, port: int, scheme: str, viewport: ViewportSize
) -> None:
    context = browser.new_context(viewport=viewport, color_scheme=scheme)
    context.add_init_script(HEARD)
    page = context.new_page()
    for name, address in SCREENS.items():
        page.goto(f"http://127.0.0.1:{port}/console/{address or name}")
        for summary in page.locator("details > summary").all()[:3]:
            summary.click()
        found = Axe().run(page)
        assert found.violations_count == 0, f"{name} {scheme}: {found.generate_report()}"
        width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], f"{name} is wider than its window"
        assert page.title() != "owned"
        assert page.evaluate("window.reports") == [], name
    context.close()


def test_a_product_of_a_hostile_name_is_shown_as_text(page: Page, port: int) -> None:
    for text in (HOSTILE, LONG):
        page.goto(f"http://127.0.0.1:{port}/console/products?id={quote(text)}")
        expect(page.get_by_role("heading", level=1)).to_have_text(text)
        assert page.locator("main img[src=x], main script").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= DESKTOP["width"]


def test_the_keyboard_alone_asks_why_and_changes_the_language(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.get_by_role("link", name="Customers", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Id of a customer")).to_be_focused()
    page.keyboard.type(CUSTOMER)
    page.keyboard.press("Enter")
    page.locator(".explained summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("What its score would lose without").first).to_be_visible()
    page.get_by_role("button", name="Deutsch").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Was dieser Kunde sieht")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "de")


def test_new_events_come_by_themselves(page: Page, port: int) -> None:
    page.goto(f"http://127.0.0.1:{port}/console/events?kind=dismiss")
    expect(page.locator(".empty")).to_be_visible()
    event = {"event_id": "d1", "kind": "dismiss", "time": "2025-06-29T10:00:00Z"}
    with closing(Caller(port)) as call:
        call(
            "POST", "/v1/events", {"events": [event | {"customer_id": "c07", "product_id": "jam"}]}
        )
    expect(page.get_by_role("link", name="c07")).to_be_visible(timeout=15_000)

"""The console in a browser, on the small shop's model: a real service, a real Chromium."""

import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
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

from models.artifact.insights import EXPERIMENTS, FEEDBACK, WORTH, write_insight
from models.artifact.reports import report_path
from service.schemas.feedback import ANSWER, PRODUCT
from service.schemas.worth import (
    COHORT,
    METHOD,
    PERIOD,
    REPEATS,
    RETURNED,
    SEGMENT,
    TENTH,
)
from tests.support.expected_answers import another_version
from tests.support.service_shop import Shop, copy_registry, process
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
PICTURES = re.compile(r"^https?://(?!127\.0\.0\.1)")  # of the shop's products, which are nowhere
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
    "bundles": "",
    "models": "",
    "experiments": "",
    "experiment": "experiments?id=hearts",
    "holdout": "",
    "campaigns": "",
    "campaign": "campaigns?id=monday",
    "mails": "",
    "offers": "",
    "mail": "mails?name=weekly",
    "insights": "",
    "product insights": "insights?by=product",
    "segments": "insights?of=segments",
    "cohorts": "insights?of=cohorts",
    "value": "insights?of=value",
    "feedback": "insights?of=feedback",
    "events": "",
    "shops": "",
    "keys": "",
    "audit": "",
    "settings": "",
    "missing": "no-such-screen",
}


GROUPS = ("held out", "personalised")
EXPERIMENT: dict[str, Any] = {
    "ends": "2999-01-01T00:00:00Z",
    "placements": ["cards"],
    "layer": "cards",
    "variants": [{"name": "as now", "share": 0.5}, {"name": LONG, "share": 0.5}],
    "guardrails": [{"metric": "revenue", "harm": 0.05}],
}
BUNDLE = {"products": ["bread", HOSTILE], "price": 2, "currency": "EUR", "title": LONG}
INTERVAL = {"low": -0.2, "high": 0.1, "relative_low": -0.1, "relative_high": 0.05}
COMPARED = {
    "metric": "revenue",
    "variant": LONG,
    "control": "as now",
    "control_mean": 2.0,
    "variant_mean": 1.9,
    "difference": -0.1,
    "relative": -0.05,
    "variance_reduced": 0.4,
    "fixed": INTERVAL,
    "always_valid": INTERVAL,
}
LOOK = {"metric": "revenue", "variant": LONG, "harm": 0.05, "relative": -0.05}
LOOK |= {"relative_low": -0.1, "relative_high": 0.05, "is_crossed": False}
COUNTED = [{"name": name, "share": 0.5, "customers": 200} for name in ("as now", LONG)]
RESULTS = {
    "by": "customer",
    "starts": "2026-01-01T00:00:00Z",
    "ends": "2026-02-01T00:00:00Z",
    "until": "2026-01-20T00:00:00Z",
    "is_over": False,
    "level": 0.95,
    "min_customers": 100,
    "variants": COUNTED,
    "sample_ratio": {"chance": 0.5, "holds": True},
    "comparisons": [COMPARED, COMPARED | {"metric": "orders", "always_valid": None}],
    "guardrails": [LOOK],
    "stops": [],
    "exposed": {
        "variants": COUNTED,
        "sample_ratio": {"chance": 0.5, "holds": True},
        "comparisons": [COMPARED],
    },
}


HELD = [{**one, "name": name} for one, name in zip(COUNTED, GROUPS, strict=True)]
HELD_OUT = {**RESULTS, "variants": HELD, "guardrails": [], "exposed": None}
HELD_OUT["comparisons"] = [{**COMPARED, "variant": GROUPS[1], "control": GROUPS[0]}]


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
    copy_registry(shop.root, folder / "own")
    another_version(folder / "own")
    report = report_path(folder / "own", shop.model.version)
    report.parent.mkdir(exist_ok=True)
    report.write_text("<p>Good</p>")
    hold_worth(folder / "own")
    results = {"hearts": RESULTS, "holdout": HELD_OUT}
    facts = {"computed": "2026-01-20T00:00:00Z", "experiments": results}
    write_insight(folder / "own", EXPERIMENTS, facts)
    said = [
        {**PRODUCT, "product_id": HOSTILE, "words": [{"word": LONG, "customers": 9}]},
        {**PRODUCT, "product_id": "bread", "segment": "lapsed", "disappointed": 19, "words": []},
    ]
    write_insight(folder / "own", FEEDBACK, {**ANSWER, "feedback": said})
    with process(folder / "own", folder / "run", console="true", deadline_ms=10_000) as opened:
        with closing(Caller(opened)) as call:
            fill(call)
        yield opened


def hold_worth(root: Path) -> None:
    """Write what customers are worth, as the command would."""
    months = [{**COHORT, "cohort": "2026-05", "months_since": month} for month in range(7)]
    months[-1]["complete"] = False
    value = {
        "served": "learned",
        "expected_orders": 20_237.2,
        "expected_value": 1_019_500.0,
        "comparison": [METHOD, {**METHOD, "method": "mean", "best_tenth": None}],
        "returned": [RETURNED],
        "tenths": [{**TENTH, "tenth": number} for number in range(1, 11)],
    }
    empty = {name: None for name, known in SEGMENT.items() if isinstance(known, float)}
    gone = {**SEGMENT, "segment": "lapsed", **empty, "share": 0.0, "revenue_share": 0.0}
    facts = {**PERIOD, "segments": [SEGMENT, gone], "repeats": REPEATS, "cohorts": months}
    write_insight(root, WORTH, {**facts, "value": value})


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
        ("PUT", "/v1/offers/thanks", {"text": {"en": HOSTILE, "de": LONG[:500]}, "code": "TEN"}),
        ("PUT", "/v1/blocks/weekly", {"heading": HOSTILE, "columns": 3}),
        ("PUT", "/v1/experiments/hearts", EXPERIMENT),
        ("PUT", "/v1/holdout", {"share": 0.0001}),
        ("PUT", "/v1/bundles/breakfast", BUNDLE),
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
    opened.route(PICTURES, lambda route: route.fulfill(body=""))
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
    preview = page.locator("#preview")
    expect(preview).to_contain_text("nobody who may be counted has bought anything since")
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


def test_an_experiment_is_started_and_stopped(page: Page, port: int) -> None:
    page.get_by_role("link", name="Experiments", exact=True).click()
    expect(page.get_by_text("Which variant is better")).to_be_visible()
    page.get_by_label("Name of the experiment").fill("repeats")
    page.get_by_label("Name of the variant").fill("nothing twice")
    page.get_by_label("Share of the variant").fill("100")
    page.get_by_label("What the variant does otherwise").select_option("model")
    expect(page.get_by_role("combobox", name="Version", exact=True)).to_be_visible()
    page.get_by_label("What the variant does otherwise").select_option("exclude")
    expect(page.get_by_role("combobox", name="Version", exact=True)).to_be_hidden()
    page.get_by_label("Placements, with commas").fill("home")
    page.get_by_label("Refusals").fill("50")
    page.get_by_label("Columns of the customers file").fill("tier=")
    page.get_by_role("button", name="Start the experiment").click()
    expect(page.get_by_role("alert")).to_contain_text("no column and value")
    page.get_by_label("Columns of the customers file").fill("")
    page.get_by_role("button", name="Start the experiment").click()
    expect(page.get_by_role("status")).to_contain_text("The experiment was kept")
    path = f"/v1/customers/{CUSTOMER}/recommendations?placement=home"
    slate = ask(port, "GET", path)[1]
    assert (slate["experiment"], slate["variant"]) == ("repeats", "nothing twice")
    made = ask(port, "GET", "/v1/experiments/repeats")[1]["experiment"]
    assert made["guardrails"] == [{"metric": "refusals", "harm": 0.5}]
    page.get_by_role("link", name="repeats", exact=True).click()
    expect(page.get_by_text("Nothing was computed of it yet")).to_be_visible()
    page.get_by_role("button", name="Stop repeats").click()
    expect(page.get_by_role("status")).to_contain_text("The experiment was stopped")
    assert ask(port, "GET", path)[1]["experiment"] is None
    page.get_by_role("button", name="Delete repeats").click()
    expect(page.get_by_role("status")).to_contain_text("deleted")


def test_a_bundle_is_made_and_removed(page: Page, port: int) -> None:
    page.get_by_role("link", name="Bundles", exact=True).click()
    page.get_by_label("Name of the bundle").fill("tea")
    page.get_by_label("Product ids, with commas").fill("bread, jam")
    page.get_by_label("Price", exact=True).fill("1,20")
    page.get_by_label("Currency").fill("EUR")
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_role("status")).to_contain_text("The bundle is in force")
    bundle = ask(port, "GET", "/v1/bundles/tea")[1]["bundle"]
    assert (bundle["products"], bundle["price"]) == (["bread", "jam"], 1.2)
    page.get_by_role("button", name="Delete tea").click()
    expect(page.get_by_role("status")).to_contain_text("deleted")
    assert ask(port, "GET", "/v1/bundles/tea")[0] == 404


def test_a_rule_is_moved_above_another_and_has_the_place_that_both_pin(
    page: Page, port: int
) -> None:
    pins = {"b": "kite", "c": "beans"}
    with closing(Caller(port)) as call:
        for name, product in pins.items():
            rule = {"kind": "pin", "position": 1, "which": {"product_ids": [product]}}
            assert call("PUT", f"/v1/rules/{name}", {**rule, "placements": ["cards"]})[0] == 200

    def first() -> str:
        popular = ask(port, "GET", "/v1/popular?placement=cards")[1]
        return str(popular["recommendations"][0]["id"])

    assert first() == "kite"
    page.get_by_role("link", name="Rules", exact=True).click()
    page.get_by_role("button", name="Move c up").click()
    expect(page.get_by_role("status")).to_contain_text("The order was changed")
    assert [one["id"] for one in ask(port, "GET", "/v1/rules")[1]["rules"]] == ["c", "b", "hide"]
    assert first() == "beans"
    page.get_by_role("link", name="c", exact=True).click()
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_role("status")).to_contain_text("The rule is in force")
    assert first() == "beans"  # a rule that is changed keeps its place
    for name in pins:
        page.get_by_role("button", name=f"Delete {name}").click()
        expect(page.get_by_role("status")).to_contain_text("deleted")


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


def test_an_offer_is_made_with_codes_and_deleted(page: Page, port: int) -> None:
    page.get_by_role("link", name="Offers", exact=True).click()
    page.get_by_label("Name of the offer").fill("spring")
    page.get_by_label("What it says").fill("Thank you: 10 % off\nde: Danke")
    page.get_by_label("Single-use codes").fill("A-1\nA-2 A-3")
    page.get_by_label("Segments").fill("connected, lapse")
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_role("alert")).to_contain_text("segments")
    expect(page.get_by_label("Single-use codes")).to_have_value("A-1\nA-2 A-3")
    page.get_by_label("Segments").fill("connected")
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_role("status")).to_contain_text("The offer is in force")
    made = ask(port, "GET", "/v1/offers/spring")[1]
    assert made["codes"] == {"given": 0, "left": 3}
    assert made["offer"]["text"] == {"en": "Thank you: 10 % off", "de": "Danke"}
    assert made["offer"]["segments"] == ["connected"]
    page.get_by_role("button", name="Delete spring").click()
    expect(page.get_by_role("status")).to_contain_text("deleted")
    assert ask(port, "GET", "/v1/offers/spring")[0] == 404


def test_a_block_of_mails_is_seen_while_it_is_made_and_kept(page: Page, port: int) -> None:
    page.get_by_role("link", name="Mails", exact=True).click()
    page.get_by_label("Name of the block").fill("spring")
    page.get_by_label("Show it to these customers").fill(f"{CUSTOMER}, c07")
    page.get_by_label("Words above").fill("Fresh today")
    mails = page.locator("#mails .mail")
    expect(mails).to_have_count(2)
    for mail in mails.all():
        expect(mail.get_by_text("Fresh today")).to_be_visible()
    assert ask(port, "GET", "/v1/blocks/spring")[0] == 404  # it is only looked at
    page.get_by_label("Behind all of it").fill("#fffbe6")
    table = mails.first.locator("table").first
    expect(table).to_have_css("background-color", "rgb(255, 251, 230)")
    page.get_by_label("Products side by side").fill("7")
    expect(page.locator("#mails")).to_contain_text("less than or equal to 4")
    page.get_by_label("Products side by side").fill("2")
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_role("status")).to_contain_text("The block was kept")
    block = ask(port, "GET", "/v1/blocks/spring")[1]["block"]
    assert (block["heading"], block["columns"]) == ("Fresh today", 2)
    assert block["colors"]["background"] == "#fffbe6"
    page.get_by_role("link", name="spring", exact=True).click()
    page.get_by_label("Words above").fill("")
    page.get_by_role("button", name="Put in force").click()
    expect(page.get_by_role("status")).to_contain_text("The block was kept")
    block = ask(port, "GET", "/v1/blocks/spring")[1]["block"]
    assert (block["heading"], block["columns"]) == (None, 2)
    page.get_by_role("button", name="Delete spring").click()
    expect(page.get_by_role("status")).to_contain_text("deleted")


# The last one is the desktop at 200 %
@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [("light", DESKTOP), ("dark", PHONE), ("light", {"width": 640, "height": 450})],
)
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


def test_which_products_disappoint_whom_is_shown_by_segment(page: Page) -> None:
    page.get_by_role("link", name="Insights", exact=True).click()
    page.get_by_role("link", name="What customers say").click()
    table = page.get_by_role("region", name="Which products disappoint")
    expect(table.locator("tbody tr")).to_have_count(1)
    page.get_by_label("Said by").select_option("lapsed")
    page.get_by_role("button", name="Show").click()
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(table.get_by_text("19")).to_be_visible()
    page.get_by_label("Said by").select_option("new")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".empty")).to_contain_text("fewer than 5")


def test_who_stays_and_what_they_will_bring_is_shown_in_words(page: Page) -> None:
    page.get_by_role("link", name="Insights", exact=True).click()
    page.get_by_role("link", name="Segments", exact=True).click()
    expect(page.get_by_text("come in a rhythm of their own")).to_be_visible()
    page.get_by_role("link", name="Cohorts", exact=True).click()
    expect(page.get_by_text("72.4 %").first).to_be_visible()
    page.get_by_role("link", name="What customers will bring").click()
    expect(page.get_by_text("learned from earlier weeks").first).to_be_visible()
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_text("aus früheren Wochen gelernt").first).to_be_visible()

"""The page that a training run leaves behind, for a shop with everything measured and for one with
next to nothing.
"""

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.measured_shop import ACTIVE, EVERYTHING, SHOP, YOUNG, method
from training.errors import InputError
from training.evaluation.gate import GateComparison
from training.evaluation.metrics import Mean
from training.evaluation.results import Role
from training.report.data import (
    ExampleCustomer,
    ExampleProduct,
    ExampleSlot,
    OwnedProduct,
    RunVerdict,
)
from training.report.render import render, summary, write_report


class Page(HTMLParser):
    """What stands in a page. Fails where tags are not closed in their order."""

    VOID = frozenset({"meta", "link", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    def values(self, attribute: str) -> list[str]:
        return [
            value for _, attributes in self.tags if (value := attributes.get(attribute)) is not None
        ]


def text_of(page: str) -> str:
    return " ".join(
        unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)).split()
    )


@pytest.fixture(scope="module")
def page() -> str:
    return render(SHOP)


def test_the_page_opens_with_what_a_shopkeeper_wants_to_know(page: str) -> None:
    told = (
        "Of ten products shown to a returning customer, 3.4 were bought within the next 28 days; "
        "the best simple method (own purchases, decayed) gets 3.1. "
        "Of ten products new to them, 0.5 were; the best simple method (popularity, 28 days) gets 0.3. "
        "This version was published: in none of six comparisons did it fall behind."
    )
    assert " ".join(summary(SHOP)) == told
    assert text_of(page).index(told) < text_of(page).index("Methods side by side")


def test_a_refused_version_says_against_what_and_by_how_much() -> None:
    lost = GateComparison("discovery", ACTIVE, Mean(-0.0212, -0.03, -0.012))
    refused = replace(
        SHOP, verdict=RunVerdict.REFUSED, version=None, comparisons=(*SHOP.comparisons, lost)
    )
    assert summary(refused)[-1] == (
        "This version was refused. Its Recall@10 (new to the customer) is 0.021 below that of "
        "the active version's settings."
    )
    assert "−0.0212 −0.0300 to −0.0120 refused" in text_of(render(refused))


def test_a_version_that_was_refused_for_another_reason_gives_that() -> None:
    refused = replace(
        SHOP, verdict=RunVerdict.REFUSED, comparisons=(), notes=("Is the history complete?",)
    )
    assert summary(refused)[-1] == "This version was refused. Is the history complete?"


def test_a_measurement_says_that_nothing_was_published() -> None:
    assert (
        summary(replace(SHOP, verdict=RunVerdict.MEASURED))[-1]
        == "This was a measurement: nothing was published."
    )


def test_a_shop_too_young_to_be_measured_gets_a_page_of_what_was_read() -> None:
    text = text_of(render(YOUNG))
    assert summary(YOUNG) == ["This version was published without being measured."]
    assert "Every one of 3 rows could be used." in text
    assert (
        "Left out, for want of something to measure: Methods side by side; For whom it works;"
        in text
    )
    assert "svg" not in {tag for tag, _ in Page(render(YOUNG)).tags}


def test_a_shop_without_discoveries_is_told_of_the_one_task() -> None:
    text = text_of(
        render(
            replace(
                SHOP, tasks=(replace(EVERYTHING, candidates=None, calibration=(), by_length=()),)
            )
        )
    )
    assert "New to the customer 1," not in text
    assert "by orders in the 28 days before them" in text
    assert "by purchase lines before the test days" not in text
    assert (
        "Left out, for want of something to measure: Where candidates come from; What serves, and "
        "why; Whether scores mean" in text
    )


def test_titles_and_ids_are_text_whatever_is_in_them() -> None:
    evil = '<script>alert("1")</script>'
    hostile = replace(
        SHOP,
        customers=(
            ExampleCustomer(
                evil,
                (OwnedProduct(ExampleProduct("1", evil), 3, 4.0),),
                (
                    ExampleSlot(ExampleProduct(evil), f"Because you bought {evil}", evil),
                    ExampleSlot(ExampleProduct("2", "'\"><img src=x>"), "", ""),
                ),
                (ExampleProduct(evil),),
            ),
        ),
        tasks=(replace(EVERYTHING, methods=(method(f"$x$ {evil}", Role.SERVED, 0.1, 0.1),)),),
        settings={evil: {evil: evil}},
        notes=(evil,),
        version=evil,
    )
    page = render(hostile)
    assert {tag for tag, _ in Page(page).tags} & {"script", "img"} == set()
    assert text_of(page).count(evil) >= 12


def test_a_page_asks_nothing_of_a_network_and_runs_no_script(page: str) -> None:
    parsed = Page(page)
    tags = {tag for tag, _ in parsed.tags}
    assert tags & {"script", "img", "iframe", "object", "form", "base"} == set()
    assert parsed.values("src") == []
    assert {link[0] for link in parsed.values("href")} == {"#", "d"}
    assert [link for link in parsed.values("href") if link[0] == "d"] == ["data:,"]
    assert re.findall(r"url\((?!#)|@import|https?:", page) == []
    policies = [
        meta["content"]
        for meta in parsed.all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_every_id_stands_once_and_every_reference_leads_to_one(page: str) -> None:
    parsed = Page(page)
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    wanted = [link[1:] for link in parsed.values("href") if link[0] == "#"]
    wanted += [*re.findall(r"url\(#([^)]*)\)", page), *parsed.values("aria-labelledby")]
    assert set(wanted) <= set(ids)
    assert len(set(wanted)) > 20


def test_whoever_cannot_see_the_plots_has_their_names_and_tables(page: str) -> None:
    parsed = Page(page)
    plots = parsed.all("svg")
    assert len(plots) == 14
    assert all(plot["role"] == "img" and plot["aria-label"] for plot in plots)
    assert (
        page.count("<figure>")
        == len(plots)
        == page.count('<details class="numbers"><summary>Numbers')
    )
    assert parsed.all("html") == [{"lang": "en"}]
    assert "<title>Training report, 2026-01-01</title>" in page
    assert all(heading["scope"] for heading in parsed.all("th"))


def test_each_customer_stands_with_history_slate_and_what_they_bought(page: str) -> None:
    assert page.count('class="card"') == 20
    last = SHOP.customers[-1]
    card = text_of(page[page.index("Customer <bdi>2019</bdi>") : page.index('id="reading"')])
    assert card.startswith(f"Customer 2019 23 products before, {len(last.bought)} after that, ")
    for owned in last.history[:12]:
        assert owned.product.title in card
    assert "and 11 more" in card
    assert card.count("✓ bought") == last.hits > 0
    for slot in last.slate:
        assert slot.reason in card


def test_a_product_without_a_title_is_shown_by_its_id() -> None:
    nameless = ExampleCustomer(
        "7",
        (),
        (ExampleSlot(ExampleProduct("0042"), "Popular right now", "popular"),),
        (ExampleProduct("0042"),),
    )
    assert "0042 ✓ bought Popular right now popular" in text_of(
        render(replace(SHOP, customers=(nameless,)))
    )


def test_an_engineer_finds_every_figure(page: str) -> None:
    text = text_of(page)
    assert "ranker 0.401 0.389–0.413 0.440 0.428–0.452 3.37" in text
    assert "own purchases 74 61.2% 20.7%" in text
    assert "5 to 19 lines 240 0.270 0.230–0.310" in text
    assert "0.06% 0.00% 9,000" in text
    assert "ranker 0.160 0.080 0.171 0.083" in text
    assert "at most 3 a category 0.440 0.428–0.452 21.4% 6.4" in text
    assert "left out: duplicate row 30,012" in text
    assert "popularity +0.2800 +0.2740 to +0.2860 passed" in text
    assert "factors.half_life_days 60.0" in text
    assert "all steps 58.0 s" in text
    assert (
        "a product shown makes up about one of 724 purchase lines; one shown as new one of 274"
        in text
    )


def test_equal_reports_are_equal_pages_and_can_be_mailed(page: str) -> None:
    assert render(SHOP) == page
    assert len(page.encode()) < 1_500_000


def test_a_report_is_written_whole_into_a_folder_that_is_made(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "today" / "report.html"
    write_report(path, YOUNG)
    assert path.read_text(encoding="utf-8") == render(YOUNG)
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_a_report_that_cannot_be_written_names_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "report.html", tmp_path):
        with pytest.raises(InputError, match=re.escape(f"The report {path} cannot be written: ")):
            write_report(path, YOUNG)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]

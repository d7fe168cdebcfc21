"""How a block of the shop shows a slate in a mail."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from service.routes.block_rendering import MAX_BYTES, render_mail_part
from service.schemas.blocks import BlockBody, MailPart

HOSTILE = (
    "</a></td><script>alert(1)</script><img src=x onerror=alert(1)>\" onload='x' & {{ 7*7 }} &lt;"
)
EMPTY_TAGS = {"img", "br", "meta"}
# Of what AMP for Email allows (https://amp.dev/documentation/guides-and-tutorials/email/learn),
# what a block may need. Its own validator is loaded from a host of AMP whenever it runs, so these
# rules stand in for it.
AMP_TAGS: dict[str, set[str]] = {
    "table": {"align", "bgcolor", "border", "cellpadding", "cellspacing", "width"},
    "tr": {"align", "bgcolor", "height", "valign"},
    "td": {"align", "bgcolor", "colspan", "height", "rowspan", "valign", "width"},
    "a": {"href", "target"},
    "amp-img": {"src", "alt", "width", "height", "layout"},
    **{tag: set() for tag in ("b", "br", "p", "s", "span")},
}
AMP_ATTRIBUTES = {"class", "style", "dir", "lang", "role", "title"}
AMP_PROPERTIES = {
    *("background-color", "border-radius", "color", "font-family", "font-size", "font-weight"),
    *("height", "line-height", "margin", "max-width", "min-width", "padding", "text-align"),
    *("text-decoration", "vertical-align", "width", "word-break"),
}
AMP_BYTES, AMP_STYLE_BYTES = 200_000, 1_000


class Seen(HTMLParser):
    """Every tag with its attributes, the text between them, and whether all are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.is_nested = True
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.is_nested &= bool(self.open) and self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, attribute: str) -> list[str | None]:
        return [attributes.get(attribute) for name, attributes in self.tags if name == tag]


def product(**more: Any) -> dict[str, Any]:
    return {
        "id": "bread",
        "title": "Rye loaf",
        "price": 3.2,
        "currency": "EUR",
        "price_text": "€3.20",
        "url": "https://shop.example/bread",
        "image_url": "https://shop.example/bread.jpg",
        "click_url": "https://mails.shop.example/r/x",
        "reason": {"text": "You buy this about every 9 days"},
        **more,
    }


def render(
    *products: dict[str, Any],
    part: MailPart = MailPart.HTML,
    former: float | None = None,
    offer: dict[str, Any] | None = None,
    **block: Any,
) -> str:
    content = {"recommendations": products, "language": "en", "offer": offer}
    look = BlockBody.model_validate(block)
    return render_mail_part(
        part, "weekly", look, content, "en_US", lambda _, price: former
    ).decode()


def cells(html: str) -> list[str]:
    """Return the cells that hold a product each, or none."""
    return re.findall(r'<td class="rg-weekly-cell"[^>]*>', html)


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_products_stand_in_rows_of_as_many_as_the_shop_says(columns: int) -> None:
    html = render(*[product() for _ in range(5)], columns=columns)
    rows = -(-5 // columns)
    assert len(cells(html)) == rows * columns
    assert html.count("Rye loaf</span>") == 5
    assert Seen(html).is_nested
    assert Seen(html).open == []


def test_parts_stand_in_the_order_that_the_shop_says_and_no_others() -> None:
    html = render(product(), columns=2, parts=["reason", "title", "picture"])
    places = [html.index(word) for word in ("every 9 days", "Rye loaf</span>", "bread.jpg")]
    assert places == sorted(places)
    assert "€3.20" not in html
    assert "View product" not in html


def test_a_picture_stands_left_where_it_comes_first_and_else_right() -> None:
    left, right = render(product()), render(product(), parts=["title", "picture"])
    assert left.index("bread.jpg") < left.index("Rye loaf</span>")
    assert right.index("bread.jpg") > right.index("Rye loaf</span>")


def test_a_product_without_a_picture_gets_a_tile_and_one_without_a_page_no_button() -> None:
    bare = product(image_url=None, url=None, click_url=None, price_text=None, title=None)
    seen = Seen(render(bare, columns=2))
    assert {"img", "a"}.isdisjoint(tag for tag, _ in seen.tags)
    assert "B" in seen.text.split()  # of bread, its id
    assert "View product" not in seen.text
    assert "img" not in [tag for tag, _ in Seen(render(product(), picture="tile")).tags]


def test_a_product_that_became_cheaper_shows_what_it_did_cost() -> None:
    assert re.search(r"<s [^>]*>€4.00</s>", render(product(), former=4.0))
    assert "<s " not in render(product(), former=4.0, former_price=False)
    assert "€3.20 (−20%)" in render(product(), former=4.0, part=MailPart.TEXT)


def test_outlook_knows_every_width_and_gets_a_table_of_its_own() -> None:
    html = render(product(), product(), columns=2, width=500)
    assert '<!--[if mso]><table role="presentation" width="500"' in html
    assert html.count("<!--[if mso]>") == html.count("<![endif]-->") == 2
    seen = Seen(html)
    assert set(seen.all("img", "width")) == {"234"}
    assert re.findall(r'rg-weekly-cell" width="(\d+)"', html) == ["250", "250"]
    assert set(seen.all("table", "role")) == {"presentation"}
    assert not re.search(r"display:\s*(flex|grid)|position:|float:|<div", html)


def test_dark_inboxes_get_dark_colours_unless_the_shop_wants_none() -> None:
    html = render(product(), dark_colors={"text": "#fafafa"})
    assert "@media (prefers-color-scheme: dark)" in html
    assert ".rg-weekly-text { color: #fafafa !important }" in html
    classes = set(re.findall(r'class="([^"]+)"', html))
    for name in ("back", "text", "reason", "button", "label"):
        assert f"rg-weekly-{name}" in classes
    assert "prefers-color-scheme" not in render(product(), dark_colors=None)


def test_a_block_stays_below_what_gmail_cuts_and_leaves_out_whole_rows() -> None:
    long = product(title="W" * 500, click_url="https://mails.shop.example/r/" + "x" * 900)
    html = render(*[long for _ in range(100)], columns=3)
    shown = html.count("…</span>")
    assert len(html.encode()) <= MAX_BYTES
    assert len(html.encode()) > MAX_BYTES * 0.9
    assert shown % 3 == 0
    few = render(*[product() for _ in range(24)], columns=4)
    assert few.count("Rye loaf</span>") == 24


@pytest.mark.parametrize("part", list(MailPart))
def test_an_empty_slate_is_an_empty_part(part: MailPart) -> None:
    assert render(part=part, heading="For you") == ""


@pytest.mark.parametrize("part", [MailPart.HTML, MailPart.AMP])
def test_whatever_a_product_or_the_shop_wrote_is_text(part: MailPart) -> None:
    hostile = product(title=HOSTILE, reason={"text": HOSTILE}, price_text=HOSTILE)
    seen = Seen(render(hostile, part=part, heading=HOSTILE, button=HOSTILE[:40], columns=2))
    assert {"script"}.isdisjoint(tag for tag, _ in seen.tags)
    assert seen.is_nested
    assert not any(name.startswith("on") for _, given in seen.tags for name in given)
    assert seen.text.count("<script>alert(1)</script>") == 5


def test_the_text_part_says_the_same_line_by_line() -> None:
    text = render(product(title="Rye\nloaf"), product(), part=MailPart.TEXT, heading="For you")
    assert text.startswith(
        "For you\n\nRye loaf\n€3.20\nYou buy this about every 9 days\n"
        "View product: https://mails.shop.example/r/x\n\nRye loaf\n"
    )


def test_the_amp_part_holds_what_amp_allows() -> None:
    html = render(product(), product(image_url=None), part=MailPart.AMP, columns=2)
    tags = {tag for tag, _ in Seen(html).tags}
    assert tags == {"table", "tr", "td", "a", "span", "amp-img"}
    assert "<!--" not in html
    assert "!important" not in html
    (image,) = [given for tag, given in Seen(html).tags if tag == "amp-img"]
    assert {"src", "alt", "width", "height", "layout"} == set(image)
    assert "<span" in html
    assert "link" in render(product(), part=MailPart.AMP, button="link")


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
@pytest.mark.parametrize("picture", ["shop", "tile"])
def test_the_amp_part_keeps_the_rules_of_amp_for_email(columns: int, picture: str) -> None:
    products = [product(), product(image_url=None), product(click_url=None, url=None)] * 30
    offer = {"text": "Thank you", "code": "TX-81F2"}
    look: dict[str, Any] = {"columns": columns, "picture": picture, "heading": "For you"}
    html = render(*products, part=MailPart.AMP, former=4.0, offer=offer, **look)
    assert len(html.encode()) <= AMP_BYTES
    seen = Seen(html)
    assert seen.is_nested
    for tag, given in seen.tags:
        aria = {name for name in given if name.startswith("aria-")}
        assert given.keys() - aria - AMP_ATTRIBUTES <= AMP_TAGS[tag], tag
        style = given.get("style") or ""
        assert len(style.encode()) <= AMP_STYLE_BYTES
        properties = {rule.partition(":")[0].strip() for rule in style.split(";")}
        assert properties <= AMP_PROPERTIES | {""}
        assert "url(" not in style
        assert "!important" not in style
        assert not re.match("-amp-|i-amphtml-", given.get("class") or "")
    assert set(seen.all("a", "target")) == {"_blank"}
    for tag, attribute in (("a", "href"), ("amp-img", "src")):
        assert all(str(address).startswith("https://") for address in seen.all(tag, attribute))
    sizes = [*seen.all("amp-img", "width"), *seen.all("amp-img", "height")]
    assert all(str(size).isdecimal() for size in sizes)
    assert bool(sizes) == (picture == "shop")


@pytest.mark.parametrize("part", list(MailPart))
def test_an_offer_stands_below_the_products_as_text(part: MailPart) -> None:
    offer = {"text": f"10 % off {HOSTILE}\nnow", "code": "TX-81F2"}
    told = render(product(), part=part, offer=offer)
    assert told.index("Rye loaf") < told.index("10 % off") < told.index("TX-81F2")
    if part is MailPart.TEXT:
        assert told.endswith("\nTX-81F2\n\n")
        return
    seen = Seen(told)
    assert "10 % off " + HOSTILE in seen.text
    assert ("script" in {tag for tag, _ in seen.tags}, seen.is_nested) == (False, True)
    assert "TX" not in render(product(), part=part, offer={"text": "Thank you", "code": None})
    assert render(part=part, offer=offer) == render(part=part)  # no slate, nothing at all

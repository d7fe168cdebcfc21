"""Product feeds of the Google Merchant Center, as XML and as text in columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from tests.support.vendor_reading import read, shown_in, sold_in, write_csv
from tests.support.vendor_shop import Product, VendorShop, make_shop
from training.errors import InputError

pytestmark = pytest.mark.slow

COLUMNS = [
    "id",
    "title",
    "description",
    "link",
    "image_link",
    "availability",
    "price",
    "sale_price",
    "sale_price_effective_date",
    "brand",
    "gtin",
    "item_group_id",
    "google_product_category",
    "product_type",
    "color",
    "size",
    "condition",
    "shipping",
]


def items(product: Product) -> Iterator[dict[str, str]]:
    for variant in product.variants:
        yield {
            "id": variant.sku,
            "title": product.title.replace("\n", " "),
            "description": "For you & yours",
            "link": f"https://shop.example/{product.handle}",
            "image_link": "https://shop.example/1.jpg",
            "availability": "in_stock" if variant.pieces else "preorder",
            "price": f"{variant.price} EUR",
            "sale_price": "1.00 EUR",
            "sale_price_effective_date": "2025-01-01T00:00Z/2025-01-02T00:00Z",
            "brand": "Casa",
            "item_group_id": product.handle,
            "product_type": "Home > Living",
            "size": variant.size,
        }


def as_rss(shop: VendorShop) -> str:
    written = []
    for product in shop.products:
        for item in items(product):
            cells = "".join(f"<g:{name}>{escape(text)}</g:{name}>" for name, text in item.items())
            shipping = "<g:shipping><g:country>DE</g:country><g:price>5 EUR</g:price></g:shipping>"
            written.append(f"<item>{cells}{shipping}</item>\n")
    return (
        '<?xml version="1.0"?>\n<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0">'
        f"<channel><title>Shop</title><link>https://shop.example</link>\n{''.join(written)}"
        "</channel></rss>"
    )


def as_atom(shop: VendorShop) -> str:
    return (
        as_rss(shop)
        .replace("<channel>", "")
        .replace("</channel>", "")
        .replace("<item>", "<entry>")
        .replace("</item>", "</entry>")
        .replace('<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0">', FEED)
        .replace("</rss>", "</feed>")
    )


FEED = '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">'


def feed(folder: Path, shop: VendorShop, kind: str) -> Path:
    if kind == "tsv":
        rows = [item for product in shop.products for item in items(product)]
        return write_csv(folder / "feed.tsv", COLUMNS, rows, delimiter="\t")
    path = folder / "feed.xml"
    path.write_text(as_rss(shop) if kind == "rss" else as_atom(shop))
    return path


def own_orders(folder: Path, shop: VendorShop) -> Path:
    """Write orders under our names, whose products are the items of the feed."""
    rows = [
        {
            "customer_id": order.customer.customer_id if order.customer else "",
            "product_id": line.variant.sku,
            "timestamp": order.time.isoformat(),
            "order_id": order.number,
            "quantity": line.left,
            "line": line.line_id,
        }
        for order in shop.orders
        for line in order.lines
        if order.is_sale and line.left and not line.is_gift_card
    ]
    return write_csv(folder / "orders.csv", list(rows[0]), rows)


@pytest.mark.parametrize("kind", ["tsv", "rss", "atom"])
def test_items_of_a_group_are_one_product(tmp_path: Path, kind: str) -> None:
    shop = make_shop()
    learned = read(own_orders(tmp_path, shop), feed(tmp_path, shop, kind))
    assert sold_in(learned) == shop.sales(
        lambda variant: shop.products[variant.product].handle,
        lambda customer: customer.customer_id,
    )
    assert shown_in(learned) == {p.handle for p in shop.products if p.is_on_sale or is_draft(p)}


def is_draft(product: Product) -> bool:
    """A feed has no drafts: what stands in it is for sale."""
    return product.status == "draft" and any(variant.pieces for variant in product.variants)


def test_each_item_is_recommended_where_it_is_wanted(tmp_path: Path) -> None:
    shop = make_shop()
    learned = read(own_orders(tmp_path, shop), feed(tmp_path, shop, "rss"), variants="variant")
    assert sold_in(learned) == shop.sales(
        lambda variant: variant.sku, lambda customer: customer.customer_id
    )
    item = learned.product_ids.find("SKU-001-M")
    catalogue = learned.catalogue
    assert (catalogue.currency[item], catalogue.attributes[item]) == ("EUR", '{"size": "M"}')
    assert f"{catalogue.price[item]:.2f}" == shop.products[1].variants[1].price
    assert catalogue.category_names[catalogue.category[item]] == "Living"


def test_a_bad_price_is_told_with_its_line_in_the_feed(tmp_path: Path) -> None:
    shop = make_shop()
    path = feed(tmp_path, shop, "rss")
    wrong = path.read_text().replace(f"{shop.products[0].variants[2].price} EUR", "cheap")
    path.write_text(wrong)
    problems = read(own_orders(tmp_path, shop), path, variants="variant").report.product_problems
    assert problems.counts["bad_price"] == 1
    assert f"{path}, line 5, column 'price': 'cheap'" in problems.examples["bad_price"]


def test_xml_that_is_broken_or_no_feed_is_refused(tmp_path: Path) -> None:
    shop = make_shop()
    path = tmp_path / "feed.xml"
    for content, problem in (("<rss><item>", "as XML"), ("<html></html>", "holds no item")):
        path.write_text(content)
        with pytest.raises(InputError, match=problem):
            read(own_orders(tmp_path, shop), path)

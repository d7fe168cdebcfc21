"""Files as shops have them: each came out wrong once, and each stands for its kind."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.data.events import KINDS
from training.errors import InputError
from training.reading.customers import CONSENT_TIMES, NO, YES, read_customers
from training.reading.duckdb import open_workspace
from training.reading.file_tables import open_file_tables
from training.reading.options import ReadingOptions
from training.reading.products import read_products
from training.reading.purchases import Purchases, read_purchases

pytestmark = pytest.mark.slow

NOW = 1_796_083_200  # 2026-12-01T00:00:00Z
HEADER = "customer_id,product_id,timestamp"


def write(folder: Path, content: str | bytes, name: str = "orders.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder: Path, content: str | bytes, name: str = "orders.csv", **options: Any) -> Purchases:
    path = write(folder, content, name)
    return read_purchases([path], now=NOW, options=ReadingOptions(**options))


def times(shop: Purchases) -> dict[str, str]:
    """The moment of each customer's only line."""
    return {
        shop.customer_ids[user]: f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%S}"
        for user, time in zip(shop.user.tolist(), shop.time.tolist(), strict=True)
    }


def lines(shop: Purchases) -> set[tuple[str, str]]:
    return {
        (shop.customer_ids[user] if user >= 0 else "guest", shop.product_ids[item])
        for user, item in zip(shop.user.tolist(), shop.item.tolist(), strict=True)
    }


def products(folder: Path, *rows: str) -> dict[str, dict[str, Any]]:
    path = write(folder, "\n".join(rows), "products.csv")
    with open_workspace() as workspace:
        table = read_products(workspace, open_file_tables(workspace, [path], {})).table
        cells = workspace.connection.to_pyarrow(table).to_pylist()
    return {row["product_id"]: row for row in cells}


MOMENTS = {
    "2025-03-04 08:15:00 +0100": "2025-03-04T07:15:00",
    "2019-10-01 00:00:00 UTC": "2019-10-01T00:00:00",
    "2024-01-01T00:00:00.000+0000": "2024-01-01T00:00:00",
    "1696665026123456": "2023-10-07T07:50:26",
    "202401011230": "2024-01-01T12:30:00",
    "2024010112": None,
    "20240101": "2024-01-01T00:00:00",
    "20240101123000": "2024-01-01T12:30:00",
    "01/02/2024": None,
    "07.10.2025 09:50": "2025-10-07T09:50:00",
    "2024-02-29": "2024-02-29T00:00:00",
    "2023-02-29": None,
    '"Oct 7, 2025 9:50:26 AM"': "2025-10-07T09:50:26",
    "2024/01/02 10:00": "2024-01-02T10:00:00",
    "1.70E+12": None,
    "1700000000.5": "2023-11-14T22:13:20",
    "2025-10-07T09:50:26+02": "2025-10-07T07:50:26",
    "2025-10-07 09:50:26 Europe/Berlin": "2025-10-07T07:50:26",
    "2025-10-07 09:50:26 CET": "2025-10-07T08:50:26",
    "2025-10-07 09:50:26 PST": "2025-10-07T17:50:26",
    "2025-10-07 9:50 PM": "2025-10-07T21:50:00",
    "2025-10-07 24:00:00": "2025-10-08T00:00:00",
    "45207.41": None,
    "2025-10-07T09:50:26+0530": "2025-10-07T04:20:26",
    "2016-12-31 23:59:60": "2017-01-01T00:00:00",
    "2025-10-07 09:50:26 EST": "2025-10-07T14:50:26",
    "2025-10-07 09:50:26 GMT+2": "2025-10-07T07:50:26",
    "2025-10-07 09:50:26 -0700 PDT": "2025-10-07T16:50:26",
    "2025-10-07 09h50": "2025-10-07T09:50:00",
    "1696665026": "2023-10-07T07:50:26",
    # Others of these kinds
    "2025-10-07T09:50:26.123456789Z": "2025-10-07T09:50:26",
    "1696665026123456789": "2023-10-07T07:50:26",
    '"Tuesday, October 7, 2025"': "2025-10-07T00:00:00",
    "7 Oct 2025 09:50": "2025-10-07T09:50:00",
    "20251007T095026Z": "2025-10-07T09:50:26",
    "2025-10-07 09:50:26 CST": None,
    "2025-13-01": None,
    "0000-00-00 00:00:00": None,
    "2025-10-07 25:00": None,
    "00000000": None,
    "  2025-10-07  ": "2025-10-07T00:00:00",
}


def test_moments_are_read_as_what_they_are_or_refused(tmp_path: Path) -> None:
    rows = [f"c{number},p,{cell}" for number, cell in enumerate(MOMENTS)]
    shop = read(tmp_path, "\n".join((HEADER, *rows)))
    right = {f"c{number}": moment for number, moment in enumerate(MOMENTS.values()) if moment}
    assert times(shop) == right
    assert shop.report.dropped.counts == {"bad_timestamp": len(MOMENTS) - len(right)}


def test_twelve_digits_are_a_date_and_no_day_of_1976(tmp_path: Path) -> None:
    shop = read(tmp_path, f"{HEADER}\nc1,p1,202401011230\nc2,p2,202402291230\n")
    assert times(shop) == {"c1": "2024-01-01T12:30:00", "c2": "2024-02-29T12:30:00"}


def test_dates_of_twelve_digits_leave_a_product_available(tmp_path: Path) -> None:
    header = "product_id,title,available_until,available_from"
    found = products(tmp_path, header, "p1,A,203012312359,", "p2,B,2030-12-31,203001010000")
    assert found["p1"]["available_until"] == 1_924_991_940
    assert found["p2"]["available_from"] == 1_893_456_000


def test_a_later_no_of_twelve_digits_counts(tmp_path: Path) -> None:
    rows = "customer_id,personalize_email,consent_time\nc1,no,202510070950\nc2,no,soon\nc3,yes,soon"
    path = write(tmp_path, rows, "customers.csv")
    with open_workspace() as workspace:
        files = open_file_tables(workspace, [path], {}, whole=True)
        customers = read_customers(workspace, files, now=NOW)
        found = workspace.connection.to_pyarrow(customers.table).to_pylist()
    email = CONSENT_TIMES[2]
    said = {row["customer_id"]: (row["personalize_email"], row[email]) for row in found}
    assert said == {"c1": (NO, 1_759_830_600), "c2": (NO, NOW), "c3": (YES, None)}
    assert customers.problems.counts["bad_consent_time"] == 8  # four consents each


def test_cancelled_and_refunded_orders_are_no_sales(tmp_path: Path) -> None:
    words = ("completed", "cancelled", "failed", "wc-refunded", "Voided", "wc-processing", "")
    rows = [f"c{number},p,2024-01-01,o{number},{word}" for number, word in enumerate(words)]
    shop = read(tmp_path, "\n".join((f"{HEADER},order_id,status", *rows)))
    assert lines(shop) == {("c0", "p"), ("c5", "p"), ("c6", "p")}
    assert shop.report.dropped.counts == {"not_sold": 4}


def test_kinds_of_trackers_are_known(tmp_path: Path) -> None:
    kinds = {
        "view": "view",
        "transaction": "purchase",
        "addtocart": "cart",
        "Order Completed": "purchase",
        "sale": "purchase",
        "add_to_cart": "cart",
        "view_item": "view",
        "Product Added": "cart",
        "PURCHASE": "purchase",
    }
    rows = [f"c{number},p,2024-01-01,{kind}" for number, kind in enumerate(kinds)]
    shop = read(tmp_path, "\n".join((f"{HEADER},kind", *rows, "c99,p,2024-01-01,zoomed")))
    found = {
        shop.customer_ids[user]: KINDS[kind]
        for user, kind in zip(shop.user.tolist(), shop.kind.tolist(), strict=True)
    }
    assert found == {f"c{number}": kind for number, kind in enumerate(kinds.values())}
    assert shop.report.dropped.counts == {"unknown_kind": 1}


STOCK = {
    "outofstock": False,
    "instock": True,
    "onbackorder": False,
    "-3": False,
    "0": False,
    "12": True,
    "0.0": False,
    "out_of_stock": False,
    "https://schema.org/OutOfStock": False,
    "N": False,
    "f": False,
    "nein": False,
    "sold out": False,
    "discontinued": False,
    "unavailable": False,
    "preorder": False,
    "backorder": False,
    "out-of-stock": False,
    "": None,
    "0.00": False,
    "OutOfStock": False,
    # Others of these kinds
    "http://schema.org/InStock": True,
    "InStock": True,
    "auf Lager": True,
    "ausverkauft": False,
    '"1,00"': True,
    "1 000": True,
    "TRUE": True,
    "ask us": False,
}


def test_stock_is_understood_and_nothing_unknown_is_in_stock(tmp_path: Path) -> None:
    rows = [f"s{number},{cell}" for number, cell in enumerate(STOCK)]
    found = products(tmp_path, "product_id,in_stock", *rows)
    read_as = {cell: found[f"s{number}"]["in_stock"] for number, cell in enumerate(STOCK)}
    assert read_as == STOCK


def test_addresses_of_files_are_repaired_where_they_say_enough(tmp_path: Path) -> None:
    found = products(
        tmp_path,
        "product_id,url,image_url",
        "u1,//shop.example/p/1,//cdn.example/i/1.jpg",
        "u2,/p/2,/i/2.jpg",
        "u4,https://shop.example/p/green tea,https://cdn.example/green tea.jpg",
        "u5,https://shop.example/tür/ß,https://cdn.example/ü.jpg",
        'u6,https://shop.example/p?a=1|2,"https://cdn.example/1.jpg,https://cdn.example/2.jpg"',
        "u7,HTTPS://shop.example/P,HTTP://cdn.example/1.jpg",
        "u8,javascript:alert(1),data:image/png;base64,x".replace(",x", ""),
        "u9,https://shop.example/p?a=1&amp;b=2,https://cdn.example/1.jpg | https://cdn.example/2.jpg",
    )
    addresses = {name: (row["url"], row["image_url"]) for name, row in found.items()}
    assert addresses["u1"] == ("https://shop.example/p/1", "https://cdn.example/i/1.jpg")
    assert addresses["u2"] == ("/p/2", "/i/2.jpg")
    assert addresses["u4"] == (
        "https://shop.example/p/green%20tea",
        "https://cdn.example/green%20tea.jpg",
    )
    assert addresses["u5"] == ("https://shop.example/tür/ß", "https://cdn.example/ü.jpg")
    assert addresses["u6"] == ("https://shop.example/p?a=1%7C2", "https://cdn.example/1.jpg")
    assert all(address is not None for address in addresses["u7"])
    assert addresses["u8"] == (None, None)
    assert addresses["u9"] == ("https://shop.example/p?a=1&b=2", "https://cdn.example/1.jpg")


def test_entities_of_exports_are_the_characters_they_stand_for(tmp_path: Path) -> None:
    found = products(
        tmp_path,
        "product_id,title,category",
        "p1,Salt &amp; Pepper,Spices &amp; Herbs",
        "p2,<b>Bold</b> tea,cat",
        'p3,"=HYPERLINK(""http://evil"",""x"")",cat',
        "p4,Tea &#8220;Earl&#8221; &euro;5,cat",
        "p5,AT&T &copy=1,R&D",
    )
    assert {name: row["title"] for name, row in found.items()} == {
        "p1": "Salt & Pepper",
        "p2": "<b>Bold</b> tea",
        "p3": '=HYPERLINK("http://evil","x")',
        "p4": "Tea “Earl” €5",
        "p5": "AT&T &copy=1",
    }
    assert (found["p1"]["category"], found["p5"]["category"]) == ("Spices & Herbs", "R&D")


PRICES = {
    "1.234,56": 1234.56,
    "1.234": 1234.0,
    "12,99": 12.99,
    "1 234,56": 1234.56,
    "12,99 €": 12.99,
    "EUR 5": 5.0,
    "-": None,
}


def test_decimal_commas_are_read_where_the_column_says_so(tmp_path: Path) -> None:
    rows = [f"c1;p{number};2024-01-01;{cell}" for number, cell in enumerate(PRICES)]
    shop = read(tmp_path, "\n".join(("customer_id;product_id;timestamp;unit_price", *rows)))
    found = {
        shop.product_ids[item]: round(price, 2)
        for item, price in zip(shop.item.tolist(), shop.price.tolist(), strict=True)
    }
    right = {f"p{number}": price for number, price in enumerate(PRICES.values()) if price}
    assert found == right
    assert shop.report.dropped.counts == {"bad_price": 1}


def test_a_column_with_points_and_commas_alike_is_refused_with_line_cell_and_option(
    tmp_path: Path,
) -> None:
    rows = "c1;p1;2024-01-01;12,99\nc1;p2;2024-01-01;12.99"
    with pytest.raises(InputError) as refusal:
        read(tmp_path, f"customer_id;product_id;timestamp;unit_price\n{rows}")
    assert "line 2, column 'unit_price': '12,99'" in str(refusal.value)
    assert "line 3, column 'unit_price': '12.99'" in str(refusal.value)
    assert "--decimal" in str(refusal.value)


ONE = {("Müller", "p1")}


@pytest.mark.parametrize(
    "content",
    [
        '"customer_id","product_id","time\nstamp","timestamp"\nMüller,p1,x,2024-01-01\n',
        "customer_id;product_id;timestamp\nMüller;p1;2024-01-01\n".encode("cp1252"),
        "customer_id;product_id;timestamp\nMüller;p1;2024-01-01\n".encode("utf-16"),
        "sep=;\ncustomer_id;product_id;timestamp\nMüller;p1;2024-01-01\n",
        '"sep=;"\r\ncustomer_id;product_id;timestamp\r\nMüller;p1;2024-01-01\r\n',
        f"Orders report of shop,,\n,,\n{HEADER}\nMüller,p1,2024-01-01\n",
        f"Orders\n\n{HEADER}\nMüller,p1,2024-01-01\n".encode("utf-16"),
        f"sep=,\nOrders,,\n{HEADER}\nMüller,p1,2024-01-01\n",
        f"\ufeff{HEADER}\nMüller,p1,2024-01-01",
        f"\n\n{HEADER}\nMüller,p1,2024-01-01",
        f"{HEADER}\n\nMüller,p1,2024-01-01\n\n\n",
        "Customer_ID, product_id ,TIMESTAMP\nMüller,p1,2024-01-01\n",
    ],
    ids=[
        "line end in the header",
        "cp1252",
        "utf-16",
        "sep",
        "quoted sep",
        "titles",
        "titles in utf-16",
        "sep and titles",
        "byte order mark",
        "empty lines above",
        "empty lines between",
        "names in capitals and with spaces",
    ],
)
def test_one_order_is_read_from_a_file_of_any_shape(tmp_path: Path, content: str | bytes) -> None:
    shop = read(tmp_path, content)
    assert lines(shop) == ONE
    assert shop.report.dropped.counts == {}


@pytest.mark.parametrize("nobody", ["0", "NULL", r"\N", "nan", "None", "N/A", " 0 ", "guest"])
def test_common_words_for_nobody_are_guests(tmp_path: Path, nobody: str) -> None:
    shop = read(tmp_path, f"{HEADER},order_id\n{nobody},p1,2024-01-01,1\nc00,p2,2024-01-01,2\n")
    assert lines(shop) == {("guest", "p1"), ("c00", "p2")}
    assert (shop.report.customers, shop.report.guest_lines) == (1, 1)


@pytest.mark.parametrize(
    "content",
    [
        '[\n {\n "customer_id": 1.0,\n "product_id": "007",\n "timestamp": 1.7040672e9\n },\n'
        ' {"customer_id": 12345678901234567890, "product_id": 0.1, "timestamp": 1704067200}\n]',
        '{\n "customer_id": 1.0,\n "product_id": "007",\n "timestamp": "2024-01-01"\n}\n'
        '{\n "customer_id": 12345678901234567890,\n "product_id": 0.1,\n'
        ' "timestamp": "2024-01-01"\n}\n',
        '{"customer_id": 1.0, "product_id": "007", "timestamp": "2024-01-01"}'
        '{"customer_id": 12345678901234567890, "product_id": 0.1, "timestamp": "2024-01-01"}',
    ],
    ids=["array", "concatenated", "on one line"],
)
def test_json_is_read_however_it_is_printed(tmp_path: Path, content: str) -> None:
    shop = read(tmp_path, content, "orders.json")
    assert lines(shop) == {("1.0", "007"), ("12345678901234567890", "0.1")}
    assert set(times(shop).values()) == {"2024-01-01T00:00:00"}


def test_an_unlisted_best_seller_is_learned_from_and_not_shown(tmp_path: Path) -> None:
    rows = [f"c{n},gone,2024-01-0{1 + n % 9}" for n in range(9)]
    rows += [f"c{n},{p},2024-01-0{1 + n % 9}" for n in range(9) for p in ("a", "b", "c")]
    orders = write(tmp_path, "\n".join((HEADER, *rows)))
    listed = write(tmp_path, "product_id,title\na,A\nb,B\nc,C\n", "products.csv")
    shop = read_purchases([orders], products=listed, now=NOW)
    until = dict(zip(shop.product_ids, shop.catalogue.available_until.tolist(), strict=True))
    assert until["gone"] < 0 < until["a"]
    assert len(shop) == 36

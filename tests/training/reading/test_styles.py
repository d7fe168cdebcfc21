"""How a file writes numbers and dates is told by its cells, not by one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.data.timestamps import format_timestamp
from training.errors import InputError
from training.reading.options import ReadingOptions
from training.reading.purchases import Purchases, read_purchases

NOW = 1_790_000_000


def read(folder: Path, header: str, *rows: str, options: ReadingOptions | None = None) -> Purchases:
    path = folder / "orders.csv"
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return read_purchases([path], now=NOW, options=options or ReadingOptions())


def prices(shop: Purchases) -> list[float]:
    return [round(price, 2) for price in shop.price.tolist()]


SEMICOLONS = "customer_id;product_id;timestamp;unit_price;quantity"
COMMAS = "customer_id,product_id,timestamp,unit_price"


def test_prices_of_a_german_export_are_read(tmp_path: Path) -> None:
    shop = read(
        tmp_path,
        SEMICOLONS,
        "c1;p1;2024-01-01;1.234,56;1",
        "c1;p2;2024-01-01;1.234;1",
        "c1;p3;2024-01-01;12,99;1,5",
        "c1;p4;2024-01-01;1 234,56;1",
    )
    assert prices(shop) == [1234.56, 1234.0, 12.99, 1234.56]
    assert shop.quantity.tolist() == [1, 1, 1.5, 1]


def test_prices_with_a_currency_and_thousands_are_read(tmp_path: Path) -> None:
    rows = ['c1,p1,2024-01-01,"$1,234.50"', 'c1,p2,2024-01-01,"$1,234"', "c1,p3,2024-01-01,$5"]
    assert prices(read(tmp_path, COMMAS, *rows)) == [1234.5, 1234, 5]


def test_one_thousand_or_a_little_more_than_one_is_not_guessed(tmp_path: Path) -> None:
    rows = ['c1,p1,2024-01-01,"1,234"', "c1,p2,2024-01-01,5"]
    assert read(tmp_path, COMMAS, *rows).report.dropped.counts == {"bad_price": 1}
    told = read(tmp_path, COMMAS, *rows, options=ReadingOptions(decimal="comma"))
    assert prices(told) == [1.23, 5]


def test_the_style_is_that_of_99_in_100_and_the_others_are_left_out(tmp_path: Path) -> None:
    rows = [f"c{number};p1;2024-01-01;12,{number % 90 + 10};1" for number in range(100)]
    shop = read(tmp_path, SEMICOLONS, *rows, "c1;p2;2024-01-01;12.99;1")
    assert shop.report.dropped.counts == {"bad_price": 1}


def test_a_column_of_two_styles_is_refused_with_a_line_of_each_and_the_option(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError) as refusal:
        read(tmp_path, SEMICOLONS, "c1;p1;2024-01-01;12,99;1", "c1;p2;2024-01-01;12.99;1")
    path = tmp_path / "orders.csv"
    assert str(refusal.value) == (
        f"{path}, line 3, column 'unit_price': '12.99' has a decimal point, like 1 cells, and "
        f"{path}, line 2, column 'unit_price': '12,99' a decimal comma, like 1. Say by --decimal "
        "point or comma which is meant; the others are then left out."
    )


def test_days_come_first_where_a_cell_of_the_column_says_so(tmp_path: Path) -> None:
    header = "customer_id,product_id,timestamp"
    shop = read(tmp_path, header, "c1,p1,01/02/2024 10:00", "c1,p2,31/01/2024 10:00")
    times = [format_timestamp(time) for time in shop.time.tolist()]
    assert times == ["2024-02-01T10:00:00Z", "2024-01-31T10:00:00Z"]
    ambiguous = ["c1,p1,01/02/2024", "c1,p2,2024-01-31"]
    assert read(tmp_path, header, *ambiguous).report.dropped.counts == {"bad_timestamp": 1}
    told = read(tmp_path, header, *ambiguous, options=ReadingOptions(date_order="month-first"))
    assert format_timestamp(told.time.tolist()[0]) == "2024-01-02T00:00:00Z"

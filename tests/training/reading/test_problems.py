"""What is wrong in a file is counted, with file, line and cell, and nothing else is lost."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Final

import pytest

from training.errors import InputError
from training.reading.oddities import find_oddities
from training.reading.options import ReadingOptions
from training.reading.purchases import Purchases, read_purchases

pytestmark = pytest.mark.slow

NOW = 1_796_083_200  # 2026-12-01T00:00:00Z
FILES: Final = int(os.environ.get("REGULARS_RANDOM_FILES", "20"))  # 1,000 for a long run
CELLS: Final = {
    "timestamp": lambda lots: f"2024-{lots.randint(1, 12):02}-{lots.randint(1, 28):02}",
    "quantity": lambda lots: str(lots.randint(1, 9)),
    "unit_price": lambda lots: f"{lots.randint(1, 99)}.{lots.randint(0, 99):02}",
    "amount": lambda lots: f"{lots.randint(1, 99)}",
    "kind": lambda lots: lots.choice(("purchase", "view", "cart", "")),
    "status": lambda lots: lots.choice(("paid", "completed", "")),
}
REASONS: Final = {
    "timestamp": "bad_timestamp",
    "quantity": "bad_quantity",
    "unit_price": "bad_price",
    "amount": "bad_price",
    "kind": "unknown_kind",
    "status": "unknown_status",
}


def write(folder: Path, *lines: str, name: str = "orders.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("seed", range(FILES))
def test_a_cell_that_no_column_of_its_type_can_hold_costs_its_row_alone(
    tmp_path: Path, seed: int
) -> None:
    lots = random.Random(seed)
    chosen = ["timestamp", *lots.sample(list(CELLS)[1:], lots.randint(1, 4))]
    header = ["customer_id", "product_id", "order_id", *chosen]
    delimiter = lots.choice(",;\t|")
    rows = [
        [f"c{lots.randint(1, 9)}", f"p{lots.randint(1, 9)}", f"o{number}"]
        + [CELLS[name](lots) for name in chosen]
        for number in range(lots.randint(2, 60))
    ]
    broken, row = lots.choice(chosen), lots.randrange(len(rows))
    if broken in ("quantity", "unit_price", "amount", "status"):
        for name in set(chosen) & {"kind"}:  # a view has no quantity, price and status
            rows[row][3 + chosen.index(name)] = "purchase"
    if broken == "amount" and "unit_price" in chosen:  # which counts first
        broken = "unit_price"
    cell = "".join(lots.choices("qzx?!~#@^ü", k=lots.randint(2, 12)))
    rows[row][3 + chosen.index(broken)] = cell
    path = write(tmp_path, *(delimiter.join(cells) for cells in (header, *rows)))
    report = read_purchases([path], now=NOW).report
    reason = REASONS[broken]
    assert report.dropped.counts == {reason: 1}
    assert report.lines + report.merged_rows == len(rows) - 1  # equal views are one
    place = f"{path}, line {row + 2}, column {broken!r}: {cell!r}"
    assert report.dropped.examples == {reason: place}


@pytest.mark.parametrize("rows_after", [3, 3000])
def test_a_stray_quote_is_told_with_the_line_where_it_opens(
    tmp_path: Path, rows_after: int
) -> None:
    good = [f"c{number},p1,2024-01-01" for number in range(rows_after)]
    path = write(tmp_path, "customer_id,product_id,timestamp", "a,p1,2024-01-01", 'b,"p1,x', *good)
    with pytest.raises(InputError, match=r"orders\.csv, line 3: .*quote"):
        read_purchases([path], now=NOW)


def test_a_strict_reading_refuses_what_it_would_have_left_out(tmp_path: Path) -> None:
    path = write(
        tmp_path, "customer_id,product_id,timestamp", "a,p,2024-01-01", "b,p,soon", "a,p,2024-01-01"
    )
    assert read_purchases([path], now=NOW).report.dropped.counts.total() == 2
    strict = ReadingOptions(strict=True)
    with pytest.raises(InputError, match=r"1 bad_timestamp .*line 3, column 'timestamp': 'soon'"):
        read_purchases([path], now=NOW, options=strict)
    path.write_text("customer_id,product_id,timestamp\na,p,2024-01-01\na,p,2024-01-01\n")
    assert read_purchases([path], now=NOW, options=strict).report.lines == 1


def test_cells_of_products_and_customers_are_told_with_their_line(tmp_path: Path) -> None:
    orders = write(tmp_path, "customer_id,product_id,timestamp", "a,p,2024-01-01")
    products = write(tmp_path, "product_id,price", "p,5", "q,cheap", name="products.csv")
    customers = write(
        tmp_path, "customer_id,train,consent_time", "b,maybe,soon", ",yes,", name="people.csv"
    )
    report = read_purchases([orders], products=products, customers=customers, now=NOW).report
    assert report.product_problems.examples == {
        "bad_price": f"{products}, line 3, column 'price': 'cheap'"
    }
    assert report.customer_problems.examples == {
        "bad_consent": f"{customers}, line 2, column 'train': 'maybe'",
        "bad_consent_time": f"{customers}, line 2, column 'consent_time': 'soon'",
        "missing_customer_id": f"{customers}, line 3, column 'customer_id': ''",
    }


def read_rows(folder: Path, *rows: str) -> Purchases:
    return read_purchases(
        [write(folder, "customer_id,product_id,timestamp,order_id", *rows)], now=NOW
    )


def test_what_looks_like_an_export_gone_wrong_is_told(tmp_path: Path) -> None:
    good = [f"c{n},p{n},2024-01-{1 + n % 28:02},o{n}" for n in range(40)]
    assert find_oddities(read_rows(tmp_path, *good), NOW) == []
    one_second = [f"c{n},p{n},2024-01-01,o{n}" for n in range(40)]
    expected = {
        "of one second": one_second,
        "dated before 1990, such as on 1980-05-05": [*good, "c1,p1,1980-05-05,x"],
        "ahead of now": [*good, "c1,p1,2026-12-01T12:00,x"],
        "customer 'c1' has 11 of 50": [*good, *(f"c1,q{n},2024-02-02,x" for n in range(10))],
        "have no customer": [*good, *(f",p{n},2024-02-02,y{n}" for n in range(50))],
        "letter case alone from another, such as 'C1' and 'c1'": [*good, "C1,p1,2024-01-01,x"],
        "products differ by leading zeros": [*good, "c1,07,2024-01-01,x", "c2,7,2024-01-02,y"],
    }
    for sentence, rows in expected.items():
        (oddity,) = find_oddities(read_rows(tmp_path, *rows), NOW)
        assert sentence in oddity

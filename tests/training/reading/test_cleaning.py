from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.data.events import DAY, KINDS, order_code
from training.reading.cleaning import ROW_REASONS, YEAR_2100, check_rows
from training.reading.duckdb import open_workspace
from training.reading.file_tables import open_file_tables
from training.reading.order_lines import ORDER_CODES

NOW = 1_500_000_000  # 2017-07-14T02:40:00Z
GOOD = {"customer_id": "anna", "product_id": "milk", "timestamp": "2017-01-01", "order_id": "1"}
COLUMNS = (
    *("customer_id", "product_id", "timestamp", "order_id"),
    *("quantity", "unit_price", "kind", "currency", "rating"),
)


def clean(folder: Path, rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    """The checked rows, in the order of `rows`."""
    path = folder / "orders.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(GOOD | row for row in rows)
    with open_workspace() as workspace:
        workspace.in_file_order(True)
        (source,) = open_file_tables(workspace, [path], {})
        return list(workspace.connection.to_pyarrow(check_rows(source, NOW, None)).to_pylist())


def reasons(folder: Path, rows: list[dict[str, str]]) -> list[str | None]:
    return [
        None if row["reason"] is None else ROW_REASONS[row["reason"]] for row in clean(folder, rows)
    ]


def test_every_bad_row_has_its_reason(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, str], str | None]] = [
        ({}, None),
        ({"product_id": ""}, "missing_product_id"),
        ({"product_id": "x" * 500}, None),
        ({"product_id": "x" * 501}, "id_too_long"),
        ({"customer_id": "😀" * 500}, None),
        ({"customer_id": "😀" * 501}, "id_too_long"),
        ({"product_id": "nu\0l"}, "bad_id"),
        ({"timestamp": ""}, "missing_timestamp"),
        ({"timestamp": "  "}, "missing_timestamp"),
        ({"timestamp": "yesterday"}, "bad_timestamp"),
        ({"timestamp": "epoch"}, "bad_timestamp"),
        ({"timestamp": "infinity"}, "bad_timestamp"),
        ({"timestamp": "2017-02-30"}, "bad_timestamp"),
        ({"timestamp": "12/31/2016 8:26"}, "bad_timestamp"),
        ({"timestamp": "20170101"}, None),
        ({"timestamp": "1969-12-31T23:59:59Z"}, "timestamp_out_of_range"),
        ({"timestamp": "2100-01-01"}, "timestamp_out_of_range"),
        ({"timestamp": "2099-12-31"}, "timestamp_in_future"),
        ({"kind": "stolen"}, "unknown_kind"),
        ({"kind": " WISHLIST "}, None),
        ({"kind": "exposure"}, "exposure"),
        ({"kind": "dismiss", "quantity": "0"}, None),
        ({"kind": "rating", "rating": "4.5", "quantity": "0"}, None),
        ({"kind": "rating"}, "bad_rating"),
        ({"kind": "rating", "rating": "good"}, "bad_rating"),
        ({"kind": "rating", "rating": "nan"}, "bad_rating"),
        ({"kind": "rating", "rating": "0.9"}, "bad_rating"),
        ({"kind": "rating", "rating": "5.1"}, "bad_rating"),
        ({"rating": "good"}, None),
        ({"quantity": "two"}, "bad_quantity"),
        ({"quantity": "nan"}, "bad_quantity"),
        ({"quantity": "-nan"}, "bad_quantity"),
        ({"quantity": "-inf"}, "bad_quantity"),
        ({"quantity": "1e999"}, "bad_quantity"),
        ({"quantity": "0"}, "zero_quantity"),
        ({"quantity": "-0.0"}, "zero_quantity"),
        ({"quantity": "1e-300"}, "zero_quantity"),
        ({"quantity": "0.000001"}, None),
        ({"quantity": "1000000"}, None),
        ({"quantity": "1000001"}, "quantity_out_of_range"),
        ({"quantity": "-1000001"}, "quantity_out_of_range"),
        ({"unit_price": "free"}, "bad_price"),
        ({"unit_price": "NaN"}, "bad_price"),
        ({"unit_price": "inf"}, "bad_price"),
        ({"unit_price": "-0.01"}, "bad_price"),
        ({"unit_price": "0"}, None),
        ({"unit_price": "1000000000.5"}, "price_out_of_range"),
        ({"customer_id": "", "order_id": ""}, "guest_without_order"),
        ({"customer_id": "", "quantity": "-1"}, "guest_return"),
        ({"customer_id": "", "kind": "return"}, "guest_return"),
        ({"product_id": "", "timestamp": "soon", "quantity": "0"}, "missing_product_id"),
    ]
    assert reasons(tmp_path, [row for row, _ in cases]) == [reason for _, reason in cases]


def test_moments_are_read_to_the_second_with_their_zone(tmp_path: Path) -> None:
    cases = {
        "2017-01-01": "2017-01-01T00:00:00",
        "2017-01-01T12:30:00": "2017-01-01T12:30:00",
        "2017-01-01 12:30": "2017-01-01T12:30:00",
        "2017-01-01T12:30:00Z": "2017-01-01T12:30:00",
        "2017-01-01T12:30:00+02:00": "2017-01-01T10:30:00",
        "2017-01-01T12:30:00-0530": "2017-01-01T18:00:00",
        "2017-01-01 00:30:00+01": "2016-12-31T23:30:00",
        "2017-01-01T12:30:00.999999Z": "2017-01-01T12:30:00",
        "2017-01-01T12:30:00.123456789": "2017-01-01T12:30:00",
        " 2017-01-01 ": "2017-01-01T00:00:00",
        "1483228800": "2017-01-01T00:00:00",
        "1483228800999": "2017-01-01T00:00:00",
        "999999999": "2001-09-09T01:46:39",
        "999999999999": "2001-09-09T01:46:39",
    }
    rows = clean(tmp_path, [{"timestamp": text} for text in cases])
    times = [datetime.fromtimestamp(row["time"], UTC).strftime("%Y-%m-%dT%H:%M:%S") for row in rows]
    assert times == list(cases.values())
    assert {row["reason"] for row in rows} == {None}


def test_a_moment_after_2038_is_no_overflow(tmp_path: Path) -> None:
    (row,) = clean(tmp_path, [{"timestamp": "2099-12-31T23:59:59Z"}])
    assert row["time"] == 4_102_444_799


@pytest.mark.parametrize("kind", ["", "purchase", "Purchase"])
def test_a_negative_purchase_is_a_return(tmp_path: Path, kind: str) -> None:
    (row,) = clean(tmp_path, [{"quantity": "-3", "kind": kind}])
    assert (KINDS[row["kind"]], row["quantity"]) == ("return", 3.0)


def test_an_order_without_a_number_is_the_day(tmp_path: Path) -> None:
    first, second, other = clean(
        tmp_path,
        [
            {"order_id": "", "timestamp": f"2017-01-0{day}T0{hour}:00:00"}
            for day, hour in ((1, 1), (1, 9), (2, 1))
        ],
    )
    assert first["order_key"] == second["order_key"] != other["order_key"]


def test_the_key_of_an_order_tells_its_code_and_every_day_lies_below_any_of_them(
    tmp_path: Path,
) -> None:
    ids = ["1", "Bestellung-ä7", "注文😀", " ", "0" * 500]
    rows = clean(tmp_path, [{"order_id": order_id} for order_id in ids])
    assert [row["order_key"] % ORDER_CODES for row in rows] == [
        order_code(order_id) for order_id in ids
    ]
    assert all(row["order_key"] > YEAR_2100 // DAY for row in rows)


def test_a_currency_is_three_letters_or_unknown(tmp_path: Path) -> None:
    rows = clean(tmp_path, [{"currency": text} for text in ("eur", "USD", "dollars", "")])
    assert [row["currency"] for row in rows] == ["EUR", "USD", None, None]

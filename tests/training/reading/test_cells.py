"""DuckDB and Python read the same: whatever DuckDB reads on its own, Python reads as that value."""

from __future__ import annotations

import itertools
from typing import Any

import ibis
import pyarrow as pa
import pytest

from models.data.numbers import read_number
from models.data.timestamps import read_timestamp
from training.reading.cells import (
    address_cells,
    number_cells,
    plain_numbers,
    plain_times,
    text_cells,
    time_cells,
)
from training.reading.duckdb import open_workspace

DATES = ("2024-02-29", "2023-02-29", "1969-12-31", "0001-01-01", "9999-12-31", "2024-2-9")
CLOCKS = (
    *("", "T10:20", " 10:20", "T10:20:30", " 10:20:30.5", "T23:59:60", "T24:00:00", "T25:00"),
    *("T10:20:30.123456789", "t10:20", "  10:20", "T1:02", "T10:60", "T10:20:61"),
)
ZONES = ("", "Z", "z", "+02:00", "-0530", "+02", " +0100", "+15:59", "+25:00", " UTC", "-00:00")
DIGITS = (
    *("0", "1", "999999999", "0999999999", "1483228800", "1899999999", "1900000000", "2024010112"),
    *("14832288000", "202401011230", "202413011230", "999999999999", "1483228800999"),
    *("0483228800999", "20240101123000", "1696665026123456", "1696665026123456789", "1e9", "+5"),
)
TIMES = (*map("".join, itertools.product(DATES, CLOCKS, ZONES)), *DIGITS, "epoch", "infinity", " ")
SIGNS = ("", "-", "+", "--", "$", " ")
NUMBERS = (
    *("0", "007", "12", "1.5", ".5", "1.", "1e5", "1_000", "1,5", "1,234", "1.234,5", "nan", "inf"),
    *("0x10", "1 000", "true", "", "1.2.3", "9" * 400, "0." + "1" * 40, "١٢"),
)


def cells(texts: list[str], read: Any) -> list[Any]:
    rows = pa.table({"text": texts, "n": list(range(len(texts)))})
    with open_workspace() as workspace:
        table = workspace.keep("texts", ibis.memtable(rows))
        values = table.select("n", value=read(table.text)).order_by("n")
        return list(workspace.connection.to_pyarrow(values)["value"].to_pylist())


def read_or_none(read: Any, text: str) -> Any:
    try:
        return read(text)
    except (ValueError, OverflowError):
        return None


@pytest.mark.parametrize(
    ("texts", "plain", "every", "read", "least"),
    [
        (list(TIMES), plain_times, time_cells, read_timestamp, 50),
        (
            ["".join(pair) for pair in itertools.product(SIGNS, NUMBERS)],
            plain_numbers,
            number_cells,
            lambda text: read_number(text, None),
            10,
        ),
    ],
    ids=["times", "numbers"],
)
def test_duckdb_reads_nothing_that_python_reads_as_another_value(
    texts: list[str], plain: Any, every: Any, read: Any, least: int
) -> None:
    expected = [read_or_none(read, text) for text in texts]
    by_duckdb = cells(texts, plain)
    wrong = {
        text: (ours, value)
        for text, ours, value in zip(texts, by_duckdb, expected, strict=True)
        if ours is not None and ours != value
    }
    assert wrong == {}
    assert sum(value is not None for value in by_duckdb) >= least
    assert cells(texts, every) == expected


def test_entities_of_an_export_are_the_characters_that_they_are() -> None:
    texts = ["Salt &amp; Pepper", "Tea &#8220;Earl&#8221; &euro;5", "AT&T", "<b>Bold</b>", "a&copy"]
    assert cells(texts, text_cells) == ["Salt & Pepper", "Tea “Earl” €5", *texts[2:]]
    address = "https://shop.example/p1?a=1&amp;b=2&copy=3"
    assert cells([address], address_cells) == ["https://shop.example/p1?a=1&b=2&copy=3"]

"""The files that an export can write."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.artifact.atomic import atomic_write
from training.export.formats import FORMATS, ROW_GROUP_PARTS, make_spreadsheet_safe

AWKWARD = [
    'Sea salt, "coarse"',
    "two\nlines",
    "Käse 🧀",
    "=1+1",
    "+49 30",
    "-5 °C",
    "@home",
    " padded ",
    "<b>",
    "",
    "'",
]
SCHEMA = pa.schema(
    [("customer_id", pa.string()), ("rec_1_title", pa.string()), ("rec_1_price", pa.float64())]
)


def table(titles: list[str | None], price: float | None = 1.29) -> pa.Table:
    return pa.table([["c"] * len(titles), titles, [price] * len(titles)], schema=SCHEMA)


def joined(folder: Path, ending: str, tables: list[pa.Table]) -> Path:
    parts = [folder / f"{number:06}" for number in range(len(tables))]
    for part, table in zip(parts, tables, strict=True):
        with atomic_write(part, durable=True) as stream:
            FORMATS[ending].write(table, stream)
    with atomic_write(folder / f"slates{ending}", durable=True) as stream:
        FORMATS[ending].join(parts, SCHEMA, stream)
    return folder / f"slates{ending}"


def test_titles_of_any_letters_survive_in_csv_as_the_shop_wrote_them(tmp_path: Path) -> None:
    path = joined(tmp_path, ".csv", [table(AWKWARD[:3]), table([]), table(AWKWARD[3:])])
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["customer_id", "rec_1_title", "rec_1_price"]
    assert [title for _, title, _ in rows] == AWKWARD
    assert path.read_bytes()[:3] != b"\xef\xbb\xbf"


def test_a_spreadsheet_takes_no_cell_that_was_made_safe_for_a_formula(tmp_path: Path) -> None:
    formulas = ['=HYPERLINK("http://evil.example")', "+49 30", "-5 °C", "@home", "\t=1", "\r=1"]
    harmless = ["'", "", "a=1", " =1", "'=1", "\n=1", "Käse 🧀"]
    made_safe = make_spreadsheet_safe(table([*formulas, *harmless], price=-1.5))
    path = joined(tmp_path, ".csv", [made_safe, make_spreadsheet_safe(table([]))])
    with path.open(encoding="utf-8", newline="") as stream:
        _, *rows = csv.reader(stream)
    assert [title for _, title, _ in rows] == [f"'{text}" for text in formulas] + harmless
    assert {price for _, _, price in rows} == {"-1.5"}
    assert make_spreadsheet_safe(table([None])).equals(table([None]))


def test_what_is_missing_is_an_empty_cell_in_csv_and_null_in_json_lines(tmp_path: Path) -> None:
    missing = [table([None], None)]
    assert joined(tmp_path, ".csv", missing).read_text().splitlines()[1] == '"c",,'
    (line,) = joined(tmp_path, ".ndjson", missing).read_text().splitlines()
    assert json.loads(line) == {"customer_id": "c", "rec_1_title": None, "rec_1_price": None}


def test_json_lines_are_one_flat_object_a_row(tmp_path: Path) -> None:
    lines = (
        joined(tmp_path, ".ndjson", [table(AWKWARD), table(["last"])])
        .read_text("utf-8")
        .split("\n")
    )
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines[:-1]]
    assert lines[-1] == ""
    assert [row["rec_1_title"] for row in rows] == [*AWKWARD, "last"]
    assert rows[0]["rec_1_price"] == 1.29


def test_many_parts_are_few_row_groups_of_parquet(tmp_path: Path) -> None:
    path = joined(
        tmp_path, ".parquet", [table([f"title {number}"]) for number in range(ROW_GROUP_PARTS + 2)]
    )
    assert pq.read_table(path)["rec_1_title"].to_pylist() == [
        f"title {number}" for number in range(ROW_GROUP_PARTS + 2)
    ]
    assert pq.read_metadata(path).num_row_groups == 2

"""Files in the encodings and shapes that programs write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from training.errors import InputError
from training.reading.duckdb import open_workspace
from training.reading.file_tables import open_file_tables
from training.reading.options import ReadingOptions


def read(path: Path, **options: Any) -> list[tuple[Any, ...]]:
    """Customer, product and timestamp of each row, as text."""
    with open_workspace() as workspace:
        workspace.in_file_order(True)
        (source,) = open_file_tables(workspace, [path], {}, options=ReadingOptions(**options))
        names = ("customer_id", "product_id", "timestamp")
        cells = source.table.select(**{name: source.text(name) for name in names})
        rows = workspace.connection.to_pyarrow(cells).to_pylist()
    return [tuple(row.values()) for row in rows]


ROW = ("c1", "p1", "2024-01-01")
HEADER = "customer_id,product_id,timestamp"


@pytest.mark.parametrize(
    "content",
    [
        b"sep=;\ncustomer_id;product_id;timestamp\nc1;p1;2024-01-01\n",
        b"Orders report of shop,,\n,,\ncustomer_id,product_id,timestamp\nc1,p1,2024-01-01\n",
        b'"customer_id","product_id","time\nstamp","timestamp"\nc1,p1,x,2024-01-01\n',
        f"{HEADER}\nc1,p1,2024-01-01\n".encode("utf-16"),
    ],
    ids=["sep", "titles", "line end in header", "utf-16"],
)
def test_a_header_is_found_where_programs_put_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    assert read(path) == [ROW]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1"])
def test_umlauts_are_read_in_the_usual_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(f"{HEADER}\nMüller,Straße,2024-01-01\n", encoding=encoding)
    assert read(path) == [("Müller", "Straße", "2024-01-01")]


def test_another_encoding_is_told(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(f"{HEADER}\nŁódź,p1,2024-01-01\n", encoding="iso-8859-2")
    assert read(path, encoding="iso-8859-2") == [("Łódź", "p1", "2024-01-01")]
    with pytest.raises(InputError, match="--encoding klingon: there is no such encoding"):
        read(path, encoding="klingon")


def test_lines_above_a_header_of_other_names_are_told(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("My shop\n2024\nwho,what,when\nc1,p1,2024-01-01\n")
    with open_workspace() as workspace:
        options = ReadingOptions(skip_rows=2)
        (source,) = open_file_tables(workspace, [path], {"customer_id": "who"}, options=options)
        assert source.columns == ("who", "what", "when")
        assert source.locate("customer_id", "c1").endswith("line 4, column 'who': 'c1'")


@pytest.mark.parametrize(
    "content",
    [
        '[\n  {\n    "customer_id": "c1",\n    "product_id": "p1",\n    "timestamp": "2024-01-01"\n  }\n]',
        '{\n "customer_id": "c1",\n "product_id": "p1",\n "timestamp": "2024-01-01"\n}\n' * 1,
        '{"customer_id": "c1",\n "product_id": "p1", "timestamp": "2024-01-01"}',
        '{"customer_id": "c1", "product_id": "p1", "timestamp": "2024-01-01"}',
    ],
    ids=["array", "pretty", "broken line", "line"],
)
@pytest.mark.parametrize("name", ["orders.json", "orders", "orders.txt", "orders of 5 % [1].JSON"])
def test_json_is_read_however_it_is_printed_and_named(
    tmp_path: Path, content: str, name: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert read(path) == [ROW]


def test_json_objects_one_after_another_keep_the_text_of_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "orders.json"
    one = '{\n "customer_id": 12345678901234567890,\n "product_id": 0.1,\n "timestamp": 1.7e9\n}\n'
    path.write_text(one + one.replace("0.1", '"007"'))
    assert [row[:2] for row in read(path)] == [
        ("12345678901234567890", "0.1"),
        ("12345678901234567890", "007"),
    ]

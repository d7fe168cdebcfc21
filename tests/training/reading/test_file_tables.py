from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.errors import InputError
from training.reading.duckdb import open_workspace
from training.reading.file_tables import find_unreadable_rows, open_file_tables, read_whole


def read(
    *paths: Path, columns: Mapping[str, str] | None = None
) -> tuple[list[dict[str, Any]], int]:
    """Rows as (product_id, quantity, market), sorted, and the count of unreadable ones."""
    with open_workspace() as workspace:
        sources = open_file_tables(workspace, paths, columns or {})
        rows: list[dict[str, Any]] = []
        for source in sources:
            names = ("product_id", "quantity", "market")
            cells = {name: source.text(name) for name in names} | {"all": _everything(source)}
            rows += (
                workspace.connection.to_pyarrow(source.table.select(**cells))
                .drop_columns("all")
                .to_pylist()
            )
        unreadable, _ = find_unreadable_rows(workspace, sources)
        return sorted(rows, key=lambda row: str(row["product_id"])), unreadable


def _everything(source: Any) -> Any:
    return ibis.struct({name: source.table[name] for name in source.columns})


def whole(*paths: Path) -> None:
    """Read the products of files of which nothing may be lost."""
    with open_workspace() as workspace:
        for source in open_file_tables(workspace, paths, {}, whole=True):
            read_whole(workspace, source, source.table.select("product_id"))


def ids(rows: list[dict[str, Any]]) -> list[Any]:
    return [row["product_id"] for row in rows]


def test_csv_with_bom_windows_line_ends_quotes_and_semicolons(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        '\ufeffproduct_id;quantity;title\r\n007;1,5;"a; b, ""c"""\r\n8;2;"two\nlines"\r\n'.encode()
    )
    assert read(path) == (
        [
            {"product_id": "007", "quantity": "1,5", "market": None},
            {"product_id": "8", "quantity": "2", "market": None},
        ],
        0,
    )


def test_columns_without_a_name_are_in_nobodys_way(tmp_path: Path) -> None:
    """Pandas writes row numbers under no name, and a spreadsheet a comma after the last column."""
    path = tmp_path / "a.csv"
    path.write_text(",product_id,quantity,\n0,007,1,\n1,8,2,\n")
    assert read(path) == (
        [
            {"product_id": "007", "quantity": "1", "market": None},
            {"product_id": "8", "quantity": "2", "market": None},
        ],
        0,
    )


def test_a_line_with_too_few_or_too_many_columns_costs_that_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'product_id,quantity\n1,1\n2\n3,1,1\n4,1\n5,\xff\n"6"x,1\n\n7,1\n')
    rows, unreadable = read(path)
    assert ids(rows) == ["1", "4", "7"]
    assert unreadable == 4


@pytest.mark.parametrize(
    "content", [b"product_id,quantity\r\n1,1\n2,1\n", b"product_id,quantity\n1,1\n2\r3,1\n4,1\n"]
)
def test_lines_that_end_in_different_ways_are_told_as_the_cause(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(
        InputError,
        match=r"a\.csv cannot be read: some of its lines end in CR LF and some in LF, or a CR",
    ):
        whole(path)


def test_a_quote_that_never_closes_does_not_swallow_the_file_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('product_id,quantity\n1,1\n2,"oh\n' + "3,1\n" * 9999)
    with pytest.raises(InputError, match=r"a\.csv, line 3: a quote opens"):
        read(path)


def test_a_small_swallowed_piece_is_refused_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('product_id,quantity\n1,1\n2,"oh\n3,1\n4,1\n')
    with pytest.raises(InputError, match=r"a\.csv, line 3: a quote opens .* 3 rows"):
        read(path)


def test_lines_that_are_read_more_than_once_are_counted_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("product_id,quantity\n1\n2,2\n")
    (tmp_path / "b.csv").write_text("product_id,quantity\n3,3,3\n4\n")
    with open_workspace() as workspace:
        (source,) = sources = open_file_tables(workspace, [tmp_path], {})
        for name in source.columns:
            assert workspace.count(source.table[name]) == 1
        assert find_unreadable_rows(workspace, sources)[0] == 3


def test_a_gz_is_read_like_the_file_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"product_id,quantity\n1,1\n", mtime=0))
    assert ids(read(path)[0]) == ["1"]


def test_files_of_differing_columns_are_united_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("product_id,quantity\n1,2\n")
    (tmp_path / "b.csv").write_text("market,product_id\nDE,2\n")
    (tmp_path / "c.jsonl").write_text('{"product_id": "3"}\n')
    pq.write_table(pa.table({"product_id": [4], "quantity": [1.5]}), tmp_path / "d.parquet")
    pq.write_table(pa.table({"product_id": ["05"], "quantity": [1]}), tmp_path / "e.parquet")
    assert [tuple(row.values()) for row in read(tmp_path)[0]] == [
        ("05", "1", None),
        ("1", "2", None),
        ("2", None, "DE"),
        ("3", None, None),
        ("4", "1.5", None),
    ]


def test_json_lines_keep_their_text_and_bad_lines_come_as_empty_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = [{"product_id": "007", "quantity": 1}, {"product_id": 12345678901234567, "market": "DE"}]
    path.write_text(
        "\n".join([*map(json.dumps, good), "not json", "[1]", '{"product_id": 1, "quant']) + "\n"
    )
    rows, _ = read(path)
    assert ids(rows) == ["007", "12345678901234567", None, None, None]
    assert rows[1]["market"] == "DE"


@pytest.mark.parametrize(
    ("name", "packed"), [("a.jsonl", bytes), ("a.jsonl.gz", gzip.compress)], ids=["plain", "packed"]
)
def test_a_byte_order_mark_does_not_cost_the_first_line_of_json(
    tmp_path: Path, name: str, packed: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(packed('\ufeff{"product_id": "1"}\n{"product_id": "2"}\n'.encode()))
    assert ids(read(path)[0]) == ["1", "2"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "a.csv",
            b"product_id,quantity\n1,1\n2\n3,1\n4\n",
            r"a\.csv, line 3: .* 2 Found: 1; 2 of its lines cannot be",
        ),
        (
            "a.csv",
            b'product_id,quantity\n1,1\n2,"1\n3,1\n',
            r"a\.csv, line 3: .*quote.*; 2 of its lines cannot be",
        ),
        (
            "a.csv",
            b"product_id,quantity\n1,1\n\xff,1\n",
            r"a\.csv, line 3: .*utf-8.*; 1 of its lines cannot be",
        ),
        ("a.csv.gz", gzip.compress(b"product_id,quantity\n1\n", mtime=0), r"a\.csv\.gz, line 2: "),
        ("a.csv", b"product_id,quantity\n1,1\r\n2,1\n3,1\r\n", r"a\.csv cannot be read: "),
        (
            "a.jsonl",
            b'{"product_id": "1"}\n{"product_id": "2"\n{"product_id": "3"}\n',
            r"a\.jsonl cannot be read: .*Mal",
        ),
        (
            "a.jsonl",
            b'{"product_id": "1"}\n["2"]\n',
            r"a\.jsonl cannot be read: .* line 2: Expected OBJECT",
        ),
        (
            "a.jsonl",
            b'{"product_id": "1", "product_id": "2"}\n',
            r"a\.jsonl cannot be read: .* duplicate key",
        ),
        ("a.json", b'[{"product_id": "1"}, "2"]', r"a\.json cannot be read: .*Expected OBJECT"),
    ],
)
def test_a_file_that_must_be_whole_is_refused_by_the_line_that_cannot_be_read(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        whole(path)


def test_of_several_files_the_one_that_cannot_be_read_whole_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("product_id,quantity\n1,1\n")
    Path("b.csv").write_text("product_id,quantity\n2,1\n3\n")
    with pytest.raises(InputError, match=r"^b\.csv, line 3: .*; 1 of its lines"):
        whole(Path("a.csv"), Path("b.csv"))


def test_a_json_array_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n {"product_id": "1"},\n {"product_id": "2"}\n]')
    assert ids(read(path)[0]) == ["1", "2"]


def test_a_column_that_appears_late_in_json_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"product_id": "1"}\n' * 30_000 + '{"product_id": "2", "market": "DE"}\n')
    assert read(path)[0][-1]["market"] == "DE"


def test_json_without_an_object_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("hello\n")
    with pytest.raises(InputError, match=r"a\.jsonl holds no JSON object"):
        read(path)


def test_whole_numbers_of_parquet_become_their_decimal_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    floats = pa.array([12345.0, None, float("nan"), 1.5, 2.0**53], pa.float64())
    pq.write_table(
        pa.table({"product_id": floats, "quantity": pa.array([1, 2, 3, 4, 5], pa.int8())}), path
    )
    assert {row["quantity"]: row["product_id"] for row in read(path)[0]} == {
        "1": "12345",
        "2": None,
        "3": None,
        "4": "1.5",
        "5": "9007199254740992.0",
    }


def test_bytes_and_lists_of_parquet_become_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"product_id": pa.array([b"a"], pa.binary()), "market": [["DE", "AT"]]}), path
    )
    assert read(path)[0] == [{"product_id": "a", "quantity": None, "market": "DE|AT"}]


def test_a_parquet_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_text("product_id\n1\n")
    with pytest.raises(InputError, match=r"a\.parquet cannot be read as Parquet"):
        read(path)


def test_a_parquet_file_with_a_column_twice_is_an_error(tmp_path: Path) -> None:
    for name in ("product_id", "Product_ID"):
        pq.write_table(
            pa.table([pa.array(["1"]), pa.array(["2"])], ["product_id", name]),
            tmp_path / "a.parquet",
        )
        with pytest.raises(
            InputError, match=f"2 columns that DuckDB cannot tell apart: 'product_id' and '{name}'"
        ):
            read(tmp_path / "a.parquet")


def test_a_mapped_column_counts_only_in_the_files_that_have_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sku,product_id\nright,wrong\n")
    (tmp_path / "b.csv").write_text("product_id,market\nown,DE\n")
    assert ids(read(tmp_path, columns={"product_id": "sku"})[0]) == ["own", "right"]


def test_a_file_name_with_brackets_is_no_glob(tmp_path: Path) -> None:
    path = tmp_path / "a [1]*.csv"
    path.write_text("product_id\n1\n")
    assert ids(read(path)[0]) == ["1"]

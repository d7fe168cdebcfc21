from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.errors import InputError
from training.reading.duckdb import open_workspace
from training.reading.file_tables import open_file_tables
from training.reading.options import ReadingOptions
from training.reading.products import ProductTable, read_products, split_markets


def read(path: Path) -> tuple[dict[str, dict[str, Any]], ProductTable]:
    with open_workspace() as workspace:
        products = read_products(workspace, open_file_tables(workspace, [path], {}))
        rows = workspace.connection.to_pyarrow(products.table).to_pylist()
    return {row["product_id"]: row for row in rows}, products


def write(folder: Path, header: str, *lines: str) -> Path:
    path = folder / "goods.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def test_a_cell_that_is_not_understood_is_unknown_and_counted(tmp_path: Path) -> None:
    header = "product_id,price,currency,url,image_url,in_stock,available_from,available_until,cost"
    path = write(
        tmp_path,
        header,
        *(f"p{number},,,,,1,,," for number in range(3)),
        "good,1.50,eur,https://shop/a b,HTTP://shop/1.png,yes,2017-01-01,2017-02-01T00:00:00+01:00,0.9",
        "bad,cheap,euro,javascript:alert(1),data:image/png,maybe,soon,later,little",
        "negative,-1,,ftp://shop/1,//shop/1,No,,,-2",
    )
    rows, products = read(path)
    assert products.problems.counts == {
        "bad_price": 2,
        "bad_cost": 2,
        "bad_currency": 1,
        "bad_url": 3,
        "bad_in_stock": 1,
        "bad_time": 2,
    }
    assert rows["good"] | {"title": None} == {
        "product_id": "good",
        "title": None,
        "category": None,
        "brand": None,
        "price": 1.5,
        "currency": "EUR",
        "url": "https://shop/a%20b",
        "image_url": "HTTP://shop/1.png",
        "in_stock": True,
        "markets": None,
        "available_from": 1_483_228_800,
        "available_until": 1_485_903_600,
        "cost": 0.9,
        "attributes": None,
    }
    assert {name: value for name, value in rows["bad"].items() if value is not None} == {
        "product_id": "bad",
        "in_stock": False,  # nobody who says "maybe" says yes
    }
    assert rows["negative"]["in_stock"] is False


def test_the_last_row_of_a_product_wins(tmp_path: Path) -> None:
    rows, products = read(
        write(tmp_path, "product_id,title", "1,old", "2,other", "1,older", "1,new")
    )
    assert (rows["1"]["title"], rows["2"]["title"]) == ("new", "other")
    assert (products.rows, products.problems.counts) == (4, {"duplicate_product": 2})


def test_the_last_row_wins_in_a_large_file_too(tmp_path: Path) -> None:
    lines = [f"{i % 50_000},{i}" for i in range(200_000)]
    rows, _ = read(write(tmp_path, "product_id,title", *lines))
    assert all(int(row["title"]) == 150_000 + int(name) for name, row in rows.items())


def test_rows_without_a_usable_id_are_left_out_by_name(tmp_path: Path) -> None:
    rows, products = read(
        write(tmp_path, "product_id,title", ",a", "x\0,b", f"{'x' * 501},c", "1,2,3", "ok,d")
    )
    assert list(rows) == ["ok"]
    assert products.problems.counts == {
        "unreadable_row": 1,
        "missing_product_id": 1,
        "bad_id": 1,
        "id_too_long": 1,
    }
    assert products.rows == 5


def test_every_other_column_is_carried_as_an_attribute(tmp_path: Path) -> None:
    rows, _ = read(write(tmp_path, "product_id,size,it's 1,colour", '1,"2"" x 3",,rot', "2,,,"))
    assert json.loads(rows["1"]["attributes"]) == {"size": '2" x 3', "colour": "rot"}
    assert rows["2"]["attributes"] is None


def test_a_products_file_without_ids_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"goods\.csv lacks 1 required column: product_id"):
        read(write(tmp_path, "sku,title", "1,a"))


@pytest.mark.parametrize(
    "cell", ["DE|New Zealand", "DE, New Zealand", "DE;New Zealand;", '["DE", "New Zealand"]']
)
def test_markets_may_be_separated_in_any_usual_way(cell: str) -> None:
    assert split_markets(cell) == ["DE", "New Zealand"]


def test_a_stock_that_nobody_understands_is_not_in_stock_and_counted(tmp_path: Path) -> None:
    known = [f"p{number},12" for number in range(4)]
    rows, products = read(write(tmp_path, "product_id,in_stock", *known, "odd,call us", "empty,"))
    assert {name: row["in_stock"] for name, row in rows.items() if not row["in_stock"]} == {
        "odd": False,
        "empty": None,
    }
    assert products.problems.counts == {"bad_in_stock": 1}


def test_a_file_of_unknown_words_for_stock_is_refused_with_its_words(tmp_path: Path) -> None:
    path = write(tmp_path, "product_id,in_stock", "a,1", "b,1", "c,call us", "d,soon", "e,soon")
    with pytest.raises(
        InputError, match=r"line 5, column 'in_stock': 'soon' and 2 more of 5 cells"
    ):
        read(path)
    with open_workspace() as workspace:
        options = ReadingOptions(stock_words={"soon": False, "callus": True})
        files = open_file_tables(workspace, [path], {}, options=options)
        rows = workspace.connection.to_pyarrow(read_products(workspace, files).table).to_pylist()
    in_stock = {row["product_id"]: row["in_stock"] for row in rows}
    assert in_stock == {"a": True, "b": True, "c": True, "d": False, "e": False}

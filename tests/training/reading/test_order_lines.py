from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ibis
import pyarrow as pa
import pytest

from models.data.events import PURCHASE, RETURN
from training.reading import order_lines
from training.reading.duckdb import Workspace, open_workspace


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with open_workspace() as opened:
        yield opened


def table(*rows: dict[str, Any]) -> Any:
    usual = {
        "user": 0,
        "item": 0,
        "order_key": 1,
        "kind": PURCHASE,
        "time": 100,
        "quantity": 1.0,
        "price": 1.0,
        "claim": False,
        "order_code": 1,
    }
    full = [usual | {"market": -1, "currency": -1} | row for row in rows]
    return ibis.memtable(pa.Table.from_pylist(full))


def rows_of(workspace: Workspace, expression: Any) -> list[dict[str, Any]]:
    return list(workspace.connection.to_pyarrow(expression).to_pylist())


def test_rows_with_one_hash_but_other_cells_are_no_copies(workspace: Workspace) -> None:
    rows = ibis.memtable(
        pa.table({"row_hash": [1, 1, 1, 2, None, None], "cell": ["a", "a", "b", "a", None, None]})
    )
    single, copies = order_lines.drop_duplicates(workspace, rows)
    assert (workspace.count(single), copies) == (5, 1)


def test_an_unknown_price_does_not_dilute_the_mean(workspace: Workspace) -> None:
    (line,) = rows_of(
        workspace, order_lines.merge_rows(table({"price": 2.0, "quantity": 3.0}, {"price": None}))
    )
    assert (line["quantity"], line["price"], line["rows"]) == (4.0, 2.0, 2)


def test_orders_are_numbered_by_their_first_moment(workspace: Workspace) -> None:
    rows = table(
        {"order_key": 9, "time": 50},
        {"order_key": 3, "time": 60},
        {"order_key": 3, "time": 40, "item": 1},
    )
    numbers = rows_of(workspace, order_lines.number_orders(rows).order_by("order"))
    assert [(row["order_key"], row["order"]) for row in numbers] == [(3, 0), (9, 1)]


@pytest.mark.parametrize(("bought_at", "weight"), [(99, -0.5), (100, -0.5), (101, None)])
def test_only_what_was_bought_until_then_counts(
    workspace: Workspace, bought_at: int, weight: float | None
) -> None:
    rows = table(
        {"kind": RETURN, "order_key": 2},
        {"quantity": 2.0, "time": bought_at},
        {"user": 1, "quantity": 9.0},
    )
    assert [row["weight"] for row in rows_of(workspace, order_lines.weigh_returns(rows))] == [
        weight
    ]


def test_the_latest_price_is_not_that_of_a_gift(workspace: Workspace) -> None:
    rows = table(
        {"price": 3.0},
        {"price": 2.0, "time": 200},
        {"price": 4.0, "time": 200},
        {"price": 0.0, "time": 300},
    )
    assert rows_of(workspace, order_lines.find_latest_prices(rows)) == [
        {"item": 0, "price": 4.0, "currency": -1}
    ]

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest

from training.reading.customers import read_customers
from training.reading.duckdb import Workspace, open_workspace
from training.reading.numbering import NameTables, Numbering, code_texts, fetch_numbering
from training.reading.products import read_products


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with open_workspace() as opened:
        yield opened


def fetch(workspace: Workspace, arrays: dict[str, Any]) -> Numbering:
    """A shop with customers a, b, c, products x, y, z and market DE; z alone has a price."""
    texts = {"customer_id": ["a", "b", "c"], "product_id": ["x", "y", "z"]}
    texts |= {"market": ["DE"] * 3, "currency": ["EUR"] * 3}
    rows = ibis.memtable(pa.table(texts))
    names = NameTables(
        customers=code_texts(workspace, "customer_id", rows.customer_id),
        products=code_texts(workspace, "product_id", rows.product_id),
        markets=code_texts(workspace, "market", rows.market),
        currencies=code_texts(workspace, "currency", rows.currency),
    )
    price = {
        "item": pa.array([2], pa.int32()),
        "price": [1.5],
        "currency": pa.array([0], pa.int32()),
    }
    latest = ibis.memtable(pa.table(price))
    return fetch_numbering(
        workspace,
        names,
        read_products(workspace, []),
        read_customers(workspace, [], now=0),
        latest,
        arrays,
    )


def test_names_get_codes_in_the_order_of_their_bytes(workspace: Workspace) -> None:
    texts = ibis.memtable(pa.table({"name": ["é", "z", None, "Z", "z"]}))
    codes = code_texts(workspace, "name", texts.name).order_by("code")
    assert workspace.connection.to_pyarrow(codes).to_pylist() == [
        {"name": "Z", "code": 0},
        {"name": "z", "code": 1},
        {"name": "é", "code": 2},
    ]


def test_customers_and_products_without_a_kept_line_are_left_out_and_the_rest_moves_up(
    workspace: Workspace,
) -> None:
    arrays = {
        "user": np.int32([-1, 0, 2]),
        "item": np.int32([2, 2, 1]),
        "market": np.int32([-1, 0, 0]),
    }
    shop = fetch(workspace, arrays)
    assert (list(shop.customer_ids), list(shop.product_ids)) == (["a", "c"], ["y", "z"])
    assert arrays["user"].tolist() == [-1, 0, 1]
    assert arrays["item"].tolist() == [1, 1, 0]
    assert arrays["market"].tolist() == [-1, 0, 0]


def test_prices_follow_their_products(workspace: Workspace) -> None:
    arrays = {"user": np.int32([0, 0]), "item": np.int32([2, 1]), "market": np.int32([0, 0])}
    catalogue = fetch(workspace, arrays).catalogue
    np.testing.assert_array_equal(catalogue.price, [np.nan, 1.5])
    assert list(catalogue.currency) == ["", "EUR"]


def test_guests_alone_make_a_shop_without_customers(workspace: Workspace) -> None:
    arrays = {"user": np.int32([-1]), "item": np.int32([0]), "market": np.int32([0])}
    shop = fetch(workspace, arrays)
    assert (len(shop.customer_ids), shop.consent.shape, shop.customer_market.shape) == (
        0,
        (0, 4),
        (0,),
    )

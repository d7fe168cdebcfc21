"""Customers, products and markets of the kept lines and of the files, under their final numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import ibis
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.customers import NEVER_ASKED
from models.data.ids import Ids
from training.reading.arrow import codes, numbers, strings
from training.reading.customers import CONSENT_TIMES, PURPOSES, CustomerTable
from training.reading.duckdb import Workspace
from training.reading.products import ProductTable, catalogue

IN_FILE: Final = "in_file"


@dataclass(frozen=True, eq=False)
class Numbering:
    """What `Purchases` knows beside its lines, see there."""

    customer_ids: Ids
    product_ids: Ids
    market_names: Ids
    consent: NDArray[np.uint8]
    consent_time: NDArray[np.int64]
    customer_market: NDArray[np.int32]
    catalogue: Catalogue

    def identities(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def fetch_numbering(
    workspace: Workspace,
    names: dict[str, Any],
    products: ProductTable,
    customers: CustomerTable,
    latest_prices: Any,
    arrays: dict[str, NDArray[Any]],
) -> Numbering:
    """The shop, and the `user`, `item` and `market` of the lines renumbered in place to fit it.

    A name all of whose rows were dropped after it had got its code is left out, unless one of the files has it.
    """
    people = _with_file(workspace, names["customer_id"], customers.table, "customer_id")
    things = _with_file(workspace, names["product_id"], products.table, "product_id")
    prices = workspace.connection.to_pyarrow(_priced(names, latest_prices).order_by("code"))
    there = _used(arrays["item"], things)
    people = people.filter(pa.array(_renumber(arrays["user"], _used(arrays["user"], people))))
    things, prices = (
        things.filter(pa.array(_renumber(arrays["item"], there))),
        prices.filter(pa.array(there)),
    )
    product_ids = strings(things["product_id"], Ids)
    shop_catalogue = catalogue(
        product_ids, things, numbers(prices["price"], np.float64, np.nan), prices["currency"]
    )
    consent = np.stack(
        [numbers(people[purpose], np.uint8, NEVER_ASKED) for purpose in PURPOSES], axis=1
    )
    consent_time = np.stack([numbers(people[time], np.int64, 0) for time in CONSENT_TIMES], axis=1)
    market_names, customer_market = _markets(
        workspace, names["market"], people["market"], shop_catalogue, arrays
    )
    customer_ids = strings(people["customer_id"], Ids)
    return Numbering(
        customer_ids,
        product_ids,
        market_names,
        consent,
        consent_time,
        customer_market,
        shop_catalogue,
    )


def _with_file(workspace: Workspace, coded: Any, file: Any, name: str) -> Any:
    """Arrow: every coded name in the order of the codes, with the cells of the file."""
    cells = file.mutate(**{IN_FILE: ibis.literal(True)})
    return workspace.connection.to_pyarrow(coded.left_join(cells, name).order_by("code"))


def _priced(names: dict[str, Any], latest_prices: Any) -> Any:
    items, currencies = names["product_id"], names["currency"]
    currencies = currencies.select(currency_code="code", currency_text="currency")
    prices = latest_prices.left_join(currencies, latest_prices.currency == currencies.currency_code)
    prices = prices.select("item", "price", currency="currency_text")
    return items.left_join(prices, items.code == prices.item).select("code", "price", "currency")


def _used(codes_of_lines: NDArray[Any], coded: Any) -> NDArray[np.bool_]:
    used: NDArray[np.bool_] = numbers(coded[IN_FILE], np.bool_, False)
    used = used.copy()
    used[codes_of_lines[codes_of_lines >= 0]] = True
    return used


def _renumber(codes_of_lines: NDArray[Any], used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Close the gaps of unused codes in place; -1 stays."""
    final = np.append(np.cumsum(used) - 1, -1).astype(np.int32)
    codes_of_lines[:] = final[codes_of_lines]
    return used


def _markets(
    workspace: Workspace,
    of_lines: Any,
    of_customers: Any,
    shop_catalogue: Catalogue,
    arrays: dict[str, NDArray[Any]],
) -> tuple[Ids, NDArray[np.int32]]:
    line_names = workspace.connection.to_pyarrow(of_lines.order_by("code"))["market"].to_pylist()
    code, customer_names = codes(of_customers)
    names = sorted({*line_names, *customer_names, *shop_catalogue.market_names}, key=str.encode)
    market_names = Ids.of(names)
    arrays["market"][:] = np.append(market_names.find_all(line_names), np.int32(-1))[
        arrays["market"]
    ]
    return market_names, np.append(market_names.find_all(list(customer_names)), np.int32(-1))[
        code
    ].astype(np.int32)

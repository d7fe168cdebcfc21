"""Read and clean the purchases of a shop, from files and the service's store, as arrays.

The stages: open files, map their columns, clean their cells, make order lines of the rows, number
customers, products and orders, fetch arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.customers import CustomerColumns, nothing_said
from models.data.events import PURCHASE
from models.data.ids import Ids, Strings
from models.data.shop_time import ShopTime, count_sales_days
from training.progress import Advance, ignore
from training.reading import order_lines
from training.reading.arrow import to_numbers
from training.reading.customers import CustomerTable, Unasked, read_customers
from training.reading.duckdb import Workspace, open_workspace
from training.reading.lines_of_rows import CodedLines, ShopTables, make_lines
from training.reading.numbering import Numbering, fetch_numbering
from training.reading.options import AS_FILES_TELL, ReadingOptions
from training.reading.problems import Problems, require_none
from training.reading.products import ProductTable, read_products
from training.reading.service_store import read_store
from training.reading.sources import open_sources
from training.reading.unlisted import hide_unlisted

BATCH_LINES: Final = 1_000_000  # fetched at a time
ARRAY_TYPES: Final[dict[str, type[Any]]] = {
    "user": np.int32,
    "item": np.int32,
    "order": np.int32,
    "order_code": np.uint32,
    "time": np.int64,
    "kind": np.uint8,
    "weight": np.float32,
    "quantity": np.float32,
    "price": np.float32,
    "market": np.int32,
    "claim": np.bool_,
}
STEPS: Final = (
    "opening files",
    "reading the store",
    "reading products and customers",
    "reading purchases",
    "comparing rows",
    "merging rows of the same line",
    "sorting lines",
)


@dataclass(frozen=True)
class ReadingReport:
    """Counts of what was read: rows == merged_rows + lines + dropped.counts.total()."""

    rows: int
    lines: int
    merged_rows: int  # rows that were added to another row of the same line
    dropped: Problems  # rows
    customers: int
    products: int
    orders: int
    guest_lines: int
    first_time: int  # seconds since 1970, UTC
    last_time: int
    product_rows: int
    product_problems: Problems  # rows left out and cells not understood
    customer_rows: int
    customer_problems: Problems
    taken_for: Mapping[str, str] = field(default_factory=dict)  # file -> the export that it is

    @property
    def problems(self) -> tuple[Problems, ...]:
        """Return the problems of purchases, products and customers."""
        return self.dropped, self.product_problems, self.customer_problems


@dataclass(frozen=True, eq=False)
class Purchases:
    """Hold n cleaned lines, sorted by (user, item, time, order); guests (user -1) first.

    u customers, i products.
    """

    customer_ids: Ids  # (u,) everyone with a line, and everyone in the customers file
    product_ids: Ids  # (i,) everything with a line, and everything in the products file
    market_names: Ids  # of lines, customers and products
    user: NDArray[np.int32]  # (n,) -1 is a guest
    item: NDArray[np.int32]  # (n,)
    order: NDArray[np.int32]  # (n,) 0, 1, … by the time of its first line; -1: no purchase
    order_code: NDArray[np.uint32]  # (n,) models.data.events.order_code, 0 without an order id
    time: NDArray[np.int64]  # (n,) seconds since 1970, UTC
    kind: NDArray[np.uint8]  # (n,) code in models.data.events.KINDS
    weight: NDArray[np.float32]  # (n,) as in models.data.events.Events
    quantity: NDArray[np.float32]  # (n,) positive, of returns too
    price: NDArray[np.float32]  # (n,) of one piece, NaN unknown
    market: NDArray[np.int32]  # (n,) code in market_names, -1 unknown
    claim: NDArray[np.bool_]  # (n,) its customer reported it, and the shop did not confirm it
    consent: NDArray[np.uint8]  # (u, 4) in the order of PURPOSES: codes of models.data.customers
    consent_time: NDArray[np.int64]  # (u, 4) when it was given, seconds since 1970; 0 unknown
    customer_market: NDArray[np.int32]  # (u,) code in market_names, -1 unknown
    catalogue: Catalogue  # in the order of product_ids
    report: ReadingReport
    # (u,) JSON of models.rules.preferences, empty where nothing is known; (0,) where all are
    preferences: Strings = field(default_factory=nothing_said)
    columns: CustomerColumns = field(default_factory=CustomerColumns.none)
    event_position: int = 0  # the store's changes up to this number are in it; 0 without a store
    event_mark: str = ""  # under which the store counted that number

    def __len__(self) -> int:
        return len(self.user)

    @cached_property
    def shop_time(self) -> int:
        """Return the newest moment that sales confirm, seconds since 1970.

        It is the newest line where the shop reports no sale.
        """
        sold = (self.kind == PURCHASE) & ~self.claim
        if not sold.any():
            return int(self.time.max(initial=0))
        # Each order of a guest is a buyer of its own: -2, -3 and so on
        buyer = np.where(self.user < 0, -2 - self.order, self.user)[sold]
        return ShopTime.of(count_sales_days(self.time[sold], buyer)).moment


def read_purchases(
    purchases: Sequence[str | Path],
    *,
    products: Path | None = None,
    customers: Path | None = None,
    columns: Mapping[str, str] | None = None,
    now: int,
    until: int | None = None,
    memory_limit: str | None = None,
    unasked: Unasked = "allow",
    customer_columns: Sequence[str] = (),
    options: ReadingOptions = AS_FILES_TELL,
    on_progress: Advance = ignore,
) -> Purchases:
    """Read and clean a shop's files and its store.

    `columns`: our name -> theirs, used in whichever file has that column. `now` and `until` in
    seconds since 1970: rows more than a day after `now`, and rows at or after `until`, are left
    out. `memory_limit` of DuckDB, such as "4GB"; the arrays come on top. `unasked`: whether to
    learn from customers who never answered. `customer_columns`: of the customers file, kept for
    those who may be learned from. `on_progress` counts the STEPS that are done. Raises
    InputError for files that no training can be built on.
    """
    begin = partial(_begin, on_progress)
    with open_workspace(memory_limit) as workspace:
        begin("opening files")
        sources = open_sources(workspace, purchases, products, customers, columns or {}, options)
        begin("reading the store")
        store = read_store(workspace, sources.store_url, until) if sources.store_url else None
        begin("reading products and customers")
        listed = read_products(workspace, sources.products, store)
        read = read_customers(workspace, sources.customers, store, customer_columns, now=now)
        shop = ShopTables(listed, read, store, unasked)
        events = [*sources.purchases, store.events] if store else sources.purchases
        lines = make_lines(workspace, events, shop, now, until, begin)
        begin("sorting lines")
        arrays = _fetch_arrays(workspace, lines)
        latest_prices = order_lines.find_latest_prices(lines.merged)
        numbering = fetch_numbering(
            workspace, lines.names, listed, shop.customers, latest_prices, arrays
        )
        numbering, listed = hide_unlisted(workspace, numbering, listed, arrays, sources.products)
    report = _report(arrays, numbering, lines, listed, shop.customers)
    report = replace(report, taken_for=sources.taken_for)
    require_none(report.problems, options)
    return Purchases(
        **numbering.fields(),
        **arrays,
        report=report,
        event_position=store.position if store else 0,
        event_mark=store.mark if store else "",
    )


def _begin(on_progress: Advance, step: str) -> None:
    on_progress(STEPS.index(step), len(STEPS))


def _fetch_arrays(workspace: Workspace, lines: CodedLines) -> dict[str, Any]:
    """Fill the arrays of ARRAY_TYPES batch by batch, in the order of Purchases."""
    orders = workspace.keep("orders", order_lines.number_orders(lines.merged))
    sorted_lines = order_lines.sort_lines(lines.merged, orders, lines.returns)
    arrays = {name: np.empty(lines.count, dtype) for name, dtype in ARRAY_TYPES.items()}
    start = 0
    for batch in workspace.batches(sorted_lines, BATCH_LINES):
        end = start + len(batch)
        for name, dtype in ARRAY_TYPES.items():
            unknown = np.nan if name == "price" else -1
            arrays[name][start:end] = to_numbers(batch[name], dtype, unknown)
        start = end
    return arrays


def _report(
    arrays: dict[str, NDArray[Any]],
    numbering: Numbering,
    lines: CodedLines,
    products: ProductTable,
    customers: CustomerTable,
) -> ReadingReport:
    return ReadingReport(
        rows=lines.rows,
        lines=lines.count,
        merged_rows=lines.rows - lines.count - lines.dropped.counts.total(),
        dropped=lines.dropped,
        customers=len(numbering.customer_ids),
        products=len(numbering.catalogue),
        orders=int(arrays["order"].max()) + 1,
        guest_lines=int(np.count_nonzero(arrays["user"] < 0)),
        first_time=int(arrays["time"].min()),
        last_time=int(arrays["time"].max()),
        product_rows=products.rows,
        product_problems=products.problems,
        customer_rows=customers.rows,
        customer_problems=customers.problems,
    )

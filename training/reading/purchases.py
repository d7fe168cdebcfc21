"""Read and clean the purchases of a shop, from files and the service's store, as arrays.

The stages: open files, map their columns, clean their cells, make order lines of the rows, number
customers, products and orders, fetch arrays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import ibis
import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.events import PURCHASE
from models.data.ids import Ids
from models.data.shop_time import ShopTime, count_sales_days
from training.errors import InputError
from training.progress import Advance, ignore
from training.reading import order_lines
from training.reading.arrow import to_numbers
from training.reading.cleaning import CELLS_WITH_STYLE, ROW_REASONS, check_rows, reason_code
from training.reading.columns import REQUIRED_OF_PURCHASES, check_mapping, require_columns
from training.reading.customers import CustomerTable, Unasked, read_customers
from training.reading.duckdb import Workspace, open_workspace, reading_errors
from training.reading.file_tables import FileTable, count_unreadable_rows, open_file_tables
from training.reading.numbering import (
    NameTables,
    Numbering,
    code_listed_products,
    code_names,
    code_rows,
    code_struck_out,
    fetch_numbering,
)
from training.reading.options import AS_FILES_TELL, ReadingOptions
from training.reading.products import ProductTable, read_products
from training.reading.service_store import StoreTables, is_store, read_store
from training.reading.styles import tell_styles, with_styles

NUMBERS: Final = ("quantity", "unit_price", "amount", "rating")  # columns
TIMES: Final = ("timestamp",)
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
    """Counts of what was read: rows == merged_rows + lines + sum(dropped.values())."""

    rows: int
    lines: int
    merged_rows: int  # rows that were added to another row of the same line
    dropped: dict[str, int]  # reason -> rows, most first
    customers: int
    products: int
    orders: int
    guest_lines: int
    first_time: int  # seconds since 1970, UTC
    last_time: int
    product_rows: int
    product_problems: dict[str, int]  # rows left out and cells not understood
    customer_rows: int
    customer_problems: dict[str, int]


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
    consent: NDArray[np.uint8]  # (u, 3) in the order of PURPOSES: codes of models.data.customers
    consent_time: NDArray[np.int64]  # (u, 3) when it was given, seconds since 1970; 0 unknown
    customer_market: NDArray[np.int32]  # (u,) code in market_names, -1 unknown
    catalogue: Catalogue  # in the order of product_ids
    report: ReadingReport
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


@dataclass(frozen=True, eq=False)
class _Files:
    """Hold opened files with mapped columns, and the address of a store."""

    purchases: list[FileTable]
    products: list[FileTable]
    customers: list[FileTable]
    store_url: str | None


@dataclass(frozen=True, eq=False)
class _Shop:
    """Hold what is known of products and customers beside the purchases."""

    products: ProductTable
    customers: CustomerTable
    store: StoreTables | None
    unasked: Unasked


@dataclass(frozen=True, eq=False)
class _Lines:
    """Hold lines with codes; `returns` of what was bought stand in both tables."""

    merged: Any
    returns: Any  # with `weight`
    count: int  # of merged, without returns of what was never bought


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
    options: ReadingOptions = AS_FILES_TELL,
    on_progress: Advance = ignore,
) -> Purchases:
    """Read and clean a shop's files and its store.

    `columns`: our name -> theirs, used in whichever file has that column. `now` and `until` in
    seconds since 1970: rows more than a day after `now`, and rows at or after `until`, are left
    out. `memory_limit` of DuckDB, such as "4GB"; the arrays come on top. `unasked`: whether to
    learn from customers who never answered. `on_progress` counts the STEPS that are done. Raises
    InputError for files that no training can be built on.
    """

    def begin(step: str) -> None:
        on_progress(STEPS.index(step), len(STEPS))

    dropped: Counter[str] = Counter()
    with open_workspace(memory_limit) as workspace:
        begin("opening files")
        files = _open_files(workspace, purchases, products, customers, columns or {}, options)
        begin("reading the store")
        store = read_store(workspace, files.store_url, until) if files.store_url else None
        begin("reading products and customers")
        shop = _Shop(
            read_products(workspace, files.products, store),
            read_customers(workspace, files.customers, store, now=now),
            store,
            unasked,
        )
        begin("reading purchases")
        sources = [*files.purchases, store.events] if store else files.purchases
        rows = _clean_rows(workspace, sources, now, until, dropped)
        total = workspace.count(rows) + dropped["unreadable_row"]
        _require_rows(sources[0], total)
        begin("comparing rows")
        names = _code_names(workspace, rows, shop)
        coded = _code_distinct_rows(workspace, rows, names, shop, len(sources), dropped)
        begin("merging rows of the same line")
        lines = _merge_lines(workspace, coded, dropped)
        if lines.count == 0:
            raise InputError(_nothing_left(sources, total, dropped))
        orders = workspace.keep("orders", order_lines.number_orders(lines.merged))
        begin("sorting lines")
        sorted_lines = order_lines.sort_lines(lines.merged, orders, lines.returns)
        arrays = _fetch_arrays(workspace, sorted_lines, lines.count)
        latest_prices = order_lines.find_latest_prices(lines.merged)
        numbering = fetch_numbering(
            workspace, names, shop.products, shop.customers, latest_prices, arrays
        )
    return Purchases(
        **numbering.fields(),
        **arrays,
        report=_report(arrays, numbering, total, dropped, shop),
        event_position=store.position if store else 0,
        event_mark=store.mark if store else "",
    )


def _open_files(
    workspace: Workspace,
    purchases: Sequence[str | Path],
    products: Path | None,
    customers: Path | None,
    columns: Mapping[str, str],
    options: ReadingOptions,
) -> _Files:
    urls = [str(name) for name in purchases if is_store(name)]
    paths = [name for name in purchases if not is_store(name)]
    files = _Files(
        purchases=open_file_tables(workspace, paths, columns, options=options),
        products=(
            open_file_tables(workspace, [products], columns, options=options) if products else []
        ),
        customers=(
            open_file_tables(workspace, [customers], columns, options=options, whole=True)
            if customers
            else []
        ),
        store_url=urls[0] if urls else None,
    )
    existing: list[str] = []
    for source in (*files.purchases, *files.products, *files.customers):
        existing += source.columns
    check_mapping(columns, existing)
    for source in files.purchases:
        require_columns(source.label, REQUIRED_OF_PURCHASES, source.names, source.columns)
    if len(urls) > 1:
        raise InputError(
            f"--purchases: {len(urls)} stores are named; the position of one can be kept."
        )
    return files


def _clean_rows(
    workspace: Workspace,
    sources: Sequence[FileTable],
    now: int,
    until: int | None,
    dropped: Counter[str],
) -> Any:
    """Parse all cells, and note the reason to leave a row out. Counts the unreadable."""
    with reading_errors(", ".join(source.label for source in sources)):
        tables = [
            _check_source(workspace, source, f"rows{number}", now, until)
            for number, source in enumerate(sources)
        ]
    workspace.drop("events", "training_events")
    dropped["unreadable_row"] = count_unreadable_rows(workspace, sources)
    return ibis.union(*tables) if len(tables) > 1 else tables[0]


def _check_source(
    workspace: Workspace, source: FileTable, name: str, now: int, until: int | None
) -> Any:
    """Hold the checked rows of a source under a name.

    It is read again only where a cell that was not understood tells the style of its column.
    """
    rows = workspace.keep(name, check_rows(source, now, until))
    if source.from_store:
        rows = workspace.keep("events", order_lines.mark_replaced_events(rows))
        workspace.drop(name)
        return workspace.keep(name, rows)
    is_refused = rows.reason.isin([reason_code(reason) for reason in CELLS_WITH_STYLE])
    if tell_styles(workspace, rows.filter(is_refused).cell):
        styled = with_styles(workspace, source, NUMBERS, TIMES)
        workspace.drop(name)
        rows = workspace.keep(name, check_rows(styled, now, until))
    return rows


def _require_rows(source: FileTable, total: int) -> None:
    if total == 0:
        problem = "holds no events" if source.from_store else "has column names but no rows"
        raise InputError(f"{source.label} {problem} (0 rows).")


def _code_names(workspace: Workspace, rows: Any, shop: _Shop) -> NameTables:
    usable = rows.filter(rows.reason.isnull())
    names = code_names(workspace, usable, shop.products.table, shop.customers.table)
    consents = shop.customers.table
    if shop.store:
        erased = shop.store.erased_of(workspace, names.customers)
        consents = shop.store.train_consents(workspace, consents, names.customers)
    else:
        erased = names.customers.select("customer_id").limit(0)
    return names.with_refusals(workspace, consents, erased, shop.unasked)


def _code_distinct_rows(
    workspace: Workspace,
    rows: Any,
    names: NameTables,
    shop: _Shop,
    sources: int,
    dropped: Counter[str],
) -> Any:
    """Select the rows to learn from, with codes instead of texts. Counts the others."""
    distinct, dropped["duplicate_row"] = order_lines.drop_duplicates(workspace, rows)
    dropped.update(_count_reasons(workspace, distinct))
    coded = code_rows(distinct.filter(distinct.reason.isnull()), names)
    if shop.store:
        struck_out = code_struck_out(shop.store.unused, names)
        marked = order_lines.mark_rows(coded, struck_out, "struck_out")
        marked = workspace.keep("struck", marked)
        in_store = order_lines.select_stored_lines(marked)
        marked = order_lines.mark_rows(marked, in_store, "in_store_too", ~marked.stored)
        marked = workspace.keep("compared", marked)
        confirmed = order_lines.select_confirmed_claims(marked)
        coded = order_lines.mark_rows(marked, confirmed, "confirmed_claim", marked.claim)
        listed = code_listed_products(shop.products.table, names)
        unlisted = order_lines.select_products_of_customers(marked, listed)
        coded = order_lines.mark_rows(coded, unlisted, "product_of_customer", coded.self_reported)
    coded = workspace.keep("coded", order_lines.bound_claims(coded))
    workspace.drop("compared", "struck", "single_of_twice", "twice")
    workspace.drop(*(f"rows{number}" for number in range(sources)))
    dropped.update(_count_reasons(workspace, coded))
    return coded.filter(coded.reason.isnull())


def _merge_lines(workspace: Workspace, coded: Any, dropped: Counter[str]) -> _Lines:
    """Merge the rows of each line. Counts returns of what was never bought."""
    merged = workspace.keep("merged", order_lines.merge_rows(coded))
    workspace.drop("coded")
    returns = workspace.keep("returns", order_lines.weigh_returns(merged))
    of_nothing = returns.filter(returns.weight.isnull())
    dropped["return_without_purchase"] = workspace.total(of_nothing["rows"])
    return _Lines(
        merged,
        returns.filter(returns.weight.notnull()),
        workspace.count(merged) - workspace.count(of_nothing),
    )


def _count_reasons(workspace: Workspace, rows: Any) -> dict[str, int]:
    left_out = rows.filter(rows.reason.notnull())
    counts = workspace.connection.to_pyarrow(left_out.group_by("reason").agg(rows=left_out.count()))
    return {ROW_REASONS[row["reason"]]: row["rows"] for row in counts.to_pylist()}


def _fetch_arrays(workspace: Workspace, lines: Any, length: int) -> dict[str, Any]:
    """Fill the arrays of ARRAY_TYPES batch by batch."""
    arrays = {name: np.empty(length, dtype) for name, dtype in ARRAY_TYPES.items()}
    start = 0
    for batch in workspace.batches(lines, BATCH_LINES):
        end = start + len(batch)
        for name, dtype in ARRAY_TYPES.items():
            unknown = np.nan if name == "price" else -1
            arrays[name][start:end] = to_numbers(batch[name], dtype, unknown)
        start = end
    return arrays


def _nothing_left(sources: Sequence[FileTable], total: int, dropped: Counter[str]) -> str:
    labels = ", ".join(source.label for source in sources)
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.most_common() if count)
    return f"{labels}: none of {total} rows is left after cleaning ({reasons})."


def _report(
    arrays: dict[str, NDArray[Any]],
    numbering: Numbering,
    total: int,
    dropped: Counter[str],
    shop: _Shop,
) -> ReadingReport:
    length = len(arrays["user"])
    return ReadingReport(
        rows=total,
        lines=length,
        merged_rows=total - length - dropped.total(),
        dropped={reason: count for reason, count in dropped.most_common() if count},
        customers=len(numbering.customer_ids),
        products=len(numbering.catalogue),
        orders=int(arrays["order"].max()) + 1,
        guest_lines=int(np.count_nonzero(arrays["user"] < 0)),
        first_time=int(arrays["time"].min()),
        last_time=int(arrays["time"].max()),
        product_rows=shop.products.rows,
        product_problems=shop.products.problems,
        customer_rows=shop.customers.rows,
        customer_problems=shop.customers.problems,
    )

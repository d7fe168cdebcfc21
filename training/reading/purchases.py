"""What training learns from: the purchases of a shop, cleaned, as arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ibis
import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.ids import Ids
from training.errors import InputError
from training.progress import Advance, ignore
from training.reading import order_lines
from training.reading.arrow import numbers
from training.reading.cleaning import ROW_REASONS, checked_rows
from training.reading.columns import REQUIRED_OF_PURCHASES, check_mapping, require
from training.reading.customers import CustomerTable, Unasked, read_customers
from training.reading.duckdb import Workspace, open_workspace, reading
from training.reading.file_tables import FileTable, open_file_tables, unreadable_rows
from training.reading.numbering import Numbering, fetch_numbering
from training.reading.products import ProductTable, read_products
from training.reading.service_store import StoreTables, is_store, read_store

BATCH: Final = 1_000_000  # lines fetched at a time
ARRAYS: Final[dict[str, type[Any]]] = {
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
Tell = Callable[[str], None]


@dataclass(frozen=True)
class ReadingReport:
    """What was read and what became of it: rows == merged_rows + lines + sum(dropped.values())."""

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
class OpenedFiles:
    """What was opened, before the rows of the purchases are looked at."""

    sources: list[FileTable]
    products: ProductTable
    customers: CustomerTable
    store: StoreTables | None
    unasked: Unasked


@dataclass(frozen=True, eq=False)
class Purchases:
    """n cleaned lines, sorted by (user, item, time, order); guests (user -1) first. u customers, i products."""

    customer_ids: Ids  # (u,) everyone with a line, and everyone in the customers file
    product_ids: Ids  # (i,) everything with a line, and everything in the products file
    market_names: Ids  # of lines, customers and products
    user: NDArray[np.int32]  # (n,) -1 is a guest
    item: NDArray[np.int32]  # (n,)
    order: NDArray[
        np.int32
    ]  # (n,) 0, 1, … by the time of its first line; -1 for what is no purchase
    order_code: NDArray[np.uint32]  # (n,) models.events.order_code, 0 without an order id
    time: NDArray[np.int64]  # (n,) seconds since 1970, UTC
    kind: NDArray[np.uint8]  # (n,) code in models.events.KINDS
    weight: NDArray[np.float32]  # (n,) as in models.events.Events
    quantity: NDArray[np.float32]  # (n,) positive, of returns too
    price: NDArray[np.float32]  # (n,) of one piece, NaN unknown
    market: NDArray[np.int32]  # (n,) code in market_names, -1 unknown
    consent: NDArray[
        np.uint8
    ]  # (u, 3) train, personalize_web, personalize_email: 0 never asked, 1 yes, 2 no
    consent_time: NDArray[np.int64]  # (u, 3) when they said so, seconds since 1970; 0 unknown
    customer_market: NDArray[np.int32]  # (u,) code in market_names, -1 unknown
    catalogue: Catalogue  # in the order of product_ids
    report: ReadingReport
    event_position: int = 0  # what the store had numbered up to here is in it; 0 without a store

    def __len__(self) -> int:
        return len(self.user)


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
    on_progress: Advance = ignore,
) -> Purchases:
    """Read and clean a shop's files and its store. InputError for what no training can be built on.

    `columns`: our name -> theirs, used in whichever file has that column. `now` and `until` in seconds since 1970: rows
    more than a day after `now`, and rows at or after `until`, are left out. `memory_limit` of DuckDB, such as "4GB";
    the arrays come on top. `unasked`: whether to learn from customers who never answered. `on_progress` is told which
    of the STEPS are done.
    """

    def tell(step: str) -> None:
        on_progress(STEPS.index(step), len(STEPS))

    mapping = dict(columns or {})
    with open_workspace(memory_limit) as workspace:
        tell("opening files")
        stores = [str(name) for name in purchases if is_store(name)]
        sources = open_file_tables(
            workspace, [name for name in purchases if not is_store(name)], mapping
        )
        product_sources = open_file_tables(workspace, [products], mapping) if products else []
        customer_sources = (
            open_file_tables(workspace, [customers], mapping, whole=True) if customers else []
        )
        every = [*sources, *product_sources, *customer_sources]
        check_mapping(mapping, (column for source in every for column in source.columns))
        for source in sources:
            require(source.label, REQUIRED_OF_PURCHASES, source.names, source.columns)
        tell("reading the store")
        store = read_store(workspace, _only(stores), until) if stores else None
        sources += [store.events] if store else []
        tell("reading products and customers")
        shop_products = read_products(workspace, product_sources, store)
        shop_customers = read_customers(workspace, customer_sources, store)
        tell("reading purchases")
        rows, dropped = _checked(workspace, sources, now, until)
        total = workspace.count(rows) + dropped["unreadable_row"]
        if total == 0:
            what = "holds no events" if sources[0].from_store else "has column names but no rows"
            raise InputError(f"{sources[0].label} {what} (0 rows).")
        read = OpenedFiles(sources, shop_products, shop_customers, store, unasked)
        return _assembled(workspace, read, rows, total, dropped, tell)


def _only(stores: list[str]) -> str:
    if len(stores) > 1:
        raise InputError(
            f"--purchases: {len(stores)} stores are named; the position of one can be kept."
        )
    return stores[0]


def _checked(
    workspace: Workspace, sources: list[FileTable], now: int, until: int | None
) -> tuple[Any, Counter[str]]:
    """The rows, held, and how many lines were refused by DuckDB."""
    with reading(", ".join(source.label for source in sources)):
        checked = [_rows_of(workspace, source, now, until) for source in sources]
        rows = workspace.keep("rows", ibis.union(*checked) if len(checked) > 1 else checked[0])
    workspace.drop("events", "training_events")
    return rows, Counter(unreadable_row=unreadable_rows(workspace, sources))


def _rows_of(workspace: Workspace, source: FileTable, now: int, until: int | None) -> Any:
    rows = checked_rows(source, now, until)
    return order_lines.newest_told(workspace.keep("events", rows)) if source.from_store else rows


def _assembled(
    workspace: Workspace,
    read: OpenedFiles,
    rows: Any,
    total: int,
    dropped: Counter[str],
    tell: Tell,
) -> Purchases:
    products, customers = read.products, read.customers
    tell("comparing rows")
    single, dropped["duplicate_row"] = order_lines.without_duplicates(workspace, rows)
    dropped.update(_counted_reasons(workspace, single))
    good = single.filter(single.reason.isnull())
    names = _names(workspace, rows.filter(rows.reason.isnull()), read)
    numbered = _numbered(workspace, good, names, read.store)
    workspace.drop("rows", "single_of_twice", "twice")
    dropped.update(_counted_reasons(workspace, numbered))
    tell("merging rows of the same line")
    merged = workspace.keep("merged", order_lines.merged(numbered.filter(numbered.reason.isnull())))
    workspace.drop("numbered")
    returns = workspace.keep("returns", order_lines.return_weights(merged))
    baseless = returns.filter(returns.weight.isnull())
    dropped["return_without_purchase"] = workspace.total(baseless["rows"])
    length = workspace.count(merged) - workspace.count(baseless)
    if length == 0:
        raise InputError(_nothing_left(read.sources, total, dropped))
    orders = workspace.keep("orders", order_lines.order_numbers(merged))
    tell("sorting lines")
    arrays = _fetch(
        workspace,
        order_lines.finished(merged, orders, returns.filter(returns.weight.notnull())),
        length,
    )
    shop = fetch_numbering(
        workspace, names, products, customers, order_lines.latest_prices(merged), arrays
    )
    report = _report(arrays, shop, total, dropped, products, customers)
    position = read.store.position if read.store else 0
    return Purchases(**shop.identities(), **arrays, report=report, event_position=position)


def _counted_reasons(workspace: Workspace, rows: Any) -> dict[str, int]:
    left_out = rows.filter(rows.reason.notnull())
    counts = workspace.connection.to_pyarrow(left_out.group_by("reason").agg(rows=left_out.count()))
    return {ROW_REASONS[row["reason"]]: row["rows"] for row in counts.to_pylist()}


def _names(workspace: Workspace, rows: Any, read: OpenedFiles) -> dict[str, Any]:
    products, customers = read.products, read.customers
    people = order_lines.name_table(
        workspace, "customer_id", rows.customer_id, customers.table.customer_id
    )
    erased = (
        read.store.erased_of(workspace, people)
        if read.store
        else people.select("customer_id").limit(0)
    )
    with_refusal = order_lines.with_refusal(people, customers.table, erased, read.unasked)
    return {
        "customer_id": workspace.keep("customer_refusals", with_refusal),
        "product_id": order_lines.name_table(
            workspace, "product_id", rows.product_id, products.table.product_id
        ),
        "market": order_lines.name_table(workspace, "market", rows.market),
        "currency": order_lines.name_table(workspace, "currency", rows.currency),
    }


def _numbered(
    workspace: Workspace, rows: Any, names: dict[str, Any], store: StoreTables | None
) -> Any:
    """Rows with codes, and the reason for which one may not be learned from; held."""
    numbered = order_lines.coded(rows, names)
    if store is None:
        return workspace.keep("numbered", numbered)
    struck = order_lines.struck_pairs(store.unused, names)
    numbered = workspace.keep("struck", order_lines.marked(numbered, struck, "struck_out"))
    told = order_lines.stored_lines(numbered)
    numbered = workspace.keep(
        "numbered", order_lines.marked(numbered, told, "in_store_too", ~numbered.stored)
    )
    workspace.drop("struck")
    return numbered


def _fetch(workspace: Workspace, lines: Any, length: int) -> dict[str, Any]:
    """The arrays of ARRAYS, filled batch by batch."""
    arrays = {name: np.empty(length, dtype) for name, dtype in ARRAYS.items()}
    start = 0
    for batch in workspace.batches(lines, BATCH):
        for name, dtype in ARRAYS.items():
            unknown = np.nan if name == "price" else -1
            arrays[name][start : start + len(batch)] = numbers(batch[name], dtype, unknown)
        start += len(batch)
    return arrays


def _nothing_left(sources: list[FileTable], total: int, dropped: Counter[str]) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.most_common() if count)
    return f"{', '.join(source.label for source in sources)}: none of {total} rows is left after cleaning ({reasons})."


def _report(
    arrays: dict[str, NDArray[Any]],
    shop: Numbering,
    total: int,
    dropped: Counter[str],
    products: ProductTable,
    customers: CustomerTable,
) -> ReadingReport:
    length = len(arrays["user"])
    return ReadingReport(
        rows=total,
        lines=length,
        merged_rows=total - length - dropped.total(),
        dropped={reason: count for reason, count in dropped.most_common() if count},
        customers=len(shop.customer_ids),
        products=len(shop.catalogue),
        orders=int(arrays["order"].max()) + 1,
        guest_lines=int(np.count_nonzero(arrays["user"] < 0)),
        first_time=int(arrays["time"].min()),
        last_time=int(arrays["time"].max()),
        product_rows=products.rows,
        product_problems=products.problems,
        customer_rows=customers.rows,
        customer_problems=customers.problems,
    )

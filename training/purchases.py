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

from models.catalogue import Catalogue
from models.customers import NO
from models.strings import Ids
from training import lines as order_lines
from training.arrow import numbers
from training.cleaning import ROW_REASONS, checked_rows
from training.columns import REQUIRED_OF_PURCHASES, check_mapping, require
from training.customers import Customers, read_customers
from training.errors import InputError
from training.products import Products, read_products
from training.progress import Advance, ignore
from training.shop import Shop, fetch_shop
from training.sources import Source, open_sources, unreadable_rows
from training.workspace import Workspace, open_workspace, reading

BATCH: Final = 1_000_000  # lines fetched at a time
ARRAYS: Final[dict[str, type[Any]]] = {
    "user": np.int32,
    "item": np.int32,
    "order": np.int32,
    "time": np.int64,
    "kind": np.uint8,
    "weight": np.float32,
    "quantity": np.float32,
    "price": np.float32,
    "market": np.int32,
}
STEPS: Final = (
    "opening files",
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
class Purchases:
    """n cleaned lines, sorted by (user, item, time, order); guests (user -1) first. u customers, i products."""

    customer_ids: Ids  # (u,) everyone with a line, and everyone in the customers file
    product_ids: Ids  # (i,) everything with a line, and everything in the products file
    market_names: Ids  # of lines, customers and products
    user: NDArray[np.int32]  # (n,) -1 is a guest
    item: NDArray[np.int32]  # (n,)
    order: NDArray[np.int32]  # (n,) 0, 1, … by the time of its first line; -1 for what is no purchase
    time: NDArray[np.int64]  # (n,) seconds since 1970, UTC
    kind: NDArray[np.uint8]  # (n,) code in models.events.KINDS
    weight: NDArray[np.float32]  # (n,) 1; of a return minus the share of this customer's mean line that came back
    quantity: NDArray[np.float32]  # (n,) positive, of returns too
    price: NDArray[np.float32]  # (n,) of one piece, NaN unknown
    market: NDArray[np.int32]  # (n,) code in market_names, -1 unknown
    consent: NDArray[np.uint8]  # (u, 3) train, personalize_web, personalize_email: 0 never asked, 1 yes, 2 no
    customer_market: NDArray[np.int32]  # (u,) code in market_names, -1 unknown
    catalogue: Catalogue  # in the order of product_ids
    report: ReadingReport

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
    on_progress: Advance = ignore,
) -> Purchases:
    """Read and clean a shop's files. InputError for what no training can be built on.

    `columns`: our name -> theirs, used in whichever file has that column. `now` and `until` in seconds since 1970: rows
    more than a day after `now`, and rows at or after `until`, are left out. `memory_limit` of DuckDB, such as "4GB";
    the arrays come on top. `on_progress` is told which of the STEPS are done.
    """

    def tell(step: str) -> None:
        on_progress(STEPS.index(step), len(STEPS))

    mapping = dict(columns or {})
    with open_workspace(memory_limit) as workspace:
        tell("opening files")
        sources = open_sources(workspace, purchases, mapping)
        product_sources = open_sources(workspace, [products], mapping) if products else []
        customer_sources = open_sources(workspace, [customers], mapping) if customers else []
        every = [*sources, *product_sources, *customer_sources]
        check_mapping(mapping, (column for source in every for column in source.columns))
        for source in sources:
            require(source.label, REQUIRED_OF_PURCHASES, source.names, source.columns)
        tell("reading products and customers")
        shop_products = read_products(workspace, product_sources)
        shop_customers = read_customers(workspace, customer_sources)
        tell("reading purchases")
        rows, dropped = _checked(workspace, sources, now, until)
        total = workspace.count(rows) + dropped["unreadable_row"]
        if total == 0:
            raise InputError(f"{sources[0].label} has column names but no rows (0 rows).")
        return _assembled(workspace, sources, rows, total, dropped, shop_products, shop_customers, tell)


def _checked(workspace: Workspace, sources: list[Source], now: int, until: int | None) -> tuple[Any, Counter[str]]:
    """The rows, held, and how many lines were refused by DuckDB."""
    checked = [checked_rows(source, now, until) for source in sources]
    with reading(", ".join(source.label for source in sources)):
        rows = workspace.keep("rows", ibis.union(*checked) if len(checked) > 1 else checked[0])
    return rows, Counter(unreadable_row=unreadable_rows(workspace, sources))


def _assembled(
    workspace: Workspace,
    sources: list[Source],
    rows: Any,
    total: int,
    dropped: Counter[str],
    products: Products,
    customers: Customers,
    tell: Tell,
) -> Purchases:
    tell("comparing rows")
    single, dropped["duplicate_row"] = order_lines.without_duplicates(workspace, rows)
    dropped.update(_counted_reasons(workspace, single))
    good = single.filter(single.reason.isnull())
    names = _names(workspace, rows.filter(rows.reason.isnull()), products, customers)
    numbered = workspace.keep("numbered", order_lines.coded(good, names, _refused(names, customers)))
    workspace.drop("rows", "single_of_twice", "twice")
    dropped["no_consent_to_train"] = workspace.count(numbered.filter(numbered.refused))
    tell("merging rows of the same line")
    merged = workspace.keep("merged", order_lines.merged(numbered.filter(~numbered.refused)))
    workspace.drop("numbered")
    returns = workspace.keep("returns", order_lines.return_weights(merged))
    baseless = returns.filter(returns.weight.isnull())
    dropped["return_without_purchase"] = workspace.total(baseless["rows"])
    length = workspace.count(merged) - workspace.count(baseless)
    if length == 0:
        raise InputError(_nothing_left(sources, total, dropped))
    orders = workspace.keep("orders", order_lines.order_numbers(merged))
    tell("sorting lines")
    arrays = _fetch(workspace, order_lines.finished(merged, orders, returns.filter(returns.weight.notnull())), length)
    shop = fetch_shop(workspace, names, products, customers, order_lines.latest_prices(merged), arrays)
    report = _report(arrays, shop, total, dropped, products, customers)
    return Purchases(**shop.identities(), **arrays, report=report)


def _counted_reasons(workspace: Workspace, rows: Any) -> dict[str, int]:
    left_out = rows.filter(rows.reason.notnull())
    counts = workspace.connection.to_pyarrow(left_out.group_by("reason").agg(rows=left_out.count()))
    return {ROW_REASONS[row["reason"]]: row["rows"] for row in counts.to_pylist()}


def _names(workspace: Workspace, rows: Any, products: Products, customers: Customers) -> dict[str, Any]:
    return {
        "customer_id": order_lines.name_table(workspace, "customer_id", rows.customer_id, customers.table.customer_id),
        "product_id": order_lines.name_table(workspace, "product_id", rows.product_id, products.table.product_id),
        "market": order_lines.name_table(workspace, "market", rows.market),
        "currency": order_lines.name_table(workspace, "currency", rows.currency),
    }


def _refused(names: dict[str, Any], customers: Customers) -> Any:
    said_no = customers.table.filter(customers.table.train == NO)
    return said_no.inner_join(names["customer_id"], "customer_id").select(refused_customer="customer_id")


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


def _nothing_left(sources: list[Source], total: int, dropped: Counter[str]) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.most_common() if count)
    return f"{', '.join(source.label for source in sources)}: none of {total} rows is left after cleaning ({reasons})."


def _report(
    arrays: dict[str, NDArray[Any]],
    shop: Shop,
    total: int,
    dropped: Counter[str],
    products: Products,
    customers: Customers,
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

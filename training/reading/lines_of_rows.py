"""Take the rows of all sources to order lines with codes, and count what is left out on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import ibis

from training.errors import InputError, NobodyAllowsError
from training.reading import order_lines
from training.reading.cleaning import (
    CELLS_WITH_STYLE,
    COLUMNS_OF_REASON,
    REFUSALS,
    ROW_REASONS,
    check_rows,
    reason_code,
)
from training.reading.customers import CustomerTable, Unasked
from training.reading.duckdb import Workspace, reading_errors
from training.reading.file_tables import FileTable, find_unreadable_rows
from training.reading.numbering import (
    NameTables,
    code_listed_products,
    code_names,
    code_rows,
    code_struck_out,
)
from training.reading.problems import ADVICE, Problems, find_example
from training.reading.products import ProductTable
from training.reading.service_store import StoreTables
from training.reading.styles import tell_styles, with_styles

NUMBERS: Final = ("quantity", "unit_price", "amount", "rating")  # columns
TIMES: Final = ("timestamp",)


@dataclass(frozen=True, eq=False)
class ShopTables:
    """Hold what is known of products and customers beside the purchases."""

    products: ProductTable
    customers: CustomerTable
    store: StoreTables | None
    unasked: Unasked


@dataclass(frozen=True, eq=False)
class CodedLines:
    """Hold lines with codes; `returns` of what was bought stand in both tables."""

    names: NameTables  # of the codes
    merged: Any
    returns: Any  # with `weight`
    count: int  # of merged, without returns of what was never bought
    rows: int  # that were read
    dropped: Problems  # rows left out


def make_lines(
    workspace: Workspace,
    sources: Sequence[FileTable],
    shop: ShopTables,
    now: int,
    until: int | None,
    begin: Callable[[str], None],
) -> CodedLines:
    """Make the lines of all rows of all sources; `begin` is told each step.

    `now` and `until`: see read_purchases. Raises InputError where no line is left.
    """
    begin("reading purchases")
    dropped = Problems()
    rows = _clean_rows(workspace, sources, now, until, dropped)
    total = workspace.count(rows) + dropped.counts["unreadable_row"]
    if total == 0:
        if sources[0].from_store:  # which gives nothing of who was erased or says no
            raise NobodyAllowsError(f"{sources[0].label} holds no events (0 rows).")
        raise InputError(f"{sources[0].label} has column names but no rows (0 rows).")
    begin("comparing rows")
    names = _code_names(workspace, rows, shop)
    coded = _code_distinct_rows(workspace, rows, names, shop, sources, dropped)
    begin("merging rows of the same line")
    merged = workspace.keep("merged", order_lines.merge_rows(coded))
    workspace.drop("coded")
    returns = workspace.keep("returns", order_lines.weigh_returns(merged))
    of_nothing = returns.filter(returns.weight.isnull())
    dropped.add("return_without_purchase", workspace.total(of_nothing["rows"]))
    count = workspace.count(merged) - workspace.count(of_nothing)
    if count == 0:
        refused = any(dropped.counts[reason] for reason in REFUSALS)
        error = NobodyAllowsError if refused else InputError
        raise error(_nothing_left(sources, total, dropped))
    returns = returns.filter(returns.weight.notnull())
    return CodedLines(names, merged, returns, count, total, dropped)


def _clean_rows(
    workspace: Workspace,
    sources: Sequence[FileTable],
    now: int,
    until: int | None,
    dropped: Problems,
) -> Any:
    """Parse all cells, and note the reason to leave a row out. Counts the unreadable."""
    with reading_errors(", ".join(source.label for source in sources)):
        tables = [
            _check_source(workspace, source, f"rows{number}", now, until)
            for number, source in enumerate(sources)
        ]
    workspace.drop("events", "training_events")
    dropped.add("unreadable_row", *find_unreadable_rows(workspace, sources))
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


def _code_names(workspace: Workspace, rows: Any, shop: ShopTables) -> NameTables:
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
    shop: ShopTables,
    sources: Sequence[FileTable],
    dropped: Problems,
) -> Any:
    """Select the rows to learn from, with codes instead of texts. Counts the others."""
    distinct, duplicates = order_lines.drop_duplicates(workspace, rows)
    dropped.add("duplicate_row", duplicates)
    _count_reasons(workspace, distinct, sources, dropped)
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
    workspace.drop(*(f"rows{number}" for number in range(len(sources))))
    _count_reasons(workspace, coded.mutate(cell=ibis.null("string")), sources, dropped)
    return coded.filter(coded.reason.isnull())


def _count_reasons(
    workspace: Workspace, rows: Any, sources: Sequence[FileTable], dropped: Problems
) -> None:
    """Count the rows by their reason, with the cell of one as an example."""
    left_out = rows.filter(rows.reason.notnull())
    counts = left_out.group_by("reason").agg(rows=left_out.count(), cell=left_out.cell.min())
    for row in workspace.connection.to_pyarrow(counts.order_by("reason")).to_pylist():
        reason, cell = ROW_REASONS[row["reason"]], row["cell"]
        files = [source for source in sources if not source.from_store]
        columns: Sequence[str] = COLUMNS_OF_REASON.get(reason, ())
        if reason.startswith("missing_"):
            columns, cell = (reason.removeprefix("missing_"),), ""
        is_told = reason in ADVICE and cell is not None
        example = find_example(files, columns, cell) if is_told else None
        dropped.add(reason, row["rows"], example)


def _nothing_left(sources: Sequence[FileTable], total: int, dropped: Problems) -> str:
    labels = ", ".join(source.label for source in sources)
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.counts.most_common())
    hints = "".join(f" {name}: {dropped.explain(name)}." for name in dropped.refused[:1])
    return f"{labels}: none of {total} rows is left after cleaning ({reasons}).{hints}"

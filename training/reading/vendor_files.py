"""Read exports of shop systems and trackers: their records become rows under our names.

What a record means stands in `models.vendors`. Here the files are opened, their rows joined to
records, and what some records tell of others is applied: cancelled orders, and names of products.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any, Final

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from models.data.events import KINDS, PURCHASE
from models.data.words import plain_name, read_stock
from models.vendors.registry import find_shape, is_answer
from models.vendors.vendor import (
    Found,
    Kind,
    OrderLine,
    ProductName,
    Record,
    Shape,
    VendorCustomer,
    VendorProduct,
)
from training.errors import InputError
from training.reading.columns import CUSTOMER_COLUMNS, PRODUCT_COLUMNS, REQUIRED_OF_PURCHASES
from training.reading.duckdb import Workspace, reading_errors
from training.reading.file_tables import FileTable, select_documents
from training.reading.options import AUTO, OWN

BATCH_ROWS: Final = 50_000
FILE_ROW: Final = "file_row_number"  # a column of DuckDB
MOST_ROWS: Final = 1 << 40  # of a table
REQUIRED: Final[Mapping[Kind, tuple[str, ...]]] = {
    "purchases": REQUIRED_OF_PURCHASES,
    "products": PRODUCT_COLUMNS[:1],
    "customers": CUSTOMER_COLUMNS[:1],
}
OUR_OWN: Final = "a file with columns of our own"
NEVER_SHOWN: Final = "1970-01-01"  # an end of the sale
PRODUCT_NAME_TYPES: Final = {
    "name": pa.string(),
    "product_id": pa.string(),
    "is_gift_card": pa.bool_(),
}
CANCELLED: Final = "cancelled"  # a status
# An empty row of each kind, which is counted
UNREADABLE: Final = Found(
    lines=(OrderLine(),), products=(VendorProduct(None),), customers=(VendorCustomer(None),)
)


@dataclass(frozen=True, eq=False)
class VendorFiles:
    """Hold the files of one kind under our names, and what they were taken for."""

    tables: list[FileTable]
    taken_for: dict[str, str]  # label of a file -> title of a shape
    names: Any = None  # (name, product_id, is_gift_card): other names of products, if any


@dataclass(eq=False)
class _Collected:
    """Collect what the records of all files of one kind tell of those of others."""

    names: list[ProductName] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def add(self, found: Found) -> None:
        self.names += found.names
        self.cancelled += found.cancelled_orders


def read_vendor_files(
    workspace: Workspace, sources: Sequence[FileTable], kind: Kind, names: Any = None
) -> VendorFiles:
    """Return files with the exports of vendors as tables under our names; others as they are.

    `names`: of products, by which lines may call them. Raises InputError for an export that cannot
    be read, and for one of another kind.
    """
    tables, taken_for, collected = [], {}, _Collected()
    for source in sources:
        shape = _find_shape(source, kind)
        taken_for[source.label] = shape.title if shape else _our_own(source, kind)
        if shape is not None:
            with reading_errors(source.label):
                source = _translate(workspace, source, shape, collected)
        tables.append(source)
    if kind == "purchases":
        tables = _compare_tables(workspace, tables, collected.cancelled)
        tables = [_with_names(table, names) for table in tables]
    return VendorFiles(tables, taken_for, _keep_names(workspace, tables, collected.names))


def _find_shape(source: FileTable, kind: Kind) -> Shape | None:
    """Return whose export a file is; None for our own columns. Raises InputError."""
    format_ = source.options.format or AUTO
    if format_ == OWN or set(source.columns) >= set(REQUIRED[kind]):
        return None
    vendor = None if format_ == AUTO else format_
    is_table = True if source.files[0].format == "csv" else None
    shape = find_shape(source.columns, is_table=is_table, vendor=vendor, kind=kind)
    if shape is None:
        other = find_shape(source.columns, is_table=is_table, vendor=vendor)
        if other is not None:
            raise InputError(
                f"{source.label} holds {other.title}; give it by --{other.kind}, not --{kind}."
            )
        if vendor:
            raise InputError(
                f"{source.label} is no export of {kind} that --format {vendor} reads; its columns "
                f"are: {', '.join(source.columns)} (docs/formats/{vendor}.md says how to export; "
                "--format own reads a file with the columns of docs/data.md)."
            )
    elif shape.refusal:
        raise InputError(f"{source.label} holds {shape.title}: {shape.refusal}")
    return shape


def _our_own(source: FileTable, kind: Kind) -> str:
    """Return what a file that is read by our columns is, and whose export it looks like."""
    shape = find_shape(source.columns, kind=kind)
    is_mapped = shape is not None and not set(source.columns) >= set(REQUIRED[kind])
    hint = f", although it looks like {shape.title} (--format auto)" if shape and is_mapped else ""
    return f"{OUR_OWN}{hint}"


def _translate(
    workspace: Workspace, source: FileTable, shape: Shape, collected: _Collected
) -> FileTable:
    """Return the table that an export becomes; what tells of other records is collected."""
    variants = source.options.variants
    path = workspace.folder / f"{source.files[0].content.stem}_{id(source)}.parquet"
    found = (
        shape.read(records, variants) if any(records) else UNREADABLE
        for records in _records(workspace, source, shape)
    )
    if shape.kind == "purchases":
        _write(path, OrderLine, _lines(found, collected))
    elif shape.kind == "products":
        _write(path, _ProductRow, map(_product_row, _products(found, collected)))
    else:
        _write(path, VendorCustomer, (row for part in found for row in part.customers))
    table = workspace.connection.read_parquet(str(path), file_row_number=True)
    theirs = {plain_name(name): name for name in source.columns}
    origin = replace(
        source, names={ours: theirs[name] for ours, name in shape.cells.items() if name in theirs}
    )
    names = {name: name for name in table.columns if name != FILE_ROW}
    return replace(source, table=table, names=names, origin=origin)


def _lines(found: Iterable[Found], collected: _Collected) -> Iterator[OrderLine]:
    for part in found:
        collected.add(part)
        yield from part.lines


def _products(found: Iterable[Found], collected: _Collected) -> Iterable[VendorProduct]:
    """Return one row a product; those without an id stay one by one, and are counted."""
    products: dict[tuple[str | None, int], VendorProduct] = {}
    for part in found:
        collected.add(part)
        for product in part.products:
            key = (product.product_id, 0 if product.product_id else len(products))
            products[key] = _prefer(products.get(key), product)
    return products.values()


@dataclass(frozen=True, slots=True)
class _ProductRow:
    """A row of a products table."""

    product_id: str | None
    title: str | None
    category: str | None
    brand: str | None
    price: str | None
    currency: str | None
    url: str | None
    image_url: str | None
    in_stock: str | None
    available_until: str | None
    cost: str | None
    attributes: str | None


def _product_row(product: VendorProduct) -> _ProductRow:
    cells = {name: getattr(product, name) for name in PRODUCT_FIELDS}
    attributes = json.dumps(product.attributes, ensure_ascii=False) if product.attributes else None
    until = product.available_until if product.is_shown else NEVER_SHOWN
    return _ProductRow(**cells | {"attributes": attributes, "available_until": until})


PRODUCT_FIELDS: Final = tuple(row.name for row in fields(_ProductRow) if row.name != "attributes")


def _prefer(known: VendorProduct | None, product: VendorProduct) -> VendorProduct:
    """Return the row of a product that counts: the later, or the first variant that is on sale."""
    if known is None or known.variant_id == product.variant_id:
        return product
    return known if _is_on_sale(known) or not _is_on_sale(product) else product


def _is_on_sale(product: VendorProduct) -> bool:
    in_stock = product.in_stock is None or read_stock(product.in_stock) is True
    return product.is_shown and in_stock


def _records(workspace: Workspace, source: FileTable, shape: Shape) -> Iterator[Sequence[Record]]:
    """Yield the records of a file in its order; rows that belong together in one piece."""
    workspace.in_file_order(True)
    if shape.is_table:
        yield from _join_rows(_rows(workspace, source, shape), shape.joined_by)
    else:
        for document in _documents(workspace, source, shape):
            yield [document]
    workspace.in_file_order(False)


def _rows(workspace: Workspace, source: FileTable, shape: Shape) -> Iterator[Record]:
    plain = {plain_name(name): name for name in source.columns}
    read = {
        name: theirs
        for name, theirs in plain.items()
        if any(fnmatchcase(name, pattern) for pattern in shape.reads)
    }
    cells = source.table.select(**{name: source.table[theirs] for name, theirs in read.items()})
    for batch in workspace.batches(cells, BATCH_ROWS):
        yield from batch.to_pylist()


def _join_rows(rows: Iterable[Record], name: str) -> Iterator[Sequence[Record]]:
    """Yield rows that follow one another and have the same cell under a name, or none."""
    joined: list[Record] = []
    for row in rows:
        if joined and (not name or row[name] not in (None, joined[0][name])):
            yield joined
            joined = []
        joined.append(row)
    if joined:
        yield joined


def _documents(workspace: Workspace, source: FileTable, shape: Shape) -> Iterator[Record]:
    """Yield the objects of a file, those in an answer of an API one by one."""
    documents = select_documents(workspace, source, whole=shape.kind == "customers")
    for batch in workspace.batches(documents, BATCH_ROWS):
        for (text,) in zip(batch["document"].to_pylist(), strict=True):
            document = json.loads(text, parse_float=str) if text else None
            if not isinstance(document, dict):
                yield {}
            elif is_answer(set(document), shape):
                values = document[shape.answered_in[0]]
                yield from (value if isinstance(value, dict) else {} for value in values or ())
            else:
                yield document


def _write(path: Any, row_type: type, rows: Iterable[Any]) -> None:
    """Write rows as Parquet, some at a time."""
    columns = [column.name for column in fields(row_type)]
    types = [pa.bool_() if name == "repeats" else pa.string() for name in columns]
    schema = pa.schema(list(zip(columns, types, strict=True)))
    with pq.ParquetWriter(path, schema) as writer:
        batch: list[Any] = []
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH_ROWS:
                writer.write_table(_as_table(batch, schema))
                batch = []
        writer.write_table(_as_table(batch, schema))


def _as_table(rows: Sequence[Any], schema: pa.Schema) -> pa.Table:
    columns = {name: [getattr(row, name) for row in rows] for name in schema.names}
    return pa.table(columns, schema=schema)


def _compare_tables(
    workspace: Workspace, tables: Sequence[FileTable], cancelled: Sequence[str]
) -> list[FileTable]:
    """Return the tables; lines of vendors' exports are compared with those of all others."""
    numbered = [
        table.table.mutate(table=ibis.literal(number, "int32"))
        for number, table in enumerate(tables)
        if table.origin
    ]
    if not numbered:
        return list(tables)
    lines = workspace.keep("vendor_lines", ibis.union(*numbered))
    compared = workspace.keep("compared_lines", _compare_lines(lines, cancelled))
    workspace.drop("vendor_lines")
    of_vendors = []
    for number, table in enumerate(tables):
        rows = compared.filter(compared.table == number).drop("table")
        names = {name: name for name in rows.columns}
        of_vendors.append(replace(table, table=rows, names=names) if table.origin else table)
    return of_vendors


def _compare_lines(lines: Any, cancelled: Sequence[str]) -> Any:
    """Return lines without those that others replace or repeat; those of cancelled orders say so.

    Of a line that is told several times, as by a webhook for each change of its order, the last one
    counts.
    """
    line = ("order_id", "customer_id", "line_id", "product_id", "kind")
    position = lines.table.cast("int64") * MOST_ROWS + lines[FILE_ROW]
    newest = position.max().over(ibis.window(group_by=line))
    is_of_order = lines.order_id.notnull() & lines.line_id.notnull() & ~lines.repeats
    is_old = is_of_order & (position < newest) & lines.left_out.isnull()
    is_purchase = lines.kind.fill_null(KINDS[PURCHASE]) == KINDS[PURCHASE]
    told = lines.filter(~lines.repeats & lines.left_out.isnull() & is_purchase)
    is_repeated = lines.repeats & lines.left_out.isnull() & lines.order_id.isin(told.order_id)
    orders = ibis.memtable(pa.table({"order_id": pa.array(cancelled, pa.string())}))
    is_cancelled = lines.order_id.isin(orders.order_id)
    cells = {name: lines[name] for name in lines.columns if name not in (FILE_ROW, "repeats")}
    cells["status"] = ibis.ifelse(is_cancelled, CANCELLED, lines.status)
    cells["left_out"] = ibis.cases(
        (is_old, "told_again"), (is_repeated, "part_of_line"), else_=lines.left_out
    )
    return lines.select(**cells)


def _keep_names(
    workspace: Workspace, tables: Sequence[FileTable], names: Sequence[ProductName]
) -> Any:
    """Return (name, product_id, is_gift_card) of names that one product alone has; None for none.

    A name may lead to another one: a variant to the SKU of its parent.
    """
    if not names:
        return None
    listed = ibis.union(*(table.text("product_id").as_table() for table in tables))
    texts = pa.schema(list(PRODUCT_NAME_TYPES.items()))
    table = ibis.memtable(_as_table(names, texts))
    table = table.group_by("name").agg(
        product_id=table.product_id.min(),
        several=table.product_id.nunique(),
        is_gift_card=table.is_gift_card.any(),
    )
    table = workspace.keep("product_names", table.filter(table.several == 1).drop("several"))
    further = table.view().select(next_name="name", next_id="product_id")
    joined = table.left_join(further, table.product_id == further.next_name)
    product_id = ibis.coalesce(joined.next_id, joined.product_id)
    resolved = joined.select("name", "is_gift_card", product_id=product_id)
    is_own = resolved.name.isin(listed.product_id) & (resolved.name != resolved.product_id)
    return workspace.keep("names_of_products", resolved.filter(~is_own))


def _with_names(source: FileTable, names: Any) -> FileTable:
    """Return a file whose lines call products as the products file does."""
    if names is None or "product_id" not in source.names:
        return source
    called = names.select(called="name", named_id="product_id", is_gift_card="is_gift_card")
    column = source.names["product_id"]
    joined = source.table.left_join(called, source.table[column] == called.called)
    cells = {name: joined[name] for name in source.columns}
    cells[column] = ibis.coalesce(joined.named_id, joined[column])
    names_of = dict(source.names)
    if source.origin is not None:
        is_card = joined.is_gift_card.fill_null(False) & joined.left_out.isnull()
        cells["left_out"] = ibis.ifelse(is_card, "gift_card", joined.left_out)
    return replace(source, table=joined.select(**cells), names=names_of)

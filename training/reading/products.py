"""The products file, and the catalogue made of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import ibis
import ibis.expr.datatypes as dt
import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.data.catalogue import ALWAYS_FROM, ALWAYS_UNTIL, Catalogue
from models.data.ids import Ids, Strings
from training.reading.arrow import codes, numbers, strings
from training.reading.cleaning import LARGEST_PRICE, currency, has_nul, number, too_long, unknown
from training.reading.columns import PRODUCT_COLUMNS, require
from training.reading.duckdb import Workspace, json_keys, json_merge_patch, reading
from training.reading.file_tables import FileTable, unreadable_rows
from training.reading.service_store import StoreTables
from training.reading.timestamps import timestamp_cells

IN_STOCK: Final = ("true", "1", "yes", "in stock", "in_stock")
SOLD_OUT: Final = ("false", "0", "no", "out of stock", "out_of_stock")
COLUMNS: Final = ibis.schema(
    {
        "product_id": "string",
        "title": "string",
        "category": "string",
        "brand": "string",
        "price": "float64",
        "currency": "string",
        "url": "string",
        "image_url": "string",
        "in_stock": "boolean",
        "markets": "string",
        "available_from": "int64",
        "available_until": "int64",
        "attributes": "string",
    }
)
FIELDS: Final = PRODUCT_COLUMNS[1:]  # all but the id
BAD_CELLS: Final = ("bad_price", "bad_currency", "bad_url", "bad_in_stock", "bad_time")


@dataclass(frozen=True, eq=False)
class ProductTable:
    """`table`: one row a product, unknown cells NULL. `problems`: rows left out and cells not understood, by name."""

    table: Any
    rows: int
    problems: dict[str, int]


def read_products(
    workspace: Workspace, sources: Sequence[FileTable], store: StoreTables | None = None
) -> ProductTable:
    """The last row of a product wins. A cell that is not understood is unknown and counted; its row stays.

    `available_until` is the first moment without the product: a bare date means its midnight (UTC). What the shop has
    told the store about a product goes over the cell of the file, an unknown value too.
    """
    nothing = ProductTable(ibis.memtable(COLUMNS.to_pyarrow().empty_table()), 0, {})
    products = _of_files(workspace, sources) if sources else nothing
    products = _with_store(workspace, products, store) if store else products
    return replace(products, table=workspace.keep("products", products.table))


def _of_files(workspace: Workspace, sources: Sequence[FileTable]) -> ProductTable:
    for source in sources:
        require(source.label, ["product_id"], source.names, source.columns)
    workspace.in_file_order(True)
    with reading(sources[0].label):
        typed = [_typed(source, _attributes(source)) for source in sources]
        every = [workspace.keep(f"product_rows{place}", rows) for place, rows in enumerate(typed)]
        together = ibis.union(*every) if len(every) > 1 else every[0]
        rows = workspace.keep("product_order", together.mutate(position=ibis.row_number()))
    workspace.in_file_order(False)
    good = rows.filter(rows.problem.isnull())
    last = good.group_by("product_id").agg(position=good.position.max())
    table = workspace.keep("listed_products", good.semi_join(last, "position").select(*COLUMNS))
    problems = _problems(workspace, rows, table, unreadable_rows(workspace, sources))
    return ProductTable(table, workspace.count(rows) + problems.get("unreadable_row", 0), problems)


def _with_store(workspace: Workspace, files: ProductTable, store: StoreTables) -> ProductTable:
    documents = store.products.mutate(document=store.products.document.cast("json"))
    texts = {
        name: json_text(documents.document, f"$.{name}")
        for name in (*FIELDS, "attributes", "hidden")
    }
    cells = documents.select("product_id", given=json_keys(documents.document), **texts)
    source = FileTable((), cells, {name: name for name in ("product_id", *FIELDS)}, False, None)
    rows = workspace.keep(
        "told_products", _typed(source, cells.attributes, given=cells.given, hidden=cells.hidden)
    )
    both = files.table.outer_join(
        rows.filter(rows.problem.isnull()), "product_id", rname="{name}_told"
    )
    joined = {
        name: ibis.ifelse(
            both.given.contains(name).fill_null(False), both[f"{name}_told"], both[name]
        )
        for name in (*FIELDS, "attributes")
    }
    hidden = (both.hidden == "true").fill_null(False)
    joined["available_until"] = ibis.ifelse(hidden, ALWAYS_FROM, joined["available_until"])
    table = both.select(
        product_id=ibis.coalesce(both.product_id, both.product_id_told), **joined
    ).select(*COLUMNS)
    problems = Counter(files.problems) + Counter(
        _problems(workspace, rows, rows.filter(rows.problem.isnull()), 0)
    )
    return ProductTable(table, files.rows + workspace.count(rows), dict(problems))


def _typed(source: FileTable, attributes: Any, **more: Any) -> Any:
    product, price = source.text("product_id"), number(source.text("price"))
    bad_price = unknown(price) | (price < 0) | (price > LARGEST_PRICE)
    cells = {
        "price": ibis.ifelse(bad_price, ibis.null("float64"), price),
        "currency": currency(source.text("currency")),
        "url": _web_address(source.text("url")),
        "image_url": _web_address(source.text("image_url")),
        "in_stock": _stock(source.text("in_stock")),
        "available_from": timestamp_cells(source.text("available_from")),
        "available_until": timestamp_cells(source.text("available_until")),
    }
    lost = {name: _lost(source.text(name), cell) for name, cell in cells.items()}
    return source.table.select(
        *(source.text(name) for name in ("product_id", "title", "category", "brand", "markets")),
        **cells,
        attributes=attributes,
        **more,
        bad_price=lost["price"],
        bad_currency=lost["currency"],
        bad_url=lost["url"] + lost["image_url"],
        bad_in_stock=lost["in_stock"],
        bad_time=lost["available_from"] + lost["available_until"],
        problem=ibis.cases(
            (product.isnull(), "missing_product_id"),
            (too_long(product), "id_too_long"),
            (has_nul(product), "bad_id"),
            else_=ibis.null("string"),
        ),
    )


def _lost(text: Any, cell: Any) -> Any:
    """1 where something stood and was not understood."""
    return ((text.strip().length() > 0).fill_null(False) & cell.isnull()).cast("int64")


def _web_address(text: Any) -> Any:
    """http and https alone: a javascript: address would run in the shop's page."""
    address = text.strip()
    return ibis.ifelse(
        address.re_search(r"^(?i:https?)://[^\s\x00-\x20]+$"), address, ibis.null("string")
    )


def _stock(text: Any) -> Any:
    word = text.strip().lower()
    return ibis.cases(
        (word.isin(IN_STOCK), True), (word.isin(SOLD_OUT), False), else_=ibis.null("boolean")
    )


def _attributes(source: FileTable) -> Any:
    """Every other column that is not empty, as the text of a JSON object; NULL where there is none."""
    known = {
        *PRODUCT_COLUMNS,
        *(source.names[name] for name in PRODUCT_COLUMNS if name in source.names),
    }
    others = {name: source.table[name] for name in source.columns if name not in known}
    if not others:
        return ibis.null("string")
    cells = ibis.struct(others).cast("json")
    return json_merge_patch(ibis.literal("{}").cast("json"), cells).cast("string").nullif("{}")


def _problems(workspace: Workspace, rows: Any, kept: Any, unreadable: int) -> dict[str, int]:
    counts = rows.group_by("problem").agg(
        rows=rows.count(), **{name: rows[name].sum() for name in BAD_CELLS}
    )
    problems: Counter[str] = Counter(unreadable_row=unreadable)
    for row in workspace.connection.to_pyarrow(counts).to_pylist():
        if row["problem"] is None:
            problems.update({name: row[name] for name in BAD_CELLS})
            problems["duplicate_product"] = row["rows"] - workspace.count(kept)
        else:
            problems[row["problem"]] = row["rows"]
    return {name: count for name, count in problems.items() if count}


@ibis.udf.scalar.builtin(name="json_extract_string")  # type: ignore[untyped-decorator]
def json_text(value: dt.json, path: str) -> str:  # type: ignore[empty-body]
    """What stands at a path, texts without their quotes; NULL for null."""


def catalogue(
    ids: Ids, cells: Any, seen_price: NDArray[np.float64], seen_currency: Any
) -> Catalogue:
    """`cells`: Arrow table in the order of `ids`, with COLUMNS, NULL for what no file tells.

    A product without a price has the one it was last bought at, (n,), with that currency.
    """
    price = numbers(cells["price"], np.float64, np.nan)
    told, seen, priced = cells["currency"], seen_currency, cells["price"].is_valid()
    category, category_names = codes(cells["category"])
    brand, brand_names = codes(cells["brand"])
    market_names, sold_in = _markets(cells["markets"])
    return Catalogue(
        ids=ids,
        title=strings(cells["title"], Strings),
        category=category,
        category_names=category_names,
        brand=brand,
        brand_names=brand_names,
        price=np.where(np.isnan(price), seen_price, price),
        currency=strings(
            pc.if_else(priced, pc.coalesce(told, seen), pc.coalesce(seen, told)), Strings
        ),
        url=strings(cells["url"], Strings),
        image_url=strings(cells["image_url"], Strings),
        in_stock=numbers(cells["in_stock"], np.bool_, True),
        market_names=market_names,
        limited=np.logical_or.reduce(sold_in, axis=1),
        sold_in=sold_in,
        available_from=numbers(cells["available_from"], np.int64, ALWAYS_FROM),
        available_until=numbers(cells["available_until"], np.int64, ALWAYS_UNTIL),
        attributes=strings(cells["attributes"], Strings),
    )


def _markets(column: Any) -> tuple[Ids, NDArray[np.bool_]]:
    """Names sorted by bytes, and bool (n, m). Each distinct cell is taken apart once."""
    code, cells = codes(column)
    lists = [market_list(cell) for cell in cells]
    names = Ids.of(sorted({name for names in lists for name in names}, key=str.encode))
    sold_in = np.zeros((len(lists) + 1, len(names)), np.bool_)  # the last row is for code -1
    for row, found in enumerate(lists):
        sold_in[row, names.find_all(found)] = True
    return names, sold_in[code]


def market_list(cell: str) -> list[str]:
    """The markets in "DE|FR", "DE, FR", "DE;FR" or ["DE", "FR"]."""
    return [name for part in re.split(r"[|,;]", cell) if (name := part.strip(" []\"'"))]

"""Read products from the products file and the store, and build the catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import ibis
import ibis.expr.datatypes as dt
import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.data.catalogue import ALWAYS_FROM, ALWAYS_UNTIL, Catalogue
from models.data.ids import Ids, Strings
from models.data.words import read_stock, squeeze
from training.errors import InputError
from training.reading.arrow import to_codes, to_numbers, to_strings
from training.reading.cells import address_cells, read_cells, text_cells
from training.reading.cleaning import (
    LARGEST_PRICE,
    has_nul,
    is_too_long,
    is_unknown,
    parse_currency,
)
from training.reading.columns import PRODUCT_COLUMNS, require_columns
from training.reading.duckdb import Workspace, json_keys, json_merge_patch, reading_errors
from training.reading.file_tables import FileTable, find_unreadable_rows
from training.reading.problems import Problems, count_problems, lost_column
from training.reading.service_store import StoreTables
from training.reading.styles import with_styles

NUMBERS: Final = ("price", "cost")  # columns
TIMES: Final = ("available_from", "available_until")
SCHEMA: Final = ibis.schema(
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
        "cost": "float64",
        "attributes": "string",
    }
)
LARGEST_UNKNOWN_STOCK: Final = 0.2  # of the cells of stock
SHOWN_WORDS: Final = 10
FIELDS: Final = PRODUCT_COLUMNS[1:]  # all but the id
CELL_PROBLEMS: Final[Mapping[str, tuple[str, ...]]] = {
    "bad_price": ("price",),
    "bad_cost": ("cost",),
    "bad_currency": ("currency",),
    "bad_url": ("url", "image_url"),
    "bad_in_stock": ("in_stock",),
    "bad_time": TIMES,
}


@dataclass(frozen=True, eq=False)
class ProductTable:
    """Hold the products that files and a store describe."""

    table: Any  # SCHEMA: one row a product, unknown cells NULL
    rows: int  # that were read
    problems: Problems  # rows left out and cells not understood


def read_products(
    workspace: Workspace, sources: Sequence[FileTable], store: StoreTables | None = None
) -> ProductTable:
    """Read the products of files and of a store.

    The last row of a product wins. A cell that is not understood is unknown and counted; its row
    stays. `available_until` is the first moment without the product: a bare date means its midnight
    (UTC). A field that the shop has reported to the store replaces the cell of the file, by an
    unknown value too.
    """
    nothing = ProductTable(ibis.memtable(SCHEMA.to_pyarrow().empty_table()), 0, Problems())
    products = _read_files(workspace, sources) if sources else nothing
    if store:
        products = _with_reported(workspace, products, store)
    return replace(products, table=workspace.keep("products", products.table))


def _read_files(workspace: Workspace, sources: Sequence[FileTable]) -> ProductTable:
    for source in sources:
        require_columns(source.label, ["product_id"], source.names, source.columns)
    workspace.in_file_order(True)
    sources = [with_styles(workspace, source, NUMBERS, TIMES) for source in sources]
    with reading_errors(sources[0].label):
        tables = [
            workspace.keep(f"product_rows{number}", _parse_cells(source, _attributes(source)))
            for number, source in enumerate(sources)
        ]
        every = ibis.union(*tables) if len(tables) > 1 else tables[0]
        rows = workspace.keep("product_order", every.mutate(position=ibis.row_number()))
    workspace.in_file_order(False)
    usable = rows.filter(rows.problem.isnull())
    last = usable.group_by("product_id").agg(position=usable.position.max())
    table = workspace.keep("listed_products", usable.semi_join(last, "position").select(*SCHEMA))
    for number, source in enumerate(sources):
        _require_stock(workspace, source, workspace.connection.table(f"product_rows{number}"))
    unreadable, example = find_unreadable_rows(workspace, sources)
    problems = count_problems(workspace, rows, table, CELL_PROBLEMS, "duplicate_product", sources)
    problems.add("unreadable_row", unreadable, example)
    return ProductTable(table, workspace.count(rows) + unreadable, problems)


def _require_stock(workspace: Workspace, source: FileTable, rows: Any) -> None:
    """Raise InputError where too many cells of stock are not understood, with their words."""
    if "in_stock" not in source.names:
        return
    unknown = workspace.total(rows[lost_column("bad_in_stock", "in_stock")].count())
    cells = workspace.count(rows.filter(rows.in_stock.notnull()))
    if unknown <= LARGEST_UNKNOWN_STOCK * cells:
        return
    text = source.text("in_stock")
    is_unknown_word = text.notnull() & _parse_stock(text, source.options.stock_words).isnull()
    table = source.table.select(word=text).filter(is_unknown_word)
    words = table.group_by("word").agg(cells=table.count()).order_by(ibis.desc("cells"), "word")
    most = workspace.connection.to_pyarrow(words.limit(SHOWN_WORDS))["word"].to_pylist()
    raise InputError(
        f"{source.locate('in_stock', most[0])} and {unknown - 1:,} more of {cells:,} cells do not "
        f"say whether a product is in stock: {', '.join(map(repr, most))}. Say what they mean by "
        f"--stock-words {most[0]!r}=yes or =no."
    )


def _with_reported(workspace: Workspace, files: ProductTable, store: StoreTables) -> ProductTable:
    """Put the fields that the store's documents give over the cells of the files."""
    rows = workspace.keep("reported_products", _parse_documents(store.products))
    usable = rows.filter(rows.problem.isnull())
    both = files.table.outer_join(usable, "product_id", rname="{name}_reported")
    cells = {}
    for name in (*FIELDS, "attributes"):
        is_given = both.given.contains(name).fill_null(False)
        cells[name] = ibis.ifelse(is_given, both[f"{name}_reported"], both[name])
    is_hidden = (both.hidden == "true").fill_null(False)
    cells["available_until"] = ibis.ifelse(is_hidden, ALWAYS_FROM, cells["available_until"])
    product_id = ibis.coalesce(both.product_id, both.product_id_reported)
    table = both.select(product_id=product_id, **cells).select(*SCHEMA)
    problems = count_problems(workspace, rows, usable, CELL_PROBLEMS, "duplicate_product")
    problems.update(files.problems)
    return ProductTable(table, files.rows + workspace.count(rows), problems)


def _parse_documents(products: Any) -> Any:
    """Parse the cells of JSON objects; adds the names in each as `given`, and `hidden` as text."""
    documents = products.mutate(document=products.document.cast("json"))
    texts = {}
    for name in (*FIELDS, "attributes", "hidden"):
        texts[name] = json_text(documents.document, f"$.{name}")
    given = json_keys(documents.document)
    # Shops told it among the attributes once
    earlier_cost = json_text(documents.document, "$.attributes.cost")
    texts["cost"] = ibis.coalesce(texts["cost"], earlier_cost)
    given = ibis.ifelse(earlier_cost.isnull(), given, given.concat(ibis.array(["cost"])))
    cells = documents.select("product_id", given=given, **texts)
    source = FileTable(
        files=(),
        table=cells,
        names={name: name for name in ("product_id", *FIELDS)},
        rejects=None,
    )
    return _parse_cells(source, cells.attributes, given=cells.given, hidden=cells.hidden)


def _parse_cells(source: FileTable, attributes: Any, **more: Any) -> Any:
    """Return typed cells, the texts of CELL_PROBLEMS, and the `problem` of a row, NULL for none."""
    product_id = source.text("product_id")
    cells = {
        "price": _known_amount(source.numbers("price")),
        "cost": _known_amount(source.numbers("cost")),
        "currency": parse_currency(source.text("currency")),
        "url": address_cells(source.text("url")),
        "image_url": address_cells(source.text("image_url"), several=True),
        "in_stock": _parse_stock(source.text("in_stock"), source.options.stock_words),
        "available_from": source.times("available_from"),
        "available_until": source.times("available_until"),
    }
    texts = {name: text_cells(source.text(name)) for name in ("title", "category", "brand")}
    lost = {name: _lost(source.text(name), cell) for name, cell in cells.items()}
    # Whoever writes something that nobody understands does not say that it is in stock.
    is_unknown_word = lost["in_stock"].notnull()
    cells["in_stock"] = ibis.ifelse(is_unknown_word, False, cells["in_stock"])
    return source.table.select(
        product_id,
        source.text("markets"),
        **texts,
        **cells,
        attributes=attributes,
        **more,
        **{
            lost_column(problem, name): lost[name]
            for problem, names in CELL_PROBLEMS.items()
            for name in names
        },
        problem=ibis.cases(
            (product_id.isnull(), "missing_product_id"),
            (is_too_long(product_id), "id_too_long"),
            (has_nul(product_id), "bad_id"),
            else_=ibis.null("string"),
        ),
    )


def _known_amount(amount: Any) -> Any:
    is_bad = is_unknown(amount) | (amount < 0) | (amount > LARGEST_PRICE)
    return ibis.ifelse(is_bad, ibis.null("float64"), amount)


def _lost(text: Any, cell: Any) -> Any:
    """Return a text that was not understood, NULL for others."""
    return ibis.ifelse(cell.isnull(), text.strip().nullif(""), ibis.null("string"))


def _parse_stock(text: Any, words: Mapping[str, bool]) -> Any:
    """Return whether products are in stock; NULL for what is not understood, or empty."""

    def read(cell: str) -> bool | None:
        word = squeeze(cell)
        return words[word] if word in words else read_stock(cell)

    return read_cells(text, read, "boolean")


def _attributes(source: FileTable) -> Any:
    """Return every other cell as the text of a JSON object; NULL where all are empty.

    The table of a vendor's export has such a text already.
    """
    if "attributes" in source.names:
        return source.text("attributes")
    mapped = {source.names[name] for name in PRODUCT_COLUMNS if name in source.names}
    known = mapped.union(PRODUCT_COLUMNS)
    unknown = {name: source.table[name] for name in source.columns if name not in known}
    if not unknown:
        return ibis.null("string")
    cells = ibis.struct(unknown).cast("json")
    return json_merge_patch(ibis.literal("{}").cast("json"), cells).cast("string").nullif("{}")


@ibis.udf.scalar.builtin(name="json_extract_string")  # type: ignore[untyped-decorator]
def json_text(value: dt.json, path: str) -> str:  # type: ignore[empty-body]
    """Return the text at a path, without its quotes; NULL for null."""


def build_catalogue(
    ids: Ids, cells: Any, latest_price: NDArray[np.float64], latest_currency: Any
) -> Catalogue:
    """Build the catalogue of products with these ids.

    `cells`: Arrow table in the order of `ids`, with the columns of SCHEMA, NULL for unknown. A
    product without a price gets the latest price, (n,), at which it was bought, with its currency.
    """
    price = to_numbers(cells["price"], np.float64, np.nan)
    currency = pc.if_else(
        cells["price"].is_valid(),
        pc.coalesce(cells["currency"], latest_currency),
        pc.coalesce(latest_currency, cells["currency"]),
    )
    category, category_names = to_codes(cells["category"])
    brand, brand_names = to_codes(cells["brand"])
    market_names, sold_in = _markets(cells["markets"])
    return Catalogue(
        ids=ids,
        title=to_strings(cells["title"], Strings),
        category=category,
        category_names=category_names,
        brand=brand,
        brand_names=brand_names,
        price=np.where(np.isnan(price), latest_price, price),
        currency=to_strings(currency, Strings),
        url=to_strings(cells["url"], Strings),
        image_url=to_strings(cells["image_url"], Strings),
        in_stock=to_numbers(cells["in_stock"], np.bool_, True),
        market_names=market_names,
        limited=np.logical_or.reduce(sold_in, axis=1),
        sold_in=sold_in,
        available_from=to_numbers(cells["available_from"], np.int64, ALWAYS_FROM),
        available_until=to_numbers(cells["available_until"], np.int64, ALWAYS_UNTIL),
        attributes=to_strings(cells["attributes"], Strings),
        cost=to_numbers(cells["cost"], np.float64, np.nan),
    )


def _markets(column: Any) -> tuple[Ids, NDArray[np.bool_]]:
    """Return names sorted by bytes, and bool (n, m). Each distinct cell is split once."""
    code, cells = to_codes(column)
    lists = [split_markets(cell) for cell in cells]
    distinct: set[str] = set().union(*lists)
    names = Ids.of(sorted(distinct, key=str.encode))
    sold_in = np.zeros((len(lists) + 1, len(names)), np.bool_)  # the last row is for code -1
    for row, markets in enumerate(lists):
        sold_in[row, names.find_all(markets)] = True
    return names, sold_in[code]


def split_markets(cell: str) -> list[str]:
    """Return the markets in "DE|FR", "DE, FR", "DE;FR" or ["DE", "FR"]."""
    names = [part.strip(" []\"'") for part in re.split(r"[|,;]", cell)]
    return [name for name in names if name]

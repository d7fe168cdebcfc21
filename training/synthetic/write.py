"""Write a seeded shop with known tastes: data whose answer is known by construction.

This holds for every shop written here, and `SyntheticShop` tells the details of one:

- **Tastes.** A customer has three favourite categories and wishes four of five lines from them
  (shares 5 : 3 : 2).
- **Regulars.** At most one product of each favourite category, none of a seasonal one, is bought in
  a run, `interval_days` apart (a tenth either way). Runs have at least three purchases and take at
  most two fifths of a customer's lines, so a customer with few lines has none. Four of five runs
  still go on when the year ends; the others lapsed at any time.
- **Complements.** Products of a category come in pairs. One line in three that follows another in
  an order is drawn to be the pair of that line, never two in a row.
- **Popularity.** Categories, and products within a category, follow Zipf's law.
- **Seasons.** Some categories peak once a year, in the market "south" half a year after "north". A
  line that is out of season goes to a category without one.
- **Dirt.** Two in a hundred of the customers' lines are returns (negative quantity, order id with
  an R before it, later than the purchase); five in a hundred of all lines belong to guests (empty
  customer id, one order each).

The year is 2025, times are UTC. A customer's day is one order. Equal arguments give equal files.

With `hemispheres` the shop sells clothes in 2024 and 2025: coats, gloves and boots are winter's,
shorts, sandals and swimwear summer's, the rest has no season. So there is a last year, and what it
says differs from market to market. `shape` names one of `training.synthetic.shapes.SHAPES`, which
say how each differs from the above.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.random import Generator

from training.progress import Advance, ignore
from training.synthetic.lines import Lines, order_lines
from training.synthetic.shapes import SHAPES, USUAL
from training.synthetic.shop import BRANDS, MARKETS, STYLES, SyntheticShop

CURRENCY: Final = "EUR"
IN_STOCK_SHARE: Final = 0.97
# Shares of customers who say no.
REFUSAL_SHARES: Final = {
    "train": 0.02,
    "personalize_web": 0.03,
    "personalize_email": 0.05,
    "measure": 0.02,
}

PURCHASE_SCHEMA: Final = pa.schema(
    [
        ("customer_id", pa.string()),
        ("product_id", pa.string()),
        ("timestamp", pa.timestamp("us")),
        ("order_id", pa.string()),
        ("quantity", pa.int32()),
        ("unit_price", pa.float64()),
        ("market", pa.string()),
    ]
)


def write_shop(
    output: Path,
    *,
    customers: int,
    products: int,
    purchases: int,
    seed: int = 0,
    hemispheres: bool = False,
    shape: str | None = None,
    on_progress: Advance = ignore,
) -> None:
    """Write `purchases.parquet`, `products.parquet` and `customers.parquet` into a folder.

    `purchases`: the exact number of lines. `on_progress` gets lines written and lines in all, after
    each chunk. Raises ValueError for a shop of no size, and for one of two shapes.
    """
    if hemispheres and shape:
        raise ValueError(f"a shop in two hemispheres cannot be of the shape {shape} too")
    if purchases < 1:
        raise ValueError(f"a shop needs at least 1 purchase, not {purchases}")
    shop = SyntheticShop.of(
        customers=customers,
        products=products,
        seed=seed,
        hemispheres=hemispheres,
        shape=SHAPES[shape] if shape else USUAL,
    )
    output.mkdir(parents=True, exist_ok=True)
    product_ids, customer_ids = _ids("P", products), _ids("C", customers)
    product_table = _products(shop, product_ids, np.random.default_rng([seed, 1]))
    customer_table = _customers(shop, customer_ids, np.random.default_rng([seed, 2]))
    pq.write_table(product_table, output / "products.parquet")
    pq.write_table(customer_table, output / "customers.parquet")
    written = 0
    with pq.ParquetWriter(output / "purchases.parquet", PURCHASE_SCHEMA) as writer:
        for lines in order_lines(shop, purchases, seed):
            writer.write_table(_table(lines, customer_ids, product_ids))
            written += len(lines.product)
            on_progress(written, purchases)


def _ids(letter: str, count: int) -> Any:
    """C0000, C0001, … as wide as the last one needs, so that ids sort like rows."""
    width = len(str(count - 1))
    return pa.array([f"{letter}{number:0{width}}" for number in range(count)], pa.string())


def _table(lines: Lines, customer_ids: Any, product_ids: Any) -> Any:
    customer_rows = pa.array(lines.customer, mask=lines.customer < 0)
    customer = pc.fill_null(customer_ids.take(customer_rows), "")
    is_return = pa.array((lines.quantity < 0).astype(np.int8))
    prefix = pa.array(["", "R"]).take(is_return)
    order = pc.binary_join_element_wise(prefix, pa.array(lines.order).cast(pa.string()), "")
    columns = [
        customer,
        product_ids.take(pa.array(lines.product)),
        pa.array(lines.time * 1_000_000).cast(pa.timestamp("us")),
        order,
        pa.array(lines.quantity.astype(np.int32)),
        pa.array(lines.unit_price),
        pa.array(MARKETS).take(pa.array(lines.market)),
    ]
    return pa.Table.from_arrays(columns, schema=PURCHASE_SCHEMA)


def _products(shop: SyntheticShop, ids: Any, rng: Generator) -> Any:
    count = len(shop.category)
    names = ids.to_pylist()
    titles = _titles(shop, rng)
    brands = rng.integers(0, len(BRANDS), count)
    return pa.table(
        {
            "product_id": ids,
            "title": titles,
            "category": [shop.categories[category].name for category in shop.category],
            "brand": [BRANDS[brand] for brand in brands],
            "price": shop.price,
            "currency": [CURRENCY] * count,
            "url": [f"https://shop.example/products/{name}" for name in names],
            "image_url": [f"https://shop.example/images/{name}.jpg" for name in names],
            "in_stock": rng.random(count) < IN_STOCK_SHARE,
        }
    )


def _titles(shop: SyntheticShop, rng: Generator) -> list[str]:
    """'Organic oat flakes 3': a style and a title by chance, numbered from the second on."""
    counts: Counter[str] = Counter()
    titles = []
    styles = rng.integers(0, len(STYLES), len(shop.category))
    draws = rng.random(len(shop.category))
    for category, style, draw in zip(shop.category, styles, draws, strict=True):
        choices = shop.categories[category].titles.split(", ")
        title = f"{STYLES[style]} {choices[int(draw * len(choices))]}"
        counts[title] += 1
        titles.append(title if counts[title] == 1 else f"{title} {counts[title]}")
    return titles


def _customers(shop: SyntheticShop, ids: Any, rng: Generator) -> Any:
    """A few in a hundred say no: to training, to the web, to email, to measuring."""
    consents = {
        purpose: rng.random(len(ids)) >= refusals for purpose, refusals in REFUSAL_SHARES.items()
    }
    markets = pa.array(MARKETS).take(pa.array(shop.market))
    return pa.table({"customer_id": ids, "market": markets, **consents})

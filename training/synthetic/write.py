"""A seeded shop with known tastes: data whose answer is known by construction, in any size.

What is true of every shop written here, and what `Shop` says about this one:

- **Tastes.** A customer has three favourite categories and wishes four of five lines from them (shares 5 : 3 : 2).
- **Regulars.** At most one product of each favourite category, none of a seasonal one, is bought in a run,
  `interval_days` apart (a tenth either way). Runs have at least three purchases and take at most two fifths of a
  customer's lines, so a customer with few lines has none. Four of five runs still go on when the year ends; the others
  lapsed at any time.
- **Complements.** Products of a category come in pairs. One line in three that follows another in an order is drawn to
  be the pair of that line, never two in a row.
- **Popularity.** Categories, and products within a category, follow Zipf's law.
- **Seasons.** Some categories peak once a year, in the market "south" half a year after "north". A line that is out of
  season goes to a category without one.
- **Dirt.** Two in a hundred of the customers' lines are returns (negative quantity, order id with an R before it, later
  than the purchase); five in a hundred of all lines belong to guests (empty customer id, one order each).

The year is 2025, times are UTC. A customer's day is one order. Equal arguments give equal files.

With `hemispheres` the shop sells clothes in 2024 and 2025: coats, gloves and boots are winter's, shorts, sandals and
swimwear summer's, the rest has no season. So there is a last year, and what it says differs from market to market.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.random import Generator

from training.synthetic.lines import Lines, order_lines
from training.synthetic.shop import BRANDS, MARKETS, STYLES, SyntheticShop

CURRENCY: Final = "EUR"
REFUSALS: Final = {
    "train": 0.02,
    "personalize_web": 0.03,
    "personalize_email": 0.05,
}  # customers who say no

PURCHASES: Final = pa.schema(
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
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write `purchases.parquet` (exactly that many lines), `products.parquet` and `customers.parquet` into a folder.

    `on_progress` is told lines written and lines in all, after each chunk. ValueError for a shop of no size.
    """
    if purchases < 1:
        raise ValueError(f"a shop needs at least 1 purchase, not {purchases}")
    shop = SyntheticShop.of(
        customers=customers, products=products, seed=seed, hemispheres=hemispheres
    )
    output.mkdir(parents=True, exist_ok=True)
    product_ids, customer_ids = _ids("P", products), _ids("C", customers)
    pq.write_table(
        _products(shop, product_ids, np.random.default_rng([seed, 1])), output / "products.parquet"
    )
    pq.write_table(
        _customers(shop, customer_ids, np.random.default_rng([seed, 2])),
        output / "customers.parquet",
    )
    written = 0
    with pq.ParquetWriter(output / "purchases.parquet", PURCHASES) as writer:
        for lines in order_lines(shop, purchases, seed):
            writer.write_table(_table(lines, customer_ids, product_ids))
            written += len(lines.product)
            if on_progress is not None:
                on_progress(written, purchases)


def _ids(letter: str, count: int) -> Any:
    """C0000, C0001… as wide as the last one needs: the order of the ids is the order of the rows."""
    width = len(str(count - 1))
    return pa.array([f"{letter}{number:0{width}}" for number in range(count)], pa.string())


def _table(lines: Lines, customer_ids: Any, product_ids: Any) -> Any:
    customer = pc.fill_null(
        customer_ids.take(pa.array(lines.customer, mask=lines.customer < 0)), ""
    )
    prefix = pa.array(["", "R"]).take(pa.array((lines.quantity < 0).astype(np.int8)))
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
    return pa.Table.from_arrays(columns, schema=PURCHASES)


def _products(shop: SyntheticShop, ids: Any, rng: Generator) -> Any:
    names = [shop.categories[category].name for category in shop.category]
    return pa.table(
        {
            "product_id": ids,
            "title": _titles(shop, rng),
            "category": names,
            "brand": [BRANDS[brand] for brand in rng.integers(0, len(BRANDS), len(names))],
            "price": shop.price,
            "currency": [CURRENCY] * len(names),
            "url": [f"https://shop.example/products/{product}" for product in ids.to_pylist()],
            "image_url": [
                f"https://shop.example/images/{product}.jpg" for product in ids.to_pylist()
            ],
            "in_stock": rng.random(len(names)) < 0.97,
        }
    )


def _titles(shop: SyntheticShop, rng: Generator) -> list[str]:
    """'Organic oat flakes 3': a style and a thing by chance, numbered from the second of that name on."""
    seen: dict[str, int] = {}
    titles = []
    styles = rng.integers(0, len(STYLES), len(shop.category))
    for row, style, draw in zip(shop.category, styles, rng.random(len(shop.category)), strict=True):
        things = shop.categories[row].things.split(", ")
        name = f"{STYLES[style]} {things[int(draw * len(things))]}"
        seen[name] = seen.get(name, 0) + 1
        titles.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return titles


def _customers(shop: SyntheticShop, ids: Any, rng: Generator) -> Any:
    """A few in a hundred say no: to training, to the web, to email, each on its own."""
    yes = {purpose: rng.random(len(ids)) >= no for purpose, no in REFUSALS.items()}
    return pa.table(
        {"customer_id": ids, "market": pa.array(MARKETS).take(pa.array(shop.market)), **yes}
    )

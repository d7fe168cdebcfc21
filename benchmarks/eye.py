"""What a shopper sees and a measure of hits does not: similar products, bundles, families, reasons.

    python -m benchmarks.eye --registry REGISTRY --data DIR [--views DIR] [--inner]

REGISTRY has learned from everything in DIR, which holds purchases.parquet and products.parquet.
Similar products are also learned anew from what precedes the last 28 days, and from a shop with
views. `--inner` leaves those days out: settings are chosen on the 28 days before them.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from itertools import combinations, pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from benchmarks.export import loaded
from benchmarks.similar import (
    ANCHORS,
    N,
    compare_with_co_purchase,
    draw_products,
    learn,
    share_of_category,
    share_of_next_views,
    without_categories,
)
from models.data.catalogue import Catalogue
from models.recommender import Recommender
from models.rules.filters import Repeat
from models.slate import ReasonKind, Slate, SlateRequest
from training.config import Config
from training.evaluation.split import find_cut, hide_current_catalogue
from training.fitting.counts import build_order_matrix, select_lines
from training.reading.purchases import Purchases, read_purchases

CUSTOMERS: Final = 1_000  # whose slates are looked at
BUNDLE_PRODUCTS: Final = 500
UNITS: Final = 3  # asked for of each product
LEAST_LIFT: Final = 1.2
LEAST_ORDERS: Final = 5
BESTSELLERS: Final = 20
ONE_FAMILY: Final = 2  # products of a list of ten
ONE_REASON: Final = 3  # reasons of a slate that name one product
MORE: Final = 100  # products among which something else is looked for
TEN: Final = SlateRequest(n=N)
CONFIG: Final = Config()
Answer = Callable[[SlateRequest], Slate]
UNITS_AND_SIZES: Final = frozenset(
    """
    oz fl ct lb lbs gal qt pt pk pks pc pcs dz doz dozen g kg mg gr gm ml cl l lt ltr liter liters
    litre litres gallon gallons quart quarts pint pints ounce ounces pound pounds pack packs packet
    cm mm m in inch ft x xl xxl xs s small medium large mini maxi half st stk stück pieza piezas
    pièces шт штук штуки л мл г кг гр см мм м
    """.split()  # noqa: SIM905 as one reads it
)


class Row(NamedTuple):
    """A line of the table."""

    what: str
    figure: str
    target: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--registry", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--views", type=Path, metavar="DIR", help="a shop with views")
    parser.add_argument("--inner", action="store_true", help="the window before the last one")
    options = parser.parse_args()
    purchases = read_shop(options.data)
    shop = loaded(options.registry, ranker=True)
    print("| | measured | target |\n|---|---|---|")
    show(look_at_lists(shop))
    show(look_at_bundles(shop, purchases))
    show(judge_similar(purchases, inner=options.inner))
    if options.views:
        show(judge_next_views(read_shop(options.views), inner=options.inner))


def show(rows: Iterable[Row]) -> None:
    for row in rows:
        print(f"| {row.what} | {row.figure} | {row.target} |", flush=True)


def read_shop(folder: Path) -> Purchases:
    products = folder / "products.parquet"
    return read_purchases(
        [folder / "purchases.parquet"],
        products=products if products.exists() else None,
        now=int(time.time()),
    )


def family_of(catalogue: Catalogue, item: int) -> str:
    """Return category and title, lower case, without words with digits, units and sizes.

    It is written apart from models/data/title_words.py, which it judges. Empty without a title.
    """
    words = re.split(r"[^\w.]+", catalogue.title[item].lower())
    kept = [word.strip(".") for word in words if not re.search(r"\d", word)]
    kept = [word for word in kept if word and word not in UNITS_AND_SIZES]
    if not kept:
        return ""
    category = int(catalogue.category[item])
    return f"{catalogue.category_names[category] if category >= 0 else ''}: {' '.join(kept)}"


def is_varied(families: Sequence[str]) -> bool:
    """Return whether a list holds at most two of a family, and none side by side."""
    counts = Counter(family for family in families if family)
    side_by_side = any(one and one == other for one, other in pairwise(families))
    return max(counts.values(), default=0) <= ONE_FAMILY and not side_by_side


def could_be_varied(n: int, more: Iterable[str]) -> bool:
    """Return whether the families of a longer list leave a choice of n that is varied."""
    counts = Counter(more)
    untitled = counts.pop("", 0)
    return untitled + sum(min(count, ONE_FAMILY) for count in counts.values()) >= n


def look_at_lists(shop: Recommender) -> list[Row]:
    """Count families in every kind of list, and reasons in slates."""
    random = np.random.default_rng(0)
    ids = shop.model.customers.ids
    customers = [ids[user] for user in random.permutation(len(ids))[:CUSTOMERS].tolist()]
    sold = np.flatnonzero(shop.model.traits.customers > 0)
    products = random.permutation(sold)[:CUSTOMERS].tolist()
    slates = [partial(shop.recommend, customer) for customer in customers]
    similar = [partial(shop.similar, product) for product in products]
    popular = [partial(shop.popular, window_days=days) for days in (1, 7, 28, 365)]
    rows = [
        _count_families(shop, "slates", slates),
        _count_families(shop, "discovery", slates, Repeat.EXCLUDE),
        _count_families(shop, "similar products", similar),
        _count_families(shop, "popular products", popular),
        _count_families(shop, "the fallback", [partial(shop.recommend, "nobody")]),
    ]
    return [*rows, *_count_reasons([answer(TEN) for answer in slates])]


def _count_families(
    shop: Recommender, name: str, answers: Sequence[Answer], repeat: Repeat = Repeat.AUTO
) -> Row:
    def families_of(answer: Answer, n: int) -> list[str]:
        slots = answer(SlateRequest(n=n, repeat=repeat)).slots
        return [family_of(shop.catalogue, slot.item) for slot in slots]

    broken = 0
    for answer in answers:
        families = families_of(answer, N)
        if not is_varied(families):
            broken += could_be_varied(len(families), families_of(answer, MORE))
    what = f"families: three of one, or two side by side, in {name} ({len(answers)})"
    return Row(what, f"{broken / len(answers):.3f}", "0")


def _count_reasons(slates: Sequence[Slate]) -> list[Row]:
    largest, of_itself = [], 0
    for slate in slates:
        named = [item for slot in slate.slots for item in slot.reason.items]
        largest.append(max(Counter(named).values(), default=0))
        for slot in slate.slots:
            again = slot.reason.kind is ReasonKind.BUY_AGAIN
            of_itself += slot.item in slot.reason.items and not again
    too_many = np.mean(np.array(largest) > ONE_REASON)
    return [
        Row("reasons of a slate that name one product: most, mean", str(max(largest)), "3"),
        Row("the same, mean", f"{np.mean(largest):.1f}"),
        Row("slates in which more than three do", f"{too_many:.3f}", "0"),
        Row("reasons but `buy_again` that name the product itself", str(of_itself), "0"),
    ]


def look_at_bundles(shop: Recommender, purchases: Purchases) -> list[Row]:
    """Check units of two and three against the orders themselves."""
    everything = np.ones(len(shop.catalogue), np.bool_)
    orders = OrderCounts(csc_matrix(build_order_matrix(purchases, everything)))
    bestsellers = set(np.argsort(-orders.sizes, kind="stable")[:BESTSELLERS].tolist())
    category = np.zeros(len(shop.catalogue), np.int32)
    products = draw_products(purchases, category, BUNDLE_PRODUCTS)
    rows = []
    for size in (2, 3):
        units = []
        with_unit = 0
        for product in products:
            bundles = shop.bundles(product, SlateRequest(n=UNITS), size)
            full = [bundle for bundle in bundles if len({product, *bundle.items}) == size]
            with_unit += bool(full)
            units += [(sorted({product, *bundle.items}), bundle.support or 0) for bundle in full]
        rows += _describe_units(f"units of {size}", units, orders, bestsellers)
        share = f"{with_unit / len(products):.3f}"
        rows.append(Row(f"products that have a unit of {size}, of {len(products)}", share))
    return rows


def _describe_units(
    name: str, units: Sequence[tuple[list[int], int]], orders: OrderCounts, bestsellers: set[int]
) -> list[Row]:
    if not units:
        return [Row(name, "none")]
    tied, true, held, led = [], [], [], []
    for items, support in units:
        lifts = [orders.lift(*pair) for pair in combinations(items, 2)]
        together = orders.count(items)
        tied.append(min(lifts) > LEAST_LIFT)
        true.append(support == together)
        held.append(together >= LEAST_ORDERS)
        led.append(not bestsellers.isdisjoint(items))
    return [
        Row(f"{name}, {len(units)}: every pair's lift above 1.2", f"{np.mean(tied):.3f}", "1"),
        Row(f"{name}: support is that of the whole unit", f"{np.mean(true):.3f}", "1"),
        Row(f"{name}: in 5 orders as a whole", f"{np.mean(held):.3f}", "1"),
        Row(f"{name}: with one of the 20 best sellers", f"{np.mean(led):.3f}", "< .15"),
    ]


@dataclass(frozen=True, eq=False)
class OrderCounts:
    """Count orders that hold some products: columns of (orders, items)."""

    orders: csc_matrix

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Return the orders with each product: (items,)."""
        sizes: NDArray[np.int64] = np.diff(self.orders.indptr).astype(np.int64)
        return sizes

    def count(self, items: Sequence[int]) -> int:
        columns = [self._column(item) for item in items]
        return len(reduce(partial(np.intersect1d, assume_unique=True), columns))

    def lift(self, one: int, other: int) -> float:
        # lift = P(a, b) / (P(a) P(b))
        expected = self.sizes[one] * self.sizes[other] / self.orders.shape[0]
        return float(self.count([one, other]) / max(expected, 1e-9))

    def _column(self, item: int) -> NDArray[np.int32]:
        indptr = self.orders.indptr
        rows: NDArray[np.int32] = self.orders.indices[indptr[item] : indptr[item + 1]]
        return rows


def judge_similar(purchases: Purchases, *, inner: bool) -> list[Row]:
    """Learn similar products before the last days, with and without categories."""
    past, future = cut_history(purchases, inner=inner)
    shop, category = learn(past, CONFIG.model), purchases.catalogue.category
    products = draw_products(past, category, ANCHORS)
    uncategorized = share_of_category(without_categories(shop, past), category, products)
    with_category = share_of_category(shop, category, products)
    paired = compare_with_co_purchase(shop, future, products)
    difference = f"{paired.ours:.4f} / {paired.other:.4f}, ± {paired.margin:.4f}"
    return [
        Row("similar: share of the same category", f"{with_category:.3f}", ".80"),
        Row("the same without the category column", f"{uncategorized:.3f}", ".60"),
        Row(
            f"later buyers who also buy what is similar / co-purchased in its category "
            f"({paired.products})",
            difference,
            "no worse",
        ),
    ]


def judge_next_views(purchases: Purchases, *, inner: bool) -> list[Row]:
    """Learn a shop before the last days, and look for what was viewed next after the cut."""
    past, future = cut_history(purchases, inner=inner)
    shop = learn(past, CONFIG.model)
    share, views = share_of_next_views(shop, future)
    return [Row(f"similar: next view of the visit among ten ({views})", f"{share:.4f}", ".033")]


def cut_history(purchases: Purchases, *, inner: bool) -> tuple[Purchases, Purchases]:
    """Return what is before the cut and what comes after it."""
    days = CONFIG.evaluation.test_days
    if inner:
        purchases = select_lines(purchases, purchases.time < find_cut(purchases, days))
    cut = find_cut(purchases, days)
    past = hide_current_catalogue(select_lines(purchases, purchases.time < cut))
    return past, select_lines(purchases, purchases.time >= cut)


if __name__ == "__main__":
    main()

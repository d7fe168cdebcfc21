"""What the basket ranker learns from: orders placed after a fit, with a product hidden that is to be found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.bundles.basket_ranker import FEATURES
from models.data.events import PURCHASE
from models.recommender import Recommender
from models.settings import BundleSettings
from models.trees import Trees
from training.progress import Advance, ignore
from training.ranker.boosting import BoostedTrees, fit_trees
from training.ranker.windows import Window
from training.reading.purchases import Purchases

MAX_BASKET: Final = 60  # products; of more, so many by lot, because every one of them costs time
MIN_HITS: Final = 1_000  # hidden products among the candidates, for trees to tell something
VALIDATION_SHARE: Final = 0.15  # of the orders, that are not learned from: they tell when to stop


@dataclass(frozen=True)
class BasketExample:
    """Which product is missing?"""

    order: int
    basket: tuple[int, ...]
    hidden: int


@dataclass(frozen=True, eq=False)
class BasketRows:
    """r candidates of questions whose hidden product is among them."""

    values: NDArray[np.float32]  # (r, FEATURES)
    hit: NDArray[np.bool_]  # (r,) the hidden product
    order: NDArray[np.int32]  # (r,)

    @classmethod
    def of(cls, parts: Sequence[BasketRows]) -> BasketRows:
        none = cls(
            np.zeros((0, len(FEATURES)), np.float32), np.zeros(0, np.bool_), np.zeros(0, np.int32)
        )
        return cls(
            *(
                np.concatenate([getattr(part, field.name) for part in (none, *parts)])
                for field in fields(cls)
            )
        )


def draw_basket_examples(
    purchases: Purchases, window: Window, most: int, seed: int
) -> list[BasketExample]:
    """About the orders of a window's first horizon, every order as often as the next: `most` products are hidden.

    Each is asked for three times, as a page asks: given the whole rest, one product of it, and a part of it by lot.
    """
    rows = (purchases.kind == PURCHASE) & (purchases.time >= window.until)
    rows &= purchases.time < window.until + window.horizon
    order, item = np.unique(np.stack([purchases.order[rows], purchases.item[rows]]), axis=1)
    numbers, starts = np.unique(order, return_index=True)
    random = np.random.default_rng(seed)
    orders = [
        (int(number), random.permutation(products))
        for number, products in zip(numbers, np.split(item, starts)[1:], strict=True)
        if len(products) > 1
    ]
    if len(orders) > most:
        orders = [
            orders[place] for place in np.sort(random.choice(len(orders), most, replace=False))
        ]
    asked = []
    for number, products in orders:
        for hidden in products[: max(most // len(orders), 1)].tolist():
            rest = random.permutation(products[products != hidden])[:MAX_BASKET]
            sizes = len(rest), 1, int(random.integers(1, len(rest), endpoint=True))
            asked += [
                BasketExample(number, tuple(sorted(rest[:size].tolist())), hidden) for size in sizes
            ]
    return asked


def build_basket_rows(recommender: Recommender, asked: Sequence[BasketExample]) -> BasketRows:
    """The candidates of the questions that have the hidden product among them."""
    baskets = recommender.baskets
    everything = np.ones(len(recommender.catalogue), np.bool_)
    parts = []
    for question in asked:
        found = baskets.candidates(question.basket, everything)
        hit = found.item == question.hidden
        if hit.any():
            order = np.full(len(hit), question.order, np.int32)
            parts.append(BasketRows(baskets.rows(question.basket, found), hit, order))
    return BasketRows.of(parts)


def train_basket_ranker(
    rows: BasketRows,
    settings: BundleSettings,
    *,
    seed: int,
    threads: int = 1,
    on_progress: Advance = ignore,
) -> BoostedTrees:
    """Trees that tell the hidden product; none where too few were found."""
    if np.count_nonzero(rows.hit) < MIN_HITS:
        return BoostedTrees(Trees.none(), {})
    orders = np.unique(rows.order)
    chosen = np.random.default_rng(seed).choice(
        orders, int(np.ceil(VALIDATION_SHARE * len(orders))), replace=False
    )
    return fit_trees(
        rows.values,
        rows.hit,
        None,
        settings.trees,
        names=FEATURES,
        seed=seed,
        threads=threads,
        checked=np.isin(rows.order, chosen),
        on_progress=on_progress,
    )
